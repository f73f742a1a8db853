"""What goes wrong in PostgreSQL, as sentences: of a person's words, not of the library's.

The codes are those of https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from adbc_driver_manager import Error

from exporter.errors import LoadError
from exporter.load.postgresql.address import Address

_PRIMARY = b"PG_DIAG_MESSAGE_PRIMARY"
_PASSWORDS = (
    "password authentication failed",
    "no password supplied",
    "SASL authentication failed",
)
_ACCESS = (
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "authentication failed",
    "does not exist",
    "is not permitted to log in",
    "permission denied for database",
)
_TLS = ("SSL error", "SSL was required", "certificate")
_USAGE = ("invalid connection option", "invalid ", "definition of service", "service file")

_ADVICE = {
    "53100": "its disk is full; free some space there, and run again",
    "53200": "it is out of memory; run again when it has less to do, or raise its limits",
    "53400": "it has reached a limit of its configuration; raise that, and run again",
    "25006": "it is read-only (a standby?); name the primary server in --to",
    "55P03": "another session holds a lock on what the load needs; end it, and run again",
    "42P07": "a name that it needs is taken; rename that table, or name another schema",
    "2BP01": "something of a user's depends on a partition; drop that, or base it on the table",
    "23505": "two rows have the same key; `registry-exporter verify` tells what is wrong with them",
    "57014": "a statement took too long, or somebody ended it; run again when there is less to do",
}
_LOST = ("08", "57P01", "57P02", "57P03", "57P05")


def failure(error: Error, address: Address, doing: str, *, lost: bool) -> LoadError:
    """Return the sentence about an error of a statement; `doing` is a clause that it failed to do.

    `lost` says that the connection is gone.
    """
    code = error.sqlstate or ""
    said = address.without_secrets(_primary(error))
    if lost or code.startswith(_LOST):
        return LoadError(
            f"{address.name} ended the connection while the load was to {doing}, so nothing of it "
            f"is there ({said}); check that the server runs, and run again."
        )
    if code == "42501":
        return LoadError(
            f"{address.name} does not let this user {doing} ({said}); have the right granted, or "
            "the schema and its tables given to this user, and run again."
        )
    advice = _ADVICE.get(code)
    if advice:
        return LoadError(f"{address.name} could not {doing}: {advice} ({said}).")
    where = f", SQLSTATE {code}" if code else ""
    return LoadError(
        f"{address.name} could not {doing} ({said}{where}): its log tells more; mend "
        "that, and run again."
    )


def lost_at_commit(address: Address) -> LoadError:
    """Return the sentence about a connection that was lost before the answer to a commit."""
    return LoadError(
        f"{address.name} ended the connection during the commit, so the snapshot is there whole or "
        "not at all: check that the server runs, and run again."
    )


def unreachable(error: Error, address: Address) -> LoadError:
    """Return the sentence about a connection that could not be made."""
    # libpq has no codes for these. Those of the server may be in another language.
    said = address.without_secrets(" ".join(_primary(error).split()))
    said = said.removeprefix("[libpq] Failed to connect: ")
    if any(one in said for one in _PASSWORDS):
        reason = "refuses the user or the password"
        advice = "set PGPASSWORD or ~/.pgpass, or correct the URL"
    elif "too many" in said or "remaining connection slots" in said:
        reason, advice = "has no connection left", "run again when it has fewer clients"
    elif said.startswith(_USAGE):
        reason, advice = "cannot be connected to", "correct the parameters of the URL"
    elif any(one in said for one in _TLS):
        reason, advice = "cannot be reached by TLS", "correct sslmode and sslrootcert in the URL"
    elif any(one in said for one in _ACCESS):
        reason, advice = "refuses the connection", "correct the URL, or have the access granted"
    else:
        reason, advice = "does not answer", "check that the server runs, and its host and port"
    return LoadError(f"{address.name} {reason} ({said}); {advice}, and run again.")


def _primary(error: Error) -> str:
    """Return what the server said, without the rows and statements that it may quote."""
    details: dict[object, bytes] = dict(error.details or ())  # The names are bytes or texts.
    if said := details.get(_PRIMARY):
        return said.decode(errors="replace")
    text = str(error).partition(": ")[2] or str(error)
    return " ".join(text.partition("Query was")[0].split())
