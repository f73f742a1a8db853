"""Two chains from both ends of a repository give all of it between them, and nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from exporter.api import Call
from exporter.crawl.chain import ImagesChain, Mode, have_met, seam
from exporter.tables.images import MAX_TIES, Cut, Order

# Shrinking takes long, and the first failure says enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
NAME = "crp1/app"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
CALL = Call("container_registry", "/images", (("repositoryName", NAME),), "images of crp1/app")


@dataclass(frozen=True)
class Image:
    id: str
    at: datetime


@dataclass
class Page:
    """A page that was kept, with the cut it was given."""

    images: Sequence[Image]
    cut: Cut | None
    turn: int = 0

    def came_after(self, other: Page) -> bool:
        """Say whether this page was cut for what was known from another, earlier one."""
        return self.cut is not None and self.turn > other.turn

    @property
    def rows(self) -> list[str]:
        return [image.id for image in self.images if self.cut is None or keeps(self.cut, image)]


def keeps(cut: Cut, image: Image) -> bool:
    """Say whether an image stays, as `Cut` describes it."""
    if cut.created_from is not None and image.at < cut.created_from:
        return False
    if cut.created_until is not None and image.at > cut.created_until:
        return False
    return image.id not in cut.but_not


def order_of(images: Sequence[Image]) -> Order:
    times = [image.at for image in images]
    ties = tuple(image.id for image in images if image.at == times[-1])
    return Order(
        by_name=True,
        rising=times == sorted(times),
        falling=times == sorted(times, reverse=True),
        first=NAME,
        last=NAME,
        first_at=times[0],
        last_at=times[-1],
        last_ids=ties if len(ties) <= MAX_TIES else (),
    )


@dataclass
class End:
    """One of the two chains, the pages the server gives it, and those it has kept so far."""

    chain: ImagesChain
    listing: list[list[Image]]
    clock: Iterator[int]
    kept: list[Page] = field(default_factory=list)
    recalled: list[Page] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return self.chain.done

    def step(self) -> None:
        """Take the next page, from what was kept or from the server, as `Walk` does."""
        chain, partner = self.chain, self.chain.partner
        assert partner is not None
        number = len(self.kept)
        images = self.listing[number]
        given = self.recalled[number] if self.recalls else None
        cut = given.cut if given else None
        if images:
            order = order_of(images)
            chain.observe(order)
            cut = cut or seam(chain, order, None)
            if cut is not None:
                chain.cut(cut)
            if have_met(chain, partner):
                chain.met = True
                partner.stopped = True
        self.kept.append(given or Page(images, cut, next(self.clock)))
        chain.pages += 1
        more = f"page {number}" if number + 1 < len(self.listing) else ""
        chain.chain.advance(more, items=len(images))
        if chain.mode is not Mode.BACK and chain.chain.call is None and not chain.relies:
            partner.stopped = True

    @property
    def recalls(self) -> bool:
        """Whether the next page is one that an earlier attempt kept."""
        return len(self.kept) < len(self.recalled)


def pages(images: list[Image], sizes: list[int]) -> list[list[Image]]:
    """Cut a listing into pages of these sizes, over and over."""
    cut: list[list[Image]] = []
    while images:
        size = sizes[len(cut) % len(sizes)]
        cut.append(images[:size])
        images = images[size:]
    return cut or [[]]


def ends(forward: list[list[Image]], back: list[list[Image]]) -> tuple[End, End]:
    clock = count()
    one = End(ImagesChain(CALL, Mode.ALONE, NAME, 10, 0), forward, clock)
    other = End(ImagesChain(CALL, Mode.BACK, NAME, 10, 0), back, clock)
    one.chain.partner, other.chain.partner = other.chain, one.chain
    return one, other


def run(both: tuple[End, End], turns: list[bool], limit: int | None = None) -> None:
    """Let the two take turns as told, what is recalled first, until both are done."""
    taken = 0
    while not all(end.is_done for end in both) and taken != limit:
        turn = turns[taken % len(turns)] if turns else bool(taken % 2)
        able = [end for end in both if not end.is_done]
        recalling = [end for end in able if end.recalls] or able
        recalling[turn % len(recalling)].step()
        taken += 1


MOMENTS = st.lists(st.integers(0, 12), max_size=40) | st.lists(
    st.integers(0, 100), max_size=40, unique=True
)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4)
TURNS = st.lists(st.booleans(), max_size=30)


def listings(
    moments: list[int], swapped: bool, sizes: list[int], back_sizes: list[int]
) -> tuple[list[list[Image]], list[list[Image]]]:
    """Return what the server gives from the front and from the back; ties in any order."""
    images = [
        Image(f"image {number}", BEGINNING + timedelta(seconds=moment))
        for number, moment in enumerate(moments)
    ]
    forward = sorted(images, key=lambda image: image.at)
    back = sorted(images if swapped else images[::-1], key=lambda image: image.at, reverse=True)
    return pages(forward, sizes), pages(back, back_sizes)


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(MOMENTS, st.booleans(), SIZES, SIZES, TURNS)
@example(list(range(9)), False, [5], [5], [False, True])
@example([1] * 30, False, [4], [3], [])
def test_every_image_is_kept_once_whoever_is_faster(
    moments: list[int], swapped: bool, sizes: list[int], back_sizes: list[int], turns: list[bool]
) -> None:
    both = ends(*listings(moments, swapped, sizes, back_sizes))
    run(both, turns)
    kept = Counter(id_ for end in both for page in end.kept for id_ in page.rows)
    assert kept == Counter(f"image {number}" for number in range(len(moments)))


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(
    MOMENTS,
    st.booleans(),
    SIZES,
    SIZES,
    TURNS,
    TURNS,
    st.integers(0, 12),
    st.tuples(st.booleans(), st.booleans()),
)
def test_taken_up_again_nothing_is_lost_whichever_last_page_was_not_kept(
    moments: list[int],
    swapped: bool,
    sizes: list[int],
    back_sizes: list[int],
    turns: list[bool],
    turns_after: list[bool],
    steps: int,
    lost: tuple[bool, bool],
) -> None:
    forward, back = listings(moments, swapped, sizes, back_sizes)
    before = ends(forward, back)
    run(before, turns, limit=steps)
    after = ends(forward, back)
    for end, other, again, loses in zip(before, before[::-1], after, lost, strict=True):
        # A page is not kept before those it was cut for.
        relied_on = end.kept and other.kept and other.kept[-1].came_after(end.kept[-1])
        again.recalled = end.kept[:-1] if loses and not relied_on else end.kept
    run(after, turns_after)
    kept = Counter(id_ for end in after for page in end.kept for id_ in page.rows)
    # What was staged stays staged, also where the second attempt does not come to it again.
    for end in after:
        kept.update(id_ for page in end.recalled[len(end.kept) :] for id_ in page.rows)
    assert kept.keys() == {f"image {number}" for number in range(len(moments))}
    if len(set(moments)) == len(moments):
        assert max(kept.values(), default=1) == 1


def test_more_ties_than_can_be_told_apart_may_come_twice_but_are_not_lost() -> None:
    many = 3 * MAX_TIES
    both = ends(*listings([7] * many, False, [2 * MAX_TIES], [2 * MAX_TIES]))
    run(both, [False, True])
    kept = {id_ for end in both for page in end.kept for id_ in page.rows}
    assert kept == {f"image {number}" for number in range(many)}
