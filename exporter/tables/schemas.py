"""The snapshot's tables, stated in Arrow: every column with its type and its meaning.

Names, types and meanings are a contract with those who load a snapshot (`README.md`):
adding a column is a new minor `FORMAT_VERSION`, anything else a new major one.

Columns and tables that 1.1 added tell of what the cloud's API does not have: null there, or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from exporter.tables.columns import LABELS, TEXTS, Table, column, number, small, table, text, time

FORMAT_VERSION = "1.1"

_CREATED = time("created_at", "When the resource was created; digits past the microsecond are cut")
_LABELS = column("labels", LABELS, "The resource's labels")
_CLOUD_ID = text("cloud_id", "The cloud the resource is in")
_FOLDER_ID = text("folder_id", "The folder the resource is in")
_REGISTRY_ID = text("registry_id", "The registry: the repository name up to its first slash")
_REPOSITORY_NAME = text("repository_name", "The repository's full name, <registry_id>/<path>")
_IMAGE_ID = text("image_id", "The image's id")
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
    _REPOSITORY_NAME,
    _REGISTRY_ID,
    _FOLDER_ID,
    _CLOUD_ID,
)

IMAGES = table(
    "images",
    "listed",
    ("image_id",),
    "The images, one row each",
    _IMAGE_ID,
    _CLOUD_ID,
    _FOLDER_ID,
    _REGISTRY_ID,
    _REPOSITORY_NAME,
    text("digest", "The manifest's content digest, sha256:…"),
    number("compressed_size", "Bytes that pulling the image transfers, as the API says"),
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
    _IMAGE_ID,
    small("position", "The layer's place in the image, from 0, in the API's order"),
    _REGISTRY_ID,
    _REPOSITORY_NAME,
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
    _IMAGE_ID,
    _REGISTRY_ID,
    _REPOSITORY_NAME,
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
    _REGISTRY_ID,
    _REPOSITORY_NAME,
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

TAGS = table(
    "tags",
    "derived",
    ("repository_name", "tag", "image_id"),
    "The tag index: which image a tag names",
    _REGISTRY_ID,
    _REPOSITORY_NAME,
    text("tag", "The tag"),
    _IMAGE_ID,
    text("digest", "The image's manifest digest"),
    time("created_at", "When the image was created"),
)

BLOBS = table(
    "blobs",
    "derived",
    ("registry_id", "digest", "kind"),
    "The distinct blobs of each registry, and how much they are used",
    _REGISTRY_ID,
    text("digest", "The blob's content digest"),
    text("kind", "'layer' or 'config'"),
    number("size", "Bytes; the larger where one digest was seen with two sizes"),
    number("image_count", "How many images of the registry use the blob"),
    number("reference_count", "How many times they use it: one image may use a blob twice"),
    number("repository_count", "How many repositories of the registry use the blob"),
)

SIZE_TOTALS = table(
    "size_totals",
    "derived",
    ("scope", "scope_id"),
    "Counts and sizes of every repository, registry, folder and cloud, and of all together",
    text("scope", "'repository', 'registry', 'folder', 'cloud' or 'total'"),
    text("scope_id", "The scope's id; a repository's full name; '*' for the total"),
    text("scope_name", "The scope's name, where it has one"),
    text("registry_id", "The registry the scope is or is in; null above a registry"),
    text("folder_id", "The folder the scope is or is in; null above a folder"),
    text("cloud_id", "The cloud the scope is or is in; null for the total"),
    number("repository_count", "Repositories in the scope"),
    number("image_count", "Images in the scope"),
    number("tagged_image_count", "Images with at least one tag"),
    number(
        "untagged_image_count",
        "Images without a tag; where `images.reachable` is not null, those that no tag leads to; "
        "null where they cannot be seen",
    ),
    number("tag_count", "Tags on the scope's images"),
    number("layer_count", "Rows of `layers` of the scope's images"),
    number("blob_count", "Distinct layer digests, once per registry; a repository's: within it"),
    number("logical_size", "Sum of compressed_size: what pulling every image would transfer"),
    number("stored_size", "Layer bytes, each digest once per registry: what is billed"),
    number("exclusive_size", "Layer bytes that deleting the whole scope would free"),
    number(
        "untagged_size",
        "Layer bytes that deleting the scope's untagged images would free; null where they cannot "
        "be seen",
    ),
    number("config_size", "Config blob bytes, each digest once per registry; in no other size"),
    time("oldest_image_at", "When the scope's oldest image was created"),
    time("newest_image_at", "When the scope's newest image was created"),
    column("complete", pa.bool_(), "False where a listing inside the scope is not complete"),
    column(
        "untagged_known",
        pa.bool_(),
        "Whether untagged images can be seen; where not, stored_size and exclusive_size are the "
        "least that they can be; null for the cloud",
    ),
    number("index_count", "Images that are indexes; null for the cloud"),
    number(
        "manifest_size",
        "Manifest bytes, each digest once per registry; a repository's: within it; in no other "
        "size; null for the cloud",
    ),
)

FINDINGS = table(
    "findings",
    "derived",
    ("kind", "subject"),
    "What an auditor should look at",
    text(
        "kind",
        "size_conflict (one digest, two sizes), size_mismatch (compressed_size is the sum of the "
        "layers neither with nor without the config, each counted once or as often as it stands), "
        "tag_on_two_images, image_changed (one id, two contents), unlisted_repository "
        "(no repository list names it), unknown_registry (images or a repository of no registry "
        "that was listed), bad_value (values that cannot be read, and are left out, or an item "
        "whose id cannot be, which has no row), negative_size, "
        "size_overflow (a sum that is more than its column can hold), missing_child (an index "
        "refers to what the registry does not have), digest_mismatch (a manifest is not what its "
        "digest says), invalid_tag (a name that no tag can have), empty_repository (without an "
        "image), schema1_manifest (of the form that registries give up), dangling_subject (what "
        "an image refers to as its subject is not there), unknown_media_type or implausible_time "
        "(before 1970, or after the run)",
    ),
    text("registry_id", "The registry concerned"),
    text("repository_name", "The repository concerned, where it is one"),
    text("image_id", "The image concerned, where it is one"),
    text("subject", "What the finding is about: a digest, an image, a tag, a resource, a scope"),
    text("detail", "The finding in a sentence"),
)

COMPLETE_STATUSES = frozenset({"complete", "skipped", "vanished"})
"""The statuses of listings that miss nothing they set out for: with these, a snapshot is complete
(`README.md`, coverage)."""

COVERAGE = table(
    "coverage",
    "ledger",
    ("listing", "parent_id"),
    "Every listing the run set out to make, and how it went",
    text(
        "listing",
        "'clouds', 'folders', 'registries', 'repositories' or 'images'; of one repository, 'tags', "
        "'manifests', 'configs' or 'untagged'",
    ),
    text(
        "parent_id",
        "What was listed: '*', a cloud, a folder, a registry, a registry; a repository",
    ),
    text("status", "complete, denied, vanished, failed, partial or skipped"),
    small("pages", "Pages that arrived"),
    number("rows", "Rows that were kept"),
    small("calls", "Requests that were sent, retries among them"),
    small("retries", "Requests that were sent again after a failure"),
    time("started_at", "When the first request was sent; null where none was"),
    time("finished_at", "When the listing ended; null where it never began"),
    small("http_status", "The HTTP status that ended the listing, where one did"),
    text("error_code", "The gRPC name of the error that ended the listing"),
    text("message", "What went wrong, or was left out, in a sentence"),
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        one.name: one
        for one in (
            CLOUDS,
            FOLDERS,
            REGISTRIES,
            REPOSITORIES,
            IMAGES,
            LAYERS,
            CONFIG_BLOBS,
            IMAGE_REFERENCES,
            TAGS,
            BLOBS,
            SIZE_TOTALS,
            FINDINGS,
            COVERAGE,
        )
    }
)
"""Every table of a snapshot by name, in the order they are shown."""

ADDED_IN: Mapping[str, int] = MappingProxyType({IMAGE_REFERENCES.name: 1})
"""The minor `FORMAT_VERSION` that added a table; all others are in every snapshot."""


def tables_in(format_version: str) -> list[str]:
    """Return the names of the tables that a snapshot of a format version, `1.0`, has."""
    minor = int(format_version.split(".")[1])
    return [name for name in TABLES if ADDED_IN.get(name, 0) <= minor]
