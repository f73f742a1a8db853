"""registry-exporter: a complete inventory of a Container Registry, published as a snapshot.

`from exporter import Settings, export` is the whole public API: `await export(settings)` returns
the snapshot's manifest and raises one of `exporter.errors`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.run import export
    from exporter.settings import Settings

    __version__: str

__all__ = ["Settings", "__version__", "export"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: the command's `--help` needs neither PyArrow nor API."""
    if name == "export":
        from exporter.run import export  # noqa: PLC0415

        return export
    if name == "Settings":
        from exporter.settings import Settings  # noqa: PLC0415

        return Settings
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("registry-exporter")
    raise AttributeError(f"module 'exporter' has no attribute {name!r}")
