"""Where settings are read from: a YAML file, then the environment over it, then flags over both.

Errors name the key, the line in the file and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError as EnvironmentReadError

from exporter.errors import SettingsError
from exporter.settings.model import Settings

Key = tuple[str | int, ...]
Lines = dict[Key, int]

_PLACEHOLDER = re.compile(r"\$(\$)?\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def load_settings(file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Read, fill in and check the settings.

    `flags` is shaped like the file (nested mappings) and wins over the environment, which
    wins over `file`. Raises `SettingsError` with one line for each thing that is wrong.
    """
    lines: Lines = {}
    told = _read(file, lines) if file else {}
    try:
        environment = EnvSettingsSource(Settings)()
    except EnvironmentReadError as error:
        raise SettingsError(f"The environment's settings cannot be read: {error}") from None
    _refuse_unknown_variables()
    merged = _merge(_merge(told, environment), dict(flags or {}))
    try:
        return Settings(**merged)
    except ValidationError as error:
        problems = [_sentence(problem, file, lines) for problem in error.errors()]
        raise SettingsError("\n".join(problems)) from None


def _read(file: Path, lines: Lines) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"The settings file {file} cannot be read: {reason}.") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise SettingsError(f"{file}{line}: this is not YAML: {problem}.") from None
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise SettingsError(f"{file}: the settings must be a mapping of keys to values.")
    _note_lines(root, (), lines, file)
    filled = _fill_in(told, (), file, lines)
    # A section that is named and left empty means its defaults.
    return {key: value for key, value in filled.items() if value is not None}


def _note_lines(node: yaml.Node | None, key: Key, lines: Lines, file: Path) -> None:
    """Remember on which line each key stands, and refuse a key that stands twice."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, str(name.value))
            if inner in lines:
                raise SettingsError(
                    f"{file}, line {name.start_mark.line + 1}: {_dotted(inner)} stands here "
                    f"a second time, after line {lines[inner]}."
                )
            lines[inner] = name.start_mark.line + 1
            _note_lines(value, inner, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*key, index)] = value.start_mark.line + 1
            _note_lines(value, (*key, index), lines, file)


def _fill_in(value: Any, key: Key, file: Path, lines: Lines) -> Any:
    """Fill `${NAME}` and `${file:PATH}` in, inside values only; `$${` stands for `${`."""
    if isinstance(value, dict):
        return {
            str(name): _fill_in(inner, (*key, str(name)), file, lines)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_fill_in(inner, (*key, index), file, lines) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return "${" + found[2] + "}"
        try:
            return _look_up(found[2], file)
        except SettingsError as error:
            raise SettingsError(f"{_place(key, file, lines)}: {error}") from None

    return _PLACEHOLDER.sub(replace, value)


def _look_up(name: str, file: Path) -> str:
    if name.startswith("file:"):
        path = file.parent / Path(name.removeprefix("file:")).expanduser()
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"the file {path} cannot be read: {reason}.") from None
    if not _NAME.fullmatch(name):
        raise SettingsError(f"${{{name}}} is neither ${{NAME}} nor ${{file:PATH}}.")
    if name not in os.environ:
        raise SettingsError(f"the environment variable {name} is not set.")
    return os.environ[name]


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, dict):
            merged[key] = _merge(under, value)
        else:
            merged[key] = value
    return merged


def _known(model: type[BaseModel], before: str = "") -> dict[str, type[BaseModel] | None]:
    """Return every dotted key of the settings, with the section it opens, if it does."""
    keys: dict[str, type[BaseModel] | None] = {}
    for name, field in model.model_fields.items():
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        section = next(
            (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None
        )
        keys[before + name] = section
        if section is not None:
            keys.update(_known(section, f"{before}{name}."))
    return keys


def _nearest(key: str) -> str:
    known = list(_known(Settings))
    last = {name: name.rpartition(".")[2] for name in known}
    siblings = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]]
    near = difflib.get_close_matches(key, siblings, n=1, cutoff=0.5)
    if not near:
        # The right name in the wrong section is the commonest slip.
        near = [name for name in known if last[name] == key.rpartition(".")[2]][:1]
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "; `config schema` lists the keys there are."


def _refuse_unknown_variables() -> None:
    prefix = "REGISTRY_EXPORTER__"
    known = set(_known(Settings))
    for variable in sorted(os.environ):
        if not variable.upper().startswith(prefix):
            continue
        key = variable[len(prefix) :].lower().replace("__", ".")
        if key not in known:
            raise SettingsError(
                f"{variable} in the environment: there is no setting {key}{_nearest(key)}"
            )


def _dotted(key: Key) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)[1:]


def _place(key: Key, file: Path | None, lines: Lines) -> str:
    if file and key in lines:
        return f"{file}, line {lines[key]}: {_dotted(key)}"
    return _dotted(key)


def _sentence(problem: Any, file: Path | None, lines: Lines) -> str:
    key: Key = problem["loc"]
    place = _place(key, file, lines)
    if problem["type"] == "extra_forbidden":
        return f"{place}: there is no such setting{_nearest(_dotted(key))}"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place}: {text[:1].lower()}{text[1:].rstrip('.')}."
