"""The derived tables by the contract's words, in plain Python, one scope at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.derive.estates import Row, Tables


def in_known_registries(listed: Tables) -> Tables:
    """Return the rows with no registry where the one they name was not listed."""
    known = {row["registry_id"] for row in listed["registries"]}
    return {
        name: [
            row | {"registry_id": row["registry_id"] if row["registry_id"] in known else None}
            if "registry_id" in row
            else row
            for row in rows
        ]
        for name, rows in listed.items()
    }


def reachable(listed: Tables) -> set[str]:
    """Return the ids of the images that a tag leads to; of the cloud, those that have one."""
    images = {image["image_id"]: image for image in listed["images"]}
    found: set[str] = set()
    waiting = [id_ for id_, image in images.items() if image["tags"]]
    while waiting:
        id_ = waiting.pop()
        if id_ in found or id_ not in images:
            continue
        found.add(id_)
        waiting += [
            row["child_image_id"] for row in listed["image_references"] if row["image_id"] == id_
        ]
        waiting += [
            other
            for other, image in images.items()
            if image["subject_digest"]
            and f"{image['repository_name']}@{image['subject_digest']}" == id_
        ]
    return found


def stored(listed: Tables) -> Tables:
    """Return the rows where layers that no registry stores have no digest."""
    layers = [
        row | {"digest": None} if row["distributable"] is False else row for row in listed["layers"]
    ]
    return {**listed, "layers": layers}


def tags(listed: Tables) -> set[tuple[Any, ...]]:
    return {
        (
            image["registry_id"],
            image["repository_name"],
            tag,
            image["image_id"],
            image["digest"],
            image["created_at"],
        )
        for image in listed["images"]
        for tag in image["tags"]
    }


def blobs(listed: Tables) -> dict[tuple[str, str, str], Row]:
    """Return the rows of `blobs` by registry, digest and kind."""
    listed = stored(in_known_registries(listed))
    rows: dict[tuple[str, str, str], Row] = {}
    for kind, table in (("layer", "layers"), ("config", "config_blobs")):
        uses = [use for use in listed[table] if use["digest"] is not None]
        for registry_id, digest in {(use["registry_id"], use["digest"]) for use in uses}:
            own = [u for u in uses if (u["registry_id"], u["digest"]) == (registry_id, digest)]
            rows[registry_id, digest, kind] = {
                "registry_id": registry_id,
                "digest": digest,
                "kind": kind,
                "size": max(use["size"] for use in own),
                "image_count": len({use["image_id"] for use in own}),
                "reference_count": len(own),
                "repository_count": len({use["repository_name"] for use in own}),
            }
    return rows


def size_totals(listed: Tables) -> dict[tuple[str, str], Row]:
    """Return the rows of `size_totals` by scope and id."""
    listed = stored(in_known_registries(listed))
    reached = reachable(listed)
    is_oci = any(row.get("source") == "oci" for row in listed["registries"])
    blind = {
        row["registry_id"] for row in listed["registries"] if row.get("untagged_visible") is False
    }
    parents = {
        row["registry_id"]: (row["folder_id"], row["cloud_id"], row["name"])
        for row in listed["registries"]
    }
    names: dict[str, str] = {
        row["repository_name"]: row["registry_id"]
        for row in [*listed["repositories"], *listed["images"]]
    }
    registries = set(parents)
    rows: dict[tuple[str, str], Row] = {}

    def add(
        scope: str, scope_id: str, name: str | None, ids: tuple[Any, ...], inside: set[Any]
    ) -> None:
        wanted = {name: registry for name, registry in names.items() if registry in inside}
        if scope == "repository":
            wanted = {scope_id: names[scope_id]}
        registry_id, folder_id, cloud_id = ids
        known = not blind & ({registry_id} if scope == "repository" else inside)
        measures = _measures(listed, set(wanted), reached)
        if not known:
            measures |= {"untagged_image_count": None, "untagged_size": None}
        if not is_oci:
            measures |= {"index_count": None, "manifest_size": None}
        rows[scope, scope_id] = {
            "scope": scope,
            "scope_id": scope_id,
            "scope_name": name,
            "registry_id": registry_id,
            "folder_id": folder_id,
            "cloud_id": cloud_id,
            "repository_count": len(wanted),
            **measures,
            "complete": _complete(listed, scope, scope_id, names, parents),
            "untagged_known": known if is_oci else None,
        }

    for registry_id in registries:
        folder_id, cloud_id, name = parents.get(registry_id, (None, None, None))
        ids = (registry_id, folder_id, cloud_id)
        add("registry", registry_id, name, ids, {registry_id})
        for repository_name in [one for one, of in names.items() if of == registry_id]:
            add("repository", repository_name, repository_name.split("/", 1)[1], ids, set())
    for row in listed["folders"]:
        inside = {one for one in parents if parents[one][0] == row["folder_id"]}
        ids = (None, row["folder_id"], row["cloud_id"])
        add("folder", row["folder_id"], row["name"], ids, inside)
    for row in listed["clouds"]:
        inside = {one for one in parents if parents[one][1] == row["cloud_id"]}
        add("cloud", row["cloud_id"], row["name"], (None, None, row["cloud_id"]), inside)
    add("total", "*", None, (None, None, None), {*registries, None})
    return rows


def _measures(listed: Tables, repositories: set[str], reached: set[str]) -> Row:
    images = [image for image in listed["images"] if image["repository_name"] in repositories]
    ids = {image["image_id"] for image in images}
    untagged = ids - reached
    manifests = {(one["registry_id"], one["digest"]): one["manifest_size"] for one in images}
    for one in images:
        size = manifests[one["registry_id"], one["digest"]]
        manifests[one["registry_id"], one["digest"]] = max(size or 0, one["manifest_size"] or 0)
    layers = [layer for layer in listed["layers"] if layer["image_id"] in ids]
    configs = [config for config in listed["config_blobs"] if config["image_id"] in ids]
    sizes, users = _by_digest(listed["layers"])
    config_sizes, _ = _by_digest(listed["config_blobs"])
    held = {(one["registry_id"], one["digest"]) for one in layers if one["digest"] is not None}
    held_configs = {(o["registry_id"], o["digest"]) for o in configs if o["digest"] is not None}
    times = [image["created_at"] for image in images if image["created_at"] is not None]
    return {
        "image_count": len(images),
        "tagged_image_count": sum(bool(image["tags"]) for image in images),
        "untagged_image_count": len(untagged),
        "tag_count": sum(len(image["tags"]) for image in images),
        "layer_count": len(layers),
        "blob_count": len(held),
        "logical_size": sum(image["compressed_size"] or 0 for image in images),
        "stored_size": sum(sizes[blob] for blob in held),
        "exclusive_size": sum(sizes[blob] for blob in held if users[blob] <= ids),
        "untagged_size": sum(sizes[blob] for blob in held if users[blob] <= untagged),
        "config_size": sum(config_sizes[blob] for blob in held_configs),
        "oldest_image_at": min(times, default=None),
        "newest_image_at": max(times, default=None),
        "index_count": sum(image["kind"] == "index" for image in images),
        "manifest_size": sum(manifests.values()),
    }


def _by_digest(
    uses: list[Row],
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], set[str]]]:
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for use in uses:
        blob = (use["registry_id"], use["digest"])
        sizes[blob] = max(sizes[blob], use["size"])
        users[blob].add(use["image_id"])
    return sizes, users


def _complete(
    listed: Tables,
    scope: str,
    scope_id: str,
    names: dict[str, str],
    parents: dict[str, tuple[Any, ...]],
) -> bool:
    cloud_of = {row["folder_id"]: row["cloud_id"] for row in listed["folders"]}
    for row in listed["coverage"]:
        listing, parent, status = row["listing"], row["parent_id"], row["status"]
        inside: set[tuple[str, str | None]] = {("total", "*")}
        if listing == "folders":
            inside |= {("cloud", parent)}
        elif listing == "registries":
            inside |= {("folder", parent), ("cloud", cloud_of.get(parent))}
        elif listing in ("tags", "manifests", "configs", "untagged"):
            registry = parent.split("/")[0]
            folder_id, cloud_id, _ = parents.get(registry, (None, None, None))
            inside |= {("repository", parent), ("registry", registry)}
            inside |= {("folder", folder_id), ("cloud", cloud_id)}
        elif listing != "clouds":
            folder_id, cloud_id, _ = parents.get(parent, (None, None, None))
            inside |= {("registry", parent), ("folder", folder_id), ("cloud", cloud_id)}
        if listing == "images":
            inside |= {("repository", name) for name, of in names.items() if of == parent}
        if listing in ("configs", "untagged") and status == "skipped":
            continue
        if (listing, status) == ("manifests", "vanished"):
            continue  # Only tags are gone.
        if status != "complete" and (scope, scope_id) in inside:
            return False
    return True


def _sizes(layers: list[Row], config: int) -> set[int]:
    """Return the four sums of an image's layers that its size may be."""
    digests = {one["digest"] for one in layers} - {None}
    largest = [max(one["size"] for one in layers if one["digest"] == each) for each in digests]
    once = sum(largest) + sum(one["size"] for one in layers if one["digest"] is None)
    often = sum(one["size"] for one in layers)
    return {once, often, once + config, often + config}


