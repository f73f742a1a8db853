"""A plan of registries: what it says of calls is what an export then takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter import export, plan
from exporter.errors import ScopeError
from exporter.sources.oci.survey import MOST_MANIFESTS, MOST_REPOSITORIES, OciPlan
from tests.oci.scripted import INDEX, MANIFEST, ScriptedRegistry, error
from tests.oci.test_harbor import Harbor
from tests.oci.test_misbehaving import settings_for
from tests.oci.test_waits import Hub


def with_an_index(registry: ScriptedRegistry, repository: str, children: int = 2) -> None:
    """Add a tag for an index of new images."""
    entries = []
    for place in range(children):
        child, body = registry.blobs.image(f"{repository} {place}")
        entries.append({"mediaType": MANIFEST, "digest": child, "size": len(body)})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    registry.tags[repository]["multi"] = registry.blobs.add(index)


async def planned(host: str, folder: Path, registry: dict[str, Any] | None = None) -> OciPlan:
    found = await plan(settings_for(host, folder, registry))
    assert isinstance(found, OciPlan)
    return found


def filled(registry: ScriptedRegistry) -> ScriptedRegistry:
    registry.fill("library/app", "v1", "v2", "v3")
    registry.fill("team/deep/app", "v1")
    registry.fill("team/empty")
    with_an_index(registry, "library/app")
    registry.tags["library/app"]["latest"] = registry.tags["library/app"]["v3"]
    return registry


@pytest.mark.parametrize("kind", [ScriptedRegistry, Harbor])
async def test_a_small_registry_takes_the_calls_of_its_plan_cold_and_warm(
    kind: type[ScriptedRegistry], tmp_path: Path
) -> None:
    registry = filled(kind())
    user = {"username": "robot", "password": "planted-password-of-robot"}
    fixed = {**user, "immutable_tags": ["v*"]}
    async with registry.served():
        cold = (await planned(registry.host, tmp_path, user)).outlooks[0]
        assert not (tmp_path / "cache").exists()
        assert not (tmp_path / "out").exists()
        first = await export(settings_for(registry.host, tmp_path, user), snapshot_id="first")
        warm = (await planned(registry.host, tmp_path, user)).outlooks[0]
        registry.asked.clear()
        second = await export(settings_for(registry.host, tmp_path, user), snapshot_id="second")
        less = (await planned(registry.host, tmp_path, fixed)).outlooks[0]
        third = await export(settings_for(registry.host, tmp_path, fixed), snapshot_id="third")
    assert cold.cold == cold.warm
    assert (cold.repositories, cold.sampled, cold.is_exact) == (3, 3, True)
    assert cold.cold.calls.total == first.requests.calls
    assert warm.cold.calls == cold.cold.calls
    assert warm.warm.calls.total == second.requests.calls
    assert less.warm.calls.total == third.requests.calls
    assert (cold.untagged_visible, cold.named_by) == {
        ScriptedRegistry: (False, "catalog"),
        Harbor: (True, "projects"),
    }[kind]


async def test_a_large_registry_is_estimated_from_a_few_calls(tmp_path: Path) -> None:
    registry = ScriptedRegistry()
    for place in range(60):
        registry.fill(f"team/app{place:02}", *(f"v{tag}" for tag in range(30)))
        with_an_index(registry, f"team/app{place:02}")
    async with registry.served():
        found = await planned(registry.host, tmp_path)
        asked = registry.asked.total()
        manifest = await export(settings_for(registry.host, tmp_path))
        known = await planned(registry.host, tmp_path)
    (one,) = found.outlooks
    # What an image takes of a processor is measured of a cloud's, which come a thousand a call.
    assert known.images
    assert known.cost is None
    # The list, lists of tags, manifests, and a config.
    assert asked <= 1 + 1 + MOST_REPOSITORIES + MOST_MANIFESTS + 1
    assert (one.repositories, one.sampled, one.is_exact) == (60, MOST_REPOSITORIES, False)
    assert one.tags == 60 * 31
    assert 0.9 < one.cold.calls.total / manifest.requests.calls < 1.1
    assert found.fewest_calls == 61
    assert one.cold.seconds is not None


async def test_a_quota_is_compared_with_the_pulls_that_are_needed(tmp_path: Path) -> None:
    hub = Hub(5)
    async with hub.served():
        short = (await planned(hub.host, tmp_path)).outlooks[0]
        assert hub.pulls <= 1  # Until an answer told of the quota.
        hub.allowed = 50
        enough = (await planned(hub.host, tmp_path)).outlooks[0]
    assert short.quota is not None
    assert (short.quota.limit, short.quota.seconds) == (5, 21600)
    assert (short.warm.calls.pulls, short.is_enough) == (12, False)
    assert enough.is_enough is True


async def test_a_plan_says_what_cannot_be_listed(tmp_path: Path) -> None:
    registry = filled(ScriptedRegistry())
    registry.fill("team/closed", "v1", way=lambda *_: error(403, "DENIED"))
    names = {"repositories": ["library/app", "team/closed", "team/mistyped"]}
    async with registry.served():
        found = await planned(registry.host, tmp_path, names)
        with pytest.raises(ScopeError, match="team/mistyped"):
            await planned(registry.host, tmp_path, {"repositories": ["team/mistyped"]})
    entries = {one.parent_id: one.status for one in found.coverage.entries()}
    assert entries == {
        registry.host: "skipped",
        f"{registry.host}/library/app": "complete",
        f"{registry.host}/team/closed": "denied",
        f"{registry.host}/team/mistyped": "failed",
    }
    assert found.outlooks[0].named_by == "settings"
