"""Harbor's own API: projects, their repositories, and artifacts, those without a tag among them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

from .replies import RegistryError, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from .estate import Estate, Repository
    from .manifests import Manifest

ROOT = "/api/v2.0"
_MOST = 100
_USUAL = 10


def answer(estate: Estate, raw_path: str, query: Mapping[str, str]) -> web.Response:
    """The answer to a call below `ROOT`; `raw_path` is as it was sent.

    Raises:
        RegistryError: There is no such thing, or the page is too large.

    """
    parts = [unquote(part) for part in raw_path.removeprefix(ROOT).strip("/").split("/")]
    match parts:
        case ["projects"]:
            names = sorted({name.partition("/")[0] for name in estate.names})
            items = [{"name": name, "project_id": at} for at, name in enumerate(names, 1)]
        case ["projects", project, "repositories"]:
            own = [name for name in estate.names if name.partition("/")[0] == project]
            items = [{"name": name, "id": at} for at, name in enumerate(own, 1)]
        case ["projects", project, "repositories", name, "artifacts"]:
            # A slash in the name is escaped twice.
            repository = estate.repository(f"{project}/{unquote(name)}")
            if repository is None:
                raise RegistryError(404, f"repository {project}/{name} not found", code="NOT_FOUND")
            attached = _attached(repository) if query.get("with_accessory") == "true" else {}
            items = [_artifact(one, attached) for one in top_level(repository)]
        case _:
            raise RegistryError(404, "there is no such call", code="NOT_FOUND")
    return _page(raw_path, items, query)


def top_level(repository: Repository) -> list[Manifest]:
    """The manifests that Harbor lists: not those that an index refers to, nor what is attached."""
    manifests = list(repository.manifests())
    inner = {
        reference.child.digest
        for one in manifests
        for reference in one.references
        if reference.present
    }
    inner |= {one.digest for several in _attached(repository).values() for one in several}
    return [one for one in manifests if one.tags or one.digest not in inner]


def _attached(repository: Repository) -> dict[str, list[Manifest]]:
    """What refers to a manifest as its subject, by that manifest's digest."""
    manifests = list(repository.manifests())
    digests = {one.digest for one in manifests}
    attached: dict[str, list[Manifest]] = {}
    for one in manifests:
        subject = one.facts["subject_digest"]
        if subject in digests:
            attached.setdefault(subject, []).append(one)
    return attached


def _artifact(manifest: Manifest, attached: Mapping[str, list[Manifest]]) -> dict[str, object]:
    accessories = [
        {"digest": one.digest, "size": len(one.body), "type": "subject.accessory"}
        for one in attached.get(manifest.digest, ())
    ]
    return {
        "accessories": accessories or None,
        "digest": manifest.digest,
        "manifest_media_type": manifest.media_type,
        "size": len(manifest.body),
        "push_time": None,
        "tags": [{"name": tag, "immutable": False} for tag in manifest.tags] or None,
    }


def _page(path: str, items: Sequence[object], query: Mapping[str, str]) -> web.Response:
    number, size = int(query.get("page", 1)), int(query.get("page_size", _USUAL))
    if not 1 <= size <= _MOST or number < 1:
        raise RegistryError(422, "page_size in query should be from 1 to 100", code="UNKNOWN")
    some = items[(number - 1) * size : number * size]
    headers = {"X-Total-Count": str(len(items))}
    if number * size < len(items):
        more = urlencode({**query, "page": number + 1, "page_size": size})
        headers["Link"] = f'<{path}?{more}>; rel="next"'
    return as_json(list(some), headers)
