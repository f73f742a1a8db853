"""The differences between two snapshots, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from exporter.analyze.diff import Diff
from exporter.cli.terminal.tables import new_table
from exporter.figures import duration, printable, size
from exporter.wording import number

SHOWN = 10
"""How many scopes, tags and registries are named, each."""
_DIGEST = 12
"""Hexadecimal digits that tell a digest from others."""
_TOTALS = (
    ("repositories", "repository_count", False),
    ("images", "image_count", False),
    ("untagged images", "untagged_image_count", False),
    ("tags", "tag_count", False),
    ("stored (billed)", "stored_size", True),
    ("freed if untagged images go", "untagged_size", True),
)
"""The rows of the first table: what a person calls a measure, its name, and whether it is bytes."""
_NOUNS = (
    ("registry", "registry", "registries"),
    ("repository", "repository", "repositories"),
    ("image", "image", "images"),
    ("tag", "tag", "tags"),
)


def show_differences(console: Console, found: Diff) -> None:
    """Print the totals, what grew and shrank most, the tags that moved, and the other counts."""
    for section in (
        _headline(found),
        _totals(found),
        _scopes("Grew most, by stored size", found.grown(SHOWN)),
        _scopes("Shrank most, by stored size", found.shrunk(SHOWN)),
        _moved(found),
        _counts(found),
        _unknown(found),
    ):
        for line in section:
            console.print(line, soft_wrap=isinstance(line, Text))


def _headline(found: Diff) -> Iterator[RenderableType]:
    before, after = found.before, found.after
    line = Text("From ").append(before.snapshot_id, style="bold")
    line.append(" to ").append(after.snapshot_id, style="bold")
    seconds = (after.started_at - before.started_at).total_seconds()
    if before.snapshot_id == after.snapshot_id:
        line.append(": both are the same snapshot, so nothing differs.")
    else:
        when = "later" if seconds >= 0 else "earlier"
        line.append(f", {duration(abs(seconds))} {when}.")
    partial = [one.snapshot_id for one in (before, after) if one.status == "partial"]
    if partial:
        line.append(f" PARTIAL: {' and '.join(dict.fromkeys(partial))}.", style="bold red")
    yield line


def _totals(found: Diff) -> Iterator[RenderableType]:
    yield Text()
    totals: Mapping[str, int | None] = found.totals
    if totals["before_image_count"] is None:
        within = found.within_scope()
        if within is None:
            yield Text(
                "The totals cannot be compared: the snapshots are not complete, or not of the same "
                "scope.",
                style="yellow",
            )
            return
        yield Text("Of what the scope takes in:")
        totals = within
    table = new_table("", "before", "after", "difference", right=("before", "after", "difference"))
    for title, measure, is_bytes in _TOTALS:
        before, after = (totals[f"{side}_{measure}"] for side in ("before", "after"))
        figure = size if is_bytes else number
        table.add_row(
            title,
            *("not known" if one is None else figure(one) for one in (before, after)),
            "" if before is None or after is None else _signed(after - before, is_bytes=is_bytes),
        )
    yield table


def _scopes(title: str, scopes: Any) -> Iterator[RenderableType]:
    if not scopes.num_rows:
        return
    yield Text()
    yield Text(title, style="bold")
    table = new_table(
        "scope", "name", "before", "after", "difference", right=("before", "after", "difference")
    )
    for row in scopes.to_pylist():
        table.add_row(
            row["scope"],
            Text(_name(row)),
            size(row["before_stored_size"]),
            size(row["after_stored_size"]),
            _signed(row["stored_size_delta"], is_bytes=True),
        )
    yield table


def _name(row: dict[str, Any]) -> str:
    """Return a scope's name with its id, a repository's full name."""
    if row["scope"] == "repository" or row["scope_name"] in (None, "", row["scope_id"]):
        return printable(row["scope_id"])
    return f"{printable(row['scope_name'])} ({printable(row['scope_id'])})"


def _moved(found: Diff) -> Iterator[RenderableType]:
    count = found.counts["tag_moved"]
    if not count:
        return
    yield Text()
    yield Text(f"{number(count, 'tag')} moved to another image", style="bold")
    table = new_table("tag", "before", "after", "size", right=("size",))
    for row in found.moved_tags(SHOWN).to_pylist():
        table.add_row(
            Text(printable(f"{row['repository_name'] or ''}:{row['tag']}")),
            _short(row["before_digest"]),
            _short(row["digest"]),
            "" if row["size_delta"] is None else _signed(row["size_delta"], is_bytes=True),
        )
    yield table
    yield from _more(count, "--format csv lists them all")


def _counts(found: Diff) -> Iterator[RenderableType]:
    yield Text()
    if not any(count for kind, count in found.counts.items() if kind != "unknown"):
        yield Text(
            "No other difference was found." if found.counts["tag_moved"] else "No difference."
        )
        return
    yield Text("Changes", style="bold")
    columns = ("added", "removed", "changed", "moved")
    table = new_table("", *columns, right=columns)
    for prefix, _, plural in _NOUNS:
        counts = [found.counts.get(f"{prefix}_{column}") for column in columns]
        if any(counts):
            table.add_row(plural, *("" if one is None else number(one) for one in counts))
    yield table
    yield Text("For each of them: --format csv, or --to changes.csv", style="dim")


def _unknown(found: Diff) -> Iterator[RenderableType]:
    count = found.counts["unknown"]
    if not count:
        return
    yield Text()
    yield Text(
        f"{number(count, 'registry', 'registries')} cannot be compared, or not whole",
        style="bold yellow",
    )
    for row in found.unknown(SHOWN).to_pylist():
        id_, own = row["registry_id"], row["name"]
        name = f"{own} ({id_})" if own and own != id_ else id_
        yield Text(f"  {printable(name or 'no registry')}: {printable(row['detail'])}")
    yield from _more(count, "--format csv lists them all as unknown")


def _more(count: int, advice: str) -> Iterator[RenderableType]:
    if count > SHOWN:
        yield Text(f"  and {number(count - SHOWN)} more; {advice}", style="dim")


def _signed(value: int, *, is_bytes: bool) -> Text:
    figure = size(abs(value)) if is_bytes else number(abs(value))
    if value == 0:
        return Text(figure, style="dim")
    return Text(f"{'+' if value > 0 else '−'}{figure}", style="yellow" if value > 0 else "green")


def _short(digest: str | None) -> str:
    """Return the digits that tell a digest from others, with its algorithm where it is another."""
    algorithm, _, digits = printable(digest or "").partition(":")
    if not digits:
        return algorithm
    return digits[:_DIGEST] if algorithm == "sha256" else f"{algorithm}:{digits[:_DIGEST]}"
