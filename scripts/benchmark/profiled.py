"""An export that counts the CPU seconds of its steps.

`python -m benchmark.profiled STEPS ARGUMENT...` runs the exporter's own command line in this
process. Work in threads is counted by the thread's own clock where it is submitted, so that steps
at the same time are told apart. STEPS is the file that receives the seconds by step, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

ORDER = ("start-up", "event loop", "decode", "stage", "derive", "publish", "other", "end")
"""The steps in the order of a run; `derive` has each of its scripts after it, `end` is what no step
saw."""

_POOLS = {"decode": "decode", "stage": "stage", "derive": "derive"}
"""The exporter's pools by their threads' names, and the steps that they do."""
_CALLED = {"_conclude": "derive", "publish_all": "publish"}
"""What runs in a thread of the event loop's own pool, by its function's name."""


class Steps:
    """The CPU seconds of each step so far."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, step: str, seconds: float) -> None:
        """Add the seconds that a step took."""
        with self._lock:
            self._seconds[step] = self._seconds.get(step, 0.0) + seconds

    def counted(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the work and adds its thread's CPU seconds."""

        def run(*arguments: Any, **named: Any) -> Any:
            before = time.thread_time()
            try:
                return work(*arguments, **named)
            finally:
                self.add(step, time.thread_time() - before)

        return run

    def all(self) -> dict[str, float]:
        """Return the seconds by step; `other` is what the process took beside them."""
        with self._lock:
            known = dict(self._seconds)
        return {**known, "other": time.process_time() - sum(known.values())}


def count_pools(steps: Steps) -> None:
    """Have every pool count the work that is given to it from now on."""
    submit = ThreadPoolExecutor.submit

    def submit_counted(
        self: ThreadPoolExecutor, work: Callable[..., Any], /, *arguments: Any, **named: Any
    ) -> Future[Any]:
        return submit(self, steps.counted(_step(self, work, arguments), work), *arguments, **named)

    ThreadPoolExecutor.submit = submit_counted  # type: ignore[method-assign]


def _step(pool: ThreadPoolExecutor, work: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    prefix = pool._thread_name_prefix  # noqa: SLF001  (executors do not tell their names otherwise)
    if prefix == "derive":
        return f"derive: {next(each for each in arguments if isinstance(each, str))}"
    if prefix in _POOLS:
        return _POOLS[prefix]
    called = next((_name(each) for each in arguments if _name(each) in _CALLED), _name(work))
    return _CALLED.get(called, "other")


def _name(work: Any) -> str:
    return getattr(getattr(work, "func", work), "__name__", "")


def main() -> None:
    """Run the exporter's command line, and write the steps' seconds as it leaves."""
    report = Path(sys.argv.pop(1))
    steps = Steps()
    count_pools(steps)
    in_loop = asyncio.run

    def run_counted(*arguments: Any, **named: Any) -> Any:
        steps.add("start-up", time.process_time())
        return steps.counted("event loop", in_loop)(*arguments, **named)

    asyncio.run = run_counted
    leave = os._exit

    def report_and_leave(code: int) -> None:
        report.write_text(json.dumps(steps.all()), encoding="utf-8")
        leave(code)

    os._exit = report_and_leave  # type: ignore[assignment]
    from exporter.__main__ import main as export  # noqa: PLC0415  (a part of what is counted)

    export()


if __name__ == "__main__":
    main()
