"""One repository: its tags, the manifests that they lead to, and the configs.

1. The tags are listed, and batches of them are resolved to digests while further pages come.
2. Once all tags are known, the manifests are read in batches, with their configs; their rows are
   written, for by then all tags of each are known.
3. What indexes refer to is read in the same way, level by level, each manifest once.
4. The references are written: by then it is known which of them lead to something.
5. Last, what the lists and the headers have shown is written, for the findings.

In memory are digests and tags; content is in the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from exporter.crawl.coverage import Coverage, ListingStatus
from exporter.crawl.pipeline import Cost, PagePipeline
from exporter.crawl.task import Task
from exporter.errors import ApiError, PageError, StatusError, is_not_found
from exporter.http.client import Client
from exporter.sources.oci.batches import (
    Batch,
    Result,
    cost_fields,
    costs,
    cut,
    error_of,
    failure,
)
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.harbor import (
    artifact_of,
    artifacts_call,
    decode_artifacts,
    first_query,
)
from exporter.sources.oci.lists import NamesTask, PageSizes
from exporter.sources.oci.paging import decode_tags
from exporter.sources.oci.reading import Reader, Spent
from exporter.sources.oci.rows import ImageRows, Place, Rows
from exporter.tables.bad_values import STAGED
from exporter.wording import number

MOST_SHOWN = 5
"""Tags or digests that a message names."""
SECOND_READING = 1
"""The attempt of a list of tags that is made to see which are gone."""
NOT_LISTED = "the registry lists only manifests with a tag, so others cannot be seen"


@dataclass(frozen=True)
class Registry:
    """What the repositories of one registry share."""

    registry_id: str
    calls: Calls
    client: Client
    pipeline: PagePipeline
    coverage: Coverage
    reader: Reader
    submit: Callable[[Task], None]
    with_configs: bool
    is_harbor: bool = False
    sizes: PageSizes = field(default_factory=PageSizes)


class RepositoryListing:
    """Lists one repository; `ended` is called at its end. `known` if a list named it."""

    def __init__(
        self,
        registry: Registry,
        path: str,
        *,
        known: bool,
        ended: Callable[[RepositoryListing], None],
    ) -> None:
        self._registry = registry
        self._path = path
        self._known = known
        self._on_ended = ended
        self._name = f"{registry.registry_id}/{path}"
        self._rows = ImageRows(Place(registry.registry_id, self._name))
        self._has_notes = False
        self._tags: dict[str, list[str]] = {}  # By digest.
        self._media_types: dict[str, str] = {}
        self._present: dict[str, bool | None] = {}  # None: no call of this run has asked.
        self._following: dict[str, bool] = {}
        """The manifests of the next level, and whether a manifest that is proven refers to them."""
        self._asks: dict[str, bool] = {}  # The same of the present level.
        self._indexes: list[str] = []
        self._attestations: set[str] = set()
        self._gone: list[str] = []
        self._open = 0  # Batches of the present step.
        self._queued = 0  # Things in them.
        self._is_listed = False
        self._images = 0
        coverage = registry.coverage
        self._tags_entry = coverage.open("tags", self._name, known=known)
        self._pushed_at: dict[str, datetime | None] = {}
        self._manifests: ListingStatus | None = None
        self._untagged: ListingStatus | None = None
        self._configs: ListingStatus | None = None
        self._failed: ApiError | None = None
        self._configs_failed: ApiError | None = None

    @property
    def left(self) -> float:
        """How many things are left to do, as far as is known."""
        return float(self._queued)

    def table(self, name: str, rows: list[dict[str, Any]]) -> pa.Table:
        """Return rows as a table."""
        return pa.Table.from_pylist(rows, schema=STAGED[name].schema)

    @property
    def name(self) -> str:
        """The repository's full name."""
        return self._name

    @property
    def is_missing(self) -> bool:
        """Whether no list named the repository, and it was not found."""
        return not self._known and self._tags_entry.error_code == "NOT_FOUND"

    def first_task(self) -> Task:
        """Return the task that lists the tags, or on Harbor, everything that has a digest."""
        if self._registry.is_harbor:
            return self._artifacts_task()
        return self._tags_task(found=self._take_tags, ended=self._tags_listed)

    # Step 1 on Harbor: artifacts, with their tags or without.

    def _artifacts_task(self) -> Task:
        registry = self._registry
        return NamesTask(
            registry.client,
            registry.pipeline,
            self._tags_entry,
            partial(artifacts_call, registry.calls, self._path),
            decode_artifacts,
            PageSizes(),
            found=self._take_artifacts,
            ended=self._tags_listed,
            first=first_query,
        )

    def _take_artifacts(self, names: Sequence[str], junk: Sequence[str], _page: int) -> None:
        if self._manifests is None:
            self._open_entries()
        self._tags_entry.lose(f"artifact {name}" for name in junk)
        for artifact in map(artifact_of, names):
            tags = self._tags.setdefault(artifact.digest, [])
            tags += [tag for tag in artifact.tags if tag not in tags]
            self._present[artifact.digest] = True
            self._pushed_at[artifact.digest] = artifact.pushed_at
            if artifact.media_type:
                self._media_types[artifact.digest] = sys.intern(artifact.media_type)

    # Step 1: tags.

    def _tags_task(
        self,
        *,
        found: Callable[[Sequence[str], Sequence[str], int], None],
        ended: Callable[[ApiError | None], None],
        attempt: int = 0,
    ) -> Task:
        registry = self._registry
        return NamesTask(
            registry.client,
            registry.pipeline,
            self._tags_entry,
            partial(registry.calls.tags, self._path),
            decode_tags,
            registry.sizes,
            found=found,
            ended=ended,
            attempt=attempt,
        )

    def _take_tags(self, tags: Sequence[str], junk: Sequence[str], page: int) -> None:
        if self._manifests is None:
            self._open_entries()
        if junk:
            self._rows.note_junk(junk)
            self._has_notes = True
        self._submit(f"tags.{page}", tags, self._resolve, self._resolved)

    def _open_entries(self) -> None:
        coverage = self._registry.coverage
        self._manifests = coverage.open("manifests", self._name)
        self._manifests.begin()
        self._configs = coverage.open("configs", self._name)
        self._untagged = coverage.open("untagged", self._name)
        if not self._registry.is_harbor:
            self._untagged.skip(NOT_LISTED)

    def _tags_listed(self, error: ApiError | None) -> None:
        if error is not None and not self._is_empty(error):
            self._tags_entry.fail(error)
        elif error is not None:
            self._open_entries()
        self._is_listed = True
        self._go_on()

    def _is_empty(self, error: ApiError) -> bool:
        """Return whether an error only says that a listed repository has no tags."""
        return self._known and not self._tags_entry.pages and is_not_found(error)

    async def _resolve(self, tag: str, _rows: Rows) -> tuple[Result, bool]:
        spent = Spent()
        result: Result = {"tag": tag}
        try:
            found = await self._registry.reader.tag(self._path, tag, spent, self.left)
        except ApiError as error:
            spent.failed(error)
            result["failed"] = failure(error)
        else:
            if found is not None:
                result["digest"] = found.digest
                result["media_type"] = found.media_type
                result["is_proven"] = found.is_proven
                result["claimed"] = found.claimed
        return self._with_costs(result, spent)

    def _resolved(self, results: Sequence[Result]) -> None:
        for result in results:
            digest = result.get("digest")
            if digest is not None:
                self._tags.setdefault(digest, []).append(result["tag"])
                if result["media_type"]:
                    self._media_types[digest] = sys.intern(result["media_type"])
                is_proven = result["is_proven"] or self._present.get(digest)
                self._present[digest] = True if is_proven else None
                if result["claimed"]:
                    self._rows.note_mismatch(digest, result["claimed"])
                    self._has_notes = True
            elif "failed" in result:
                self._note_failure(error_of(result["failed"]))
            else:
                self._gone.append(result["tag"])
        self._batch_ended(results)
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next step, once all batches of this one have ended."""
        if self._open or not self._is_listed:
            return
        if self._gone:
            self._look_again()
        else:
            self._read_level(sorted(self._tags))

    def _look_again(self) -> None:
        """List the tags again: a tag that is still there, and was not found, is a failure."""
        still: list[str] = []
        gone = set(self._gone)

        def found(tags: Sequence[str], _junk: Sequence[str], _page: int) -> None:
            still.extend(tag for tag in tags if tag in gone)

        def ended(error: ApiError | None) -> None:
            if error is not None and not is_not_found(error):
                self._note_failure(error)
            if still:
                self._note_failure(self._not_found(still, "is listed and not found"))
                self._gone = [tag for tag in self._gone if tag not in still]
            self._read_level(sorted(self._tags))

        self._is_listed = False
        task = self._tags_task(found=found, ended=ended, attempt=SECOND_READING)
        self._registry.submit(task)

    # Steps 2 and 3: manifests.

    def _read_level(self, digests: Sequence[str], level: int = 0) -> None:
        if not digests:
            self._write_references()
            return
        self._submit(
            f"manifests.{level}",
            digests,
            partial(self._read, level),
            partial(self._have_read, level),
        )

    async def _read(self, level: int, digest: str, rows: Rows) -> tuple[Result, bool]:
        spent, configs = Spent(), Spent()
        result: Result = {"digest": digest}
        try:
            await self._read_one(level, digest, rows, result, (spent, configs))
        except ApiError as error:
            (configs if "children" in result else spent).failed(error)
            result["failed"] = failure(error)
        return self._with_costs(result, spent, configs)

    async def _read_one(
        self, level: int, digest: str, rows: Rows, result: Result, spents: tuple[Spent, Spent]
    ) -> None:
        """Read a manifest and its config, and add their rows; raises `ApiError`."""
        reader, weight = self._registry.reader, self.left
        spent, configs = spents
        media_type = self._media_types.get(digest, "")
        if self._asks.get(digest):
            found = await reader.digest(self._path, digest, spent, weight)
            result["present"] = found is not None
            if found is None:
                return
            media_type = found.media_type or media_type
        body = await reader.body(self._path, digest, spent, weight)
        if body is None:
            result["present"] = False
            return
        try:
            manifest = self._rows.read(digest, body, media_type)
        except PageError as error:
            result["unreadable"] = str(error)
            return
        result["children"] = [
            [one.digest, one.media_type, one.relation] for one in manifest.children
        ]
        config = None
        if manifest.config_to_read is not None and self._registry.with_configs:
            result["config"] = manifest.config_to_read
            try:
                config = await reader.config(self._path, result["config"], configs, weight)
            except ApiError as error:
                configs.failed(error)
                result["config_failed"] = failure(error)
            else:
                result["has_config"] = config is not None
        sizes: dict[str, int | None] = {}
        for layer in manifest.layers_without_size:
            sizes[layer] = await reader.size(self._path, layer, spent, weight)
        self._rows.add(
            rows,
            manifest,
            tags=self._tags.get(digest, []),
            config=config,
            sizes=sizes,
            is_attestation=digest in self._attestations,
            seen_at=self._pushed_at.get(digest),
        )
        result["is_image"] = True

    def _have_read(self, level: int, results: Sequence[Result]) -> None:
        for result in results:
            digest = result["digest"]
            if "failed" in result:
                self._note_failure(error_of(result["failed"]))
            self._present[digest] = result.get("present", self._present.get(digest))
            if not level and result.get("present") is False:
                self._gone += self._tags[digest] or [digest]
            if "unreadable" in result and self._manifests is not None:
                self._manifests.lose([f"manifest {digest} ({result['unreadable']})"])
            self._note_config(result)
            self._images += bool(result.get("is_image"))
            children = result.get("children", [])
            if children:
                self._indexes.append(digest)
            for child, media_type, relation in children:
                self._note_child(digest, child, media_type, relation)
        self._batch_ended(results)
        if not self._open:
            self._asks, self._following = self._following, {}
            self._read_level(sorted(self._asks), level + 1)

    def _note_child(self, parent: str, child: str, media_type: str, relation: str) -> None:
        if relation == "attestation":
            self._attestations.add(child)
        if child in self._present or child in self._asks:
            return
        if media_type:
            self._media_types.setdefault(child, sys.intern(media_type))
        is_proven = self._present.get(parent) is not None
        self._following[child] = self._following.get(child, False) or is_proven

    def _note_config(self, result: Result) -> None:
        if self._configs is None or "config" not in result:
            return
        if "config_failed" in result:
            self._configs_failed = self._configs_failed or error_of(result["config_failed"])
        elif not result["has_config"]:
            self._configs.lose([f"config {result['config']} (it is not found)"])
        else:
            self._configs.items += 1
            self._configs.rows += 1

    # Step 4: references.

    def _write_references(self) -> None:
        if not self._indexes:
            self._write_notes()
            return
        self._submit("references", sorted(self._indexes), self._refer, self._referred)

    async def _refer(self, digest: str, rows: Rows) -> tuple[Result, bool]:
        spent = Spent()
        result: Result = {"digest": digest}
        try:
            body = await self._registry.reader.body(self._path, digest, spent, self.left)
            if body is not None:
                index = self._rows.read(digest, body, self._media_types.get(digest, ""))
                self._rows.add_references(rows, index, self._present)
        except ApiError as error:
            spent.failed(error)
            result["failed"] = failure(error)
        return self._with_costs(result, spent)

    def _referred(self, results: Sequence[Result]) -> None:
        for result in results:
            if "failed" in result:
                self._note_failure(error_of(result["failed"]))
        self._batch_ended(results)
        if not self._open:
            self._write_notes()

    # Step 5: findings.

    def _write_notes(self) -> None:
        """Write what was noted since the last rows; other rows have taken the rest with them."""
        if self._has_notes:
            self._submit("notes", [self._name], self._add_notes, self._notes_written)
        else:
            self._end()

    async def _add_notes(self, _name: str, rows: Rows) -> tuple[Result, bool]:
        self._rows.add_notes(rows)
        return {}, False

    def _notes_written(self, results: Sequence[Result]) -> None:
        self._batch_ended(results)
        self._end()

    # What all steps share.

    def _submit(
        self,
        step: str,
        things: Sequence[str],
        work: Callable[[str, Rows], Awaitable[tuple[Result, bool]]],
        done: Callable[[Sequence[Result]], None],
    ) -> None:
        registry = self._registry
        for place, batch in enumerate(cut(things)):
            self._open += 1
            self._queued += len(batch)
            key = f"{self._name}#{step}.{place}"
            registry.submit(Batch(self, registry.pipeline, key, batch, work, done))

    def _with_costs(
        self, result: Result, spent: Spent, configs: Spent | None = None
    ) -> tuple[Result, bool]:
        """Return a result with what it has cost, and whether that was any call."""
        result["costs"] = {"manifests": cost_fields(spent.cost)}
        calls = spent.cost.calls
        if configs is not None and configs.cost.calls:
            result["costs"]["configs"] = cost_fields(configs.cost)
            calls += configs.cost.calls
        return result, calls > 0

    def _batch_ended(self, results: Sequence[Result]) -> None:
        self._open -= 1
        self._queued -= len(results)
        _count(self._manifests, costs(results, "manifests"), len(results))
        _count(self._configs, costs(results, "configs"))

    def _note_failure(self, error: ApiError) -> None:
        self._failed = self._failed or error

    def _not_found(self, tags: Sequence[str], what: str) -> StatusError:
        named = ", ".join(sorted(tags)[:MOST_SHOWN])
        more = f" and {len(tags) - MOST_SHOWN} more" if len(tags) > MOST_SHOWN else ""
        return StatusError(
            f"{number(len(tags), 'tag')} {what} ({named}{more})",
            call=f"GET {self._registry.calls.manifest(self._path, tags[0]).path}",
            scope=f"manifests of {self._name}",
            http_status=404,
            code="NOT_FOUND",
            calls=0,
        )

    def _end(self) -> None:
        """End the listings of the repository, each as it went."""
        tags, manifests, configs = self._tags_entry, self._manifests, self._configs
        tags.rows = sum(map(len, self._tags.values()))
        if tags.status is None:
            tags.complete()
        if manifests is not None:
            manifests.rows = self._images
            if self._failed is not None:
                manifests.fail(self._failed)
            elif self._gone:
                manifests.fail(self._not_found(self._gone, "was not found"))
                manifests.resolve(gone=True, reason="and the list of tags no longer names them")
            else:
                manifests.complete()
        untagged = self._untagged
        if untagged is not None and untagged.status is None:
            untagged.begin()
            untagged.rows = sum(not tags for tags in self._tags.values())
            untagged.complete()
        if configs is not None:
            if not self._registry.with_configs:
                configs.skip("oci.configs is false")
            elif self._configs_failed is not None:
                configs.fail(self._configs_failed)
            else:
                configs.complete()
        self._on_ended(self)


def _count(entry: ListingStatus | None, cost: Cost, items: int = 0) -> None:
    if entry is not None:
        entry.pages += cost.pages
        entry.items += items
        entry.calls += cost.calls
        entry.retries += max(cost.calls - cost.pages, 0)
