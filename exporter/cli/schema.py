"""`schema`: print the tables of a snapshot, column by column, or the SQL that reads them."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.ddl.dialects import Dialect
from exporter.ddl.write import script
from exporter.errors import SettingsError
from exporter.settings import Load
from exporter.snapshots.manifest import columns_of
from exporter.tables.columns import Table
from exporter.tables.schemas import FORMAT_VERSION, TABLES

app = new_app()


class SchemaFormat(StrEnum):
    """How the tables' schemas are printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    DDL = "ddl"


_SCHEMA = str(Load.model_fields["warehouse_schema"].default)


@app.command()
def schema(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="One table; by default all.")
    ] = None,
    format_: Annotated[
        SchemaFormat, typer.Option("--format", help="The format of the output.")
    ] = SchemaFormat.TEXT,
    dialect: Annotated[
        Dialect | None,
        typer.Option(
            metavar="NAME",
            help=f"With --format ddl: the engine that reads the SQL: {', '.join(Dialect)}.",
        ),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="With --format ddl: where the snapshots are, such as s3://bucket/prefix.",
        ),
    ] = None,
    schema_: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="NAME",
            help=f"With --format ddl: the schema of the tables; by default {_SCHEMA}.",
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Print the columns of a snapshot's tables, each with its type and its meaning.

    With --format ddl, print the SQL with which a warehouse reads the snapshots where they are, or
    copies them: tables with partitions by snapshot, and views of the newest complete one.

    \b
    Examples:
      registry-exporter schema images
      registry-exporter schema --format markdown > tables.md
      registry-exporter schema --format ddl --dialect spark --from s3://bucket/x
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        tables = [_table(table)] if table else list(TABLES.values())
        if format_ is SchemaFormat.DDL:
            typer.echo(_ddl(tables, dialect, place, schema_ or _SCHEMA))
            return
        for flag, given in (("--dialect", dialect), ("--from", place), ("--schema", schema_)):
            if given is not None:
                raise SettingsError(f"{flag} is about SQL: give --format ddl too.")
        typer.echo(_render(tables, format_))


def _ddl(tables: list[Table], dialect: Dialect | None, place: str | None, schema: str) -> str:
    """Return the SQL of a dialect; raises `SettingsError` without a dialect or a place."""
    if dialect is None:
        raise SettingsError(f"--format ddl needs --dialect: {', '.join(Dialect)}.")
    if place is None:
        raise SettingsError("--format ddl needs --from: the place of the snapshots.")
    return script(dialect, tables, place, schema)


def _render(tables: list[Table], format_: SchemaFormat) -> str:
    """Return the schemas of tables in one of the formats for reading."""
    if format_ is SchemaFormat.JSON:
        return _json(tables)
    render = _text if format_ is SchemaFormat.TEXT else _markdown
    return "\n\n".join(render(table) for table in tables)


def _table(name: str) -> Table:
    if name in TABLES:
        return TABLES[name]
    near = difflib.get_close_matches(name, TABLES, n=1)
    advice = f"did you mean {near[0]}?" if near else f"the tables are {', '.join(TABLES)}."
    raise SettingsError(f"There is no table {name}; {advice}")


def _text(table: Table) -> str:
    columns = columns_of(table.schema)
    names = max(len(column.name) for column in columns)
    types = max(len(column.type) for column in columns)
    lines = [
        f"  {column.name:<{names}}  {column.type:<{types}}  {column.description}"
        for column in columns
    ]
    head = f"{table.name} ({table.kind}): {table.description}. Key: {', '.join(table.key)}."
    return "\n".join([head, *lines])


def _markdown(table: Table) -> str:
    lines = [
        f"| `{column.name}` | `{column.type}` | {_cell(column.description)} |"
        for column in columns_of(table.schema)
    ]
    return "\n".join(
        [
            f"## `{table.name}`",
            "",
            f"{table.description}. Key: {', '.join(f'`{name}`' for name in table.key)}.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *lines,
        ]
    )


def _cell(text: str) -> str:
    # Markdown takes <…> for HTML, and a bar for the end of the cell.
    return text.replace("|", "\\|").replace("<", "&lt;")


def _json(tables: list[Table]) -> str:
    content = {
        "format_version": FORMAT_VERSION,
        "tables": {
            table.name: {
                "kind": table.kind,
                "description": table.description,
                "key": table.key,
                "columns": [column.model_dump() for column in columns_of(table.schema)],
            }
            for table in tables
        },
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
