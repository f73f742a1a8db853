"""The program's log where nobody has set one up: in a library, and in Spark's processes."""

from __future__ import annotations

import logging
import sys

import structlog


def keep_off_stdout() -> None:
    """Let structlog write to stderr, from `info` on, if the calling program has not configured it.

    By default it writes every level to stdout, which belongs to the calling program.
    """
    if not structlog.is_configured():
        structlog.configure(
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
