"""Small estates of listed rows: written as staged Parquet, and made at random by Hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from exporter.derive.tables import derive
from exporter.sql.engine import Resources
from exporter.staging.parquet import write_table
from exporter.tables.doubtful_sizes import DOUBTFUL_SIZES
from exporter.tables.schemas import TABLES

Row = dict[str, Any]
Tables = dict[str, list[Row]]

START = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = ("complete", "denied", "vanished", "failed", "partial", "skipped")


@dataclass(frozen=True)
class Blob:
    """A layer or a config as the API sends it."""

    digest: str | None
    size: int = 1
    blob_id: str = "blob"
    urls: tuple[str, ...] = ()
    distributable: bool | None = None


@dataclass(frozen=True)
class Image:
    """An image as the API sends it; `compressed_size` is by default the sum of its layers.

    Of an OCI registry, it has a `kind`, and `children` if it is an index: their digests, and
    whether the registry has them. Those in `attests` are attestations, as the index says.
    """

    image_id: str
    repository_name: str
    layers: tuple[Blob, ...] = ()
    config: Blob | None = None
    tags: tuple[str, ...] = ()
    digest: str = "sha256:m"
    compressed_size: int | None = None
    created_at: datetime | None = START
    kind: str | None = None
    manifest_size: int | None = None
    subject: str | None = None
    children: tuple[tuple[str, bool | None], ...] = ()
    attests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class World:
    """All that was listed.

    Folders are (id, cloud), registries (id, folder, cloud), coverage (listing, parent, status). If
    the registries are OCI registries, `visible` says which of them list untagged images.
    """

    images: tuple[Image, ...] = ()
    clouds: tuple[str, ...] = ()
    folders: tuple[tuple[str, str | None], ...] = ()
    registries: tuple[tuple[str, str | None, str | None], ...] = ()
    repositories: tuple[str, ...] = ()
    coverage: tuple[tuple[str, str, str], ...] = field(default=())
    visible: frozenset[str] | None = None


def rows_of(world: World) -> Tables:
    """Return the rows of the listed tables and of the ledger, as the crawl would stage them."""
    tables: Tables = {
        "clouds": [{"cloud_id": one, "name": f"name of {one}"} for one in world.clouds],
        "folders": [
            {"folder_id": one, "cloud_id": cloud, "name": f"name of {one}"}
            for one, cloud in world.folders
        ],
        "registries": [
            {"registry_id": one, "folder_id": folder, "cloud_id": cloud, "name": f"name of {one}"}
            | _source(world, one)
            for one, folder, cloud in world.registries
        ],
        "repositories": [
            {"repository_id": f"id of {one}", "repository_name": one, "registry_id": registry(one)}
            for one in world.repositories
        ],
        "images": [],
        "layers": [],
        "config_blobs": [],
        "image_references": [],
        "coverage": [
            {"listing": listing, "parent_id": parent, "status": status, "finished_at": START}
            for listing, parent, status in world.coverage
        ],
    }
    for image in world.images:
        add_image(tables, image)
    return tables


def _source(world: World, registry_id: str) -> Row:
    if world.visible is None:
        return {}
    return {"source": "oci", "untagged_visible": registry_id in world.visible}


def add_image(tables: Tables, image: Image) -> None:
    """Append an image's rows to the three tables that have them."""
    where = {
        "image_id": image.image_id,
        "registry_id": registry(image.repository_name),
        "repository_name": image.repository_name,
    }
    total = sum(layer.size for layer in image.layers)
    stated = total if image.compressed_size is None else image.compressed_size
    compressed = None if image.kind == "index" else stated
    tables["images"].append(
        where
        | {
            "digest": image.digest,
            "compressed_size": compressed,
            "config_digest": image.config.digest if image.config else None,
            "layer_count": len(image.layers),
            "tag_count": len(image.tags),
            "tags": list(image.tags),
            "created_at": image.created_at,
            "kind": image.kind,
            "manifest_size": image.manifest_size,
            "subject_digest": image.subject,
        }
    )
    for position, (child, present) in enumerate(image.children):
        id_ = f"{image.repository_name}@{child}"
        reference = {"position": position, "child_digest": child, "child_image_id": id_}
        reference["relation"] = "attestation" if child in image.attests else "platform"
        tables["image_references"].append(where | reference | {"present": present})
    for position, layer in enumerate(image.layers):
        tables["layers"].append(where | {"position": position} | _blob(layer))
    if image.config:
        tables["config_blobs"].append(where | _blob(image.config))
        del tables["config_blobs"][-1]["distributable"]


