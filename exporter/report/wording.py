"""Figures, times and names as the page writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from unicodedata import bidirectional

from exporter.figures import printable, size

_LONGEST = 120
_NBSP = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


def bytes_(value: int) -> str:
    """Return bytes with a binary unit that no line break parts from its number."""
    said = size(abs(value)).replace(" ", _NBSP)
    return f"{_MINUS}{said}" if value < 0 else said


def count(value: int) -> str:
    """Return a count with separated thousands."""
    return f"{value:,}".replace("-", _MINUS)


def signed(text: str, value: int) -> str:
    """Return the text of a difference with its sign: `+1.2 GiB`, `−3`."""
    return f"+{text}" if value > 0 else text


def percent(part: float, whole: float) -> str:
    """Return a part in percent of a whole, with one digit below ten: `3.4 %`, `37 %`."""
    if whole == 0:
        return f"0{_NBSP}%"
    value = 100 * part / whole
    if part and abs(value) < 0.05:
        return f"under 0.1{_NBSP}%"
    digits = 1 if abs(value) < 9.95 else 0
    return f"{value:.{digits}f}{_NBSP}%".replace("-", _MINUS)


def day(moment: datetime) -> str:
    """Return a day in UTC: `28 Nov 2026`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}".replace(" ", _NBSP)


def date(moment: datetime) -> str:
    """Return a day in UTC, its month in full: `28 November 2026`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def time(moment: datetime) -> str:
    """Return a minute in UTC: `28 Nov 2026, 02:00 UTC`."""
    return f"{day(moment)}, {moment.astimezone(UTC):%H:%M}{_NBSP}UTC"


def cut(name: str, longest: int = _LONGEST) -> str:
    """Return a name on one line without control characters, its middle left out if it is long."""
    name = printable(name)
    if len(name) <= longest:
        return name
    half = longest // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def isolated(name: str, longest: int = 60) -> str:
    """Return a name as `cut` does, so that letters from right to left turn nothing around it.

    For sentences and pictures: the page's own cells isolate names in HTML.
    """
    name = cut(name, longest)
    turns = any(bidirectional(letter) in {"R", "AL"} for letter in name)
    return f"{_ISOLATE}{name}{_END}" if turns else name


def short_digest(digest: str) -> str:
    """Return a digest's first twelve digits, which is enough to find it: `sha256:60775ee557df`."""
    algorithm, _, digits = printable(digest or "").partition(":")
    return f"{algorithm}:{digits[:12]}" if digits else cut(algorithm, 24)
