"""The size totals, by the contract's formulas, registry by registry with plain sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.oracle.schema import of_cloud
from tests.oracle.values import Row, Rows, Tables


@dataclass
class _Use:
    """Who uses one digest within one registry, and how large it is."""

    size: int = 0
    images: set[str] = field(default_factory=set)


@dataclass
class _Registry:
    """One registry's images and blobs; layers and configs are apart, as the contract has them."""

    images: Rows = field(default_factory=list)
    layers: dict[str, _Use] = field(default_factory=lambda: defaultdict(_Use))
    configs: dict[str, _Use] = field(default_factory=lambda: defaultdict(_Use))


@dataclass
class _Scope:
    """One row to be: who it is, and which registries it spans."""

    scope: str
    scope_id: str
    scope_name: str | None
    registry_id: str | None
    folder_id: str | None
    cloud_id: str | None
    registries: list[str | None]


def in_known_registries(listed: Tables) -> Tables:
    """Return the rows without the registry they name where none of that id was listed.

    Such rows are in no scope but the total.
    """
    known = {row["registry_id"] for row in listed["registries"]}
    return {
        name: [
            row
            if row.get("registry_id") in known or "registry_id" not in row
            else row | {"registry_id": None}
            for row in rows
        ]
        for name, rows in listed.items()
    }


def fitting(row: Row) -> Row:
    """Return a row with the nearest numbers that 64 bits hold."""
    return {
        name: min(max(value, -(1 << 63)), (1 << 63) - 1) if type(value) is int else value
        for name, value in row.items()
    }


def size_total_rows(
    listed: Tables, coverage: Iterable[Row] = (), places: Mapping[str, str] | None = None
) -> Rows:
    """Return a row for each repository, registry, folder and cloud, and one for all together.

    `coverage` needs `listing`, `parent_id` and `status`; listings it does not name count as
    complete. `places` says what is in what where that is in no table: a folder's cloud, a
    registry's folder. Repositories are those that a list names and those that only images name.
    Sums are exact, whether 64 bits hold them or not (`fitting`).
    """
    listed = in_known_registries(listed)
    registries = _registries(listed)
    incomplete = _incomplete(listed, coverage, places or {})
    names = _repository_names(listed)
    rows = []
    for scope in _scopes(listed, names):
        inside = [registries[each] for each in scope.registries]
        only = scope.scope_id if scope.scope == "repository" else None
        rows.append(
            {
                "scope": scope.scope,
                "scope_id": scope.scope_id,
                "scope_name": scope.scope_name,
                "registry_id": scope.registry_id,
                "folder_id": scope.folder_id,
                "cloud_id": scope.cloud_id,
                "repository_count": 1 if only else sum(len(names[r]) for r in scope.registries),
                **_sizes(inside, only),
                "complete": (scope.scope, scope.scope_id) not in incomplete,
                **of_cloud("size_totals"),
            }
        )
    return rows


def _incomplete(
    listed: Tables, coverage: Iterable[Row], places: Mapping[str, str]
) -> set[tuple[str, str]]:
    """Return the scopes that hold a listing which is not complete, by kind and id."""
    above: dict[str, set[str]] = defaultdict(set)
    for inner, outer in places.items():
        above[inner].add(outer)
    for folder in listed["folders"]:
        above[folder["folder_id"]].add(folder["cloud_id"])
    for registry in listed["registries"]:
        above[registry["registry_id"]] |= {registry["folder_id"], registry["cloud_id"]}
    found: set[tuple[str, str]] = set()
    for row in coverage:
        if row["status"] == "complete":
            continue
        reached = {row["parent_id"]}
        while more := {outer for each in reached for outer in above.get(each, ())} - reached:
            reached |= more
        found |= {(scope, each) for scope in ("registry", "folder", "cloud") for each in reached}
        found.add(("total", "*"))
        if row["listing"] == "images":
            inside = _repository_names(listed)[row["parent_id"]]
            found |= {("repository", name) for name in inside}
    return found