def findings(listed: Tables) -> set[tuple[Any, ...]]:
    """Return kind, registry, repository, image and subject, but for changed images."""
    found: set[tuple[Any, ...]] = set()
    known_only = stored(in_known_registries(listed))
    uses = [use for use in [*known_only["layers"], *known_only["config_blobs"]] if use["digest"]]
    for digest in {use["digest"] for use in uses}:
        own = [use for use in uses if use["digest"] == digest]
        inside = {use["registry_id"] for use in own}
        if len({use["size"] for use in own}) > 1:
            registry_id = min(inside) if len(inside) == 1 else None
            found.add(("size_conflict", registry_id, None, None, digest))
    tagged: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for image in listed["images"]:
        where = (image["registry_id"], image["repository_name"])
        layers = [one for one in listed["layers"] if one["image_id"] == image["image_id"]]
        config = sum(
            one["size"] for one in listed["config_blobs"] if one["image_id"] == image["image_id"]
        )
        if image["kind"] != "index" and image["compressed_size"] not in _sizes(layers, config):
            found.add(("size_mismatch", *where, image["image_id"], image["image_id"]))
        for tag in image["tags"]:
            tagged[(*where, tag)].add(image["image_id"])
    for (registry_id, name, tag), images in tagged.items():
        if len(images) > 1:
            found.add(("tag_on_two_images", registry_id, name, None, f"{name}:{tag}"))
    known = {row["repository_name"] for row in listed["repositories"]}
    named = {
        row["parent_id"]
        for row in listed["coverage"]
        if row["listing"] == "repositories" and row["status"] == "complete"
    }
    for image in known_only["images"]:
        if image["repository_name"] not in known and image["registry_id"] in named:
            where = (image["registry_id"], image["repository_name"])
            found.add(("unlisted_repository", *where, None, image["repository_name"]))
    for row in [*known_only["images"], *known_only["repositories"]]:
        if row["registry_id"] is None:
            name = row["repository_name"]
            found.add(("unknown_registry", None, name, None, name))
    return found | _oci_findings(listed)


