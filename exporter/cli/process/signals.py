"""SIGINT, SIGTERM, SIGHUP: they cancel the run, keep the staged data, and end the process in time.

All commands but an export just end. The first signal cancels an export. If it has not ended three
seconds later (a thread may be in the middle of a large file), the process leaves at once, as it
does at a second signal. At whatever moment it leaves, the next run can resume from the staged data.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from exporter.cli.process.messages import write_now

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

GRACE = 3.0
"""Seconds between a signal and the end of the process at the latest."""
HOW_TO_RESUME = "The staged data is kept. To resume, run the same command again, without --fresh."

_SHOW_CURSOR = b"\x1b[?25h"


def end_at_signals() -> None:
    """From now on, let the signals end the process with a message and code 130, 143 or 129."""
    for number in _watched():
        signal.signal(number, _end)


def _watched() -> list[signal.Signals]:
    """Return the signals that end a run; not SIGHUP under `nohup`, which ignores it."""
    ends = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ends.append(signal.SIGHUP)
    return ends


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    write_now(f"Stopped by {signal.Signals(number).name}.", event="export_stopped")
    if _in_event_loop():
        # An exception here would also be reported as the failure of the task that runs.
        _show_cursor()
        os._exit(128 + number)
    # An exception of the handler is lost in the middle of a callback, or of an import that
    # catches every exception.
    _at_the_latest(lambda: os._exit(128 + number))
    raise SystemExit(128 + number)


def _in_event_loop() -> bool:
    # No import here: the signal may have interrupted the import of asyncio.
    running = getattr(sys.modules.get("asyncio"), "get_running_loop", None)
    if running is None:
        return False
    try:
        running()
    except RuntimeError:
        return False
    return True


def _at_the_latest(leave: Callable[[], None]) -> threading.Timer:
    deadline = threading.Timer(GRACE, leave)
    deadline.daemon = True
    deadline.start()
    return deadline


def _show_cursor(after: bytes = b"") -> None:
    if os.isatty(2):
        with suppress(OSError):
            os.write(2, _SHOW_CURSOR + after)


class Signals:
    """Watches for the signals that end a run inside its `with` block, in the main thread.

    `received` is the signal that came, if one did. `advice` follows its name in the message to
    the person.
    """

    def __init__(self, advice: str = HOW_TO_RESUME) -> None:
        self._advice = advice
        self.received: signal.Signals | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadline: threading.Timer | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in _watched():
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._deadline is not None:
            self._deadline.cancel()

    def cancel_at_signal(self, task: asyncio.Task[Any]) -> None:
        """Cancel this task when a signal comes, with `message` as the reason."""
        self._task, self._loop = task, task.get_loop()

    @property
    def exit_code(self) -> int:
        """The exit code after a signal: 130, 143 or 129."""
        return 128 + (self.received or signal.SIGINT)

    @property
    def message(self) -> str:
        """What happened, and what to do."""
        name = (self.received or signal.SIGINT).name
        return f"Stopped by {name}. {self._advice}".rstrip()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            self._leave()
        self.received = signal.Signals(number)
        self._deadline = _at_the_latest(self._leave)
        if self._task is None or self._loop is None:
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._task.cancel, self.message)

    def _leave(self) -> NoReturn:
        _show_cursor(after=b"\n")
        write_now(self.message, event="export_stopped")
        os._exit(self.exit_code)
