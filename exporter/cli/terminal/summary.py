"""The summary at the end of a run: counts, sizes, what is missing, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.cli.terminal.invocation import command
from exporter.cli.terminal.missing import MISSING_SHOWN
from exporter.figures import duration, printable, share, size
from exporter.snapshots.highlights import LARGEST, Highlights, ScopeSizes
from exporter.snapshots.manifest import Manifest
from exporter.tables.schemas import COMPLETE_STATUSES
from exporter.wording import number

_NARROW = 72
"""Columns below which there is no room to explain a size beside it."""
_WIDE = 100
"""Columns from which there is room for the name of a repository's registry."""
_REASON_LINES = 2
_FIGURES = 40
"""The most columns that the figures of a scope and the space between them take."""
_SHORTEST_NAME = 8
_CLOUDS_ALONE = ("clouds", "folders")
"""The tables that are empty for OCI registries."""
UNSEEN = "unknown"
"""Stands for the size of untagged images where they cannot be seen: it is not 0."""


@dataclass(frozen=True)
class _Layout:
    """How much is shown: rows of the largest, missing listings, empty lines, the query."""

    largest: int
    missing: int
    airy: bool = False
    query: bool = True


_LAYOUTS = (
    _Layout(LARGEST, MISSING_SHOWN, airy=True),
    _Layout(LARGEST, 5),
    _Layout(3, 3),
    _Layout(2, 2),
    _Layout(1, 1),
    _Layout(1, 1, query=False),
    _Layout(0, 1, query=False),
    _Layout(0, 0, query=False),
)
"""From all to the least: the summary uses the first that keeps its headline on the screen."""


@dataclass(frozen=True)
class _Copied:
    """A line to copy: it is never cut, and only the terminal folds it."""

    text: Text


_Line = RenderableType | _Copied


def show_summary(
    console: Console,
    manifest: Manifest,
    found: Highlights | None,
    *,
    output: str,
    recalled_pages: int = 0,
) -> None:
    """Print what a run published to `output`; `found` is None if the snapshot cannot be read.

    `recalled_pages` counts the pages from an earlier attempt. On a terminal, the summary fits the
    screen if it can.
    """
    lines: list[_Line] = []
    for layout in _LAYOUTS:
        lines = list(_summary(console, manifest, found, output, recalled_pages, layout))
        # The prompt comes after it.
        if not console.is_terminal or _height(console, lines) < console.height:
            break
    for line in lines:
        if isinstance(line, _Copied):
            console.print(line.text, soft_wrap=True)
        else:
            console.print(line)


def show_suggestions(console: Console, lines: Mapping[str, str]) -> None:
    """Print command lines to copy, by the question that each answers."""
    for question, line in lines.items():
        for part in _suggested(question, line):
            console.print(*([part.text] if isinstance(part, _Copied) else [part]), soft_wrap=True)


