"""The oddities an estate can be given: what each quirk of `Quirks` does to a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from .images import Repository
    from .shape import Quirks, Shape

ODD_TEXTS = (
    "quotes \" and \\ and / and '",
    "line\nbreak, tab\t, bell\u0007, delete\u007f",
    "\u2028separators\u2029 and a byte order mark \ufeff",
    "перевозки 物流 🚚 e\u0301 \u202eright to left",
    '{"images":[null]}',
    " leading and trailing ",
    "-",
)
"""Legal JSON strings that careless readers get wrong."""

_HUGE = (1 << 53) + 1
"""The first whole number that a double cannot hold, in bytes."""
_TIMES = (
    ("0001-01-01T00:00:00Z", -62_135_596_800 * 1_000_000_000),
    ("9999-12-31T23:59:59.999999999Z", 253_402_300_800 * 1_000_000_000 - 1),
    (None, 0),
)
"""Extreme creation times: as the API shows them, and in nanoseconds since 1970; None at all."""
_PERIOD = 16
"""Every so many images of a repository, one has each oddity."""
_HUGE_PERIOD = 509
"""Huge blobs are rarer: the sum over 100,000 images has to stay below 2^63 bytes."""


def odd_resource(kind: str, number: int, shape: Shape) -> dict[str, Any]:
    """Fields to add to (or to put in place of) those of a cloud, folder, registry or repository."""
    quirks = shape.quirks
    fields: dict[str, Any] = {}
    if quirks.new_fields:
        fields["newField"] = {"nested": [{"number": number, "flag": True, "nothing": None}]}
        if kind in {"folder", "registry"} and number % 4 == 1:
            fields["status"] = "HIBERNATED"
    if quirks.odd_text and kind != "repository" and number % 2:
        odd = ODD_TEXTS[number // 2 % len(ODD_TEXTS)]
        fields["name"] = f"{odd} {number}"
        fields["labels"] = {odd: odd, "": "empty key", "empty": ""}
        if kind != "registry":
            fields["description"] = odd * 3
    if quirks.extreme_times and kind != "repository" and number % 3 == 1:
        fields["createdAt"] = _TIMES[number // 3 % 2][0]
    return fields


def odd_image(text: bytes, repository: Repository, index: int, shape: Shape) -> bytes:
    """The image's JSON with the oddities it is due; most images are due none."""
    quirks = shape.quirks
    huge = quirks.huge_sizes and (repository.first + index) % _HUGE_PERIOD == 0
    if not huge and not _is_due(repository, index):
        return text
    image: dict[str, Any] = orjson.loads(text)
    layers: list[dict[str, Any]] = image.get("layers", [])
    if huge and layers:
        _resize(image, layers[-1], layers, _HUGE)
    if _is_due(repository, index):
        _apply(quirks, image, layers, index)
    return orjson.dumps(image)


def odd_time(repository: Repository, index: int, shape: Shape) -> int | None:
    """When an image with an odd creation time was created, in nanoseconds since 1970."""
    if not shape.quirks.extreme_times or not _is_due(repository, index):
        return None
    return _TIMES[index % len(_TIMES)][1]


def _is_due(repository: Repository, index: int) -> bool:
    # The first two are always due, so that even small estates have every oddity.
    return index < 2 or (repository.index + index) % _PERIOD < 2


def _apply(quirks: Quirks, image: dict[str, Any], layers: list[dict[str, Any]], index: int) -> None:
    if quirks.size_conflict and len(layers) > 1 and index % 2:
        # The first layer is a base layer: other images list it with its usual size.
        first = layers[0]
        _resize(image, first, layers, int(first.get("size", 0)) + 1)
    if quirks.size_mismatch and index % 4 == 0:
        image["compressedSize"] = str(int(image.get("compressedSize", 0)) + 512)
    if quirks.foreign_layers and layers:
        digest = layers[0]["digest"]
        layers[0]["urls"] = [f"https://mirror.example/{digest}", "https://other.example/?a=1&b=2"]
    if quirks.shared_tag:
        image["tags"] = [*image.get("tags", []), "stable"]
    if quirks.odd_text and index % 2:
        image["tags"] = [*image.get("tags", []), f"{ODD_TEXTS[index % len(ODD_TEXTS)]} {index}"]
    if quirks.extreme_times:
        when, _ = _TIMES[index % len(_TIMES)]
        if when is None:
            image.pop("createdAt")
        else:
            image["createdAt"] = when
    if quirks.new_fields:
        image["architecture"] = {"os": "linux", "variants": ["v8", None, 7]}
        image["scanned"] = False
        for layer in layers:
            layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd"


def _resize(
    image: dict[str, Any], layer: dict[str, Any], layers: list[dict[str, Any]], size: int
) -> None:
    """Give one layer, wherever it stands in the image, another size, and the image its sum."""
    for each in layers:
        if each["digest"] == layer["digest"]:
            each["size"] = str(size)
    image["compressedSize"] = str(sum(int(each.get("size", 0)) for each in layers))
