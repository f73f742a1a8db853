"""The packages of the extra `report`: whether they are installed, and what to do if not."""

from __future__ import annotations

from importlib.util import find_spec

from exporter.errors import ExporterError

_PACKAGES = ("altair", "jinja2", "vl_convert")


def missing_packages() -> str:
    """Return a sentence if a report cannot be made for lack of packages, else nothing."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"A report needs packages that are not installed ({', '.join(missing)}): "
        "install them with pip install 'registry-exporter[report]'."
    )


def require_packages() -> None:
    """Raise `ExporterError` if a report cannot be made for lack of packages."""
    if said := missing_packages():
        raise ExporterError(said)
