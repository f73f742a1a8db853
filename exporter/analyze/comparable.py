"""What may be called added or removed between two snapshots, registry by registry.

Nothing is removed that was not looked for afterwards, and nothing is added that could not have
been seen before. Turn the sides round, and `added` is what `removed` was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from exporter.analyze.sight import Sight

Change = Literal["registry_added", "registry_removed"]


@dataclass(frozen=True)
class Sides:
    """The two snapshots: their ids, and what each could see."""

    before_id: str
    after_id: str
    before: Sight
    after: Sight
    same_scope: bool = True
    """Whether both have the same scope."""
    same_patterns: bool = True
    """Whether both have the same patterns of repositories."""


@dataclass(frozen=True)
class Verdict:
    """What may be said of one registry.

    `may_lose_images` is whether an image that is missing afterwards counts as removed;
    `may_lose_repositories` says it of a repository; `may_gain_…` of what is missing before.
    `saw_untagged` and `sees_untagged` are whether the registry showed images that no tag leads to,
    before and afterwards. `ignores_patterns`: the registry as a whole came or went, so no pattern
    matters.
    `before_reason` and `after_reason` are the clauses why something may have been there before, or
    still be there afterwards; empty where that is known.
    """

    registry_id: str
    change: Change | None = None
    ignores_patterns: bool = False
    may_lose_images: bool = False
    may_lose_repositories: bool = False
    may_gain_images: bool = False
    may_gain_repositories: bool = False
    saw_untagged: bool = True
    sees_untagged: bool = True
    before_reason: str = ""
    after_reason: str = ""


def decide(registry_id: str, sides: Sides) -> Verdict:
    """Return what may be said of one registry that at least one of the snapshots has.

    | the registry is | what is missing afterwards | what is missing before |
    |---|---|---|
    | listed on both sides | is removed where its listing afterwards is complete | is added where its listing before is complete |
    | listed before alone, and was looked for afterwards (`not_looked_for`) | is removed, the registry too | there is nothing |
    | listed before alone, and was not looked for | is unknown | there is nothing |
    | listed afterwards alone, and was looked for before | there is nothing | is added, the registry too |
    | listed afterwards alone, and was not looked for | there is nothing | is unknown |
    | only named by images or repositories | is removed where all listings afterwards are complete, and both scopes are the same | is added in the like case |

    A repository is missing only where its registry's images are listed, too: the list of
    repositories may lack one that has images (`unlisted_repository`). Where the listings of a
    registry that came or went are not complete, some of its images are unknown as well.
    Where an OCI registry does not show images that no tag leads to, one that is missing afterwards
    was not looked for: its tags are gone or moved, and it is not called removed unless its
    repository is. One that is missing before may have been there without a tag; it is called added,
    and the row says so.
    A listing that ended as `vanished` is not complete. A registry that vanished while it was listed
    is unknown, therefore, and the next snapshot has it removed.
    """  # noqa: E501 - a table's row is one line
    before, after = sides.before, sides.after
    if registry_id not in before.places and registry_id not in after.places:
        return _stray(registry_id, sides)
    lists_before = _listings(registry_id, before)
    lists_after = _listings(registry_id, after)
    if before.has(registry_id) and after.has(registry_id):
        return Verdict(
            registry_id,
            may_lose_images=not lists_after.images,
            may_lose_repositories=not lists_after.reason,
            may_gain_images=not lists_before.images,
            may_gain_repositories=not lists_before.reason,
            saw_untagged=before.sees_untagged(registry_id),
            sees_untagged=after.sees_untagged(registry_id),
            before_reason=lists_before.reason,
            after_reason=lists_after.reason,
        )
    same = before.scope.get("organization_id") == after.scope.get("organization_id")
    if before.has(registry_id):
        if reason := after.not_looked_for(before.places[registry_id], same):
            return Verdict(registry_id, after_reason=reason)
        return Verdict(
            registry_id,
            "registry_removed",
            ignores_patterns=True,
            may_lose_images=True,
            may_lose_repositories=True,
            before_reason=lists_before.reason,
        )
    if reason := before.not_looked_for(after.places[registry_id], same):
        return Verdict(registry_id, before_reason=reason)
    return Verdict(
        registry_id,
        "registry_added",
        ignores_patterns=True,
        may_gain_images=True,
        may_gain_repositories=True,
        after_reason=lists_after.reason,
    )


def explain(verdict: Verdict, sides: Sides) -> str:
    """Return why a registry cannot be compared, in sentences; empty where it can."""
    return " ".join(_sentences(verdict, sides))


def _sentences(verdict: Verdict, sides: Sides) -> Iterator[str]:
    if verdict.after_reason:
        yield (
            f"What snapshot {sides.after_id} lacks may still have been there: "
            f"{verdict.after_reason}."
        )
    if verdict.before_reason:
        yield (
            f"What snapshot {sides.before_id} lacks may have been there already: "
            f"{verdict.before_reason}."
        )


@dataclass(frozen=True)
class _Listings:
    """Why the images of a registry may not all be listed, and why its repositories may not."""

    images: str
    repositories: str

    @property
    def reason(self) -> str:
        return self.images or self.repositories


def _listings(registry_id: str, sight: Sight) -> _Listings:
    return _Listings(
        sight.not_listed(registry_id, "images"), sight.not_listed(registry_id, "repositories")
    )


def _stray(registry_id: str, sides: Sides) -> Verdict:
    """Decide about a registry that neither snapshot has listed, and that images name."""
    before, after = (
        ""
        if sides.same_scope and sight.whole
        else "it was not listed itself, and not every listing is complete and of the same scope"
        for sight in (sides.before, sides.after)
    )
    return Verdict(
        registry_id,
        ignores_patterns=sides.same_scope,
        may_lose_images=not after,
        may_lose_repositories=not after,
        may_gain_images=not before,
        may_gain_repositories=not before,
        before_reason=before,
        after_reason=after,
    )
