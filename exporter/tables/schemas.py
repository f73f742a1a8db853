"""The snapshot's tables, stated in Arrow: every column with its type and its meaning.

Names, types and meanings are a contract with those who load a snapshot (`README.md`):
adding a column is a new minor `FORMAT_VERSION`, anything else a new major one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

FORMAT_VERSION = "1.0"

Kind = Literal["listed", "derived", "ledger", "staged"]

TIME = pa.timestamp("us", tz="UTC")
LABELS = pa.map_(pa.string(), pa.string())
TEXTS = pa.list_(pa.string())


@dataclass(frozen=True)
class Table:
    """One table of a snapshot: its name, where its rows come from, its key and its schema."""

    name: str
    kind: Kind
    description: str
    key: tuple[str, ...]
    schema: pa.Schema


def _column(name: str, type_: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, type_, metadata={"description": description})


def _table(
    name: str, kind: Kind, key: tuple[str, ...], description: str, *columns: pa.Field
) -> Table:
    schema = pa.schema(columns, metadata={"table": name, "description": description})
    return Table(name, kind, description, key, schema)


def _text(name: str, description: str) -> pa.Field:
    return _column(name, pa.string(), description)


def _number(name: str, description: str) -> pa.Field:
    return _column(name, pa.int64(), description)


def _small(name: str, description: str) -> pa.Field:
    return _column(name, pa.int32(), description)


def _time(name: str, description: str) -> pa.Field:
    return _column(name, TIME, description)


_CREATED = _time("created_at", "When the resource was created; digits past the microsecond are cut")
_LABELS = _column("labels", LABELS, "The resource's labels")
_CLOUD_ID = _text("cloud_id", "The cloud the resource is in")
_FOLDER_ID = _text("folder_id", "The folder the resource is in")
_REGISTRY_ID = _text("registry_id", "The registry: the repository name up to its first slash")
_REPOSITORY_NAME = _text("repository_name", "The repository's full name, <registry_id>/<path>")
_IMAGE_ID = _text("image_id", "The image's id")
_BLOB = (
    _text("blob_id", "The blob's id"),
    _text("digest", "The blob's content digest, sha256:…"),
    _number("size", "The blob's size in bytes; 0 where the API sent none"),
    _column("urls", TEXTS, "Foreign locations the blob may be fetched from"),
)

CLOUDS = _table(
    "clouds",
    "listed",
    ("cloud_id",),
    "The clouds in scope",
    _text("cloud_id", "The cloud's id"),
    _text("name", "The cloud's name"),
    _text("description", "The cloud's description"),
    _text("organization_id", "The organization the cloud belongs to"),
    _LABELS,
    _CREATED,
)

FOLDERS = _table(
    "folders",
    "listed",
    ("folder_id",),
    "The folders in scope",
    _text("folder_id", "The folder's id"),
    _CLOUD_ID,
    _text("name", "The folder's name"),
    _text("description", "The folder's description"),
    _text("status", "ACTIVE, DELETING, PENDING_DELETION, or a name newer than this program"),
    _LABELS,
    _CREATED,
)

REGISTRIES = _table(
    "registries",
    "listed",
    ("registry_id",),
    "The registries in scope",
    _text("registry_id", "The registry's id"),
    _FOLDER_ID,
    _CLOUD_ID,
    _text("name", "The registry's name"),
    _text("status", "CREATING, ACTIVE, DELETING, or a name newer than this program"),
    _LABELS,
    _CREATED,
)

REPOSITORIES = _table(
    "repositories",
    "listed",
    ("repository_name",),
    "The repositories that the registries name",
    _text("repository_id", "The repository's id"),
    _REPOSITORY_NAME,
    _REGISTRY_ID,
    _FOLDER_ID,
    _CLOUD_ID,
)

IMAGES = _table(
    "images",
    "listed",
    ("image_id",),
    "The images, one row each",
    _IMAGE_ID,
    _CLOUD_ID,
    _FOLDER_ID,
    _REGISTRY_ID,
    _REPOSITORY_NAME,
    _text("digest", "The manifest's content digest, sha256:…"),
    _number("compressed_size", "Bytes that pulling the image transfers, as the API says"),
    _text("config_digest", "The config blob's digest; null where the image has none"),
    _small("layer_count", "How many rows of `layers` the image has"),
    _small("tag_count", "How many tags the image has"),
    _column("tags", TEXTS, "The image's tags in the API's order; empty where untagged"),
    _CREATED,
)

LAYERS = _table(
    "layers",
    "listed",
    ("image_id", "position"),
    "The images' layers, one row for each place a layer is used",
    _IMAGE_ID,
    _small("position", "The layer's place in the image, from 0, in the API's order"),
    _REGISTRY_ID,
    _REPOSITORY_NAME,
    *_BLOB,
)

CONFIG_BLOBS = _table(
    "config_blobs",
    "listed",
    ("image_id",),
    "The images' config blobs; an image without one has no row",
    _IMAGE_ID,
    _REGISTRY_ID,
    _REPOSITORY_NAME,
    *_BLOB,
)

TAGS = _table(
    "tags",
    "derived",
    ("repository_name", "tag", "image_id"),
    "The tag index: which image a tag names",
    _REGISTRY_ID,
    _REPOSITORY_NAME,
    _text("tag", "The tag"),
    _IMAGE_ID,
    _text("digest", "The image's manifest digest"),
    _time("created_at", "When the image was created"),
)

BLOBS = _table(
    "blobs",
    "derived",
    ("registry_id", "digest", "kind"),
    "The distinct blobs of each registry, and how much they are used",
    _REGISTRY_ID,
    _text("digest", "The blob's content digest"),
    _text("kind", "'layer' or 'config'"),
    _number("size", "Bytes; the larger where one digest was seen with two sizes"),
    _number("image_count", "How many images of the registry use the blob"),
    _number("reference_count", "How many times they use it: one image may use a blob twice"),
    _number("repository_count", "How many repositories of the registry use the blob"),
)

SIZE_TOTALS = _table(
    "size_totals",
    "derived",
    ("scope", "scope_id"),
    "Counts and sizes of every repository, registry, folder and cloud, and of all together",
    _text("scope", "'repository', 'registry', 'folder', 'cloud' or 'total'"),
    _text("scope_id", "The scope's id; a repository's full name; '*' for the total"),
    _text("scope_name", "The scope's name, where it has one"),
    _text("registry_id", "The registry the scope is or is in; null above a registry"),
    _text("folder_id", "The folder the scope is or is in; null above a folder"),
    _text("cloud_id", "The cloud the scope is or is in; null for the total"),
    _number("repository_count", "Repositories in the scope"),
    _number("image_count", "Images in the scope"),
    _number("tagged_image_count", "Images with at least one tag"),
    _number("untagged_image_count", "Images without a tag"),
    _number("tag_count", "Tags on the scope's images"),
    _number("layer_count", "Rows of `layers` of the scope's images"),
    _number("blob_count", "Distinct layer digests, once per registry; a repository's: within it"),
    _number("logical_size", "Sum of compressed_size: what pulling every image would transfer"),
    _number("stored_size", "Layer bytes, each digest once per registry: what is billed"),
    _number("exclusive_size", "Layer bytes that deleting the whole scope would free"),
    _number("untagged_size", "Layer bytes that deleting the scope's untagged images would free"),
    _number("config_size", "Config blob bytes, each digest once per registry; in no other size"),
    _time("oldest_image_at", "When the scope's oldest image was created"),
    _time("newest_image_at", "When the scope's newest image was created"),
    _column("complete", pa.bool_(), "False where a listing inside the scope is not complete"),
)

FINDINGS = _table(
    "findings",
    "derived",
    ("kind", "subject"),
    "What an auditor should look at",
    _text(
        "kind",
        "size_conflict (one digest, two sizes), size_mismatch (compressed_size is not the sum of "
        "the layers), tag_on_two_images, image_changed (one id, two contents), unlisted_repository "
        "(no repository list names it), unknown_registry (images or a repository of no registry "
        "that was listed), bad_value (values that cannot be read, and are left out, or an item "
        "whose id cannot be, which has no row), negative_size "
        "or size_overflow (a sum that is more than its column can hold)",
    ),
    _text("registry_id", "The registry concerned"),
    _text("repository_name", "The repository concerned, where it is one"),
    _text("image_id", "The image concerned, where it is one"),
    _text("subject", "What the finding is about: a digest, an image, a tag, a resource, a scope"),
    _text("detail", "The finding in a sentence"),
)

COMPLETE_STATUSES = frozenset({"complete", "skipped", "vanished"})
"""The statuses of listings that miss nothing they set out for: with these, a snapshot is complete
(`README.md`, coverage)."""

COVERAGE = _table(
    "coverage",
    "ledger",
    ("listing", "parent_id"),
    "Every listing the run set out to make, and how it went",
    _text("listing", "'clouds', 'folders', 'registries', 'repositories' or 'images'"),
    _text("parent_id", "What was listed: '*', a cloud, a folder, a registry, a registry"),
    _text("status", "complete, denied, vanished, failed, partial or skipped"),
    _small("pages", "Pages that arrived"),
    _number("rows", "Rows that were kept"),
    _small("calls", "Requests that were sent, retries among them"),
    _small("retries", "Requests that were sent again after a failure"),
    _time("started_at", "When the first request was sent; null where none was"),
    _time("finished_at", "When the listing ended; null where it never began"),
    _small("http_status", "The HTTP status that ended the listing, where one did"),
    _text("error_code", "The gRPC name of the error that ended the listing"),
    _text("message", "What went wrong, or was left out, in a sentence"),
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            CLOUDS,
            FOLDERS,
            REGISTRIES,
            REPOSITORIES,
            IMAGES,
            LAYERS,
            CONFIG_BLOBS,
            TAGS,
            BLOBS,
            SIZE_TOTALS,
            FINDINGS,
            COVERAGE,
        )
    }
)
"""Every table of a snapshot by name, in the order they are shown."""
