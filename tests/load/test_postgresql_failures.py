"""What a person is told when PostgreSQL cannot be loaded: one sentence, and never a password."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from exporter.load.postgresql.address import parse_address
from exporter.load.postgresql.warehouse import PostgreSql, refusal
from exporter.load.targets import open_warehouse
from exporter.tables.schemas import TABLES
from tests.certificates import self_signed
from tests.e2e.commands import Exporter, Run
from tests.load.postgres import PASSWORD, Server
from tests.load.published import hostile_rows, publish_rows
from tests.load.warehouses import Target


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One snapshot; tests only read."""
    folder = tmp_path_factory.mktemp("output")
    publish_rows(folder, "n1", hostile_rows(3))
    return folder


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    """The command in an empty home."""
    return Exporter(tmp_path)


@pytest.fixture(scope="module")
def loader(postgres: Server) -> str:
    """A user with a password, and with limits that are made for queries."""
    with postgres.connect() as connection:
        secret = psycopg.sql.Literal(PASSWORD)
        connection.execute(psycopg.sql.SQL("CREATE ROLE loader LOGIN PASSWORD {}").format(secret))
        for limit in ("statement_timeout = '1min'", "default_transaction_isolation = serializable"):
            connection.execute(f"ALTER ROLE loader SET {limit}")
        connection.execute("CREATE SCHEMA lent AUTHORIZATION loader")
    return "loader"


def run(exporter: Exporter, url: str, output: Path, *flags: str, **environment: str) -> Run:
    exporter.environment |= environment
    line = ("load", "--to", url, "--output", str(output), "--log-format", "json", "--debug")
    done = exporter.command(*line, "--table", "layers", *flags)
    written = (done.stdout + done.stderr).replace("\\\\", "\\")
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "geheim"):
        assert secret not in written
    return done


def test_a_password_comes_from_the_url_the_environment_or_the_file(
    postgres: Server, loader: str, output: Path, exporter: Exporter
) -> None:
    schema = ("--schema", "lent")
    for secret in (quote(PASSWORD, safe=""), PASSWORD):
        url = postgres.tcp_url(loader, secret)
        assert run(exporter, url, output, *schema).code == 0
    bare = postgres.tcp_url(loader)
    assert run(exporter, bare, output, *schema, PGPASSWORD=PASSWORD).code == 0
    del exporter.environment["PGPASSWORD"]
    file = exporter.home / ".pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"127.0.0.1:{postgres.port}:*:{loader}:{escaped}\n")
    file.chmod(0o600)
    assert run(exporter, bare, output, *schema).code == 0
    config = exporter.write_config(
        {"output": {"url": str(output)}, "load": {"schema": "lent", "to": "${WAREHOUSE}"}}
    )
    file.unlink()
    exporter.environment["WAREHOUSE"] = postgres.tcp_url(loader, PASSWORD)
    done = exporter.command("load", "--config", str(config), "--log-format", "json")
    assert done.code == 0
    assert PASSWORD not in done.stderr


def test_tls_checks_the_server_s_certificate(
    postgres: Server, loader: str, output: Path, exporter: Exporter
) -> None:
    url = postgres.tcp_url(loader, quote(PASSWORD, safe="")) + "?sslmode=verify-full&sslrootcert="
    assert run(exporter, f"{url}{postgres.authority}", output, "--schema", "lent").code == 0
    other = self_signed(exporter.folder)
    done = run(exporter, f"{url}{other}", output, "--schema", "lent")
    assert done.code == 7
    assert "cannot be reached by TLS" in done.said
    assert "certificate verify failed" in done.said


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"password": "geheim"}, 7, "refuses the user or the password"),
        ({"password": None}, 7, "refuses the user or the password"),
        ({"host": "nowhere.invalid"}, 7, "does not answer"),
        ({"port": "1"}, 7, "does not answer"),
        ({"database": "nope", "password": quote(PASSWORD, safe="")}, 7, "refuses the connection"),
        ({"more": "?sslmode=verify-full"}, 7, "cannot be reached by TLS"),
        ({"more": "?frobnicate=geheim"}, 7, "correct the parameters of the URL"),
        ({"more": "?password"}, 2, "cannot be read"),
        ({"password": "geheim%zz/@@:"}, 7, "refuses the user or the password"),
        ({"port": "geheim"}, 2, "cannot be read"),
    ],
)
def test_a_connection_that_cannot_be_made_ends_in_a_sentence(
    postgres: Server,
    loader: str,
    output: Path,
    exporter: Exporter,
    change: dict[str, Any],
    code: int,
    said: str,
) -> None:
    own = {"password": "geheim", "host": "127.0.0.1", "port": str(postgres.port)}
    own |= {"database": "postgres", "more": ""} | change
    secret = "" if own["password"] is None else f":{own['password']}"
    url = f"postgresql://{loader}{secret}@{own['host']}:{own['port']}/{own['database']}"
    done = run(exporter, url + own["more"], output)
    assert done.code == code, done.stderr
    assert said in done.said
    assert "Traceback" not in done.said


