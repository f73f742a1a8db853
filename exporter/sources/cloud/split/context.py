"""The parts that the listings of one run share."""

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


class SplitListing(Protocol):
    """A registry whose repositories are listed one by one, and whose list of them is read again."""

    registry_id: str
    parents: Parents

    def is_new_repository(self, name: str) -> bool:
        """Return whether a repository was created since they were listed."""
        ...

    def repositories_refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Receive the repositories, listed again; `whole` if these are all of them."""
        ...


@dataclass
class Context:
    """The parts that the listings of a run share.

    `page_size` is the number of images on a page, `sample_size` on a page of a sample. `slots` is
    the most calls at once. `split` says whether listings may be split, and `policy` when. `queue`
    gives a task to the scheduler, and `refresh` reads a registry's repository list again.
    `may_prefetch` says whether a task may ask for its next page before it has handled the current
    one. `fallback` is the number of orders that the API has refused, and `backwards` says whether
    it sorts in descending order, as far as is known.
    """

    pages: Pages
    store: PageStore
    wanted: ScopeFilter
    page_size: int
    sample_size: int
    slots: int
    split: bool
    queue: Callable[[Task], None]
    refresh: Callable[[SplitListing], None]
    may_prefetch: Callable[[Task], bool]
    policy: SplitPolicy = field(default_factory=default_policy)
    fallback: int = 0
    backwards: bool = True

    @property
    def filter(self) -> Callable[[str], bool] | None:
        """The filter for repositories, by name; None if all are in scope."""
        return None if self.wanted.all_repositories else self.wanted.repository
