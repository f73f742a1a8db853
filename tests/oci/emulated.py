"""The emulated registry in a thread of the test's own process, and its truth against a snapshot."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from exporter.emulator import Faults, LoggedCall
from exporter.emulator.oci import Behaviour, OciEmulator, Shape
from tests.oracle.snapshots import Snapshot

Row = dict[str, Any]
LISTED = (
    "registries",
    "repositories",
    "images",
    "layers",
    "config_blobs",
    "image_references",
    "tags",
)
_DERIVED_FINDINGS = {"unlisted_repository", "size_mismatch"}


class Emulated:
    """A served registry, for as long as the `with` block lasts; `emulator` is the server."""

    def __init__(
        self, shape: Shape, behaviour: Behaviour | None = None, faults: Faults | None = None
    ) -> None:
        self.emulator = OciEmulator(shape, behaviour, faults)
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(100), "the emulator does not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(100)
        assert not self._thread.is_alive(), "the emulator does not stop"

    @property
    def registry(self) -> str:
        """What settings call it."""
        return self.emulator.host + self.emulator.behaviour.prefix

    def asked(self, wanted: Callable[[LoggedCall], bool] = lambda _: True) -> list[str]:
        """Return the calls so far, as a method and a path each."""
        calls = [call for call in self.emulator.calls if wanted(call)]
        return [f"{call.method} {call.path}" for call in calls]

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self.emulator:
            self._ready.set()
            await self._stop.wait()


def assert_true(snapshot: Snapshot, emulated: Emulated, *, is_warm: bool = False) -> None:
    """Hold every table of a snapshot, in every format, against what the registry has.

    A warm run need not ask for what an earlier one has found; what is gone it must tell.
    """
    for tables in snapshot.rows.values():
        for table in LISTED:
            found, true = tables[table], _true(emulated, table)
            if is_warm:
                found = [
                    row | {"present": True} if row.get("present", False) is None else row
                    for row in found
                ]
            columns = sorted({name for row in true for name in row})
            _assert_same(table, found, true, columns)
            others = {name for row in found for name in row} - set(columns)
            assert all(row[name] is None for row in found for name in others), table
        for table, columns in {
            "coverage": ["listing", "parent_id", "status"],
            "findings": ["kind", "subject"],
        }.items():
            rows = [row for row in tables[table] if row.get("kind") not in _DERIVED_FINDINGS]
            _assert_same(table, rows, _true(emulated, table), columns)


def _true(emulated: Emulated, table: str) -> list[Row]:
    rows = emulated.emulator.truth(table)
    assert rows is not None
    return [dict(row) for row in rows]


def _assert_same(table: str, found: list[Row], true: list[Row], columns: Iterable[str]) -> None:
    columns = list(columns)
    rows, wanted = Counter(_in_order(found, columns)), Counter(_in_order(true, columns))
    missing, extra = [*(wanted - rows)], [*(rows - wanted)]
    told = "\n".join([f"{table}: missing", *missing[:3], "and found instead", *extra[:3]])
    assert (missing, extra) == ([], []), told


def _in_order(rows: Iterable[Row], columns: Iterable[str]) -> list[str]:
    """Return rows in a form and an order that can be compared."""
    told = [{name: row.get(name) for name in columns} for row in rows]
    return sorted(json.dumps(row, sort_keys=True, default=_as_text) for row in told)


def _as_text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
