"""Logging: structlog's events as JSON lines or for a console, on stderr, without secrets.

Every event has `timestamp` (RFC 3339, UTC), `level` and `event`; those of a run also have
`run_id` and `snapshot_id`, which the run binds as context variables. Events that libraries log
through the standard library, and Python's warnings, are written in the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exporter.cli.process import messages
from exporter.cli.process.messages import LogFormat, LogLevel
from exporter.cli.process.redact import REDACTED, is_secret_key, redact

_ENDS = ("export_failed", "export_stopped")


def configure_logs(format_: LogFormat, level: LogLevel) -> None:
    """From now on, write events of at least this level to stderr."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        # A plain traceback: one with local variables could show a token.
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    renderer = _renderer(format_)
    messages.use_json(wanted=format_ is LogFormat.JSON)
    the_end = _note_the_end if format_ is LogFormat.JSON else _without_the_end
    structlog.configure(
        processors=[the_end, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(_stderr()),
    )
    handler = logging.StreamHandler(_stderr())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    # The log of libraries below a warning is noise.
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    logging.captureWarnings(capture=True)


def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Redact secrets, which are known by their key, their type, or their form."""
    return {name: _clean(name, value) for name, value in event.items()}


def _without_the_end(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop the event of a run that failed or was stopped: a person reads a sentence instead."""
    if event["event"] in _ENDS:
        raise structlog.DropEvent
    return event


def _note_the_end(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Note that the log has the end of the run, which is written once."""
    if event["event"] in _ENDS:
        messages.note_end()
    return event


def _clean(name: str, value: Any) -> Any:
    if is_secret_key(name):
        return REDACTED
    if isinstance(value, str):
        # A path may have bytes that are not text; no log can hold those.
        return redact(value.encode("utf-8", "backslashreplace").decode())
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(name, inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def _renderer(format_: LogFormat) -> Processor:
    if format_ is LogFormat.JSON:
        return structlog.processors.JSONRenderer(serializer=_to_json)
    return _console_renderer(sys.stderr)


def _console_renderer(stderr: TextIO) -> Processor:
    """Return a renderer that is made for the first event, which a quiet run may not have."""

    @cache
    def made() -> Processor:
        # It takes long to import, and says alone whether there are colors.
        from rich.console import Console  # noqa: PLC0415

        console = Console(file=stderr)
        return structlog.dev.ConsoleRenderer(
            # Like all other output: none with NO_COLOR, and none where TERM is dumb.
            colors=console.color_system is not None and not console.no_color,
            timestamp_key="timestamp",
            exception_formatter=structlog.dev.plain_traceback,
        )

    def render(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        return made()(logger, method, event)

    return render


def _to_json(event: EventDict, **_: object) -> str:
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return orjson.dumps({**first, **event}, default=str).decode()


class _Stderr:
    """The `sys.stderr` of the moment: a progress display replaces it for a while."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _stderr() -> TextIO:
    return _Stderr()  # type: ignore[return-value] # loggers write and flush, and do nothing else
