"""Bodies that are no page are refused with a `PageError`, and never crash the process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from exporter.errors import PageError
from exporter.sources.cloud.decode.images import decode_images
from exporter.sources.cloud.decode.pages import shown_token
from exporter.sources.cloud.decode.resources import Parents, decode_resources
from exporter.tables.listed import CLOUDS

DEEP = 1_000_000
"""Far beyond what a recursive parser's stack holds."""

NO_OBJECTS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "null and more": b'null{"images":[]}',
    "a list": b"[{}]",
    "a text": b'"images"',
    "a number": b"1",
    "html": b"<!DOCTYPE html><html><body>502</body></html>",
    "one bracket": b"{",
    "nesting without end": b'{"images":' + b"[" * DEEP,
    "nesting with an end": b'{"images":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "objects without end": b'{"a":' * DEEP,
    "nesting hidden by brackets in a text": (
        b'{"a":"' + b"]" * DEEP + b'","x":' + b"[" * DEEP + b"]" * DEEP + b"}"
    ),
    "nesting hidden by brackets in many texts": (
        b'{"x":' + b'["]",' * DEEP + b"1" + b"]" * DEEP + b',"a":"' + b"[" * DEEP + b'"}'
    ),
    "nesting behind an escaped quote": (
        b'{"a":"\\"' + b"]" * DEEP + b'","x":' + b"[" * DEEP + b"]" * DEEP + b"}"
    ),
    "a text without end": b'{"images":[{"id":"' + b"[" * DEEP,
    "doubled": b'{"images":[]}{"images":[]}',
    "doubled on two lines": b'{"images":[]}\n{"images":[]}',
    "something behind it": b'{"images":[]} x',
    "null behind it": b'{"images":[]}\nnull',
    "broken UTF-8 in a key": b'{"ima\xffges":[]}',
    "cut off in a text": b'{"images":[{"id":"cr',
    "cut off between images": b'{"images":[{"id":"crp1"},',
    "cut off before the last bracket": b'{"images":[{"id":"crp1"}]',
    "a key that stands twice": b'{"images":[{"id":"a"}],"images":[{"id":"b"}]}',
    "no number": b'{"x":NaN}',
    "a number without end": b'{"x":' + b"9" * 5000 + b"}",
}
NO_PAGES: dict[str, bytes] = {
    "a renamed key": b'{"pictures":[{"id":"a"}]}',
    "an error that came as a 200": b'{"code":7,"message":"denied"}',
    "an object for the list": b'{"images":{}}',
    "a text for the list": b'{"images":"none"}',
    "a number for a token": b'{"images":[],"nextPageToken":7}',
    "a key that stands twice beside a bad value": (
        b'{"images":[{"id":"a","createdAt":"yesterday"}],"images":[{"id":"b"}]}'
    ),
    "two spellings of a strange key, and no token": b'{"next_page":"t","nextPage":"t"}',
    "a renamed key, and a token": b'{"pictures":[{"id":"a"}],"nextPageToken":"t"}',
    "a renamed key beside other lists": b'{"warnings":[],"pictures":[{"name":"crp1/a"}]}',
}
FLAWED: dict[str, tuple[bytes, list[str], int, str]] = {
    "a null": (b'{"images":[{"id":"a"},null]}', ["a"], 1, "is null instead of an object"),
    "a number": (b'{"images":[1]}', [], 1, "is a number instead of an object"),
    "a list": (b'{"images":[[]]}', [], 1, "is a list instead of an object"),
    "a number for an id": (b'{"images":[{"id":7}]}', [], 1, "has a number instead of a text"),
    "a truth for an id": (b'{"images":[{"id":true}]}', [], 1, "has true or false instead of a"),
    "a number for an id beside a bad value": (
        b'{"images":[{"id":7,"createdAt":"yesterday"},{"id":"a"}]}',
        ["a"],
        1,
        "has a number instead of a text as its id",
    ),
    "no id": (b'{"images":[{"id":"a"},{"name":"crp1/a"}]}', ["a"], 1, "an image has no id"),
    "null for an id": (b'{"images":[{"id":null}]}', [], 1, "an image has no id"),
    "an empty id": (b'{"images":[{"id":"a"},{"id":""}]}', ["a"], 1, "an image has no id"),
    "two ids": (b'{"images":[{"id":"a","id":"b"},{"id":"c"}]}', ["c"], 1, "stands twice"),
    "two names": (b'{"images":[{"id":"a","name":"b","name":"c"}]}', ["a"], 0, "stands twice"),
    "a number for a digest": (b'{"images":[{"id":"a","digest":7}]}', ["a"], 0, "as its digest"),
    "a list for a name": (b'{"images":[{"id":"a","name":[]}]}', ["a"], 0, "as its name"),
    "broken UTF-8 in an id": (b'{"images":[{"id":"\xff"},{"id":"a"}]}', ["a"], 1, "not JSON"),
    "broken UTF-8 in a key": (b'{"images":[{"id":"a","cr\xffAt":"b"}]}', ["a"], 0, "not JSON"),
    "half a pair in an id": (b'{"images":[{"id":"\\ud800"}]}', [], 1, "not JSON"),
    "half a pair in a digest": (b'{"images":[{"id":"a","digest":"\\udc00"}]}', ["a"], 0, "not"),
    "half a pair in a tag": (b'{"images":[{"id":"a","tags":["\\ud800"]}]}', ["a"], 0, "not JSON"),
}
"""Pages with something that cannot be read: the ids left, how many are lost, what is in doubt."""
STRANGERS: dict[str, bytes] = {
    "a strange list that nests": b'{"x":' + b"[" * DEEP + b"]" * DEEP + b',"images":[{"id":"a"}]}',
    "a strange object that nests": (
        b'{"x":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b',"images":[{"id":"a"}]}'
    ),
    "an image's strange list": b'{"images":[{"id":"a","x":' + b"[" * DEEP + b"]" * DEEP + b"}]}",
    "a layer's strange object": (
        b'{"images":[{"id":"a","layers":[{"x":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}]}]}"
    ),
}
"""New fields may appear at any time, and these are as strange as can be."""