def _oci_findings(listed: Tables) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    images = {image["image_id"]: image for image in listed["images"]}
    whole = {(one["listing"], one["parent_id"]) for one in listed["coverage"]
             if one["status"] == "complete"}  # fmt: skip
    missing: dict[str, list[Row]] = defaultdict(list)
    for row in listed["image_references"]:
        if row["present"] is False:
            missing[row["child_image_id"]].append(row)
    for subject, rows in missing.items():
        row = min(rows, key=lambda one: str(one["image_id"]))
        where = (row["registry_id"], row["repository_name"], row["image_id"])
        found.add(("missing_child", *where, subject))
    referrers: dict[str, list[Row]] = defaultdict(list)
    for id_, image in images.items():
        where = (image["registry_id"], image["repository_name"], id_)
        if image["kind"] == "schema1":
            found.add(("schema1_manifest", *where, id_))
        wrong_years = (1, 2999) if listed["coverage"] else (1,)  # The run's end is in the ledger.
        if image["kind"] and image["created_at"] and image["created_at"].year in wrong_years:
            found.add(("implausible_time", *where, id_))
        if image["subject_digest"]:
            referrers[f"{image['repository_name']}@{image['subject_digest']}"].append(image)
    # Manifests of which some vanished were all asked for.
    asked = {
        one["parent_id"]
        for one in listed["coverage"]
        if one["listing"] == "manifests" and one["status"] in ("complete", "vanished")
    }
    for subject, rows in referrers.items():
        row = min(rows, key=lambda one: str(one["image_id"]))
        where = (row["registry_id"], row["repository_name"], row["image_id"])
        if subject not in images and row["repository_name"] in asked:
            found.add(("dangling_subject", *where, subject))
    having = {image["repository_name"] for image in images.values()}
    oci = {row["registry_id"] for row in listed["registries"] if row.get("source") == "oci"}
    unread = {
        one["parent_id"]
        for one in listed["coverage"]
        if one["listing"] == "manifests" and one["status"] not in ("complete", "vanished")
    }
    for row in listed["repositories"]:
        name, registry_id = row["repository_name"], row["registry_id"]
        is_listed = ("tags", name) in whole and name not in unread
        if registry_id in oci and name not in having and is_listed:
            found.add(("empty_repository", registry_id, name, None, name))
    return found
