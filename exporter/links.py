"""Broken symbolic links: the system's own messages about them are misleading."""

from __future__ import annotations

from pathlib import Path


def broken_link(path: Path) -> str:
    """Return which link on the way to a path leads nowhere, and where to; empty if none does."""
    for one in (*reversed(path.absolute().parents), path.absolute()):
        if one.is_symlink() and not one.exists():
            return f"{one} is a link to {one.readlink()}, which is not there"
    return ""


def why_unreadable(path: Path, error: OSError | UnicodeDecodeError) -> str:
    """Return why a text file could not be read."""
    if not isinstance(error, OSError):
        return "it is not UTF-8 text"
    return broken_link(path) or error.strerror or str(error)
