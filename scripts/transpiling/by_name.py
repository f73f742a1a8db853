"""Unions by name, which Spark SQL does not have: each branch names every column instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce

from sqlglot import exp
from sqlglot.errors import UnsupportedError
from sqlglot.optimizer.qualify import qualify

Columns = Mapping[str, list[str]]
"""The columns of tables and views, by name."""


def columns_of(query: exp.Query, known: Columns) -> list[str]:
    """Return the names of a query's columns; `known` has the tables that it reads."""
    schema = {table: dict.fromkeys(names, "text") for table, names in known.items()}
    qualified = qualify(
        query.copy(),
        schema=schema,
        dialect="spark",
        quote_identifiers=False,
        validate_qualify_columns=False,
    )
    names: list[str] = qualified.named_selects
    if "*" in names:
        raise UnsupportedError(f"The columns are not known: {query.sql('spark')}")
    return names


def spell_unions(query: exp.Query, known: Columns) -> None:
    """Replace the unions by name in a query, also inside of its parts.

    It is changed in place, and must have a parent.
    """
    inner = dict(known)
    for cte in query.ctes:
        spell_unions(cte.this, inner)
        inner[cte.alias] = columns_of(cte.this, inner)
    outermost = [one for one in query.walk(prune=_is_by_name) if _is_by_name(one)]
    for union in outermost:
        for branch in _branches(union):
            spell_unions(branch, inner)
        branches = list(_branches(union))
        every = [columns_of(branch, inner) for branch in branches]
        names = list(dict.fromkeys(name for each in every for name in each))
        spelled = [
            exp.select(*(name if name in each else f"NULL AS {name}" for name in names)).from_(
                branch.subquery("branch")
            )
            for branch, each in zip(branches, every, strict=True)
        ]
        whole = reduce(lambda some, one: exp.union(some, one, distinct=False), spelled)
        if union.ctes:
            whole.set("with_", union.args["with_"])
        union.replace(whole)


def _is_by_name(one: exp.Expr) -> bool:
    return isinstance(one, exp.SetOperation) and bool(one.args.get("by_name"))


def _branches(union: exp.Query) -> Iterator[exp.Query]:
    """Yield what is united, in order: `a UNION b UNION c` is a union of a union."""
    if _is_by_name(union):
        if not isinstance(union, exp.Union) or union.args["distinct"]:
            raise UnsupportedError(union.sql("spark"))
        yield from _branches(union.this)
        yield from _branches(union.expression)
    else:
        yield union