def _height(console: Console, lines: list[_Line]) -> int:
    return sum(
        max(1, -(-cell_len(line.text.plain) // console.width))
        if isinstance(line, _Copied)
        else len(console.render_lines(line))
        for line in lines
    )


def _summary(
    console: Console,
    manifest: Manifest,
    found: Highlights | None,
    output: str,
    recalled_pages: int,
    layout: _Layout,
) -> Iterator[_Line]:
    sections: list[list[_Line]] = [
        [_headline(manifest), *_counts(manifest, recalled_pages)],
        _sizes(console, manifest),
    ]
    if found is not None:
        sections += [
            _largest(console, "Largest registries", found.registries[: layout.largest]),
            _largest(console, "Largest repositories", found.repositories[: layout.largest]),
            _findings(found.findings),
        ]
    if manifest.status == "partial":
        sections.append(_missing(console, manifest, found, layout))
    sections += _next(manifest, output, found if layout.query else None)
    for section in sections:
        if section and layout.airy:
            yield ""
        yield from section


def _headline(manifest: Manifest) -> Text:
    line = Text("Snapshot ").append(manifest.snapshot_id, style="bold")
    if manifest.status == "complete":
        return line.append(" is ").append("complete", style="bold green").append(".")
    line.append(" is ").append("PARTIAL", style="bold red")
    return line.append(": not everything could be listed, see below.")


def _counts(manifest: Manifest, recalled_pages: int) -> list[_Line]:
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
        if manifest.tables[table].rows or not _is_oci(manifest) or table not in _CLOUDS_ALONE
    ]
    untagged, indexes = totals["untagged_image_count"], totals.get("index_count")
    of_them = f"untagged {UNSEEN}" if untagged is None else f"{untagged:,} untagged"
    if indexes is not None:
        of_them = f"{number(_int(indexes), 'index', 'indexes')}, {of_them}"
    lines: list[_Line] = [
        _line(", ".join(scopes)),
        _line(
            f"{number(_int(totals['image_count']), 'image')} ({of_them}), "
            f"{number(_int(totals['tag_count']), 'tag')}, "
            f"{number(_int(totals['layer_count']), 'layer')}"
        ),
        _line(
            f"in {duration(seconds)}, with {number(requests.calls, 'call')}, "
            f"{number(requests.retries, 'retry', 'retries')}, "
            f"{size(requests.bytes)} received",
            style="dim",
        ),
    ]
    if recalled_pages:
        kept = number(recalled_pages, "page")
        lines.append(_line(f"resumed an earlier attempt: {kept} of it not requested again"))
    return lines


def _is_oci(manifest: Manifest) -> bool:
    return manifest.source.get("kind") == "oci"


def _sizes(console: Console, manifest: Manifest) -> list[_Line]:
    logical, stored = (_int(manifest.totals[name]) for name in ("logical_size", "stored_size"))
    saved = share(max(0, logical - stored), logical)
    untagged = manifest.totals["untagged_size"]
    if untagged is None:
        lines = (
            ("Stored at least", size(stored), f"sharing layers saves {saved}"),
            ("Only in untagged images", UNSEEN, "these registries do not list them"),
        )
    else:
        lines = (
            ("Stored", size(stored), f"is billed: sharing layers saves {saved}"),
            (
                "Only in untagged images",
                size(_int(untagged)),
                f"deleting them frees {share(_int(untagged), stored)}",
            ),
        )
    table = _table()
    table.add_column()
    table.add_column(justify="right", no_wrap=True, style="bold")
    alone = ("Every image on its own", size(logical), "what pulling each would transfer")
    for name, bytes_, meaning in (alone, *lines):
        explained = [] if console.width < _NARROW else [Text(meaning, style="dim")]
        table.add_row(name, bytes_, *explained)
    return [_title("Sizes"), _indented(table)]


def _largest(console: Console, title: str, scopes: tuple[ScopeSizes, ...]) -> list[_Line]:
    if not scopes:
        return []
    table = _table()
    table.show_header = True
    table.header_style = "bold"
    # The header is the title, which saves a line.
    table.add_column(title, overflow="fold")
    named = console.width >= _WIDE or not any("/" in scope.id for scope in scopes)
    # The id of an OCI registry is its name.
    named = named and any(scope.name != scope.id.partition("/")[0] for scope in scopes)
    if named:
        # Ids come first: a person copies them.
        ids = min(max(len(scope.id) for scope in scopes), (console.width - _FIGURES) * 2 // 3)
        left = max(console.width - _FIGURES - ids, _SHORTEST_NAME)
        table.add_column("", overflow="ellipsis", no_wrap=True, style="dim", max_width=left)
    table.add_column("stored", justify="right", no_wrap=True, style="bold", header_style="dim")
    table.add_column("images", justify="right", no_wrap=True, header_style="dim")
    table.add_column("untagged", justify="right", no_wrap=True, header_style="dim")
    for scope in scopes:
        table.add_row(
            Text(printable(scope.id)),
            *([Text(printable(scope.name))] if named else []),
            size(scope.stored_size),
            f"{scope.images:,}",
            UNSEEN if scope.untagged_size is None else size(scope.untagged_size),
        )
    return [_indented(table)]


def _findings(findings: dict[str, int]) -> list[_Line]:
    if not findings:
        return []
    kinds = sorted(findings.items(), key=lambda item: (-item[1], item[0]))
    line = Text("Findings", style="bold yellow").append(
        ", in the table `findings`: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds),
        style="default not bold",
    )
    return [line]


def _missing(
    console: Console, manifest: Manifest, found: Highlights | None, layout: _Layout
) -> list[_Line]:
    missing = sum(
        count for status, count in manifest.coverage.items() if status not in COMPLETE_STATUSES
    )
    known = found.missing[: layout.missing] if found else ()
    listings = f"{number(missing, 'listing')} of {sum(manifest.coverage.values()):,}"
    lines: list[_Line] = [Text(f"MISSING: {listings}", style="bold red")]
    for one in known:
        lines.append(_line(Text(f"{printable(str(one))}  ").append(one.status, style="red")))
        if one.reason:
            lines.append(_reason(console, one.reason))
    if missing > len(known):
        lines.append(_line("The table `coverage` names every one, with the reason."))
    lines.append(_line("Totals with complete = false do not count the missing listings."))
    lines.append(_line("manifests/latest.json does not name it: it names only complete snapshots."))
    return lines


def _next(manifest: Manifest, output: str, found: Highlights | None) -> list[list[_Line]]:
    published = _Copied(Text("Published to ").append(output, style="bold"))
    verify = command("verify", manifest.snapshot_id, "--output", output)
    lines: list[_Line] = [
        Text("Next", style="bold"),
        *_suggested("Is every file, row and total as it should be?", verify),
    ]
    sees_untagged = manifest.totals["untagged_size"] is not None
    if found is not None and sees_untagged:
        asked = ("--name", "untagged-repositories", "--snapshot", manifest.snapshot_id)
        query = command("query", *asked, "--output", output)
        lines += _suggested("Where would deleting untagged images free the most space?", query)
    return [[published], lines]


def _suggested(question: str, line: str) -> list[_Line]:
    return [Text(f"  # {question}", style="dim"), _Copied(Text(f"  {line}", style="cyan"))]


def _table() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)


def _title(text: str) -> Text:
    return Text(text, style="bold")


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 2))


def _line(text: str | Text, style: str = "") -> Padding:
    return Padding(Text(text, style=style) if isinstance(text, str) else text, (0, 0, 0, 2))


def _reason(console: Console, reason: str) -> Padding:
    """Return the reason in two lines at most: the table `coverage` has all of it."""
    text = Text(printable(reason), style="dim")
    text.truncate(_REASON_LINES * (console.width - 4) - 20, overflow="ellipsis")
    return Padding(text, (0, 0, 0, 4))


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
