"""That no key stands twice once duplicates are dropped, wherever the run was killed meanwhile."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.derive import dropping, parents
from exporter.derive.conclude import conclude
from exporter.tables.schemas import TABLES
from tests.derive.estates import (
    Blob,
    Image,
    Row,
    World,
    add_image,
    digest,
    read,
    rows_of,
    stage,
    write,
)

FIRST = Image(
    "i1",
    "r1/a",
    (Blob(digest(1), 10), Blob(digest(2), 20)),
    Blob(digest(9), 3),
    tags=("v1",),
    digest="sha256:m1",
)
OTHER = replace(FIRST, image_id="i2", tags=())


def listed(staging: Path) -> dict[str, list[Row]]:
    return {name: read(staging, name) for name in ("images", "layers", "config_blobs")}


def listed_parts(staging: Path) -> list[Path]:
    names = ("repositories", "images", "layers", "config_blobs")
    return [path for name in names for path in (staging / "parquet" / name).iterdir()]


def kept(images: tuple[Image, ...]) -> dict[str, list[Row]]:
    """Return the rows that are left of some images: those of each id's first occurrence."""
    first: dict[str, Image] = {}
    for image in images:
        first.setdefault(image.image_id, image)
    tables: dict[str, list[Row]] = {"images": [], "layers": [], "config_blobs": []}
    for image in first.values():
        add_image(tables, image)
    return {
        name: [dict.fromkeys(TABLES[name].schema.names) | row for row in rows]
        for name, rows in tables.items()
    }


def write_pages(staging: Path, *pages: tuple[Image, ...]) -> Path:
    """Stage images as one part per page."""
    stage(staging, World())
    for name in ("images", "layers", "config_blobs"):
        write(staging, name, [rows_of(World(images=page))[name] for page in pages])
    return staging


def drop_duplicates(staging: Path) -> dict[str, dict[str, int]]:
    """Conclude a staged run; return how many rows are left, by table and registry."""
    left: dict[str, dict[str, int]] = {}

    def coverage(rows: Mapping[str, Mapping[str, int]]) -> pa.Table:
        left.update({table: dict(counts) for table, counts in rows.items()})
        return TABLES["coverage"].schema.empty_table()

    conclude(staging, {}, coverage, ["parquet"])
    return left


def changes(staging: Path) -> dict[str, str]:
    """Return the findings of images that changed, by image, of a run that is concluded."""
    rows = [row for row in read(staging, "findings") if row["kind"] == "image_changed"]
    assert all(row["image_id"] == row["subject"] for row in rows)
    assert all((row["registry_id"], row["repository_name"]) == ("r1", "r1/a") for row in rows)
    return {row["subject"]: row["detail"] for row in rows}


def test_without_duplicates_no_file_is_touched(tmp_path: Path) -> None:
    staging = write_pages(tmp_path, (FIRST,), (OTHER,))
    before = {path: path.stat().st_mtime_ns for path in listed_parts(staging)}
    assert drop_duplicates(staging) == {"repositories": {}, "images": {"r1": 2}}
    assert {path: path.stat().st_mtime_ns for path in listed_parts(staging)} == before


def test_an_image_on_two_pages_stays_once_and_is_no_finding(tmp_path: Path) -> None:
    staging = write_pages(tmp_path, (FIRST, OTHER), (OTHER, FIRST), (FIRST,))
    untouched = staging / "parquet" / "images" / "part-00000.parquet"
    before = untouched.stat().st_mtime_ns
    assert drop_duplicates(staging)["images"] == {"r1": 2}
    assert listed(staging) == kept((FIRST, OTHER))
    assert untouched.stat().st_mtime_ns == before
    assert changes(staging) == {}


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"tags": ("v1", "v2")}, "tags"),
    ({"digest": "sha256:m2"}, "digest"),
    ({"compressed_size": 1}, "compressed size"),
    ({"created_at": None}, "creation time"),
    ({"config": None}, "config"),
    ({"config": Blob(digest(9), 4)}, "config"),
    ({"layers": FIRST.layers[::-1]}, "layers"),
    ({"layers": FIRST.layers[:1], "tags": ()}, "compressed size, layers, tags"),
    ({"layers": (FIRST.layers[0], Blob(digest(2), 20, urls=("u",)))}, "layers"),
]
"""What an image's second occurrence has otherwise, and how its finding names that."""


