"""What differs between two snapshots: resources, images and tags (`changes`), sizes (`growth`).

`exporter.analyze.comparable` says what may be called added or removed. The work is DuckDB's, within
its memory limit (`exporter.snapshots.database`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from exporter.analyze.answer import BATCH_ROWS, Answer
from exporter.analyze.comparable import Sides, Verdict, decide, explain
from exporter.analyze.sight import Ended, Place, Sight
from exporter.errors import SettingsError
from exporter.snapshots.database import open_reader
from exporter.snapshots.identity import differences, identity, moved_registries, origin
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.sql.engine import script
from exporter.tables.answers import CHANGES, GROWTH, MEASURES
from exporter.wording import number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = Literal["changes", "growth"]

KINDS = (
    "registry_added",
    "registry_removed",
    "repository_added",
    "repository_removed",
    "image_added",
    "image_removed",
    "image_changed",
    "tag_added",
    "tag_removed",
    "tag_moved",
    "unknown",
)
"""The kinds of changes, from the largest thing to the smallest."""

_TABLES = {"changes": CHANGES, "growth": GROWTH}
_READ = ("repositories", "images", "tags", "size_totals")
_VERDICTS = pa.schema(
    [
        ("registry_id", pa.string()),
        ("name", pa.string()),
        ("change", pa.string()),
        *(
            (name, pa.bool_())
            for name in (
                "ignores_patterns",
                "may_lose_images",
                "may_lose_repositories",
                "may_gain_images",
                "may_gain_repositories",
                "saw_untagged",
                "sees_untagged",
            )
        ),
        ("detail", pa.string()),
    ]
)


class Diff(Answer):
    """The differences between two snapshots; a context manager, for one thread at a time.

    It reads the snapshots' files only while it is made. What it found is in DuckDB until `close`,
    in memory or in a temporary folder (`TMPDIR`).
    """

    def __init__(
        self,
        before: Manifest,
        after: Manifest,
        counts: Mapping[str, int],
        totals: Mapping[str, int | None],
        connection: DuckDBPyConnection,
        stack: ExitStack,
    ) -> None:
        super().__init__(connection, stack)
        self.before = before
        self.after = after
        self.counts = counts
        """How many rows of `changes` there are of each kind, none of them left out."""
        self.totals = totals
        """The `total` row of `growth`, by column; None where one of the two is not complete."""

    def rows(self, name: Rows = "changes") -> pa.RecordBatchReader:
        """Return the rows of `changes` or `growth`, by their keys, a batch at a time.

        The columns are those of `exporter.tables.answers`. The reader can be used until `close`.
        """
        table = _TABLES[name]
        columns, key = (", ".join(names) for names in (table.schema.names, table.key))
        query = f"SELECT {columns} FROM {name} ORDER BY {key}"  # noqa: S608 - names of ours
        return self._reader(query, table.schema)

    def within_scope(self) -> Mapping[str, int | None] | None:
        """Return the totals of what the scope takes in, `before_…` and `after_…` each measure.

        Unlike `totals`, they are known where patterns leave something out. None where a snapshot is
        not complete, or the scopes differ; a measure that is not known is None.
        """
        before, after = self.before, self.after
        same = identity(before.source, before.scope) == identity(after.source, after.scope)
        if not (same and before.status == after.status == "complete"):
            return None
        return {
            f"{side}_{measure}": _whole(manifest.totals.get(measure))
            for side, manifest in (("before", before), ("after", after))
            for measure in MEASURES
        }

    def grown(self, most: int, scope: str | None = None) -> pa.Table:
        """Return the scopes whose stored size grew most, the largest growth first.

        `scope` is the only kind of scope to return, such as `repository`.
        """
        return self._shown("grown", sign=1, most=most, scope=scope)

    def shrunk(self, most: int, scope: str | None = None) -> pa.Table:
        """Return the scopes whose stored size shrank most, the largest loss first."""
        return self._shown("grown", sign=-1, most=most, scope=scope)

    def moved_tags(self, most: int) -> pa.Table:
        """Return the tags that moved, those to the newest images first."""
        return self._shown("moved", most=most)

    def unknown(self, most: int) -> pa.Table:
        """Return the registries that cannot be compared, by id, each with the reason (`detail`)."""
        return self._shown("unknown", most=most)

    def _shown(self, name: str, **values: int | str | None) -> pa.Table:
        found = self._connection.cursor().sql(script(f"diff/{name}"), params=values)
        return found.to_arrow_table()


def diff(before: Snapshot, after: Snapshot) -> Diff:
    """Compare two snapshots of one source; close the result, or use it in a `with` block.

    Nothing is called removed that `after` did not look for, and nothing added that `before` could
    not have seen: such registries are `unknown`, with the reason. The snapshots may be partial, of
    different scopes, of other OCI registries, and in any order. Raises `SettingsError` if they are
    of different sources, `OutputError` and `IntegrityError` as a `Snapshot` does.
    """
    _refuse_other_source(before.manifest, after.manifest)
    with ExitStack() as stack:
        connection = stack.enter_context(open_reader())
        before.register(connection, _READ, schema="before")
        after.register(connection, _READ, schema="after")
        connection.execute(script("diff/named"))
        _judge(connection, _sides(connection, before, after))
        for name in ("images", "tags", "changes"):
            connection.execute(script(f"diff/{name}"))
        same = identity(before.manifest.source, {}) == identity(after.manifest.source, {})
        connection.execute(script("diff/growth"), {"same_registries": same})
        counts, totals = _counts(connection), _totals(connection)
        return Diff(before.manifest, after.manifest, counts, totals, connection, stack.pop_all())


def _refuse_other_source(before: Manifest, after: Manifest) -> None:
    was, now = origin(before.source), origin(after.source)
    clauses = differences((was, {}), (now, {})) or moved_registries(before.source, after.source)
    if clauses:
        raise SettingsError(
            f"Snapshots {before.snapshot_id} and {after.snapshot_id} are of different sources, so "
            f"they cannot be compared: {'; '.join(clauses)}; name two of one source."
        )


def _whole(total: Any) -> int | None:
    return None if total is None else int(total)


def _counts(connection: DuckDBPyConnection) -> Mapping[str, int]:
    found = connection.execute("SELECT kind, count(*) FROM changes GROUP BY kind").fetchall()
    return dict.fromkeys(KINDS, 0) | dict(found)


def _totals(connection: DuckDBPyConnection) -> Mapping[str, int | None]:
    names = [field.name for field in GROWTH.schema if pa.types.is_integer(field.type)]
    query = f"SELECT {', '.join(names)} FROM growth WHERE scope = 'total'"  # noqa: S608 - ours
    row = connection.execute(query).fetchone()
    return dict(zip(names, row or [None] * len(names), strict=True))


def _sides(connection: DuckDBPyConnection, before: Snapshot, after: Snapshot) -> Sides:
    scopes = before.manifest.scope, after.manifest.scope
    patterns = [{"repositories": one.get("repositories") or {}} for one in scopes]
    return Sides(
        before.manifest.snapshot_id,
        after.manifest.snapshot_id,
        _sight(before, _named_in(connection, "in_before")),
        _sight(after, _named_in(connection, "in_after")),
        same_scope=identity({}, scopes[0]) == identity({}, scopes[1]),
        same_patterns=identity({}, patterns[0]) == identity({}, patterns[1]),
    )


def _named_in(connection: DuckDBPyConnection, side: str) -> frozenset[str]:
    query = f"SELECT DISTINCT registry_id FROM named WHERE {side}"  # noqa: S608 - a column of ours
    return frozenset(row[0] for row in connection.execute(query).fetchall())


def _sight(snapshot: Snapshot, named: frozenset[str]) -> Sight:
    clouds = _tuples(snapshot, "clouds", ["cloud_id", "organization_id"])
    organizations = {row[0]: row[1] for row in clouds}
    return Sight(
        scope=snapshot.manifest.scope,
        listings={
            (listing, parent_id): Ended(status, message)
            for listing, parent_id, status, message in _tuples(
                snapshot, "coverage", ["listing", "parent_id", "status", "message"]
            )
        },
        places={
            registry_id: Place(
                registry_id, folder_id, cloud_id, organizations.get(cloud_id), name, visible
            )
            for registry_id, folder_id, cloud_id, name, visible in _tuples(
                snapshot,
                "registries",
                ["registry_id", "folder_id", "cloud_id", "name", "untagged_visible"],
            )
        },
        named=named,
        source=snapshot.manifest.source,
    )


def _tuples(snapshot: Snapshot, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    read = snapshot.read(table, columns)
    return zip(*(column.to_pylist() for column in read.columns), strict=True)


def _judge(connection: DuckDBPyConnection, sides: Sides) -> None:
    """Make the tables `verdicts`, `out_of_before` and `out_of_after`."""
    every = {*sides.before.places, *sides.after.places, *sides.before.named, *sides.after.named}
    verdicts = {one: decide(one, sides) for one in sorted(every)}
    for sight, other, name in (
        (sides.before, "in_after", "out_of_before"),
        (sides.after, "in_before", "out_of_after"),
    ):
        outside = [] if sides.same_patterns else _outside(connection, sight, other)
        _create(connection, name, pa.table({"repository_name": pa.array(outside, pa.string())}))
        _blame_patterns(verdicts, outside, name)
    places = {**sides.before.places, **sides.after.places}
    rows = [
        {key: value for key, value in asdict(one).items() if key in _VERDICTS.names}
        | {
            "name": places[one.registry_id].name if one.registry_id in places else None,
            "detail": explain(one, sides),
        }
        for one in verdicts.values()
    ]
    _create(connection, "verdicts", pa.Table.from_pylist(rows, schema=_VERDICTS))


def _outside(connection: DuckDBPyConnection, sight: Sight, other: str) -> list[str]:
    """Return the repositories of the other side that a snapshot's patterns do not take in."""
    query = f"SELECT repository_name FROM named WHERE {other} ORDER BY ALL"  # noqa: S608 - ours
    found = connection.sql(query).to_arrow_reader(BATCH_ROWS)
    return [
        name
        for batch in found
        for name in batch.column(0).to_pylist()
        if not sight.patterns.match(name)
    ]


def _blame_patterns(verdicts: dict[str, Verdict], outside: list[str], side: str) -> None:
    """Give each registry with repositories outside a snapshot's patterns that as the reason."""
    counts = Counter(name.partition("/")[0] for name in outside)
    examples = {name.partition("/")[0]: name for name in reversed(outside)}
    for registry_id, count in counts.items():
        verdict = verdicts.get(registry_id)
        if verdict is None or verdict.ignores_patterns:
            continue
        reason = (
            f"scope.repositories does not take in {number(count, 'repository', 'repositories')} "
            f"of it, {'such as ' if count > 1 else ''}{examples[registry_id]}"
        )
        if side == "out_of_before":
            changed = replace(verdict, before_reason=verdict.before_reason or reason)
        else:
            changed = replace(verdict, after_reason=verdict.after_reason or reason)
        verdicts[registry_id] = changed


def _create(connection: DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("made", rows)
    connection.execute(f"CREATE TABLE {name} AS FROM made")
    connection.unregister("made")
