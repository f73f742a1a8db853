"""What a registry asks for, as registries and gateways have been seen to write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.oci.credentials.challenges import Challenge, choose, parse_challenges

TOKENS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", min_size=1, max_size=12
)
TEXTS = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(
    st.lists(
        st.tuples(TOKENS, st.dictionaries(TOKENS.map(str.lower), TEXTS, min_size=1, max_size=4)),
        max_size=4,
    ),
    st.sampled_from([", ", ",", " , ", ",,  "]),
    st.data(),
)
def test_any_challenges_are_read_as_they_were_written(
    challenges: list[tuple[str, dict[str, str]]], between: str, data: st.DataObject
) -> None:
    written = [
        scheme + " " + between.join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    ]
    place = data.draw(st.integers(0, len(written)))
    headers = [between.join(written[:place]), between.join(written[place:])]
    expected = [Challenge(scheme.lower(), parameters) for scheme, parameters in challenges]
    assert parse_challenges(headers) == expected


@given(st.lists(st.text(max_size=60), max_size=3))
def test_no_header_at_all_ends_in_an_error(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="basic, realm"'], Challenge("basic", {"realm": "basic, realm"})),
        (
            ['Negotiate, Basic realm="x", BEARER Realm=https://a/t?x=1,service=s'],
            Challenge("bearer", {"realm": "https://a/t?x=1", "service": "s"}),
        ),
        (['Basic realm="a \\"b\\""'], Challenge("basic", {"realm": 'a "b"'})),
        (
            ["Negotiate abcd==", 'Bearer scope="repository:user/image:pull",realm="/token"'],
            Challenge("bearer", {"scope": "repository:user/image:pull", "realm": "/token"}),
        ),
        (['Bearer service="no realm"', "Basic"], Challenge("basic")),
        (["Digest qop=auth"], None),
        ([], None),
    ],
)
def test_a_bearer_challenge_with_a_realm_is_chosen_before_basic(
    headers: list[str], expected: Challenge | None
) -> None:
    assert choose(parse_challenges(headers)) == expected
