"""What a run can be told: the settings, where they are read from, and how they are checked.

`model` holds the settings, made of `values`; `load` reads them from a `document` with its
`placeholders`, from the `environment` and from flags; `keys` and `words` are what refusals say.
"""

from exporter.settings.load import load_settings
from exporter.settings.model import (
    Credentials,
    Endpoints,
    Keep,
    Limits,
    Network,
    Output,
    Profile,
    Repositories,
    Scope,
    Settings,
)

__all__ = [
    "Credentials",
    "Endpoints",
    "Keep",
    "Limits",
    "Network",
    "Output",
    "Profile",
    "Repositories",
    "Scope",
    "Settings",
    "load_settings",
]
