"""Single values of the API's JSON, by the proto3 mapping, and the values that cannot be read.

A parser of proto3 JSON accepts every field under two names, `createdAt` and `created_at`, and
integers as numbers or as texts. A value that cannot be read costs only itself: it is left out, and
the item's `problem` names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from exporter.sources.cloud.decode.pages import is_unicode
from exporter.tables.times import time_of

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
_MOST_DIGITS = 19
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_CAPITAL = re.compile("[A-Z]")
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "what is no Unicode"),
    (bool, "true or false"),
    ((int, float, Decimal), "a number"),
    (list, "a list"),
    (dict, "an object"),
    (type(None), "null"),
)
_SHOWN = 60
_NAMED = 5


@lru_cache(maxsize=64)
def snake_case(name: str) -> str:
    """Return a field's name as its protobuf message spells it: `created_at` for `createdAt`."""
    return _CAPITAL.sub(lambda capital: f"_{capital[0].lower()}", name)


def field_of(item: Mapping[str, Any], name: str) -> Any:
    """Return a field in either spelling; None if it is absent or null in both."""
    value = item.get(name)
    return item.get(snake_case(name)) if value is None else value


def whole_of(value: object) -> int | None:
    """Return a 64-bit integer that was sent as a text or as a number; None for any other value.

    A number with an exponent, or with a fraction of zeros only, is an integer too.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        number = Decimal(value)
        if number and number.adjusted() >= _MOST_DIGITS:
            return None
        whole = int(number)
    except (ArithmeticError, ValueError):
        return None
    return whole if whole == number and SMALLEST <= whole <= LARGEST else None


class Item:
    """One object of a page; its fields are read in either spelling.

    A value that cannot be read is None, or left out of a list or map, and `problem` names it. An
    item that is not an object has no fields.
    """

    def __init__(self, fields: object, path: str = "", bad: list[str] | None = None) -> None:
        self._path = path
        self._bad: list[str] = [] if bad is None else bad
        self._fields: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
        self._whole = fields
        if not isinstance(fields, dict):
            self._note("the item", fields)
        for key in self._fields:
            if not (key.isascii() or is_unicode(key)):
                self._note("the key", key)

    def text(self, name: str) -> str | None:
        """Return a text."""
        text: str | None = self._read(name, str)
        return text

    def enum(self, name: str) -> str | None:
        """Return an enum's name, or the number as text of a value that the API has no name for."""
        value = field_of(self._fields, name)
        number = None if isinstance(value, str) else whole_of(value)
        return self.text(name) if number is None else str(number)

    def time(self, name: str) -> datetime | None:
        """Return a time in UTC, cut to the microsecond."""
        text = self._read(name, str)
        at = time_of(text) if text is not None else None
        if at is None and text is not None:
            self._note(name, text)
        return at

    def whole(self, name: str) -> int | None:
        """Return a 64-bit integer."""
        value = field_of(self._fields, name)
        number = whole_of(value)
        if number is None and value is not None:
            self._note(name, value)
        return number

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        return list(self._each(name, str))

    def labels(self, name: str) -> list[tuple[str, str]]:
        """Return a map of texts."""
        labels = self._read(name, dict) or {}
        for key in labels:
            if not is_unicode(key):
                self._note(f"a key of {name}", key)
        return [
            (key, value)
            for key, value in labels.items()
            if is_unicode(key) and self._is(value, str, f"{name}.{key}")
        ]

    def child(self, name: str) -> Item | None:
        """Return an object; its problems are part of this item's."""
        fields = self._read(name, dict)
        return None if fields is None else self._inner(fields, name)

    def children(self, name: str) -> list[Item]:
        """Return a list of objects; an entry that is not an object becomes an empty one."""
        values = self._read(name, list) or []
        return [
            self._inner(value if self._is(value, dict, place) else {}, place)
            for place, value in ((f"{name}[{number}]", one) for number, one in enumerate(values))
        ]

    @property
    def problem(self) -> str | None:
        """The values that could not be read, in a sentence; None if all could."""
        if not self._bad:
            return None
        more = f" and {len(self._bad) - _NAMED} more" if len(self._bad) > _NAMED else ""
        named = ", ".join(self._bad[:_NAMED])
        return f"These values cannot be read, and are left out: {named}{more}."

    def misread(self, *names: str) -> str:
        """Return which of some texts has a value that is not a text, as the end of a sentence.

        It is empty if there is none. It does not quote the value, because it goes into errors and
        logs.
        """
        if not isinstance(self._whole, dict):
            return f"is {_kind(self._whole)} instead of an object"
        for name in names:
            value = field_of(self._fields, name)
            if value is not None and not _is_text(value):
                return f"has {_kind(value)} instead of a text as its {name}"
        return ""

    def _inner(self, fields: Mapping[str, Any], name: str) -> Item:
        return Item(fields, f"{self._path}{name}.", self._bad)

    def _read(self, name: str, kind: type) -> Any:
        value = field_of(self._fields, name)
        return value if value is not None and self._is(value, kind, name) else None

    def _each(self, name: str, kind: type) -> Iterator[Any]:
        for number, value in enumerate(self._read(name, list) or []):
            if self._is(value, kind, f"{name}[{number}]"):
                yield value

    def _is(self, value: object, kind: type, name: str) -> bool:
        if not (_is_text(value) if kind is str else isinstance(value, kind)):
            self._note(name, value)
            return False
        return True

    def _note(self, name: str, value: object) -> None:
        self._bad.append(_writable(f"{self._path}{name} {_shown(value)}"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and (value.isascii() or is_unicode(value))


def _kind(value: object) -> str:
    """Return the kind of a value that is not a text, for messages."""
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    return str(value)


def _shown(value: object) -> str:
    """Return a value for messages, as JSON, cut if it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain)
    except RecursionError:
        text = "nested too deep to be shown"
    return _writable(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


def _writable(text: str) -> str:
    """Return a text with escapes in place of invalid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
