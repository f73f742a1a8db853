"""Named questions: the scripts of `sql/query`, whose comments declare what they ask and need.

The comment stands at the top of a script. Its first sentence says what the question
asks, the rest explains the answer's columns. A line `-- $name: type = default -- meaning` declares
a parameter, which is required if it has no default. Of those that are `either type`, one is
required, and the others are null. `-- none: …` says what an empty answer means.
SQL of a person may declare its parameters in the same way.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from exporter.errors import QueryError
from exporter.settings.values import parse_age
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.sandbox import open_query
from exporter.sql.engine import script

_FOLDER = "query"
_PARAMETER = re.compile(
    r"\$(?P<name>\w+): (?P<either>either )?(?P<type>\w+)(?: = (?P<default>\S.*?))? "
    r"-- (?P<meaning>.+)"
)
_NONE = "none: "
_MOST = 2**63 - 1


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _MOST):
        raise ValueError("a whole number of 1 or more is needed")
    return int(text)


def _plain(text: str) -> int | str:
    """Return the value of a parameter that nothing declares: a number if it looks like one."""
    is_number = re.fullmatch(r"-?\d{1,18}", text, re.ASCII)
    return int(text) if is_number else text


def _some_text(text: str) -> str:
    if not text:
        raise ValueError("a text that is not empty is needed")
    return text


TYPES: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {"count": _count, "age": parse_age, "text": _some_text}
)
"""How the value of a parameter of each type is read; each raises `ValueError`."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question: its type is a key of `TYPES`, its default a text or None.

    One of those that are `either` is required.
    """

    name: str
    either: bool
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class Question:
    """SQL with what its comment declares.

    `sentence` says what it asks, `explanation` what its columns mean, `if_none` what an answer
    without rows means; each may be empty.
    """

    sql: str
    sentence: str
    explanation: str
    if_none: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def read(cls, sql: str) -> Question:
        """Return the question that SQL declares in the comment at its top."""
        words: list[str] = []
        parameters: list[Parameter] = []
        if_none = ""
        for line in _comment(sql):
            declared = _PARAMETER.fullmatch(line)
            if declared and declared["type"] in TYPES:
                name, either, type_, default, meaning = declared.groups()
                parameters.append(Parameter(name, bool(either), type_, default, meaning))
            elif line.startswith(_NONE):
                if_none = line.removeprefix(_NONE)
            else:
                words.append(line)
        sentence, stop, explanation = " ".join(words).partition(". ")
        return cls(sql, sentence + stop.rstrip(), explanation, if_none, tuple(parameters))

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of all parameters: as given, or by default.

        Raises `QueryError` for a value that is not of the parameter's type, and for a parameter
        that is required or unknown. SQL that declares none may have any.
        """
        declared = {one.name: one for one in self.parameters}
        if declared and (unknown := sorted(given.keys() - declared.keys())):
            raise QueryError(
                f"There is no parameter {unknown[0]} here: there are {', '.join(declared)}."
            )
        values: dict[str, Any] = {
            name: _plain(text) for name, text in given.items() if name not in declared
        }
        either = [name for name, one in declared.items() if one.either]
        if either and sum(name in given for name in either) != 1:
            raise QueryError(f"One of the parameters {' and '.join(either)} is needed.")
        for name, one in declared.items():
            text = given.get(name, one.default)
            if text is None and one.either:
                values[name] = None
                continue
            if text is None:
                raise QueryError(f"The parameter {name} is needed: {one.meaning}.")
            try:
                values[name] = TYPES[one.type](text)
            except ValueError as error:
                raise QueryError(f"The parameter {name} cannot be {text}: {error}.") from None
        return values


def question_names() -> list[str]:
    """Return the names of the named questions, in the alphabet's order."""
    found = files("exporter.sql").joinpath(_FOLDER).iterdir()
    return sorted(one.name.removesuffix(".sql") for one in found if one.name.endswith(".sql"))


def named_question(name: str) -> Question:
    """Return a named question; raises `QueryError`, with the nearest name, if there is none."""
    names = question_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0)
        raise QueryError(f"There is no question {name}: the nearest is {near[0]}.")
    return Question.read(script(f"{_FOLDER}/{name}"))


@contextmanager
def ask_each(
    snapshots: Sequence[Snapshot], question: Question, values: Mapping[str, Any]
) -> Iterator[pa.RecordBatchReader]:
    """Ask a question of each snapshot by itself; the rows begin with the `snapshot_id`.

    Raises what `open_query` raises, also while rows are read.
    """
    with open_query(snapshots[:1], question.sql, values) as first:
        schema = first.schema.insert(0, pa.field("snapshot_id", pa.string()))

        def marked(rows: pa.RecordBatchReader, snapshot: Snapshot) -> Iterator[pa.RecordBatch]:
            for batch in rows:
                snapshot_id = pa.repeat(snapshot.manifest.snapshot_id, batch.num_rows)
                columns = [snapshot_id, *batch.columns]
                cast = [one.cast(type_) for one, type_ in zip(columns, schema.types, strict=True)]
                yield pa.record_batch(cast, schema=schema)
            snapshot.close()

        def batches() -> Iterator[pa.RecordBatch]:
            yield from marked(first, snapshots[0])
            for one in snapshots[1:]:
                with open_query([one], question.sql, values) as rows:
                    yield from marked(rows, one)

        yield pa.RecordBatchReader.from_batches(schema, batches())


def _comment(sql: str) -> Iterator[str]:
    """Yield the lines of the comment at the top of SQL, without their dashes."""
    for line in sql.lstrip().splitlines():
        if not line.startswith("--"):
            return
        yield line.removeprefix("--").strip()