def test_rights_that_are_missing_are_named(
    postgres: Server, loader: str, output: Path, exporter: Exporter
) -> None:
    url = postgres.url(user=loader)
    done = run(exporter, url, output, "--schema", "not_lent")
    assert done.code == 7
    assert "does not let this user create the tables of the schema not_lent" in done.said
    assert "permission denied for database" in done.said
    # Where the schema is there, no right on the database is needed.
    assert run(exporter, url, output, "--schema", "lent").code == 0
    with postgres.connect() as connection:
        connection.execute("ALTER TABLE lent.layers OWNER TO owner")
    done = run(exporter, url, output, "--schema", "lent", "--snapshot", "n1")
    assert (done.code, "does not let this user" in done.said) == (7, True)
    with postgres.connect() as connection:
        connection.execute("ALTER TABLE lent.layers OWNER TO loader")


def test_a_column_of_another_type_is_refused(postgres: Server, output: Path) -> None:
    target = Target(postgres, "retyped", output)
    target.load()
    with postgres.connect() as connection:
        connection.execute("DROP VIEW retyped.latest_blobs")
        connection.execute("ALTER TABLE retyped.blobs ALTER COLUMN size TYPE numeric")
    with pytest.raises(Exception, match=r"a column retyped.blobs.size of type numeric, where"):
        target.load("n1")
    assert target.has("n1", [name for name in TABLES if name != "blobs"])


def test_a_database_that_cannot_hold_every_name_is_refused(
    postgres: Server, output: Path, exporter: Exporter
) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    done = run(exporter, postgres.url("latin"), output)
    assert (done.code, "has the encoding LATIN1" in done.said) == (7, True)


def test_a_standby_and_an_old_version_are_refused(postgres: Server, output: Path) -> None:
    name = "postgresql://x"
    assert "needs 12 or newer" in str(refusal(name, "11.22", 110_022, "UTF8", is_standby=False))
    assert "is a standby" in str(refusal(name, "17.1", 170_001, "UTF8", is_standby=True))
    assert refusal(name, "12.0", 120_000, "UTF8", is_standby=False) is None


def test_a_full_disk_is_told_and_leaves_what_was_there(
    postgres: Server, output: Path, tmp_path: Path
) -> None:
    place = postgres.folder / "small"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,uid=65534", "tmpfs", str(place)], check=True
    )
    try:
        with postgres.connect() as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            connection.execute("CREATE DATABASE tiny TABLESPACE pg_default")
        target = Target(postgres, "full", output, "tiny")
        target.load()
        with postgres.connect() as connection:
            connection.execute("ALTER DATABASE tiny SET default_tablespace = 'small'")
        images = [{"image_id": f"i{number}", "digest": f"{number:01000}"} for number in range(9000)]
        publish_rows(tmp_path, "n2", {"images": images}, night=1)
        large = Target(postgres, "full", tmp_path, "tiny")
        with pytest.raises(Exception, match="its disk is full; free some space there") as caught:
            large.load("n2")
        assert getattr(caught.value, "exit_code", None) == 7
        assert target.has("n1")
        assert large.rows("snapshots", "n2") == []
    finally:
        with postgres.connect() as connection:
            connection.execute("DROP DATABASE IF EXISTS tiny WITH (FORCE)")
            connection.execute("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", str(place)], check=True)
        shutil.rmtree(place)


@pytest.mark.parametrize(
    ("url", "conninfo"),
    [
        ("postgresql://u@h/d", "user='u' host='h' dbname='d'"),
        (
            "postgresql://u:p%40@h:5433/d?sslrootcert=/a%20b",
            r"user='u' password='p@' host='h' port='5433' dbname='d' sslrootcert='/a b'",
        ),
        ("postgresql://h1:1,h2:2/d", "host='h1,h2' port='1,2' dbname='d'"),
        ("postgresql://[::1]:5/d", "host='::1' port='5' dbname='d'"),
        ("postgresql:///d?host=/tmp/it%27s", r"dbname='d' host='/tmp/it\'s'"),
        ("postgresql://", ""),
        ("postgresql://%2Ftmp%2Fx/d", "host='/tmp/x' dbname='d'"),
    ],
)
def test_a_url_is_read_as_libpq_reads_it(url: str, conninfo: str) -> None:
    found = parse_address(url).conninfo
    assert found.startswith(f"{conninfo} connect_timeout='10'".lstrip())
    assert "fallback_application_name='registry-exporter'" in found
    mine, theirs = psycopg.conninfo.conninfo_to_dict(found), psycopg.conninfo.conninfo_to_dict(url)
    assert theirs.items() <= mine.items()


def test_statements_have_a_limit_of_the_loads_own(postgres: Server, loader: str) -> None:
    target = Target(postgres, "lent", Path())
    settings = target.settings(to=postgres.url(user=loader))
    with open_warehouse(settings, look_only=False) as warehouse:
        assert isinstance(warehouse, PostgreSql)
        limits = warehouse._session.rows(
            "ask",
            "SELECT current_setting('statement_timeout'), current_setting('transaction_isolation')",
        )
    assert limits == [("2h", "read committed")]
