"""Messages for errors of an Iceberg catalog, of the libraries behind it, and of its storage.

Pyiceberg lets the errors of its libraries through, so they are told apart by the names of their
types. Their texts are quoted last, and without any value of the catalog's options that may be
secret.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyiceberg.exceptions import CommitFailedException, ValidationException

from exporter.errors import ExporterError, LoadError
from exporter.load.lake import ChangedError
from exporter.sql.engine import first_line
from exporter.storage.os_errors import known

_PLAIN = frozenset({"type", "warehouse", "py-catalog-impl", "py-io-impl"})
"""Options whose values are no secrets, whatever they hold."""
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)|(?<=//)[^/\s]*:[^/\s]*(?=@)")
_DOWN = frozenset(
    {
        "ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "SSLError", "ProxyError",
        "EndpointConnectionError", "ConnectTimeoutError", "OperationalError", "InterfaceError",
        "ServiceUnavailableError", "ServerError", "TTransportException",
    }
)  # fmt: skip
_REFUSED = frozenset(
    {
        "UnauthorizedError", "AuthorizationExpiredError", "OAuthError", "SignError",
        "NoCredentialsError", "PartialCredentialsError",
    }
)  # fmt: skip
_FORBIDDEN = frozenset({"ForbiddenError", "AccessDeniedException"})
_CONFLICTS = (CommitFailedException, ValidationException)


@contextmanager
def catalog_errors(doing: str, name: str, options: Mapping[str, str]) -> Iterator[None]:
    """Turn any error into a `LoadError`; `doing` completes "Cannot", and `name` follows it.

    A commit that lost against another one becomes `ChangedError`. Errors of this program pass.
    """
    try:
        yield
    except (ExporterError, ChangedError):
        raise
    except _CONFLICTS:
        raise ChangedError from None
    except Exception as error:  # noqa: BLE001 - each catalog has libraries of its own
        reason = reason_of(error, options)
        raise LoadError(f"Cannot {doing} {name}: {reason}.") from None


def reason_of(error: Exception, options: Mapping[str, str]) -> str:
    """Return the reason of an error, and what to do, as a clause."""
    names = {one.__name__ for one in type(error).__mro__}
    text = without_secrets(first_line(error).rstrip("."), options)
    if isinstance(error, OSError) and known(error, "load.to"):
        return known(error, "load.to")
    for mark, code in (("No space left", errno.ENOSPC), ("Permission denied", errno.EACCES)):
        if mark in text:
            return known(OSError(code, mark), "load.to")
    causes = (
        (
            "locked" in text and "OperationalError" in names,
            "its database is locked by another program; let it finish, and run again",
        ),
        (
            names & _REFUSED or "authentication failed" in text,
            "the catalog does not accept the credentials; check those in load.iceberg",
        ),
        (
            names & _FORBIDDEN or "permission denied" in text,
            "the right is missing; let these credentials create and write tables there",
        ),
        (
            names & _DOWN,
            f"the catalog does not answer ({text}); check uri in load.iceberg, and the network",
        ),
        (
            "AWS Error" in text,
            f"the storage of its files refuses ({text}); check the s3 options in load.iceberg",
        ),
        (
            names & {"CommitStateUnknownException"},
            "the catalog did not say whether the commit was made; run again",
        ),
        (
            names & {"NotInstalledError", "ModuleNotFoundError"},
            f"a package for this kind of catalog is not installed ({text}); install it",
        ),
    )
    return next((sentence for holds, sentence in causes if holds), text or type(error).__name__)


def without_secrets(text: str, options: Mapping[str, str]) -> str:
    """Return a text without what may be secret in a catalog's options, and without passwords."""
    for key, value in options.items():
        if key not in _PLAIN and not key.endswith(("endpoint", "region")) and len(value) > 2:
            text = text.replace(value, "…")
    return _PASSWORD.sub("…", text)
