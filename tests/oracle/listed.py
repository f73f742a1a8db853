"""The listed tables: what the API said, one row each, nothing computed across rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.schema import COLUMNS, of_cloud
from tests.oracle.values import (
    Resource,
    Row,
    Rows,
    Tables,
    api_time,
    enum,
    labels,
    registry_of,
    texts,
    whole,
)

Parents = Mapping[str, tuple[str | None, str | None]]
"""Folder and cloud of each registry, by its id; null where they could not be learned."""


@dataclass
class World:
    """What one run should have seen: the API's resources, filters already applied.

    `cloud_of_folder` and `folder_of_registry` say where things are that are not in `folders` or
    `registries`: those that were asked for directly, and those that a filter left out.
    `repositories` are those that the lists name; images may be of others. `unseen_registries` were
    asked for by id and never met on a list: nothing else is known of them. `listed_in` says by id
    in which registry images were listed whose name does not tell. `lost` are the findings' subject,
    registry and repository of what lists show without an id.
    """

    clouds: list[Resource] = field(default_factory=list)
    folders: list[Resource] = field(default_factory=list)
    registries: list[Resource] = field(default_factory=list)
    repositories: list[Resource] = field(default_factory=list)
    images: list[Resource] = field(default_factory=list)
    cloud_of_folder: dict[str, str] = field(default_factory=dict)
    folder_of_registry: dict[str, str] = field(default_factory=dict)
    unseen_registries: list[str] = field(default_factory=list)
    listed_in: dict[str, str] = field(default_factory=dict)
    lost: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def parents(self) -> Parents:
        """Return the folder and the cloud of each registry."""
        clouds = dict(self.cloud_of_folder)
        clouds.update({folder["id"]: folder["cloudId"] for folder in self.folders})
        known: dict[str, tuple[str | None, str | None]] = {}
        for registry in self.registries:
            folder_id = registry.get("folderId")
            known[registry["id"]] = (folder_id, clouds.get(folder_id) if folder_id else None)
        return known


def listed_tables(world: World) -> Tables:
    """Return the rows of `clouds` to `image_references`; an id that comes twice stands once."""
    parents = world.parents()
    images = first_of_each(world.images)
    unseen = world.unseen_registries
    return {
        "clouds": [cloud_row(cloud) for cloud in world.clouds],
        "folders": [folder_row(folder) for folder in world.folders],
        "registries": [
            *(registry_row(each, parents) for each in world.registries),
            *(dict.fromkeys(COLUMNS["registries"]) | {"registry_id": each} for each in unseen),
        ],
        "repositories": [repository_row(each, parents) for each in world.repositories],
        "images": [
            image_row(image, parents, world.listed_in.get(image["id"], "")) for image in images
        ],
        "layers": [row for image in images for row in layer_rows(image)],
        "config_blobs": [row for image in images for row in config_rows(image)],
        "image_references": [],
    }


def first_of_each(images: Iterable[Resource]) -> list[Resource]:
    """Return the images without those whose id came before."""
    seen: dict[Any, Resource] = {}
    for image in images:
        seen.setdefault(image.get("id"), image)
    return list(seen.values())


def cloud_row(cloud: Resource) -> Row:
    return {
        "cloud_id": cloud["id"],
        "name": cloud.get("name"),
        "description": cloud.get("description"),
        "organization_id": cloud.get("organizationId"),
        "labels": labels(cloud),
        "created_at": api_time(cloud),
    }


def folder_row(folder: Resource) -> Row:
    return {
        "folder_id": folder["id"],
        "cloud_id": folder["cloudId"],
        "name": folder.get("name"),
        "description": folder.get("description"),
        "status": enum(folder, "status"),
        "labels": labels(folder),
        "created_at": api_time(folder),
    }


def registry_row(registry: Resource, parents: Parents) -> Row:
    folder_id, cloud_id = parents[registry["id"]]
    return {
        "registry_id": registry["id"],
        "folder_id": folder_id,
        "cloud_id": cloud_id,
        "name": registry.get("name"),
        "status": enum(registry, "status"),
        "labels": labels(registry),
        "created_at": api_time(registry),
        **of_cloud("registries"),
    }


def repository_row(repository: Resource, parents: Parents) -> Row:
    registry_id = registry_of(repository["name"])
    folder_id, cloud_id = parents.get(registry_id or "", (None, None))
    return {
        "repository_id": repository.get("id"),
        "repository_name": repository["name"],
        "registry_id": registry_id,
        "folder_id": folder_id,
        "cloud_id": cloud_id,
    }


def image_row(image: Resource, parents: Parents, listed_in: str = "") -> Row:
    """Return an image's row; its fields may be absent as in any protobuf message.

    `listed_in` is the registry that was listed, for an image of none that is known.
    """
    name = image.get("name")
    registry_id = registry_of(name or "")
    elsewhere = parents.get(listed_in, (None, None))
    folder_id, cloud_id = parents.get(registry_id or "", elsewhere)
    config = image.get("config")
    tags = texts(image, "tags")
    return {
        "image_id": image.get("id"),
        "cloud_id": cloud_id,
        "folder_id": folder_id,
        "registry_id": registry_id,
        "repository_name": name,
        "digest": image.get("digest"),
        "compressed_size": whole(image, "compressedSize"),
        "config_digest": None if config is None else config.get("digest"),
        "layer_count": len(image.get("layers") or []),
        "tag_count": len(tags),
        "tags": tags,
        "created_at": api_time(image),
        **of_cloud("images"),
    }


def layer_rows(image: Resource) -> Rows:
    """Return a row for each place of the image's layers, in the API's order."""
    place = _place(image)
    return [
        {"image_id": place["image_id"], "position": position}
        | {"registry_id": place["registry_id"], "repository_name": place["repository_name"]}
        | blob_columns(layer)
        | of_cloud("layers")
        for position, layer in enumerate(image.get("layers") or [])
    ]


def config_rows(image: Resource) -> Rows:
    """Return the row of the image's config, or none where the image has no config."""
    config = image.get("config")
    return (
        [] if config is None else [_place(image) | blob_columns(config) | of_cloud("config_blobs")]
    )


def blob_columns(blob: Resource) -> Row:
    return {
        "blob_id": blob.get("id"),
        "digest": blob.get("digest"),
        "size": whole(blob, "size"),
        "urls": texts(blob, "urls"),
    }


def _place(image: Resource) -> Row:
    name = image.get("name")
    return {
        "image_id": image.get("id"),
        "registry_id": registry_of(name or ""),
        "repository_name": name,
    }
