"""The lines that a person watches: every figure, on any width, and log events elsewhere."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.console import Console
from rich.text import Text
from structlog.testing import capture_logs

from exporter.cli.process import progress
from exporter.cli.terminal import live
from exporter.cli.terminal.live import LiveProgress, can_show
from exporter.crawl.progress import Progress, Statistics
from exporter.http.silence import OutageStatistics

NOW = Statistics(
    phase="listing",
    seconds=12.0,
    listings_done=57,
    listings_known=120,
    pages=345,
    recalled_pages=12,
    images=34_500,
    layers=310_000,
    calls=400,
    retries=3,
    throttled=1,
    wire_bytes=12_345_678,
    slots_in_use=28,
    slots=32,
    seconds_left=13.3,
)


class Watched(Progress):
    """A run's progress that notices when it was looked at three times."""

    def __init__(self) -> None:
        super().__init__(phase="listing", images=7, listings_known=3)
        self.seen = asyncio.Event()
        self._looks = 0

    def statistics(self) -> Statistics:
        self._looks += 1
        if self._looks == 3:
            self.seen.set()
        return super().statistics()


async def watch_for_a_while(watch: Callable[[Progress], Coroutine[None, None, None]]) -> None:
    watched = Watched()
    watcher = asyncio.create_task(watch(watched))
    await asyncio.wait_for(watched.seen.wait(), 100)
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)


def terminal(width: int, **environment: str) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        _environ={"TERM": "xterm", **environment},
    )


def shown(now: Statistics, width: int = 100) -> str:
    console = terminal(width, NO_COLOR="1")
    with console.capture() as captured:
        console.print(LiveProgress(console).render(now))
    return captured.get()


def test_every_figure_is_shown() -> None:
    lines = shown(NOW)
    for figure in (
        "Listing",
        "57 of 120 listings",
        "12 s, about 13 s left",
        "34,500 images",
        "310,000 layers",
        "345 pages (12 from an earlier attempt)",
        "400 calls, 33/s",
        "28 of 32 slots",
        "3 retries",
        "1 throttled",
        "11.8 MiB",
    ):
        assert figure in lines


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_shows_every_figure_too(width: int) -> None:
    now = replace(NOW, calls=1_234_567, wire_bytes=123_456_789_012, recalled_pages=0)
    lines = shown(now, width)
    for figure in ("1,234,567 calls", "28 of 32 slots", "1 throttled", "115 GiB"):
        assert figure in lines
    assert "…" not in lines.partition("\n")[2]


def test_a_host_that_does_not_answer_is_named_with_until_when_it_is_tried() -> None:
    since = datetime(2026, 11, 28, 2, 10, 5).astimezone()
    outage = OutageStatistics(
        "https://registry.example", since, since + timedelta(minutes=15), "it was refused", 3
    )
    text = shown(replace(NOW, outages=(outage,)))
    assert "https://registry.example has not answered since 02:10:05" in text
    assert "trying until 02:25:05" in text
    assert "it was refused" in text
    put_off = replace(outage, refuses=True)
    text = shown(replace(NOW, outages=(put_off,)))
    assert "https://registry.example refuses every call since 02:10:05" in text


def test_the_last_second_is_not_counted_down() -> None:
    assert "12 s, less than 1 s left" in shown(replace(NOW, seconds_left=0.02))


def test_what_is_not_known_yet_is_not_told() -> None:
    lines = shown(replace(NOW, seconds_left=None, recalled_pages=0))
    assert "57 of 120+ listings" in lines
    assert "left" not in lines
    assert "attempt" not in lines


@pytest.mark.parametrize("width", [32, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = Text.from_ansi(shown(NOW, width)).plain.splitlines()
    assert all(len(line) <= width for line in lines)
    assert "Listing" in lines[0]


@pytest.mark.parametrize(
    ("phase", "words"), [("deriving", "Computing totals"), ("publishing", "Publishing")]
)
def test_after_the_listing_the_phase_is_named(phase: str, words: str) -> None:
    now = replace(NOW, phase=phase)  # type: ignore[arg-type] # one of the phases
    assert words in shown(now)
    assert "listings" not in shown(now)


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    console = terminal(100)
    with console.capture() as captured:
        console.print(LiveProgress(console).render(NOW))
    assert "\x1b[36m" in captured.get()
    assert "\x1b[36m" not in shown(NOW)


def test_a_dumb_terminal_and_a_pipe_show_nothing_that_moves() -> None:
    assert can_show(terminal(80))
    assert not can_show(terminal(80, TERM="dumb"))
    assert not can_show(Console(file=io.StringIO()))


async def test_the_lines_go_away_when_the_run_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REFRESH_EVERY", 0)
    console = terminal(100)
    await watch_for_a_while(LiveProgress(console))
    output = console.file
    assert isinstance(output, io.StringIO)
    assert "7 images" in output.getvalue()
    assert output.getvalue().endswith("\x1b[2K"), "the last thing written clears a line"
    assert "\x1b[?25h" in output.getvalue(), "the cursor is shown again"


async def test_without_a_terminal_the_figures_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY", 0)
    with capture_logs() as events:
        await watch_for_a_while(progress.log_progress)
    assert events[0]["event"] == "progress"
    assert events[0]["phase"] == "listing"
    assert events[0]["images"] == 7
    assert events[0]["listings_known"] == 3
