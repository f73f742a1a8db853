"""The units of OCI registries: repositories that one part lists, and what the driver knows of them.

All of it is plain data (`sources.parts.Unit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.tables.listings import Listing


@dataclass(frozen=True)
class RepositoriesUnit:
    """Some repositories of a registry, by their `paths`.

    `night` is the number of the run (`Cache.run`), and `first_proofs` this unit's part of the
    children that are asked for in any case (`Proofs`).
    """

    host: str
    is_harbor: bool
    paths: tuple[str, ...]
    night: int
    first_proofs: int

    def listings(self) -> Sequence[tuple[Listing, str, bool]]:
        """Return the listings that a part makes of it: each with its parent, and `known`."""
        names: Sequence[Listing] = ("tags", "manifests")
        return [(name, f"{self.host}/{one}", False) for one in self.paths for name in names]


Missing = dict[str, tuple[str, ...]]
"""What a part tells the driver: the repositories that are named and not there, by host."""
