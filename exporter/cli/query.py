"""`query`: ask SQL, or a named question, of snapshots."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.text import Text

from exporter.analyze.questions import (
    Parameter,
    Question,
    ask_each,
    named_question,
    question_names,
)
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import answered
from exporter.cli.process.incomplete import say_partial, say_unreadable
from exporter.cli.process.row_format import RowFormat, row_format
from exporter.cli.process.rows import write_rows
from exporter.cli.terminal.rows import Shown, show_rows
from exporter.cli.terminal.tables import result_console
from exporter.errors import PARTIAL_EXIT_CODE, SettingsError
from exporter.output import open_existing
from exporter.settings import READING, Settings, load_settings
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.sandbox import open_query
from exporter.snapshots.selection import NEWEST, every_snapshot, read_snapshot
from exporter.storage.destination import Destination

ALL = "all"
"""The name of all snapshots at once."""

_LIMIT = "limit"
_NO_LIMIT = str(2**62)

app = new_app()


@dataclass(frozen=True)
class _Asked:
    """What is asked, and of which snapshots."""

    question: Question
    is_named: bool
    given: Mapping[str, str]
    snapshot: str


@app.command()
def query(
    sql: Annotated[
        str | None, typer.Argument(metavar="SQL", help="A SELECT in DuckDB's SQL.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Read the SQL from a file; - is stdin."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Ask a named question.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A value for $NAME in the SQL; may be repeated."),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show the named questions and their parameters.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the SQL of the question, and do not ask it.")
    ] = False,
    snapshot: Annotated[
        str,
        typer.Option("--snapshot", metavar="ID", help="A snapshot's id, latest, previous or all."),
    ] = NEWEST,
    row_format_: options.RowFormatChoice = None,
    to: options.To = None,
    config: options.Config = None,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Ask a snapshot in SQL, or ask a named question.

    The tables are views by their names (`registry-exporter schema` prints them), each with a
    column snapshot_id; `snapshots` has a row for each snapshot. --snapshot all has the rows of
    every snapshot; a named question is then asked of each. The SQL can only read: it reaches no
    other file, no network and no setting. A terminal shows the first 200 rows, or 20
    records if it is too narrow for a table; a pipe gets all of them, and --format or --to gives
    rows for a program.

    \b
    Examples:
      registry-exporter query --list
      registry-exporter query --name largest-repositories --param limit=5
      registry-exporter query "SELECT tag, count(*) FROM tags GROUP BY tag"
      registry-exporter query --file mine.sql --param tag=v1.2 --to rows.csv
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with answered(debug):
        format_ = row_format(row_format_, to)
        _check_choice(sql, file, name, list_=list_, show=show)
        if list_:
            _show_list(format_, to)
            return
        asked = _Asked(_question(sql, file, name), bool(name), _pairs(param or []), snapshot)
        if show:
            sys.stdout.write(asked.question.sql)
            return
        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        code = _answer(settings, asked, format_, to)
    raise typer.Exit(code)


def _check_choice(
    sql: str | None, file: Path | None, name: str | None, *, list_: bool, show: bool
) -> None:
    """Raise `SettingsError` unless exactly one thing is asked for."""
    given = [sql is not None, file is not None, name is not None, list_]
    if sum(given) != 1:
        many = "nothing is asked" if not any(given) else "more than one thing is asked"
        raise SettingsError(
            f"Give SQL, --file, --name or --list, one of them: {many}; `registry-exporter query "
            "--list` shows the named questions."
        )
    if show and name is None:
        raise SettingsError("--show prints the SQL of a named question: add --name NAME.")


def _question(sql: str | None, file: Path | None, name: str | None) -> Question:
    if name is not None:
        return named_question(name)
    if file is None:
        return Question.read(sql or "")
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--file {file} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"--file {file} is no text in UTF-8.") from None
    return Question.read(text)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    """Return the values of --param by name; raises `SettingsError`."""
    pairs: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        name = name.strip().removeprefix("$")
        if not (equals and name):
            raise SettingsError(f"--param {one}: write NAME=VALUE.")
        if name in pairs:
            raise SettingsError(f"--param gives {name} twice.")
        pairs[name] = value
    return pairs


def _answer(settings: Settings, asked: _Asked, format_: RowFormat | None, to: Path | None) -> int:
    """Ask, print or write the rows, and return the exit code."""
    # A wrong value is refused before anything is read.
    asked.question.values(asked.given)
    destination = open_existing(settings)
    with ExitStack() as stack:
        snapshots, broken = _snapshots(destination, asked.snapshot)
        for one in snapshots:
            stack.enter_context(one)
        rows = stack.enter_context(_rows(snapshots, asked, all_rows=format_ is not None))
        if format_ is not None:
            write_rows(rows, format_, to)
        else:
            _show(rows, asked)
    for snapshot_id in broken:
        say_unreadable(snapshot_id)
    code = say_partial(*(one.manifest for one in snapshots))
    return PARTIAL_EXIT_CODE if broken else code


def _snapshots(destination: Destination, name: str) -> tuple[list[Snapshot], list[str]]:
    """Return the snapshots that the name means, and the ids of those that cannot be read."""
    if name == ALL:
        return every_snapshot(destination)
    return [read_snapshot(destination, name)], []


@contextmanager
def _rows(
    snapshots: Sequence[Snapshot], asked: _Asked, *, all_rows: bool
) -> Iterator[pa.RecordBatchReader]:
    question = asked.question
    given = dict(asked.given)
    if all_rows and any(one.name == _LIMIT for one in question.parameters):
        # A default limit is what a person can take in; a program would not notice it.
        given.setdefault(_LIMIT, _NO_LIMIT)
    values = question.values(given)
    if asked.is_named and asked.snapshot == ALL:
        with ask_each(snapshots, question, values) as rows:
            yield rows
    else:
        with open_query(snapshots, question.sql, values) as rows:
            yield rows


def _show(rows: pa.RecordBatchReader, asked: _Asked) -> None:
    """Print the rows for a person; on a terminal, with what they are and how to get the rest."""
    console = result_console()
    question = asked.question
    if not console.is_terminal:
        show_rows(rows)
        return
    if asked.is_named:
        console.print(Text(question.sentence, style="bold"))
    shown = show_rows(rows, may_leave_out=asked.is_named)
    if not shown.rows:
        console.print((asked.is_named and question.if_none) or "There are no rows.")
        return
    if asked.is_named and question.explanation:
        console.print(Text(question.explanation, style="dim"))
    if shown.left_out:
        names = ", ".join(shown.left_out)
        console.print(Text(f"Not shown: {names}; --to rows.csv writes every column.", style="dim"))
    if advice := _how_to_get_more(shown, asked):
        console.print(Text(advice, style="dim"))


def _how_to_get_more(shown: Shown, asked: _Asked) -> str:
    if shown.has_more:
        return f"These are the first {shown.rows} rows; --to rows.csv writes all of them."
    limit = next((one for one in asked.question.parameters if one.name == "limit"), None)
    if asked.is_named and limit and str(shown.rows) == asked.given.get("limit", limit.default):
        return f"There may be more: --param limit={10 * shown.rows} shows more."
    return ""


def _show_list(format_: RowFormat | None, to: Path | None) -> None:
    questions = {name: named_question(name) for name in question_names()}
    if format_ is not None:
        table = pa.table(
            {
                "name": list(questions),
                "description": [one.sentence for one in questions.values()],
                "parameters": pa.array(
                    [[_described(each) for each in one.parameters] for one in questions.values()],
                    pa.list_(pa.string()),
                ),
            }
        )
        write_rows(table.to_reader(), format_, to)
        return
    console = result_console()
    for name, one in questions.items():
        console.print(Text.assemble((name, "bold"), "  ", one.sentence), soft_wrap=True)
        for parameter in one.parameters:
            console.print(Text(f"    {_described(parameter)}", style="dim"), soft_wrap=True)


def _described(parameter: Parameter) -> str:
    default = "needed" if parameter.default is None else f"{parameter.default} by default"
    if parameter.either:
        default = "one such is needed"
    return f"--param {parameter.name}=…  {parameter.meaning} ({default})"
