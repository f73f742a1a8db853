"""SIGINT, SIGTERM, SIGHUP: they cancel the run, keep the staged data, and end the process in time.

While the program starts, a signal ends it at once. Later, a signal unwinds every command but an
export, and the first signal cancels an export. If the command has not ended in time (a thread may
be in the middle of a large file, or of a query), the process leaves at once, as it does at a second
signal. At whatever moment it leaves, the next run can resume from the staged data.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from exporter.cli.process.messages import write_now
from exporter.leftovers import remove_leftovers

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

GRACE = 3.0
"""Seconds between a signal and the end of an export at the latest."""
UNWINDING = 0.4
"""Seconds between a signal and the end of any other command at the latest."""
HOW_TO_RESUME = "The staged data is kept. To resume, run the same command again, without --fresh."

_SHOW_CURSOR = b"\x1b[?25h"

_unwinds = False
_alarm: int | None = None
_received: int | None = None
_said = False


def end_at_signals() -> None:
    """From now on, let the signals end the process with a message and code 130, 143 or 129."""
    for number in _watched():
        signal.signal(number, _end)


def unwind_at_signals() -> None:
    """From now on, let a signal unwind the command: it may have files to remove.

    Python runs a handler between two of its own steps alone, and a query may be one long step. So
    a thread of its own sees to it that the process ends in time.
    """
    global _alarm, _unwinds  # noqa: PLW0603 - a process has one set of handlers
    _unwinds = True
    if _alarm is None and signal.getsignal(signal.SIGINT) is _end:
        reading, _alarm = os.pipe()
        os.set_blocking(_alarm, False)
        threading.Thread(target=_leave_in_time, args=(reading,), daemon=True).start()
        signal.set_wakeup_fd(_alarm, warn_on_full_buffer=False)


def _leave_in_time(reading: int) -> None:
    """Wait for a signal, whose number the pipe gives; leave if the command has not ended in time.

    Its handler writes the message, unless it never gets its turn.
    """
    watched = _watched()
    while (number := os.read(reading, 1)[0]) not in watched:
        pass
    time.sleep(UNWINDING)
    if not _said:
        write_now(f"Stopped by {signal.Signals(number).name}.", event="export_stopped")
    _leave(number)


def _leave(number: int) -> NoReturn:
    _show_cursor()
    remove_leftovers()
    os._exit(128 + number)


def exit_code_of_signal() -> int | None:
    """Return the exit code of the signal that came, if one did.

    The handler's exception may be lost, and the command may end as if no signal had come.
    """
    return None if _received is None else 128 + _received


def _watched() -> list[signal.Signals]:
    """Return the signals that end a run; not SIGHUP under `nohup`, which ignores it."""
    ends = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ends.append(signal.SIGHUP)
    return ends


def _end(number: int, _frame: FrameType | None) -> None:
    global _received, _said  # noqa: PLW0603 - a process has one set of handlers
    if _received is not None:
        if _said:
            _leave(_received)
        return  # The handler of the first signal, which this one interrupts, writes the message.
    _received = number
    write_now(f"Stopped by {signal.Signals(number).name}.", event="export_stopped")
    _said = True
    # In an event loop, an exception here would also be reported as the failure of its task.
    if not _unwinds or _in_event_loop():
        _leave(number)
    # In the middle of a callback, or of an import that catches every exception, it is lost.
    # Then the thread of `_leave_in_time` ends the process.
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


def _show_cursor(after: bytes = b"") -> None:
    if os.isatty(2):
        with suppress(OSError):
            os.write(2, _SHOW_CURSOR + after)


class Signals:
    """Watches for the signals that end a run inside its `with` block, in the main thread.

    `received` is the signal that came, if one did. The text that `advice` returns follows its name
    in the message to the person; it is called when the message is written.
    """

    def __init__(self, advice: Callable[[], str] = lambda: HOW_TO_RESUME) -> None:
        self._advice = advice
        self.received: signal.Signals | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadline: threading.Timer | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        if _alarm is not None:
            signal.set_wakeup_fd(-1)
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
        if _alarm is not None:
            signal.set_wakeup_fd(_alarm, warn_on_full_buffer=False)
        if self._deadline is not None:
            self._deadline.cancel()

    def cancel_at_signal(self, task: asyncio.Task[Any]) -> None:
        """Cancel this task when a signal comes; the text of the reason is the current `message`."""
        self._task, self._loop = task, task.get_loop()

    @property
    def exit_code(self) -> int:
        """The exit code after a signal: 130, 143 or 129."""
        return 128 + (self.received or signal.SIGINT)

    @property
    def message(self) -> str:
        """What happened, and what to do."""
        name = (self.received or signal.SIGINT).name
        return f"Stopped by {name}. {self._advice()}".rstrip()

    def __str__(self) -> str:
        """Return `message`."""
        return self.message

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            self._leave()
        self.received = signal.Signals(number)
        self._deadline = threading.Timer(GRACE, self._leave)
        self._deadline.daemon = True
        self._deadline.start()
        if self._task is None or self._loop is None:
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._task.cancel, self)

    def _leave(self) -> NoReturn:
        _show_cursor(after=b"\n")
        write_now(self.message, event="export_stopped")
        remove_leftovers()
        os._exit(self.exit_code)
