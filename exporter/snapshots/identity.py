"""A snapshot's source and scope in a form that can be compared.

A manifest states both as they stood in the settings. Two manifests may mean the same though they
are spelled differently: the order of a list, a default that is written out, a port or a slash at
the end of a URL, a profile's domain that is named. The form in this module is the same for the same
meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import urlsplit

import orjson

from exporter.tables.origins import NOUNS, SERVICES

_EVERYTHING = "*"
_PORTS = {"https": 443, "http": 80}
_PLACES = ("profile", "domain", "endpoints")
"""The keys of a source that say where its services are."""
_LISTED = ("registries", "repositories")
"""The keys of the source of OCI registries that say what is listed."""
_SETTINGS = {
    "kind": "source",
    "registries": "oci.registries",
    "repositories": "repositories in oci.registries",
    "configs": "oci.configs",
}
"""The settings behind a source of OCI registries."""


@dataclass(frozen=True)
class Identity:
    """The settings that decide a snapshot's content, by name, without those at their defaults.

    `addresses` are those of the services that give lists: named, or by convention below the domain.
    A source without a domain has none. Other endpoints, credentials and limits are not part of it.
    """

    addresses: tuple[str, ...]
    values: tuple[tuple[str, Any], ...]


def identity(source: Mapping[str, Any], scope: Mapping[str, Any]) -> Identity:
    """Return a manifest's `source` and `scope` in the form that can be compared."""
    rest = {name: value for name, value in source.items() if name not in _PLACES}
    values = [*_settings(rest, "source."), *_settings(scope, "scope.")]
    has_services = any(source.get(name) for name in _PLACES)
    addresses = tuple(_address(source, name) for name in SERVICES if has_services)
    return Identity(addresses, tuple(sorted(values)))


def origin(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a manifest's `source` that says where it comes from, not what was listed.

    The settings of OCI registries name them in `source`. Another list of them is another scope, as
    elsewhere: histories go on, and two snapshots can be compared where both have a registry.
    """
    if source.get("kind") != "oci":
        return source
    return {name: value for name, value in source.items() if name not in _LISTED}


def moved_registries(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a clause for each OCI registry that both sources name, and not with the same content.

    A base path, or names of repositories, may make it another part of the same host.
    """
    before, after = _by_host(old), _by_host(new)
    return [
        f"{host} was {before[host]} and is {after[host]} in oci.registries"
        for host in sorted(before.keys() & after.keys())
        if before[host] != after[host]
    ]


def _by_host(source: Mapping[str, Any]) -> dict[str, str]:
    """Return each OCI registry's address and its named repositories in words, by host."""
    found = {}
    for address in source.get("registries") or ():
        host = address.partition("/")[0]
        names = sorted(
            one.removeprefix(f"{host}/")
            for one in source.get("repositories") or ()
            if one.startswith(f"{host}/")
        )
        found[host] = f"{address} ({', '.join(names) or 'all repositories'})"
    return found


def subject(source: Mapping[str, Any], scope: Mapping[str, Any]) -> str:
    """Return a digest that is equal for manifests of the same source and scope."""
    what = identity(source, scope)
    content = orjson.dumps([what.addresses, what.values], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()


def differences(
    old: tuple[Mapping[str, Any], Mapping[str, Any]],
    new: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> list[str]:
    """Return a clause for each setting that differs, with both values; a pair is source, scope."""
    (old_source, old_scope), (new_source, new_scope) = old, new
    before, after = identity(old_source, old_scope), identity(new_source, new_scope)
    found: dict[str, tuple[Any, Any]] = {}
    for service, was, is_now in zip_longest(SERVICES, before.addresses, after.addresses):
        if was == is_now:
            continue
        if _named(old_source, service) or _named(new_source, service):
            found[f"endpoints.{service}"] = (was, is_now)
        else:
            found["domain"] = (_domain(old_source) or None, _domain(new_source) or None)
    values, others = dict(before.values), dict(after.values)
    for name in sorted(values.keys() | others.keys()):
        if values.get(name) != others.get(name):
            found[name] = (values.get(name), others.get(name))
    return [
        f"{_setting(name)} was {_word(was)} and is {_word(now)}"
        for name, (was, now) in found.items()
    ]


def _setting(name: str) -> str:
    """Return the name of a value as the settings have it."""
    return _SETTINGS.get(name.removeprefix("source."), name) if name.startswith("source.") else name


def describe(source: Mapping[str, Any], scope: Mapping[str, Any]) -> str:
    """Return the source and the scope in a few words: `registries.example: 2 registries`."""
    what = identity(source, scope)
    values = dict(what.values)
    parts = []
    if "scope.organization_id" in values:
        parts.append(f"organization {values['scope.organization_id']}")
    for name, nouns in NOUNS.items():
        parts += _counted(values.get(f"scope.{name}", ()), nouns)
    if any(name.startswith("scope.repositories.") for name in values):
        parts.append("some repositories")
    without = [
        part
        for name, nouns in NOUNS.items()
        for part in _counted(values.get(f"scope.exclude.{name}", ()), nouns)
    ]
    if without:
        parts.append(f"without {' and '.join(without)}")
    return f"{_place(what)}: {', '.join(parts) or 'everything'}"


def _place(what: Identity) -> str:
    """Return a snapshot's origin: the domain, or else the source's description of itself."""
    registries = dict(what.values).get("source.registries")
    if registries:
        return ", ".join(registries)
    if what.addresses:
        return urlsplit(what.addresses[0]).netloc.removeprefix(f"{_label(SERVICES[0])}.")
    return ", ".join(_word(value) for name, value in what.values if name.startswith("source."))


def _settings(content: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{before}{name}.")
        elif isinstance(value, list):
            # The order does not matter, nor does any pattern beside "everything".
            kept = sorted({str(one) for one in value})
            if kept and not (name == "include" and _EVERYTHING in kept):
                yield f"{before}{name}", tuple(kept)
        elif value is not None:
            yield f"{before}{name}", value


def _address(source: Mapping[str, Any], service: str) -> str:
    named = _named(source, service)
    if named:
        return _canonical(str(named))
    domain = _domain(source)
    # A domain with http:// is one address for all services.
    if domain.startswith("http://"):
        return domain
    host = domain.removeprefix("https://")
    return _canonical(f"https://{_label(service)}.{host}")


def _label(service: str) -> str:
    """Return the name of a service in its host's name."""
    return service.replace("_", "-")


def _named(source: Mapping[str, Any], service: str) -> object:
    endpoints = source.get("endpoints")
    return endpoints.get(service) if isinstance(endpoints, Mapping) else None


def _domain(source: Mapping[str, Any]) -> str:
    """Return the domain of the services as a URL; empty for a source that names none."""
    domain = str(source.get("domain") or source.get("profile") or "")
    if not domain:
        return ""
    return _canonical(domain if "://" in domain else f"https://{domain}")


def _canonical(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    try:
        port = parts.port
    except ValueError:
        port = None
    shown = "" if port in (None, _PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{host}{shown}{parts.path.rstrip('/')}"


def _counted(names: Any, nouns: tuple[str, str]) -> list[str]:
    if not names:
        return []
    return [f"{nouns[0]} {names[0]}" if len(names) == 1 else f"{len(names)} {nouns[1]}"]


def _word(value: object) -> str:
    if value is None:
        return "not set"
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)
