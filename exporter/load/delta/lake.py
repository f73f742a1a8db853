"""The Delta tables of a folder or a bucket, each in a subfolder of its name."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Self

from exporter.errors import LoadError
from exporter.load.delta.place import Place
from exporter.load.delta.table import LoadedDelta, create_table, open_table
from exporter.load.tables import WarehouseTable


class DeltaLake:
    """See `exporter.load.lake.Lake`; with `look_only`, nothing is locked or created."""

    def __init__(self, place: Place, *, look_only: bool) -> None:
        self.name = place.name
        self._place = place
        self._look_only = look_only

    def __enter__(self) -> Self:
        if not self._look_only:
            self._place.lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._place.unlock()

    def find(self, name: str) -> LoadedDelta | None:
        """See `Lake`."""
        return open_table(self._place, name)

    def names(self) -> list[str]:
        """See `Lake`."""
        paths = [one.path.split("/") for one in self._place.files()]
        tables = {path[0] for path in paths if path[1:2] == ["_delta_log"]}
        return [name for name in sorted(tables) if self._is_ours(name)]

    def create(self, table: WarehouseTable) -> LoadedDelta:
        """See `Lake`."""
        return create_table(self._place, table)

    def check_views(self, tables: Collection[WarehouseTable]) -> None:
        """Do nothing: a folder of Delta tables holds no views."""

    def make_views(self, tables: Collection[WarehouseTable]) -> None:
        """Do nothing: a folder of Delta tables holds no views."""

    def _is_ours(self, name: str) -> bool:
        try:
            return self.find(name) is not None
        except LoadError:
            return False
