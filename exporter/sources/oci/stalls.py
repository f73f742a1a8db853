"""Repositories in which something failed: they wait, so that a resumed run can try it again.

What follows from a step is stored, and is the same again in a resumed run, so it must not begin
while something of the step may still succeed. Such a repository goes on once nothing else is left
to list, for then the result is about to be published. Where a partial result is not published, it
ends at once: the next run tries what failed, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable

MOST_FAILED = 20_000
"""Failures of one registry that wait in memory; beyond that, repositories go on at once."""


class Stalls:
    """Those of one registry; `publishes` says whether a partial result is published."""

    def __init__(self, *, publishes: bool) -> None:
        self.publishes = publishes
        self._failed = 0
        self._waiting: list[Callable[[], None]] = []

    @property
    def count(self) -> int:
        """How many repositories wait."""
        return len(self._waiting)

    def wait(self, failed: int, go_on: Callable[[], None]) -> None:
        """Let a repository wait that has so many failures; `go_on` is called in the end."""
        self._failed += failed
        if self._failed > MOST_FAILED:
            go_on()
        else:
            self._waiting.append(go_on)

    def end(self) -> None:
        """Let all of them go on: nothing else is left."""
        waiting, self._waiting = self._waiting, []
        self._failed = 0
        for go_on in waiting:
            go_on()
