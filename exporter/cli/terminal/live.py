"""The progress of a run on a terminal: a few lines, renewed in place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from exporter.figures import duration, size
from exporter.wording import number

if TYPE_CHECKING:
    from exporter.crawl.progress import Progress, Statistics
    from exporter.http.silence import OutageStatistics

REFRESH_EVERY = 0.125
"""Seconds between two looks at the figures."""

_PHASES = {
    "starting": "Starting",
    "listing": "Listing",
    "deriving": "Computing totals",
    "publishing": "Publishing",
    "done": "Done",
}
_BAR_WIDTH = 30
_WIDTH_WITH_BAR = 80


def can_show(console: Console) -> bool:
    """Return whether a console can renew lines in place."""
    return console.is_terminal and not console.is_dumb_terminal


class LiveProgress:
    """Shows a run's figures on a console; log events appear above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = Spinner("dots", style="cyan")

    async def __call__(self, progress: Progress) -> None:
        """Show the figures until cancelled, then leave no trace of them.

        The event loop reads them between two of its steps, so all are of one moment.
        """
        with Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            vertical_overflow="crop",
        ) as live:
            while True:
                live.update(self.render(progress.statistics()), refresh=True)
                await asyncio.sleep(REFRESH_EVERY)

    def render(self, now: Statistics) -> RenderableType:
        """Return the figures of a moment as lines that fit the console."""
        head = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [self._spinner, Text(_PHASES[now.phase], style="bold")]
        if now.phase == "listing":
            if self._console.width >= _WIDTH_WITH_BAR:
                cells.append(_bar(now))
            cells.append(Text(f"{now.listings_done:,} of {_known(now)} listings"))
        cells.append(Text(_time(now), style="dim"))
        head.add_row(*cells)
        # Room for the ^C that a terminal writes: without it, the lines would wrap and shift.
        width = self._console.width - 3
        return Group(
            head,
            *_lines(_found(now), width),
            *_lines(_asked(now), width, style="dim"),
            *(line for each in now.outages for line in _lines(_silent(each), width, style="red")),
        )


def _bar(now: Statistics) -> ProgressBar:
    known = now.seconds_left is not None
    return ProgressBar(
        total=max(1, now.listings_known) if known else None,
        completed=now.listings_done,
        width=_BAR_WIDTH,
        pulse=not known,
        animation_time=now.seconds,
    )


def _known(now: Statistics) -> str:
    return f"{now.listings_known:,}" + ("" if now.seconds_left is not None else "+")


def _time(now: Statistics) -> str:
    if now.seconds_left is None:
        return duration(now.seconds)
    left = "less than 1 s" if now.seconds_left < 1 else f"about {duration(now.seconds_left)}"
    return f"{duration(now.seconds)}, {left} left"


def _found(now: Statistics) -> list[str]:
    pages = number(now.pages, "page")
    if now.recalled_pages:
        pages += f" ({now.recalled_pages:,} from an earlier attempt)"
    return [number(now.images, "image"), number(now.layers, "layer"), pages]


def _asked(now: Statistics) -> list[str]:
    return [
        f"{number(now.calls, 'call')}, {now.calls_per_second:.0f}/s",
        f"{now.slots_in_use} of {number(now.slots, 'slot')}",
        number(now.retries, "retry", "retries"),
        f"{now.throttled:,} throttled",
        size(now.wire_bytes),
    ]


def _silent(outage: OutageStatistics) -> list[str]:
    since, until = (f"{at.astimezone():%H:%M:%S}" for at in (outage.since, outage.until))
    does = "refuses every call" if outage.refuses else "has not answered"
    return [
        f"{outage.host} {does} since {since}",
        f"trying until {until}",
        outage.reason,
    ]


def _lines(parts: list[str], width: int, style: str = "") -> list[Text]:
    """Return as many lines as the parts need: a figure must not be cut."""
    lines: list[str] = []
    for part in parts:
        if lines and len(f"{lines[-1]} · {part}") <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(f"  {part}")
    return [Text(line, style=style, no_wrap=True, overflow="ellipsis") for line in lines]
