"""Children of indexes that an earlier run has found: few are asked for, and none is lost unseen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from exporter import export
from exporter.sources.oci.proofs import FIRST, TURNS, Proofs
from tests.oci.scripted import INDEX, MANIFEST, ScriptedRegistry
from tests.oci.test_misbehaving import settings_for
from tests.oracle.snapshots import Snapshot, read_only_snapshot

REPOSITORIES, INDEXES = 10, 4


def filled() -> ScriptedRegistry:
    """Return a registry in which each tag is an index of two images."""
    registry = ScriptedRegistry()
    for repository in map(str, range(REPOSITORIES)):
        for place in range(INDEXES):
            add_index(registry, f"r{repository}", f"t{place}")
    return registry


def add_index(registry: ScriptedRegistry, repository: str, tag: str) -> None:
    children = []
    for machine in ("amd64", "arm64"):
        digest, body = registry.blobs.image(f"{repository}:{tag} {machine}")
        children.append({"mediaType": MANIFEST, "digest": digest, "size": len(body)})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
    registry.tags.setdefault(repository, {})[tag] = registry.blobs.add(index.encode())


async def night(registry: ScriptedRegistry, folder: Path) -> Snapshot:
    registry.asked.clear()
    await export(settings_for(registry.host, folder))
    snapshot = read_only_snapshot(folder / "out", ("parquet",))
    shutil.rmtree(folder / "out")
    return snapshot


def heads(registry: ScriptedRegistry) -> int:
    return sum(call.startswith("HEAD") and "sha256:" in call for call in registry.asked)


def present(snapshot: Snapshot) -> list[bool | None]:
    return [row["present"] for row in snapshot.tables["image_references"]]


async def test_known_children_are_asked_for_by_a_few_calls_until_one_is_gone(
    tmp_path: Path,
) -> None:
    registry = filled()
    children = 2 * REPOSITORIES * INDEXES
    async with registry.served():
        assert present(await night(registry, tmp_path)) == [True] * children

        add_index(registry, "r0", "new")
        warm = await night(registry, tmp_path)
        # Beside a call for each list, tag and new digest: two images, and their configs.
        others = REPOSITORIES + REPOSITORIES * INDEXES + 1 + 4
        extra = sum(registry.asked.values()) - others
        assert FIRST <= extra <= FIRST + REPOSITORIES + 2  # The list of repositories; `/v2/`.
        assert heads(registry) < children
        known = present(warm)
        assert known.count(True) == heads(registry) + 2
        assert known.count(None) == children + 2 - known.count(True)
        assert not [row for row in warm.tables["findings"] if row["kind"] == "missing_child"]

        tagged = {digest for tags in registry.tags.values() for digest in tags.values()}
        for digest in list(registry.blobs.content):
            if digest not in tagged and b'"layers"' in registry.blobs.content[digest]:
                del registry.blobs.content[digest]
        for _ in range(2):  # The night after, too.
            after = await night(registry, tmp_path)
            assert present(after) == [False] * (children + 2)
            missing = [row for row in after.tables["findings"] if row["kind"] == "missing_child"]
            assert len(missing) == children + 2


@pytest.mark.parametrize("exports", [1, 2, 4])
def test_each_repository_has_its_turn_also_where_exports_share_a_cache(exports: int) -> None:
    asked = set()
    for number in range(TURNS):
        proofs = Proofs(number * exports)
        proofs.choose("the first", [str(child) for child in range(FIRST)])
        for name in map(str, range(50)):
            chosen = proofs.choose(name, ["one", "other"])
            assert len(chosen) <= 1
            asked.update([name] if chosen else [])
    assert asked == set(map(str, range(50)))
