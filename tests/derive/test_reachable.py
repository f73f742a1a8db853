"""That `reachable` is filled in, however often an image came and whatever interrupts it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.derive.conclude import conclude
from exporter.derive.dropping import rewrite
from exporter.tables.schemas import TABLES
from tests.derive.estates import (
    Image,
    World,
    by_key,
    derive_staged,
    digest,
    read,
    rows_of,
    stage,
    write,
)


def manifest(number: int, *children: int, repository: str = "r1/a", **more: Any) -> Image:
    """An index if it has children, else an image; its digest is its number's."""
    return Image(
        f"{repository}@{digest(number)}",
        repository,
        digest=digest(number),
        kind="index" if children else "image",
        children=tuple((digest(child), True) for child in children),
        **more,
    )


def reached(staging: Path) -> dict[str, Any]:
    return {row["image_id"]: row["reachable"] for row in read(staging, "images")}


def world(*images: Image) -> World:
    return World(images=images, registries=(("r1", None, None),), visible=frozenset({"r1"}))


TOP = manifest(1, 2, 3, tags=("v1",))
NESTED = manifest(2, 4)
REACHED = (TOP, NESTED, manifest(4), manifest(5, subject=digest(4)))
OTHER = (
    manifest(6),
    manifest(7, 8),
    manifest(8, subject=digest(3)),
    manifest(4, repository="r1/b"),
    manifest(9, 10),  # Two that refer to each other, and to nothing that a tag leads to.
    manifest(10, 9),
)


def test_a_tag_leads_over_indexes_and_subjects_within_its_repository(tmp_path: Path) -> None:
    staging = derive_staged(stage(tmp_path, world(*REACHED, *OTHER), parts=3))
    expected = {one.image_id: True for one in REACHED} | {one.image_id: False for one in OTHER}
    assert reached(staging) == expected
    totals = by_key(read(staging, "size_totals"), "scope", "scope_id")
    row = totals["registry", "r1"]
    assert (row["tagged_image_count"], row["untagged_image_count"]) == (1, len(OTHER))


def test_an_image_is_an_attestation_where_any_index_says_so(tmp_path: Path) -> None:
    tagged = manifest(2, tags=("a",))
    images = (
        tagged,
        manifest(1, 2, 3, 4, tags=("v1",), attests=frozenset({digest(2), digest(4)})),
        manifest(3, 2),
        manifest(4, 3),
        manifest(2, repository="r1/b", tags=("a",)),
    )
    staging = derive_staged(stage(tmp_path, world(*images), parts=2))
    kinds = [(row["image_id"], row["kind"]) for row in read(staging, "images")]
    assert [one for one in kinds if one[1] != "index"] == [
        (tagged.image_id, "attestation"),
        (images[-1].image_id, "image"),
    ]


def test_parts_that_are_right_are_not_written_again(tmp_path: Path) -> None:
    staging = stage(tmp_path, world(*REACHED, *OTHER), parts=2)
    derive_staged(staging)
    parts = sorted((staging / "parquet" / "images").iterdir())
    before = [part.stat().st_mtime_ns for part in parts]
    derive_staged(staging)
    assert [part.stat().st_mtime_ns for part in parts] == before


class Killed(BaseException):
    """What stands for the end of the process."""


def test_killed_between_two_parts_it_is_done_again_with_what_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = stage(tmp_path, world(*OTHER, TOP, NESTED), parts=2)
    calls: list[Any] = []

    def dying(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise Killed
        rewrite(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("exporter.derive.reachable.rewrite", dying)
        with pytest.raises(Killed):
            derive_staged(staging)
    # A page that came since refers to one that nothing led to.
    rows = rows_of(world(manifest(20, 6, tags=("v2",))))
    for name in ("images", "image_references"):
        more = tmp_path / "more"
        write(more, name, [rows[name]])
        part = more / "parquet" / name / "part-00000.parquet"
        part.replace(staging / "parquet" / name / "part-00002.parquet")
    derive_staged(staging)
    found = reached(staging)
    assert {id_ for id_, is_reached in found.items() if is_reached} == {
        one.image_id for one in (TOP, NESTED, OTHER[0], manifest(20))
    }


def test_an_index_that_came_twice_has_its_references_once(tmp_path: Path) -> None:
    staging = stage(tmp_path, World())
    pages = [(TOP, NESTED), (NESTED, manifest(4)), (replace(TOP, tags=("v2",)),)]
    for name in ("images", "layers", "config_blobs", "image_references"):
        write(staging, name, [rows_of(world(*page))[name] for page in pages])
    coverage = TABLES["coverage"].schema.empty_table()
    conclude(staging, {}, lambda _: coverage, ["parquet"])
    references = by_key(read(staging, "image_references"), "image_id", "position")
    assert {(key[0], row["child_digest"]) for key, row in references.items()} == {
        (TOP.image_id, digest(2)),
        (TOP.image_id, digest(3)),
        (NESTED.image_id, digest(4)),
    }
    found = [row["kind"] for row in read(staging, "findings") if row["image_id"] == TOP.image_id]
    assert found == ["image_changed"]
