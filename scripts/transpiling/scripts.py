"""The scripts that Spark runs, in order, and what the statements of each become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import UnsupportedError

from exporter.derive.duplicates import CHANGED_SCHEMA
from exporter.derive.steps import NEEDS, SOURCES, STEPS
from exporter.tables.staged import STAGED
from transpiling.by_name import columns_of, spell_unions
from transpiling.rules import apply_rules

SCRIPTS = (
    "dedupe/duplicates",
    "dedupe/changed",
    "dedupe/drop",
    *(
        f"steps/{name}" if name in STEPS else f"tables/{name}"
        for name in NEEDS
        if name not in SOURCES
    ),
)
"""The scripts by name, each after those that make what it reads."""

_HEAD = "-- Made from {}{}.sql: change that one, and run scripts/transpile.\n"
_END = "\n;\n"


def transpiled(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each script for Spark, by name; `texts` are DuckDB's, by name in order."""
    known = {name: list(table.schema.names) for name, table in STAGED.items()}
    known |= {f"places_{name}": [*names, "part", "part_row"] for name, names in known.items()}
    known["changed"] = list(CHANGED_SCHEMA.names)
    known["left_out"] = ["scope", "scope_id"]
    macros: dict[str, exp.Create] = {}
    made = {}
    for name, text in texts.items():
        statements = [
            statement
            for parsed in sqlglot.parse(text, read="duckdb")
            if parsed is not None
            for statement in _statements(parsed, known, macros)
        ]
        up = "../" * (name.count("/") + 1)
        made[name] = _HEAD.format(up, name) + _END.join(statements) + "\n"
    return made


def _statements(
    parsed: exp.Expr, known: dict[str, list[str]], macros: dict[str, exp.Create]
) -> Iterator[str]:
    """Yield the statements that one of DuckDB's becomes; add what it makes to what is known."""
    if isinstance(parsed, exp.Create) and parsed.args["kind"] == "MACRO":
        macros[parsed.this.this.name] = parsed
        return
    if not isinstance(parsed, exp.Create):
        parsed = exp.Create(kind="QUERY", expression=parsed)
    _expand_macros(parsed, macros)
    apply_rules(parsed)
    spell_unions(parsed.expression, known)
    query = parsed.expression
    kind = parsed.args["kind"]
    if kind == "QUERY":
        yield _spark(query)
        return
    name = parsed.this.name
    if query.ctes and query.args["with_"].recursive:
        yield from _without_recursion(name, query, known)
    known[name] = columns_of(query, known)
    made = "CREATE TABLE" if kind == "TABLE" else "CREATE TEMPORARY VIEW"
    yield f"{made} {name} AS\n{_spark(query)}"


def _expand_macros(parsed: exp.Expr, macros: Mapping[str, exp.Create]) -> None:
    for call in list(parsed.find_all(exp.Anonymous)):
        macro = macros.get(call.name)
        if macro is not None:
            names = [parameter.name for parameter in macro.this.expressions]
            given = dict(zip(names, call.expressions, strict=True))
            body = macro.expression.copy()
            for column in list(body.find_all(exp.Column)):
                column.replace(given[column.name].copy())
            call.replace(body)


def _without_recursion(name: str, query: exp.Query, known: dict[str, list[str]]) -> Iterator[str]:
    """Yield statements for the parts of a recursive `WITH`, which Spark 4.0 does not have.

    Each part becomes a table of its own. Of the recursive one there are two queries, marked as
    such: the first rows, and the rows that follow from those that the last round added.
    """
    parts = {part.alias: f"{name}_{part.alias}" for part in query.ctes}
    for table in list(query.find_all(exp.Table)):
        if table.name in parts:
            alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
            table.replace(exp.Table(this=exp.to_identifier(parts[table.name]), alias=alias))
    for part in query.ctes:
        own = parts[part.alias]
        rows = part.this
        if any(table.name == own for table in rows.find_all(exp.Table)):
            if not isinstance(rows, exp.Union) or not rows.args["distinct"]:
                raise UnsupportedError(rows.sql("spark"))
            known[own] = columns_of(rows.this, known)
            yield f"-- {own}: the first rows\n{_spark(rows.this)}"
            yield f"-- {own}: the rows that follow from new ones\n{_spark(rows.expression)}"
        else:
            known[own] = columns_of(rows, known)
            yield f"CREATE TABLE {own} AS\n{_spark(rows)}"
    query.set("with_", None)


def _spark(query: exp.Expr) -> str:
    text: str = query.sql("spark", pretty=True, comments=False)
    return text
