"""The address of a PostgreSQL database: its URL, read as libpq reads one.

libpq's own errors about a malformed URL quote its password. So the URL is read here, and libpq is
given keywords and values. https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from exporter.errors import SettingsError
from exporter.settings.warehouse import without_password

_URL = re.compile(
    # A password that is filled in as it is may hold any character: it ends at the last @.
    r"postgres(?:ql)?://(?:(?P<user>[^:@/?]*)(?::(?P<password>.*))?@)?"
    r"(?P<hosts>[^@/?]*)(?:/(?P<dbname>[^@/?]*))?(?:\?(?P<parameters>[^@]*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::(\d*))?")
_SECRETS = ("password", "sslpassword", "oauth_client_secret")
_DEFAULTS: Mapping[str, tuple[str, str]] = {
    # Seconds. Without these, a lost network is noticed after hours.
    "connect_timeout": ("10", "PGCONNECT_TIMEOUT"),
    "keepalives_idle": ("60", ""),
    "keepalives_interval": ("10", ""),
    "keepalives_count": ("6", ""),
    "fallback_application_name": ("registry-exporter", ""),
    "client_encoding": ("UTF8", ""),
}
"""Parameters that the URL may set, with the environment variable of libpq that also sets them."""


@dataclass(frozen=True)
class Address:
    """Where a database is.

    Attributes:
        name: The URL without its password and parameters, for messages.
        conninfo: libpq's keywords and values, with the password if the URL has one.
        secrets: Texts that no message may contain.

    """

    name: str
    conninfo: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def without_secrets(self, text: str) -> str:
        """Return a text with `***` in place of each secret."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def parse_address(url: str) -> Address:
    """Read `postgresql://user:password@host:port/database?parameter=value`.

    Each part may be missing, hosts may be several, and parameters are libpq's: then libpq's own
    environment and files apply (`PGPASSWORD`, `~/.pgpass`, `PGSERVICE`). Raises `SettingsError`,
    which does not quote the URL.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise _refusal("it is not postgresql://user@host:port/database")
    given = _parameters(found["parameters"] or "")
    hosts, ports = _hosts(found["hosts"])
    parts = {
        "user": unquote(found["user"] or ""),
        "password": _unquoted(found["password"] or ""),
        "host": hosts,
        "port": ports,
        "dbname": unquote(found["dbname"] or ""),
    }
    values = {name: value for name, value in parts.items() if value} | given
    for name, (value, variable) in _DEFAULTS.items():
        if not os.environ.get(variable):
            values.setdefault(name, value)
    if any("\0" in value for value in values.values()):
        raise _refusal("it contains %00")
    secrets = {values[name] for name in _SECRETS if values.get(name)}
    raw = {found["password"]} if found["password"] else set()
    return Address(
        name=without_password(url),
        conninfo=" ".join(f"{name}={_quoted(value)}" for name, value in values.items()),
        secrets=tuple(sorted(secrets | raw, key=len, reverse=True)),
    )


def _parameters(text: str) -> dict[str, str]:
    values = {}
    for pair in filter(None, text.split("&")):
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[a-z_]+", name):
            raise _refusal("its parameters are not name=value, joined by &")
        values[name] = unquote(value)
    if values.get("ssl") == "true":
        del values["ssl"]
        values["sslmode"] = "require"
    return values


def _hosts(text: str) -> tuple[str, str]:
    """Return the hosts and the ports of `host:port,host:port`, each joined by commas."""
    pairs = [_HOST.fullmatch(one) for one in text.split(",")]
    if not all(pairs):
        raise _refusal("its host and port are not host:port")
    hosts = [unquote(pair[1]).strip("[]") for pair in pairs if pair]
    ports = [pair[2] or "" for pair in pairs if pair]
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _unquoted(password: str) -> str:
    """Return a password without percent-encoding; a lone % stands for itself."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", password):
        return password
    return unquote(password)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _refusal(why: str) -> SettingsError:
    return SettingsError(
        f"The URL of the PostgreSQL warehouse cannot be read: {why}. A password that contains @, / "
        "or % is best given in PGPASSWORD or ~/.pgpass."
    )
