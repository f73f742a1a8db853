"""Glob patterns as regular expressions of RE2, which DuckDB uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

# What Python writes and RE2 reads in another way, or not at all: an escape, a set, a group.
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[>!]", re.DOTALL)
_NOTHING = r"[^\x00-\x{10FFFF}]"


def as_re2(globs: Sequence[str]) -> str | None:
    """Return what RE2 matches wholly where one of the globs does; None if there are none.

    The globs are those of `scope.repositories`: `fnmatch.translate` reads them, so `*` matches
    slashes too, and case counts.
    """
    return "|".join(_PARTS.sub(_as_re2, translate(glob)) for glob in globs) or None


def _as_re2(part: re.Match[str]) -> str:
    text = part[0]
    match text:
        case r"\Z":
            return r"\z"
        case "(?>":  # An atomic group only saves time.
            return "(?:"
        case "(?!":  # An empty set; the group that is left is empty.
            return f"{_NOTHING}("
    if text.startswith("["):
        # A second bracket in a set would begin a class such as [:alpha:].
        return "[" + text[1:].replace(r"\[", "[").replace("[", r"\[")
    return text
