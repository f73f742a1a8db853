"""Which warehouse a URL names, and what to install for it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from exporter.errors import LoadError, SettingsError
from exporter.load.warehouse import Warehouse
from exporter.settings import Settings
from exporter.settings.warehouse import WarehouseUrl
from exporter.wording import option

_PACKAGES = {
    "postgresql": ("adbc_driver_postgresql", "adbc_driver_manager"),
    "duckdb": (),
    "clickhouse": ("clickhouse_connect",),
    "iceberg": ("pyiceberg",),
    "delta": ("deltalake",),
}
"""The packages of each kind's extra, which bears the kind's name."""


class _Target(Protocol):
    """A module of a kind of warehouse."""

    def connect(self, to: WarehouseUrl, settings: Settings, *, look_only: bool) -> Warehouse:
        """Return the warehouse that `to` names; entering it opens it.

        With `look_only`, nothing is locked or created. Raises `SettingsError`.
        """


def open_warehouse(settings: Settings, *, look_only: bool) -> Warehouse:
    """Return the warehouse that `load.to` names; entering it opens it.

    With `look_only`, nothing is locked or created. Raises `SettingsError` if none is named, or one
    that cannot be, and `LoadError` if packages are missing.
    """
    to = settings.load.to
    if to is None:
        raise SettingsError(
            f"No warehouse is named: name one with {option('to')}, or in the settings with load.to."
        )
    kind = to.kind
    missing = [name for name in _PACKAGES[kind] if find_spec(name) is None]
    if missing:
        raise LoadError(
            f"Loading into {to} needs packages that are not installed "
            f"({', '.join(missing)}): install them with pip install 'registry-exporter[{kind}]'."
        )
    module = cast("_Target", import_module(f"exporter.load.{kind}"))
    return module.connect(to, settings, look_only=look_only)
