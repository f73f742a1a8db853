"""What is measured: estates, latencies, and who takes part in each."""

from __future__ import annotations

from dataclasses import dataclass

EVERYONE = ("floor", "exporter", "exporter+ndjson", "exporter-chain", "dlt", "sequential")
RIVALS = ("floor", "exporter", "dlt", "sequential")
CHAINS = ("exporter", "exporter-chain")


@dataclass(frozen=True)
class Scenario:
    """One estate behind one latency.

    Attributes:
        name: What it is called on the command line and in the tables.
        preset: The emulator's shape of estate.
        images: How many images that shape is scaled to.
        latency_ms: How long each call takes at least, in milliseconds.
        contenders: Who takes part.
        slots: Calls that may be under way at once.
        page_size: Items per page.
        rate: Calls per second that the server allows; None for any number.
        warm: Whether the emulator keeps its pages and is asked for them once before anything
            is timed. Off where an estate is too large for that and only CPU time and memory of
            the contender are of interest.
        watched: Whether the calls are watched while they are made, which tells apart the time
            of the listing and the time of the whole process.
        repeats: Runs at most; None for as many as are asked for.

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


FULL = (
    Scenario("skewed", "skewed", 100_000, 50, EVERYONE),
    Scenario("skewed-0ms", "skewed", 100_000, 0, RIVALS),
    Scenario("skewed-200ms", "skewed", 100_000, 200, RIVALS),
    Scenario(
        "giant-registry", "giant-registry", 60_000, 200, (*CHAINS, "floor", "dlt"), watched=True
    ),
    Scenario("giant-repository", "giant-repository", 50_000, 200, CHAINS, watched=True),
    Scenario("giant-repository-50ms", "giant-repository", 50_000, 50, CHAINS, watched=True),
    Scenario("growth-small", "million", 100_000, 50, ("exporter",), warm=False),
    Scenario("growth-large", "million", 1_000_000, 50, ("exporter",), warm=False),
    Scenario("rate", "skewed", 100_000, 50, CHAINS, page_size=50, rate=50, watched=True, repeats=1),
)
"""The sizes that the targets are about."""

QUICK = (
    Scenario("skewed", "skewed", 10_000, 50, EVERYONE),
    Scenario("giant-registry", "giant-registry", 12_000, 200, CHAINS, watched=True),
    Scenario("giant-repository", "giant-repository", 10_000, 200, CHAINS, watched=True),
    Scenario("growth-small", "million", 3_000, 0, ("exporter",), warm=False),
    Scenario("growth-large", "million", 30_000, 0, ("exporter",), warm=False),
    Scenario("rate", "uniform", 10_000, 50, ("exporter",), page_size=10, rate=50, watched=True),
)
"""Some of them at sizes that show whether the benchmark works, not how fast anything is."""
