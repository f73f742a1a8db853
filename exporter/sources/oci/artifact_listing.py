"""A repository's artifacts as Harbor lists them: all digests, with their tags or without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from exporter.crawl.task import Task
from exporter.errors import ApiError
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.harbor import artifact_of, artifacts_call, decode_artifacts, first_query
from exporter.sources.oci.lists import NamesTask, PageSizes
from exporter.sources.oci.state import Repository


class ArtifactListing:
    """Lists a repository's artifacts; `then` is called at the end."""

    def __init__(self, repository: Repository, entries: Entries, then: Callable[[], None]) -> None:
        self._repository = repository
        self._entries = entries
        self._then = then

    def task(self) -> Task:
        """Return the task that lists the artifacts."""
        registry = self._repository.registry
        return NamesTask(
            registry.client,
            registry.pipeline,
            self._entries.tags,
            partial(artifacts_call, registry.calls, self._repository.path),
            decode_artifacts,
            PageSizes(),
            found=self._found,
            ended=self._listed,
            first=first_query,
        )

    def _found(self, names: Sequence[str], junk: Sequence[str], _page: int) -> None:
        repository = self._repository
        self._entries.open()
        self._entries.tags.lose(f"artifact {name}" for name in junk)
        for artifact in map(artifact_of, names):
            tags = repository.tags.setdefault(artifact.digest, [])
            tags += [tag for tag in artifact.tags if tag not in tags]
            repository.present[artifact.digest] = True
            repository.pushed_at[artifact.digest] = artifact.pushed_at
            repository.note_type(artifact.digest, artifact.media_type)

    def _listed(self, error: ApiError | None) -> None:
        self._entries.tags_listed(error)
        self._then()
