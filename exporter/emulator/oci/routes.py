"""Which call a path is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .harbor import ROOT

if TYPE_CHECKING:
    from exporter.emulator.calls import LoggedCall

_PARTS = ("manifests", "blobs", "referrers")
_ALONE = {
    "/v2/": "version",
    "/v2/_catalog": "catalog",
    "/token": "tokens",
    "/service/token": "tokens",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A call.

    Attributes:
        kind: `version`, `catalog`, `tags`, `manifests`, `blobs`, `tokens`, `harbor` or `other`.
        repository: The name of the repository that it is about.
        reference: The tag or digest that it asks for.

    """

    kind: str
    repository: str = ""
    reference: str = ""

    @property
    def field(self) -> str:
        """The field of JSON that its answer has its names in."""
        return "repositories" if self.kind == "catalog" else "tags"


def route_of(path: str) -> Route:
    """The call that a path, without the registry's prefix, is of."""
    if path in _ALONE:
        return Route(_ALONE[path])
    if not path.startswith("/v2/"):
        return Route("harbor" if path.startswith(ROOT) else "other")
    rest = path[4:]
    if rest.endswith("/tags/list"):
        return Route("tags", rest.removesuffix("/tags/list"))
    before, _, reference = rest.rpartition("/")
    repository, _, part = before.rpartition("/")
    return Route(part, repository, reference) if part in _PARTS else Route("other")


def pattern_of(call: LoggedCall) -> str:
    """The path of a call without names, as `GET /v2/*/manifests/*`."""
    place = call.path.find("/v2/")
    route = route_of(call.path[max(place, 0) :])
    tail = "/tags/list" if route.kind == "tags" else f"/{route.kind}/*"
    path = f"/v2/*{tail}" if route.repository else call.path
    if route.kind == "harbor":
        path = f"{ROOT}/…/{call.path.rpartition('/')[2]}"
    return f"{call.method} {path}"
