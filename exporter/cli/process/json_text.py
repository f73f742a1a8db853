"""The results of commands on stdout, as JSON for a program."""

from __future__ import annotations

import sys
from typing import Any

import orjson


def json_text(content: Any) -> str:
    """Return indented JSON, with a newline at its end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(content, option=options).decode()


def print_json(content: Any) -> None:
    """Print indented JSON in UTF-8, as JSON must be, whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(json_text(content).encode())
    sys.stdout.buffer.flush()
