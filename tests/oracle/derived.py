"""The tag index, the blobs and the findings: what follows from the listed rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.oracle.listed import World, first_of_each, image_row
from tests.oracle.totals import fitting, in_known_registries
from tests.oracle.values import Resource, Row, Rows, Tables, is_bad


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
    listed = in_known_registries(listed)
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
    listed: Tables, world: World, sums: Iterable[Row], coverage: Iterable[Row] = ()
) -> Rows:
    """Return the findings without their `detail`, which is a sentence in the program's words.

    `world` are the resources as the pages showed them, those that came twice included: two
    contents under one id are a finding. `sums` are the exact size totals. The columns that say
    where a finding is are those that the finding determines; the others are null. A repository
    list that is not complete in `coverage` says nothing about the repositories it does not name.
    """
    return [
        *_size_conflicts(listed),
        *_size_mismatches(listed),
        *_tags_on_two_images(listed),
        *_changed_images(world.images),
        *_unlisted_repositories(listed, coverage),
        *_unknown_registries(listed),
        *_bad_values(world),
        *_negative_sizes(listed),
        *_size_overflows(sums),
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
    listed = in_known_registries(listed)
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
    layers: dict[str, Rows] = defaultdict(list)
    for layer in listed["layers"]:
        layers[layer["image_id"]].append(layer)
    configs = {config["image_id"]: config["size"] for config in listed["config_blobs"]}
    return [
        _image_finding("size_mismatch", image)
        for image in listed["images"]
        if image["compressed_size"]
        not in _sums(layers[image["image_id"]], configs.get(image["image_id"], 0))
    ]


def _sums(layers: Rows, config: int) -> set[int]:
    """Return what an image's size may be: with its config or not, each layer once or as it stands.

    Of two sizes of one digest the larger counts; layers without a digest are all different.
    """
    once: dict[tuple[str | None, int | None], int] = {}
    for layer in layers:
        key = (layer["digest"], layer["position"] if layer["digest"] is None else None)
        once[key] = max(once.get(key, layer["size"]), layer["size"])
    sums = (sum(layer["size"] for layer in layers), sum(once.values()))
    return {total + more for total in sums for more in (0, config)}


def _tags_on_two_images(listed: Tables) -> Rows:
    images: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in tag_rows(listed):
        # A name that does not tell a registry may be that of several repositories.
        if row["registry_id"] is not None:
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
    listed = in_known_registries(listed)
    named = {row["repository_name"] for row in listed["repositories"]}
    found = {row["repository_name"]: row["registry_id"] for row in listed["images"]}
    return [
        _finding("unlisted_repository", name, registry_id, name)
        for name, registry_id in found.items()
        if name not in named and registry_id is not None and registry_id not in unknown
    ]


def _unknown_registries(listed: Tables) -> Rows:
    listed = in_known_registries(listed)
    found: dict[str, Row] = {}
    for row in [*listed["images"], *listed["repositories"]]:
        name, image_id = row["repository_name"], row.get("image_id")
        if row["registry_id"] is None:
            subject = str(name or image_id)
            image = None if name else image_id
            found[subject] = _finding("unknown_registry", subject, None, name, image)
    return list(found.values())


def _bad_values(world: World) -> Rows:
    rows = [
        _image_finding("bad_value", image_row(image, {}))
        for image in first_of_each(world.images)
        if is_bad(image)
    ]
    rows += [
        _finding("bad_value", each["id"], each["id"] if each in world.registries else None)
        for each in [*world.clouds, *world.folders, *world.registries]
        if is_bad(each)
    ]
    return rows + [_finding("bad_value", *lost) for lost in world.lost]


def _negative_sizes(listed: Tables) -> Rows:
    found = {row["image_id"] for row in listed["images"] if row["compressed_size"] < 0}
    for name in ("layers", "config_blobs"):
        found |= {row["image_id"] for row in listed[name] if row["size"] < 0}
    return [
        _image_finding("negative_size", image)
        for image in listed["images"]
        if image["image_id"] in found
    ]


def _size_overflows(sums: Iterable[Row]) -> Rows:
    return [
        _finding(
            "size_overflow",
            f"{row['scope']} {row['scope_id']}",
            row["registry_id"],
            row["scope_id"] if row["scope"] == "repository" else None,
        )
        for row in sums
        if row != fitting(row)
    ]


def _image_finding(kind: str, image: Row) -> Row:
    return _finding(
        kind,
        image["image_id"],
        image["registry_id"],
        image["repository_name"],
        image["image_id"],
    )
