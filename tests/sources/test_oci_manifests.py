"""That manifests of every form are read, and that no body breaks the reading."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PageError
from exporter.sources.oci.decode import media_types as types
from exporter.sources.oci.decode.config import decode_config
from exporter.sources.oci.decode.fields import MOST_BYTES, MOST_ITEMS
from exporter.sources.oci.decode.manifest import Manifest, decode_manifest
from exporter.sources.oci.decode.platforms import Platform
from exporter.sources.oci.decode.tags import is_attached, is_tag
from tests.sources.manifests import (
    ATTESTATION,
    DOCKER_CONFIG,
    EMPTY,
    OCI_CONFIG,
    Json,
    child,
    descriptor,
    digest,
    image,
    index,
    schema1,
)


def decoded(content: Any, content_type: str = "") -> Manifest:
    return decode_manifest(digest(7), orjson.dumps(content), content_type)


def test_an_image_has_its_config_and_its_layers_in_order() -> None:
    content = image(
        descriptor(2, 30, urls=["https://elsewhere"]),
        descriptor(1, 20),
        descriptor(2, 30),
        annotations={"a": "b", "org.opencontainers.image.created": "2020-01-02T03:04:05+01:00"},
        subject=descriptor(5),
    )
    read = decoded(content)
    assert (read.digest, read.kind, read.media_type) == (digest(7), "image", types.OCI_MANIFEST)
    assert read.size == len(orjson.dumps(content))
    assert [(layer.digest, layer.size) for layer in read.layers] == [
        (digest(2), 30),
        (digest(1), 20),
        (digest(2), 30),
    ]
    assert read.layers[0].urls == ("https://elsewhere",)
    assert read.config_to_read == digest(99)
    assert (read.subject, dict(read.annotations)["a"]) == (digest(5), "b")
    assert read.created_at == datetime(2020, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (read.problem, read.layers_without_size, read.children) == (None, (), ())


@pytest.mark.parametrize(
    ("content", "content_type", "kind", "media_type"),
    [
        ({"mediaType": None} | index(), "", "index", types.OCI_INDEX),
        (index(mediaType=None), "", "index", types.OCI_INDEX),
        (index(mediaType=None), types.DOCKER_LIST, "index", types.DOCKER_LIST),
        (index(mediaType=types.DOCKER_LIST, manifests=None), "", "index", types.DOCKER_LIST),
        (image(mediaType=None), "", "image", types.OCI_MANIFEST),
        (image(mediaType=None, layers=None), "", "image", types.OCI_MANIFEST),
        (
            image(mediaType=types.DOCKER_MANIFEST, config_type=DOCKER_CONFIG),
            f"{types.DOCKER_MANIFEST}; charset=utf-8",
            "image",
            types.DOCKER_MANIFEST,
        ),
        # What the registry says comes first, unless the content has another form.
        (image(), types.DOCKER_MANIFEST.upper(), "image", types.DOCKER_MANIFEST),
        (image(), types.OCI_INDEX, "image", types.OCI_MANIFEST),
        (index(mediaType=types.DOCKER_LIST), types.SCHEMA1, "index", types.DOCKER_LIST),
        (image(), "application/json", "image", types.OCI_MANIFEST),
        (schema1(1), "", "schema1", types.SCHEMA1_SIGNED),
        (schema1(1, signed=False), "", "schema1", types.SCHEMA1),
        (schema1(1), types.SCHEMA1, "schema1", types.SCHEMA1),
        ({"mediaType": types.OCI_ARTIFACT, "blobs": []}, "", "artifact", types.OCI_ARTIFACT),
        ({"mediaType": types.OCI_ARTIFACT}, "", "artifact", types.OCI_ARTIFACT),
        # A type that nobody knows is kept, and the form tells what it is.
        (image(mediaType="application/vnd.new+json"), "", "artifact", "application/vnd.new+json"),
        (index(mediaType=None), "application/vnd.new", "index", "application/vnd.new"),
        ({"mediaType": "application/vnd.new"}, "", "artifact", "application/vnd.new"),
    ],
)
def test_the_type_is_the_registrys_then_the_bodys_then_that_of_its_form(
    content: Json, content_type: str, kind: str, media_type: str
) -> None:
    read = decoded(content, content_type)
    assert (read.kind, read.media_type, read.problem) == (kind, media_type, None)


@pytest.mark.parametrize(
    ("content", "kind", "artifact_type", "reads_config"),
    [
        (image(descriptor(1), config_type="application/vnd.cncf.helm.config.v1+json"),
         "artifact", "application/vnd.cncf.helm.config.v1+json", False),
        (image(descriptor(1), config_type=EMPTY, artifactType="application/spdx+json"),
         "artifact", "application/spdx+json", False),
        (image(descriptor(1, media_type="application/vnd.dev.cosign.simplesigning.v1+json")),
         "artifact", OCI_CONFIG, True),
        (image(descriptor(1, media_type=types.IN_TOTO)), "attestation", None, True),
        (image(descriptor(1, media_type=types.IN_TOTO), descriptor(2)), "image", None, True),
        (image(), "image", None, True),
        (image(config=None), "artifact", None, False),
    ],
)  # fmt: skip
def test_only_what_has_the_config_of_an_image_is_one(
    content: Json, kind: str, artifact_type: str | None, reads_config: bool
) -> None:
    read = decoded(content)
    assert (read.kind, read.artifact_type) == (kind, artifact_type)
    assert (read.config_to_read is not None) == reads_config


def test_an_artifact_of_the_old_type_has_blobs_as_layers() -> None:
    content = {"mediaType": types.OCI_ARTIFACT, "artifactType": "a/b", "blobs": [descriptor(1, 5)]}
    read = decoded(content | {"subject": descriptor(2)})
    assert [(layer.digest, layer.size) for layer in read.layers] == [(digest(1), 5)]
    assert (read.artifact_type, read.subject) == ("a/b", digest(2))


def test_an_index_tells_what_each_reference_is() -> None:
    read = decoded(
        index(
            child(1, "linux/arm64"),
            child(2, "unknown/unknown", annotations=ATTESTATION),
            child(3, "unknown/unknown"),
            child(4, media_type=types.DOCKER_LIST),
            child(5, media_type="application/vnd.new+json"),
            descriptor(6, media_type=types.OCI_MANIFEST, platform={
                "os": "windows", "os.version": "10.0.1", "architecture": "arm", "variant": "v7",
            }),
        )
    )  # fmt: skip
    assert [each.relation for each in read.children] == [
        "platform", "attestation", "other", "nested", "other", "platform",
    ]  # fmt: skip
    assert read.children[0].platform == Platform("linux", None, "arm64", None)
    assert read.children[-1].platform == Platform("windows", "10.0.1", "arm", "v7")
    assert dict(read.children[1].annotations) == ATTESTATION
    assert (read.config, read.layers, read.config_to_read) == (None, (), None)


def test_schema_1_tells_of_its_image_itself_and_states_no_sizes() -> None:
    v1 = {"created": "2016-01-02T03:04:05.123456789Z", "os": "linux", "variant": "v8"}
    content = schema1(3, 2, 3, 1, v1=v1 | {"config": {"Labels": {"a": "b"}}})
    read = decoded(content)
    assert [layer.digest for layer in read.layers] == [digest(each) for each in (3, 2, 3, 1)]
    assert read.layers_without_size == (digest(3), digest(2), digest(1))
    assert read.v1 is not None
    assert read.v1.platform == Platform("linux", None, "amd64", "v8")
    assert dict(read.v1.labels) == {"a": "b"}
    assert read.v1.created_at == datetime(2016, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    content["history"][0]["v1Compatibility"] = "{"
    broken = decoded(content)
    assert broken.v1 is not None
    assert broken.v1.platform.architecture == "amd64"
    assert broken.problem is not None
    assert "history[0].v1Compatibility" in broken.problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (image(descriptor(1, -5)), "layers[0].size -5"),
        (image(descriptor(1, True)), "layers[0].size true"),
        (image(descriptor(1) | {"size": "10"}), 'layers[0].size "10"'),
        (image(descriptor(1) | {"size": 10.0}), "layers[0].size 10.0"),
        (image(descriptor(1) | {"size": 2**63}), "layers[0].size 9223372036854775808"),
        (image(descriptor(1) | {"digest": "latest"}), 'layers[0].digest "latest"'),
        (image(layers=[None]), "layers[0] null"),
        (image(layers=["x"]), 'layers[0] "x"'),
        (image(layers={"a": 1}), 'layers {"a":1}'),
        (image(descriptor(1, urls=[None])), "layers[0].urls[0] null"),
        (image(config=["x"]), 'config ["x"]'),
        (image(subject={"digest": 5}), "subject.digest 5"),
        (image(annotations={"a": 1, "b": "c"}), "annotations.a 1"),
        (image(annotations=[]), "annotations []"),
        (index(manifests={"a": 1}), 'manifests {"a":1}'),
        (index({"size": 3}), "manifests[0].digest null"),
        (index(child(1, "linux/amd64") | {"platform": "linux"}), 'manifests[0].platform "linux"'),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_costs_itself_alone(content: Json, said: str) -> None:
    read = decoded(content)
    assert read.problem == f"These values cannot be read, and are left out: {said}."
    assert all(layer.size is None or layer.size >= 0 for layer in read.layers)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b'{"a": NaN}', "it is not JSON"),
        (b'{"a": "\xff"}', "it is not JSON"),
        (b"[" * 5_000 + b"]" * 5_000, "it is not JSON"),
        (b"null", "it is not a JSON object"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "neither a media type nor the form"),
        (b'{"errors": []}', "neither a media type nor the form"),
        (orjson.dumps(image(manifests=[])), "the forms of several kinds of manifests at once"),
        (orjson.dumps({"mediaType": types.OCI_MANIFEST}), "has not the form of one"),
        (b'{"layers": [' + b"[]," * 200_001 + b"[]]}", "more than 200,000 objects and lists"),
        (b" " * MOST_BYTES + b"{}", "more than 8,388,608"),
        (
            orjson.dumps(image(*[descriptor(1)] * (MOST_ITEMS + 1))),
            "its layers are 10,001, more than 10,000",
        ),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_reason(body: bytes, said: str) -> None:
    with pytest.raises(PageError, match=said):
        decode_manifest(digest(1), body)


KEYS = (
    "mediaType digest size urls annotations platform os architecture config Labels created layers "
    "manifests fsLayers blobSum history v1Compatibility subject blobs"
)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**64), 2**64),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([digest(1), "", "x", types.OCI_INDEX, types.IN_TOTO, OCI_CONFIG]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS.split(" ")), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(content=JSON, base=st.sampled_from([{}, image(), index(), schema1(1)]))
def test_any_json_is_read_or_refused(content: Any, base: Json) -> None:
    whole = base | content if isinstance(content, dict) else content
    for decode in (lambda body: decode_manifest(digest(1), body, ""), decode_config):
        try:
            body = orjson.dumps(whole)
        except TypeError:  # A whole number past 64 bits: its text would be one for a parser.
            return
        try:
            read = decode(body)
        except PageError:
            continue
        if isinstance(read, Manifest):
            sizes = [layer.size for layer in read.layers if layer.size is not None]
            assert all(type(size) is int and 0 <= size < 2**63 for size in sizes)
            assert all(each.digest for each in read.children)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2024-02-29T12:00:00.123456789Z", datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2020-01-01T01:00:00+01:00", datetime(2020, 1, 1, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_a_config_tells_when_its_image_was_created(
    created: str | None, expected: datetime | None
) -> None:
    read = decode_config(orjson.dumps({"created": created}))
    assert (read.created_at, read.problem) == (expected, None)


def test_a_config_of_nothing_but_nulls_tells_nothing() -> None:
    content = dict.fromkeys(("created", "os", "architecture", "variant", "os.version", "config"))
    for each in (content, {}, {"config": {"Labels": None}}):
        read = decode_config(orjson.dumps(each))
        assert (read.platform, read.created_at, read.labels) == (Platform(), None, ())
        assert read.problem is None


def test_what_a_config_says_wrongly_is_left_out() -> None:
    content = {
        "created": "12024-01-01T00:00:00Z",
        "os": 5,
        "os.version": "1",
        "config": {"Labels": {"a": None, "b": "c"}},
    }
    read = decode_config(orjson.dumps(content))
    assert (read.platform, read.labels) == (Platform(os_version="1"), (("b", "c"),))
    assert read.problem == (
        "These values cannot be read, and are left out: "
        'os 5, created "12024-01-01T00:00:00Z", config.Labels.a null.'
    )


@pytest.mark.parametrize("name", [None, 5, "", "-x", ".x", "a/b", digest(1), "é", "x" * 129, "a\n"])
def test_junk_is_no_tag(name: object) -> None:
    assert not is_tag(name)


def test_tags_of_what_is_attached_are_told_apart() -> None:
    fallback = f"sha256-{'a' * 64}"
    for tag in (fallback, f"{fallback}.sig", f"{fallback}.att", f"{fallback}.sbom"):
        assert is_tag(tag)
        assert is_attached(tag)
    for tag in (
        "v1",
        "x" * 128,
        f"{fallback}.tar",
        f"x{fallback}",
        fallback[:-1],
        fallback.upper(),
    ):
        assert is_tag(tag)
        assert not is_attached(tag)
