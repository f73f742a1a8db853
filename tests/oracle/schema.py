"""The contract's tables, written out: columns in order, their types, their keys.

Types are named as the contract names them: `text`, `int32`, `int64`, `bool`, `time`
(`timestamp[us, UTC]`), `texts` (`list<string>`) and `labels` (`map<string,string>`).
"""

from __future__ import annotations

from collections.abc import Mapping

Columns = Mapping[str, str]

_RESOURCE = {"name": "text", "description": "text"}
_USED_BLOB = {"blob_id": "text", "digest": "text", "size": "int64", "urls": "texts"}
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
    },
    "layers": {
        "image_id": "text",
        "position": "int32",
        "registry_id": "text",
        "repository_name": "text",
        **_USED_BLOB,
    },
    "config_blobs": {
        "image_id": "text",
        "registry_id": "text",
        "repository_name": "text",
        **_USED_BLOB,
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
    "tags": ("repository_name", "tag", "image_id"),
    "blobs": ("registry_id", "digest", "kind"),
    "size_totals": ("scope", "scope_id"),
    "findings": ("kind", "subject"),
    "coverage": ("listing", "parent_id"),
}
"""Every table's key: no two rows of a snapshot have the same."""
