"""The tables that commands answer with, stated in Arrow as the snapshot's own tables are.

They are a contract like those: a program reads them from `--to FILE` or from stdout.
"""

from __future__ import annotations

import pyarrow as pa

from exporter.tables.columns import TEXTS, column, number, table, text, time

MEASURES = (
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
"""The counts and sizes of `size_totals`, in its order."""

_REPOSITORY_NAME = text("repository_name", "The repository's full name, <registry_id>/<path>")
_REGISTRY_ID = text("registry_id", "The registry")

CHANGES = table(
    "changes",
    "answer",
    ("kind", "subject"),
    "What differs between two snapshots",
    text(
        "kind",
        "registry_added, registry_removed, repository_added, repository_removed, image_added, "
        "image_removed, tag_added, tag_removed, tag_moved (the same tag, another image), "
        "image_changed, or unknown (a registry that cannot be compared)",
    ),
    _REGISTRY_ID,
    text("repository_name", "The repository's full name; null for a registry"),
    text("tag", "The tag, where it is about one"),
    text("image_id", "The image, also a removed one; of a tag, the image it is on afterwards"),
    text("digest", "That image's digest"),
    text("before_image_id", "The image if it was there before; of a tag, the image it was on"),
    text("before_digest", "That image's digest, before"),
    number(
        "size_delta",
        "How many bytes of compressed_size came, or went (negative): of the image, or of the "
        "images of a repository or registry that came or went; of a moved tag, the difference of "
        "the two images; null for other tags",
    ),
    text(
        "subject",
        "What changed: a registry, a repository, an image, or repository:tag (with the repository "
        "in quotes if it has a colon); of unknown, a registry, or empty for what names none",
    ),
    text("detail", "The change in a sentence"),
)

GROWTH = table(
    "growth",
    "answer",
    ("scope", "scope_id"),
    "Sizes and counts of each scope that both snapshots know; null where one is not complete",
    text("scope", "'repository', 'registry', 'folder', 'cloud' or 'total'"),
    text("scope_id", "The scope's id; a repository's full name; '*' for the total"),
    text("scope_name", "The scope's name, where it has one"),
    text("registry_id", "The registry the scope is or is in; null above a registry"),
    *(
        number(name.format(measure), meaning)
        for measure in MEASURES
        for name, meaning in (
            ("before_{}", f"{measure} of the earlier snapshot"),
            ("after_{}", f"{measure} of the later snapshot"),
            ("{}_delta", "After, less before"),
        )
    ),
)

TAG_HISTORY = table(
    "tag_history",
    "answer",
    ("repository_name", "tag", "first_snapshot_id"),
    "Which image a tag pointed to, one row for each unbroken run of snapshots",
    _REPOSITORY_NAME,
    text("tag", "The tag"),
    text("image_id", "The image it pointed to"),
    text("digest", "The image's digest"),
    text("first_snapshot_id", "The first snapshot of the run"),
    time("first_seen_at", "When that snapshot was started"),
    text("last_snapshot_id", "The last snapshot of the run"),
    time("last_seen_at", "When that snapshot was started"),
    column("is_current", pa.bool_(), "Whether the newest snapshot that lists it says the same"),
)

SIZE_HISTORY = table(
    "size_history",
    "answer",
    ("snapshot_id",),
    "The sizes of one scope in each snapshot",
    text("snapshot_id", "The snapshot"),
    time("started_at", "When it was started"),
    text("scope", "'repository', 'registry', 'folder', 'cloud' or 'total'"),
    text("scope_id", "The scope's id; a repository's full name; '*' for the total"),
    text("scope_name", "The scope's name, where it has one"),
    number("image_count", "Images in the scope"),
    number("logical_size", "Sum of compressed_size: what pulling every image would transfer"),
    number("stored_size", "Layer bytes, each digest once per registry: what is billed"),
    number("untagged_size", "Layer bytes that deleting the scope's untagged images would free"),
    column("complete", pa.bool_(), "False where a listing inside the scope is not complete"),
)

RECLAIM_IMAGES = table(
    "reclaim_images",
    "answer",
    ("image_id",),
    "The images whose deletion was asked about",
    text("image_id", "The image's id"),
    _REPOSITORY_NAME,
    text("digest", "The manifest's content digest, sha256:…"),
    column("tags", TEXTS, "The image's tags; empty where untagged"),
    time("created_at", "When the image was created"),
    number("compressed_size", "Bytes that pulling the image transfers, as the API says"),
    number("alone_size", "Bytes that deleting only this image would free"),
    text("rule", "The flags or the rules that select it"),
)

RECLAIM_REPOSITORIES = table(
    "reclaim_repositories",
    "answer",
    ("repository_name",),
    "The repositories with such images",
    _REPOSITORY_NAME,
    _REGISTRY_ID,
    number("image_count", "Images of the set in the repository"),
    number("alone_size", "Bytes freed if only this repository's images of the set were deleted"),
    number("logical_size", "Sum of their compressed_size"),
)

RECLAIM_REGISTRIES = table(
    "reclaim_registries",
    "answer",
    ("registry_id",),
    "The registries with such images; their freed sizes add up",
    _REGISTRY_ID,
    text("registry_name", "The registry's name, where it has one"),
    number("image_count", "Images of the set in the registry"),
    number("freed_size", "Bytes freed by deleting the whole set"),
    number("logical_size", "Sum of the images' compressed_size"),
)
