"""That the derived tables say what the contract says."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from structlog.testing import capture_logs

from exporter.derive import slices
from exporter.errors import OutputError
from exporter.sql import engine
from exporter.sql.engine import Resources
from exporter.staging.parquet import PartWriter
from exporter.tables.bad_values import BAD_VALUES, bad_value, bad_values
from exporter.tables.schemas import TABLES
from tests.derive import expected
from tests.derive.estates import (
    START,
    Blob,
    Image,
    Row,
    World,
    by_key,
    derive_staged,
    digest,
    oci_worlds,
    read,
    rows_of,
    stage,
    worlds,
    write,
)

REGISTRY = (("r1", "f1", "c1"),)


def derived(staging: Path, world: World) -> Path:
    return derive_staged(stage(staging, world, parts=2))


def total(staging: Path, scope: str, scope_id: str) -> dict[str, object]:
    return by_key(read(staging, "size_totals"), "scope", "scope_id")[scope, scope_id]


SOME = settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


@SOME
@given(worlds() | oci_worlds())
def test_derived_tables_are_those_of_a_calculation_in_plain_python(world: World) -> None:
    check_derived(world)


@SOME
@given(worlds() | oci_worlds())
def test_they_are_the_same_where_each_registry_is_a_slice_of_its_own(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE_ROWS", 1)
        check_derived(world)


def check_derived(world: World) -> None:
    listed = rows_of(world)
    with tempfile.TemporaryDirectory() as folder:
        staging = derived(Path(folder), world)
        tags = read(staging, "tags")
        assert len(tags) == len({tuple(row.values()) for row in tags})
        assert {tuple(row.values()) for row in tags} == expected.tags(listed)
        blobs = by_key(read(staging, "blobs"), *TABLES["blobs"].key)
        assert blobs == expected.blobs(listed)
        totals = by_key(read(staging, "size_totals"), *TABLES["size_totals"].key)
        assert totals == expected.size_totals(listed)
        findings = by_key(read(staging, "findings"), *TABLES["findings"].key).values()
        assert all(row["detail"] for row in findings)
        assert {tuple(row.values())[:5] for row in findings} == expected.findings(listed)
        reached = expected.reachable(listed)
        for image in read(staging, "images"):
            is_reached = image["image_id"] in reached
            assert image["reachable"] == (is_reached if image["kind"] else None)
        for name in ("tags", "blobs", "size_totals", "findings"):
            key = TABLES[name].key if name != "blobs" else ("registry_id",)
            keys = [tuple(row[column] or "" for column in key) for row in read(staging, name)]
            assert keys == sorted(keys), f"{name} is not in the order of its key"


def test_an_estate_without_anything_has_a_total_of_zeros(tmp_path: Path) -> None:
    staging = derived(tmp_path, World())
    (row,) = read(staging, "size_totals")
    counts = {name: value for name, value in row.items() if type(value) is int}
    assert len(counts) == 12
    assert set(counts.values()) == {0}
    assert row["complete"]
    assert row["oldest_image_at"] is row["newest_image_at"] is row["scope_name"] is None
    for name in ("tags", "blobs", "findings"):
        assert read(staging, name) == []


def test_a_layer_is_billed_once_in_each_registry(tmp_path: Path) -> None:
    shared = Blob(digest(1), 100)
    staging = derived(
        tmp_path,
        World(
            images=(
                Image("i1", "r1/a", (shared, Blob(digest(2), 10)), tags=("v1",)),
                Image("i2", "r1/b", (shared, Blob(digest(3), 1))),
                Image("i3", "r2/a", (shared, shared)),
            ),
            folders=(("f1", "c1"),),
            registries=(("r1", "f1", "c1"), ("r2", "f1", "c1")),
        ),
    )
    sizes = ("logical_size", "stored_size", "exclusive_size", "untagged_size", "blob_count")
    table = {
        key: tuple(row[name] for name in sizes)
        for key, row in by_key(read(staging, "size_totals"), "scope", "scope_id").items()
    }
    assert table == {
        ("repository", "r1/a"): (110, 110, 10, 0, 2),
        ("repository", "r1/b"): (101, 101, 1, 1, 2),
        ("repository", "r2/a"): (200, 100, 100, 100, 1),
        ("registry", "r1"): (211, 111, 111, 1, 3),
        ("registry", "r2"): (200, 100, 100, 100, 1),
        ("folder", "f1"): (411, 211, 211, 101, 4),
        ("total", "*"): (411, 211, 211, 101, 4),
    }
    blobs = by_key(read(staging, "blobs"), "registry_id", "digest", "kind")
    twice = blobs["r2", digest(1), "layer"]
    assert (twice["image_count"], twice["reference_count"], twice["repository_count"]) == (1, 2, 1)


def test_a_digest_with_two_sizes_counts_with_the_larger_in_every_repository(
    tmp_path: Path,
) -> None:
    staging = derived(
        tmp_path,
        World(
            images=(
                Image("i1", "r1/a", (Blob(digest(1), 5),), Blob(digest(9), 1)),
                Image("i2", "r1/b", (Blob(digest(1), 7),), Blob(digest(9), 3)),
            ),
            registries=REGISTRY,
        ),
    )
    assert total(staging, "repository", "r1/a")["stored_size"] == 7
    assert total(staging, "repository", "r1/a")["config_size"] == 3
    assert total(staging, "registry", "r1")["stored_size"] == 7
    found = by_key(read(staging, "findings"), "kind", "subject")
    assert found["size_conflict", digest(1)]["detail"] == (
        "One digest has two sizes: 5 to 7 bytes as a layer in registry r1 (the larger counts)."
    )
    assert ("size_conflict", digest(9)) in found


def test_a_size_is_a_mismatch_only_where_no_way_of_adding_up_the_layers_gives_it(
    tmp_path: Path,
) -> None:
    twice, other, nameless = Blob(digest(1), 10), Blob(digest(2), 100), Blob(None, 3)
    layers = (twice, other, twice, replace(twice, size=7), nameless, nameless)
    config = Blob(digest(9), 1000)
    often, once = 133, 116
    right = (often, once, often + 1000, once + 1000)
    wrong = (0, often - 3, once - 10, once + 999, 1000)
    images = tuple(
        Image(f"i{size}", "r1/a", layers, config, compressed_size=size) for size in (*right, *wrong)
    )
    bare = Image("bare", "r1/a", layers, compressed_size=once + 1000)
    staging = derived(tmp_path, World(images=(*images, bare), registries=REGISTRY))
    found = {
        row["subject"]: row["detail"]
        for row in read(staging, "findings")
        if row["kind"] == "size_mismatch"
    }
    assert found.keys() == {*(f"i{size}" for size in wrong), "bare"}
    assert found["i0"] == (
        "compressed_size is 0 bytes, and the 6 layers have 133 (or 116, each counted once), "
        "and the config 1000."
    )


def test_a_digest_with_two_sizes_is_found_across_registries_and_across_layers_and_configs(
    tmp_path: Path,
) -> None:
    same, apart, mixed, nameless = (Blob(digest(number), 5) for number in range(4))
    world = World(
        images=(
            Image("i1", "r1/a", (same, apart, mixed, nameless)),
            Image("i2", "r2/a", (same, replace(apart, size=6)), replace(mixed, size=9)),
            Image("i3", "r2/b", (replace(mixed, size=7), replace(apart, size=7))),
        ),
        registries=(("r1", "f1", "c1"), ("r2", "f1", "c1")),
    )
    staging = stage(tmp_path, world)
    rows = rows_of(world)
    place: Row = {"image_id": "i4", "registry_id": None, "repository_name": None}
    image = rows["images"][0] | place | {"layer_count": 1, "compressed_size": 6}
    write(staging, "images", [[*rows["images"], image]])
    layer = place | {"position": 0, "digest": nameless.digest, "size": 6, "urls": []}
    write(staging, "layers", [[*rows["layers"], layer]])
    derive_staged(staging)
    found = by_key(read(staging, "findings"), "kind", "subject")
    assert {key: row["registry_id"] for key, row in found.items()} == {
        **{("size_conflict", one.digest): None for one in (apart, mixed, nameless)},
        ("unknown_registry", "i4"): None,
    }
    assert [row["detail"] for row in found.values() if row["kind"] == "size_conflict"] == [
        f"One digest has two sizes: 5 bytes as a layer in registry r1, {elsewhere}."
        for elsewhere in (
            "6 to 7 bytes as a layer in registry r2 (the larger counts)",
            "7 bytes as a layer in registry r2, 9 bytes as a config in registry r2",
            "6 bytes as a layer in no registry that was listed",
        )
    ]
    # Each registry, and each kind, has its own size.
    assert total(staging, "registry", "r1")["stored_size"] == 20
    assert total(staging, "registry", "r2")["stored_size"] == 5 + 7 + 7
    assert total(staging, "registry", "r2")["config_size"] == 9


def test_sums_past_two_to_the_53_are_exact_and_past_64_bits_are_the_largest(
    tmp_path: Path,
) -> None:
    largest = 2**63 - 1
    staging = derived(
        tmp_path,
        World(
            images=(
                Image("i1", "r1/a", (Blob(digest(1), 2**53 + 1), Blob(digest(2), 2**53 + 2))),
                Image("i2", "r1/b", (Blob(digest(3), largest),), compressed_size=largest),
            ),
            registries=REGISTRY,
        ),
    )
    assert total(staging, "repository", "r1/a")["stored_size"] == 2**54 + 3
    assert total(staging, "registry", "r1")["stored_size"] == largest
    # What fits, and be it the very largest, is no finding.
    overflows = {row["subject"]: row["detail"] for row in read(staging, "findings")}
    assert overflows.keys() == {"registry r1", "total *"}
    assert f"stored_size of {largest + 2**54 + 3} bytes" in overflows["registry r1"]


def test_negative_sizes_count_as_they_are_and_are_found_once_an_image(tmp_path: Path) -> None:
    smallest = -(2**63)
    one = Image("i1", "r1/a", (Blob(digest(1), -5), Blob(digest(2), smallest)), tags=("v1",))
    other = Image("i2", "r1/b", (Blob(digest(2), 2**63 - 1), Blob(digest(3), smallest)))
    images = (replace(one, compressed_size=-7), replace(other, compressed_size=0))
    staging = derived(tmp_path, World(images=images, registries=REGISTRY))
    found = by_key(read(staging, "findings"), "kind", "subject")
    assert {key for key in found if key[0] == "negative_size"} == {
        ("negative_size", "i1"),
        ("negative_size", "i2"),
    }
    assert "compressed_size of -7 bytes" in found["negative_size", "i1"]["detail"]
    assert total(staging, "registry", "r1")["logical_size"] == -7
    assert total(staging, "registry", "r1")["stored_size"] == -6
    assert total(staging, "repository", "r1/a")["stored_size"] == 2**63 - 1 - 5
    assert total(staging, "repository", "r1/b")["untagged_size"] == smallest


def test_bad_values_are_found_once_and_only_of_what_is_in_the_snapshot(tmp_path: Path) -> None:
    world = World(images=(Image("i1", "r1/a"),), clouds=("c1",), registries=REGISTRY)
    staging = stage(tmp_path, world)
    part = PartWriter(staging, BAD_VALUES, 0)
    places = {"registry_id": "r1", "repository_name": "r1/a", "image_id": "i1"}
    rows = [
        bad_value("images", "i1", "One.", places),
        bad_value("images", "i1", "One.", places),
        bad_value("images", "i1", "Another.", places),
        bad_value("images", "i2", "Left out.", places),
        bad_value("registries", "r1", "Registry.", {"registry_id": "r1"}),
        bad_value("registries", "i1", "Not of a registry.", {}),
        bad_value("clouds", "c1", "Cloud.", {}),
    ]
    part.append(bad_values(rows))
    part.close()
    derive_staged(staging)
    assert [tuple(row.values()) for row in read(staging, "findings")] == [
        ("bad_value", None, None, None, "c1", "Cloud."),
        ("bad_value", "r1", "r1/a", "i1", "i1", "Another. One."),
        ("bad_value", "r1", None, None, "r1", "Registry."),
    ]


@pytest.mark.parametrize(
    ("listing", "parent", "status", "inside"),
    [
        ("clouds", "*", "denied", set()),
        ("folders", "c1", "partial", {"c1"}),
        ("registries", "f1", "failed", {"f1", "c1"}),
        ("repositories", "r1", "skipped", {"r1", "f1", "c1"}),
        ("images", "r1", "vanished", {"r1/a", "r1", "f1", "c1"}),
        ("images", "r9", "denied", set()),
    ],
)
def test_a_scope_is_incomplete_where_a_listing_inside_it_is(
    listing: str, parent: str, status: str, inside: set[str], tmp_path: Path
) -> None:
    world = World(
        clouds=("c1", "c2"),
        folders=(("f1", "c1"), ("f2", "c2")),
        registries=(("r1", "f1", "c1"), ("r2", "f2", "c2")),
        repositories=("r1/a", "r2/a"),
        coverage=((listing, parent, status), ("images", "r2", "complete")),
    )
    rows = read(derived(tmp_path, world), "size_totals")
    assert {row["scope_id"] for row in rows if not row["complete"]} == {*inside, "*"}


@pytest.mark.parametrize(
    ("listing", "status", "is_complete"),
    [
        ("tags", "skipped", False),
        ("manifests", "partial", False),
        ("configs", "denied", False),
        ("untagged", "failed", False),
        # A setting leaves these out, or the registry: a column tells of it.
        ("configs", "skipped", True),
        ("untagged", "skipped", True),
        # Only tags are gone: all that is there is listed.
        ("manifests", "vanished", True),
    ],
)
def test_a_listing_of_one_repository_leaves_the_others_complete(
    listing: str, status: str, is_complete: bool, tmp_path: Path
) -> None:
    world = World(
        registries=(("r1", None, None), ("r2", None, None)),
        repositories=("r1/a/b", "r1/a", "r2/a"),
        coverage=((listing, "r1/a/b", status), (listing, "r1/a", "complete")),
        visible=frozenset({"r1", "r2"}),
    )
    rows = read(derived(tmp_path, world), "size_totals")
    incomplete = {row["scope_id"] for row in rows if not row["complete"]}
    assert incomplete == (set() if is_complete else {"r1/a/b", "r1", "*"})


def pushed(name: str, layer: Blob) -> Image:
    """The same manifest in any repository."""
    return Image(f"{name}@x", name, (layer,), digest="x", kind="image", manifest_size=7)


def test_what_is_not_known_in_one_registry_is_not_known_above_it(tmp_path: Path) -> None:
    foreign = Blob(digest(2), 5, distributable=False)
    world = World(
        images=(
            pushed("r1/a", Blob(digest(1), 10)),
            pushed("r2/a", Blob(digest(1), 10)),
            pushed("r2/b", foreign),
        ),
        clouds=("c1", "c2"),
        folders=(("f1", "c1"), ("f2", "c2")),
        registries=(("r1", "f1", "c1"), ("r2", "f2", "c2")),
        visible=frozenset({"r2"}),
    )
    staging = derived(tmp_path, world)
    names = ("untagged_known", "untagged_image_count", "untagged_size", "manifest_size")
    table = {
        key: tuple(row[name] for name in names)
        for key, row in by_key(read(staging, "size_totals"), "scope", "scope_id").items()
    }
    assert table == {
        ("repository", "r1/a"): (False, None, None, 7),
        ("repository", "r2/a"): (True, 1, 10, 7),
        ("repository", "r2/b"): (True, 1, 0, 7),
        ("registry", "r1"): (False, None, None, 7),
        ("registry", "r2"): (True, 2, 10, 7),  # One manifest in two repositories.
        ("folder", "f1"): (False, None, None, 7),
        ("folder", "f2"): (True, 2, 10, 7),
        ("cloud", "c1"): (False, None, None, 7),
        ("cloud", "c2"): (True, 2, 10, 7),
        ("total", "*"): (False, None, None, 14),
    }
    assert total(staging, "repository", "r2/b")["stored_size"] == 0
    assert total(staging, "repository", "r2/b")["logical_size"] == 5


def test_times_keep_their_microseconds_in_any_year(tmp_path: Path) -> None:
    first = START.replace(year=1) + timedelta(microseconds=1)
    last = START.replace(year=9999) + timedelta(microseconds=999_999)
    images = (Image("i1", "r1/a", created_at=first), Image("i2", "r1/a", created_at=last))
    row = total(derived(tmp_path, World(images=images)), "total", "*")
    assert (row["oldest_image_at"], row["newest_image_at"]) == (first, last)


def test_an_earlier_attempts_parts_are_replaced(tmp_path: Path) -> None:
    staging = stage(tmp_path, World(images=(Image("i1", "r1/a", tags=("v1",)),)))
    derive_staged(staging)
    stray = staging / "parquet" / "tags" / "part-00001.parquet"
    stray.write_bytes((stray.with_name("part-00000.parquet")).read_bytes())
    derive_staged(staging)
    assert len(read(staging, "tags")) == 1
    assert not list(staging.glob("spill*"))


def test_a_limit_that_is_too_small_is_raised_until_it_is_not(tmp_path: Path) -> None:
    staging = stage(tmp_path, World(images=(Image("i1", "r1/a", (Blob(digest(1)),)),)))
    with capture_logs() as logs:
        derive_staged(staging, resources=Resources(300_000, 1))
    limits = [event["bytes"] for event in logs if event["event"] == "memory_limit_raised"]
    assert limits
    assert limits == [300_000 * 2**doubled for doubled in range(1, len(limits) + 1)]
    assert [row["digest"] for row in read(staging, "blobs")] == [digest(1)]


def test_too_little_memory_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MOST_OF_MEMORY", 0.0)
    staging = stage(tmp_path, World(images=(Image("i1", "r1/a", (Blob(digest(1)),)),)))
    with pytest.raises(OutputError, match=r"Cannot derive tables below .*; free memory or"):
        derive_staged(staging, resources=Resources(300_000, 1))
    assert not list(staging.glob("spill*"))
