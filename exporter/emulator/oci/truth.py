"""What a complete inventory of the registry must hold: rows of the tables that are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .behaviour import DENIED, Quirk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .behaviour import Behaviour
    from .estate import Estate, Repository
    from .manifests import Manifest, Row

TABLES = (
    "registries",
    "repositories",
    "images",
    "layers",
    "config_blobs",
    "image_references",
    "tags",
    "findings",
    "coverage",
)
JUNK = ("-dash", "sha256:" + "0" * 64, None)
"""What a list of tags has with the quirk `junk-tags`, besides tags."""


class Truth:
    """The rows for a registry that is known by `host`. Columns that are null are left out."""

    def __init__(self, estate: Estate, behaviour: Behaviour, host: str) -> None:
        self._estate = estate
        self._behaviour = behaviour
        self._host = host
        self._is_harbor = behaviour.flavor == "harbor"

    def rows(self, table: str) -> Iterator[Row] | None:
        """The rows of a table; None if it is not one of `TABLES`."""
        return getattr(self, f"_{table}")() if table in TABLES else None

    def _registries(self) -> Iterator[Row]:
        yield {
            "registry_id": self._host,
            "name": self._host,
            "source": "oci",
            "flavor": self._behaviour.flavor,
            "untagged_visible": self._is_harbor,
        }

    def _repositories(self) -> Iterator[Row]:
        for name in self._estate.names:
            full = f"{self._host}/{name}"
            ids = {"repository_id": full, "repository_name": full}
            yield {**ids, "registry_id": self._host}

    def _images(self) -> Iterator[Row]:
        for name, seen in self._seen():
            reachable = _reachable(seen)
            for one in seen.values():
                is_reachable = one.digest in reachable
                yield {**self._where(name, one), **one.row, "reachable": is_reachable}

    def _layers(self) -> Iterator[Row]:
        for name, one in self._each():
            for position, layer in enumerate(one.layers):
                found = {"media_type": layer.media_type or None, "distributable": not layer.urls}
                yield {**self._where(name, one), **layer.row, "position": position, **found}

    def _config_blobs(self) -> Iterator[Row]:
        for name, one in self._each():
            if one.config is not None:
                yield {**self._where(name, one), **one.config.row}

    def _image_references(self) -> Iterator[Row]:
        for name, one in self._each():
            for position, reference in enumerate(one.references):
                row = reference.row
                child = {"child_image_id": f"{self._host}/{name}@{row['child_digest']}"}
                yield {**self._where(name, one), **row, **child, "position": position}

    def _tags(self) -> Iterator[Row]:
        for name, one in self._each():
            created = one.facts["created_at"]
            for tag in one.tags:
                about = {"tag": tag, "digest": one.digest, "created_at": created}
                yield {**self._where(name, one), **about}

    def _findings(self) -> Iterator[Row]:
        for name, seen in self._seen():
            full = f"{self._host}/{name}"
            if not seen:
                yield {"kind": "empty_repository", "subject": full}
            if self._behaviour.has(Quirk.JUNK_TAGS, name) and not self._is_harbor:
                for junk in JUNK:
                    shown = "null" if junk is None else junk
                    yield {"kind": "invalid_tag", "subject": f"{full}:{shown}"}
            is_wrong = self._states_wrong(name)
            # A subject that nothing leads to may be there or not: a reader cannot know.
            subjects = {one.facts["subject_digest"] for one in seen.values()} - {None, *seen}
            for digest in subjects:
                yield {"kind": "dangling_subject", "subject": f"{full}@{digest}"}
            for one in seen.values():
                if is_wrong and one.tags:
                    yield {"kind": "digest_mismatch", "subject": f"{full}@{one.digest}"}
                for kind, digest in one.findings:
                    yield {"kind": kind, "subject": f"{full}@{digest or one.digest}"}

    def _states_wrong(self, name: str) -> bool:
        """Whether a reader sees wrong digests: Harbor's list tells the right ones."""
        behaviour = self._behaviour
        states = not behaviour.has(Quirk.NO_DIGEST, name)
        return states and behaviour.has(Quirk.WRONG_DIGEST, name) and not self._is_harbor

    def _coverage(self) -> Iterator[Row]:
        yield self._ended("repositories", self._host, "complete")
        for name in self._estate.names:
            full = f"{self._host}/{name}"
            if self._behaviour.one_of(DENIED, name) is not None:
                yield self._ended("tags", full, "denied")
                continue
            for listing in ("tags", "manifests", "configs"):
                yield self._ended(listing, full, "complete")
            yield self._ended("untagged", full, "complete" if self._is_harbor else "skipped")

    def _ended(self, listing: str, parent: str, status: str) -> Row:
        return {"listing": listing, "parent_id": parent, "status": status}

    def _each(self) -> Iterator[tuple[str, Manifest]]:
        return ((name, one) for name, seen in self._seen() for one in seen.values())

    def _seen(self) -> Iterator[tuple[str, dict[str, Manifest]]]:
        """The manifests of each repository that may be read, by digest, as far as they are seen."""
        for name in self._estate.names:
            repository = self._estate.repository(name)
            if repository is None or self._behaviour.one_of(DENIED, name) is not None:
                continue
            yield name, _seen_in(repository, is_harbor=self._is_harbor)

    def _where(self, name: str, one: Manifest) -> Row:
        full = f"{self._host}/{name}"
        ids = {"image_id": f"{full}@{one.digest}", "repository_name": full}
        return {**ids, "registry_id": self._host}


def _seen_in(repository: Repository, *, is_harbor: bool) -> dict[str, Manifest]:
    """What the registry's list leads to: from tags, or on Harbor, from everything it lists."""
    by_digest = {one.digest: one for one in repository.manifests()}
    tagged = [one for one in by_digest.values() if one.tags]
    # Harbor tells of everything, in its lists and in what they lead to.
    waiting = list(by_digest.values()) if is_harbor else tagged
    return {digest: by_digest[digest] for digest in _followed(waiting, by_digest)}


def _reachable(seen: dict[str, Manifest]) -> set[str]:
    """The digests that tags lead to, over references, and from a subject to what refers to it."""
    reached = _followed([one for one in seen.values() if one.tags], seen)
    while True:
        more = [
            one
            for one in seen.values()
            if one.digest not in reached and one.facts["subject_digest"] in reached
        ]
        if not more:
            return reached
        reached |= _followed(more, seen)


def _followed(begin: list[Manifest], manifests: dict[str, Manifest]) -> set[str]:
    waiting, found = list(begin), set[str]()
    while waiting:
        one = waiting.pop()
        if one.digest in found:
            continue
        found.add(one.digest)
        children = (each.child.digest for each in one.references if each.present)
        waiting += [manifests[child] for child in children if child in manifests]
    return found
