"""A world small enough to be reckoned by hand, for the oracle's own tests."""

from __future__ import annotations

from typing import Any

from tests.oracle.listed import World
from tests.oracle.values import Row, Tables


def blob(digest: str, size: int) -> dict[str, Any]:
    return {"id": f"blob-{digest}", "digest": digest, "size": str(size)}


def image(name: str, index: int, letters: str, *, tags: str = "", **fields: Any) -> dict[str, Any]:
    """An image whose layers are a letter each: `a` is 1 byte, `b` 2, `c` 4, `d` 8, `e` 16."""
    sizes = {letter: 1 << place for place, letter in enumerate("abcde")}
    made = {
        "id": f"i{index}",
        "name": name,
        "digest": f"sha256:{index}",
        "compressedSize": str(sum(sizes[letter] for letter in letters)),
        "layers": [blob(letter, sizes[letter]) for letter in letters],
        "tags": tags.split(),
        "createdAt": f"202{index}-01-01T00:00:00Z",
    }
    return {key: value for key, value in (made | fields).items() if value not in ([], None, "0")}


def small_world() -> World:
    """Two registries of one folder that share layer `a`, beside an empty folder."""
    return World(
        clouds=[{"id": "c", "name": "cloud"}],
        folders=[
            {"id": "f", "cloudId": "c", "name": "folder"},
            {"id": "g", "cloudId": "c", "name": "empty"},
        ],
        registries=[
            {"id": "r", "folderId": "f", "name": "one"},
            {"id": "s", "folderId": "f", "name": "two"},
        ],
        repositories=[
            {"id": "1", "name": "r/app"},
            {"id": "2", "name": "r/base/os"},
            {"id": "3", "name": "r/nothing"},
            {"id": "4", "name": "s/app"},
        ],
        images=[
            image("r/app", 1, "abc", tags="v1 latest", config=blob("x", 100)),
            image("r/app", 2, "acc", config=blob("x", 100)),
            image("r/app", 3, "ad"),
            image("r/base/os", 4, "ab", tags="v1", config=blob("y", 1000)),
            image("s/app", 5, "ae", tags="v1"),
        ],
    )


def total(tables: Tables, scope_id: str) -> Row:
    return next(row for row in tables["size_totals"] if row["scope_id"] == scope_id)


def finding(tables: Tables) -> Row:
    """Return the only finding, without what is null in it."""
    (row,) = tables["findings"]
    return {name: value for name, value in row.items() if value is not None}
