"""What deleting some images would free, exactly as it is billed. Nothing here deletes anything.

A layer is billed once in each registry, and is freed once every image there that uses it is gone.
Who uses a layer, and its size, is in the snapshot's `blobs`, which the derivation has made; numbers
for registries and repositories come from its step `scopes`. The work is DuckDB's, within a memory
limit, and its rows are streamed.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from exporter.analyze.answer import Answer
from exporter.analyze.globs import as_re2
from exporter.analyze.lifecycle import parse_rules, read_rules
from exporter.analyze.reclaim_policy import ReclaimPolicy, cutoff
from exporter.derive.steps import run_steps
from exporter.errors import SettingsError
from exporter.snapshots.database import open_reader
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.sql.engine import create_view, script
from exporter.sql.memory import limit_for_readers
from exporter.tables.answers import RECLAIM_IMAGES, RECLAIM_REGISTRIES, RECLAIM_REPOSITORIES
from exporter.tables.schemas import TABLES
from exporter.wording import option

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = Literal["images", "repositories", "registries"]

GIGABYTE = 2**30
"""The bytes of a GB as the vendor bills it."""

_ANSWERS = {
    "images": RECLAIM_IMAGES,
    "repositories": RECLAIM_REPOSITORIES,
    "registries": RECLAIM_REGISTRIES,
}
_ORDERS = {
    "images": "repository, created_at NULLS FIRST, image_id",
    "repositories": "repository_name",
    "registries": "registry_id",
}
_LARGEST = {
    "images": "alone_size DESC, compressed_size DESC, image_id",
    "repositories": "alone_size DESC, logical_size DESC, repository_name",
    "registries": "freed_size DESC, logical_size DESC, registry_id",
}
_READ = (
    "clouds",
    "folders",
    "registries",
    "repositories",
    "images",
    "image_references",
    "layers",
    "blobs",
    "size_totals",
    "coverage",
)
_THREADS = 2
_MEMORY = 200_000_000
_MEMORY_OF_A_LAYER = 20
"""Bytes for DuckDB, at least and for each row of `layers`: ten million take 200 MB, with what does
not fit spilled. Twice as many threads take twice as much, and more time of the processor in all."""


@dataclass(frozen=True)
class LeftOut:
    """A registry of which no answer can be given.

    `status` is how the listing of its images ended, as in `coverage`, or `unknown` if no list names
    the registry; `message` is the reason that the run gave.
    """

    registry_id: str
    name: str | None
    status: str
    message: str | None


class ReclaimPlan(Answer):
    """What deleting the images of a policy would free; a context manager, for one thread at a time.

    It reads the snapshot's files until `close`: keep the snapshot open as long. What it found is in
    DuckDB, in memory or in a temporary folder (`TMPDIR`).
    """

    def __init__(
        self,
        manifest: Manifest,
        policy: ReclaimPolicy,
        left_out: Sequence[LeftOut],
        strays: int,
        unseen: Sequence[str],
        totals: Sequence[int],
        connection: DuckDBPyConnection,
        stack: ExitStack,
    ) -> None:
        super().__init__(connection, stack)
        self.manifest = manifest
        self.policy = policy
        self.left_out: tuple[LeftOut, ...] = tuple(left_out)
        """The registries that were asked about and have no part in the answer, by id."""
        self.strays = strays
        """The images whose name tells no registry; they have no part in the answer either."""
        self.unseen: tuple[str, ...] = tuple(unseen)
        """The registries in the answer that do not show images that no tag leads to, by id. Such
        images have no part in it, and may use layers that it says would be freed."""
        self.image_count, self.freed_size, self.logical_size, self.stored_size = totals
        """The images to delete; bytes of layers that deleting them all would free; the sum of their
        `compressed_size`; bytes of layers stored now in the registries that were asked about."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was asked about is missing in the answer.

        In a partial snapshot, registries may be missing that no list shows, unless those that were
        asked about are named.
        """
        partial = self.manifest.status == "partial" and not self.policy.registries
        return not (partial or self.left_out or self.strays)

    def monthly_saving(self, price: float) -> float:
        """Return what the freed bytes cost in a month; a GB (2^30 bytes) costs `price` a month."""
        return self.freed_size / GIGABYTE * price

    def rows(self, name: Rows = "images") -> pa.RecordBatchReader:
        """Return the rows of a table of `exporter.tables.answers`, a batch at a time.

        Images come in the order of repositories, within them from the oldest (those without a time
        first), then by id; repositories and registries by name and id. The reader can be used until
        `close`.
        """
        return self._table(name, f"ORDER BY {_ORDERS[name]}")

    def ids(self) -> pa.RecordBatchReader:
        """Return the `image_id` of all images, in the order of `rows`, a batch at a time."""
        query = "SELECT image_id FROM going ORDER BY repository, created_at NULLS FIRST, image_id"
        return self._reader(query)

    def largest(self, name: Rows, most: int) -> pa.Table:
        """Return the rows of a table that free the most bytes, the largest first."""
        return self._table(name, f"ORDER BY {_LARGEST[name]} LIMIT {int(most)}").read_all()

    def count(self, name: Rows) -> int:
        """Return how many rows a table has."""
        column = {"images": "image", "repositories": "repository", "registries": "registry"}[name]
        query = f"SELECT count(DISTINCT {column}) FROM going"  # noqa: S608 - a column of ours
        counted = self._connection.execute(query).fetchone()
        return counted[0] if counted else 0

    def _table(self, name: Rows, tail: str) -> pa.RecordBatchReader:
        schema = _ANSWERS[name].schema
        query = f"SELECT {', '.join(schema.names)} FROM reclaim_{name} {tail}"  # noqa: S608 - names of ours
        return self._reader(query, schema)


def reclaim(
    snapshot: Snapshot,
    policy: ReclaimPolicy | Sequence[Mapping[str, object]] | str | os.PathLike[str],
) -> ReclaimPlan:
    """Return what deleting images would free; close the result, or use it in a `with` block.

    `policy` says which images: a `ReclaimPolicy`, or the vendor's lifecycle rules, as a list of
    objects as JSON has them or as the path of a JSON file. A registry whose images are not all
    listed is left out, for an image that was not listed may use a layer. An image that an index
    refers to, however deep, stays as long as the index does. Every file that is read is
    compared with its SHA-256 first.

    Raises `SettingsError` for a policy that cannot be used, or that names a registry which the
    snapshot does not know; `IntegrityError` for a file that differs from the manifest, and
    `OutputError` for one that cannot be read.
    """
    wanted = _policy(policy)
    with ExitStack() as stack:
        connection = stack.enter_context(open_reader(_memory(snapshot)))
        connection.execute(f"SET threads = {_THREADS}")
        for name in _READ:
            create_view(connection, name, snapshot.checked_paths(name), TABLES[name].schema)
        run_steps(connection, ("scopes",))
        connection.execute(script("reclaim/listed"))
        left_out = _left_out(connection, wanted)
        _select(connection, snapshot.manifest, wanted)
        connection.execute(script("reclaim/freed"))
        connection.execute(script("reclaim/answer"))
        totals = connection.execute(script("reclaim/totals")).fetchall()[0]
        strays = 0 if wanted.registries else _strays(connection)
        found = (snapshot.manifest, wanted, left_out, strays, _unseen(connection), totals)
        return ReclaimPlan(*found, connection, stack.pop_all())


def _policy(
    policy: ReclaimPolicy | Sequence[Mapping[str, object]] | str | os.PathLike[str],
) -> ReclaimPolicy:
    if isinstance(policy, ReclaimPolicy):
        return policy
    if isinstance(policy, str | os.PathLike):
        return ReclaimPolicy(rules=read_rules(policy))
    return ReclaimPolicy(rules=parse_rules(policy))


def _memory(snapshot: Snapshot) -> str:
    """Return DuckDB's memory limit: by the number of layers, and at most that of every reader."""
    needed = max(_MEMORY, _MEMORY_OF_A_LAYER * snapshot.manifest.tables["layers"].rows)
    return f"{min(needed, int(limit_for_readers().removesuffix('B')))}B"


