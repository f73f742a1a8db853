"""What DuckDB says of SQL that is wrong or fails, as one sentence with a line and a column."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from exporter.errors import ExporterError, OutputError, QueryError

_KIND = re.compile(r"(?:\w+Exception: )?(?P<kind>[A-Z][A-Za-z/ ]*?) Error: (?P<rest>.*)", re.DOTALL)
_PLACE = re.compile(r"^LINE (?P<line>\d+): (?P<text>.*)\n(?P<before> *)\^", re.MULTILINE)
_NO_TABLE = re.compile(r"Table with name (?P<name>.+?) does not exist!?$")
_NO_ACCESS = re.compile(r'Cannot access (?:file|directory) "(?P<name>[^"]*)"')
_NAME = re.compile(r'with name (?P<plain>\S+)|"(?P<quoted>[^"]+)"')
_HINT = re.compile(r"^(Did you mean|Candidate bindings:) (.+)$", re.MULTILINE)
_OF_THE_SQL = {
    "Binder",
    "Catalog",
    "Conversion",
    "Not implemented",
    "Out of Range",
    "Parser",
    "Permission",
    "Syntax",
}
"""Kinds of errors that no file causes."""


@dataclass(frozen=True)
class SqlErrors:
    """The errors of one text of SQL, on the tables of these names."""

    sql: str
    tables: Collection[str]

    @contextmanager
    def translated(self, check_files: Callable[[], None]) -> Iterator[None]:
        """Raise DuckDB's errors in the block as `QueryError`, with a sentence.

        Where a file may be the cause, `check_files` raises what is wrong with the files. A full
        disk is an `OutputError`, too little memory an `ExporterError`.
        """
        import duckdb  # noqa: PLC0415  (its import takes long)

        try:
            yield
        except ExporterError:
            raise
        # Arrow's streams raise OSError and their own errors with DuckDB's text.
        except (duckdb.Error, OSError, RuntimeError, pa.ArrowException) as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise self._translate(error, check_files) from error

    def _translate(self, error: Exception, check_files: Callable[[], None]) -> ExporterError:
        found = _KIND.match(str(error))
        kind, said = (found["kind"], found["rest"]) if found else ("", str(error))
        first = " ".join(said.partition("\n")[0].split()).rstrip(".!")
        if kind == "Out of Memory":
            return ExporterError(
                f"The memory is too small for this SQL: {first}; free memory, or disk space in "
                "TMPDIR, or ask for less at once."
            )
        if kind not in _OF_THE_SQL:
            check_files()
        if kind == "IO":
            return OutputError(
                f"The SQL cannot be run: {first}; check the output and the disk of TMPDIR, and "
                "run again."
            )
        return QueryError(f"The SQL cannot be run{self._place(said)}: {self._reason(said, first)}.")

    def _place(self, said: str) -> str:
        found = _PLACE.search(said)
        if not found:
            return self._place_of_name(said)
        line = int(found["line"])
        column = len(found["before"]) - len(f"LINE {line}: ")
        if found["text"].startswith("..."):
            # DuckDB shows a part of a long line.
            part = found["text"].removeprefix("...").removesuffix("...")
            lines = self.sql.split("\n")
            start = lines[line - 1].find(part) if line <= len(lines) else -1
            if start < 0:
                return f" at line {line}"
            column += start - len("...")
        return f" at line {line}, column {column + 1}"

    def _place_of_name(self, said: str) -> str:
        """Return the place of the name that a message is about, if it is there only once."""
        named = _NAME.search(said)
        if not named:
            return ""
        name = re.escape(named["quoted"] or named["plain"])
        places = list(re.finditer(rf"(?<!\w){name}(?!\w)", self.sql, re.IGNORECASE))
        if len(places) != 1:
            return ""
        before = self.sql[: places[0].start()]
        column = len(before) - (before.rfind("\n") + 1)
        return f" at line {before.count(chr(10)) + 1}, column {column + 1}"

    def _reason(self, said: str, first: str) -> str:
        own = "it can read the snapshot's own tables alone"
        if found := _NO_ACCESS.search(first):
            return f"{own}, and no file such as {found['name']}"
        if found := _NO_TABLE.search(first):
            name = found["name"]
            if re.search(r"[./:\\]", name):
                return f"{own}, and {name} is none"
            near = difflib.get_close_matches(name.casefold(), self.tables, n=1)
            advice = f"the nearest is {near[0]}" if near else f"there are {', '.join(self.tables)}"
            return f"there is no table {name}; {advice}"
        for hint, names in _HINT.findall(said):
            word = "the nearest is" if hint.startswith("Did") else "there are"
            return f"{first}; {word} {names.rstrip('?.')}"
        return first
