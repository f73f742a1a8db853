"""`schema --format ddl`: each dialect's own parser reads its text, and says what is wrong."""

from __future__ import annotations

import logging
import re

import pytest
import sqlglot
from sqlglot import exp
from typer.testing import CliRunner

from exporter.cli.app import app
from exporter.ddl.bulk import redshift_copy, snowflake_copy
from exporter.ddl.dialects import Dialect
from exporter.ddl.location import PLACES, locate
from exporter.tables.schemas import TABLES

S3 = "s3://bucket/a prefix/it's"
OTHERS = {
    "gs": "gs://bucket/prefix",
    "azure": "abfss://box@account.dfs.core.windows.net/prefix",
    "local": "/srv/it's",
}
# What sqlglot reads as the name of a statement and the rest: it knows no parts of it.
UNREAD = re.compile(r"MSCK REPAIR TABLE |CALL ")


def parser(dialect: Dialect) -> str:
    return "postgres" if dialect is Dialect.POSTGRESQL else str(dialect)


def ddl(dialect: str, place: str, *more: str) -> str:
    arguments = ["schema", *more, "--format", "ddl", "--dialect", dialect, "--from", place]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("place", [S3, *OTHERS.values()])
def test_the_parser_of_each_dialect_reads_every_statement(
    dialect: Dialect, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("sqlglot"), "disabled", True)
    kind = next((name for name, one in OTHERS.items() if one == place), "s3")
    if kind not in PLACES[dialect]:
        arguments = ["schema", "--format", "ddl", "--dialect", dialect, "--from", place]
        shown = CliRunner().invoke(app, arguments)
        assert shown.exit_code == 2
        assert f"{dialect} cannot read this place" in shown.stderr
        return
    # BigQuery's clauses that sqlglot does not know: the rest of the statement is read.
    text = re.sub(r"WITH (PARTITION COLUMNS|CONNECTION) .*\n", "", ddl(dialect, place))
    parsed = [one for one in sqlglot.parse(text, read=parser(dialect)) if one]
    for one in parsed:
        assert not isinstance(one, exp.Command) or UNREAD.match(" ".join(one.sql().split()))
    named = {one.name for tree in parsed for one in tree.find_all(exp.Table)}
    assert named >= {*TABLES, *(f"latest_{table}" for table in TABLES), "snapshots"}


@pytest.mark.parametrize("table", TABLES)
def test_the_parsers_read_what_a_procedure_copies_with(table: str) -> None:
    place = locate(S3, Dialect.REDSHIFT)
    [copied] = sqlglot.parse(snowflake_copy(TABLES[table], "s", "run-1"), read="snowflake")
    assert isinstance(copied, exp.Copy)
    assert "FORCE = TRUE" in snowflake_copy(TABLES[table], "s", "run-1")
    [copied] = sqlglot.parse(redshift_copy(TABLES[table], place, "run-1"), read="redshift")
    assert isinstance(copied, exp.Copy)


TYPES = {
    # No engine here runs these. One column of each type: text, int32, int64, bool, time, list, map.
    Dialect.ATHENA: "`{}` {}|string|int|bigint|boolean|timestamp|array<string>|map<string,string>",
    Dialect.BIGQUERY: "`{}` {}|STRING|INT64|INT64|BOOL|TIMESTAMP|ARRAY<STRING>|"
    "STRUCT<key_value ARRAY<STRUCT<key STRING, value STRING>>>",
    Dialect.DATABRICKS: "`{}` {}|STRING|INT|BIGINT|BOOLEAN|TIMESTAMP|ARRAY<STRING>|"
    "MAP<STRING, STRING>",
    Dialect.REDSHIFT: '"{}" {}|VARCHAR(65535)|INTEGER|BIGINT|BOOLEAN|TIMESTAMPTZ|SUPER|SUPER',
    Dialect.SNOWFLAKE: '"{}" {}|VARCHAR|NUMBER(10, 0)|NUMBER(19, 0)|BOOLEAN|TIMESTAMP_TZ(6)|ARRAY|'
    "VARIANT",
    Dialect.TRINO: '"{}" {}|varchar|integer|bigint|boolean|timestamp(6)|array(varchar)|'
    "map(varchar, varchar)",
}
COLUMNS = [
    "image_id",
    "layer_count",
    "compressed_size",
    "reachable",
    "created_at",
    "tags",
    "labels",
]


@pytest.mark.parametrize("dialect", TYPES)
def test_columns_have_the_types_of_the_engine(dialect: Dialect) -> None:
    text = ddl(dialect, S3, "images")
    form, *types = TYPES[dialect].split("|")
    for column, type_ in zip(COLUMNS, types, strict=True):
        assert re.search(re.escape(form.format(column, type_)) + r"( |,\n|\n)", text), column
    # Glue takes no longer comment on a column, and BigQuery none above 1,024 letters.
    said = re.findall(r"COMMENT '((?:[^'\\]|''|\\.)*)'", ddl(dialect, S3, "findings"))
    if dialect in (Dialect.ATHENA, Dialect.TRINO, Dialect.DATABRICKS):
        assert max(len(one.encode()) for one in said) <= 255
        assert any(one.endswith(" …") for one in said)
    assert "latest_images" in text
    assert "latest_layers" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "ddl", "--from", "x"], "--format ddl needs --dialect: athena, bigquery"),
        (["--format", "ddl", "--dialect", "spark"], "--format ddl needs --from"),
        (["--dialect", "spark"], "--dialect is about SQL: give --format ddl too"),
        (
            ["--format", "ddl", "--dialect", "redshift", "--from", "snapshots"],
            "redshift cannot read this place by itself; copy the snapshots to s3://bucket/prefix",
        ),
        (
            ["--format", "ddl", "--dialect", "spark", "--from", "https://a.example/x"],
            "--from https://a.example/x is no place of snapshots",
        ),
        (
            ["--format", "ddl", "--dialect", "spark", "--from", "https://me:SECRET@a.example/x"],
            "--from https://… is no place of snapshots",
        ),
        (
            ["--format", "ddl", "--dialect", "duckdb", "--from", "s3://KEY:SECRET@bucket/x?y"],
            "--from s3://… names no bucket",
        ),
        (
            ["--format", "ddl", "--dialect", "duckdb", "--from", "s3://KEY:SECRET@bucket/x"],
            "--from s3://… names no bucket",
        ),
        (
            ["--format", "ddl", "--dialect", "duckdb", "--from", "s3://KEY:SECRET/x@bucket/y"],
            "--from s3://… names no bucket",
        ),
        (
            ["--format", "ddl", "--dialect", "duckdb", "--from", "s3://bucket/a*b"],
            "some engines read * in a path as more than a letter",
        ),
        (
            ["--format", "ddl", "--dialect", "duckdb", "--from", "x", "--schema", 'a"b'],
            'a"b is no plain name',
        ),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(arguments: list[str], said: str) -> None:
    shown = CliRunner().invoke(app, ["schema", *arguments])
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert "SECRET" not in shown.output