def _registries(listed: Tables) -> dict[str | None, _Registry]:
    registries: dict[str | None, _Registry] = defaultdict(_Registry)
    for image in listed["images"]:
        registries[image["registry_id"]].images.append(image)
    for layer in listed["layers"]:
        _add_use(registries[layer["registry_id"]].layers, layer)
    for config in listed["config_blobs"]:
        _add_use(registries[config["registry_id"]].configs, config)
    return registries


def _add_use(blobs: dict[str, _Use], row: Row) -> None:
    if row["digest"] is not None:
        use = blobs[row["digest"]]
        use.size = max(use.size, row["size"]) if use.images else row["size"]
        use.images.add(row["image_id"])


def _repository_names(listed: Tables) -> dict[str | None, set[str]]:
    names: dict[str | None, set[str]] = defaultdict(set)
    for row in [*listed["repositories"], *listed["images"]]:
        if row["repository_name"] is not None:
            names[row["registry_id"]].add(row["repository_name"])
    return names


def _scopes(listed: Tables, names: dict[str | None, set[str]]) -> list[_Scope]:
    total = _Scope("total", "*", None, None, None, None, [None])
    scopes = [total]
    clouds = {row["cloud_id"]: _cloud_scope(row) for row in listed["clouds"]}
    folders = {row["folder_id"]: _folder_scope(row) for row in listed["folders"]}
    for row in listed["registries"]:
        registry = _registry_scope(row)
        above = [folders.get(row["folder_id"]), clouds.get(row["cloud_id"]), total]
        for scope in above:
            if scope:
                scope.registries.append(row["registry_id"])
        scopes.append(registry)
        scopes.extend(_repository_scope(registry, name) for name in names[row["registry_id"]])
    return [*scopes, *folders.values(), *clouds.values()]


def _cloud_scope(row: Row) -> _Scope:
    return _Scope("cloud", row["cloud_id"], row["name"], None, None, row["cloud_id"], [])


def _folder_scope(row: Row) -> _Scope:
    folder_id = row["folder_id"]
    return _Scope("folder", folder_id, row["name"], None, folder_id, row["cloud_id"], [])


def _registry_scope(row: Row) -> _Scope:
    registry_id = row["registry_id"]
    parents = (registry_id, row["folder_id"], row["cloud_id"])
    return _Scope("registry", registry_id, row["name"], *parents, [registry_id])


def _repository_scope(registry: _Scope, name: str) -> _Scope:
    parents = (registry.registry_id, registry.folder_id, registry.cloud_id)
    path = name.partition("/")[2]
    return _Scope("repository", name, path, *parents, registry.registries)


def _sizes(registries: list[_Registry], only: str | None) -> Row:
    """Return the counts and sizes over some whole registries, or over one repository of one."""
    images = [
        image
        for registry in registries
        for image in registry.images
        if only is None or image["repository_name"] == only
    ]
    inside = {image["image_id"] for image in images}
    untagged = {image["image_id"] for image in images if not image["tags"]}
    # Each digest once per registry: a digest of two registries is twice in these lists.
    layers = [use for each in registries for use in each.layers.values() if use.images & inside]
    configs = [use for each in registries for use in each.configs.values() if use.images & inside]
    times = sorted(image["created_at"] for image in images if image["created_at"] is not None)
    return {
        "image_count": len(images),
        "tagged_image_count": len(images) - len(untagged),
        "untagged_image_count": len(untagged),
        "tag_count": sum(image["tag_count"] for image in images),
        "layer_count": sum(image["layer_count"] for image in images),
        "blob_count": len(layers),
        "logical_size": sum(image["compressed_size"] for image in images),
        "stored_size": sum(use.size for use in layers),
        "exclusive_size": sum(use.size for use in layers if use.images <= inside),
        "untagged_size": sum(use.size for use in layers if use.images <= untagged),
        "config_size": sum(use.size for use in configs),
        "oldest_image_at": times[0] if times else None,
        "newest_image_at": times[-1] if times else None,
    }
