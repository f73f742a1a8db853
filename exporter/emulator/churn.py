"""Images that appear, vanish or lose a tag to their successor while listings run.

The faults' seed alone decides which images those are, so a test knows beforehand which were there
throughout. The number of pages of images served so far decides when each one changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from .faults import CHURN, Fault
from .values import coin, seeded_int

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .estate import Estate
    from .faults import Faults


def churns(faults: Faults) -> bool:
    """Whether these faults make any image come, go or change."""
    return any(faults.rate(kind) for kind in CHURN)


def is_present(faults: Faults, number: int, tick: int) -> bool:
    """Whether the image is there after `tick` pages of images."""
    if _is_chosen(faults, Fault.APPEAR, number) and tick < _moment(faults, number):
        return False
    # An image that appears does not vanish again, or it might never be there at all.
    gone = _is_chosen(faults, Fault.VANISH, number) and tick >= _moment(faults, number)
    return not gone or _is_chosen(faults, Fault.APPEAR, number)


def is_steady(faults: Faults, number: int) -> bool:
    """Whether the image is there throughout; its tags may still move."""
    return not any(_is_chosen(faults, kind, number) for kind in (Fault.APPEAR, Fault.VANISH))


def steady_images(
    estate: Estate, faults: Faults, registry_id: str | None = None
) -> Iterator[dict[str, Any]]:
    """The images that every listing must give, as they are at first."""
    for number in estate.image_numbers(registry_id):
        if is_steady(faults, number):
            yield orjson.loads(estate.image_text(number))


def churned_text(estate: Estate, faults: Faults, number: int, tick: int) -> bytes:
    """The image's JSON after `tick` pages of images, with the tags it has by then."""
    text = estate.image_text(number)
    repository, index = estate.place(number)
    loses = _has_moved(faults, number, tick)
    gains = index > repository.deleted and _has_moved(faults, number - 1, tick)
    if not loses and not gains:
        return text
    image = orjson.loads(text)
    tags: list[str] = image.get("tags", [])
    if loses and index + 1 < repository.end:
        tags = tags[1:]
    if gains:
        given = orjson.loads(estate.image_text(number - 1)).get("tags", [])
        tags = tags + given[:1]
    image.pop("tags", None)
    return orjson.dumps(image | ({"tags": tags} if tags else {}))


def _has_moved(faults: Faults, number: int, tick: int) -> bool:
    return _is_chosen(faults, Fault.MOVE_TAG, number) and tick >= _moment(faults, number)


def _is_chosen(faults: Faults, kind: Fault, number: int) -> bool:
    rate = faults.rate(kind)
    return rate > 0 and coin(faults.seed, f"{kind}|{number}") < rate


def _moment(faults: Faults, number: int) -> int:
    """After how many pages of images the image changes; at least one."""
    return 1 + seeded_int(faults.seed, f"moment|{number}") % max(1, faults.churn_span)
