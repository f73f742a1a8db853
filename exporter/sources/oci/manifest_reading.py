"""A repository's manifests and their configs: those that tags name, then those of indexes.

What indexes refer to is read level by level, each manifest once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from exporter.errors import ApiError, PageError
from exporter.sources.oci.batches import Result, error_of, failure
from exporter.sources.oci.decode.manifest import Manifest
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.reading import Spent
from exporter.sources.oci.rows import Rows
from exporter.sources.oci.state import Repository
from exporter.sources.oci.work import Done, Work, with_costs


class ManifestReading:
    """Reads a repository's manifests; `then` is called at the end."""

    def __init__(
        self, repository: Repository, entries: Entries, work: Work, then: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._entries = entries
        self._work = work
        self._then = then
        self._following: dict[str, bool] = {}
        """The manifests of the next level, and whether a manifest that is proven refers to them."""
        self._asks: dict[str, bool] = {}  # The same of the present level.

    def start(self) -> None:
        """Begin with the manifests that were listed: by then all tags of each are known."""
        self._read_level(sorted(self._repository.tags), 0)

    def _read_level(self, digests: Sequence[str], level: int) -> None:
        if not digests:
            self._then()
            return
        self._work.submit(
            f"manifests.{level}",
            digests,
            self._read,
            done=partial(self._have_read, level),
            then=partial(self._go_deeper, level),
        )

    def _go_deeper(self, level: int) -> None:
        self._asks, self._following = self._following, {}
        self._read_level(sorted(self._asks), level + 1)

    async def _read(self, digest: str, rows: Rows) -> Done:
        spent, configs = Spent(), Spent()
        result: Result = {"digest": digest}
        try:
            await self._read_one(digest, rows, result, spent, configs)
        except ApiError as error:
            spent.failed(error)
            result["failed"] = failure(error)
        return with_costs(result, spent, configs)

    async def _read_one(
        self, digest: str, rows: Rows, result: Result, spent: Spent, configs: Spent
    ) -> None:
        """Read a manifest and its config, and add their rows; raises `ApiError`."""
        repository, weight = self._repository, self._work.left
        reader = repository.registry.reader
        media_type = repository.media_types.get(digest, "")
        if self._asks.get(digest):
            found = await reader.digest(repository.path, digest, spent, weight)
            result["present"] = found is not None
            if found is None:
                return
            media_type = found.media_type or media_type
        body = await reader.body(repository.path, digest, spent, weight)
        if body is None:
            result["present"] = False
            return
        try:
            manifest = repository.rows.read(digest, body, media_type)
        except PageError as error:
            result["unreadable"] = str(error)
            return
        result["children"] = [[one.digest, one.media_type] for one in manifest.children]
        config = await self._config(manifest, result, configs)
        sizes = await self._sizes(manifest, result, spent)
        repository.rows.add(
            rows,
            manifest,
            tags=repository.tags.get(digest, []),
            config=config,
            sizes=sizes,
            seen_at=repository.pushed_at.get(digest),
        )
        result["is_image"] = True

    async def _sizes(
        self, manifest: Manifest, result: Result, spent: Spent
    ) -> dict[str, int | None]:
        """Return the sizes of layers that a manifest does not state; note one that is refused."""
        repository, sizes = self._repository, dict[str, int | None]()
        for layer in manifest.layers_without_size:
            try:
                sizes[layer] = await repository.registry.reader.size(
                    repository.path, layer, spent, self._work.left
                )
            except ApiError as error:
                spent.failed(error)
                result["failed"] = failure(error)
        return sizes

    async def _config(self, manifest: Manifest, result: Result, configs: Spent) -> bytes | None:
        """Return the config of a manifest, if it is to be read, and note what became of it."""
        registry, digest = self._repository.registry, manifest.config_to_read
        if digest is None or not registry.with_configs:
            return None
        result["config"] = digest
        try:
            config = await registry.reader.config(
                self._repository.path, digest, configs, self._work.left
            )
        except ApiError as error:
            configs.failed(error)
            result["config_failed"] = failure(error)
            return None
        result["has_config"] = config is not None
        return config

    def _have_read(self, level: int, results: Sequence[Result]) -> None:
        repository, entries = self._repository, self._entries
        for result in results:
            digest = result["digest"]
            if "failed" in result:
                entries.fail(error_of(result["failed"]))
            present = result.get("present", repository.present.get(digest))
            repository.present[digest] = present
            if not level and result.get("present") is False:
                repository.gone += repository.tags[digest] or [digest]
            if "unreadable" in result and entries.manifests is not None:
                entries.manifests.lose([f"manifest {digest} ({result['unreadable']})"])
            entries.note_config(result)
            repository.images += bool(result.get("is_image"))
            children = result.get("children", [])
            if children:
                repository.indexes.append(digest)
            for child, media_type in children:
                self._note_child(digest, child, media_type)

    def _note_child(self, parent: str, child: str, media_type: str) -> None:
        repository = self._repository
        if child in repository.present or child in self._asks:
            return
        if child not in repository.media_types:
            repository.note_type(child, media_type)
        is_proven = repository.present.get(parent) is not None
        self._following[child] = self._following.get(child, False) or is_proven
