"""What registries have been seen to do, each in a repository of its own, in one export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from exporter import Settings, export
from exporter.settings import Oci, OciRegistry, Output
from exporter.settings.model import Limits
from tests.oci.scripted import INDEX, MANIFEST, ScriptedRegistry, digest_of, error
from tests.oracle.snapshots import Snapshot, read_only_snapshot

GONE_CHILD = "sha256:" + "9" * 64
SIGNED = b'{"schemaVersion": 2, "layers": [], "annotations": {"signatures": "none"}}'
LAYERS = ["sha256:" + digit * 64 for digit in "123"]


def settings_for(
    host: str, folder: Path, registry: dict[str, Any] | None = None, **oci: Any
) -> Settings:
    one = OciRegistry(registry=host, **(registry or {}))
    return Settings(
        source="oci",
        oci=Oci(registries=[one], cache=str(folder / "cache"), **oci),
        output=Output(url=str(folder / "out"), formats=["parquet"]),
        limits=Limits(attempts=3),
    )


def pages(request: web.Request, _part: str, reference: str) -> web.Response | None:
    """A list in pages, with links to another host, and one that comes again for ever."""
    if _part != "tags/list":
        return None
    place = int(request.query.get("cursor", 0))
    tags = [["t0", "t1"], ["t1", "t2"], []][min(place, 2)]
    link = f'<https://elsewhere.example/wrong/path?cursor={min(place + 1, 2)}>; rel="next"'
    return web.json_response({"tags": tags}, headers={"Link": link})


def small_pages(request: web.Request, part: str, reference: str) -> web.Response | None:
    """A registry that refuses a page size of 1000."""
    if part == "tags/list" and request.query.get("n") == "1000":
        return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
    return None


class Cursor:
    """A list whose cursor is gone, once."""

    def __init__(self) -> None:
        self.has_failed = False

    def __call__(self, request: web.Request, part: str, _: str) -> web.Response | None:
        if part != "tags/list":
            return None
        if "last" in request.query and not self.has_failed:
            self.has_failed = True
            return error(404, "NAME_UNKNOWN")
        last = request.query.get("last")
        tags = {None: ["c0"], "c0": ["c1"], "c1": ["c2"]}[last]
        following = {"Link": f'</x?last={tags[0]}>; rel="next"'} if tags != ["c2"] else {}
        return web.json_response({"tags": tags}, headers=following)


def junk(request: web.Request, part: str, _: str) -> web.Response | None:
    """Names that are no tags, also on a page of their own, and then the same for ever."""
    if part != "tags/list":
        return None
    place = int(request.query.get("cursor", 0))
    if place > 5:
        return error(403, "DENIED", "asked for ever")
    pages = [[None, "ok"], ["sha256:" + "0" * 64], ["last", "-dash"], [None]]
    link = {"Link": f'</x?cursor={place + 1}>; rel="next"'}
    return web.json_response({"tags": pages[min(place, 3)]}, headers=link)


def null_tags(_request: web.Request, part: str, _: str) -> web.Response | None:
    return web.json_response({"tags": None}) if part == "tags/list" else None


def never_tagged(_request: web.Request, part: str, _: str) -> web.Response | None:
    return error(404, "NAME_UNKNOWN", "repository name not known to registry")


def denied(_request: web.Request, part: str, _: str) -> web.Response | None:
    return error(403, "DENIED", "requested access to the resource is denied")


def unread(_request: web.Request, part: str, _: str) -> web.Response | None:
    return error(403, "DENIED") if part == "manifests" else None


def html_denied(_request: web.Request, part: str, _: str) -> web.Response | None:
    return web.Response(status=403, text="<html>no</html>", content_type="text/html")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exported(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ScriptedRegistry, Snapshot]:
    folder = tmp_path_factory.mktemp("misbehaving")
    registry = ScriptedRegistry()
    registry.fill("pages", "t0", "t1", "t2", way=pages)
    registry.fill("small", "s0", "s1", way=small_pages)
    registry.fill("cursor", "c0", "c1", "c2", way=Cursor())
    registry.fill("junk", "ok", "last", way=junk)
    registry.fill("null", way=null_tags)
    registry.fill("never", way=never_tagged)
    registry.fill("denied", "v1", way=denied)
    registry.fill("html", "v1", way=html_denied)
    registry.fill("unread", "v1", way=unread)

    def unstated(request: web.Request, part: str, reference: str) -> web.Response | None:
        """Answer without a digest, or with a wrong one."""
        digest = registry.tags["unstated"].get(reference)
        if part != "manifests" or digest is None:
            return None
        stated = {"Docker-Content-Digest": "sha256:" + "7" * 64} if reference == "wrong" else {}
        return web.Response(body=registry.blobs.content[digest], headers=stated)

    registry.fill("unstated", "none", "wrong", way=unstated)

    listed: list[str] = []

    def moving(request: web.Request, part: str, reference: str) -> web.Response | None:
        """Take a tag away once it was listed; another stays in the list and is not found."""
        if part == "tags/list":
            listed.append(request.path_qs)
            tags = ["stays", "goes"] if len(listed) == 1 else ["stays"]
            return web.json_response({"tags": tags})
        return error(404, "MANIFEST_UNKNOWN") if reference == "goes" else None

    registry.fill("moving", "stays", "goes", way=moving)

    def dangling(request: web.Request, part: str, reference: str) -> web.Response | None:
        return error(404, "MANIFEST_UNKNOWN") if reference == "lost" else None

    registry.fill("dangling", "there", "lost", way=dangling)
    registry.fill("index")
    child, body = registry.blobs.image("child")
    entries = [
        {"mediaType": MANIFEST, "digest": digest, "size": len(body)}
        for digest in (child, GONE_CHILD, child)
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    registry.tags["index"]["multi"] = registry.blobs.add(index)
    lone, body = registry.blobs.image("corrupt")
    entry = {"mediaType": MANIFEST, "digest": lone, "size": len(body)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()

    def corrupt(_request: web.Request, part: str, reference: str) -> web.Response | None:
        """Answer with other content for the child of an index."""
        return web.Response(body=body + b" ") if reference == lone else None

    registry.fill("corrupt", way=corrupt)
    registry.tags["corrupt"]["multi"] = registry.blobs.add(index)

    def signed(_request: web.Request, part: str, reference: str) -> web.Response | None:
        """State a wrong digest for an image with something like signatures."""
        stated = {"Docker-Content-Digest": "sha256:" + "6" * 64, "Content-Type": MANIFEST}
        return web.Response(body=SIGNED, headers=stated) if part == "manifests" else None

    registry.fill("signed", way=signed)
    registry.tags["signed"]["v1"] = registry.blobs.add(SIGNED)

    def sizeless(request: web.Request, part: str, reference: str) -> web.Response | None:
        """Tell the size of one layer, have lost another, and refuse to tell that of the third."""
        if part != "blobs":
            return None
        statuses = {LAYERS[0]: 200, LAYERS[1]: 404, LAYERS[2]: 403}
        return web.Response(status=statuses[reference], headers={"Content-Length": "30"})

    registry.fill("sizeless", way=sizeless)
    old = {"schemaVersion": 1, "fsLayers": [{"blobSum": layer} for layer in LAYERS]}
    registry.tags["sizeless"]["v1"] = registry.blobs.add(json.dumps(old).encode())
    async with registry.served():
        await export(settings_for(registry.host, folder))
    return registry, read_only_snapshot(folder / "out", ("parquet",))


def tags_of(snapshot: Snapshot, repository: str) -> list[str]:
    rows = snapshot.tables["tags"]
    return sorted(row["tag"] for row in rows if row["repository_name"].endswith(f"/{repository}"))


def statuses(exported: tuple[ScriptedRegistry, Snapshot], repository: str) -> dict[str, str]:
    registry, snapshot = exported
    name = f"{registry.host}/{repository}"
    return {
        listing: status
        for (listing, parent), status in snapshot.statuses().items()
        if parent == name
    }


WHOLE = {"tags": "complete", "manifests": "complete", "configs": "complete", "untagged": "skipped"}


@pytest.mark.parametrize(
    ("repository", "tags"),
    [
        ("pages", ["t0", "t1", "t2"]),
        ("small", ["s0", "s1"]),
        ("cursor", ["c0", "c1", "c2"]),
        ("junk", ["last", "ok"]),
        ("null", []),
        ("never", []),
        ("unstated", ["none", "wrong"]),
        ("index", ["multi"]),
    ],
)
def test_a_list_is_whole_however_it_comes(
    repository: str, tags: list[str], exported: tuple[ScriptedRegistry, Snapshot]
) -> None:
    assert tags_of(exported[1], repository) == tags
    assert statuses(exported, repository) == WHOLE


def test_a_page_size_that_is_refused_is_not_asked_for_again(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    registry, _ = exported
    asked = [path for path in registry.asked if path.startswith("GET /v2/small/tags")]
    assert set(asked) == {"GET /v2/small/tags/list?n=1000", "GET /v2/small/tags/list?n=100"}


def test_one_repository_may_be_denied(exported: tuple[ScriptedRegistry, Snapshot]) -> None:
    assert statuses(exported, "denied") == {"tags": "denied"}
    assert statuses(exported, "html") == {"tags": "denied"}


def test_a_repository_is_empty_only_if_all_of_it_was_read(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    registry, snapshot = exported
    findings = snapshot.tables["findings"]
    empty = {row["subject"] for row in findings if row["kind"] == "empty_repository"}
    assert empty == {f"{registry.host}/{name}" for name in ("never", "null")}


def test_a_digest_is_that_of_the_content(exported: tuple[ScriptedRegistry, Snapshot]) -> None:
    registry, snapshot = exported
    images = {row["digest"] for row in snapshot.tables["images"]}
    assert set(registry.tags["unstated"].values()) <= images
    findings = {(row["kind"], row["subject"]) for row in snapshot.tables["findings"]}
    wrong = registry.tags["unstated"]["wrong"]
    assert ("digest_mismatch", f"{registry.host}/unstated@{wrong}") in findings
    assert ("invalid_tag", f"{registry.host}/junk:-dash") in findings
    assert ("invalid_tag", f"{registry.host}/junk:null") in findings


def test_content_that_is_not_its_digests_is_a_finding_and_no_image(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    registry, snapshot = exported
    assert statuses(exported, "corrupt") == {**WHOLE, "manifests": "partial"}
    (reference,) = [
        row
        for row in snapshot.tables["image_references"]
        if row["repository_name"].endswith("/corrupt")
    ]
    child = reference["child_image_id"]
    findings = {(row["kind"], row["subject"]) for row in snapshot.tables["findings"]}
    assert ("digest_mismatch", child) in findings
    assert child not in {row["image_id"] for row in snapshot.tables["images"]}
    # Its annotations look like signatures, which would excuse a digest that is not the body's.
    signed = f"{registry.host}/signed@" + registry.tags["signed"]["v1"]
    assert ("digest_mismatch", signed) in findings


def test_a_tag_that_is_gone_has_vanished_and_one_that_is_listed_is_missing(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    assert tags_of(exported[1], "moving") == ["stays"]
    assert statuses(exported, "moving") == {**WHOLE, "manifests": "vanished"}
    assert tags_of(exported[1], "dangling") == ["there"]
    assert statuses(exported, "dangling") == {**WHOLE, "manifests": "partial"}


def test_what_an_index_refers_to_is_asked_for_once(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    registry, snapshot = exported
    references = [
        (row["child_digest"], row["present"])
        for row in sorted(snapshot.tables["image_references"], key=lambda row: row["position"])
        if row["repository_name"].endswith("/index")
    ]
    child = references[0][0]
    assert references == [(child, True), (GONE_CHILD, False), (child, True)]
    assert registry.asked[f"GET /v2/index/manifests/{child}"] == 1
    kinds = {(row["kind"], row["subject"]) for row in snapshot.tables["findings"]}
    assert any(kind == "missing_child" for kind, _ in kinds)


def test_a_size_that_is_refused_is_said_to_be_missing(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    _, snapshot = exported
    assert statuses(exported, "sizeless") == {**WHOLE, "manifests": "denied"}
    sizes = {
        row["position"]: row["size"]
        for row in snapshot.tables["layers"]
        if row["repository_name"].endswith("/sizeless")
    }
    assert sizes == {0: 30, 1: 0, 2: 0}


@pytest.mark.parametrize(
    ("repository", "calls", "retries"),
    [
        ("index", 4, 1),  # What is not found is asked for again.
        ("sizeless", 4, 0),
        ("unread", 1, 0),
    ],
)
def test_a_retry_is_a_call_that_repeats_another_one(
    repository: str, calls: int, retries: int, exported: tuple[ScriptedRegistry, Snapshot]
) -> None:
    registry, snapshot = exported
    (row,) = [
        row
        for row in snapshot.tables["coverage"]
        if (row["listing"], row["parent_id"]) == ("manifests", f"{registry.host}/{repository}")
    ]
    assert (row["calls"], row["retries"]) == (calls, retries)


def test_the_run_is_partial_and_nothing_went_elsewhere(
    exported: tuple[ScriptedRegistry, Snapshot],
) -> None:
    registry, snapshot = exported
    assert snapshot.manifest["status"] == "partial"
    assert not any("wrong/path" in path for path in registry.asked)
    assert digest_of(b"") not in {row["digest"] for row in snapshot.tables["images"]}
