"""That manifests become the rows that the data model states, and totals and findings follow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from exporter.derive.conclude import conclude
from exporter.derive.recheck import recompute_problems
from exporter.sources.oci.decode import media_types as types
from exporter.sources.oci.decode.manifest import Manifest
from exporter.sources.oci.rows import ImageRows, Place, Rows
from exporter.staging.layout import staged_parts
from exporter.staging.parquet import Parts, write_table
from exporter.tables.schemas import TABLES
from exporter.tables.staged import STAGED
from tests.derive.estates import by_key, read, write
from tests.sources.manifests import (
    ATTESTATION,
    OCI_LAYER,
    Json,
    child,
    descriptor,
    digest,
    digest_of,
    image,
    index,
    schema1,
)

HOST = "registry.example:5000"
APP = f"{HOST}/team/app"
CONFIG = {
    "created": "2024-01-02T03:04:05.123456789Z",
    "os": "windows",
    "os.version": "10.0.1",
    "architecture": "arm64",
    "variant": "v8",
    "config": {"Labels": {"team": "a"}},
}
CREATED = datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)


class Repository:
    """Manifests pushed to one repository, and their rows."""

    def __init__(self, name: str = APP) -> None:
        self.name = name
        self.made = ImageRows(Place(HOST, name))
        self.rows: Rows = {}
        self.present: dict[str, bool | None] = {}

    def push(
        self,
        content: Json,
        *tags: str,
        config: Json | None = None,
        sizes: dict[str, int | None] | None = None,
    ) -> str:
        """Make the rows of a manifest, and return its digest."""
        body = orjson.dumps(content)
        read = self.made.read(digest_of(body), body, "")
        self.present[read.digest] = True
        self.add(read, tags, config, sizes or {})
        return read.digest

    def add(
        self,
        read: Manifest,
        tags: tuple[str, ...],
        config: Json | None,
        sizes: dict[str, int | None],
    ) -> None:
        self.made.add(
            self.rows,
            read,
            tags=tags,
            config=None if config is None else orjson.dumps(config),
            sizes=sizes,
        )
        if read.children:
            self.made.add_references(self.rows, read, self.present)

    def row(self, table: str = "images", place: int = -1) -> dict[str, Any]:
        return self.rows[table][place]


def test_an_images_row_has_what_its_manifest_and_its_config_tell() -> None:
    pushed = Repository()
    subject = descriptor(8)
    content = image(descriptor(1, 30), descriptor(1, 30), annotations={"a": "b"}, subject=subject)
    found = pushed.push(content, "v2", "v1", config=CONFIG)
    place = {"registry_id": HOST, "repository_name": APP, "image_id": f"{APP}@{found}"}
    assert pushed.row() == {
        **place,
        "digest": found,
        "compressed_size": 60,
        "config_digest": digest(99),
        "layer_count": 2,
        "tag_count": 2,
        "tags": ["v1", "v2"],
        "created_at": CREATED,
        "kind": "image",
        "media_type": types.OCI_MANIFEST,
        "artifact_type": None,
        "manifest_size": len(orjson.dumps(content)),
        "os": "windows",
        "os_version": "10.0.1",
        "architecture": "arm64",
        "variant": "v8",
        "subject_digest": digest(8),
        "annotations": [("a", "b")],
        "labels": [("team", "a")],
        "created_source": "config",
    }
    assert pushed.row("layers", 1) == {
        **place,
        "position": 1,
        "blob_id": digest(1),
        "digest": digest(1),
        "size": 30,
        "urls": [],
        "media_type": OCI_LAYER,
        "distributable": True,
    }
    assert pushed.row("config_blobs")["size"] == 7
    assert "bad_values" not in pushed.rows


@pytest.mark.parametrize(
    ("media_type", "stored"),
    [
        (OCI_LAYER, True),
        ("application/vnd.oci.image.layer.v1.tar+zstd", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", False),
    ],
)
def test_a_layer_tells_whether_registries_store_it(media_type: str, stored: bool) -> None:
    pushed = Repository()
    pushed.push(image(descriptor(1, 30, media_type, urls=["https://elsewhere"])))
    assert pushed.row("layers")["distributable"] is stored
    assert pushed.row("layers")["urls"] == ["https://elsewhere"]
    assert pushed.row()["compressed_size"] == 30


def test_a_time_comes_from_the_config_or_the_annotation_or_the_registry() -> None:
    pushed, other = Repository(), datetime(2020, 1, 1, tzinfo=UTC)
    noted = {"org.opencontainers.image.created": "2020-01-01T00:00:00Z"}
    pushed.push(image(annotations=noted), config=CONFIG)
    pushed.push(image(annotations=noted), config={"created": None})
    pushed.push(index(annotations=noted))
    pushed.push(image())
    body = orjson.dumps(index())
    read = pushed.made.read(digest_of(body), body, "")
    pushed.made.add(pushed.rows, read, tags=(), config=None, sizes={}, seen_at=other)
    assert [(row["created_at"], row["created_source"]) for row in pushed.rows["images"]] == [
        (CREATED, "config"),
        (other, "annotation"),
        (other, "annotation"),
        (None, None),
        (other, "registry"),
    ]


def test_an_index_has_references_and_no_size() -> None:
    pushed = Repository()
    pushed.present = {digest(1): True, digest(2): False}
    found = pushed.push(
        index(
            child(1, "linux/amd64"),
            child(2, "unknown/unknown", annotations=ATTESTATION),
            {"mediaType": types.OCI_MANIFEST, "digest": "no digest", "size": 1},
            child(3, media_type="application/vnd.new+json"),
        ),
        "latest",
    )
    row = pushed.row()
    assert (row["kind"], row["compressed_size"], row["layer_count"]) == ("index", None, 0)
    assert (row["config_digest"], row["labels"], row["os"]) == (None, None, None)
    assert pushed.row("image_references", 0) == {
        "image_id": f"{APP}@{found}",
        "position": 0,
        "registry_id": HOST,
        "repository_name": APP,
        "child_digest": digest(1),
        "child_image_id": f"{APP}@{digest(1)}",
        "media_type": types.OCI_MANIFEST,
        "size": 500,
        "os": "linux",
        "os_version": None,
        "architecture": "amd64",
        "variant": None,
        "relation": "platform",
        "annotations": [],
        "present": True,
    }
    places = [(each["position"], each["present"]) for each in pushed.rows["image_references"]]
    assert places == [(0, True), (1, False), (3, None)]
    assert "layers" not in pushed.rows


def test_schema_1_has_the_sizes_that_were_asked_for() -> None:
    pushed = Repository()
    pushed.push(schema1(1, 2, 1, 3, v1=CONFIG), sizes={digest(1): 10, digest(2): None})
    assert [row["size"] for row in pushed.rows["layers"]] == [10, 0, 10, 0]
    row = pushed.row()
    assert (row["kind"], row["compressed_size"], row["architecture"]) == ("schema1", 20, "arm64")
    assert (row["labels"], row["created_source"]) == ([("team", "a")], "config")


def test_what_is_attached_to_an_image_is_no_image() -> None:
    pushed = Repository()
    pushed.push(image(descriptor(1)), f"sha256-{'a' * 64}.sig")
    pushed.push(image(descriptor(1)), f"sha256-{'a' * 64}.sig", "v1")
    pushed.push(index(), f"sha256-{'a' * 64}")
    kinds = [row["kind"] for row in pushed.rows["images"]]
    assert kinds == ["artifact", "image", "index"]


def test_what_the_crawl_sees_goes_with_the_next_rows() -> None:
    pushed = Repository()
    pushed.made.note_junk(["-x", "null"])
    pushed.made.note_mismatch(digest(5), digest(6))
    first = pushed.push(image(descriptor(1, -4), mediaType="application/vnd.new+json"))
    second = pushed.push(image(), config={"os": 5})
    rows = pushed.rows["bad_values"]
    assert [(row["kind"], row["subject"], row["image_id"]) for row in rows] == [
        ("invalid_tag", f"{APP}:-x", None),
        ("invalid_tag", f"{APP}:null", None),
        ("digest_mismatch", f"{APP}@{digest(5)}", f"{APP}@{digest(5)}"),
        (None, f"{APP}@{first}", f"{APP}@{first}"),
        ("unknown_media_type", f"{APP}@{first}", f"{APP}@{first}"),
        (None, f"{APP}@{second}", f"{APP}@{second}"),
    ]
    assert digest(6) in rows[2]["detail"]
    assert pushed.row()["os"] is None


def staged(staging: Path, *repositories: Repository, coverage: list[Json]) -> Path:
    """Write what was listed, derive the rest, and check that it follows when computed again."""
    registry = {"registry_id": HOST, "name": HOST, "source": "oci", "untagged_visible": False}
    small: dict[str, list[Json]] = {
        "registries": [registry],
        "repositories": [
            {"repository_id": one.name, "repository_name": one.name, "registry_id": HOST}
            for one in repositories
        ],
    }
    for name in ("clouds", "folders", "registries", "repositories"):
        write(staging, name, [small.get(name, [])])
    with Parts(staging, {}) as parts:
        for one in repositories:
            parts.append(
                {
                    name: pa.Table.from_pylist(rows, STAGED[name].schema)
                    for name, rows in one.rows.items()
                }
            )
        parts.close()
    for name in ("layers", "image_references", "config_blobs"):
        if not staged_parts(staging, name):
            write_table(staging, TABLES[name], [])
    ledger = [dict.fromkeys(TABLES["coverage"].schema.names) | row for row in coverage]
    table = pa.Table.from_pylist(ledger, TABLES["coverage"].schema)
    files = conclude(staging, {}, lambda _: table, ["parquet", "ndjson"])
    assert {file.table for file in files} == set(TABLES)
    parts_of = {name: staged_parts(staging, name) for name in TABLES}
    assert recompute_problems(parts_of, staging) == []
    return staging


def test_totals_and_findings_follow_from_a_registrys_rows(tmp_path: Path) -> None:
    pushed, empty = Repository(), Repository(f"{HOST}/empty")
    foreign = descriptor(3, 1000, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    arm = pushed.push(image(descriptor(1, 10), descriptor(2, 20), foreign), config=CONFIG)
    nested = pushed.push(index(child(0) | {"digest": arm}))
    gone = digest(77)
    top = pushed.push(
        index(child(0, media_type=types.OCI_INDEX) | {"digest": nested}, child(77, "linux/amd64")),
        "v1",
    )
    pushed.rows["image_references"][-1]["present"] = False
    of_top = pushed.push(image(descriptor(4, 5), subject={"digest": top}))
    lost = pushed.push(image(descriptor(5, 7), subject={"digest": digest(66)}))
    pushed.push(schema1(6, 7), "old", sizes={digest(6): 1, digest(7): 2})
    future = CONFIG | {"created": "2999-01-01T00:00:00Z"}
    late = pushed.push(image(descriptor(1, 10)), "late", config=future)
    pushed.made.note_junk(["-x"])
    pushed.made.add_notes(pushed.rows)
    end = {"finished_at": CREATED}
    listings = [("repositories", HOST, "complete"), ("tags", empty.name, "complete")]
    listings += [(one, pushed.name, "complete") for one in ("tags", "manifests", "configs")]
    listings += [(one, two.name, "skipped") for one in ("untagged",) for two in (pushed, empty)]
    ledger = [
        {"listing": listing, "parent_id": parent, "status": status, **end}
        for listing, parent, status in listings
    ]
    staging = staged(tmp_path, pushed, empty, coverage=ledger)
    reachable = {row["digest"]: row["reachable"] for row in read(staging, "images")}
    assert {one for one, is_reachable in reachable.items() if not is_reachable} == {lost}
    total = by_key(read(staging, "size_totals"), "scope", "scope_id")
    app = total["repository", APP]
    assert app["logical_size"] == 1030 + 5 + 7 + 3 + 10
    assert app["stored_size"] == app["exclusive_size"] == 30 + 5 + 7 + 3
    assert (app["untagged_size"], app["untagged_image_count"]) == (None, None)
    assert (app["index_count"], app["image_count"], app["tagged_image_count"]) == (2, 7, 3)
    assert app["manifest_size"] == sum(row["manifest_size"] for row in pushed.rows["images"])
    for key in (("repository", APP), ("registry", HOST), ("total", "*")):
        assert (total[key]["complete"], total[key]["untagged_known"]) == (True, False)
    findings = read(staging, "findings")
    assert [(row["kind"], row["subject"]) for row in findings] == [
        ("dangling_subject", f"{APP}@{digest(66)}"),
        ("empty_repository", empty.name),
        ("implausible_time", f"{APP}@{late}"),
        ("invalid_tag", f"{APP}:-x"),
        ("missing_child", f"{APP}@{gone}"),
        ("schema1_manifest", next(row["image_id"] for row in pushed.rows["images"]
                                  if row["kind"] == "schema1")),
    ]  # fmt: skip
    assert findings[4]["image_id"] == f"{APP}@{top}"
    assert of_top in reachable


def test_a_wrong_reachable_does_not_follow(tmp_path: Path) -> None:
    pushed = Repository()
    pushed.push(image(descriptor(1, 10)))
    staging = staged(tmp_path, pushed, coverage=[])
    rows = read(staging, "images")
    write(staging, "images", [[row | {"reachable": True} for row in rows]])
    found = recompute_problems({name: staged_parts(staging, name) for name in TABLES}, staging)
    (row,) = rows
    assert found == [
        f"images has a row whose reachable does not follow from the others: {row['image_id']}"
    ]
