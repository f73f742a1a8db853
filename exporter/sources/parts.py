"""A scope in parts: one run finds what there is, and others list a part of it each.

The driver is the run that finds and, in the end, knows everything. A part lists what its units say,
with the code of the whole: it knows from its units what the driver has found, and asks for none of
that again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from exporter.crawl.coverage import ListingStatus
from exporter.sources.base import Source


@dataclass(frozen=True)
class Unit:
    """The least that a part can list: `work` is the source's own plain data, without secrets.

    `pages` is how many there may be. Units of one `group` are best listed by the same part.
    """

    work: Any
    pages: float
    group: str


class Driver(Source, Protocol):
    """The source of the driver: it lists down to what units are made of.

    `result` is to be called only once the coverage has the entries of all parts, and `take` has
    what each has told.
    """

    @property
    def expected_pages(self) -> float:
        """How many pages all parts together may list, after the last task has ended."""
        ...

    def units(self, most_pages: float) -> Sequence[Unit]:
        """Return the units of the whole scope, of at most so many pages as far as they can be cut.

        They are in the same order whatever the order in which answers came.
        """
        ...

    def listed(self) -> Sequence[ListingStatus]:
        """Return listings of units that were made here; the coverage does not have them yet."""
        ...

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return listings of units of which some calls were made here."""
        ...

    def take(self, told: Any) -> None:
        """Take what a part has told (`Part.told`)."""
        ...


class Part(Source, Protocol):
    """The source of one part; its `result` has no tables."""

    @property
    def expected_images(self) -> Mapping[str, int]:
        """The images of its registries in an earlier snapshot, by registry."""
        ...

    def told(self) -> Any:
        """Return what the driver must know beside the coverage, as plain data."""
        ...

    def listed(self) -> Sequence[ListingStatus]:
        """Return listings of which this part lists some; the coverage does not have them."""
        ...

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return the driver's listings that this part asked again, with its calls alone."""
        ...
