"""A settings file: YAML, with the line that each key stands on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from exporter.errors import SettingsError
from exporter.links import why_unreadable
from exporter.settings.keys import Key, dotted, known_keys, may_be_null, unknown
from exporter.settings.placeholders import fill_in

MOST_VALUES = 100_000
"""More than any settings have; a file whose aliases expand to more might never be read."""

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Document:
    """The values of a file, nested as in the file, and the line of every key, from 1."""

    file: Path
    values: dict[str, Any]
    lines: dict[Key, int]

    def place(self, key: Key) -> str:
        """Return the place of a key, or of its section, as `settings.yaml, line 3`."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.file}, line {self.lines[key]}" if key else f"{self.file}"


def read_document(file: Path, model: type[BaseModel], left_out: Collection[str] = ()) -> Document:
    """Read a settings file and fill in its placeholders, except under the keys that are left out.

    Raises `SettingsError`.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The settings file {file} cannot be read: {why_unreadable(file, error)}."
        ) from None
    try:
        return _parse(text, file, model, left_out)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        if problem == "but found another document":
            raise SettingsError(f"{file}{line}: one document is needed, not several.") from None
        raise SettingsError(f"{file}{line}: this is not YAML: {problem}.") from None
    except RecursionError:
        raise SettingsError(f"{file}: it is nested too deeply, or within itself.") from None


def _parse(text: str, file: Path, model: type[BaseModel], left_out: Collection[str]) -> Document:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        # Checked before anything expands the aliases.
        if root is not None and _size(root, {}) > MOST_VALUES:
            raise SettingsError(
                f"{file}: with its aliases written out it holds more than {MOST_VALUES:,} values."
            )
        document = Document(file, {}, {})
        _note_lines(root, (), document, model)
        told = None if root is None else loader.construct_document(root)
    except ValueError as error:
        # For example an impossible date, which PyYAML leaves to Python.
        raise SettingsError(f"{file}: this is not YAML: {error}.") from None
    finally:
        loader.dispose()
    if told is None:
        return document
    if not isinstance(told, dict):
        raise SettingsError(f"{file}: the settings must be a mapping of keys to values.")
    told = {name: value for name, value in told.items() if name not in left_out}
    document.values.update(_given(_filled(told, (), document), known_keys(model)))
    return document


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the number of nodes below a node with its aliases expanded.

    Raises `RecursionError` for a node that contains itself.
    """
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(inner, known) for inner in _inner(node))
    return known[id(node)]


def _inner(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _note_lines(
    node: yaml.Node | None, key: Key, document: Document, model: type[BaseModel]
) -> None:
    """Remember the line of each key; refuse a key that comes twice, or is not a text."""
    lines = document.lines
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            line = name.start_mark.line + 1
            place = f"{document.file}, line {line}"
            if not isinstance(name, yaml.ScalarNode):
                raise SettingsError(f"{place}: the name of a setting is needed before the colon.")
            inner = (*key, name.value)
            if name.tag not in (_TEXT, _MERGE):
                raise SettingsError(f"{place}: {dotted(inner)}: {unknown(dotted(inner), model)}")
            if inner in lines:
                raise SettingsError(
                    f"{place}: {dotted(inner)} stands here a second time, after line "
                    f"{lines[inner]}."
                )
            lines[inner] = line
            _note_lines(value, inner, document, model)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*key, index)] = value.start_mark.line + 1
            _note_lines(value, (*key, index), document, model)


def _filled(value: Any, key: Key, document: Document) -> Any:
    """Return values with their placeholders filled in; keys are left as they are."""
    if isinstance(value, dict):
        return {name: _filled(inner, (*key, name), document) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, (*key, index), document) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return fill_in(value, document.file.parent)
    except SettingsError as error:
        raise SettingsError(f"{document.place(key)}: {dotted(key)}: {error}") from None


def _given(values: dict[str, Any], known: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return values without empty keys, which mean their defaults.

    A key that may be null stays, because its default may be another value. An unknown key stays
    too, to be refused.
    """
    return {
        name: _given(value, known, f"{before}{name}.") if isinstance(value, dict) else value
        for name, value in values.items()
        if value is not None or may_be_null(known.get(f"{before}{name}"))
    }
