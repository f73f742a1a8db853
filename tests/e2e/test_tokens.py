"""Runs longer than a token's life lose nothing, whichever way the tokens come."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from exporter.emulator import Behaviour, Faults, ServiceKey, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.worlds import check_against, world_of

SHAPE = Shape(clouds=1, folders=2, registries=4, repositories=12, images=300, layers=2)
LIMITS = {"page_size": 5, "concurrency": 4}


def serve_keys(
    serve_cloud: ServeCloud, public_key: str, *, life: float, latency: float = 0.02, faults: Faults
) -> Cloud:
    """Serve an estate to the holder of a key, with tokens that live for so many seconds."""
    behaviour = Behaviour(
        latency=latency,
        static_tokens=frozenset(),
        service_keys={"key1": ServiceKey("aje1", public_key)},
        audiences=frozenset({"https://iam.api.il.nebius.cloud/iam/v1/tokens"}),
        token_life=life,
    )
    return serve_cloud(SHAPE, behaviour, faults)


def with_key(exporter: Exporter, private_key: str) -> dict[str, Any]:
    """Plant a key file; return the settings that name it."""
    path = exporter.folder / "key.json"
    key = {"id": "key1", "service_account_id": "aje1", "private_key": private_key}
    path.write_text(json.dumps(key))
    path.chmod(0o600)
    return {
        "limits": LIMITS,
        "credentials": {"iam_token": None, "service_account_key_file": str(path)},
    }


def test_tokens_that_expire_over_and_over_are_renewed_in_time(
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    keys: tuple[str, str],
) -> None:
    # Long enough to be asked with, however busy the machine is; the run takes several such lives.
    cloud = serve_keys(serve_cloud, keys[1], life=1.0, latency=0.15, faults=Faults())
    exporter = exporter_for(cloud)
    run = exporter.run(sections=with_key(exporter, keys[0]))
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    calls = list(cloud.calls)
    renewals = [call for call in calls if call.path.endswith("/tokens")]
    seconds = calls[-1].started - calls[0].started
    # Each a tenth of its life before its end, and one for all of the calls that wait.
    assert 2 <= len(renewals) <= seconds / 0.9 + 2


@pytest.mark.parametrize("ahead", [-3.0, 20_000.0], ids=["a little behind", "hours ahead"])
def test_a_service_with_another_clock_gives_tokens(
    ahead: float,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    keys: tuple[str, str],
) -> None:
    cloud = serve_keys(serve_cloud, keys[1], life=3600.0, faults=Faults())
    cloud.behaviour = replace(cloud.behaviour, clock_ahead=ahead)
    exporter = exporter_for(cloud)
    run = exporter.run(sections=with_key(exporter, keys[0]))
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    assert len(cloud.calls.of("tokens")) == (1 if ahead < 0 else 2)


@pytest.mark.parametrize("after", [1, 10])
def test_tokens_that_are_revoked_midway_are_renewed_once_for_all_who_wait(
    after: int,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    keys: tuple[str, str],
) -> None:
    cloud = serve_keys(serve_cloud, keys[1], life=3600.0, faults=Faults(revoke_after=after * 10))
    exporter = exporter_for(cloud)
    run = exporter.run(sections=with_key(exporter, keys[0]))
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    refused = [call for call in cloud.calls if call.status == 401]
    renewals = [call for call in cloud.calls if call.path.endswith("/tokens")]
    assert refused or after == 10
    assert len(renewals) <= len(refused) + 1


def test_a_token_file_that_is_rotated_midway_is_read_again(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    first, second = "t1.first-of-the-sidecar", "t1.second-of-the-sidecar"
    cloud = serve_cloud(SHAPE, Behaviour(latency=0.01, static_tokens=frozenset({first})))
    exporter = exporter_for(cloud)
    path = exporter.folder / "token"
    path.write_text(first)

    def rotate() -> None:
        beside = path.with_suffix(".new")
        beside.write_text(second)
        beside.replace(path)
        cloud.behaviour = Behaviour(latency=0.01, static_tokens=frozenset({second}))

    cloud.calls.after(12, rotate)
    run = exporter.run(
        sections={
            "limits": LIMITS,
            "credentials": {"iam_token": None, "iam_token_file": str(path)},
        }
    )
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))


@contextmanager
def serve_iam(*lives: float) -> Iterator[str]:
    """Serve exchanges that give out tokens of these lives in seconds, one each; then 404."""
    left = list(lives)

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            code, answer = 404, {"code": 5, "message": "no such call"}
            if left:
                ends = datetime.now(UTC) + timedelta(seconds=left.pop(0))
                code, answer = 200, {"iamToken": Cloud.token, "expiresAt": f"{ends:%FT%T.%fZ}"}
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ended_without_a_token(run: Run, *words: str) -> None:
    """Check that a run ended for want of a token, and took nothing for missing."""
    assert run.code == 4, run.stderr
    assert [word for word in words if word not in run.said] == []
    assert len(run.said.splitlines()) == 1
    assert run.published == []
    assert [event for event in run.events if event["event"] == "listing_ended"] == []


@pytest.mark.parametrize("lives", [(), (2.0,)], ids=["at first", "midway"])
def test_a_run_whose_tokens_end_is_no_run_in_which_everything_has_vanished(
    lives: tuple[float, ...],
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE, Behaviour(latency=0.2))
    exporter = exporter_for(cloud)
    sections: dict[str, Any] = {
        "limits": LIMITS,
        "credentials": {"iam_token": None, "oauth_token": "y0_planted"},
    }
    with serve_iam(*lives) as iam:
        run = exporter.run(sections={**sections, "endpoints": {"iam": iam}})
    ended_without_a_token(run, "No token came from credentials.oauth_token", "404 NOT_FOUND")
    assert bool(len(cloud.calls)) == bool(lives)
    with serve_iam(3600) as iam:
        after = exporter.run(sections={**sections, "endpoints": {"iam": iam}})
    assert after.code == 0, after.stderr
    check_against(after.snapshot(), world_of(cloud.estate))


@pytest.mark.parametrize("listens", [True, False], ids=["404", "refused"])
def test_a_named_metadata_service_without_tokens_ends_the_run_as_missing_credentials_do(
    listens: bool, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, Behaviour(metadata=False))
    with serve_iam() as url:
        pass  # Nobody listens there any more.
    run = exporter_for(cloud).run(
        sections={
            "credentials": {
                "iam_token": None,
                "metadata": True,
                "metadata_url": cloud.url if listens else url,
            },
        }
    )
    ended_without_a_token(run, "the metadata service of this machine", "has a service account")
    assert not cloud.calls.of("clouds")


def test_a_token_file_that_is_rewritten_in_place_does_not_end_the_run(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, Behaviour(latency=0.01))
    exporter = exporter_for(cloud)
    path = exporter.folder / "token"
    path.write_text(cloud.token)
    cloud.calls.after(12, lambda: os.truncate(path, 0))
    run = exporter.run(
        sections={
            "limits": LIMITS,
            "credentials": {"iam_token": None, "iam_token_file": str(path)},
        }
    )
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    assert [event["source"] for event in run.events if event["event"] == "token_not_renewed"] == [
        f"the file {path} (credentials.iam_token_file)"
    ]
