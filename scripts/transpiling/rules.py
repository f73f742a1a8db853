"""What an expression of DuckDB becomes in Spark, where sqlglot leaves it as it is or gets it wrong.

Each rule takes a node of sqlglot's tree, whose children are done, and returns what replaces it.
What a rule does not handle, it refuses with `UnsupportedError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp
from sqlglot.errors import UnsupportedError
from sqlglot.transforms import eliminate_window_clause

_WIDE = exp.DataType.build("DECIMAL(38, 0)")
"""Stands for HUGEINT: sums of 64-bit numbers never leave it."""


def apply_rules(statement: exp.Expr) -> exp.Expr:
    """Return a statement with every rule applied; the statement itself is changed."""
    for node in reversed(list(statement.walk(bfs=False))):
        rule = _RULES.get(type(node))
        if rule is not None:
            replaced = rule(node)
            if replaced is not node:
                node.replace(replaced)
    return statement


def _function(node: exp.Anonymous) -> exp.Expr:
    if node.name == "hash":
        # Another hash, but of 64 bits too: the scripts find by it, and compare afterwards.
        return exp.func("xxhash64", *node.expressions, dialect="spark")
    if node.name == "md5_number":
        return exp.Unhex(this=exp.MD5(this=node.expressions[0]))
    return node


def _type(node: exp.DataType) -> exp.Expr:
    return _WIDE.copy() if node.is_type("int128") else node


def _sum(node: exp.Sum) -> exp.Expr:
    """DuckDB's sum of integers is a HUGEINT, Spark's a BIGINT."""
    return exp.Sum(this=exp.cast(node.this, _WIDE.copy()))


def _format(node: exp.Format) -> exp.Expr:
    """`format('{} of {}', a, b)` is null if one of them is, and so is a concatenation in Spark."""
    pieces = node.this.name.split("{}")
    if len(pieces) != len(node.expressions) + 1:
        raise UnsupportedError(node.sql("duckdb"))
    parts: list[exp.Expr] = []
    for piece, value in zip(pieces, [*node.expressions, None], strict=True):
        parts += [exp.Literal.string(piece)] if piece else []
        parts += [exp.cast(value, "text")] if value is not None else []
    return exp.Concat(expressions=parts, safe=False, coalesce=False)


def _place(node: exp.Bracket) -> exp.Expr:
    """Places in a list count from 1 in DuckDB and from 0 in Spark; outside of it is null."""
    (place,) = node.expressions
    return exp.func("get", node.this, exp.Sub(this=place, expression=exp.Literal.number(1)))


def _ordered_list(node: exp.ArrayAgg) -> exp.Expr:
    """`list(a ORDER BY b)`: Spark sorts pairs of `b` and `a`, and takes each one's `a`."""
    order = node.this
    by = order.expressions if isinstance(order, exp.Order) else []
    if len(by) != 1 or by[0].args.get("desc"):
        raise UnsupportedError(node.sql("duckdb"))
    pair = exp.func("named_struct", "'by'", by[0].this, "'value'", order.this)
    pairs = exp.func("array_sort", exp.func("collect_list", pair))
    return exp.Dot(this=pairs, expression=exp.to_identifier("value"))


def _distinct(node: exp.ArrayDistinct) -> exp.Expr:
    """DuckDB leaves nulls out."""
    return exp.ArrayDistinct(this=exp.ArrayCompact(this=node.this))


def _unpivot(node: exp.Pivot) -> exp.Expr:
    """DuckDB's statement becomes the standard's clause; both leave nulls out."""
    if not node.args["unpivot"] or not isinstance(node.this, exp.Subquery):
        raise UnsupportedError(node.sql("duckdb"))
    into = node.args["into"]
    (value,) = into.expressions
    names = exp.In(
        this=into.this.this, expressions=[exp.column(one.name) for one in node.expressions]
    )
    clause = exp.Pivot(expressions=[value.this], fields=[names], unpivot=True)
    return exp.select("*").from_(exp.Subquery(this=node.this.this, pivots=[clause]))


def _cte(node: exp.CTE) -> exp.Expr:
    """Spark decides by itself what it materializes."""
    node.set("materialized", None)
    return node


_RULES: Mapping[type[exp.Expr], Callable[..., exp.Expr]] = {
    exp.Anonymous: _function,
    exp.DataType: _type,
    exp.Sum: _sum,
    exp.Format: _format,
    exp.Bracket: _place,
    exp.ArrayAgg: _ordered_list,
    exp.ArrayDistinct: _distinct,
    exp.Pivot: _unpivot,
    exp.CTE: _cte,
    exp.Select: eliminate_window_clause,
}
