"""Whether a listing that has reached its end is complete.

The API promises no count, and a page begins where the one before it ended only if both are in the
same order. So a listing is complete in two cases:

- Every image was behind the one before it, over all pages, in an order without ties.
- No image came twice. Pages are cut by number: if another order puts an image on two pages, it puts
  another image on none. As many images are missing as came twice, in one reading or in several
  together. Once all readings together have as many different images as one of them had lines, that
  one has lost none.

Images that are pushed while a listing runs move others to the next page. Those come again in the
same order, right at the beginning of that page. In an order that holds, this means nothing. But
ties in a new order look the same. So in a repository listed by time, where pushed images come last,
it is no proof. In a registry's scan, the repositories on such a page are listed alone as well. If
no order holds, an image that moved counts as one that came twice. The next reading has the pushed
images too, and so as many different images as the one before had lines.

A listing may begin with its first page again. That is believed if the page is long, or in an order
that nothing else looks like. A few ties may come again by chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


class Proof:
    """The evidence in the pages of one listing; `total` if an order without ties was asked for.

    Fewer than `enough` images may look by chance as if they came in that order. After
    `forget_after` images in it, the ids are forgotten; None: never.
    """

    def __init__(self, *, total: bool, enough: int, forget_after: int | None) -> None:
        self.total = total
        """Whether every image so far was behind the one before it."""
        self.doubtful = False
        """Whether an image came again that no pushed image can have moved."""
        self.lines = 0
        """Images that came, without those that only moved to the next page."""
        self.came = 0
        """Images that came, each counted as often as it came."""
        self._enough = enough
        self._moved_early = False  # Of the time before enough images had come to believe the order.
        self._promised = total
        self._longest = 0
        self._began_again = False
        self._forget_after = forget_after
        self._ids: list[pa.Array] | None = []

    def add(
        self, ids: Sequence[str], *, in_order: bool, moved: int = 0, doubtful: bool = False
    ) -> None:
        """Add a page; its first `moved` images were also at the end of the page before."""
        self._moved_early = self._moved_early or (moved > 0 and self.came < self._enough)
        self.lines += len(ids) - moved
        self.came += len(ids)
        self.total = self.total and in_order
        self.doubtful = self.doubtful or doubtful
        enough = self._forget_after is not None and self.lines >= self._forget_after
        if self.total and enough:
            self._ids = None
        elif self._ids is not None:
            self._ids.append(pa.array(ids[moved:], pa.string()))

    def begin_again(self, *, long: bool, tied: bool) -> None:
        """Note that the API has begun with the first page again, under a new token.

        Only the pages that follow count, if they have as many images. A page that is not `long` may
        have come again by chance. Then only an order that holds from there on is a proof, and
        nothing is if the page had images `tied` in that order.
        """
        self._longest = max(self._longest, self.lines)
        self.total, self.lines = self._promised, 0
        if long:
            self.came, self.doubtful, self._ids = 0, False, []
            self._moved_early = False
        else:
            self._began_again = True
            self.doubtful = self.doubtful or tied

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, if the listing has reached its end."""
        if self.doubtful or self.lines < self._longest:
            return False
        if self._moved_early and self.came < self._enough:
            return False
        if self.total or self._began_again:
            return self.total
        return self._ids is not None and distinct(self._ids) == self.came

    @property
    def ids(self) -> list[pa.Array]:
        """The ids that are remembered."""
        return self._ids or []


class Readings:
    """Readings of one scope of which none was complete; together they may be."""

    def __init__(self) -> None:
        self.count = 0
        self._ids: list[pa.Array] = []
        self._most = 0
        self._last = 0

    def add(self, proof: Proof) -> None:
        """Add another reading."""
        self.count += 1
        self._ids = [pc.unique(pa.chunked_array([*self._ids, *proof.ids], pa.string()))]
        self._most = max(self._most, self._last, proof.lines)
        self._last = proof.came

    @property
    def whole(self) -> bool:
        """Whether all together have as many different images as each had lines.

        In the last reading, images that only moved to the next page do not count: no reading has
        reached the images that moved them yet.
        """
        return self.count > 1 and distinct(self._ids) >= self._most

    @property
    def missing(self) -> int:
        """The least number of images that may be missing."""
        return max(self._most - distinct(self._ids), 0)


def distinct(ids: Sequence[pa.Array]) -> int:
    """Return the number of different ids."""
    return pc.count_distinct(pa.chunked_array(ids, pa.string())).as_py() or 0
