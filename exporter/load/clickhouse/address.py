"""Where a ClickHouse server is, and who asks: what a URL, the environment and defaults say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from exporter.errors import SettingsError

_TLS_PORTS = (443, 8443)
_FILES = ("ca_cert", "client_cert", "client_cert_key")
_SECONDS = ("connect_timeout", "send_receive_timeout")
_PARAMETERS = ("secure", "verify", *_FILES, *_SECONDS)
_YES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
STATEMENT_SECONDS = 300
"""How long the server may say nothing while a statement runs, unless the URL says otherwise."""


@dataclass(frozen=True)
class Address:
    """A server, as `clickhouse://user@host:port/database?secure=true` names it.

    `options` are those of `clickhouse_connect.get_client`. The password is in no text of it.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str | None
    secure: bool
    options: dict[str, Any] = field(default_factory=dict)


def parse_address(url: str) -> Address:
    """Read a URL; where it has no user or password, CLICKHOUSE_USER and CLICKHOUSE_PASSWORD count.

    TLS is used with `secure=true`, and on the ports 443 and 8443. Raises `SettingsError`, which
    quotes nothing of the URL, for it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _wrong("cannot be read: write clickhouse://user@host:port/database") from None
    if not host:
        raise _wrong("names no host: write clickhouse://user@host:port/database")
    told = dict(parse_qsl(parts.query, keep_blank_values=True))
    if set(told) - set(_PARAMETERS):
        raise _wrong(f"has a parameter that is not known; those are {', '.join(_PARAMETERS)}")
    options: dict[str, Any] = {name: told[name] for name in _FILES if name in told}
    options["verify"] = _flag(told, "verify", default=True)
    for name in _SECONDS:
        if name in told:
            if not told[name].isdecimal() or not int(told[name]):
                raise _wrong(f"has a parameter {name} that is no number of seconds")
            options[name] = int(told[name])
    secure = _flag(told, "secure", default=port in _TLS_PORTS)
    user, password = parts.username, parts.password
    return Address(
        host,
        port or (8443 if secure else 8123),
        unquote(user) if user else os.environ.get("CLICKHOUSE_USER", "default"),
        unquote(password) if password is not None else os.environ.get("CLICKHOUSE_PASSWORD", ""),
        unquote(parts.path.strip("/")) or None,
        secure,
        {"connect_timeout": 10, "send_receive_timeout": STATEMENT_SECONDS} | options,
    )


def _flag(told: dict[str, str], name: str, *, default: bool) -> bool:
    try:
        return _YES[told[name].lower()] if name in told else default
    except KeyError:
        raise _wrong(f"has a parameter {name} that is neither true nor false") from None


def _wrong(what: str) -> SettingsError:
    return SettingsError(f"load.to {what}.")
