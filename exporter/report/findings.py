"""What each kind of finding means in plain words, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """What a kind of finding means, and what to do about it."""

    title: str
    meaning: str
    advice: str


FINDINGS = {
    "size_conflict": Meaning(
        "One digest, two sizes",
        "The API gives the same layer or config in two sizes. The larger one counts.",
        "The difference is seldom more than a few bytes; if it is, ask the vendor which is billed.",
    ),
    "size_mismatch": Meaning(
        "The image's size is not the sum of its layers",
        "The size that the API gives for the image differs from what its layers add up to.",
        "Billed sizes come from the layers, so they are not affected.",
    ),
    "tag_on_two_images": Meaning(
        "A tag on several images",
        "A tag stands on several images of one repository: usually it moved while the listing ran.",
        "If the next snapshot has it too, tell the registry's operator.",
    ),
    "image_changed": Meaning(
        "An image that changed while it was listed",
        "Two pages of the listing gave the same image with two contents.",
        "Look at the image again in the next snapshot.",
    ),
    "unlisted_repository": Meaning(
        "A repository that no list names",
        "Images are in a repository that the registry's complete list of repositories lacks.",
        "It may be new, or about to be deleted; if it stays, ask the vendor.",
    ),
    "unknown_registry": Meaning(
        "Images outside every listed registry",
        "Images name a registry that was not listed, so they count in the total alone.",
        "Check that the account may list every registry.",
    ),
    "negative_size": Meaning(
        "Negative sizes",
        "The API gives sizes below zero. They count as they are.",
        "Ask the vendor; sums that contain them are too small.",
    ),
    "size_overflow": Meaning(
        "Sums too large to write down",
        "A sum is past 64 bits, so the tables have the nearest number that fits.",
        "Look for sizes that cannot be true.",
    ),
    "bad_value": Meaning(
        "Values that cannot be read",
        "The API sent values that are no valid text, time or number. They are left out.",
        "Ask the vendor; the details name each value.",
    ),
    "missing_child": Meaning(
        "An index without one of its images",
        "An index refers to a manifest that the registry does not have, so pulls of it fail.",
        "Push it again; then see whether garbage collection deletes what an index needs.",
    ),
    "digest_mismatch": Meaning(
        "A manifest that is not what its digest says",
        "The registry sent a manifest whose content has another digest.",
        "Do not trust the image; ask the registry's operator to look at its storage.",
    ),
    "invalid_tag": Meaning(
        "Names that no tag can have",
        "A list of tags has names that are no tags. They are left out.",
        "Ask the registry's operator; nobody can pull by them.",
    ),
    "empty_repository": Meaning(
        "A repository without images",
        "The registry lists the repository, and no image was found in it.",
        "Delete it if nobody needs it; where untagged images cannot be seen, it may have some.",
    ),
    "schema1_manifest": Meaning(
        "Manifests of the old form",
        "A manifest has schema 1, which gives no sizes and which registries give up.",
        "Build and push the image again.",
    ),
    "dangling_subject": Meaning(
        "A signature or attachment without its image",
        "An image refers to a subject that is not there, or that cannot be seen without a tag.",
        "Delete it if its image is gone.",
    ),
    "unknown_media_type": Meaning(
        "Media types that are not known",
        "A manifest, or what an index refers to, has a media type that is not known.",
        "Nothing, if the tool that pushed it is known; its layers may not be counted.",
    ),
    "implausible_time": Meaning(
        "Times that cannot be right",
        "An image says that it was created before 1970, or after the run that found it.",
        "Do not select it by its age.",
    ),
}


def meaning(kind: str) -> Meaning:
    """Return what a kind of finding means; a kind of a newer version has only its name."""
    return FINDINGS.get(kind) or Meaning(
        kind.replace("_", " ").capitalize(), "A newer version of the program found this.", ""
    )
