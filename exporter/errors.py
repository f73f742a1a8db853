"""Every error the program raises on purpose, as one tree, with the exit code of each branch.

    ExporterError                  1   the run failed, nothing was published
     ├─ SettingsError              2   a setting or a flag that cannot be used
     ├─ CredentialsError           4   no token: none is named, given out, or accepted
     │   └─ UnansweredError            who gives tokens does not answer
     ├─ OutageError                1   a host has not answered for longer than is waited for
     ├─ OutputError                5   the output cannot be written or read
     │   ├─ IntegrityError         1   a published snapshot is not what its manifest says
     │   │   └─ LostStagingError       what an earlier run staged cannot be used any more
     │   └─ NoConditionsError          a bucket's service knows no conditional writes
     ├─ LockedError               11   another run holds the output
     ├─ PageError                  1   a body that is not the page it should be
     ├─ ApiError                   1   a call that cannot be mended by asking again
     │   ├─ AnswerError                an answer that is not what the API promises
     │   ├─ StatusError                an HTTP status, with the google.rpc code behind it
     │   └─ UnreachableError           no answer at all: refused, reset, timed out
     ├─ IncompleteError            1   the result is partial and `output.on_partial` is `fail`
     ├─ ImplausibleError           6   the result is too small to be believed
     ├─ ScopeError                 1   nothing is found of what `scope` names
     └─ DeniedError                4   every listing was denied

A command that ends without an error may still end with 3, `PARTIAL_EXIT_CODE`.

An error's text is one sentence that says what happened, to which scope, and what to do;
it never holds a token, a key or a JWT.
"""

from __future__ import annotations

from typing import Any

PARTIAL_EXIT_CODE = 3
"""What a command ends with whose snapshot, or plan, lacks listings that could not be read."""


class ExporterError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command ends with."""

    exit_code: int = 1


class SettingsError(ExporterError):
    """A setting or a flag that cannot be used; the text names the key and, in a file, the line."""

    exit_code = 2


class CredentialsError(ExporterError):
    """No token could be had, for whatever reason, or the cloud does not accept it.

    It is of the whole run, and no `ApiError`: no listing is denied, or gone, for want of a token.
    It is made of a clause without a full stop (`clause`); its text is that as a sentence.
    """

    exit_code = 4

    @property
    def clause(self) -> str:
        """What happened and what to do, to be put into another sentence."""
        return super().__str__()

    def __str__(self) -> str:
        """Return the clause as a sentence; a name that it begins with keeps its letters."""
        text = self.clause.removesuffix(".")
        articles = ("the ", "no ", "a ", "an ")
        return f"{text[:1].upper() + text[1:] if text.startswith(articles) else text}."


class UnansweredError(CredentialsError):
    """Who gives tokens did not answer, or only that it cannot: asking later may help.

    `host` is that service, `message` a clause about what went wrong, `connected` whether a
    connection was made, `http_status` what it answered, or 0, and `put_off` whether that only said
    that this is not the time to ask, until `retry_after` seconds from then, if it said so.
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
    """No call to a host was answered for longer than the run waits for that.

    It is of the whole run, and no `ApiError`: nothing is denied, or gone, because a network is
    down. `since` is when that began, as a text, `seconds` how long it has lasted, `reason` a clause
    about the last failure, `setting` whether `limits.outage` is what bounds the waiting, and
    `refused` whether answers came that put every call off (429).
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
        """Say that the next run goes on with what this one has staged."""
        self.args = (f"{str(self).removesuffix('.')}: it goes on with what was listed.",)


class OutputError(ExporterError):
    """The output or the staging area cannot be written or read."""

    exit_code = 5


class IntegrityError(OutputError):
    """A published snapshot differs from its manifest; the text says in what."""

    exit_code = 1


class LostStagingError(IntegrityError):
    """What an earlier run staged is gone or damaged: the snapshot has to be started over.

    A run that resumes discards it and starts over by itself.
    """


class NoConditionsError(OutputError):
    """The bucket's service knows no conditional writes, by which one run would hold it."""


class LockedError(ExporterError):
    """Another live run holds the output; the text names its host, process and start."""

    exit_code = 11


class IncompleteError(ExporterError):
    """The result is partial, and the settings say that a partial result is not published."""


class ImplausibleError(ExporterError):
    """The result has no images, or far fewer than the one before, so it was not published.

    It is kept in staging; the text has both numbers, and says how it is published all the same.
    """

    exit_code = 6


class ScopeError(ExporterError):
    """Nothing of what `scope` names was found; the text names it."""


class DeniedError(ExporterError):
    """Nothing could be listed, for every listing was denied to these credentials."""

    exit_code = 4


class PageError(ExporterError):
    """A body that is not the page it should be; the text says in what, without quoting it.

    Raised where a page is decoded; the client takes it for a passing fault and asks again.
    """


class FlawedPageError(PageError):
    """A page with something on it that cannot be read; `page` is the page without that.

    Asking again may bring it. Where it does not, the client takes `page` as it is.
    """

    def __init__(self, message: str, page: Any) -> None:
        super().__init__(message)
        self.page = page


class ApiError(ExporterError):
    """A call to the API that failed for good.

    `call` is the request line without its token, `scope` is what was being listed in a
    person's words, `reason` all but the scope, `request_id` the answer's `x-request-id` where
    one came, `calls` how many requests were sent for it, retries among them. A page of fewer items
    may be answered where `shorter_page_may_do`.
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
    """An answer arrived, and it is not what the API promises: no JSON, no such key, a loop."""


class UnreachableError(ApiError):
    """No whole answer arrived: connection refused or reset, body cut short, timeout."""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"


def is_not_found(error: ApiError) -> bool:
    """Say whether the API itself says that there is no such thing: a gateway's 404 does not."""
    return isinstance(error, StatusError) and (error.http_status, error.code) == (404, "NOT_FOUND")


_REFUSING = frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"})
"""The codes that google.rpc maps to a 400."""


def is_refused(error: ApiError) -> bool:
    """Say whether a call's arguments are refused: its order, its page token or a name in it.

    The API's own code says so, whatever the number; without one, a 400 does.
    """
    return isinstance(error, StatusError) and (
        error.code in _REFUSING or (not error.code and error.http_status == 400)
    )


def is_denied(error: ApiError) -> bool:
    """Say whether the API itself says that this is not ours to read: a gateway's 403 does not."""
    return isinstance(error, StatusError) and error.code in ("PERMISSION_DENIED", "UNAUTHENTICATED")


class StatusError(ApiError):
    """The API answered with an HTTP error status.

    `http_status` is the status, `code` the gRPC name behind it, for
    example `PERMISSION_DENIED`; empty where a gateway answered without one.
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
