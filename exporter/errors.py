"""Every error the program raises on purpose, as one tree, with the exit code of each branch.

    ExporterError                  1   the run failed, nothing was published
     ├─ SettingsError              2   a setting or a flag that cannot be used
     ├─ QueryError                 2   SQL that writes, is wrong or fails
     ├─ CredentialsError           4   no token: none is set, available or accepted
     │   └─ UnansweredError            the token service does not answer
     ├─ OutageError                1   a host has not answered within `limits.outage`
     ├─ UnreadableError            1   the output that a question is asked of cannot be read
     ├─ OutputError                5   the output cannot be written or read
     │   ├─ AnswerFileError            the file for an answer cannot be written
     │   ├─ IntegrityError         1   a published snapshot differs from its manifest
     │   │   └─ LostStagingError       an earlier run's staging is unusable
     │   └─ NoConditionsError          a bucket's service has no conditional writes
     ├─ LoadError                  7   a warehouse could not be loaded
     ├─ LockedError               11   another run holds the output, or another load the warehouse
     ├─ PageError                  1   a body that is not a valid page
     ├─ ApiError                   1   a call that failed for good
     │   ├─ AnswerError                an answer that is not what the API promises
     │   ├─ StatusError                an HTTP status, with the google.rpc code behind it
     │   └─ UnreachableError           no answer at all: refused, reset, timed out
     ├─ IncompleteError            1   the result is partial and `output.on_partial` is `fail`
     ├─ ImplausibleError           6   the result is implausibly small
     ├─ ScopeError                 1   nothing that `scope` names was found
     └─ DeniedError                4   every listing was denied

A command that ends without an error may still end with 3, `PARTIAL_EXIT_CODE`.

An error's text is one sentence that says what happened, to which scope, and what to do;
it never contains a token, a key or a JWT.
"""

from __future__ import annotations

from typing import Any

PARTIAL_EXIT_CODE = 3
"""The exit code of a command whose snapshot or plan lacks listings that could not be read."""


class ExporterError(Exception):
    """Base of all errors raised on purpose; `exit_code` is that of the command."""

    exit_code: int = 1


class SettingsError(ExporterError):
    """A setting or a flag that cannot be used; the text names the key and, in a file, the line."""

    exit_code = 2


class QueryError(ExporterError):
    """SQL that writes, is wrong or fails, or a question that does not exist or lacks a value."""

    exit_code = 2


class CredentialsError(ExporterError):
    """No token is available, for any reason, or the cloud does not accept it.

    It ends the whole run, and is no `ApiError`: a missing token does not make a listing denied or
    vanished. It is made from a clause without a full stop (`clause`); its text is that clause as a
    sentence.
    """

    exit_code = 4

    @property
    def clause(self) -> str:
        """The cause and the remedy, to put into another sentence."""
        return super().__str__()

    def __str__(self) -> str:
        """Return the clause as a sentence; a name at its beginning keeps its case."""
        text = self.clause.removesuffix(".")
        articles = ("the ", "no ", "a ", "an ")
        return f"{text[:1].upper() + text[1:] if text.startswith(articles) else text}."


class UnansweredError(CredentialsError):
    """The token service did not answer, or only with a temporary error: asking later may help.

    `host` is the service, `message` a clause about the failure, `connected` whether a connection
    was made, `http_status` the status of its answer, or 0. `put_off` is true if the answer only
    said "not now", for `retry_after` seconds, if it said so.
    """

    def __init__(
        self,
        text: str,
        *,
        host: str,
        message: str,
        connected: bool,
        http_status: int,
        put_off: bool,
        retry_after: float | None,
    ) -> None:
        super().__init__(text)
        self.host = host
        self.message = message
        self.connected = connected
        self.http_status = http_status
        self.put_off = put_off
        self.retry_after = retry_after


class OutageError(ExporterError):
    """No call to a host was answered for longer than the run waits.

    It ends the whole run, and is no `ApiError`: a network that is down does not make a listing
    denied or vanished. `since` is its beginning, as a text, `seconds` its duration, `reason` a
    clause about the last failure. `setting` is true if `limits.outage` bounds the waiting,
    `refused` if answers came, but put every call off (429).
    """

    def __init__(
        self, *, host: str, seconds: float, since: str, reason: str, setting: bool, refused: bool
    ) -> None:
        waited = ", and limits.outage lets the run wait no longer" if setting else ""
        how_long = "does not answer" if not refused else "refuses every call"
        if seconds >= 1:
            how_long = "has refused every call" if refused else "has not answered"
            how_long += f" for {_duration(seconds)}"
        check = "the quota of these credentials" if refused else "the network and the address"
        super().__init__(
            f"{host} {how_long}, since {since}{waited} ({reason}); check {check}, and run again."
        )
        self.host = host

    def keeps_staging(self) -> None:
        """Add to the message that the next run resumes this one."""
        self.args = (f"{str(self).removesuffix('.')}: it resumes with what was listed.",)


