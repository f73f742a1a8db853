"""Exports of random emulated registries, by the real command, become exactly what they have."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.emulator import Faults
from exporter.emulator.oci import (
    PASSWORD,
    USER,
    Behaviour,
    Oddity,
    Quirk,
    Shape,
    preset,
)
from exporter.emulator.oci.behaviour import DENIED, EMPTY, LISTS
from tests.e2e.waiting import until
from tests.oci.emulated import Emulated, assert_true
from tests.oci.estate import digest_of
from tests.oci.exports import ROOT, command, export
from tests.oracle.snapshots import read_snapshot

ALICE = {"username": USER, "password": PASSWORD}
OF_CONTENT = (
    Quirk.JUNK_TAGS,
    Quirk.NO_DIGEST,
    Quirk.WRONG_DIGEST,
    Quirk.HEAD_429,
    Quirk.HEAD_405,
)
QUIRKS: dict[str, float] = {
    **dict.fromkeys(LISTS, 0.09),
    **dict.fromkeys(EMPTY, 0.4),
    **dict.fromkeys(OF_CONTENT, 0.2),
    **dict.fromkeys(DENIED, 0.05),
    Quirk.WRONG_CONTENT: 0.05,
}
"""Every quirk that concerns some lists, repositories or content, all at once."""
OF_ALL = {
    1: (
        Quirk.ODD_CHALLENGES,
        Quirk.PLACEHOLDER_SCOPE,
        Quirk.REDIRECTS,
        Quirk.CATALOG_SLOW,
    ),
    2: (Quirk.ACCESS_TOKEN, Quirk.EXPIRED_400, Quirk.RETRY_AT, Quirk.ODD_CHALLENGES),
}
"""Quirks of the whole registry, by the seed: not all of them can be at once."""
FAULTS = {
    "429": 0.02,
    "503": 0.02,
    "500": 0.01,
    "html": 0.01,
    "reset": 0.01,
    "truncated": 0.02,
    "garbage": 0.02,
    "slow": 0.01,
    "203": 0.01,
    "x-gzip": 0.02,
}


FEW: dict[str, Any] = {"limits": {"concurrency": 6}}
"""Fewer calls at once than a token is good for, so that a new one is good for each that waits."""


def killed(emulated: Emulated, folder: Path, registry: dict[str, Any], calls: int) -> None:
    """Kill an export once the registry has answered so many calls."""
    line, environment, _ = command(folder, registry, settings=FEW)
    process = subprocess.Popen(line, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    begun = len(emulated.emulator.calls)
    until(
        lambda: len(emulated.emulator.calls) >= begun + calls or process.poll() is not None,
        "the registry is asked",
    )
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("seed", [1, 2])
def test_every_quirk_at_once(seed: int, tmp_path: Path) -> None:
    """Killed twice, resumed, and listed again some days later."""
    shape = preset("odd", seed=seed, repositories=20, tags=120)
    if Quirk.EXPIRED_400 in OF_ALL[seed]:
        # A HEAD has no body that tells an expired token from another 400, and these need a HEAD.
        shape = shape.with_oddities({Oddity.SCHEMA1: 0.0})
    behaviour = Behaviour(
        latency=0.002,
        workers=4,
        access="token",
        token_calls=9,
        prefix="/base/path",
        most=100,
        slow=0.5,
        quirks={**QUIRKS, **dict.fromkeys(OF_ALL[seed], 1.0)},
        seed=seed,
    )
    faults = Faults(FAULTS, seed=seed, drip_seconds=0.01)
    with Emulated(shape, behaviour, faults) as emulated:
        registry = {"registry": emulated.registry, **ALICE}
        killed(emulated, tmp_path, registry, 40)
        killed(emulated, tmp_path, registry, 80)
        for night, day in (("cold", 0), ("warm", 3)):
            emulated.emulator.show(shape.on(day))
            flags = ("--snapshot-id", night)
            run = export(tmp_path, registry, settings=FEW, flags=flags)
            snapshot = read_snapshot(run.output, night)
            assert_true(snapshot, emulated, is_warm=night == "warm")
            # What is denied is denied, and nothing else is missing.
            assert run.code == (3 if "denied" in snapshot.statuses().values() else 0), run.stderr


def test_harbor_tells_what_no_tag_leads_to(tmp_path: Path) -> None:
    """It is known as Harbor though its first answers fail, or are a gateway's."""
    shape = preset("odd", seed=5, repositories=12, tags=150)
    quirks: dict[str, float] = {Quirk.NO_DIGEST: 0.3, Quirk.RETRY_IN_BODY: 1.0}
    behaviour = Behaviour(access="token", flavor="harbor", quirks=quirks, seed=5)
    first_call = Faults({"502": 0.4, "204": 0.3, "html": 0.3}, scopes=frozenset({"version"}))
    with Emulated(shape, behaviour, replace(first_call, in_a_row=2)) as emulated:
        registry = {"registry": emulated.registry, **ALICE}
        for night, day in (("cold", 0), ("warm", 5)):
            emulated.emulator.show(shape.on(day))
            run = export(tmp_path, registry, settings=FEW, flags=("--snapshot-id", night))
            assert run.code == 0, run.stderr
            snapshot = read_snapshot(run.output, night)
            assert_true(snapshot, emulated, is_warm=night == "warm")
            unreachable = [row for row in snapshot.tables["images"] if not row["reachable"]]
            (total,) = [row for row in snapshot.tables["size_totals"] if row["scope"] == "total"]
            assert total["untagged_image_count"] == len(unreachable) > 0
            emulated.emulator.faults = Faults({"429": 0.01, "truncated": 0.03}, seed=5)