def _blob(blob: Blob) -> Row:
    return {
        "blob_id": blob.blob_id,
        "digest": blob.digest,
        "size": blob.size,
        "urls": list(blob.urls),
        "distributable": blob.distributable,
    }


def registry(repository_name: str) -> str:
    return repository_name.partition("/")[0]


def stage(staging: Path, world: World, parts: int = 1) -> Path:
    """Write a world below a staging folder, its images spread over `parts` parts, in order."""
    pages = [world.images[number::parts] for number in range(parts)]
    in_order = [image for page in pages for image in page]
    small = rows_of(World(**{**vars(world), "images": ()}))
    for name, rows in small.items():
        write(staging, name, [rows])
    for name in ("images", "layers", "config_blobs", "image_references"):
        write(staging, name, [rows_of(World(images=tuple(page)))[name] for page in pages])
    assert len(in_order) == len(world.images)
    return staging


def derive_staged(staging: Path, resources: Resources | None = None) -> Path:
    """Derive from a staged world, whose ledger is as it was staged; every size is in doubt."""
    doubted = [row["image_id"] for row in read(staging, "images")]
    ids = pa.table([pa.array(doubted, pa.string())], schema=DOUBTFUL_SIZES.schema)
    write_table(staging, DOUBTFUL_SIZES, [ids])
    ledger = pq.read_table(staging / "parquet" / "coverage" / "part-00000.parquet")
    derive(staging, lambda _rows: ledger, resources=resources)
    return staging


def write(staging: Path, name: str, parts: Iterable[list[Row]]) -> None:
    folder = staging / "parquet" / name
    folder.mkdir(parents=True, exist_ok=True)
    schema = TABLES[name].schema
    for number, rows in enumerate(parts):
        full = [dict.fromkeys(schema.names) | row for row in rows]
        table = pa.Table.from_pylist(full, schema=schema)
        pq.write_table(table, folder / f"part-{number:05d}.parquet")


def read(staging: Path, name: str) -> list[Row]:
    """Return a staged table's rows in order, having checked that its schema is the contract's."""
    rows: list[Row] = []
    for path in sorted((staging / "parquet" / name).glob("part-*.parquet")):
        with pq.ParquetFile(path) as file:
            found, wanted = file.schema_arrow, TABLES[name].schema
            assert found.equals(wanted), path
            assert [field.metadata for field in found] == [field.metadata for field in wanted]
            rows += file.read().to_pylist()
    return rows


def digest(number: int) -> str:
    return f"sha256:{number:04x}{number:060x}"


def worlds() -> st.SearchStrategy[World]:
    """Estates where digests, names and ids meet again and again."""
    return st.builds(
        World,
        images=_images(),
        clouds=st.just(("c1", "c2")),
        folders=st.just((("f1", "c1"), ("f2", "c1"), ("f3", "c2"), ("f4", None))),
        registries=st.sampled_from(
            [
                (("r1", "f1", "c1"), ("r2", "f1", "c1"), ("r3", "f3", "c2"), ("r4", None, None)),
                (("r1", "f2", "c1"), ("r5", "f3", "c2")),
                (),
            ]
        ),
        repositories=st.lists(st.sampled_from(_NAMES), unique=True).map(tuple),
        coverage=st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        ("clouds", "*"),
                        ("folders", "c1"),
                        ("folders", "c2"),
                        *(("registries", f"f{number}") for number in range(1, 5)),
                        *(("repositories", f"r{number}") for number in range(1, 6)),
                        *(("images", f"r{number}") for number in range(1, 6)),
                    ]
                ),
                st.sampled_from(("complete", *STATUSES)),
            ).map(lambda pair: (*pair[0], pair[1])),
            unique_by=lambda row: row[:2],
            max_size=8,
        ).map(tuple),
    )


_NAMES = [f"r{registry_}/{path}" for registry_ in (1, 2, 3, 6) for path in ("a", "b/c", "d")]
_DIGESTS = st.sampled_from([None, "odd", "sha512:1", *map(digest, range(6))])
_SIZES = st.sampled_from([0, 1, 10, 11, 2**53 + 1, 2**60 - 1])
_BLOBS = st.builds(Blob, _DIGESTS, _SIZES)
# Most often a digest has one size: that it has two is the exception.
_USUAL = st.integers(0, 5).map(lambda number: Blob(digest(number), 10 + number))


