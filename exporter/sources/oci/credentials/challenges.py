"""WWW-Authenticate headers (RFC 9110, 11.6.1), as registries and their gateways write them.

No well-kept library reads several challenges of one header: they split at commas, which may also
stand in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_PARAMETER = re.compile(r'([^\s=,"]+)\s*=\s*(?=[^\s=,])')
_EMPTY_PARAMETER = re.compile(r'([^\s=,"]+)\s*=\s*(?=,|$)')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?', re.DOTALL)
_BARE = re.compile(r"[^\s,]+")
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate: its scheme in lower case, and its parameters by such names."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Return the challenges of several header values, in their order; junk is passed over."""
    return [challenge for header in headers for challenge in _parse(header)]


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: a Bearer token's if there is one, else Basic."""
    by_scheme: dict[str, Challenge] = {}
    for challenge in challenges:
        by_scheme.setdefault(challenge.scheme, challenge)
    bearer = by_scheme.get("bearer")
    if bearer is not None and bearer.parameters.get("realm"):
        return bearer
    return by_scheme.get("basic")


def _parse(text: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    place = 0
    is_fresh = False  # Whether the scheme was just read, so that a bare word belongs to it.
    while True:
        between = _BETWEEN.match(text, place)
        place = between.end() if between else place
        if place >= len(text):
            break
        if between and "," in between[0]:
            is_fresh = False
        named = _PARAMETER.match(text, place)
        empty = None if named or is_fresh else _EMPTY_PARAMETER.match(text, place)
        if named:
            value, place = _value(text, named.end())
            if found:
                found[-1][1].setdefault(named[1].lower(), value)
            is_fresh = False
        elif empty:
            place = empty.end()
        elif word := _BARE.match(text, place):
            place = word.end()
            if not is_fresh:
                found.append((word[0].lower(), {}))
            is_fresh = not is_fresh
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def _value(text: str, place: int) -> tuple[str, int]:
    """Return the value that begins at a place, and where it ends."""
    quoted = _QUOTED.match(text, place)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), quoted.end()
    bare = _BARE.match(text, place)
    return (bare[0], bare.end()) if bare else ("", place)
