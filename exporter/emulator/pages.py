"""One page of a listing: the items on it, and the place of the next one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from .churn import churned_text, churns, is_present
from .disorder import in_order
from .faults import Fault
from .ordering import Shuffled
from .values import coin, seeded_int

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .behaviour import Behaviour
    from .estate import Estate
    from .faults import Faults
    from .layout import Resource, Scope
    from .ordering import Orders
    from .pagetokens import Cursor
    from .parameters import Query


@dataclass(frozen=True, slots=True)
class Page:
    """Items as JSON, and the cursor of the next page, if there is one."""

    items: list[bytes]
    following: Cursor | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing: the numbers of its items in order, and their JSON."""

    order: Sequence[int]
    show: Callable[[int], bytes]
    has: Callable[[int], bool]


def open_listing(
    query: Query,
    scope: Scope | None,
    cursor: Cursor,
    *,
    estate: Estate,
    orders: Orders,
    behaviour: Behaviour,
    gone: Callable[[str], bool],
    call: int = 0,
) -> Listing:
    """The listing that a query asks for, without any faults.

    `gone` says whether an id, or a repository's name, has vanished; `call` counts the calls
    for images.
    """
    begun = cursor.begun if behaviour.reshuffle else 0
    seed = seeded_int(behaviour.order_seed, f"{estate.shape.seed}|{query.key}|{begun}")
    ordered = query.sort_keys and behaviour.order_by == "honoured"
    order: Sequence[int]
    if query.call.name == "images":
        numbers = _image_numbers(query, scope, estate)
        if ordered:
            order = in_order(orders, numbers, query.sort_keys, behaviour, call)
        else:
            order = Shuffled(numbers, seed)
        return Listing(order, estate.image_text, lambda _: True)
    resources = list(_resources(query, scope, estate))
    numbers = range(len(resources))
    order = orders.resources(resources, query.sort_keys) if ordered else Shuffled(numbers, seed)
    key = "name" if query.call.name == "repositories" else "id"
    return Listing(
        order,
        lambda number: orjson.dumps(resources[number]),
        lambda number: not gone(resources[number][key]),
    )


def without_hidden(listing: Listing, estate: Estate, hidden: frozenset[str]) -> Listing:
    """A listing of images for a caller who may not view the scopes or images with these ids."""
    if not hidden:
        return listing
    found = [scope for scope in map(estate.find, sorted(hidden)) if scope]
    images = hidden.difference(scope.id for scope in found)

    def has(number: int) -> bool:
        if any(number in scope.images for scope in found):
            return False
        return not images or orjson.loads(estate.image_text(number)).get("id") not in images

    return replace(listing, has=has)


def with_churn(listing: Listing, estate: Estate, faults: Faults, tick: int) -> Listing:
    """A listing of images after `tick` pages, with the changes by then."""
    if not churns(faults):
        return listing
    return replace(
        listing,
        show=lambda number: churned_text(estate, faults, number, tick),
        has=lambda number: is_present(faults, number, tick),
    )


def cut_page(
    listing: Listing, cursor: Cursor, size: int, oddity: Fault | None, turns: int = 1
) -> Page:
    """The page at the cursor, with at most `size` items, and with a fault of paging, if any.

    A looping listing begins again after `turns` pages.
    """
    order, place = listing.order, cursor.place
    if oddity is Fault.EMPTY_PAGE and place < len(order):
        return Page([], replace(cursor, serial=cursor.serial + 1))
    if oddity is Fault.SHORT_PAGE:
        size = max(1, size // 3)
    items: list[bytes] = []
    if oddity is Fault.CHANGED_TWICE and place and size > 1:
        items.append(_changed(listing.show(order[place - 1])))
    show, has, end = listing.show, listing.has, len(order)
    while len(items) < size and place < end:
        number = order[place]
        if has(number):
            items.append(show(number))
        place += 1
    if oddity is Fault.LOOPING and items:
        serial = cursor.serial + 1
        goes_on = serial % turns and place < end
        return Page(items, replace(cursor, place=place if goes_on else 0, serial=serial))
    if place < len(order):
        return Page(items, replace(cursor, place=place))
    if oddity is Fault.ENDLESS:
        return Page(items, replace(cursor, place=0, serial=cursor.serial + 1))
    return Page(items, None)


def drift(page: Page, query: Query, listing: Listing, faults: Faults) -> Page:
    """The page whose successor begins some items too early or too late.

    So it is in a listing without an order while images come and go.
    """
    if query.sort_keys or page.following is None or not churns(faults):
        return page
    place = page.following.place
    shift = round(coin(faults.seed, f"drift|{query.key}|{place}") * 6) - 3
    # It always advances, or a page of few items could be asked for without end.
    moved = min(max(place + shift, place - len(page.items) + 1, 1), len(listing.order))
    return Page(page.items, replace(page.following, place=moved))


def _image_numbers(query: Query, scope: Scope | None, estate: Estate) -> range:
    """The images in the scope, or those of them that the filter selects."""
    numbers = scope.images if scope else estate.image_numbers()
    if query.name is None:
        return numbers
    named = estate.find(query.name)
    if named is None or len(named.parents) != 3 or not named.images:
        return range(0)
    return named.images if named.images[0] in numbers else range(0)


def _resources(query: Query, scope: Scope | None, estate: Estate) -> Iterable[Resource]:
    """The resources that a call lists, if they are not images."""
    match query.call.name:
        case "clouds":
            found = estate.clouds()
        case "folders":
            found = estate.folders(query.scope_id)
        case "registries":
            found = estate.registries(query.scope_id)
        case _:
            numbers = scope.repositories if scope else range(0)
            found = (
                estate.repository_resource(number)
                for number in numbers
                if estate.repository(number).listed
            )
    for resource in found:
        if query.name is not None and resource.get("name") != query.name:
            continue
        if query.organization_id and resource["organizationId"] != query.organization_id:
            continue
        yield resource


def _changed(text: bytes) -> bytes:
    """The same image with other content: retagged, and larger by one byte."""
    image = orjson.loads(text)
    image["compressedSize"] = str(int(image.get("compressedSize", 0)) + 1)
    image["tags"] = [*image.get("tags", []), "changed-meanwhile"]
    return orjson.dumps(image)
