"""What stands between the command and the API: gateways, proxies, names; told, or waited out."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

import pytest

from exporter.emulator import Faults
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import busiest_registry, check_against, world_of

SERVICES = ("container_registry", "resource_manager", "iam")


@pytest.mark.parametrize("kind", ["408", "html-403"])
def test_one_stray_answer_of_a_gateway_loses_no_registry(
    kind: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    hit = busiest_registry(cloud.estate)
    cloud.faults = Faults({kind: 1.0}, scopes=frozenset({hit}), in_a_row=1)
    run = exporter_for(cloud).run()
    assert run.code == 0, run.stderr
    assert cloud.calls.stats()["faults"][kind] > 0
    check_against(run.snapshot(), world_of(cloud.estate))


def test_a_gateway_that_goes_on_refusing_one_registry_is_not_the_api_denying_it(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    hit = busiest_registry(cloud.estate)
    cloud.faults = Faults({"html-403": 1.0}, scopes=frozenset({hit}), in_a_row=1_000_000)
    run = exporter_for(cloud).run(sections={"limits": {"attempts": 2}})
    assert run.code == 3, run.stderr
    (row,) = (
        row
        for row in run.snapshot().tables["coverage"]
        if (row["listing"], row["parent_id"]) == ("images", hit)
    )
    assert (row["status"], row["http_status"], row["error_code"]) == ("failed", 403, None)
    assert "403 (Forbidden), with no error of the API's own" in row["message"]


UNREACHABLE: dict[str, tuple[str, dict[str, str], str]] = {
    "no such name": (
        "https://registry.invalid",
        {},
        "the name of the host registry.invalid does not resolve",
    ),
    "a proxy of another kind": (
        "https://registry.example",
        {"HTTPS_PROXY": "socks5://someone:secret@127.0.0.1:1080"},
        "HTTPS_PROXY names a proxy of socks5://",
    ),
}


@pytest.mark.parametrize(("url", "environment", "words"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_an_api_that_cannot_be_reached_is_told_in_a_sentence(
    url: str,
    environment: dict[str, str],
    words: str,
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    exporter = exporter_for(None)
    exporter.environment.update(environment)
    sections: dict[str, Any] = {
        "endpoints": dict.fromkeys(SERVICES, url),
        "limits": {"attempts": 2, "outage": "1s"},
    }
    run = exporter.run(sections=sections)
    assert run.code == 1, run.stderr
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert "secret" not in run.stderr
    assert run.published == []


def test_a_token_file_that_an_editor_has_put_a_mark_into_works(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    path = exporter.folder / "token"
    path.write_bytes(codecs.BOM_UTF16_LE + f"{cloud.token}\r\n".encode("utf-16-le"))
    run = exporter.run(sections={"credentials": {"iam_token": None, "iam_token_file": str(path)}})
    assert run.code == 0, run.stderr
