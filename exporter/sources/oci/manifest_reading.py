"""A repository's manifests and their configs: those that tags name, then those of indexes.

What indexes refer to is read level by level, each manifest once. Of what indexes that are known
whole refer to, only a part is asked for first (`proofs.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from functools import partial

from exporter.errors import ApiError, PageError
from exporter.sources.oci.batches import Result, error_of, failure, is_failed
from exporter.sources.oci.decode.manifest import Manifest
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.reading import Spent
from exporter.sources.oci.rows import Rows
from exporter.sources.oci.state import Repository
from exporter.sources.oci.work import Done, Work, with_costs


class _Need(IntEnum):
    """Whether a call of this run must find a child; of several parents, the highest counts."""

    NONE = 0  # Nothing is asked for below an immutable tag.
    LITTLE = 1  # An earlier run has found it here.
    ALL = 2


class ManifestReading:
    """Reads a repository's manifests; `then` is called at the end."""

    def __init__(
        self, repository: Repository, entries: Entries, work: Work, then: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._entries = entries
        self._work = work
        self._then = then
        self._following: dict[str, _Need] = {}
        """The manifests of the next level."""
        self._needs: dict[str, _Need] = {}  # The same of the present level.
        self._chosen: Collection[str] = ()

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
            then=partial(self._work.settle, partial(self._go_deeper, level)),
            give_up=self._give_up,
        )

    def _go_deeper(self, level: int) -> None:
        self._needs, self._following = self._following, {}
        known = sorted(one for one, need in self._needs.items() if need is _Need.LITTLE)
        if not known:
            self._read_level(sorted(self._needs), level + 1)
            return
        # All of them are the things of the step, so it is the same again in a resumed run.
        proofs = self._repository.registry.proofs
        self._chosen = frozenset(proofs.choose(self._repository.name, known))
        proofs.begin()
        self._work.submit(
            f"proofs.{level + 1}",
            known,
            self._prove,
            done=self._have_asked,
            then=partial(self._have_proven, level + 1),
        )

    async def _prove(self, digest: str, _rows: Rows) -> Done:
        repository, spent = self._repository, Spent()
        result: Result = {"digest": digest}
        if digest in self._chosen:
            reader = repository.registry.reader
            try:
                found = await reader.digest(repository.path, digest, spent, self._work.left)
                result["present"] = found is not None
            except ApiError as error:
                # It is asked again with its level, which may wait for another try.
                spent.failed(error)
                result["is_open"] = True
        return with_costs(result, spent)

    def _have_asked(self, results: Sequence[Result]) -> None:
        proofs = self._repository.registry.proofs
        for result in results:
            if "is_open" in result:
                self._needs[result["digest"]] = _Need.ALL
            if "present" in result:
                self._repository.present[result["digest"]] = result["present"]
                proofs.one_is_gone |= not result["present"]

    def _have_proven(self, level: int) -> None:
        proofs = self._repository.registry.proofs
        proofs.when_known(partial(self._read_level, sorted(self._needs), level))
        proofs.end()

    def _asks(self, digest: str) -> bool:
        """Return whether to ask for a manifest; one that a tag names has been asked for."""
        need = self._needs.get(digest, _Need.NONE)
        is_open = self._repository.present.get(digest) is None
        one_is_gone = self._repository.registry.proofs.one_is_gone
        return is_open and (need is _Need.ALL or (need is _Need.LITTLE and one_is_gone))

    async def _read(self, digest: str, rows: Rows) -> Done:
        spent, configs = Spent(), Spent()
        result: Result = {"digest": digest}
        try:
            await self._read_one(digest, rows, result, spent, configs)
        except ApiError as error:
            spent.failed(error)
            result["failed"] = failure(error)
            result["other"] = self._repository.registry.reader.other_content.get(digest)
        return with_costs(result, spent, configs)

    async def _read_one(
        self, digest: str, rows: Rows, result: Result, spent: Spent, configs: Spent
    ) -> None:
        """Read a manifest and its config, and add their rows; raises `ApiError`."""
        repository, weight = self._repository, self._work.left
        reader = repository.registry.reader
        media_type = repository.media_types.get(digest, "")
        if repository.present.get(digest) is False:
            return
        if self._asks(digest):
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
        result["whole"] = bool(manifest.children) and reader.is_whole(repository.path, digest)
        config = await self._config(manifest, result, configs)
        await self._sizes(manifest, result, spent)
        if not is_failed(result):
            self._add(rows, manifest, result, config)

    def _add(self, rows: Rows, manifest: Manifest, result: Result, config: bytes | None) -> None:
        repository, digest = self._repository, manifest.digest
        repository.rows.add(
            rows,
            manifest,
            tags=repository.tags.get(digest, []),
            config=config,
            sizes=result["sizes"],
            seen_at=repository.pushed_at.get(digest),
        )
        result["is_image"] = True

    async def _give_up(self, result: Result, rows: Rows) -> Result:
        """Add the rows of a manifest whose config, or a size of a layer, could not be read."""
        if "sizes" not in result:
            return result
        repository, digest = self._repository, result["digest"]
        reader = repository.registry.reader
        body = await reader.body(repository.path, digest, Spent(), 0.0)
        if body is not None:
            media_type = repository.media_types.get(digest, "")
            manifest = repository.rows.read(digest, body, media_type)
            self._add(rows, manifest, result, None)
        return result

    async def _sizes(self, manifest: Manifest, result: Result, spent: Spent) -> None:
        """Note the sizes of layers that a manifest does not state, and one that is refused."""
        repository = self._repository
        sizes: dict[str, int | None] = {}
        result["sizes"] = sizes
        for layer in manifest.layers_without_size:
            try:
                sizes[layer] = await repository.registry.reader.size(
                    repository.path, layer, spent, self._work.left
                )
            except ApiError as error:
                spent.failed(error)
                result["failed"] = failure(error)

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
            if result.get("other"):
                repository.note_other_content(digest, result["other"])
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
                self._note_child(child, media_type, self._need_below(digest, result))

    def _need_below(self, parent: str, result: Result) -> _Need:
        if self._repository.present.get(parent) is None and not self._needs.get(parent):
            return _Need.NONE
        return _Need.LITTLE if result["whole"] else _Need.ALL

    def _note_child(self, child: str, media_type: str, need: _Need) -> None:
        repository = self._repository
        if child in repository.present or child in self._needs:
            return
        if child not in repository.media_types:
            repository.note_type(child, media_type)
        self._following[child] = max(self._following.get(child, _Need.NONE), need)