def oci_worlds() -> st.SearchStrategy[World]:
    """Estates of OCI registries: indexes of indexes, missing children, subjects, foreign layers."""
    registries = (("r1", "f1", "c1"), ("r2", "f1", "c1"), ("r3", "f3", "c2"))
    listings = [
        *(("repositories", registry_) for registry_, _, _ in registries),
        *((listing, name) for listing in _OF_REPOSITORY for name in _NAMES[:7]),
    ]
    return st.builds(
        World,
        images=_manifests(),
        clouds=st.just(("c1", "c2")),
        folders=st.just((("f1", "c1"), ("f3", "c2"))),
        registries=st.just(registries),
        repositories=st.lists(st.sampled_from(_NAMES), unique=True).map(tuple),
        coverage=st.lists(
            st.tuples(st.sampled_from(listings), st.sampled_from(("complete", *STATUSES))).map(
                lambda pair: (*pair[0], pair[1])
            ),
            unique_by=lambda row: row[:2],
            max_size=12,
        ).map(tuple),
        visible=st.frozensets(st.sampled_from(["r1", "r2", "r3"])),
    )


_OF_REPOSITORY = ("tags", "manifests", "configs", "untagged")


def _manifests() -> st.SearchStrategy[tuple[Image, ...]]:
    """Manifests whose digests are few, so that much refers to something that is there."""
    few = st.integers(0, 7).map(digest)
    layer = st.builds(
        lambda blob, distributable: replace(blob, distributable=distributable),
        st.one_of(_USUAL, _USUAL, _BLOBS),
        st.sampled_from([True, True, False]),
    )
    usual = {
        "image_id": st.just(""),
        "repository_name": st.sampled_from(_NAMES[:4]),
        "digest": few,
        "tags": st.sampled_from([(), (), (), ("v1",), ("v1", "v2")]),
        "created_at": st.sampled_from(
            [None, START, START.replace(year=1), START.replace(year=1970), START.replace(year=2999)]
        ),
        "manifest_size": st.sampled_from([500, 700]),
        "subject": st.one_of(st.none(), st.none(), few),
    }
    index = st.builds(
        Image,
        **usual,
        kind=st.just("index"),
        children=st.lists(
            st.tuples(few, st.sampled_from([True, True, None, False])),
            max_size=3,
            unique_by=lambda child: child[0],
        ).map(tuple),
    )
    image = st.builds(
        Image,
        **usual,
        kind=st.sampled_from(["image", "artifact", "attestation", "schema1"]),
        layers=st.lists(layer, max_size=3).map(tuple),
        config=st.one_of(st.none(), _USUAL),
    )
    named = st.one_of(index, image).map(
        lambda one: replace(one, image_id=f"{one.repository_name}@{one.digest}")
    )
    return st.lists(named, max_size=14, unique_by=lambda one: one.image_id).map(tuple)


def _images() -> st.SearchStrategy[tuple[Image, ...]]:
    image = st.builds(
        Image,
        image_id=st.integers(0, 10**6).map(lambda number: f"image{number}"),
        repository_name=st.sampled_from(_NAMES),
        layers=st.lists(st.one_of(_USUAL, _USUAL, _BLOBS), max_size=5).map(tuple),
        config=st.one_of(st.none(), _USUAL, _BLOBS),
        tags=st.lists(st.sampled_from(["v1", "v2", "latest"]), max_size=3).map(tuple),
        compressed_size=st.one_of(st.none(), st.none(), st.just(7)),
        created_at=st.one_of(
            st.none(),
            st.integers(-60_000_000, 60_000_000).map(lambda n: START + timedelta(seconds=n)),
        ),
    )
    return st.lists(image, max_size=12, unique_by=lambda one: one.image_id).map(tuple)


def by_key(rows: Iterable[Mapping[str, Any]], *key: str) -> dict[tuple[Any, ...], Row]:
    """Return rows by their key, having checked that none stands twice."""
    keyed: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        values = tuple(row[name] for name in key)
        assert values not in keyed, f"{values} stands twice"
        keyed[values] = dict(row)
    return keyed
