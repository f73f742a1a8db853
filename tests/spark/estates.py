"""Estates to derive from in both engines: many worlds side by side, with everything odd in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from exporter.staging.layout import StagedFile, staged_parts, staged_path
from exporter.tables.bad_values import bad_value
from exporter.tables.staged import STAGED
from tests.derive.estates import Blob, Image, Row, Tables, World, digest, rows_of

PARTITIONS = 3
_NAMES = (
    "cloud_id",
    "folder_id",
    "registry_id",
    "repository_name",
    "image_id",
    "child_image_id",
    "parent_id",
    "subject",
)
LARGEST = 2**63 - 1


def drawn(strategy: st.SearchStrategy[World], number: int, count: int) -> list[World]:
    """Return `count` worlds of a strategy; the same `number` draws the same ones."""
    worlds: list[World] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(world: World) -> None:
        worlds.append(world)

    draw()
    return worlds


def estate(worlds: Iterable[World], number: int) -> list[Tables]:
    """Return the rows of worlds side by side, by partition; in each, names begin with another word.

    Each world's images are spread over the partitions. Some come again in a later one, with another
    content if the API could have changed it meanwhile, and so do some repositories. Some have
    values that could not be read. The same `number` does the same.
    """
    chance = Random(number)
    partitions: list[Tables] = [{} for _ in range(PARTITIONS)]
    for place, world in enumerate(worlds):
        shares = [list(world.images[share::PARTITIONS]) for share in range(PARTITIONS)]
        for share in range(1, PARTITIONS):
            earlier = [image for images in shares[:share] for image in images]
            again = chance.sample(earlier, len(earlier) // 4)
            shares[share] += [_later(image, chance) for image in again]
        for share, images in enumerate(shares):
            one = replace(world, images=tuple(images))
            if share:
                some = world.repositories[::3]
                one = World(images=one.images, repositories=some, visible=world.visible)
            rows = rows_of(one)
            rows["bad_values"] = [note for image in images for note in _notes(image, chance)]
            rows["doubtful_sizes"] = [{"image_id": image.image_id} for image in images]
            for name, several in rows.items():
                kept = (_named(row, f"w{place} ü") for row in several)
                partitions[share].setdefault(name, []).extend(kept)
    first = partitions[0]
    by_key = {(row["listing"], row["parent_id"]): row for row in reversed(first["coverage"])}
    first["coverage"] = list(by_key.values())
    return partitions


def _later(image: Image, chance: Random) -> Image:
    """Return an image as it may come again; one that is known by its digest comes as it was."""
    if image.kind is not None:
        return image
    changes: list[dict[str, Any]] = [
        {},
        {"tags": (*image.tags, "later")},
        {"layers": image.layers[1:]},
        {"layers": image.layers[::-1], "created_at": None},
        {"config": Blob(digest(9), 99), "compressed_size": 1},
        {"config": None, "digest": "sha256:later"},
    ]
    return replace(image, **chance.choice(changes))


def _notes(image: Image, chance: Random) -> list[Row]:
    """Return what the crawl may have to say of an image: nothing, or something several times."""
    where = {"image_id": image.image_id, "repository_name": image.repository_name}
    kinds = chance.choices([None, "invalid_tag", "implausible_time"], k=chance.choice([0, 0, 0, 3]))
    return [
        bad_value("images", image.image_id, chance.choice(["Ä one.", "Another."]), where)
        | {"kind": kind, "registry_id": None}
        for kind in kinds
    ]


def _named(row: Row, word: str) -> Row:
    names = {name: f"{word}{row[name]}" for name in _NAMES if row.get(name) not in (None, "*")}
    return row | names


def odd_world() -> World:
    """A world with what the strategies do not draw: text, sizes and times at their ends."""
    smallest = Blob(digest(70), -(2**63))
    huge = tuple(Blob(digest(80 + number), LARGEST - number) for number in range(12))
    plain = Image("ÿ'\"{}\\𝄞", "x1/ a//ß\u200b", (Blob(digest(71), -5),), tags=("ä", "v1", "𝄞"))
    return World(
        images=(
            plain,
            Image("e1", "x1/é", huge, Blob(digest(80), LARGEST), compressed_size=LARGEST),
            Image("e2", "x1/é", huge[:3], compressed_size=-(2**63), tags=("v1", "v1", "")),
            Image("e3", "x1/f", (smallest, smallest), Blob(None, -1), compressed_size=0),
            Image(
                "e4", "x1/f", (huge[0], huge[0], smallest), created_at=datetime(1, 1, 1, tzinfo=UTC)
            ),
            Image("e5", "", (Blob(None, 3), Blob(None, 3)), Blob(digest(81), 5), tags=("v1",)),
            Image("e6", "x2", created_at=datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
            Image("e7", "x9/unknown", (Blob("sha512:ÿ", 4),), tags=("v1",)),
            replace(plain, image_id="e8", tags=("v1", "moved"), layers=()),
        ),
        clouds=("c1",),
        folders=(("f1", "c1"),),
        registries=(("x1", "f1", "c1"), ("x2", None, None)),
        repositories=("x1/é", "x1/empty", "x8/unknown"),
        coverage=(
            ("clouds", "*", "complete"),
            ("folders", "c1", "complete"),
            ("registries", "f1", "partial"),
            ("repositories", "x1", "complete"),
            ("images", "x1", "complete"),
            ("images", "x2", "skipped"),
        ),
    )


def odd_manifests() -> World:
    """A world of OCI registries where much leads on, in a circle, and to what is not there."""
    chain = tuple(
        Image(
            f"y1/chain@{digest(number)}",
            "y1/chain",
            digest=digest(number),
            kind="index",
            children=((digest(number + 1), True),),
            tags=("v1",) if number == 100 else (),
        )
        for number in range(100, 106)
    )
    circle = tuple(
        replace(
            one,
            image_id=f"y1/circle@{one.digest}",
            repository_name="y1/circle",
            children=((digest(100 + (number + 1) % len(chain)), True),),
            tags=(),
        )
        for number, one in enumerate(chain)
    )
    last = Image(
        f"y1/chain@{digest(106)}",
        "y1/chain",
        (Blob(digest(1), 5), Blob(digest(2), 6, distributable=False)),
        Blob(digest(3), 7),
        digest=digest(106),
        kind="image",
        manifest_size=500,
        created_at=datetime(1969, 12, 31, 23, 59, 59, 120000, UTC),
    )
    signature = replace(
        last,
        image_id=f"y1/chain@{digest(107)}",
        digest=digest(107),
        kind="artifact",
        subject=last.digest,
        created_at=datetime(9999, 1, 1, tzinfo=UTC),
    )
    dangling = replace(signature, image_id=f"y1/gone@{digest(107)}", repository_name="y1/gone")
    index = Image(
        f"y1/chain@{digest(108)}",
        "y1/chain",
        digest=digest(108),
        kind="index",
        children=((last.digest, True), (digest(107), True), (digest(109), False)),
        attests=frozenset([digest(107)]),
        tags=("v2",),
    )
    names = ("y1/chain", "y1/circle", "y1/gone", "y1/empty")
    return World(
        images=(*chain, *circle, last, signature, dangling, index),
        clouds=("c1",),
        folders=(("f1", "c1"),),
        registries=(("y1", "f1", "c1"),),
        repositories=names,
        coverage=tuple(
            (listing, name, "complete") for name in names for listing in ("tags", "manifests")
        ),
        visible=frozenset(),
    )


def write(staging: Path, partitions: Sequence[Tables]) -> None:
    """Write an estate below a staging folder as one machine does: a part for each partition."""
    for name, table in STAGED.items():
        if table.kind != "derived":
            for number, rows in enumerate(partitions):
                path = staged_path(staging, name, number, "parquet")
                path.parent.mkdir(parents=True, exist_ok=True)
                full = [dict.fromkeys(table.schema.names) | row for row in rows.get(name, [])]
                pq.write_table(pa.Table.from_pylist(full, table.schema), path)


def scatter(staging: Path, folders: Sequence[Path]) -> dict[str, list[StagedFile]]:
    """Copy staged parts to folders of partitions, and return them in the order of partitions."""
    parts: dict[str, list[StagedFile]] = {}
    for name, table in STAGED.items():
        if table.kind != "derived":
            for part, folder in zip(staged_parts(staging, name), folders, strict=True):
                path = staged_path(folder, name, 0, "parquet")
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(part, path)
                rows = pq.read_metadata(path).num_rows
                parts.setdefault(name, []).append(StagedFile(name, "parquet", path, rows))
    return parts
