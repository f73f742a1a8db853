"""The listed tables: what the API said.

Columns and tables that 1.1 added tell of what the cloud's API does not have: null there, or empty.
"""

from __future__ import annotations

import pyarrow as pa

from exporter.tables.columns import (
    IMAGE_ID,
    LABELS,
    REGISTRY_ID,
    REPOSITORY_NAME,
    TEXTS,
    column,
    number,
    small,
    table,
    text,
    time,
)

_CREATED = time("created_at", "When the resource was created; digits past the microsecond are cut")
_LABELS = column("labels", LABELS, "The resource's labels")
_CLOUD_ID = text("cloud_id", "The cloud the resource is in")
_FOLDER_ID = text("folder_id", "The folder the resource is in")
_MEDIA_TYPE = text("media_type", "The media type that the manifest states; null for the cloud")
_PLATFORM = (
    text("os", "The operating system, such as linux"),
    text("os_version", "The version of the operating system"),
    text("architecture", "The processor architecture, such as amd64"),
    text("variant", "The variant of the architecture, such as v8"),
)
_BLOB = (
    text("blob_id", "The blob's id"),
    text("digest", "The blob's content digest, sha256:…"),
    number("size", "The blob's size in bytes; 0 where the API sent none"),
    column("urls", TEXTS, "Foreign locations the blob may be fetched from"),
)

CLOUDS = table(
    "clouds",
    "listed",
    ("cloud_id",),
    "The clouds in scope",
    text("cloud_id", "The cloud's id"),
    text("name", "The cloud's name"),
    text("description", "The cloud's description"),
    text("organization_id", "The organization the cloud belongs to"),
    _LABELS,
    _CREATED,
)

FOLDERS = table(
    "folders",
    "listed",
    ("folder_id",),
    "The folders in scope",
    text("folder_id", "The folder's id"),
    _CLOUD_ID,
    text("name", "The folder's name"),
    text("description", "The folder's description"),
    text("status", "ACTIVE, DELETING, PENDING_DELETION, or a name newer than this program"),
    _LABELS,
    _CREATED,
)

REGISTRIES = table(
    "registries",
    "listed",
    ("registry_id",),
    "The registries in scope",
    text("registry_id", "The registry's id"),
    _FOLDER_ID,
    _CLOUD_ID,
    text("name", "The registry's name"),
    text("status", "CREATING, ACTIVE, DELETING, or a name newer than this program"),
    _LABELS,
    _CREATED,
    text("source", "The kind of API that lists it: 'oci', or 'cloud', which is meant by null"),
    text("flavor", "The kind of server, such as distribution or harbor; null for the cloud"),
    column(
        "untagged_visible",
        pa.bool_(),
        "Whether the API lists images that no tag leads to; null for the cloud, which does",
    ),
)

REPOSITORIES = table(
    "repositories",
    "listed",
    ("repository_name",),
    "The repositories that the registries name",
    text("repository_id", "The repository's id"),
    REPOSITORY_NAME,
    REGISTRY_ID,
    _FOLDER_ID,
    _CLOUD_ID,
)

IMAGES = table(
    "images",
    "listed",
    ("image_id",),
    "The images, one row each",
    IMAGE_ID,
    _CLOUD_ID,
    _FOLDER_ID,
    REGISTRY_ID,
    REPOSITORY_NAME,
    text("digest", "The manifest's content digest, sha256:…"),
    number(
        "compressed_size",
        "Bytes that pulling the image transfers, as the API says; in an OCI registry, the sum of "
        "its layers, and null for an index",
    ),
    text("config_digest", "The config blob's digest; null where the image has none"),
    small("layer_count", "How many rows of `layers` the image has"),
    small("tag_count", "How many tags the image has"),
    column("tags", TEXTS, "The image's tags in the API's order; empty where untagged"),
    _CREATED,
    text(
        "kind",
        "'image', 'index' (of several platforms), 'artifact', 'attestation' (of an image, in an "
        "index) or 'schema1'; null for the cloud",
    ),
    text("media_type", "The manifest's media type; null for the cloud"),
    text("artifact_type", "The type of an artifact, where the manifest states one"),
    number("manifest_size", "The manifest's own size in bytes; null for the cloud"),
    *_PLATFORM,
    text("subject_digest", "The digest of the manifest that this one refers to as its subject"),
    column("annotations", LABELS, "The manifest's annotations; null for the cloud"),
    column("labels", LABELS, "The config's labels; null where no config was read"),
    text(
        "created_source",
        "Where created_at comes from: 'config', 'annotation' or 'registry'; null where it is null, "
        "and for the cloud",
    ),
    column(
        "reachable",
        pa.bool_(),
        "Whether a tag leads to it: its own, an index's that refers to it, or its subject's; null "
        "for the cloud",
    ),
)

LAYERS = table(
    "layers",
    "listed",
    ("image_id", "position"),
    "The images' layers, one row for each place a layer is used",
    IMAGE_ID,
    small("position", "The layer's place in the image, from 0, in the API's order"),
    REGISTRY_ID,
    REPOSITORY_NAME,
    *_BLOB,
    _MEDIA_TYPE,
    column(
        "distributable",
        pa.bool_(),
        "False for a layer that registries do not store: it counts in compressed_size alone; null "
        "for the cloud",
    ),
)

CONFIG_BLOBS = table(
    "config_blobs",
    "listed",
    ("image_id",),
    "The images' config blobs; an image without one has no row",
    IMAGE_ID,
    REGISTRY_ID,
    REPOSITORY_NAME,
    *_BLOB,
    _MEDIA_TYPE,
)

IMAGE_REFERENCES = table(
    "image_references",
    "listed",
    ("image_id", "position"),
    "What indexes refer to, one row for each place; empty for the cloud",
    text("image_id", "The index's id"),
    small("position", "The reference's place in the index, from 0"),
    REGISTRY_ID,
    REPOSITORY_NAME,
    text("child_digest", "The digest of the manifest that is referred to"),
    text("child_image_id", "The id in `images` that this manifest has, or would have"),
    text("media_type", "The media type that the index states"),
    number("size", "The manifest's size in bytes, as the index states it"),
    *_PLATFORM,
    text(
        "relation",
        "'platform' (the image of a platform), 'attestation' (of another image), 'nested' (an "
        "index) or 'other'",
    ),
    column("annotations", LABELS, "The reference's annotations"),
    column(
        "present",
        pa.bool_(),
        "Whether the registry has it; null where that was not found out",
    ),
)
