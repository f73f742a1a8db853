"""What a snapshot could see: where its scope reached, and which of its listings are complete.

What a snapshot lacks was not there only if it was looked for. `not_looked_for` says so of a
registry that the snapshot does not have, `not_listed` of what is in a registry that it has. Both
return a clause with the reason, or an empty text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.patterns import PathPatterns
from exporter.tables.listings import ALL, Listing

_SINGULAR: Mapping[str, str] = {"clouds": "cloud", "folders": "folder", "registries": "registry"}
_PARENTS: Mapping[str, str] = {
    "registries": "folder",
    "folders": "cloud",
    "tags": "repository",
    "manifests": "repository",
}
"""What a listing is of, where that is no registry."""
_WENT: Mapping[str, str] = {
    "denied": "was denied",
    "vanished": "ended because the {of} vanished",
    "partial": "is partial",
    "skipped": "was skipped",
}
"""How a listing went that is not complete; others failed."""


@dataclass(frozen=True)
class Place:
    """Where a registry is, as the snapshot that has it says; None is unknown."""

    registry_id: str
    folder_id: str | None = None
    cloud_id: str | None = None
    organization_id: str | None = None
    name: str | None = None
    untagged_visible: bool | None = None


@dataclass(frozen=True)
class Ended:
    """How a listing ended: its `status` and `message` in `coverage`."""

    status: str
    message: str | None = None


@dataclass(frozen=True)
class Sight:
    """One snapshot, as far as it matters for what it lacks.

    `scope` is the manifest's. `listings` are the rows of `coverage`, by listing and parent.
    `places` are the rows of `registries`. `named` are the registries that images or repositories
    name, listed or not. `source` is the manifest's.

    OCI registries are in no folder, and no list names them: the settings do (`source.registries`).
    Their images are listed by repository, as `tags` and `manifests`.
    """

    scope: Mapping[str, Any]
    listings: Mapping[tuple[str, str], Ended]
    places: Mapping[str, Place]
    named: Collection[str] = frozenset()
    source: Mapping[str, Any] = field(default_factory=dict)
    patterns: PathPatterns = field(init=False)

    def __post_init__(self) -> None:
        chosen = self._section("repositories")
        patterns = PathPatterns(chosen.get("include") or ["*"], chosen.get("exclude") or [])
        object.__setattr__(self, "patterns", patterns)

    @property
    def whole(self) -> bool:
        """Whether every listing of the snapshot is complete."""
        return all(ended.status == "complete" for ended in self.listings.values())

    @property
    def is_oci(self) -> bool:
        """Whether the snapshot is of OCI registries."""
        return self.source.get("kind") == "oci"

    def sees_untagged(self, registry_id: str) -> bool:
        """Return whether a registry shows images without a tag; some OCI registries do not."""
        place = self.places.get(registry_id)
        return place is None or place.untagged_visible is not False

    def has(self, registry_id: str) -> bool:
        """Return whether the snapshot has a registry, or anything that names it."""
        return registry_id in self.places or registry_id in self.named

    def not_looked_for(self, place: Place, same_organization: bool) -> str:
        """Return why a registry that the snapshot lacks may be there all the same.

        The first line that holds decides; `-` is an empty text: it was looked for, and is not
        there. `same_organization`: whether both scopes name the same organization, or none.

        | in this snapshot | reason |
        |---|---|
        | the scope leaves out or does not name the registry, its folder, or its cloud | scope |
        | the scope names an organization, and the cloud is not known to be in it | scope |
        | a listing of its own was made, and is not complete (denied, failed, vanished …) | it |
        | its folder is not known | no list can tell |
        | the registries of its folder were listed: complete | - |
        | … not complete (denied, failed, partial, vanished, skipped) | that listing |
        | its folder was not met, and its cloud is not known | no list can tell |
        | its folder was not met, and the folders of its cloud were listed: complete | - |
        | … not complete | that listing |
        | its cloud was not met, and the clouds were listed: complete | - |
        | … not complete, or not listed | that listing |
        | of OCI registries: the settings do not name it | they do not |

        A registry that the scope names by its id is asked for directly, whatever the scope says of
        folders and clouds; so is a folder, whatever it says of clouds (`sources/cloud/scope.py`).
        """
        if reason := self._out_of_scope(place, same_organization):
            return reason
        for listing in ("repositories", "images"):
            if reason := self._not_complete(listing, place.registry_id):
                return reason
        if self.is_oci:
            return "oci.registries does not name it"
        for listing, parent_id, parent in (
            ("registries", place.folder_id, "its folder"),
            ("folders", place.cloud_id, "the cloud of its folder"),
            ("clouds", ALL, ""),
        ):
            if parent_id is None:
                return f"{parent} is not known, so no list can tell whether it is there"
            if (listing, parent_id) in self.listings:
                return self._not_complete(listing, parent_id)
        return "the clouds were not listed"

    def not_listed(self, registry_id: str, listing: Listing) -> str:
        """Return why the repositories or images of a registry it has may not all be listed.

        | the registry's own listing of them | reason |
        |---|---|
        | is complete | - |
        | was skipped, as the scope leaves the registry out or does not name it | it |
        | was skipped otherwise: patterns left something out (`Sight.patterns`) | - |
        | ended otherwise (denied, failed, partial, vanished) | it |
        | was not made: what names the registry came with another's listing | nobody knows which |

        The images of an OCI registry are listed where its repositories are, and the tags and
        manifests of each. A tag that vanished before its manifest was read is known to be gone.
        """
        if self.is_oci and listing == "images":
            inside = f"{registry_id}/"
            names = {parent_id for _, parent_id in self.listings if parent_id.startswith(inside)}
            return self.not_listed(registry_id, "repositories") or self._tags_not_listed(names)
        ended = self.listings.get((listing, registry_id))
        if ended is None:
            return "it was not listed itself: what is known of it came with other registries"
        if ended.status == "skipped" and not self._leaves_out("registries", registry_id):
            return ""
        return self._not_complete(listing, registry_id)

    def repository_not_listed(self, repository: str) -> str:
        """Return why the tags of one repository may not all be listed.

        One that an OCI registry's list of repositories lacks has none, if that list is complete.
        """
        registry = repository.partition("/")[0]
        if not self.is_oci:
            return self.not_listed(registry, "images")
        if ("tags", repository) in self.listings:
            return self._tags_not_listed([repository])
        named = self.source.get("repositories") or ()
        if repository not in named and any(one.startswith(f"{registry}/") for one in named):
            return "oci.registries does not name it"
        return self.not_listed(registry, "repositories")

    def _tags_not_listed(self, repositories: Collection[str]) -> str:
        """Return why the tags of these OCI repositories may not all be listed."""
        for name in sorted(repositories):
            read = self.listings.get(("manifests", name))
            of_all = ("tags",) if read and read.status == "vanished" else ("tags", "manifests")
            for listing in of_all:
                if reason := self._not_complete(listing, name):
                    return reason
        return ""

    def _not_complete(self, listing: str, parent_id: str) -> str:
        ended = self.listings.get((listing, parent_id))
        if ended is None or ended.status == "complete":
            return ""
        level = _PARENTS.get(listing, "registry")
        of = "" if parent_id == ALL else f" of {level} {parent_id}"
        went = _WENT.get(ended.status, "failed").format(of=level)
        said = f" ({ended.message.rstrip('.')})" if ended.message else ""
        return f"the listing of {listing}{of} {went}{said}"

    def _out_of_scope(self, place: Place, same_organization: bool) -> str:
        if reason := self._leaves_out("registries", place.registry_id):
            return reason
        if self._ids("registries"):
            return ""
        for level, id_ in (("folders", place.folder_id), ("clouds", place.cloud_id)):
            if id_ is None:
                continue
            if reason := self._leaves_out(level, id_):
                return reason
            if self._ids(level):
                return ""
        wanted = self.scope.get("organization_id")
        if wanted is None or same_organization or place.organization_id == wanted:
            return ""
        return f"scope.organization_id is {wanted}, and its cloud is not known to be in that"

    def _leaves_out(self, level: str, id_: str) -> str:
        excluded = self._section("exclude").get(level) or ()
        noun = "it" if level == "registries" else f"its {_SINGULAR[level]} {id_}"
        if id_ in excluded:
            return f"scope.exclude.{level} leaves {noun} out"
        named = self._ids(level)
        return f"scope.{level} does not name {noun}" if named and id_ not in named else ""

    def _ids(self, level: str) -> Collection[str]:
        return self.scope.get(level) or ()

    def _section(self, name: str) -> Mapping[str, Any]:
        return self.scope.get(name) or {}
