"""Which destination a URL names: a folder, or a bucket of an object store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from exporter.errors import SettingsError
from exporter.storage.destination import Destination
from exporter.storage.local import Folder

if TYPE_CHECKING:
    from exporter.storage.access import Access


def open_destination(url: str, access: Access | None = None) -> Destination:
    """Return the destination at a path, `file://`, `s3://bucket/prefix` or `gs://`.

    `url` is one that the settings accept, `access` is how to reach its bucket. Nothing is opened
    yet. Raises `SettingsError` for a path that cannot be used.
    """
    _check_text(url, "output.url")
    scheme, separator, _ = url.partition("://")
    if not separator or scheme == "file":
        return Folder(_local_path(url))
    # The object stores' library is slow to load, and a folder does not need it.
    from exporter.storage.access import Access  # noqa: PLC0415
    from exporter.storage.object_store import Bucket  # noqa: PLC0415

    return Bucket(url.rstrip("/"), access or Access())


def _local_path(url: str) -> Path:
    if not url.startswith("file://"):
        return expanded(Path(url), "output.url")
    return Path(unquote(urlsplit(url).path))


def expanded(path: Path, name: str) -> Path:
    """Return a path with `~` filled in; `name` is the setting that it comes from.

    Raises `SettingsError` for a path that cannot be used.
    """
    try:
        whole = path.expanduser()
        _check_text(str(whole), name)
    except RuntimeError:
        raise SettingsError(
            f"{name} {path} begins with a home folder, and this user has none: write the whole "
            "path, or set HOME."
        ) from None
    return whole


def _check_text(path: str, name: str) -> None:
    """Refuse a path that the journal, Arrow and DuckDB cannot use."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise SettingsError(
            f"{name} {shown} is not UTF-8 text: name a folder whose path is, or go there and name "
            "it from there."
        ) from None
    if "\0" in unquote(path):
        raise SettingsError(f"{name} has a zero byte in it, which no path can have.")
