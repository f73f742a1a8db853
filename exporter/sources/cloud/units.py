"""The units of a cloud's scope: registries that one part lists, and what the driver knows of them.

All of it is plain data (`sources.parts.Unit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.split.span import Span
from exporter.tables.listings import Listing


@dataclass(frozen=True)
class NamedIn:
    """A listing of the driver that named something: the fields of its entry in the coverage."""

    listing: Listing
    parent_id: str
    known: bool


@dataclass(frozen=True)
class RegistriesUnit:
    """Some registries: one, or those of a folder that are listed together.

    `known` says whether a list named them. `lineage` are the listings that named the registry, its
    folder and its cloud, nearest first; for those that are listed together, of the first one.
    `met_beside` are the registries on the same list. `expected` are the images of each that an
    earlier snapshot knows.
    """

    registry_ids: tuple[str, ...]
    parents: Parents
    known: bool
    together: bool
    lineage: tuple[NamedIn, ...]
    met_beside: tuple[str, ...]
    expected: tuple[tuple[str, int], ...]

    def listings(self) -> Sequence[tuple[Listing, str, bool]]:
        """Return the listings that a part makes of it: each with its parent, and `known`."""
        names: Sequence[Listing] = ("repositories", "images")
        return [(name, one, self.known) for one in self.registry_ids for name in names]


@dataclass(frozen=True)
class SpanUnit:
    """A span of a long registry's repositories; `ids` are those of its names, as the list had them.

    The others are as in `RegistriesUnit`.
    """

    registry_id: str
    parents: Parents
    known: bool
    lineage: tuple[NamedIn, ...]
    span: Span
    ids: Mapping[str, str | None]

    def listings(self) -> Sequence[tuple[Listing, str, bool]]:
        """Return the listings that a part makes of it: each with its parent, and `known`."""
        return [("images", self.registry_id, self.known)]


CloudUnit = RegistriesUnit | SpanUnit
