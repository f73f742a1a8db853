"""When two manifests are of the same source and scope, and what is told where they are not."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.snapshots.identity import describe, differences, identity

SOURCE: dict[str, Any] = {"profile": "nebius-il", "domain": "api.il.nebius.cloud", "endpoints": {}}
SCOPE: dict[str, Any] = {
    "organization_id": None,
    "clouds": [],
    "folders": ["b", "a"],
    "registries": [],
    "repositories": {"include": ["*"], "exclude": []},
}
CONVENTION = "https://container-registry.api.il.nebius.cloud"

THE_SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the order of a list": (SOURCE, SCOPE | {"folders": ["a", "b"]}),
    "a name twice": (SOURCE, SCOPE | {"folders": ["a", "b", "a"]}),
    "a newer setting at its default": (SOURCE, SCOPE | {"exclude": {"clouds": [], "folders": []}}),
    "an older manifest without a key": (SOURCE, {"folders": ["a", "b"]}),
    "a pattern beside everything": (
        SOURCE,
        SCOPE | {"repositories": {"include": ["app/*", "*"], "exclude": []}},
    ),
    "a profile's domain by another profile": (SOURCE | {"profile": "yandex"}, SCOPE),
    "a domain in capitals, with its port": (
        SOURCE | {"domain": "https://API.il.nebius.cloud:443/"},
        SCOPE,
    ),
    "an endpoint where it is by convention": (
        SOURCE | {"endpoints": {"container_registry": f"{CONVENTION}:443/"}},
        SCOPE,
    ),
    "another place for tokens": (SOURCE | {"endpoints": {"iam": "https://iam.example"}}, SCOPE),
}


@pytest.mark.parametrize("case", THE_SAME)
def test_another_spelling_is_the_same_source_and_scope(case: str) -> None:
    source, scope = THE_SAME[case]
    assert identity(source, scope) == identity(SOURCE, SCOPE)
    assert differences((SOURCE, SCOPE), (source, scope)) == []


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "another domain": (
        SOURCE | {"domain": "api.cloud.yandex.net"},
        SCOPE,
        ["domain was https://api.il.nebius.cloud and is https://api.cloud.yandex.net"],
    ),
    "another endpoint": (
        SOURCE | {"endpoints": {"container_registry": "https://other.example/"}},
        SCOPE,
        [f"endpoints.container_registry was {CONVENTION} and is https://other.example"],
    ),
    "another port": (
        SOURCE | {"endpoints": {"container_registry": f"{CONVENTION}:8443"}},
        SCOPE,
        [f"endpoints.container_registry was {CONVENTION} and is {CONVENTION}:8443"],
    ),
    "a source of another kind": (
        {"url": "https://images.example"},
        SCOPE,
        [
            "domain was https://api.il.nebius.cloud and is not set",
            "source.url was not set and is https://images.example",
        ],
    ),
    "fewer folders": (SOURCE, SCOPE | {"folders": ["a"]}, ["scope.folders was [a, b] and is [a]"]),
    "an organization": (
        SOURCE,
        SCOPE | {"organization_id": "bpf"},
        ["scope.organization_id was not set and is bpf"],
    ),
    "what is left out": (
        SOURCE,
        SCOPE | {"exclude": {"folders": ["z"]}},
        ["scope.exclude.folders was not set and is [z]"],
    ),
    "patterns": (
        SOURCE,
        SCOPE | {"repositories": {"include": ["app/*"], "exclude": ["app/x"]}},
        [
            "scope.repositories.exclude was not set and is [app/x]",
            "scope.repositories.include was not set and is [app/*]",
        ],
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_differs_is_told_by_setting_with_both_values(case: str) -> None:
    source, scope, expected = OTHERS[case]
    assert identity(source, scope) != identity(SOURCE, SCOPE)
    assert differences((SOURCE, SCOPE), (source, scope)) == expected


def test_source_and_scope_fit_on_a_terminal() -> None:
    assert describe(SOURCE, SCOPE) == "api.il.nebius.cloud: 2 folders"
    assert describe(SOURCE, {}) == "api.il.nebius.cloud: everything"
    one = {
        "registries": ["crp1"],
        "exclude": {"folders": ["z"]},
        "repositories": {"exclude": ["x"]},
    }
    endpoints = {"container_registry": "http://127.0.0.1:8080"}
    assert describe(SOURCE | {"endpoints": endpoints}, one) == (
        "127.0.0.1:8080: registry crp1, some repositories, without folder z"
    )
    assert describe({"url": "https://images.example"}, {}) == "https://images.example: everything"
