"""The settings: their model, where they are read from, and how they are checked.

`model`, `oci`, `output` and `warehouse` define the settings, with the types of `values`. `load`
reads them from a `document` with its `placeholders`, from the `environment` and from flags. A
`refusal` uses `keys` and `words`.
"""

from exporter.settings.model import (
    READING,
    Credentials,
    Endpoints,
    Exclude,
    Limits,
    Network,
    Profile,
    Report,
    Repositories,
    Scope,
    Settings,
    load_settings,
    settings_alone,
)
from exporter.settings.oci import Oci, OciRegistry
from exporter.settings.output import S3, Gs, Keep, Output
from exporter.settings.warehouse import Load, WarehouseUrl

__all__ = [
    "READING",
    "S3",
    "Credentials",
    "Endpoints",
    "Exclude",
    "Gs",
    "Keep",
    "Limits",
    "Load",
    "Network",
    "Oci",
    "OciRegistry",
    "Output",
    "Profile",
    "Report",
    "Repositories",
    "Scope",
    "Settings",
    "WarehouseUrl",
    "load_settings",
    "settings_alone",
]
