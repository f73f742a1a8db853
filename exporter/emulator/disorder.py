"""Orders that do not hold: ties in any order, in a new one at each call, images out of place."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .status import invalid
from .values import seeded_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .behaviour import Behaviour
    from .ordering import Orders, SortKeys


def check_keys(keys: SortKeys, behaviour: Behaviour) -> None:
    """Refuse a digest behind other keys if the behaviour says so.

    Raises:
        StatusError: 400.

    """
    if behaviour.ties == "refused" and any(key == "digest" for key, _ in keys[1:]):
        raise invalid("orderBy: digest can only be the first key")


def in_order(
    orders: Orders, numbers: range, keys: SortKeys, behaviour: Behaviour, call: int
) -> Sequence[int]:
    """The numbers of some images, sorted by the keys as far as the behaviour keeps to an order."""
    if behaviour.ties in {"ignored", "reshuffled"}:
        keys = (keys[0], *(key for key in keys[1:] if key[0] != "digest"))
    order = orders.images(numbers, keys)
    if behaviour.ties == "reshuffled":
        order = _reshuffled(orders, order, keys, call)
    if behaviour.misplaced and keys[0][0] != "digest":
        order = _misplaced(order, keys, behaviour)
    return order


def _reshuffled(orders: Orders, order: Sequence[int], keys: SortKeys, call: int) -> Sequence[int]:
    """The same numbers, with equal images in an order of this call alone."""
    chance = random.Random(call)  # noqa: S311
    rank = orders.sort_key(keys)
    groups: dict[tuple[int, ...], list[int]] = {}
    for number in order:
        groups.setdefault(rank(number), []).append(number)
    for group in groups.values():
        chance.shuffle(group)
    return [number for group in groups.values() for number in group]


def _misplaced(order: Sequence[int], keys: SortKeys, behaviour: Behaviour) -> Sequence[int]:
    """The same numbers with some images out of place; they are at these places in both orders."""
    moved = list(order)
    descends = keys[0][1]
    if descends:
        moved.reverse()
    first = min(moved, default=0)
    for turn in range(behaviour.misplaced if moved else 0):
        drawn = f"misplaced|{first}|{len(moved)}|{turn}"
        number = first + seeded_int(behaviour.order_seed, drawn) % len(moved)
        moved.remove(number)
        moved.insert(seeded_int(behaviour.order_seed, f"{drawn}|to") % (len(moved) + 1), number)
    if descends:
        moved.reverse()
    return moved