def test_an_independent_client_reads_the_emulated_registry(tmp_path: Path) -> None:
    """What the truth tells of manifests is what skopeo finds, over pages and tokens."""
    shape = preset("odd", seed=4, repositories=1, tags=30)
    quirks: dict[str, float] = {Quirk.SHORT_PAGES: 1.0}
    with Emulated(replace(shape, empty=0.0), Behaviour(access="token", quirks=quirks)) as emulated:
        (name,) = emulated.emulator.estate.names
        place = f"docker://{emulated.registry}/{name}"

        def skopeo(*arguments: str) -> bytes:
            command = ["skopeo", *arguments, "--creds", f"{USER}:{PASSWORD}", "--tls-verify=false"]
            return subprocess.run(command, check=True, capture_output=True, cwd=tmp_path).stdout

        tags = {row["tag"]: row["digest"] for row in emulated.emulator.truth("tags") or ()}
        assert sorted(tags) == sorted(json.loads(skopeo("list-tags", place))["Tags"])
        for tag in list(tags)[:5]:
            assert digest_of(skopeo("inspect", "--raw", f"{place}:{tag}")) == tags[tag], tag


def test_a_quota_is_not_waited_for_and_the_next_night_goes_on(tmp_path: Path) -> None:
    """A registry that does not list its repositories, and counts what is read."""
    shape = Shape(seed=3, repositories=2, tags=40, indexes=4, second_tags=0.0)
    behaviour = Behaviour(quota=25, quirks={Quirk.CATALOG_403: 1.0})
    with Emulated(shape, behaviour) as emulated:
        registry = {"registry": emulated.registry, "repositories": emulated.emulator.estate.names}
        first = export(tmp_path, registry)
        assert first.code == 3
        ended = first.snapshot().tables["coverage"]
        missing = [row for row in ended if row["status"] not in ("complete", "skipped")]
        assert {(row["listing"], row["http_status"]) for row in missing} == {("manifests", 429)}
        # Those that were under way already were refused as well; nothing more was tried.
        refused = [one for one in emulated.emulator.calls if one.status == 429]
        assert len(refused) <= 8
        emulated.emulator.calls.clear()
        emulated.emulator.behaviour = replace(behaviour, quota=None)
        second = export(tmp_path, registry, flags=("--snapshot-id", "next"))
        assert second.code == 0, second.stderr
        found = read_snapshot(second.output, "next").tables
        true = list(emulated.emulator.truth("images") or ())
        assert {row["image_id"] for row in found["images"]} == {row["image_id"] for row in true}
        more = [one for one in emulated.asked() if re.match("GET .*/manifests/", one)]
        assert len(more) == len(true) - 25
