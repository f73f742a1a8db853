"""`${NAME}` and `${file:PATH}`: values from the environment and from files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from exporter.errors import SettingsError
from exporter.links import why_unreadable

_PLACEHOLDER = re.compile(r"\$(?P<dollar>\$)?\{(?P<name>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fill_in(text: str, folder: Path) -> str:
    """Return a text with its placeholders filled in; `$${` stands for `${`.

    Paths are relative to `folder`. Raises `SettingsError` if one cannot be filled in.
    """

    def replace(found: re.Match[str]) -> str:
        if found["dollar"]:
            return found[0][1:]
        if not found["end"]:
            # What follows may be a secret that was meant to be one.
            raise SettingsError("a ${ has no } after it; $${ stands for ${ itself.")
        return _look_up(found["name"], folder)

    return _PLACEHOLDER.sub(replace, text)


def _look_up(name: str, folder: Path) -> str:
    kind, separator, path = name.partition(":")
    if separator and kind == "file":
        return _read(path, folder)
    if not _NAME.fullmatch(name):
        raise SettingsError(f"${{{name}}} is neither ${{NAME}} nor ${{file:PATH}}.")
    if name not in os.environ:
        raise SettingsError(f"the environment variable {name} is not set.")
    return os.environ[name]


def _read(named: str, folder: Path) -> str:
    if not named.strip():
        raise SettingsError("${file:} names no file.")
    path = folder / Path(named).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = why_unreadable(path, error)
        raise SettingsError(f"the file {path} cannot be read: {reason}.") from None
