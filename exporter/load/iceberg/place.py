"""The namespace of a catalog that Iceberg tables are in: its errors, its files, its lock.

Iceberg has no lock of its own. This machine has one for the namespace. If the tables' files are in
a folder, there is one in it too, for all that see the folder. Loaders on other machines that share
no folder are kept apart by the catalog: of two commits to one version of `snapshots`, it takes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from pyarrow import fs
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from exporter.errors import LoadError
from exporter.load.iceberg.errors import catalog_errors, reason_of
from exporter.load.machine import lock_folder
from exporter.storage.destination import Entry
from exporter.storage.lock import LOAD, Lock, NoLocksError


class Place:
    """A namespace of a catalog; `options` are the catalog's, `name` is its name for messages."""

    def __init__(
        self, name: str, namespace: tuple[str, ...], catalog: Catalog, options: Mapping[str, str]
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.catalog = catalog
        self._options = options
        self._held = ExitStack()
        self.is_exclusive = False
        """Whether a lock is held that reaches every other loader."""

    def lock(self) -> None:
        """Keep other loaders of this machine out until `unlock`; raises `LockedError`."""
        uri = str(self.catalog.properties.get("uri", ""))
        identity = "\0".join((self.catalog.name, uri, *self.namespace))
        with self.errors("lock"), suppress(NoLocksError):
            self._held.enter_context(Lock(lock_folder(identity), LOAD, self.name))

    def lock_files(self, table: Table) -> None:
        """Keep out all loaders that see the folder with a table's files, if it is one."""
        scheme, _, path = PyArrowFileIO.parse_location(table.location())
        if scheme != "file" or self.is_exclusive:
            return
        with self.errors("lock"), suppress(NoLocksError):
            self._held.enter_context(Lock(Path(path), LOAD, self.name))
            self.is_exclusive = True

    def unlock(self) -> None:
        """Let other loaders in."""
        self._held.close()

    def errors(self, doing: str) -> AbstractContextManager[None]:
        """Turn errors of the catalog and its storage into `LoadError`; see `catalog_errors`."""
        return catalog_errors(doing, self.name, self._options)

    @contextmanager
    def os_errors(self, doing: str) -> Iterator[None]:
        """Turn errors of the storage alone into `LoadError`."""
        try:
            yield
        except OSError as error:
            reason = reason_of(error, self._options)
            raise LoadError(f"Cannot {doing} {self.name}: {reason}.") from None

    def data_files(self, table: Table) -> list[Entry]:
        """Return the files where a table's data files are; none for a storage that cannot list."""
        io = table.io
        if not isinstance(io, PyArrowFileIO):
            return []
        scheme, host, path = io.parse_location(table.location_provider().data_path)
        chosen = fs.FileSelector(path, recursive=True, allow_not_found=True)
        return [
            Entry(one.path, one.size, one.mtime.timestamp())
            for one in io.fs_by_scheme(scheme, host).get_file_info(chosen)
            if one.type == fs.FileType.File
        ]

    def delete(self, table: Table, path: str) -> None:
        """Remove a file of `data_files`, or one that the table's metadata names."""
        if "://" not in path and isinstance(table.io, PyArrowFileIO):
            scheme, host, _ = table.io.parse_location(table.location())
            table.io.fs_by_scheme(scheme, host).delete_file(path)
            return
        table.io.delete(path)
