"""A made-up cloud on two nights, and what a crawl of it would list, worked out in plain Python.

A cloud holds registries, a registry repositories, a repository images with tags. What a crawl
lists of it follows from the scope of its settings and from the listings that go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from hypothesis import strategies as st

from tests.derive.estates import Blob, Image, World, digest

FOLDERS = {"f1": "c1", "f2": "c1", "f3": "c2"}
REGISTRIES = {f"r{number}": f"f{1 + number % 3}" for number in range(9)}
PATHS = ("app", "ci/build", "ci/test", "web")
SCOPES: tuple[Mapping[str, Any], ...] = (
    {},
    {"folders": ["f1", "f2"]},
    {"clouds": ["c1"]},
    {"registries": ["r0", "r1", "r4"]},
    {"exclude": {"registries": ["r2"], "folders": ["f3"]}},
    {"repositories": {"include": ["*"], "exclude": ["ci/*"]}},
    {"repositories": {"include": ["ci/*", "app"]}},
)
WRONG = ("denied", "failed", "partial", "vanished")

Content = Mapping[str, tuple[str, int, tuple[str, ...]]]
"""The images of a registry by id: path of the repository, size, tags."""


@dataclass(frozen=True)
class Night:
    """A night's cloud, and its crawl: registries that exist with their images, scope, failures."""

    truth: Mapping[str, Content]
    scope: Mapping[str, Any]
    wrong: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def wants(self, path: str) -> bool:
        patterns = self.scope.get("repositories", {})
        return any(fnmatchcase(path, one) for one in patterns.get("include", ["*"])) and not any(
            fnmatchcase(path, one) for one in patterns.get("exclude", [])
        )

    def world(self) -> World:
        """Return what the crawl lists."""
        crawl = _Crawl(self)
        crawl.run()
        return World(
            images=tuple(crawl.images),
            clouds=tuple(crawl.clouds),
            folders=tuple((one, FOLDERS[one]) for one in crawl.folders),
            registries=tuple(
                (one, REGISTRIES[one], FOLDERS[REGISTRIES[one]]) for one in crawl.registries
            ),
            repositories=tuple(crawl.repositories),
            coverage=tuple((*key, status) for key, status in crawl.coverage.items()),
        )


class _Crawl:
    def __init__(self, night: Night) -> None:
        self.night = night
        self.coverage: dict[tuple[str, str], str] = {}
        self.clouds: list[str] = []
        self.folders: list[str] = []
        self.registries: list[str] = []
        self.repositories: list[str] = []
        self.images: list[Image] = []

    def run(self) -> None:
        for cloud in self._listed("clouds", "*", sorted(set(FOLDERS.values()))):
            if self._in_scope("clouds", cloud):
                self.clouds.append(cloud)
                self._cloud(cloud)
            else:
                self.coverage["folders", cloud] = "skipped"
        for registry in self.night.scope.get("registries", ()):
            if registry not in self.registries and ("images", registry) not in self.coverage:
                self.coverage["repositories", registry] = "failed"
                self.coverage["images", registry] = "failed"

    def _cloud(self, cloud: str) -> None:
        inside = [one for one, parent in FOLDERS.items() if parent == cloud]
        for folder in self._listed("folders", cloud, inside):
            if not self._in_scope("folders", folder):
                self.coverage["registries", folder] = "skipped"
                continue
            self.folders.append(folder)
            there = [one for one in self.night.truth if REGISTRIES[one] == folder]
            for registry in self._listed("registries", folder, there):
                if self._in_scope("registries", registry):
                    self.registries.append(registry)
                    self._registry(registry)
                else:
                    self.coverage["repositories", registry] = "skipped"
                    self.coverage["images", registry] = "skipped"

    def _registry(self, registry: str) -> None:
        content = self.night.truth[registry]
        paths = sorted({path for path, _, _ in content.values()})
        for path in self._listed("repositories", registry, paths):
            if self.night.wants(path):
                self.repositories.append(f"{registry}/{path}")
        seen = self._listed("images", registry, sorted(content))
        for image_id in seen:
            path, size, tags = content[image_id]
            if self.night.wants(path):
                layers = (Blob(digest(size), size),)
                self.images.append(Image(image_id, f"{registry}/{path}", layers, tags=tags))
        whole = self.coverage["images", registry] == "complete"
        if whole and not all(self.night.wants(path) for path in paths):
            self.coverage["images", registry] = "skipped"

    def _listed(self, listing: str, parent: str, there: list[str]) -> list[str]:
        status = self.night.wrong.get((listing, parent), "complete")
        self.coverage[listing, parent] = status
        if status == "complete":
            return there
        return there[: len(there) // 2] if status == "partial" else []

    def _in_scope(self, level: str, id_: str) -> bool:
        named = self.night.scope.get(level, ())
        return id_ not in self.night.scope.get("exclude", {}).get(level, ()) and (
            not named or id_ in named or not self._is_lowest(level)
        )

    def _is_lowest(self, level: str) -> bool:
        """Whether the scope names nothing below a level: else what is above only leads there."""
        below = {"clouds": ("folders", "registries"), "folders": ("registries",)}.get(level, ())
        return not any(self.night.scope.get(one) for one in below)


_ABOVE = [
    ("clouds", "*"),
    *(("folders", cloud) for cloud in ("c1", "c2")),
    *(("registries", folder) for folder in FOLDERS),
]
_INSIDE = [(listing, one) for listing in ("repositories", "images") for one in REGISTRIES]


@st.composite
def nights(draw: st.DrawFn) -> tuple[Night, Night]:
    """Return two nights of one cloud: much stays, much changes, some cannot be listed."""
    before: dict[str, dict[str, tuple[str, int, tuple[str, ...]]]] = {}
    after: dict[str, dict[str, tuple[str, int, tuple[str, ...]]]] = {}
    for registry in REGISTRIES:
        fate = draw(st.sampled_from(("stays", "stays", "stays", "comes", "goes")))
        old, new = _contents(draw, registry)
        if fate != "comes":
            before[registry] = old
        if fate != "goes":
            after[registry] = new
    scope, other = draw(st.sampled_from(SCOPES)), draw(st.sampled_from(SCOPES))
    if draw(st.booleans()):
        other = scope
    return Night(before, scope, _wrong(draw)), Night(after, other, _wrong(draw))


def _contents(draw: st.DrawFn, registry: str) -> tuple[Any, Any]:
    old: dict[str, tuple[str, int, tuple[str, ...]]] = {}
    new: dict[str, tuple[str, int, tuple[str, ...]]] = {}
    for number in range(draw(st.integers(2, 5))):
        fate = draw(st.sampled_from(("stays", "stays", "comes", "goes", "changes", "retagged")))
        path = draw(st.sampled_from(PATHS))
        size, image_id = 10 + number, f"{registry}-{number}"
        tags = tuple(sorted(draw(st.sets(st.sampled_from(("v1", "v2", "latest"))))))
        if fate != "comes":
            old[image_id] = (path, size, tags)
        if fate == "changes":
            size += 100
        if fate == "retagged":
            tags = tuple(sorted(draw(st.sets(st.sampled_from(("v1", "v2", "latest"))))))
        if fate != "goes":
            new[image_id] = (path, size, tags)
    return old, new


def _wrong(draw: st.DrawFn) -> dict[tuple[str, str], str]:
    above = draw(st.one_of(st.just([]), st.lists(st.sampled_from(_ABOVE), max_size=2)))
    inside = draw(st.lists(st.sampled_from(_INSIDE), max_size=6))
    return {listing: draw(st.sampled_from(WRONG)) for listing in (*above, *inside)}
