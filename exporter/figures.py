"""Figures and names as text for a person: sizes, durations, ages, odd letters."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(count: int) -> str:
    """Return bytes with three digits and a binary unit: `1.21 GiB`, `734 MiB`, `12 B`."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return a length of time: `0.8 s`, `42 s`, `3 min 20 s`, `1 h 5 min`, `3 d 2 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, smaller, below in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


def age(seconds: float) -> str:
    """Return how long ago something was: `just now`, `12 min ago`, `3 d 2 h ago`."""
    return "just now" if seconds < 60 else f"{duration(seconds - seconds % 60)} ago"


def share(part: int, whole: int) -> str:
    """Return a part in percent of a whole: `37%`; `0%` and `100%` only where it is exactly that."""
    if whole == 0:
        return "0%"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1%"
    if 99 < percent < 100:
        return ">99%"
    return f"{percent:.0f}%"


def printable(text: str) -> str:
    """Return a text as one line without control characters.

    A name may have any letter: line breaks, escapes, marks that turn a line around. Bytes of a
    path that are not UTF-8 stay as Python's surrogates.
    """
    return "".join(
        letter
        if letter.isprintable() or "\udc80" <= letter <= "\udcff"
        else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