def _left_out(connection: DuckDBPyConnection, policy: ReclaimPolicy) -> list[LeftOut]:
    """Return what is left out of the registries that were asked about.

    Raises `SettingsError` if one is named that the snapshot does not know.
    """
    found = connection.execute(script("reclaim/left_out")).fetchall()
    if not policy.registries:
        return [LeftOut(*row) for *row, excluded in found if not excluded]
    whole = connection.execute(
        "SELECT registry_id FROM registries UNION SELECT registry_id FROM listed"
    ).fetchall()
    known = {row[0] for row in (*whole, *found)}
    for asked in policy.registries:
        if asked not in known:
            near = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0)
            advice = f"; the nearest is {near[0]}" if near else ""
            raise SettingsError(
                f"{option('registry')} {asked}: the snapshot knows no such registry{advice}."
            )
    return [LeftOut(*row) for *row, _excluded in found if row[0] in policy.registries]


def _strays(connection: DuckDBPyConnection) -> int:
    counted = connection.execute(
        "SELECT count(*) FROM images WHERE registry_id IS NULL OR repository_name IS NULL"
    ).fetchone()
    return counted[0] if counted else 0


def _unseen(connection: DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT registry_id FROM registries SEMI JOIN asked_registries USING (registry_id) "
        "WHERE NOT untagged_visible ORDER BY registry_id"
    ).fetchall()
    return [row[0] for row in found]


def _select(connection: DuckDBPyConnection, manifest: Manifest, policy: ReclaimPolicy) -> None:
    """Make `going`, the images that match, and `asked`, the names of what selects them."""
    labels = [rule.label(place) for place, rule in enumerate(policy.rules, 1)]
    connection.execute(
        "CREATE TABLE asked AS SELECT $flags AS flags, $labels::VARCHAR[] AS labels",
        {"flags": policy.flags(), "labels": labels},
    )
    _run(connection, "registries", registries=list(policy.registries))
    _run(connection, "repositories", repositories=as_re2(policy.repositories))
    has_rules = bool(policy.rules)
    before = cutoff(manifest.started_at, policy.older_than)
    _run(
        connection,
        "candidates",
        has_rules=has_rules,
        untagged=policy.untagged,
        has_period=before is not None,
        before=before,
        tags=as_re2(policy.tags),
    )
    connection.execute("CREATE TABLE calls (image INTEGER, rule INTEGER, called BOOLEAN)")
    for place, rule in enumerate(policy.rules, 1):
        before = cutoff(manifest.started_at, rule.expire_period)
        _run(
            connection,
            "calls",
            rule=place,
            untagged=rule.untagged,
            tag_regexp=rule.tag_regexp,
            retained_top=rule.retained_top or 0,
            has_period=before is not None,
            before=before,
        )
    _run(connection, "going", has_rules=has_rules)
    for used in ("candidates", "calls"):
        connection.execute(f"DROP TABLE {used}")
    if policy.keep_last:
        _run(connection, "spare", keep_last=policy.keep_last)
    _run(connection, "kept")


def _run(connection: DuckDBPyConnection, name: str, **values: Any) -> None:
    connection.execute(script(f"reclaim/{name}"), values)
