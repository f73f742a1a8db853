"""Iceberg tables as a warehouse, in any catalog that pyiceberg knows.

`lake` is a namespace of a catalog, `place` its files and its lock, `table` one of the tables,
`upkeep` what it no longer needs. `exporter.load.lake` says how a load goes.
"""

from __future__ import annotations

import logging

from pyiceberg.catalog import Catalog, load_catalog

from exporter.errors import SettingsError
from exporter.load.iceberg.errors import catalog_errors, reason_of
from exporter.load.iceberg.lake import IcebergLake
from exporter.load.iceberg.place import Place
from exporter.load.lake import LakeWarehouse
from exporter.settings import Settings
from exporter.settings.warehouse import WarehouseUrl


def connect(to: WarehouseUrl, settings: Settings, *, look_only: bool) -> LakeWarehouse:
    """Return the warehouse that `to` names, `iceberg:CATALOG/NAMESPACE`.

    Without a namespace, `load.schema` is one; one with dots is in others. Options of the catalog
    come from `load.iceberg`, then from pyiceberg's own configuration. Raises `SettingsError`, and
    `LoadError` if the catalog cannot be reached.
    """
    load = settings.load
    name, _, path = to.place.strip("/").partition("/")
    if path and "warehouse_schema" in load.model_fields_set and load.warehouse_schema != path:
        raise SettingsError(
            f"load.to {to} names the namespace {path}, and load.schema {load.warehouse_schema}"
            ": name it in one of them."
        )
    namespace = tuple((path or load.warehouse_schema).replace("/", ".").split("."))
    if not all(namespace):
        raise SettingsError(f"load.to {to} names no namespace: write iceberg:CATALOG/NAMESPACE.")
    options = load.options()
    # Pyiceberg warns of what it does again, and of what it leaves out, on a log of its own.
    logging.getLogger("pyiceberg").setLevel(logging.ERROR)
    catalog = _load(name, options, str(to))
    everything = {key: str(value) for key, value in {**catalog.properties, **options}.items()}
    place = Place(str(to), namespace, catalog, everything)
    return LakeWarehouse(IcebergLake(place, look_only=look_only))


def _load(name: str, options: dict[str, str], shown: str) -> Catalog:
    with catalog_errors("open the catalog of", shown, options):
        try:
            return load_catalog(name, **options)
        except ValueError as error:
            raise SettingsError(
                f"The catalog {name} of {shown} cannot be opened: {reason_of(error, options)}; "
                "name its type and uri in load.iceberg, or in pyiceberg's own configuration "
                f"(~/.pyiceberg.yaml, PYICEBERG_CATALOG__{name.upper()}__URI)."
            ) from None
