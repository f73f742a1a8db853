"""One page of a listing, from bytes to a checked JSON object, or a `PageError`.

PyArrow's JSON reader is fast but does not check its input (`README.md`, "Facts measured here"): a
body that begins with `null` crashes the process, two objects parse as two rows, and broken UTF-8
inside a key makes a field vanish. This module checks a body first. Nesting of any depth is refused,
or skipped with the unknown field that contains it: the reader recurses only where it has to infer
types.
"""

from __future__ import annotations

import codecs
import json
import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj

from exporter.errors import PageError

_TOKEN_KEYS = (b'"nextPageToken"', b'"next_page_token"')
_TOKEN = rb"(?:%b)" % b"|".join(_TOKEN_KEYS) + rb'\s*:\s*"([!#-\[\]-~]+)"'
_TOKEN_LAST = re.compile(_TOKEN + rb"\s*\}\s*\Z")
_TOKEN_FIRST = re.compile(rb"(?:%b)?\s*\{\s*" % codecs.BOM_UTF8 + _TOKEN)
_LONGEST_TOKEN = 4096


_LONGEST_INT = 100
"""The most digits of an integer that Python converts; no column has a value of that length."""


class Twice:
    """Stands for the values of a key that occurs twice in one object: neither can be relied on."""

    def __str__(self) -> str:
        """Return a description for messages."""
        return "two values"


@dataclass(frozen=True)
class Objects:
    """A page as Python objects: its items, and the next page's token or an empty text.

    `doubt` says why the body is not valid JSON, although it could be read; it is empty for valid
    JSON. If it is not empty, texts may contain surrogates in place of invalid Unicode.
    """

    items: list[Any]
    next_token: str
    doubt: str


def shown_token(body: bytes) -> str:
    """Return the next page's token if a body shows it, unparsed, as its first or last key.

    It is a likely guess, since a body that is not a page may show one as well. Empty if none is
    found.
    """
    seen = _TOKEN_LAST.search(body, max(0, len(body) - _LONGEST_TOKEN)) or _TOKEN_FIRST.match(body)
    return seen[1].decode("ascii") if seen else ""


def has_token(body: bytes) -> bool:
    """Return whether a next page's token may be anywhere in the body; false for most last pages."""
    return any(key in body for key in _TOKEN_KEYS)


def _guard(body: bytes) -> None:
    """Refuse a body that the reader would misread; raises `PageError`."""
    if not body.lstrip(b" \t\r\n").startswith(b"{"):
        raise PageError("the body is not a JSON object")
    offsets = pa.py_buffer(struct.pack("<qq", 0, len(body)))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(body)])
    try:
        text.validate(full=True)  # ten times as fast as `bytes.decode`, which copies
    except pa.ArrowInvalid:
        raise PageError("the body is not UTF-8") from None


def read_object(body: bytes, items: str, *, strict: bool = False) -> Objects:
    """Parse a page into Python objects; `items` is the key of its items.

    With `strict`, numbers with a fraction become Decimals, and a key that occurs twice in one
    object has `Twice` as its value. Raises `PageError`.
    """
    page, doubt = _parse(body, strict=strict)
    _refuse_strangers(page, items)
    listed = [] if page.get(items) is None else page[items]
    if not isinstance(listed, list):
        raise PageError(f"`{items}` is not a list")
    token = page.get("nextPageToken") or page.get("next_page_token") or ""
    if not isinstance(token, str) or not is_unicode(token):
        raise PageError("`nextPageToken` is not a text")
    return Objects(listed, token, doubt)


def is_unicode(text: str) -> bool:
    """Return whether a text is valid Unicode: it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_columns(body: bytes, items: str, item: pa.StructType) -> tuple[pa.StructArray, str]:
    """Parse a large page into Arrow without a Python object per row.

    `items` is the key of the items, `item` their type; other fields are ignored. Returns the items
    as one struct array, and the next page's token or an empty text. Raises `PageError`.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    _guard(body)
    tokens = ("nextPageToken", "next_page_token")
    schema = pa.schema([(items, pa.list_(item)), *((name, pa.string()) for name in tokens)])
    try:
        table = pj.read_json(
            pa.BufferReader(body),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=schema,
                newlines_in_values=True,
                unexpected_field_behavior="ignore",
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PageError(f"the body is not the JSON expected: {_first_line(error)}") from None
    if table.num_rows != 1:
        raise PageError(f"the body holds {table.num_rows} JSON objects instead of one")
    listed = table.column(items).chunk(0)
    token = next(filter(None, (table.column(name)[0].as_py() for name in tokens)), "")
    if listed.null_count:
        _refuse_strangers(_parse(body)[0], items)
    rows: pa.StructArray = listed.flatten()
    if rows.null_count:
        raise PageError(f"`{items}` holds a null")
    return rows, token


def _parse(body: bytes, *, strict: bool = False) -> tuple[dict[str, Any], str]:
    """Return the JSON object in a body, and why it is not valid JSON, or an empty text."""
    body = body.removeprefix(codecs.BOM_UTF8)
    doubt = ""
    try:
        page = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        doubt = f"the body is not JSON: {error.msg}"
    if strict or doubt:
        page, doubled = _parse_leniently(body, doubt)
        doubt = doubt or doubled
    if not isinstance(page, dict):
        raise PageError("the body is not a JSON object")
    return page, doubt


def _parse_leniently(body: bytes, doubt: str) -> tuple[Any, str]:
    """Read JSON whose texts may be invalid Unicode; also return a key that occurs twice, if any.

    `Item` decides which values cannot be used. If the body was refused (`doubt`) for another
    reason, it is refused here as well.
    """
    doubled: list[str] = []

    def fields_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    fields[key] = Twice()
                seen.add(key)
            doubled.append("a key stands twice in one object")
        return fields

    try:
        page = json.loads(
            body.decode("utf-8", "surrogateescape"),
            parse_float=Decimal,
            parse_int=_int_or_decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=fields_of,
        )
    except (ValueError, ArithmeticError):
        raise PageError(doubt or "the body is not JSON") from None
    except RecursionError:
        raise PageError("the body is nested too deep") from None
    return page, doubled[0] if doubled else ""


def _int_or_decimal(text: str) -> int | Decimal:
    return int(text) if len(text) < _LONGEST_INT else Decimal(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _refuse_strangers(page: dict[str, Any], items: str) -> None:
    """Refuse a page whose items are not under the expected key.

    `{}` and a lone `nextPageToken` are empty pages. New fields may appear at any time. So a page is
    refused only if it has a list of likely items under another key, or no known key at all.
    """
    if items in page or not page:
        return
    renamed = sorted(key for key, value in page.items() if _holds_items(value))
    if renamed:
        raise PageError(f"the page has no `{items}`, but items named {renamed[0][:40]!a}")
    if page.keys().isdisjoint(("nextPageToken", "next_page_token")):
        raise PageError(f"the page has neither `{items}` nor `nextPageToken`")


def _holds_items(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(item, dict) and ("id" in item or "name" in item) for item in value)


def _first_line(error: Exception) -> str:
    # The reader's own message, without the quote from the body at its end.
    return str(error).partition("\n")[0][:160]
