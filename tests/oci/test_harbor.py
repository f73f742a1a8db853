"""Harbor's own list API: all artifacts are seen, tagged or not, and their tags in bulk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from aiohttp import web

from exporter import export
from tests.oci.scripted import INDEX, MANIFEST, ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for
from tests.oracle.snapshots import Snapshot, read_only_snapshot

EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
SIGNATURE = {
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2},
    "layers": [],
}
PUSHED = "2024-02-03T04:05:06.789Z"


class Harbor(ScriptedRegistry):
    """A Harbor with pages of at most `most` items; `untagged` are more digests by repository.

    `accessories` are digests by that of their subject: Harbor lists them nowhere else. Without
    `links`, a proxy drops the Link to the next page.
    """

    def __init__(self, *, most: int = 2, links: bool = True) -> None:
        super().__init__()
        self.most = most
        self.links = links
        self.untagged: dict[str, list[str]] = {}
        self.accessories: dict[str, list[str]] = {}
        self.other = self._api
        self.authorized = self._challenged
        self.catalog = lambda _: error(401, "UNAUTHORIZED")

    def _challenged(self, request: web.Request) -> web.Response | None:
        if "Authorization" in request.headers:
            return None
        challenge = f'Bearer realm="http://{self.host}/service/token",service="harbor-registry"'
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})

    def _api(self, request: web.Request) -> web.Response:
        if request.path == "/service/token":
            return web.json_response({"token": "t-" + request.query["scope"]})
        place = request.path.removeprefix("/api/v2.0/projects").strip("/").split("/")
        projects = sorted({name.partition("/")[0] for name in self.tags})
        items: list[dict[str, Any]] = []
        match place:
            case [""]:
                items = [{"name": name, "project_id": 1} for name in projects]
            case [project, "repositories"]:
                items = [{"name": n} for n in sorted(self.tags) if n.startswith(f"{project}/")]
            case [project, "repositories", name, "artifacts"]:
                with_accessory = request.query.get("with_accessory") == "true"
                items = self._artifacts(f"{project}/{unquote(name)}", with_accessory)
        if int(request.query["page_size"]) > 100:
            return error(422, "UNPROCESSABLE")
        page = int(request.query["page"])
        shown = items[self.most * (page - 1) : self.most * page]
        more = self.links and len(items) > self.most * page
        query = urlencode({**request.query, "page": page + 1})
        link = {"Link": f'<{request.path}?{query}>; rel="next"'} if more else {}
        return web.json_response(shown, headers=link)

    def _artifacts(self, repository: str, with_accessory: bool) -> list[dict[str, Any]]:
        tags: dict[str, list[dict[str, str]] | None] = {}
        for tag, digest in self.tags[repository].items():
            tags.setdefault(digest, [])
            tags[digest] = [*(tags[digest] or []), {"name": tag}]
        for digest in self.untagged.get(repository, []):
            tags[digest] = None
        return [
            {"digest": digest, "tags": told, "push_time": PUSHED, "manifest_media_type": ""}
            | {"accessories": self._accessories(digest) if with_accessory else None}
            for digest, told in tags.items()
        ]

    def _accessories(self, subject: str) -> list[dict[str, Any]]:
        return [
            {"digest": digest, "subject_artifact_digest": subject, "creation_time": PUSHED}
            for digest in self.accessories.get(subject, [])
        ]


def row_of(snapshot: Snapshot, table: str, **where: str) -> dict[str, Any]:
    rows = snapshot.tables[table]
    (row,) = [row for row in rows if all(row[name] == value for name, value in where.items())]
    return row


async def test_untagged_artifacts_are_listed_and_children_are_not_among_them(
    tmp_path: Path,
) -> None:
    harbor = Harbor()
    harbor.fill("library/app", "v1", "v2", "v3")
    harbor.fill("library/deep/er", "v1")
    harbor.fill("team/app", "v1")
    child, body = harbor.blobs.image("child")
    entry = {"mediaType": MANIFEST, "digest": child, "size": len(body)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    harbor.tags["team/app"]["multi"] = harbor.blobs.add(index)
    harbor.tags["library/app"]["same"] = harbor.tags["library/app"]["v1"]
    lone, _ = harbor.blobs.image("untagged")
    harbor.untagged["team/app"] = [lone]
    multi = harbor.tags["team/app"]["multi"]
    subject = {"mediaType": INDEX, "digest": multi, "size": len(index)}
    signature = harbor.blobs.add(json.dumps({**SIGNATURE, "subject": subject}).encode())
    harbor.accessories[multi] = [signature]
    user = {"username": "robot$inventory", "password": "planted-password-of-robot"}
    async with harbor.served():
        manifest = await export(settings_for(harbor.host, tmp_path, user))
        calls = harbor.asked.total()
        harbor.asked.clear()
        again = await export(settings_for(harbor.host, tmp_path, user), snapshot_id="again")
    assert (manifest.status, again.status) == ("complete", "complete")
    # Without anything new, tags cost a call a page, and children one each.
    assert sum(1 for path in harbor.asked if "/manifests/" in path) == 1
    assert harbor.asked.total() < calls
    (tmp_path / "out/manifests/again.json").unlink()
    (tmp_path / "out/manifests/again.json.sha256").unlink()
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    name = f"{harbor.host}/team/app"
    assert row_of(snapshot, "registries")["flavor"] == "harbor"
    assert row_of(snapshot, "registries")["untagged_visible"] is True
    same = row_of(
        snapshot,
        "images",
        image_id=f"{harbor.host}/library/app@" + harbor.tags["library/app"]["v1"],
    )
    assert same["tags"] == ["same", "v1"]
    reached = {row["digest"]: row["reachable"] for row in snapshot.tables["images"]}
    assert reached[child] is True
    assert reached[signature] is True
    assert reached[lone] is False
    assert sum(not reachable for reachable in reached.values()) == 1
    assert row_of(snapshot, "images", digest=lone)["created_source"] == "registry"
    totals = row_of(snapshot, "size_totals", scope_id=name)
    assert (totals["untagged_image_count"], totals["untagged_known"]) == (1, True)
    untagged = row_of(snapshot, "coverage", listing="untagged", parent_id=name)
    assert (untagged["status"], untagged["rows"]) == ("complete", 2)
    assert snapshot.statuses()["tags", f"{harbor.host}/library/deep/er"] == "complete"


async def test_pages_are_followed_by_their_number_where_a_proxy_drops_the_links(
    tmp_path: Path,
) -> None:
    harbor = Harbor(most=100, links=False)
    harbor.fill("library/app", *(f"v{number}" for number in range(101)))
    small = {"v0": harbor.tags["library/app"]["v0"]}
    harbor.tags |= {f"library/small{number}": small for number in range(100)}
    user = {"username": "robot$inventory", "password": "planted-password-of-robot"}
    async with harbor.served():
        await export(settings_for(harbor.host, tmp_path, user))
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    assert len(snapshot.tables["repositories"]) == 101
    assert len(snapshot.tables["images"]) == 201
    lists = [path for path in harbor.asked if path.startswith("GET /api/")]
    assert sum(harbor.asked[path] for path in lists) == 1 + 2 + 2 + 100
