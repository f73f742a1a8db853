"""What a repository's indexes refer to, written last: by then it is known which of it is there.

After it goes what the lists and the headers have shown, for the findings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from exporter.errors import ApiError
from exporter.sources.oci.batches import Result, error_of, failure
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.reading import Spent
from exporter.sources.oci.rows import Rows
from exporter.sources.oci.state import Repository
from exporter.sources.oci.work import Done, Work, with_costs


class References:
    """Writes a repository's references and findings; `then` is called at the end."""

    def __init__(
        self, repository: Repository, entries: Entries, work: Work, then: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._entries = entries
        self._work = work
        self._then = then

    def start(self) -> None:
        """Begin with the references of all indexes."""
        indexes = sorted(self._repository.indexes)
        if not indexes:
            self._write_notes()
            return
        self._work.submit(
            "references",
            indexes,
            self._refer,
            done=self._referred,
            then=partial(self._work.settle, self._write_notes),
        )

    async def _refer(self, digest: str, rows: Rows) -> Done:
        repository, spent = self._repository, Spent()
        result: Result = {"digest": digest}
        try:
            reader = repository.registry.reader
            body = await reader.body(repository.path, digest, spent, self._work.left)
            if body is not None:
                media_type = repository.media_types.get(digest, "")
                index = repository.rows.read(digest, body, media_type)
                repository.rows.add_references(rows, index, repository.present)
                present = {repository.present.get(one.digest) for one in index.children}
                if False in present or None not in present:
                    result["whole"] = False not in present
        except ApiError as error:
            spent.failed(error)
            result["failed"] = failure(error)
        return with_costs(result, spent)

    def _referred(self, results: Sequence[Result]) -> None:
        repository = self._repository
        for result in results:
            if "whole" in result:
                reader, whole = repository.registry.reader, result["whole"]
                reader.note_whole(repository.path, result["digest"], whole=whole)
            if "failed" in result:
                self._entries.fail(error_of(result["failed"]))

    def _write_notes(self) -> None:
        """Write what was noted since the last rows; other rows have taken the rest with them."""
        repository = self._repository
        if not repository.has_notes:
            self._then()
            return
        self._work.submit(
            "notes", [repository.name], self._add_notes, done=lambda _: None, then=self._then
        )

    async def _add_notes(self, _name: str, rows: Rows) -> Done:
        self._repository.rows.add_notes(rows)
        return {}, False
