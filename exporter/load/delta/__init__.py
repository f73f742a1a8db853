"""Delta tables as a warehouse, in a folder or a bucket, through deltalake.

`place` is where they are, and its lock; `table` is one of them; `lake` in the room above says how a
load goes.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from exporter.errors import SettingsError
from exporter.load.delta.lake import DeltaLake
from exporter.load.delta.place import Place
from exporter.load.lake import LakeWarehouse
from exporter.output import s3_access
from exporter.settings import Settings
from exporter.settings.warehouse import WarehouseUrl
from exporter.storage.local import Folder
from exporter.storage.object_store import Bucket
from exporter.storage.opening import expanded


def connect(to: WarehouseUrl, settings: Settings, *, look_only: bool) -> LakeWarehouse:
    """Return the warehouse that `to` names: `delta:PATH`, or `delta:s3://bucket/prefix`.

    Each table is a folder in that of the schema. A bucket is reached as an `s3://` output is.
    Raises `SettingsError` for a place that cannot be.
    """
    url = to.place.rstrip("/")
    if "://" in url and not url.startswith(("s3://", "file://")):
        raise SettingsError(
            f"load.to {to} names a place that cannot be loaded into: write delta:PATH or "
            "delta:s3://bucket/prefix."
        )
    schema = settings.load.warehouse_schema
    if url.startswith("s3://"):
        access = s3_access(settings.output.s3, settings.network.ca_file)
        place = Place(str(to), Bucket(f"{url}/{schema}", access), access)
    else:
        path = unquote(urlsplit(url).path) if "://" in url else url
        place = Place(str(to), Folder(expanded(Path(path), "load.to") / schema))
    return LakeWarehouse(DeltaLake(place, look_only=look_only))
