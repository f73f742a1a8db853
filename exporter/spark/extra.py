"""The packages of the extra `spark`: whether they are installed, and what to do if not."""

from __future__ import annotations

from importlib.util import find_spec

from exporter.errors import ExporterError

_PACKAGES = ("pandas", "pyspark")


def require_packages() -> None:
    """Raise `ExporterError` where packages are missing that Spark needs."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ExporterError(
            f"Spark needs packages that are not installed ({', '.join(missing)}): install them "
            "with pip install 'registry-exporter[spark]'."
        )
