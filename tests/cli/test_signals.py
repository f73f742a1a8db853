"""Signals inside the process: the first cancels, the second leaves, and so does the deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from exporter.cli.process import signals
from exporter.cli.process.signals import Signals


class Left(BaseException):
    """The process would be gone."""


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []

    def leave(code: int) -> NoReturn:
        codes.append(code)
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    return codes


async def _wait_forever() -> None:
    await asyncio.Event().wait()


def test_the_first_signal_cancels_the_run_and_the_handlers_come_back(left: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def run() -> None:
        task = asyncio.create_task(_wait_forever())
        watching.cancel_at_signal(task)
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    with Signals(lambda: "Try again.") as watching, pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert watching.exit_code == 143
    assert watching.message == "Stopped by SIGTERM. Try again."
    assert left == []
    assert signal.getsignal(signal.SIGTERM) == before
    # The deadline's thread is gone with the block, so that nothing ends the process later.
    assert not [
        one
        for one in threading.enumerate()
        if isinstance(one, threading.Timer) and not one.finished.is_set()
    ]


def test_a_signal_before_there_is_a_run_interrupts_what_is_done(left: list[int]) -> None:
    with Signals() as watching, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert watching.exit_code == 130
    assert left == []


def test_a_second_signal_leaves_at_once(left: list[int], capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        watching.cancel_at_signal(asyncio.create_task(_wait_forever()))
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        await _wait_forever()

    with Signals() as watching, pytest.raises(Left):
        asyncio.run(run())
    assert left == [130]
    assert "The staged data is kept" in capfd.readouterr().err


def test_a_run_that_does_not_end_in_time_is_left(
    left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "GRACE", 0.01)
    gone = threading.Event()
    # The deadline's thread ends by the exception that stands for the end of the process.
    monkeypatch.setattr(threading, "excepthook", lambda _: gone.set())

    async def run() -> None:
        watching.cancel_at_signal(asyncio.create_task(_wait_forever()))
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.to_thread(gone.wait, 100)

    with Signals() as watching:
        asyncio.run(run())
    assert left == [143]


STUBBORN = """
import time
from exporter.cli.process import signals
signals.UNWINDING = 0.05
signals.end_at_signals()
signals.unwind_at_signals()
print("ready", flush=True)
while True:
    try:
        time.sleep(60)
    except SystemExit:
        pass
"""


def test_a_command_ends_though_what_its_handler_raises_is_lost() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 130


BUSY = """
import hashlib, pathlib
from exporter.cli.process import signals
from exporter.snapshots.files import temporary_folder
signals.UNWINDING = 0.05
signals.end_at_signals()
signals.unwind_at_signals()
with temporary_folder() as folder:
    (pathlib.Path(folder) / "spilled").touch()
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""
"""One step of Python's that takes an hour: no handler gets its turn, as in a query of DuckDB's."""


def test_a_command_in_a_long_step_ends_says_so_and_removes_its_files(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 143
        assert process.stderr.read() == b"registry-exporter: Stopped by SIGTERM.\n"
    assert not list(tmp_path.iterdir())


def test_a_command_that_is_starting_leaves_at_once_and_says_so_once() -> None:
    # As an import would that takes any exception for one of its own.
    starting = STUBBORN.replace("signals.unwind_at_signals()", "signals.UNWINDING = 3600")
    with subprocess.Popen(
        [sys.executable, "-c", starting], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 143
        assert process.stderr.read() == b"registry-exporter: Stopped by SIGTERM.\n"


def test_a_command_that_ends_in_spite_of_a_signal_has_its_exit_code() -> None:
    swallowing = "import os, signal, exporter.cli.app as app\n"
    swallowing += "from exporter.cli.process.signals import unwind_at_signals\n"
    swallowing += "class Lost:\n    def __del__(self): os.kill(os.getpid(), signal.SIGINT)\n"
    swallowing += "def run(**_): unwind_at_signals(); Lost()\n"
    swallowing += "app.app = run; app.main()"
    done = subprocess.run([sys.executable, "-c", swallowing], capture_output=True, check=False)
    assert done.returncode == 130, done.stderr


def test_below_nohup_a_hangup_does_not_end_a_command() -> None:
    code = "from exporter.cli.process import signals; signals.end_at_signals(); import os, signal\n"
    code += "os.kill(os.getpid(), signal.SIGHUP); print('still here')"
    line = ["nohup", sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "still here\n")
