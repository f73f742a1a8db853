"""Answers that are none, however often one asks: a sentence, an exit code, the rest whole."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from exporter.emulator import Fault, Faults
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import busiest_registry
from tests.oracle.snapshots import read_snapshot

ALWAYS = Faults(in_a_row=1_000_000, oversize_bytes=2 << 20, drip_seconds=0.2, drip_bytes=64)
LIMITS = {
    "limits": {
        "attempts": 2,
        "request_timeout": 0.5,
        "max_page_bytes": 1 << 20,
        "page_size": 100,
        "outage": "0s",
    }
}
# Of a host that is only slow, because the machine is busy, an answer is waited for.
PATIENT = {"limits": {**LIMITS["limits"], "request_timeout": 1, "outage": "60s"}}
BAD_PAGES = (
    Fault.NULL,
    Fault.HTML,
    Fault.TRUNCATED,
    Fault.DOUBLED,
    Fault.DEEP,
    Fault.RENAMED,
    Fault.GARBAGE,
    Fault.OVERSIZE,
    Fault.GZIP_BOMB,
    Fault.SLOW,
    Fault.HANG,
)
CUT_OFF = {Fault.TRUNCATED, Fault.OVERSIZE, Fault.GZIP_BOMB, Fault.SLOW}


@pytest.mark.parametrize("kind", BAD_PAGES)
def test_a_registry_whose_pages_cannot_be_read_is_failed_and_the_rest_is_whole(
    kind: Fault, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    broken = busiest_registry(cloud.estate)
    cloud.faults = replace(ALWAYS, rates={kind: 1.0}, scopes=frozenset({broken}))
    exporter = exporter_for(cloud)
    snapshot = exporter.export(PATIENT)
    assert snapshot.manifest["status"] == "partial"
    statuses = snapshot.statuses()
    assert statuses["images", broken] == "failed"
    others = {status for (_, parent), status in statuses.items() if parent != broken}
    assert others == {"complete"}
    row = next(
        r
        for r in snapshot.tables["coverage"]
        if (r["listing"], r["parent_id"]) == ("images", broken)
    )
    assert row["message"]
    assert (row["pages"], row["rows"]) == (0, 0)
    # Of 100 images, of 50, 25, 12, 6, 3 and 1: a page that is cut off may be too large.
    assert row["calls"] == (2 * 7 if kind in CUT_OFF else 2)
    here = len(cloud.estate.image_numbers(broken))
    assert len(snapshot.tables["images"]) == cloud.estate.shape.images - here
    assert exporter.read().latest is None


@pytest.mark.parametrize(
    ("kind", "partial", "kept"),
    [
        (Fault.UTF8_VALUE, "images", lambda here: here - 1),  # The first one's id.
        (Fault.NUMBERS, "images", lambda _: 0),  # Every id.
        (Fault.UTF8_KEY, "repositories", lambda here: here),  # The first one's name.
    ],
)
def test_of_a_registry_whose_pages_stay_flawed_only_that_is_missing(
    kind: Fault,
    partial: str,
    kept: Callable[[int], int],
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud()
    broken = busiest_registry(cloud.estate)
    cloud.faults = replace(ALWAYS, rates={kind: 1.0}, scopes=frozenset({broken}))
    snapshot = exporter_for(cloud).export(PATIENT)
    statuses = snapshot.statuses()
    assert statuses.pop((partial, broken)) == "partial"
    assert set(statuses.values()) == {"complete"}
    row = next(r for r in snapshot.tables["coverage"] if r["status"] == "partial")
    assert "items without an id have no row" in row["message"]
    assert row["calls"] == 2
    here = len(cloud.estate.image_numbers(broken))
    assert len(snapshot.tables["images"]) == cloud.estate.shape.images - here + kept(here)


def test_a_page_that_cannot_be_read_is_told_in_a_sentence(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    broken = busiest_registry(cloud.estate)
    cloud.faults = replace(ALWAYS, rates={Fault.NULL: 1.0}, scopes=frozenset({broken}))
    run = exporter_for(cloud).run(sections=LIMITS)
    assert run.code == 3, run.stderr
    assert "partial" in run.said
    assert "Traceback" not in run.stderr
    assert broken in run.stderr


@pytest.mark.parametrize("kind", [Fault.NULL, Fault.HTML, Fault.RENAMED, Fault.HANG])
def test_an_endpoint_that_is_no_api_is_named_and_nothing_is_published(
    kind: Fault, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(faults=replace(ALWAYS, rates={kind: 1.0}))
    run = exporter_for(cloud).run(sections=LIMITS)
    assert run.code == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert cloud.url in run.said or "clouds" in run.said
    assert run.published == []
    assert not list(run.output.rglob("part-*"))


@contextmanager
def a_web_server(folder: Path) -> Iterator[str]:
    """Serve an empty folder: every call is answered 404, in HTML. Yields the address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_web_server_that_knows_none_of_the_calls_is_no_empty_estate(
    tmp_path: Path, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    with a_web_server(tmp_path) as url:
        services = ("container_registry", "resource_manager", "iam")
        endpoints = {"endpoints": dict.fromkeys(services, url)}
        run = exporter_for(None).run(sections={**endpoints, **LIMITS})
    assert run.code == 1, run.stderr
    assert f"{url}/resource-manager/v1/clouds" in run.said
    assert run.published == []


def test_registries_asked_of_a_server_that_knows_none_of_the_calls_have_not_vanished(
    tmp_path: Path, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    exporter.export(snapshot_id="yesterday")
    with a_web_server(tmp_path) as url:
        endpoints = {"resource_manager": cloud.url, "iam": cloud.url, "container_registry": url}
        # The service is at another address now, for the same estate.
        flags = ("--snapshot-id", "today", "--new-scope")
        run = exporter.run(*flags, sections={"endpoints": endpoints, **LIMITS})
    assert run.code == 3, run.stderr
    assert run.latest == "yesterday"
    statuses = read_snapshot(run.output, "today").statuses()
    folders = {each["id"] for each in cloud.estate.folders()}
    assert {key for key, status in statuses.items() if status != "complete"} == {
        ("registries", folder) for folder in folders
    }
    assert {statuses["registries", folder] for folder in folders} == {"failed"}


def test_an_endpoint_that_does_not_answer_is_named_and_nothing_is_published(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        services = ("container_registry", "resource_manager", "iam")
        endpoints = {"endpoints": dict.fromkeys(services, url)}
        run = exporter_for(None).run(sections={**endpoints, **LIMITS})
    assert run.code == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert url in run.said
    assert run.published == []


@pytest.mark.parametrize("flag", ["--folder", "--registry"])
@pytest.mark.parametrize("named", ["not there", "denied"])
def test_an_id_that_is_not_there_or_not_ours_is_named(
    flag: str, named: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    registry = busiest_registry(cloud.estate)
    folder = next(each["folderId"] for each in cloud.estate.registries() if each["id"] == registry)
    there = {"--folder": folder, "--registry": registry}[flag]
    wanted = there if named == "denied" else "b1gnowhere"
    if named == "denied":
        cloud.deny(wanted)
    run = exporter_for(cloud).run(flag, wanted)
    assert run.code in (1, 3), run.stderr
    assert wanted in run.stderr
    assert "Traceback" not in run.stderr
    assert run.latest is None
    if run.code == 3:
        snapshot = run.snapshot()
        assert snapshot.tables["images"] == []
        bad = {parent: s for (_, parent), s in snapshot.statuses().items() if parent == wanted}
        assert bad[wanted] in {"denied", "failed"}


def test_an_id_that_is_not_there_leaves_the_one_that_is(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    registry = busiest_registry(cloud.estate)
    run = exporter_for(cloud).run("--registry", registry, "--registry", "crpnowhere")
    assert run.code == 3, run.stderr
    assert "crpnowhere" in run.stderr
    snapshot = run.snapshot()
    assert snapshot.statuses()["images", "crpnowhere"] == "failed"
    assert snapshot.statuses()["images", registry] == "complete"
    assert len(snapshot.tables["images"]) == len(cloud.estate.image_numbers(registry))
