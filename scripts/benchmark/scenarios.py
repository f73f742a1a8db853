"""The scenarios: estates, latencies, and the contenders of each."""

from __future__ import annotations

from dataclasses import dataclass

EVERYONE = ("floor", "exporter", "exporter+ndjson", "exporter-unsplit", "dlt", "sequential")
RIVALS = ("floor", "exporter", "dlt", "sequential")
SPLIT_OR_NOT = ("exporter", "exporter-unsplit")


@dataclass(frozen=True)
class Scenario:
    """One estate behind one latency.

    Attributes:
        name: Its name on the command line and in the tables.
        preset: The emulator's shape of estate.
        images: The number of images that the shape is scaled to.
        latency_ms: The least time of a call, in milliseconds.
        contenders: The names of its contenders.
        slots: Calls that may be under way at once.
        page_size: Items per page.
        rate: Calls per second that the server allows; None for any number.
        warm: Whether the emulator caches its pages in an untimed run before the others. Not for an
            estate that is too large for that: then only CPU time and memory count.
        watched: Whether the calls are counted during the run, which gives the time of the listing
            beside that of the whole process.
        repeats: The most runs; None for the number on the command line.
        busy: Busy loops that run beside each contender, one core each.
        only_by_name: Whether it is left out unless it is named, because it takes long.

    """

    name: str
    preset: str
    images: int
    latency_ms: float
    contenders: tuple[str, ...]
    slots: int = 64
    page_size: int = 1000
    rate: float | None = None
    warm: bool = True
    watched: bool = False
    repeats: int | None = None
    busy: int = 0
    only_by_name: bool = False


FULL = (
    Scenario("skewed", "skewed", 100_000, 50, EVERYONE),
    Scenario("skewed-busy", "skewed", 100_000, 50, RIVALS, busy=1),
    Scenario("skewed-0ms", "skewed", 100_000, 0, RIVALS),
    Scenario("skewed-200ms", "skewed", 100_000, 200, RIVALS),
    Scenario(
        "giant-registry",
        "giant-registry",
        60_000,
        200,
        (*SPLIT_OR_NOT, "floor", "dlt"),
        watched=True,
    ),
    Scenario("giant-repository", "giant-repository", 50_000, 200, SPLIT_OR_NOT, watched=True),
    Scenario("giant-repository-50ms", "giant-repository", 50_000, 50, SPLIT_OR_NOT, watched=True),
    Scenario("growth-small", "million", 100_000, 50, ("exporter",), warm=False),
    Scenario("growth-large", "million", 1_000_000, 50, ("exporter",), warm=False),
    Scenario(
        "growth-huge",
        "million",
        10_000_000,
        0,
        ("exporter",),
        warm=False,
        repeats=1,
        only_by_name=True,
    ),
    Scenario(
        "rate", "skewed", 100_000, 50, SPLIT_OR_NOT, page_size=50, rate=50, watched=True, repeats=1
    ),
)
"""The scenarios for the targets."""

QUICK = (
    Scenario("skewed", "skewed", 10_000, 50, EVERYONE),
    Scenario("giant-registry", "giant-registry", 12_000, 200, SPLIT_OR_NOT, watched=True),
    Scenario("giant-repository", "giant-repository", 10_000, 200, SPLIT_OR_NOT, watched=True),
    Scenario("growth-small", "million", 3_000, 0, ("exporter",), warm=False),
    Scenario("growth-large", "million", 30_000, 0, ("exporter",), warm=False),
    Scenario("rate", "uniform", 10_000, 50, ("exporter",), page_size=10, rate=50, watched=True),
)
"""Some of them at sizes that show whether the benchmark works, not how fast a program is."""
