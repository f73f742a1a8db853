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
}


def meaning(kind: str) -> Meaning:
    """Return what a kind of finding means; a kind of a newer version has only its name."""
    return FINDINGS.get(kind) or Meaning(
        kind.replace("_", " ").capitalize(), "A newer version of the program found this.", ""
    )
