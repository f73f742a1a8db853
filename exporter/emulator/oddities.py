"""The oddities of an estate: the effect of each quirk of `Quirks` on a resource."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from .lifelike import is_due

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
"""Valid JSON strings that careless readers get wrong."""

_HUGE = (1 << 53) + 1
"""The first integer that a double cannot represent, in bytes."""
_TIMES = (
    ("0001-01-01T00:00:00Z", -62_135_596_800 * 1_000_000_000),
    ("9999-12-31T23:59:59.999999999Z", 253_402_300_800 * 1_000_000_000 - 1),
    (None, 0),
)
"""Extreme creation times, as text and in nanoseconds since 1970; None for no time."""
_OFFSETS = (
    ("+03:00", timedelta(hours=3)),
    ("-09:30", timedelta(hours=-9, minutes=-30)),
    ("z", timedelta()),
)
"""Ends of a time, each with how far the clock is ahead of UTC."""
_NO_TIMES = ("2024-05-06Z", "2024-05-06T24:00:00Z", "", "0x10")
_NO_SIZES = ("0x10", "many", "1.5", "9223372036854775808", True)
_SNAKE_CASE = (
    (b'"createdAt":', b'"created_at":'),
    (b'"compressedSize":', b'"compressed_size":'),
    (b'"organizationId":', b'"organization_id":'),
    (b'"cloudId":', b'"cloud_id":'),
    (b'"folderId":', b'"folder_id":'),
)
_PERIOD = 16
"""The number of images of a repository among which one has each oddity."""
_HUGE_PERIOD = 509
"""Huge blobs are rarer: the sum over 100,000 images must stay below 2^63 bytes."""


def odd_resource(kind: str, number: int, shape: Shape) -> dict[str, Any]:
    """Fields that are added to a cloud, folder, registry or repository, or replace its own."""
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
    if quirks.numbers and kind in {"folder", "registry"} and number % 4 == 2:
        fields["status"] = 7
    if quirks.extreme_times and kind != "repository" and number % 3 == 1:
        fields["createdAt"] = _TIMES[number // 3 % 2][0]
    if quirks.bad_values and kind != "repository" and number % 6 == 5:
        fields["createdAt"] = _NO_TIMES[number // 6 % len(_NO_TIMES)]
    return fields


def respelled(items: list[bytes]) -> list[bytes]:
    """Items of a page as JSON, every other one with the field names of the protobuf message."""
    return [_in_snake_case(text) if number % 2 else text for number, text in enumerate(items)]


def _in_snake_case(text: bytes) -> bytes:
    for name, spelled in _SNAKE_CASE:
        text = text.replace(name, spelled)
    return text


def odd_image(text: bytes, repository: Repository, index: int, shape: Shape) -> bytes:
    """The image's JSON with its oddities; most images have none."""
    quirks = shape.quirks
    huge = quirks.huge_sizes and (repository.first + index) % _HUGE_PERIOD == 0
    elsewhere = quirks.offset_times and _is_elsewhere(repository, index)
    if not (huge or elsewhere or _is_due(repository, index)):
        return text
    image: dict[str, Any] = orjson.loads(text)
    layers: list[dict[str, Any]] = image.get("layers", [])
    if huge and layers:
        _resize(image, layers[-1], layers, _HUGE)
    if _is_due(repository, index):
        _apply(quirks, image, layers, index)
        _misspell(quirks, image, layers, repository.index + index // 2)
    elif elsewhere:
        image["createdAt"] = _elsewhere(image["createdAt"], *_OFFSETS[index % len(_OFFSETS)])
    return orjson.dumps(image)


def odd_time(repository: Repository, index: int, shape: Shape) -> int | None:
    """When an image with an odd creation time was created, in nanoseconds since 1970."""
    if not shape.quirks.extreme_times or not _is_due(repository, index):
        return None
    return _TIMES[index % len(_TIMES)][1]


def _is_due(repository: Repository, index: int) -> bool:
    if repository.habits is not None:
        return is_due(repository.habits, index)
    # The first two always have one, so that even small estates have every oddity.
    return index < 2 or (repository.index + index) % _PERIOD < 2


def _is_elsewhere(repository: Repository, index: int) -> bool:
    return index == 2 or (repository.index + index) % _PERIOD == 5


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


def _misspell(
    quirks: Quirks, image: dict[str, Any], layers: list[dict[str, Any]], number: int
) -> None:
    """Write values in odd or invalid forms; `number` decides which."""
    blobs = [*layers, image["config"]] if "config" in image else layers
    if quirks.numbers:
        for each in (image, *blobs):
            name = "size" if "size" in each else "compressedSize"
            if name in each and number % 2:
                size = int(each[name])
                each[name] = size if size > 1 << 52 or number % 4 == 1 else float(size)
    if not quirks.bad_values:
        return
    if number % 5 == 0:
        image["createdAt"] = _NO_TIMES[number // 5 % len(_NO_TIMES)]
    if blobs and number % 5 in {1, 2}:
        blobs[number % len(blobs)]["size"] = _NO_SIZES[number // 5 % len(_NO_SIZES)]
    if number % 5 == 3:
        (blobs[0] if blobs else image)["size" if blobs else "compressedSize"] = "-5"


def _elsewhere(text: str, offset: str, ahead: timedelta) -> str:
    """The same moment by a clock that is ahead of UTC."""
    whole, fraction = text[:19], text[19:-1]
    return f"{(datetime.fromisoformat(whole) + ahead).isoformat(sep='t')}{fraction}{offset}"


def _resize(
    image: dict[str, Any], layer: dict[str, Any], layers: list[dict[str, Any]], size: int
) -> None:
    """Give one layer another size at all its places, and the image the new sum."""
    for each in layers:
        if each["digest"] == layer["digest"]:
            each["size"] = str(size)
    image["compressedSize"] = str(sum(int(each.get("size", 0)) for each in layers))