def refusal(body: bytes) -> str:
    with pytest.raises(PageError) as caught:
        decode_images(body, cloud_id=None, folder_id=None)
    return str(caught.value)


@pytest.mark.parametrize("body", [*NO_OBJECTS.values(), *NO_PAGES.values()], ids=[
    *NO_OBJECTS, *NO_PAGES
])  # fmt: skip
def test_a_body_that_is_no_page_of_images_is_refused(body: bytes) -> None:
    assert refusal(body)


@pytest.mark.parametrize("name", FLAWED)
def test_what_cannot_be_read_is_left_out_and_puts_the_page_in_doubt(name: str) -> None:
    body, ids, lost, doubt = FLAWED[name]
    page = decode_images(body, cloud_id=None, folder_id=None)
    assert page.images["image_id"].to_pylist() == list(page.ids) == ids
    assert (len(page.lost), page.listed) == (lost, lost + len(ids))
    assert page.bad_values.num_rows == 1
    assert doubt in page.doubt


@pytest.mark.parametrize("name", sorted(NO_OBJECTS.keys() - {"a key that stands twice"}))
def test_a_body_that_is_no_object_is_refused_as_a_page_of_resources(name: str) -> None:
    with pytest.raises(PageError):
        decode_resources(NO_OBJECTS[name].replace(b"images", b"clouds"), CLOUDS, Parents())


