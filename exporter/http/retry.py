"""Retries: how often, after how long, and for which faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from exporter.http.faults import Fault, FaultError, fault_of_reply, fault_of_silence
from exporter.http.reply import Reply
from exporter.http.trouble import NoReplyError

Sleep = Callable[[float], Awaitable[None]]

FIRST_WAIT = 0.2
"""The longest wait before the second attempt, in seconds; it doubles for each further one."""
LONGEST_WAIT = 20.0

_log = structlog.get_logger(__name__)

_backoff = wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)


def retrying(stop: Callable[[RetryCallState], bool], sleep: Sleep, *, what: str) -> AsyncRetrying:
    """Return tenacity's loop for a coroutine function that raises `FaultError`.

    A temporary fault is tried again until `stop` is true after an attempt; then its `FaultError` is
    raised. Waits grow exponentially with full jitter, so that calls that failed together do not
    return together. No wait is shorter than the host's `Retry-After`. `what` names the work in the
    log.
    """

    def note(state: RetryCallState) -> None:
        fault = _fault(state)
        _log.info(
            "retrying",
            scope=what,
            reason=fault.reason,
            attempt=state.attempt_number,
            wait=round(state.upcoming_sleep, 3),
            request_id=fault.request_id,
        )

    return AsyncRetrying(
        sleep=sleep,
        stop=stop,
        wait=lambda state: max(_backoff(state), _fault(state).retry_after or 0.0),
        retry=retry_if_exception(
            lambda error: isinstance(error, FaultError) and error.fault.passing
        ),
        before_sleep=note,
        reraise=True,
    )


async def ask(
    send: Callable[[], Awaitable[Reply]], *, attempts: int, sleep: Sleep, what: str
) -> Reply:
    """Send a request that is no list call (discovery, a token) until a 200 with JSON comes.

    Raises `FaultError` for a permanent fault, or for a temporary one after `attempts`.
    """

    async def attempt() -> Reply:
        fault: Fault | None
        try:
            reply = await send()
            fault = fault_of_reply(reply)
        except NoReplyError as error:
            fault = fault_of_silence(error)
        if fault is not None:
            raise FaultError(fault)
        return reply

    return await retrying(stop_after_attempt(attempts), sleep, what=what)(attempt)


def _fault(state: RetryCallState) -> Fault:
    error = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(error, FaultError):
        raise TypeError("only faults are waited for")
    return error.fault
