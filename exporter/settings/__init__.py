"""What a run can be told: the settings, where they are read from, and how they are checked.

`model` and `output` hold the settings, made of `values`; `load` reads them from a `document` with
its `placeholders`, from the `environment` and from flags; a `refusal` is made of `keys` and
`words`.
"""

from exporter.settings.model import (
    READING,
    Credentials,
    Endpoints,
    Exclude,
    Limits,
    Network,
    Profile,
    Repositories,
    Scope,
    Settings,
    load_settings,
    settings_alone,
)
from exporter.settings.output import S3, Gs, Keep, Output

__all__ = [
    "READING",
    "S3",
    "Credentials",
    "Endpoints",
    "Exclude",
    "Gs",
    "Keep",
    "Limits",
    "Network",
    "Output",
    "Profile",
    "Repositories",
    "Scope",
    "Settings",
    "load_settings",
    "settings_alone",
]
