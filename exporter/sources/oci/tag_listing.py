"""A repository's tags: listed, and resolved to digests in batches while further pages come.

A tag that is not found is looked for in the list again: it is gone only if that no longer names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from exporter.crawl.task import Task
from exporter.errors import ApiError, is_not_found
from exporter.sources.oci.batches import Result, error_of, failure
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.lists import NamesTask
from exporter.sources.oci.paging import decode_tags
from exporter.sources.oci.reading import Spent
from exporter.sources.oci.rows import Rows
from exporter.sources.oci.state import Repository
from exporter.sources.oci.work import Done, Work, with_costs

SECOND_READING = 1
"""The attempt of a list of tags that is made to see which are gone."""


class TagListing:
    """Lists a repository's tags; `then` is called once all of them are resolved."""

    def __init__(
        self, repository: Repository, entries: Entries, work: Work, then: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._entries = entries
        self._work = work
        self._then = then
        self._is_listed = False

    def task(self) -> Task:
        """Return the task that lists the tags."""
        return self._list(found=self._found, ended=self._listed)

    def _list(
        self,
        *,
        found: Callable[[Sequence[str], Sequence[str], int], None],
        ended: Callable[[ApiError | None], None],
        attempt: int = 0,
    ) -> Task:
        registry = self._repository.registry
        return NamesTask(
            registry.client,
            registry.pipeline,
            self._entries.tags,
            partial(registry.calls.tags, self._repository.path),
            decode_tags,
            registry.sizes,
            found=found,
            ended=ended,
            attempt=attempt,
        )

    def _found(self, tags: Sequence[str], junk: Sequence[str], page: int) -> None:
        self._entries.open()
        self._repository.note_junk(junk)
        self._work.submit(
            f"tags.{page}", tags, self._resolve, done=self._resolved, then=self._go_on
        )

    def _listed(self, error: ApiError | None) -> None:
        self._entries.tags_listed(error)
        self._is_listed = True
        if self._work.is_done:
            self._go_on()

    async def _resolve(self, tag: str, _rows: Rows) -> Done:
        repository, spent = self._repository, Spent()
        result: Result = {"tag": tag}
        try:
            reader = repository.registry.reader
            found = await reader.tag(repository.path, tag, spent, self._work.left)
        except ApiError as error:
            spent.failed(error)
            result["failed"] = failure(error)
        else:
            if found is not None:
                result["digest"] = found.digest
                result["media_type"] = found.media_type
                result["is_proven"] = found.is_proven
                result["claimed"] = found.claimed
        return with_costs(result, spent)

    def _resolved(self, results: Sequence[Result]) -> None:
        repository = self._repository
        for result in results:
            digest = result.get("digest")
            if digest is not None:
                repository.tags.setdefault(digest, []).append(result["tag"])
                repository.note_type(digest, result["media_type"])
                is_proven = result["is_proven"] or repository.present.get(digest)
                repository.present[digest] = True if is_proven else None
                if result["claimed"]:
                    repository.note_mismatch(digest, result["claimed"])
            elif "failed" in result:
                self._entries.fail(error_of(result["failed"]))
            else:
                repository.gone.append(result["tag"])

    def _go_on(self) -> None:
        """Go on once all tags are listed and resolved."""
        if self._is_listed:
            self._work.settle(self._resolved_all)

    def _resolved_all(self) -> None:
        if self._repository.gone:
            self._look_again()
        else:
            self._then()

    def _look_again(self) -> None:
        """List the tags again: a tag that is still there, and was not found, is a failure."""
        still: list[str] = []
        repository = self._repository
        gone = set(repository.gone)

        def found(tags: Sequence[str], _junk: Sequence[str], _page: int) -> None:
            still.extend(tag for tag in tags if tag in gone)

        def ended(error: ApiError | None) -> None:
            if error is not None and not is_not_found(error):
                self._entries.fail(error)
            if still:
                self._entries.fail_not_found(still)
                repository.gone = [tag for tag in repository.gone if tag not in still]
            self._then()

        repository.registry.submit(self._list(found=found, ended=ended, attempt=SECOND_READING))
