"""Tasks of Spark jobs that return plain data to the driver, each once, however often Spark ran it.

A result reaches the driver when its task ends, by an accumulator: Spark counts the updates of a
task once, whether it was retried or run twice at the same time, and keeps them if another task
fails the job.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import uuid4

import structlog
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext
from pyspark.accumulators import AccumulatorParam
from pyspark.errors import PySparkException

from exporter import errors
from exporter.errors import ExporterError
from exporter.threads import Stop

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R")

_FAILED_TASK = re.compile(r"Task (\d+) in stage \S+ failed (\d+) times")
"""How Spark names the task for which it gives up a job, and how often it has run it."""
_TOLD = re.compile(r"exporter\.errors\.(\w+): (.+)")
"""An error of this program in the traceback of a task."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What the tasks of a job came to: results and the tries of failed tasks, by task."""

    results: dict[int, R]
    failed: dict[int, int]

    def refuse_failed(self) -> None:
        """Raise `ExporterError` if a task failed for good."""
        if self.failed:
            raise ExporterError(
                f"A Spark task failed {max(self.failed.values())} times, and nothing is published: "
                "see the log of its executor, and run again."
            )


class Jobs:
    """The jobs of one run, as a group of Spark's: `cancel` ends the one that runs, in any thread.

    `name` is what the UI shows. Call `begin` in the thread that the jobs are started from.
    """

    def __init__(self, context: SparkContext, name: str) -> None:
        self._context = context
        self._name = name
        self._group = f"registry-exporter-{uuid4().hex}"

    def begin(self) -> None:
        """Let this thread's jobs belong to the group from now on."""
        self._context.setJobGroup(self._group, self._name, interruptOnCancel=True)

    def cancel(self) -> None:
        """End what runs."""
        self._context.cancelJobGroup(self._group)

    def run(
        self,
        do: Callable[[T], R],
        tasks: Sequence[T],
        on_result: Callable[[R], None] = lambda _: None,
    ) -> Outcome[R]:
        """Run `do` for each of `tasks` on the executors; both are pickled on their way.

        `on_result` is called with each result as it comes, in some thread. A task that fails as
        often as Spark allows (`spark.task.maxFailures`) is given up, and the others go on. An error
        of `exporter.errors` in a task ends all of them, and is raised here with its text. Raises
        `ExporterError` if Spark itself fails, or if the job is cancelled.
        """
        outcome: Outcome[R] = Outcome({}, {})

        def take(number: int, result: R) -> None:
            if number not in outcome.results:
                outcome.results[number] = result
                on_result(result)

        while left := [
            number
            for number in range(len(tasks))
            if number not in outcome.results and number not in outcome.failed
        ]:
            arriving = Arriving(take, self.cancel)
            told = self._context.accumulator([], arriving)
            numbered = [(number, tasks[number]) for number in left]
            try:
                self._context.parallelize(numbered, len(left)).foreach(partial(_run, do, told))
            except Py4JJavaError as error:
                arriving.raise_ended()
                place, tries = _given_up(error)
                outcome.failed[left[place]] = tries
            except Py4JError as error:
                raise lost_spark(error) from error
            arriving.raise_ended()
        return outcome


class Arriving(AccumulatorParam[list[Any]]):
    """Adds up lists of what tasks tell; on the driver, it hands over what comes.

    It does so to `take`, with the task's number and its result, or calls `cancel` for an error.
    """

    def __init__(
        self,
        take: Callable[[int, Any], None] | None = None,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        self._take, self._cancel = take, cancel
        self._ended: Ended | None = None

    def __reduce__(self) -> tuple[type[Arriving], tuple[()]]:
        """Leave on the driver what belongs there."""
        return Arriving, ()

    def zero(self, value: list[Any]) -> list[Any]:
        """Return the empty list."""
        return []

    def addInPlace(self, value1: list[Any], value2: list[Any]) -> list[Any]:  # noqa: N802 - Spark's
        """Add what one task tells."""
        if self._take is None:
            return value1 + value2
        for number, result in value2:
            if isinstance(result, Ended):
                self._ended = result
                # The others would only find out the same, each after its own waiting.
                self._cancel()
            else:
                self._take(number, result)
        return value1

    def raise_ended(self) -> None:
        """Raise the error that a task told, if one did."""
        if self._ended is not None:
            raise self._ended.again()


@dataclass(frozen=True)
class Ended:
    """An error of `exporter.errors` that a task ended with: its class, and its text.

    Not every one of them can be pickled.
    """

    kind: str
    text: str

    @classmethod
    def by(cls, error: ExporterError) -> Ended:
        """Return what is left of an error on its way."""
        return cls(type(error).__name__, str(error.args[0]) if error.args else str(error))

    def again(self) -> ExporterError:
        """Return the error, with its class and its text alone."""
        kind = getattr(errors, self.kind, ExporterError)
        error: ExporterError = kind.__new__(kind, self.text)
        return error


def _run(do: Callable[[T], R], told: Any, numbered: tuple[int, T]) -> None:
    """Run one task, and tell the driver; in an executor."""
    number, task = numbered
    try:
        told.add([(number, do(task))])
    except ExporterError as error:
        # Raised, it would make Spark run the task again.
        told.add([(number, Ended.by(error))])


def _given_up(error: Py4JJavaError) -> tuple[int, int]:
    """Return the place of the task that made Spark give up a job, and how often it was run."""
    text = reason_of(error)
    found = _FAILED_TASK.search(text)
    if found is None:
        raise lost_spark(error) from error
    number, tries = int(found[1]), int(found[2])
    log.warning("task_failed", task=number, tries=tries, reason=text.partition("\n")[0])
    return number, tries


@contextmanager
def explained(stop: Stop) -> Iterator[None]:
    """Turn an error of Spark into one of `exporter.errors`, that of its task if it is one of those.

    After `stop`, it raises `StoppedError`: Spark was told to end what ran.
    """
    try:
        yield
    except (Py4JError, PySparkException, ExporterError) as error:
        stop.check()
        if isinstance(error, ExporterError):
            raise
        told = _TOLD.search(str(error))
        raise lost_spark(error) if told is None else Ended(told[1], told[2]).again() from error


def reason_of(error: Exception) -> str:
    """Return what Spark says of a failure."""
    if isinstance(error, Py4JJavaError):
        return str(error.java_exception.getMessage())
    return str(error)


def lost_spark(error: Exception) -> ExporterError:
    """Return the error of a run that Spark has ended."""
    first = reason_of(error).partition("\n")[0].rstrip(".:")
    return ExporterError(
        f"Spark has ended the run, and nothing is published: {first}; look into the log of Spark, "
        "and run again."
    )
