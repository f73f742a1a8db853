"""The log: one JSON object a line with its context, whoever logs, and never a secret."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from exporter.cli.process.logs import configure_logs
from exporter.cli.process.messages import LogFormat, LogLevel
from exporter.cli.process.redact import REDACTED, redact

IAM_TOKEN = "t1.9euelZqSnpGem-planted.signature_7bK0"
OAUTH_TOKEN = "y0_AgAAAAB-planted-oauth-3Xw1"
JWT = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJhamUxIn0.c2lnbmF0dXJl"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----"
SECRETS = (IAM_TOKEN, OAUTH_TOKEN, JWT, "MIIEvQIBADANBgkq")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


class Refusing(json.JSONDecoder):
    """A library that quotes what it was given."""

    def decode(self, s: str, _w: Any = None) -> Any:
        raise ValueError(f"{s} came after {JWT}")


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_has_its_time_its_level_and_the_context_of_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(LogFormat.JSON, LogLevel.INFO)
    with structlog.contextvars.bound_contextvars(run_id="r1", snapshot_id="s1"):
        structlog.get_logger().info("page_staged", rows=7)
        structlog.get_logger().debug("too_small_to_tell")
    (event,) = events(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "level": "info",
        "event": "page_staged",
        "rows": 7,
        "run_id": "r1",
        "snapshot_id": "s1",
    }


def test_libraries_and_warnings_are_logged_the_same_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(LogFormat.JSON, LogLevel.INFO)
    logging.getLogger("asyncio").error("a task %s", "failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old API", DeprecationWarning, stacklevel=1)
    told = events(capsys)
    assert [event["level"] for event in told] == ["error", "warning"]
    assert told[0]["event"] == "a task failed"
    assert "old API" in told[1]["event"]


@pytest.mark.parametrize("format_", LogFormat)
def test_no_event_holds_a_secret(format_: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(format_, LogLevel.DEBUG)
    log = structlog.get_logger()
    log.info("by_key", authorization="opaque-1", iam_token="opaque-2", nested={"jwt": "opaque-3"})
    log.info("by_type", setting=SecretStr("opaque-4"), many=[SecretStr("opaque-5")])
    log.info("by_look", said=f"Bearer {IAM_TOKEN}", listed=[OAUTH_TOKEN, KEY], url=f"?x={JWT}")
    try:
        json.loads("[", cls=Refusing)
    except ValueError:
        log.exception("by_traceback")
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert written.count(REDACTED) >= 7
    for secret in (*SECRETS, *(f"opaque-{number}" for number in range(1, 6))):
        assert secret not in written


def test_a_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogFormat.CONSOLE, LogLevel.INFO)
    held = "a-local-" + "secret"
    try:
        int(held[:3])
    except ValueError:
        structlog.get_logger().exception("failed")
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert held not in written


def test_what_is_no_secret_is_left_as_it_is() -> None:
    text = "images of registry crp1: page token expired; t1 was fast; see eyJ.txt"
    assert redact(text) == text
    assert redact(f"{IAM_TOKEN}, {OAUTH_TOKEN}, {JWT}, {KEY}") == ", ".join([REDACTED] * 4)