def test_none_of_these_bodies_ends_the_process() -> None:
    program = (
        "import sys\n"
        "from exporter.errors import PageError\n"
        "from exporter.sources.cloud.decode.images import decode_images\n"
        "import tests.tables.test_guards as guards\n"
        "bodies = guards.NO_OBJECTS | guards.NO_PAGES | guards.STRANGERS\n"
        "for name, body in bodies.items():\n"
        "    try:\n"
        "        page = decode_images(body, cloud_id=None, folder_id=None)\n"
        "        print(name, page.images['image_id'].to_pylist())\n"
        "    except PageError:\n"
        "        print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    passed_over = [f"{name} ['a']" for name in STRANGERS]
    assert done.stdout.splitlines() == [*NO_OBJECTS, *NO_PAGES, *passed_over]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b" \r\n\t{ } \n",
        b'{"images":[]}',
        b'{"images":null}',
        b'{"nextPageToken":""}',
        b'{"next_page_token":""}',
        b'\xef\xbb\xbf{"images":[]}',
        b'{"images":[],"newField":{"total":"12"}}',
        b'{"newField":"x","nextPageToken":""}',
        b'{"warnings":[],"nextPageToken":""}',
        b'{"warnings":[{"code":1,"text":"slow"}],"nextPageToken":""}',
        b'{"regions":["il-1"],"nextPageToken":""}',
    ],
)
def test_an_empty_page_is_a_page(body: bytes) -> None:
    page = decode_images(body, cloud_id=None, folder_id=None)
    assert (page.listed, page.order, page.next_token) == (0, None, "")
    assert page.images.num_rows == page.layers.num_rows == page.config_blobs.num_rows == 0


@pytest.mark.parametrize("depth", [500, 950, 1000, 1050])
def test_a_value_that_nests_is_refused_or_left_out_but_ends_nothing(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    for table in ("images", "clouds"):
        body = b'{"%b":[{"id":"a","createdAt":%b}]}' % (table.encode(), nested)
        try:
            page: Any = (
                decode_images(body, cloud_id=None, folder_id=None)
                if table == "images"
                else decode_resources(body, CLOUDS, Parents())
            )
        except PageError:
            assert depth > 900
        else:
            assert page.bad_values["subject"].to_pylist() == ["a"]


def test_brackets_inside_texts_are_not_taken_for_nesting() -> None:
    tag = b"[{" * DEEP
    page = decode_images(
        b'{"images":[{"id":"a","tags":["%b"]}]}' % tag, cloud_id=None, folder_id=None
    )
    assert page.images["tags"].to_pylist() == [[tag.decode()]]


def test_a_refusal_does_not_quote_what_the_body_holds() -> None:
    secret = "t1.secret-of-somebody"
    bodies = (
        f'{{"images":"{secret}"}}',
        f'{{"error":"{secret}"}}',
        f'{{"images":[{{"id":"{secret}',
    )
    assert [body for body in bodies if secret in refusal(body.encode())] == []
    for fields in (f'"id":["{secret}"]', f'"createdAt":"{secret}"', f'"id":"{secret}\\ud800"'):
        flawed = f'{{"images":[{{{fields}}}]}}'.encode()
        page = decode_images(flawed, cloud_id=None, folder_id=None)
        assert page.doubt
        assert secret not in "".join([page.doubt, *page.lost])


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'{"images":[{"id":"a"}],"nextPageToken":"more"}', "more"),
        (b'{"images":[],\n "nextPageToken" : "CAIQ-_=+/~." }\n', "CAIQ-_=+/~."),
        (b' {"nextPageToken":"first","images":[' + b" " * 10_000 + b"]}", "first"),
        (b'{"images":[{"id":"a"}],"next_page_token":"more"}', "more"),
        (b'\xef\xbb\xbf{"next_page_token": "first","images":[]}', "first"),
        (b'{"images":[]}', ""),
        (b'{"images":[],"nextPageToken":""}', ""),
        (b'{"images":[],"nextPageToken":null}', ""),
        # What would have to be unescaped is left to the parser.
        (b'{"images":[],"nextPageToken":"a\\u0062"}', ""),
        (b'{"images":[],"nextPageToken":"\xc3\xa9"}', ""),
        # These are no tokens of the page.
        (b'{"images":[{"id":"a","nextPageToken":"x"}]}', ""),
        (b'{"images":[],"note":"\\"nextPageToken\\":\\"x"}', ""),
        (b'{"images":[],"nextPageToken":"x","more":1}', ""),
        (b"", ""),
    ],
)
def test_a_next_page_is_seen_only_where_the_page_has_it(body: bytes, token: str) -> None:
    assert shown_token(body) == token
