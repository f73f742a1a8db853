"""Links, cursors and junk in lists, as registries send them."""

from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict

from exporter.errors import PageError
from exporter.http.types import Received
from exporter.sources.oci.paging import decode_catalog, decode_tags, next_query


def received(content: object, link: str = "") -> Received:
    return Received(json.dumps(content).encode(), CIMultiDict({"Link": link} if link else {}))


@pytest.mark.parametrize(
    ("link", "query"),
    [
        ('</v2/_catalog?last=lib%2Fmulti&n=2>; rel="next"', (("last", "lib/multi"), ("n", "2"))),
        ("<https://elsewhere.example/v2/x?next_page=gAA%3D>; rel=next", (("next_page", "gAA="),)),
        ('</a?last=x>; title="y"; REL="NEXT"', (("last", "x"),)),
        ('</a?last=x>; rel="prev", </a?last=z>; rel="next"', (("last", "z"),)),
        ('</a?last=x>; rel="prev"', None),
        ('</a?last=x>; rel="last next"', (("last", "x"),)),
        ('</a?last=x>; title="a > b, </b?last=y>; rel=prev"; rel=next', (("last", "x"),)),
        ('</a?last=x>; title="rel=next"; rel="prev"', None),
        ('</a?last=x>; rel="nextish"', None),
        ("< /a?last=x > ;; flag ; rel = next", (("last", "x"),)),
        ("</v2/_catalog>; rel=next", None),
        ("nonsense", None),
    ],
)
def test_the_query_of_the_next_link_is_taken_whatever_its_path(
    link: str, query: tuple[tuple[str, str], ...] | None
) -> None:
    assert next_query(CIMultiDict(Link=link)) == query


def test_a_link_that_is_no_url_is_not_the_end_of_the_list() -> None:
    with pytest.raises(PageError):
        next_query(CIMultiDict(Link="<http://[x?last=y>; rel=next"))


def test_a_link_may_stand_in_a_header_of_its_own() -> None:
    headers = CIMultiDict[str]()
    headers.add("link", '</a?last=x>; rel="first"')
    headers.add("link", '</a?last=y>; rel="next"')
    assert next_query(headers) == (("last", "y"),)


@pytest.mark.parametrize("content", [{"tags": None}, {"tags": []}, {}, {"name": "a"}])
def test_no_tags_come_in_several_forms(content: object) -> None:
    page = decode_tags(received(content), ())
    assert (page.names, page.junk, page.following) == ((), (), None)


def test_junk_among_tags_is_told_from_them() -> None:
    digest = "sha256:" + "0" * 64
    page = decode_tags(
        received({"tags": ["v1", None, digest, "-x", "v1", 7, "a b", "_ok.1-2"]}), ()
    )
    assert page.names == ("v1", "_ok.1-2")
    assert page.junk == ("null", digest, "-x", "7", "a b")


@pytest.mark.parametrize("content", [{"tags": "v1"}, [], {"tags": {"a": 1}}])
def test_what_is_no_list_is_refused(content: object) -> None:
    with pytest.raises(PageError):
        decode_tags(received(content), ())


def test_names_of_repositories_are_paths_without_a_query() -> None:
    junk = ["c?d", "", "../a", "a/./b", "a//b", "/a", "a/", "e" * 140]
    page = decode_catalog(received({"repositories": ["a/b", "a/..b", *junk[:-1], "e" * 300]}), ())
    assert page.names == ("a/b", "a/..b")
    assert page.junk == tuple(junk)
