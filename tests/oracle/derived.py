"""The tag index, the blobs and the findings: what follows from the listed rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.oracle.listed import image_row
from tests.oracle.values import Resource, Row, Rows, Tables


def tag_rows(listed: Tables) -> Rows:
    """Return a row for each tag of each image."""
    rows: dict[tuple[str, str, str], Row] = {}
    for image in listed["images"]:
        for tag in image["tags"]:
            rows[image["repository_name"], tag, image["image_id"]] = {
                "registry_id": image["registry_id"],
                "repository_name": image["repository_name"],
                "tag": tag,
                "image_id": image["image_id"],
                "digest": image["digest"],
                "created_at": image["created_at"],
            }
    return list(rows.values())


def blob_rows(listed: Tables) -> Rows:
    """Return a row for each digest of a registry's layers, and for each of its configs'."""
    rows: Rows = []
    for kind, table in (("layer", "layers"), ("config", "config_blobs")):
        users: dict[tuple[str, str], Rows] = defaultdict(list)
        for use in listed[table]:
            if use["digest"] is not None:
                users[use["registry_id"], use["digest"]].append(use)
        for (registry_id, digest), uses in users.items():
            rows.append(
                {
                    "registry_id": registry_id,
                    "digest": digest,
                    "kind": kind,
                    "size": max(use["size"] for use in uses),
                    "image_count": len({use["image_id"] for use in uses}),
                    "reference_count": len(uses),
                    "repository_count": len({use["repository_name"] for use in uses}),
                }
            )
    return rows


def finding_rows(
    listed: Tables, images: Iterable[Resource] = (), coverage: Iterable[Row] = ()
) -> Rows:
    """Return the findings without their `detail`, which is a sentence in the program's words.

    `images` are the images as the pages showed them, those that came twice included: two
    contents under one id are a finding. The columns that say where a finding is are those
    that the finding determines; the others are null. A repository list that is not complete in
    `coverage` says nothing about the repositories it does not name.
    """
    return [
        *_size_conflicts(listed),
        *_size_mismatches(listed),
        *_tags_on_two_images(listed),
        *_changed_images(images),
        *_unlisted_repositories(listed, coverage),
    ]


def _finding(
    kind: str,
    subject: str,
    registry_id: str | None,
    repository_name: str | None = None,
    image_id: str | None = None,
) -> Row:
    return {
        "kind": kind,
        "registry_id": registry_id,
        "repository_name": repository_name,
        "image_id": image_id,
        "subject": subject,
    }


def _size_conflicts(listed: Tables) -> Rows:
    sizes: dict[str, set[int]] = defaultdict(set)
    registries: dict[str, set[str]] = defaultdict(set)
    for use in [*listed["layers"], *listed["config_blobs"]]:
        if use["digest"] is not None:
            sizes[use["digest"]].add(use["size"])
            registries[use["digest"]].add(use["registry_id"])
    # A digest that several registries list has one row all the same, which names none of them.
    return [
        _finding(
            "size_conflict",
            digest,
            next(iter(registries[digest])) if len(registries[digest]) == 1 else None,
        )
        for digest, seen in sizes.items()
        if len(seen) > 1
    ]


def _size_mismatches(listed: Tables) -> Rows:
    sums: dict[str, int] = defaultdict(int)
    for layer in listed["layers"]:
        sums[layer["image_id"]] += layer["size"]
    return [
        _image_finding("size_mismatch", image)
        for image in listed["images"]
        if image["compressed_size"] != sums[image["image_id"]]
    ]


def _tags_on_two_images(listed: Tables) -> Rows:
    images: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in tag_rows(listed):
        images[row["registry_id"], row["repository_name"], row["tag"]].add(row["image_id"])
    return [
        _finding("tag_on_two_images", f"{name}:{tag}", registry_id, name)
        for (registry_id, name, tag), found in images.items()
        if len(found) > 1
    ]


def _changed_images(images: Iterable[Resource]) -> Rows:
    first: dict[str, Resource] = {}
    changed: dict[str, Row] = {}
    for image in images:
        before = first.setdefault(image["id"], image)
        if before != image:
            changed[image["id"]] = _image_finding("image_changed", image_row(before, {}))
    return list(changed.values())


def _unlisted_repositories(listed: Tables, coverage: Iterable[Row]) -> Rows:
    unknown = {
        row["parent_id"]
        for row in coverage
        if row["listing"] == "repositories" and row["status"] != "complete"
    }
    named = {row["repository_name"] for row in listed["repositories"]}
    found = {row["repository_name"]: row["registry_id"] for row in listed["images"]}
    return [
        _finding("unlisted_repository", name, registry_id, name)
        for name, registry_id in found.items()
        if name not in named and registry_id not in unknown
    ]


def _image_finding(kind: str, image: Row) -> Row:
    return _finding(
        kind,
        image["image_id"],
        image["registry_id"],
        image["repository_name"],
        image["image_id"],
    )