class OutputError(ExporterError):
    """The output or the staging area cannot be written or read."""

    exit_code = 5


class AnswerFileError(OutputError):
    """The file that an answer goes to cannot be written."""


class UnreadableError(ExporterError):
    """The output that a question is asked of cannot be read."""


class IntegrityError(OutputError):
    """A published snapshot differs from its manifest; the text says in what."""

    exit_code = 1


class LostStagingError(IntegrityError):
    """An earlier run's staging is incomplete or damaged: the snapshot must be started over.

    A run that resumes discards it and starts over by itself.
    """


class NoConditionsError(OutputError):
    """The bucket's service has no conditional writes, which its lock needs."""


class LoadError(ExporterError):
    """A warehouse could not be loaded, or refuses a snapshot; the text names the warehouse.

    What was committed before stays; of the snapshot under way, nothing is there.
    """

    exit_code = 7


class LockedError(ExporterError):
    """Another live run holds the output; the text names its host, process and start.

    Or another process holds the warehouse.
    """

    exit_code = 11


class IncompleteError(ExporterError):
    """The result is partial, and the settings say that a partial result is not published."""


class ImplausibleError(ExporterError):
    """The result has no images, or far fewer than the one before, so it was not published.

    It stays in staging. The text has both numbers, and says how to publish it all the same.
    """

    exit_code = 6


class ScopeError(ExporterError):
    """Nothing of what `scope` names was found; the text names it."""


class DeniedError(ExporterError):
    """Nothing could be listed, because every listing was denied to these credentials."""

    exit_code = 4


class PageError(ExporterError):
    """A body that is not a valid page; the text says why, without quoting it.

    Decoding raises it; the client treats it as a temporary fault and asks again.
    """


class FlawedPageError(PageError):
    """A page with an unreadable value; `page` is the page without it.

    Another attempt may bring the value. If it does not, the client uses `page`.
    """

    def __init__(self, message: str, page: Any) -> None:
        super().__init__(message)
        self.page = page


class ApiError(ExporterError):
    """A call to the API that failed for good.

    `call` is the request line without its token, `scope` names the listing for a person, `reason`
    is the message without the scope, `request_id` is the answer's `x-request-id` if one came,
    `calls` is the number of requests with retries. If `shorter_page_may_do`, fewer items may help.
    """

    shorter_page_may_do = False

    def __init__(
        self,
        message: str,
        *,
        call: str,
        scope: str,
        request_id: str | None = None,
        calls: int = 1,
    ) -> None:
        where = f" (request id {request_id})" if request_id else ""
        self.reason = f"{message}: {call}{where}"
        super().__init__(f"{scope}: {self.reason}")
        self.message = message
        self.call = call
        self.scope = scope
        self.request_id = request_id
        self.calls = calls


class AnswerError(ApiError):
    """An answer arrived that breaks the API's rules: no JSON, a missing key, a loop."""


class UnreachableError(ApiError):
    """No whole answer arrived: connection refused or reset, body cut short, timeout."""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"


def is_not_found(error: ApiError) -> bool:
    """Return whether the API itself says "not found": a gateway's 404 does not count."""
    return isinstance(error, StatusError) and (error.http_status, error.code) == (404, "NOT_FOUND")


_REFUSING = frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"})
"""The codes that google.rpc maps to a 400."""


def is_refused(error: ApiError) -> bool:
    """Return whether a call's arguments are refused: its order, its page token or a name in it.

    The API's own code decides, whatever the status; without a code, a 400 counts.
    """
    return isinstance(error, StatusError) and (
        error.code in _REFUSING or (not error.code and error.http_status == 400)
    )


def is_denied(error: ApiError) -> bool:
    """Return whether the API itself denies access: a gateway's 403 does not count."""
    return isinstance(error, StatusError) and error.code in ("PERMISSION_DENIED", "UNAUTHENTICATED")


class StatusError(ApiError):
    """The API answered with an HTTP error status.

    `http_status` is the status, `code` the gRPC name behind it, for
    example `PERMISSION_DENIED`; empty if a gateway answered without one.
    """

    def __init__(
        self,
        message: str,
        *,
        call: str,
        scope: str,
        http_status: int,
        code: str = "",
        request_id: str | None = None,
        calls: int = 1,
    ) -> None:
        super().__init__(message, call=call, scope=scope, request_id=request_id, calls=calls)
        self.http_status = http_status
        self.code = code
