"""Messages for errors of an object store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError

from exporter.errors import OutputError
from exporter.storage.access import Access

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>")
_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken")
_METADATA = ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "metadata/v1/")
_KEYS = {
    "s3": "output.s3.access_key_id and output.s3.secret_access_key",
    "gs": "output.gs.service_account_key_file",
}


def is_missing(error: Exception) -> bool:
    """Return whether an error means that the object is missing, and not the bucket."""
    return isinstance(error, FileNotFoundError | NotFoundError) and "NoSuchBucket" not in str(error)


def is_refused_condition(error: Exception) -> bool:
    """Return whether an error means that the condition of a write is false."""
    # A store answers 409 to two writes at the same time, which is the library's general error.
    return (
        isinstance(error, AlreadyExistsError | PreconditionError)
        or "ConditionalRequestConflict" in str(error)
        or is_missing(error)
    )


def is_unknown_condition(error: Exception) -> bool:
    """Return whether an error means that the store has no conditional writes."""
    return _status(str(error)) == 501 or _code(str(error)) == "NotImplemented"


@contextmanager
def store_errors(doing: str, scheme: str, access: Access) -> Iterator[None]:
    """Turn an error of a store, or of the local disk, into an `OutputError` with one sentence.

    `doing` completes "Cannot …". The library's own text is not quoted: it is long and may contain
    the signed request.
    """
    try:
        yield
    except BaseError as error:
        raise OutputError(f"Cannot {doing}: {why(str(error), scheme, access)}.") from None
    except FileNotFoundError as error:
        if error.errno is not None:  # An error of a local file.
            raise
        raise OutputError(f"Cannot {doing}: {why(str(error), scheme, access)}.") from None


def why(text: str, scheme: str, access: Access) -> str:
    """Return the reason of an error, and what to do, as a clause.

    `text` is that of the library object_store, which obstore and others use.
    """
    code, status = _code(text), _status(text)
    keys = _KEYS[scheme]
    region, said = _REGION.search(text), _MESSAGE.search(text)
    reason = f"{code}: {said[1].rstrip('.')}" if said and code else code or "without a reason"
    where, right = (f"in {region[1]}", f" to {region[1]}") if region else ("elsewhere", "")
    misplaced = f"the bucket is {where} and not in {access.region}; set output.s3.region{right}"
    rights = "give the key the right to list the bucket and to read and write its objects"
    causes = (
        (
            any(host in text for host in _METADATA),
            f"no credentials are named, and no metadata service gives any; set {keys}",
        ),
        (region or "configured region" in text or "LocationConstraint" in code, misplaced),
        (
            "NoSuchBucket" in text or status == 404,
            "there is no bucket of that name; make one, or name another in output.url",
        ),
        (
            code == "RequestTimeTooSkewed",
            "the service says that this machine's clock is wrong; set it right",
        ),
        (
            code in _WRONG_KEY or status == 401,
            f"the service does not accept the key ({code or 'status 401'}); check {keys}",
        ),
        (status == 403, f"access is denied; {rights}, or check {keys}"),
        (status, f"the service answered with status {status} ({reason})"),
    )
    none = f"{_no_answer(text)}; check output.{scheme}.endpoint, the network and the proxy"
    return next((sentence for holds, sentence in causes if holds), none)


def _no_answer(text: str) -> str:
    for mark, reason in (
        ("dns error", "the name of its service does not resolve"),
        ("UnknownIssuer", "its service's certificate is of an authority that is not trusted"),
        ("CaUsedAsEndEntity", "its service's certificate is an authority's own, not a server's"),
        ("ertificate", "its service's certificate is not valid"),
        ("tunnel", "the proxy does not let the call through"),
        ("Connection refused", "its service refuses connections"),
        ("TimedOut", "its service does not answer"),
        ("kind: Timeout", "its service does not answer"),
    ):
        if mark in text:
            return reason
    return "its service cannot be reached"


def _status(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found[1]) if found else None


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else ""
