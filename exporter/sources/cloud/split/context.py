"""What the listings of one run share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from exporter.crawl.page_store import PageStore
from exporter.crawl.task import Task
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.split.policy import SplitPolicy, default_policy


class Split(Protocol):
    """A registry whose repositories are listed one by one, and whose list of them is read again."""

    registry_id: str
    parents: Parents

    def is_new_repository(self, name: str) -> bool:
        """Say whether a repository was created since they were listed."""
        ...

    def repositories_refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Take the repositories as they were listed again; `whole` if the list is all of them."""
        ...


@dataclass
class Context:
    """What the walks of a run share.

    `sample_size` are the images on a witness's page, `slots` is how many calls there may be at
    once, `split` whether listings may be split. `queue` gives a chain to the scheduler, `refresh`
    has a registry's repositories listed again, `may_ask_ahead` says whether a job may ask for its
    next page before it has dealt with the one in hand. `fallback` is the first `orderBy` that the
    API has not refused, `backwards` whether it sorts downwards as far as is known.
    """

    pages: Pages
    store: PageStore
    wanted: ScopeFilter
    page_size: int
    sample_size: int
    slots: int
    split: bool
    queue: Callable[[Task], None]
    refresh: Callable[[Split], None]
    may_ask_ahead: Callable[[Task], bool]
    policy: SplitPolicy = field(default_factory=default_policy)
    fallback: int = 0
    backwards: bool = True

    @property
    def filter(self) -> Callable[[str], bool] | None:
        """Which repositories' images to keep, by name; None for all of them."""
        return None if self.wanted.all_repositories else self.wanted.repository
