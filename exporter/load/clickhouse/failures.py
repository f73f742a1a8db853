"""The sentences about what fails on a ClickHouse server."""

from __future__ import annotations

import re

from exporter.wording import option

# ClickHouse's own numbers, which its ErrorCodes.cpp lists.
_ACCESS = {192, 193, 194, 516}
_RIGHTS = {164, 291, 497}
_UNKNOWN_DATABASE = 81
_MEMORY = 241
_SPACE = 243
_LONGEST = 400


def code_of(error: BaseException | None) -> int | None:
    """Return ClickHouse's number of an error; None if the server has not said one."""
    code = getattr(error, "code", None)
    if code is None and (found := re.search(r"server response: Code: (\d+)", str(error))):
        code = found[1]  # Old servers say it in the text alone.
    return int(code) if code is not None else None


def sentence(error: Exception, server: str, done: str) -> str:
    """Return what happened to `server`, which cannot be `done`, and what to do."""
    code, said = code_of(error), _reason(error)
    cannot = f"{server} cannot be {done}"
    if code is None:
        return (
            f"{server} cannot be reached ({said}): check that the server runs, that host and port "
            "are those of its HTTP interface, and whether it needs secure=true; then run again."
        )
    if code in _ACCESS:
        return (
            f"{server} refuses this user or password: check the user in {option('to')}, and set "
            "the password in CLICKHOUSE_PASSWORD, or in the settings by ${NAME}."
        )
    if code in _RIGHTS:
        text = f"{cannot}, because the user lacks a right ({said}): grant it, and run again."
    elif code == _UNKNOWN_DATABASE:
        text = f"{cannot} ({said}): name a database that is there in {option('to')}."
    elif code == _SPACE or "No space left" in said:
        text = f"{cannot}, because the server's disk is full: free some space and run again."
    elif code == _MEMORY:
        text = f"{cannot} in the memory that the server allows ({said}): raise its limit."
    else:
        text = f"{cannot} ({said}): the server's log tells more."
    return text


def _reason(error: BaseException) -> str:
    """Return what went wrong: the server's own words, or those of the system for a connection."""
    if code_of(error) is not None:
        said = " ".join((str(error).partition("DB::Exception:")[2] or str(error)).split())
        said = re.sub(r"\s*\(version [^)]*\)*$", "", _without_url(said)).rstrip(". ")
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    found = None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            found = cause.strerror
        inner = getattr(cause, "reason", None)
        cause = inner if isinstance(inner, BaseException) else cause.__cause__ or cause.__context__
    return found or _without_url(" ".join(str(error).split()))[:_LONGEST]


def _without_url(said: str) -> str:
    return re.sub(r"\s*\(for url [^)]*\)$", "", said)
