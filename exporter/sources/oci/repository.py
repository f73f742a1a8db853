"""One repository: its tags, the manifests that they lead to, and the configs, step by step.

1. The tags are listed, and batches of them are resolved to digests while further pages come
   (`tag_listing.py`). Harbor lists all digests instead (`artifact_listing.py`).
2. The manifests are read in batches, with their configs, and their rows are written. What indexes
   refer to follows, level by level (`manifest_reading.py`).
3. The references are written, then findings (`references.py`).
4. The listings end (`entries.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from exporter.crawl.task import Task
from exporter.sources.oci.artifact_listing import ArtifactListing
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.manifest_reading import ManifestReading
from exporter.sources.oci.references import References
from exporter.sources.oci.state import Registry, Repository
from exporter.sources.oci.tag_listing import TagListing
from exporter.sources.oci.work import Work


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
        self._repository = Repository(registry, path)
        self._entries = Entries(self._repository, known=known)
        self._work = Work(self._repository, self._entries, self._end)
        self._on_ended = ended

    @property
    def name(self) -> str:
        """The repository's full name."""
        return self._repository.name

    @property
    def is_missing(self) -> bool:
        """Whether no list named the repository, and it was not found."""
        return self._entries.is_missing

    def first_task(self) -> Task:
        """Return the task that lists the tags, or on Harbor, everything that has a digest."""
        repository, entries, work = self._repository, self._entries, self._work
        references = References(repository, entries, work, self._end)
        manifests = ManifestReading(repository, entries, work, references.start)
        if repository.registry.is_harbor:
            return ArtifactListing(repository, entries, manifests.start).task()
        return TagListing(repository, entries, work, manifests.start).task()

    def _end(self) -> None:
        self._entries.end()
        self._on_ended(self)
