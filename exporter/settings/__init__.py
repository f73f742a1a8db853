"""What a run can be told: the settings, where they are read from, and how they are checked."""

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
