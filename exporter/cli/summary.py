"""What a person reads at the end of a run: what there is, what it weighs, what is missing."""

from __future__ import annotations

import glob
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.cli.invocation import command, python
from exporter.cli.published import Highlights, Missing, Scope
from exporter.cli.text import duration, number, share, size
from exporter.snapshot import Manifest
from exporter.tables import WHOLE

_MISSING_SHOWN = 10
_NARROW = 72
"""Columns below which there is no room to explain a size beside it."""


def show_summary(
    console: Console,
    manifest: Manifest,
    found: Highlights | None,
    *,
    output: str,
    recalled_pages: int = 0,
) -> None:
    """Print what a run published to `output`; `found` where it could be read.

    `recalled_pages` were taken from an earlier attempt.
    """
    _headline(console, manifest)
    _counts(console, manifest)
    if recalled_pages:
        kept = number(recalled_pages, "page")
        _line(console, f"going on with an earlier attempt: {kept} of it were not asked for again")
    _sizes(console, manifest)
    if found is not None:
        _largest(console, "Largest registries", found.registries)
        _largest(console, "Largest repositories", found.repositories)
        _findings(console, found.findings)
    if manifest.status == "partial":
        _missing(console, manifest, found)
    _next(console, manifest, output, found)


def _headline(console: Console, manifest: Manifest) -> None:
    line = Text("Snapshot ").append(manifest.snapshot_id, style="bold")
    if manifest.status == "complete":
        line.append(" is ").append("complete", style="bold green").append(".")
    else:
        line.append(" is ").append("PARTIAL", style="bold red")
        line.append(": not everything could be listed, see below.")
    console.print()
    console.print(line)


def _counts(console: Console, manifest: Manifest) -> None:
    totals, requests = manifest.totals, manifest.requests
    seconds = (manifest.finished_at - manifest.started_at).total_seconds()
    scopes = [
        number(manifest.tables[table].rows, noun, plural)
        for table, noun, plural in (
            ("clouds", "cloud", ""),
            ("folders", "folder", ""),
            ("registries", "registry", "registries"),
            ("repositories", "repository", "repositories"),
        )
    ]
    untagged = _int(totals["untagged_image_count"])
    _line(console, ", ".join(scopes))
    _line(
        console,
        f"{number(_int(totals['image_count']), 'image')} ({untagged:,} untagged), "
        f"{number(_int(totals['tag_count']), 'tag')}, "
        f"{number(_int(totals['layer_count']), 'layer')}",
    )
    _line(
        console,
        f"in {duration(seconds)}, with {number(requests.calls, 'call')}, "
        f"{number(requests.retries, 'retry', 'retries')}, "
        f"{size(requests.bytes)} received",
        style="dim",
    )


def _sizes(console: Console, manifest: Manifest) -> None:
    logical, stored, untagged = (
        _int(manifest.totals[name]) for name in ("logical_size", "stored_size", "untagged_size")
    )
    saved = share(max(0, logical - stored), logical)
    table = _table("Sizes")
    table.add_column()
    table.add_column(justify="right", no_wrap=True, style="bold")
    for name, bytes_, meaning in (
        ("Every image on its own", logical, "what pulling each would transfer"),
        ("Stored", stored, f"is billed: sharing layers saves {saved}"),
        ("Only in untagged images", untagged, f"deleting them frees {share(untagged, stored)}"),
    ):
        explained = [] if console.width < _NARROW else [Text(meaning, style="dim")]
        table.add_row(name, size(bytes_), *explained)
    _print(console, table)


def _largest(console: Console, title: str, scopes: tuple[Scope, ...]) -> None:
    if not scopes:
        return
    table = _table(title)
    table.show_header = True
    table.header_style = "dim"
    table.add_column(overflow="fold")
    table.add_column("stored", justify="right", no_wrap=True, style="bold")
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("untagged only", justify="right", no_wrap=True)
    for scope in scopes:
        table.add_row(
            Text(scope.name),
            size(scope.stored_size),
            f"{scope.images:,}",
            size(scope.untagged_size),
        )
    _print(console, table)


def _findings(console: Console, findings: dict[str, int]) -> None:
    if not findings:
        return
    table = _table("Findings for an auditor, in the table `findings`")
    table.add_column(justify="right", style="bold yellow")
    table.add_column()
    for kind, count in sorted(findings.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"{count:,}", kind)
    _print(console, table)


def _missing(console: Console, manifest: Manifest, found: Highlights | None) -> None:
    missing = sum(count for status, count in manifest.coverage.items() if status not in WHOLE)
    known = found.missing if found else ()
    table = _table(f"MISSING: {number(missing, 'listing')} of {sum(manifest.coverage.values()):,}")
    table.title_style = "bold red"
    table.add_column(overflow="fold")
    table.add_column(style="red", no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for one in known[:_MISSING_SHOWN]:
        table.add_row(Text(what(one)), one.status, Text(one.reason))
    _print(console, table)
    if missing > min(len(known), _MISSING_SHOWN):
        _line(console, "The table `coverage` names every one, with the reason.")
    _line(console, "Totals with complete = false do not count what is missing.")
    _line(console, "manifests/latest.json does not name it: only a complete one is the latest.")


def what(missing: Missing) -> str:
    """Return a listing in words: `images of crp1`, `clouds`."""
    return (
        missing.listing if missing.parent_id == "*" else f"{missing.listing} of {missing.parent_id}"
    )


def _next(console: Console, manifest: Manifest, output: str, found: Highlights | None) -> None:
    console.print()
    console.print(Text("Published to ").append(output, style="bold"))
    console.print()
    console.print(Text("Next", style="bold"))
    _suggest(
        console,
        "Is every file, row and total as it should be?",
        command("verify", manifest.snapshot_id, "--output", output),
    )
    if found is not None:
        line = python(_query(found.folder, manifest.snapshot_id))
        _suggest(console, "Where would deleting untagged images free most?", line)


def _suggest(console: Console, question: str, line: str) -> None:
    console.print(f"  # {question}", style="dim", markup=False)
    # Not wrapped by us: it is there to be copied.
    console.print(f"  {line}", style="cyan", markup=False, highlight=False, soft_wrap=True)


def _query(folder: Path, snapshot_id: str) -> str:
    """Return Python that shows the repositories of a snapshot, for a person to run."""
    # DuckDB takes * and ? and [ in a folder's name for a pattern.
    files = f"{glob.escape(str(folder))}/parquet/size_totals/snapshot_id={snapshot_id}/*.parquet"
    place = files.replace("'", "''")
    columns = "scope_id, image_count, stored_size, untagged_size"
    condition = "scope = 'repository' ORDER BY untagged_size DESC LIMIT 10"
    # Left to itself, it also takes `scope=x` in the path for a column.
    source = f"read_parquet('{place}', hive_partitioning = false)"
    query = f"SELECT {columns} FROM {source} WHERE {condition}"  # noqa: S608 - it is quoted
    return f"import duckdb; duckdb.sql({_literal(query)}).show()"


def _literal(text: str) -> str:
    """Return Python's literal of a text, in double quotes: SQL has single ones in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_style="bold",
        title_justify="left",
        box=None,
        show_header=False,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )


def _print(console: Console, table: Table) -> None:
    console.print()
    console.print(Padding(table, (0, 0, 0, 2)))


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Padding(Text(text, style=style), (0, 0, 0, 2)))


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
