"""The derived tables: what follows from the listed ones."""

from __future__ import annotations

import pyarrow as pa

from exporter.tables.columns import (
    IMAGE_ID,
    REGISTRY_ID,
    REPOSITORY_NAME,
    column,
    number,
    table,
    text,
    time,
)

TAGS = table(
    "tags",
    "derived",
    ("repository_name", "tag", "image_id"),
    "The tag index: which image a tag names",
    REGISTRY_ID,
    REPOSITORY_NAME,
    text("tag", "The tag"),
    IMAGE_ID,
    text("digest", "The image's manifest digest"),
    time("created_at", "When the image was created"),
)

BLOBS = table(
    "blobs",
    "derived",
    ("registry_id", "digest", "kind"),
    "The distinct blobs of each registry, and how much they are used",
    REGISTRY_ID,
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
