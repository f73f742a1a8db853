"""What the steps of a repository's listing share: its registry, and what is known of it so far.

In memory are digests and tags; content is in the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from exporter.crawl.coverage import Coverage
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.task import Task
from exporter.http.client import Client
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.lists import PageSizes
from exporter.sources.oci.proofs import Proofs
from exporter.sources.oci.reading import Reader
from exporter.sources.oci.rows import ImageRows, Place
from exporter.sources.oci.stalls import Stalls


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
    proofs: Proofs
    stalls: Stalls
    is_harbor: bool = False
    sizes: PageSizes = field(default_factory=PageSizes)


class Repository:
    """One repository while it is listed; `path` is its name without the registry.

    By digest, `tags` are the tags of each manifest, `media_types` what the registry or an index
    says of it, `pushed_at` when it came. `present` says whether the registry has it: None if no
    call of this run has asked. `indexes` are those that refer to others. `gone` are the tags that
    were listed and then not found, or the digests without a tag. `images` counts rows.
    """

    def __init__(self, registry: Registry, path: str) -> None:
        self.registry = registry
        self.path = path
        self.name = f"{registry.registry_id}/{path}"
        self.rows = ImageRows(Place(registry.registry_id, self.name))
        self.has_notes = False
        """Whether findings were noted that no later rows may take with them."""
        self.tags: dict[str, list[str]] = {}
        self.media_types: dict[str, str] = {}
        self.pushed_at: dict[str, datetime | None] = {}
        self.present: dict[str, bool | None] = {}
        self.indexes: list[str] = []
        self.gone: list[str] = []
        self.images = 0

    def note_type(self, digest: str, media_type: str) -> None:
        """Note a manifest's media type; an empty one says nothing."""
        if media_type:
            self.media_types[digest] = sys.intern(media_type)

    def note_junk(self, junk: Sequence[str]) -> None:
        """Note names in the list of tags that no tag can have."""
        if junk:
            self.rows.note_junk(junk)
            self.has_notes = True

    def note_other_content(self, digest: str, other: str) -> None:
        """Note that the registry has content of another digest in the place of this one's."""
        self.rows.note_other_content(digest, other)
        self.has_notes = True

    def note_mismatch(self, digest: str, claimed: str) -> None:
        """Note that the registry stated another digest for this content."""
        self.rows.note_mismatch(digest, claimed)
        self.has_notes = True
