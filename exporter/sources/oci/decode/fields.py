"""A JSON object that nobody vouches for, read field by field, within bounds.

What cannot be read is left out, and `Problems` says so: a bad value costs itself alone. Only a body
that is no JSON object at all, or that is too large, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from exporter.errors import PageError
from exporter.tables.times import time_of

MOST_BYTES = 8 * 1024 * 1024
"""The largest manifest or config that is read."""
MOST_ITEMS = 10_000
"""The most layers or references of one manifest; images have some hundred, at most."""
_MOST_NESTED = 200_000
"""Objects and lists in a body. A list takes 28 times its two bytes in memory."""
_LARGEST = 2**63 - 1
_NAMED = 5
_SHOWN = 60
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]{16,}")

Pairs = tuple[tuple[str, str], ...]
"""A map of texts, such as annotations or labels."""


class Problems:
    """The values of a body that cannot be read, each with its place."""

    def __init__(self) -> None:
        self._bad: dict[str, None] = {}

    def note(self, place: str, value: object) -> None:
        """Note a value; long ones are cut."""
        self._bad[f"{place} {_shown(value)}"] = None

    @property
    def sentence(self) -> str | None:
        """What cannot be read; None if all was read."""
        if not self._bad:
            return None
        more = f" and {len(self._bad) - _NAMED} more" if len(self._bad) > _NAMED else ""
        named = ", ".join(list(self._bad)[:_NAMED])
        return f"These values cannot be read, and are left out: {named}{more}."


class Fields:
    """An object's fields; one that is absent or null is None, or empty."""

    def __init__(self, content: object, problems: Problems, place: str = "") -> None:
        self.problems = problems
        self._place = place
        self._content: dict[str, Any] = content if isinstance(content, dict) else {}
        if content is not None and not isinstance(content, dict):
            problems.note(place.removesuffix(".") or "the body", content)

    def has(self, name: str) -> bool:
        """Return whether a field is there, and not null."""
        return self._content.get(name) is not None

    def text(self, name: str) -> str | None:
        """Return a text; an empty one is none."""
        value = self._content.get(name)
        if isinstance(value, str):
            return value or None
        self._refuse(name, value)
        return None

    def digest(self, name: str = "digest") -> str | None:
        """Return a digest, `algorithm:value`."""
        text = self.text(name)
        if text is None or _DIGEST.fullmatch(text):
            return text
        self._refuse(name, text)
        return None

    def needed_digest(self, name: str = "digest") -> str | None:
        """Return a digest; that there is none is a problem too."""
        if not self.has(name):
            self.problems.note(f"{self._place}{name}", None)
        return self.digest(name)

    def size(self, name: str = "size") -> int | None:
        """Return a size in bytes: a whole number of 64 bits that is not negative."""
        value = self._content.get(name)
        if type(value) is int and 0 <= value <= _LARGEST:
            return value
        self._refuse(name, value)
        return None

    def whole(self, name: str) -> int | None:
        """Return a whole number; what is none is no problem here."""
        value = self._content.get(name)
        return value if type(value) is int else None

    def time(self, name: str) -> datetime | None:
        """Return an RFC 3339 time in UTC, cut to the microsecond."""
        text = self.text(name)
        time = None if text is None else time_of(text)
        if time is None:
            self._refuse(name, text)
        return time

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = []
        for place, value in self._list(name):
            if isinstance(value, str):
                found.append(value)
            else:
                self.problems.note(place, value)
        return tuple(found)

    def pairs(self, name: str) -> Pairs:
        """Return a map of texts."""
        value = self._content.get(name)
        if not isinstance(value, dict):
            self._refuse(name, value)
            return ()
        for key, each in value.items():
            if not isinstance(each, str):
                self.problems.note(f"{self._place}{name}.{key}", each)
        return tuple((key, each) for key, each in value.items() if isinstance(each, str))

    def child(self, name: str) -> Fields:
        """Return an object, empty where there is none."""
        return Fields(self._content.get(name), self.problems, f"{self._place}{name}.")

    def children(self, name: str) -> list[Fields]:
        """Return a list of objects; one that is none keeps its place, without fields.

        Raises `PageError` for more than `MOST_ITEMS`.
        """
        found = []
        for place, value in self._list(name):
            if value is None:
                self.problems.note(place, value)
            found.append(Fields(value, self.problems, f"{place}."))
        return found

    def is_list(self, name: str) -> bool:
        """Return whether a field is a list."""
        return isinstance(self._content.get(name), list)

    def _list(self, name: str) -> Iterator[tuple[str, Any]]:
        values = self._content.get(name)
        if not isinstance(values, list):
            self._refuse(name, values)
            return
        if len(values) > MOST_ITEMS:
            raise PageError(f"its {name} are {len(values):,}, more than {MOST_ITEMS:,}")
        for number, value in enumerate(values):
            yield f"{self._place}{name}[{number}]", value

    def _refuse(self, name: str, value: object) -> None:
        if value is not None and value != "":
            self.problems.note(f"{self._place}{name}", value)


def read_object(body: bytes) -> Fields:
    """Parse a body; raises `PageError` for one that is no JSON object, or too large."""
    if len(body) > MOST_BYTES:
        raise PageError(f"it has {len(body):,} bytes, more than {MOST_BYTES:,}")
    if body.count(b"{") + body.count(b"[") > _MOST_NESTED:
        raise PageError(f"it has more than {_MOST_NESTED:,} objects and lists")
    try:
        # Nesting is bounded by the parser.
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise PageError("it is not JSON") from None
    if not isinstance(content, dict):
        raise PageError("it is not a JSON object")
    return Fields(content, Problems())


def _shown(value: object) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = "nested too deep to be shown"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