def test_images_with_two_contents_keep_the_first_and_are_found(tmp_path: Path) -> None:
    first = [replace(FIRST, image_id=f"i{number}0") for number in range(len(CHANGES))]
    later = [replace(one, **change) for one, (change, _) in zip(first, CHANGES, strict=True)]
    staging = write_pages(tmp_path, tuple(first), (OTHER, *later))
    drop_duplicates(staging)
    assert listed(staging) == kept((*first, OTHER))
    assert changes(staging) == {
        one.image_id: f"The image came 2 times, and not with the same {names}; the first is kept."
        for one, (_, names) in zip(first, CHANGES, strict=True)
    }


_OCCURRENCES = st.builds(
    Image,
    image_id=st.sampled_from(["i1", "i2", "i3"]),
    repository_name=st.sampled_from(["r1/a", "r1/b"]),
    layers=st.lists(st.integers(0, 3).map(lambda n: Blob(digest(n), n)), max_size=3).map(tuple),
    config=st.sampled_from([None, Blob(digest(7)), Blob(digest(8))]),
    tags=st.sampled_from([(), ("v1",)]),
)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.lists(_OCCURRENCES, max_size=4).map(tuple), min_size=1, max_size=4))
def test_the_first_occurrence_stays_whole_whatever_follows(pages: list[tuple[Image, ...]]) -> None:
    images = tuple(image for page in pages for image in page)
    wanted = kept(images)
    with tempfile.TemporaryDirectory() as folder:
        staging = write_pages(Path(folder), *pages)
        left = drop_duplicates(staging)["images"]
        assert listed(staging) == wanted
        assert left == Counter(row["registry_id"] for row in wanted["images"])
        contents = {
            image.image_id: {i for i in images if i.image_id == image.image_id} for image in images
        }
        changed = staging / "changed.parquet"
        named = read_ids(changed) if changed.exists() else set()
        assert named == {image_id for image_id, several in contents.items() if len(several) > 1}


def read_ids(path: Path) -> set[str]:
    return set(pq.read_table(path)["image_id"].to_pylist())


class Killed(BaseException):
    """What stands for the end of the process."""


# Three parts get their parents, two parts of three tables are written anew, and the plan is ended.
@pytest.mark.parametrize("survived", range(10))
def test_killed_between_two_steps_it_is_gone_on_with(
    survived: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = replace(FIRST, tags=("v2",))
    staging = write_pages(tmp_path, (FIRST,), (OTHER, changed), (OTHER, FIRST))
    learned = {"registry_id": "r1", "folder_id": "f1", "cloud_id": "c1"}
    write(staging, "registries", [[learned]])
    steps = Counter[str]()

    def dying(step: Any) -> Any:
        def attempt(*args: Any) -> Any:
            steps["done"] += 1
            if steps["done"] > survived:
                raise Killed
            return step(*args)

        return attempt

    with monkeypatch.context() as patched:
        for module, name in ((parents, "rewrite"), (dropping, "rewrite"), (dropping, "_end_plan")):
            patched.setattr(module, name, dying(getattr(module, name)))
        with pytest.raises(Killed):
            drop_duplicates(staging)
    assert drop_duplicates(staging)["images"] == {"r1": 2}
    wanted = kept((FIRST, OTHER))
    assert listed(staging) == wanted | {"images": [row | learned for row in wanted["images"]]}
    assert changes(staging).keys() == {"i1"}


def test_duplicates_that_come_after_a_resumption_are_dropped_too(tmp_path: Path) -> None:
    staging = write_pages(tmp_path, (FIRST,), (replace(FIRST, tags=()),))
    drop_duplicates(staging)
    for name, rows in rows_of(World(images=(OTHER, OTHER, FIRST))).items():
        if name in ("images", "layers", "config_blobs"):
            extra = tmp_path / "extra"
            write(extra, name, [rows])
            path = extra / "parquet" / name / "part-00000.parquet"
            path.replace(staging / "parquet" / name / "part-00002.parquet")
    assert drop_duplicates(staging)["images"] == {"r1": 2}
    assert listed(staging) == kept((FIRST, OTHER))
    assert changes(staging).keys() == {"i1"}


def test_a_repository_on_two_pages_stays_once(tmp_path: Path) -> None:
    staging = stage(tmp_path, World(repositories=("r1/a", "r1/b", "r1/a", "r2/a")))
    assert drop_duplicates(staging)["repositories"] == {"r1": 2, "r2": 1}
    names = [row["repository_name"] for row in read(staging, "repositories")]
    assert names == ["r1/a", "r1/b", "r2/a"]


def test_a_config_without_a_digest_stays_with_its_image(tmp_path: Path) -> None:
    image = replace(FIRST, config=Blob(None, 5))
    staging = write_pages(tmp_path, (image,), (image, OTHER))
    drop_duplicates(staging)
    assert listed(staging) == kept((image, OTHER))
    assert changes(staging) == {}
