"""The names in `scope` that were not found: each is entered in the coverage, or refuses the run.

Otherwise a mistyped name would look like an empty scope.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from exporter.crawl.coverage import Coverage
from exporter.errors import DeniedError, ExporterError, ScopeError
from exporter.sources.cloud.found import FoundResources
from exporter.sources.cloud.levels import BELOW, LEVELS
from exporter.sources.cloud.scope import ScopeFilter
from exporter.tables.listings import ALL, Listing

log = structlog.get_logger()

MOST_SHOWN = 5
"""Names that were not found, in one sentence at most."""
ONE: Mapping[Listing, str] = {"clouds": "cloud", "folders": "folder", "registries": "registry"}
"""The singular of each level's name."""

_NOT_THERE = frozenset({"NOT_FOUND", "INVALID_ARGUMENT"})
"""Codes of a resource that does not exist, or whose name the API does not accept."""


class Named:
    """Compares the names in `scope` with the resources found, after all listings (`settle`).

    `with_images` is true if the run also lists what is in the registries.
    """

    def __init__(
        self, wanted: ScopeFilter, found: FoundResources, coverage: Coverage, *, with_images: bool
    ) -> None:
        self._filter = wanted
        self._found = found
        self._coverage = coverage
        self._with_images = with_images
        self._lost: list[str] = []
        self._nothing_else = False

    def settle(self, *, looked_everywhere: bool) -> None:
        """Enter each name that was not found in the coverage, and note whether anything was found.

        `looked_everywhere` is true if every cloud and folder that may contain it could be listed.
        """
        self._settle_organization()
        for level in LEVELS:
            named = sorted(self._filter.named[level])
            if named:
                # Only the lowest level with a name counts: the levels above only lead there.
                lost = [one for one in named if self._is_lost(level, one, looked_everywhere)]
                self._nothing_else = len(lost) == len(named)
        if self._with_images and self._read and not self._filter.all_repositories:
            self._settle_patterns()
        for level in LEVELS:
            for one in sorted(self._filter.excluded[level]):
                if self._found.named_in(level, one) is None:
                    log.warning("excluded_not_met", setting=f"scope.exclude.{level}", id=one)

    def refusal(self) -> ExporterError | None:
        """Return a `ScopeError` if nothing was found, a `DeniedError` if all of it was denied."""
        if self._lost and self._nothing_else:
            more = len(self._lost) - MOST_SHOWN
            names = "; ".join(self._lost[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            so = ", so nothing is published" if self._with_images else ""
            return ScopeError(
                f"Nothing of what `scope` names was found{so}: {names}; name in `scope` what there "
                "is and these credentials may view."
            )
        missing = [entry for entry in self._coverage.entries() if not entry.whole]
        if not missing or self._read or any(entry.status != "denied" for entry in missing):
            return None
        first, more = missing[0], len(missing) - 1
        return DeniedError(
            f"Every listing was denied, so nothing is published: {first.listing} of "
            f"{first.parent_id}{f' and {more} more' if more else ''}: {first.message}."
        )

    @property
    def _read(self) -> bool:
        """Whether any registry could be read; without images, whether any was found."""
        entries = self._coverage.entries()
        if any(one.pages for one in entries if one.listing in BELOW["registries"]):
            return True
        return not self._with_images and any(
            one.items for one in entries if one.listing == "registries"
        )

    def _settle_organization(self) -> None:
        organization = self._filter.organization_id
        entry = self._coverage.entry("clouds", ALL)
        if organization is None or entry is None or entry.items:
            return
        if entry.status == "complete":
            entry.miss(f"the API lists no cloud of organization {organization}")
        self._lost.append(f"organization {organization} ({entry.message})")
        self._nothing_else = True

    def _is_lost(self, level: Listing, id_: str, looked_everywhere: bool) -> bool:
        """Return whether a named resource was not found; if so, enter it as missing."""
        below = [self._coverage.entry(child, id_) for child in BELOW[level]]
        entries = [entry for entry in below if entry is not None]
        if any(entry.pages for entry in entries):
            unknown = looked_everywhere and self._found.named_in(level, id_) is None
            if not unknown or any(entry.items or not entry.whole for entry in entries):
                return False
            for entry in entries:
                entry.miss(f"no list names {ONE[level]} {id_}, and there is nothing in it")
        elif not any(one.status == "denied" or one.error_code in _NOT_THERE for one in entries):
            return False
        reason = next((entry.message for entry in entries if entry.message), "it was not met")
        self._lost.append(f"{ONE[level]} {id_} ({reason})")
        return True

    def _settle_patterns(self) -> None:
        patterns = self._filter.patterns
        # A pattern such as `*` matches nothing only if there is nothing.
        lost = [pattern for pattern in patterns.unmatched if pattern.strip("*")]
        for pattern in lost:
            # The coverage may have an entry of this name already, such as a registry's id.
            taken = self._coverage.entry("images", pattern) is not None
            entry = self._coverage.open("images", f"*/{pattern}" if taken else pattern, known=False)
            entry.miss(f"it matches no repository: {self._hint(pattern)}")
            self._lost.append(f"{pattern} of scope.repositories.include ({entry.message})")
        if patterns.examples and not (lost or patterns.chosen):
            self._lost.append("repositories (scope.repositories.exclude leaves out every one)")
        if lost or (patterns.examples and not patterns.chosen):
            self._nothing_else = not patterns.chosen

    def _hint(self, pattern: str) -> str:
        """Return a clause that says what patterns match, with examples."""
        registry, slash, path = pattern.partition("/")
        matched = "patterns match the path after the registry"
        met = self._found.named_in("registries", registry) is not None
        if slash and (met or registry in self._filter.registries):
            return f"{matched}, so write {path}, and {registry} in scope.registries"
        examples = self._filter.patterns.examples
        there = f"such as {', '.join(examples)}" if examples else "and no registry here has any"
        return f"{matched}, {there}"
