"""The vendor's lifecycle rules, in the JSON that its CLI takes.

`yc container repository lifecycle-policy create --rules rules.json`; the reference is
https://yandex.cloud/en/docs/container-registry/concepts/lifecycle-policy.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from exporter.errors import SettingsError
from exporter.figures import printable
from exporter.settings.values import parse_duration
from exporter.sql.database import connect
from exporter.sql.engine import first_line

DAY = timedelta(days=1)
_KEYS = ("description", "tag_regexp", "untagged", "expire_period", "retained_top")
_MOST = 2**63 - 1
_PERIOD = re.compile(r"\d+(\.\d+)?[smhd]")
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    type(None): "null",
}


@dataclass(frozen=True)
class Rule:
    """One rule: a filter by tag, and the condition under which it calls for deleting an image.

    It filters the images of which `tag_regexp` (RE2) matches a whole tag, and with `untagged` those
    without a tag. Of these it keeps the `retained_top` newest of each repository, and calls for
    deleting the others once they are older than `expire_period`; without one, at any age.
    """

    tag_regexp: str | None = None
    untagged: bool = False
    expire_period: timedelta | None = None
    retained_top: int | None = None
    description: str = ""

    def label(self, place: int) -> str:
        """Return the rule's name for a person; `place` counts the rules from 1."""
        return (
            f"rule {place} ({printable(self.description)})" if self.description else f"rule {place}"
        )


class _RuleError(ValueError):
    """What is wrong with a rule, as a clause."""


def read_rules(file: str | os.PathLike[str]) -> tuple[Rule, ...]:
    """Return the rules of a JSON file.

    Raises `SettingsError` if it cannot be read, and as `parse_rules` does.
    """
    try:
        rules = orjson.loads(Path(file).read_bytes())
    except OSError as error:
        raise SettingsError(
            f"The policy {file} cannot be read ({error.strerror}): name a JSON file of rules."
        ) from None
    except orjson.JSONDecodeError as error:
        raise SettingsError(
            f"The policy {file} is not JSON ({error}): write a list of rules, as the vendor's CLI "
            "takes them."
        ) from None
    return parse_rules(rules, f"The policy {file}")


def parse_rules(rules: object, policy: str = "The policy") -> tuple[Rule, ...]:
    """Return the rules of a list as JSON has them; `policy` begins the message of an error.

    Raises `SettingsError`, which names the rule by its number and description, and what is wrong.
    """
    if not isinstance(rules, Sequence) or isinstance(rules, str | bytes):
        raise SettingsError(f"{policy} is {_kind(rules)}, and a list of rules is needed.")
    if not rules:
        raise SettingsError(f"{policy} has no rules, so it selects nothing: write one at least.")
    found = []
    for place, rule in enumerate(rules, 1):
        try:
            found.append(_parse(rule))
        except _RuleError as error:
            raise SettingsError(f"{policy}: {_named(rule, place)}: {error}.") from None
    _check_patterns(found, policy)
    return tuple(found)


def _named(rule: object, place: int) -> str:
    description = rule.get("description") if isinstance(rule, Mapping) else None
    return Rule(description=description if isinstance(description, str) else "").label(place)


def _parse(rule: object) -> Rule:
    if not isinstance(rule, Mapping):
        raise _RuleError(f"it is {_kind(rule)}, and an object is needed")
    for key in rule:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}" if near else f"the keys are {', '.join(_KEYS)}"
            raise _RuleError(f"there is no key {printable(str(key))}; {advice}")
    parsed = Rule(
        tag_regexp=_text(rule, "tag_regexp") or None,
        untagged=_flag(rule, "untagged"),
        expire_period=_period(rule),
        retained_top=_count(rule, "retained_top"),
        description=_text(rule, "description") or "",
    )
    if not parsed.tag_regexp and not parsed.untagged:
        raise _RuleError(
            "it has no filter; set tag_regexp (.* for every image with a tag), or untagged to true"
        )
    if parsed.expire_period is None and parsed.retained_top is None:
        raise _RuleError("it has no condition; set expire_period, retained_top or both")
    return parsed


def _text(rule: Mapping[str, Any], key: str) -> str | None:
    value = rule.get(key)
    if value is not None and not isinstance(value, str):
        raise _RuleError(f"{key} is {_kind(value)}, and a text is needed")
    return value


def _flag(rule: Mapping[str, Any], key: str) -> bool:
    value = rule.get(key)
    if value is not None and not isinstance(value, bool):
        raise _RuleError(f"{key} is {_kind(value)}, and true or false is needed")
    return bool(value)


def _count(rule: Mapping[str, Any], key: str) -> int | None:
    value = rule.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise _RuleError(f"{key} is {_kind(value)}, and a whole number of 0 or more is needed")
    return value


def _period(rule: Mapping[str, Any]) -> timedelta | None:
    text = _text(rule, "expire_period")
    if text is None:
        return None
    what = f"expire_period is {printable(text)}"
    if not _PERIOD.fullmatch(text):
        raise _RuleError(f"{what}, and a number with s, m, h or d is needed, such as 48h")
    try:
        period = parse_duration(text)
    except ValueError as error:
        raise _RuleError(f"{what}, which is {error}") from None
    if period < DAY or period % DAY:
        raise _RuleError(f"{what}, and a multiple of 24 hours is needed, one at least")
    return period


def _kind(value: object) -> str:
    """Return what a JSON value is, in words; a number is itself."""
    return _KINDS.get(type(value), str(value))


def _check_patterns(rules: Sequence[Rule], policy: str) -> None:
    import duckdb  # noqa: PLC0415  (its import takes long, and only a policy needs it here)

    with connect({}) as connection:
        for place, rule in enumerate(rules, 1):
            try:
                connection.execute("SELECT regexp_full_match('', $1)", [rule.tag_regexp])
            except duckdb.InvalidInputException as error:
                raise SettingsError(
                    f"{policy}: {rule.label(place)}: tag_regexp is no regular expression of RE2 "
                    f"({first_line(error)}), which has no lookaround and no possessive quantifiers."
                ) from None


def period_text(period: timedelta) -> str:
    """Return a length of time as flags and rules have it, in the largest unit: `90d`, `36h`."""
    seconds = period.total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s"
