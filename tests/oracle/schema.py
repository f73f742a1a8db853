"""The contract's tables, written out: columns in order, their types, their keys.

Types are named as the contract names them: `text`, `int32`, `int64`, `bool`, `time`
(`timestamp[us, UTC]`), `texts` (`list<string>`) and `labels` (`map<string,string>`).
"""

from __future__ import annotations

from collections.abc import Mapping

Columns = Mapping[str, str]

_RESOURCE = {"name": "text", "description": "text"}
_USED_BLOB = {"blob_id": "text", "digest": "text", "size": "int64", "urls": "texts"}
_PLATFORM = {"os": "text", "os_version": "text", "architecture": "text", "variant": "text"}
_COUNTS = (
    "repository_count",
    "image_count",
    "tagged_image_count",
    "untagged_image_count",
    "tag_count",
    "layer_count",
    "blob_count",
    "logical_size",
    "stored_size",
    "exclusive_size",
    "untagged_size",
    "config_size",
)

COLUMNS: Mapping[str, Columns] = {
    "clouds": {
        "cloud_id": "text",
        **_RESOURCE,
        "organization_id": "text",
        "labels": "labels",
        "created_at": "time",
    },
    "folders": {
        "folder_id": "text",
        "cloud_id": "text",
        **_RESOURCE,
        "status": "text",
        "labels": "labels",
        "created_at": "time",
    },
    "registries": {
        "registry_id": "text",
        "folder_id": "text",
        "cloud_id": "text",
        "name": "text",
        "status": "text",
        "labels": "labels",
        "created_at": "time",
        "source": "text",
        "flavor": "text",
        "untagged_visible": "bool",
    },
    "repositories": {
        "repository_id": "text",
        "repository_name": "text",
        "registry_id": "text",
        "folder_id": "text",
        "cloud_id": "text",
    },
    "images": {
        "image_id": "text",
        "cloud_id": "text",
        "folder_id": "text",
        "registry_id": "text",
        "repository_name": "text",
        "digest": "text",
        "compressed_size": "int64",
        "config_digest": "text",
        "layer_count": "int32",
        "tag_count": "int32",
        "tags": "texts",
        "created_at": "time",
        "kind": "text",
        "media_type": "text",
        "artifact_type": "text",
        "manifest_size": "int64",
        **_PLATFORM,
        "subject_digest": "text",
        "annotations": "labels",
        "labels": "labels",
        "created_source": "text",
        "reachable": "bool",
    },
    "layers": {
        "image_id": "text",
        "position": "int32",
        "registry_id": "text",
        "repository_name": "text",
        **_USED_BLOB,
        "media_type": "text",
        "distributable": "bool",
    },
    "config_blobs": {
        "image_id": "text",
        "registry_id": "text",
        "repository_name": "text",
        **_USED_BLOB,
        "media_type": "text",
    },
    "image_references": {
        "image_id": "text",
        "position": "int32",
        "registry_id": "text",
        "repository_name": "text",
        "child_digest": "text",
        "child_image_id": "text",
        "media_type": "text",
        "size": "int64",
        **_PLATFORM,
        "relation": "text",
        "annotations": "labels",
        "present": "bool",
    },
    "tags": {
        "registry_id": "text",
        "repository_name": "text",
        "tag": "text",
        "image_id": "text",
        "digest": "text",
        "created_at": "time",
    },
    "blobs": {
        "registry_id": "text",
        "digest": "text",
        "kind": "text",
        "size": "int64",
        "image_count": "int64",
        "reference_count": "int64",
        "repository_count": "int64",
    },
    "size_totals": {
        "scope": "text",
        "scope_id": "text",
        "scope_name": "text",
        "registry_id": "text",
        "folder_id": "text",
        "cloud_id": "text",
        **dict.fromkeys(_COUNTS, "int64"),
        "oldest_image_at": "time",
        "newest_image_at": "time",
        "complete": "bool",
        "untagged_known": "bool",
        "index_count": "int64",
        "manifest_size": "int64",
    },
    "findings": {
        "kind": "text",
        "registry_id": "text",
        "repository_name": "text",
        "image_id": "text",
        "subject": "text",
        "detail": "text",
    },
    "coverage": {
        "listing": "text",
        "parent_id": "text",
        "status": "text",
        "pages": "int32",
        "rows": "int64",
        "calls": "int32",
        "retries": "int32",
        "started_at": "time",
        "finished_at": "time",
        "http_status": "int32",
        "error_code": "text",
        "message": "text",
    },
}
"""Every table's columns in order, each with its type."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "clouds": ("cloud_id",),
    "folders": ("folder_id",),
    "registries": ("registry_id",),
    "repositories": ("repository_name",),
    "images": ("image_id",),
    "layers": ("image_id", "position"),
    "config_blobs": ("image_id",),
    "image_references": ("image_id", "position"),
    "tags": ("repository_name", "tag", "image_id"),
    "blobs": ("registry_id", "digest", "kind"),
    "size_totals": ("scope", "scope_id"),
    "findings": ("kind", "subject"),
    "coverage": ("listing", "parent_id"),
}
"""Every table's key: no two rows of a snapshot have the same."""

OF_OCI: Mapping[str, tuple[str, ...]] = {
    "registries": ("source", "flavor", "untagged_visible"),
    "images": (
        "kind",
        "media_type",
        "artifact_type",
        "manifest_size",
        *_PLATFORM,
        "subject_digest",
        "annotations",
        "labels",
        "created_source",
        "reachable",
    ),
    "layers": ("media_type", "distributable"),
    "config_blobs": ("media_type",),
    "size_totals": ("untagged_known", "index_count", "manifest_size"),
}
"""The columns that are null in a cloud's snapshot, by table; `image_references` has no rows."""


def of_cloud(table: str) -> dict[str, None]:
    """Return the columns that a row of the cloud has no values for, null."""
    return dict.fromkeys(OF_OCI[table])
