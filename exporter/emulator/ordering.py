"""The order of a listing: the item at each place, computed from the place.

An order always covers the whole scope of the shape. An image that appears or vanishes while a
listing runs is skipped at its place, so a place means the same from the first page to the last. So
an ordered listing gives every image that stays exactly once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING, overload

from .status import invalid
from .values import seeded_int

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .estate import Estate

IMAGE_KEYS = ("name", "digest", "created_at", "last_modified")
REPOSITORY_KEYS = ("name", "id")
_CACHED_NUMBERS = 4_000_000
"""The most numbers (of 8 bytes) in all sorted orders that are kept."""

SortKeys = tuple[tuple[str, bool], ...]
"""The keys to sort by, each with whether it descends."""
_NONE: Sequence[int] = ()


class _Order(Sequence[int], ABC):
    """A range of numbers in some order, of which each is found when its place is asked for."""

    def __init__(self, numbers: range) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._number(place)

    @abstractmethod
    def _number(self, place: int) -> int:
        """The number at a place that there is."""


class Shuffled(_Order):
    """A range in an arbitrary order, the same for the same seed."""

    def __init__(self, numbers: range, seed: int) -> None:
        super().__init__(numbers)
        self._offset = seeded_int(seed, "offset")
        # Near the golden ratio, neighbours end up far apart.
        step = max(1, int(len(numbers) * (0.55 + seeded_int(seed, "step") % 1000 / 10_000)))
        while gcd(step, len(numbers)) > 1:
            step += 1
        self._step = step

    def _number(self, place: int) -> int:
        return self._numbers[(place * self._step + self._offset) % len(self._numbers)]


def parse_order(text: str, known: Sequence[str], *, descending: str) -> SortKeys:
    """`orderBy` as sort keys: names separated by commas, each with ` asc` or ` desc` or neither.

    `descending` says what happens to ` desc`: `honoured`, `ignored` or `refused`.
    """
    keys: list[tuple[str, bool]] = []
    for part in text.split(",") if text else ():
        match part.split():
            case [key] | [key, "asc"] if key in known:
                keys.append((key, False))
            case [key, "desc"] if key in known and descending != "refused":
                keys.append((key, descending == "honoured"))
            case _:
                raise invalid(f"orderBy: cannot sort by {part!r}; by {', '.join(known)} only")
    return tuple(keys)


class ByRepository(_Order):
    """A range of images by name; a repository's own order is made when one of its places is asked.

    To sort a whole registry for each page would take longer than all its pages.
    """

    def __init__(
        self,
        numbers: range,
        *,
        descends: bool,
        repository_of: Callable[[int], range],
        sort: Callable[[range], Sequence[int]],
    ) -> None:
        super().__init__(numbers)
        self._descends = descends
        self._repository_of = repository_of
        self._sort = sort
        self._first, self._images = 0, _NONE
        """The place of the latest repository's first image, and its images in order."""

    def _number(self, place: int) -> int:
        if not 0 <= place - self._first < len(self._images):
            self._go_to(place)
        return self._images[place - self._first]

    def _go_to(self, place: int) -> None:
        numbers = self._numbers
        whole = self._repository_of(numbers[-1 - place] if self._descends else numbers[place])
        images = range(max(whole.start, numbers.start), min(whole.stop, numbers.stop))
        before = numbers.stop - images.stop if self._descends else images.start - numbers.start
        self._first, self._images = before, self._sort(images)


class Orders:
    """Sorted orders of one estate; those of images that took sorting are kept, up to a bound."""

    def __init__(self, estate: Estate, *, collation: str = "bytes") -> None:
        self._estate = estate
        self._collation = collation
        self._kept: OrderedDict[tuple[range, SortKeys], array[int]] = OrderedDict()
        self._kept_numbers = 0

    def images(self, numbers: range, keys: SortKeys) -> Sequence[int]:
        """The numbers of a range of images, sorted by the keys and then by name and age."""
        (first, descends), *others = keys
        if first != "name" or self._collation != "bytes":
            return self._sorted(numbers, keys)
        # Images are numbered by name: see the first lines of `layout`.
        if not others:
            return numbers[::-1] if descends else numbers
        return ByRepository(
            numbers,
            descends=descends,
            repository_of=self._estate.repository_images,
            sort=lambda images: self._sorted(images, tuple(others)),
        )

    def _sorted(self, numbers: range, keys: SortKeys) -> Sequence[int]:
        """The numbers sorted by the keys, from the kept orders if it is there."""
        at = numbers, keys
        if at not in self._kept:
            self._kept[at] = array("Q", self._sort(numbers, keys))
            self._kept_numbers += len(numbers)
            while len(self._kept) > 1 and self._kept_numbers > _CACHED_NUMBERS:
                self._kept_numbers -= len(self._kept.popitem(last=False)[1])
        self._kept.move_to_end(at)
        return self._kept[at]

    def _sort(self, numbers: range, keys: SortKeys) -> list[int]:
        # Mostly the first key alone decides, and the others need not be computed.
        ranks = [*map(self.sort_key(keys[:1]), numbers)]
        if len(set(ranks)) == len(ranks):
            return [number for _, number in sorted(zip(ranks, numbers, strict=True))]
        return sorted(numbers, key=self.sort_key(keys))

    def resources(self, resources: Sequence[Mapping[str, str]], keys: SortKeys) -> list[int]:
        """The indices of some resources, sorted by the keys, whose values are texts."""
        order = list(range(len(resources)))
        # Sorting is stable, so the least important key comes first.
        for key, descending in reversed(keys):
            texts = [self._collated(resource[key]) for resource in resources]
            order.sort(key=texts.__getitem__, reverse=descending)
        return order

    def _collated(self, text: str) -> tuple[str, str]:
        """A text's sort key; databases with a language's collation put punctuation last."""
        if self._collation == "words":
            return "".join(filter(str.isalnum, text)), text
        return text, ""

    def sort_key(self, keys: SortKeys) -> Callable[[int], tuple[int, ...]]:
        """The sort key of an image's number."""
        getters = [(self._getter(key), -1 if descending else 1) for key, descending in keys]

        def sort_key(number: int) -> tuple[int, ...]:
            return tuple(get(number) * sign for get, sign in getters)

        return sort_key

    def _getter(self, key: str) -> Callable[[int], int]:
        estate = self._estate
        match key:
            case "digest":
                return lambda number: int.from_bytes(estate.image_digest(number))
            case "created_at":
                return lambda number: estate.image_times(number)[0]
            case "last_modified":
                return lambda number: estate.image_times(number)[1]
            case _:
                ranks = self._ranks()

                def rank(number: int) -> int:
                    return ranks[estate.place(number)[0].index]

                return rank

    def _ranks(self) -> list[int]:
        """The place of each repository among all by name, in this collation."""
        numbers = list(self._estate.repository_numbers())
        if self._collation == "words":
            numbers.sort(key=lambda number: self._collated(self._estate.repository(number).name))
        ranks = [0] * len(numbers)
        for rank, number in enumerate(numbers):
            ranks[number] = rank
        return ranks
