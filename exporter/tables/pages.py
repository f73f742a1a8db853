"""One page of a listing, from bytes to a JSON object that can be trusted, or a `PageError`.

PyArrow's JSON reader is fast but trusting (`API.md`, "Facts measured here"): a body that begins
with `null` crashes the process, two objects parse as two rows, and broken UTF-8 inside a key makes
a field vanish. The guards here stand before it. Nesting without end is refused, or skipped with the
unknown field it stands in, at any depth: the reader recurses only where it has to infer types.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj

from exporter.errors import PageError

_TOKEN = rb'"nextPageToken"\s*:\s*"([!#-\[\]-~]+)"'
_TOKEN_LAST = re.compile(_TOKEN + rb"\s*\}\s*\Z")
_TOKEN_FIRST = re.compile(rb"\s*\{\s*" + _TOKEN)
_LONGEST_TOKEN = 4096


def shown_token(body: bytes) -> str:
    """Return the next page's token where a body shows it, unparsed, as its first or last key.

    It is a likely guess, for what is no page at all may show one as well; empty where none is seen.
    """
    seen = _TOKEN_LAST.search(body, max(0, len(body) - _LONGEST_TOKEN)) or _TOKEN_FIRST.match(body)
    return seen[1].decode("ascii") if seen else ""


def _guard(body: bytes) -> None:
    """Refuse what the reader takes for something else; raises `PageError`."""
    if not body.lstrip(b" \t\r\n").startswith(b"{"):
        raise PageError("the body is not a JSON object")
    offsets = pa.py_buffer(struct.pack("<qq", 0, len(body)))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(body)])
    try:
        text.validate(full=True)  # ten times as fast as `bytes.decode`, which makes a copy
    except pa.ArrowInvalid:
        raise PageError("the body is not UTF-8") from None


def read_object(body: bytes, items: str) -> dict[str, Any]:
    """Parse a small page into Python objects; `items` names the key its items stand under.

    Returns the object with `items` and `nextPageToken` always present. Raises `PageError`.
    """
    page = _parse(body)
    _refuse_strangers(page, items)
    listed = page.get(items) or []
    token = page.get("nextPageToken") or ""
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise PageError(f"`{items}` is not a list of objects")
    if not isinstance(token, str):
        raise PageError("`nextPageToken` is not a text")
    return {items: listed, "nextPageToken": token}


def read_columns(body: bytes, items: str, item: pa.StructType) -> tuple[pa.StructArray, str]:
    """Parse a large page into Arrow without a Python object per row.

    `items` names the key the items stand under, `item` their type; fields beyond it are
    ignored. Returns the items as one struct array, and the next page's token or an empty text.
    Raises `PageError`.
    """
    _guard(body)
    schema = pa.schema([(items, pa.list_(item)), ("nextPageToken", pa.string())])
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
    token = table.column("nextPageToken")[0].as_py() or ""
    if listed.null_count:
        _refuse_strangers(_parse(body), items)
    rows: pa.StructArray = listed.flatten()
    if rows.null_count:
        raise PageError(f"`{items}` holds a null")
    return rows, token


def _parse(body: bytes) -> dict[str, Any]:
    try:
        page = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PageError(f"the body is not JSON: {error.msg}") from None
    if not isinstance(page, dict):
        raise PageError("the body is not a JSON object")
    return page


def _refuse_strangers(page: dict[str, Any], items: str) -> None:
    """Refuse a page that has items, but not under the key where they belong.

    `{}` and a lone `nextPageToken` are empty pages. New fields may appear at any time, so only
    a list of what may be items, under a strange name, or a page with nothing that is known, is
    refused.
    """
    if items in page or not page:
        return
    renamed = sorted(key for key, value in page.items() if _holds_items(value))
    if renamed:
        raise PageError(f"the page has no `{items}`, but items named `{renamed[0][:40]}`")
    if "nextPageToken" not in page:
        raise PageError(f"the page has neither `{items}` nor `nextPageToken`")


def _holds_items(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(item, dict) and ("id" in item or "name" in item) for item in value)


def _first_line(error: Exception) -> str:
    # The reader's own words, cut where they begin to quote the body.
    return str(error).partition("\n")[0][:160]
