"""Runs longer than a token's life lose nothing, whichever way the tokens come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from exporter.emulator import Behaviour, Faults, ServiceKey, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of

SHAPE = Shape(clouds=1, folders=2, registries=4, repositories=12, images=300, layers=2)
LIMITS = {"page_size": 5, "concurrency": 4}


def serve_keys(serve_cloud: ServeCloud, public_key: str, *, life: float, faults: Faults) -> Cloud:
    """Serve an estate to the holder of a key, with tokens that live for so many seconds."""
    behaviour = Behaviour(
        latency=0.02,
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
    cloud = serve_keys(serve_cloud, keys[1], life=0.2, faults=Faults())
    exporter = exporter_for(cloud)
    run = exporter.run(sections=with_key(exporter, keys[0]))
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    calls = list(cloud.calls)
    renewals = [call for call in calls if call.path.endswith("/tokens")]
    seconds = calls[-1].started - calls[0].started
    # Each a tenth of its life before its end, and one for all of the calls that wait.
    assert 3 <= len(renewals) <= seconds / 0.18 + 2
    assert [call for call in calls if call.status == 401] == []


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
