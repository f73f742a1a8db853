"""What cannot be used is refused by key, line and reason, and secrets are never told."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import SettingsError
from exporter.settings import Credentials, Settings, load_settings
from tests.settings.conftest import Load, Refuse

SECRET = "t1.secret-of-somebody"


@pytest.mark.parametrize(
    ("text", "place", "nearest"),
    [
        ("limits:\n  concurency: 4\n", "line 2: limits.concurency", "limits.concurrency"),
        ("limit:\n  concurrency: 4\n", "line 1: limit", "limits"),
        ("limits:\n  null: 4\n", "line 2: limits.null", "limits.outage"),
        ("\nconcurrency: 4\n", "line 2: concurrency", "limits.concurrency"),
        ("scope:\n  repositories:\n    includes: []\n", "line 3", "scope.repositories.include"),
        ("output:\n  keep: {dayly: 3}\n", "line 2: output.keep.dayly", "output.keep.daily"),
        ("output: {}\nOutput: {}\n", "line 2: Output", "output"),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known(
    text: str, place: str, nearest: str, refuse: Refuse
) -> None:
    refusal = refuse(text)
    assert place in refusal
    assert f"did you mean {nearest}?" in refusal


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("limits:\n  page_size: many\n", "line 2: limits.page_size"),
        ("limits:\n  page_size: 1001\n", "line 2: limits.page_size"),
        ("limits:\n  concurrency: 0\n", "line 2: limits.concurrency"),
        ("limits: 5\n", "line 1: limits"),
        ("scope:\n  clouds:\n  - ok\n  - 7\n", "line 4: scope.clouds[1]"),
        ("scope:\n  folders: b1g1\n", "line 2: scope.folders"),
        (f"scope:\n  registries: [{'x' * 51}]\n", "line 2: scope.registries[0]"),
        ("output:\n  formats: [csv]\n", "line 2: output.formats[0]"),
        ("output:\n  formats: []\n", "line 2: output.formats"),
        ("output:\n  url: ftp://host/x\n", "line 2: output.url"),
        ("output:\n  url: 's3://'\n", "line 2: output.url"),
        ("output:\n  on_partial: maybe\n", "line 2: output.on_partial"),
        ("profile: azure\n", "line 1: profile"),
        ("domain: 'not a domain'\n", "line 1: domain"),
        ("limits:\n  <<: {concurrency: 0}\n", "line 1: limits.concurrency"),
    ],
)
def test_an_unusable_value_is_refused_where_it_stands(
    text: str, place: str, refuse: Refuse
) -> None:
    assert place in refuse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: 5\n", "limits: a section is needed, keys with values."),
        ("limits: {concurrency: 0}\n", "limits.concurrency: at least 1 is needed."),
        ("limits: {concurrency: true}\n", "a number is needed, not true or false."),
        ("limits: {concurrency: 1.5}\n", "a whole number is needed."),
        ("limits: {request_timeout: .inf}\n", "a finite number is needed."),
        ("limits: {request_timeout: 0}\n", "a time of more than 0 seconds is needed."),
        ("output: {formats: []}\n", "output.formats: at least 1 value is needed."),
        ("output: {formats: parquet}\n", "output.formats: a list is needed, such as [a, b]."),
        ("output: {resume_within: 0}\n", "a time of more than 0 seconds is needed."),
        ("output: {resume_within: true}\n", "a number is needed, not true or false."),
        ("output: {keep: {}}\n", "output.keep: one of last, daily, weekly and monthly is needed"),
        ("output: {keep: {daily: }}\n", "output.keep: one of last, daily, weekly and monthly"),
        ("output: {keep: {daily: 0, last: 0}}\n", "output.keep: one of last, daily, weekly and"),
        ("scope: {clouds: [7]}\n", "a text is needed; a number needs quotes around it."),
        ("credentials: {iam_token: x, metadata: true}\n", "credentials: exactly one source"),
    ],
)
def test_a_refusal_speaks_of_settings_and_not_of_the_program(
    text: str, words: str, refuse: Refuse
) -> None:
    assert words in refuse(text)


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("http://127.0.0.1:99999", "port"),
        ("http://127.0.0.1:abc", "port"),
        ("https://host:", "port"),
        ("host.example.com:0", "port"),
        ("foo..bar", "'foo..bar' is not the name"),
        ("https://foo..bar", "'foo..bar' is not the name"),
        ("https://two words", "'two words' is not the name"),
    ],
)
def test_an_address_that_no_call_could_be_sent_to_is_refused(
    domain: str, words: str, refuse: Refuse
) -> None:
    refusal = refuse(f"domain: '{domain}'\n")
    assert "line 1: domain: " in refusal
    assert words in refusal


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "names no place to write to"),
        (" ", "names no place to write to"),
        ("file:///", "names no place to write to"),
        ("s3://", "names no place to write to"),
        ("gs:///", "names no place to write to"),
        ("ftp://host/x", "ftp:// is not supported"),
        ("S3://bucket/x", "S3:// is not supported"),
        ("file://host/share", "write file:///absolute/path"),
        ("file://relative", "write file:///absolute/path"),
        ("file:/absolute", "write file:///absolute/path"),
        ("file:relative", "write file:///absolute/path"),
        ("s3:/bucket/x", "write s3://bucket/prefix"),
        ("gs:bucket", "write gs://bucket/prefix"),
        ("s3:///bucket/x", "the name of a bucket"),
        ("s3://host:9000/bucket", "the name of a bucket"),
        ("s3://key:word@bucket/x", "the name of a bucket"),
        ("s3://buc ket/x", "the name of a bucket"),
        ("gs://bucket?x/y", "the name of a bucket"),
        ("gs://s3://bucket", "the name of a bucket"),
        ("s3://bucket//x", "empty"),
        ("s3://bucket/a//b/", "empty"),
        ("s3://bucket/s3://other", "empty"),
        ("s3://bucket/../x", "a part that is .."),
        ("gs://bucket/./x", "a part that is ."),
    ],
)
def test_an_output_that_names_no_place_is_refused(url: str, words: str, refuse: Refuse) -> None:
    refusal = refuse(f"output:\n  url: '{url}'\n")
    assert "line 2: output.url: " in refusal
    assert words in refusal
    assert "word@" not in refusal


@pytest.mark.parametrize(
    "url",
    [
        "relative/path",
        "a:b",
        "files:/x",
        "/a//b/../c",
        "file:///a%20b",
        "file://localhost/a",
        "s3://bucket",
        "s3://a.bucket_1-x/",
        "s3://bucket/a=1/b c/",
        "gs://bucket/some/prefix//",
    ],
)
def test_an_output_that_names_a_place_is_taken_as_it_is(url: str, load: Load) -> None:
    assert load(f"output:\n  url: '{url}'\n").output.url == url


ALIAS_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [*a]\n", "within itself"),
        ("limits: &a {b: *a}\n", "within itself"),
        ("[" * 5000, "nested too deeply"),
        (ALIAS_BOMB, "more than 100,000 values"),
        (ALIAS_BOMB.replace("[", "{<<: [").replace("]", "]}"), "more than 100,000 values"),
    ],
    ids=["a list in itself", "a section in itself", "5000 lists", "aliases", "merged aliases"],
)
def test_a_file_without_an_end_is_refused(text: str, words: str, refuse: Refuse) -> None:
    assert words in refuse(text)


def test_everything_that_is_wrong_is_told_at_once(refuse: Refuse) -> None:
    lines = refuse("limits:\n  page_size: many\n  attempts: none\noutpt: {}\n").splitlines()
    assert len(lines) == 3
    for line, key in zip(lines, ("limits.page_size", "limits.attempts", "outpt"), strict=True):
        assert key in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits:\n  attempts: 3\n  attempts: 4\n", ("line 3", "limits.attempts", "line 2")),
        ("scope: {}\nlimits: {}\nscope: {}\n", ("line 3", "scope", "line 1")),
        ("a: [\n", ("line 2", "not YAML")),
        ("a: b: c\n", ("line 1", "not YAML")),
        ("- a\n", ("mapping",)),
        ("just text\n", ("mapping",)),
        ("limits: {}\n---\nscope: {}\n", ("line 2", "one document is needed")),
        ("limits:\n  ? [a]\n  : 4\n", ("line 2", "name of a setting")),
        ("limits: {page_size: 2026-99-99}\n", ("not YAML",)),
    ],
)
def test_a_file_that_contradicts_itself_or_is_no_mapping_is_refused(
    text: str, words: tuple[str, ...], refuse: Refuse
) -> None:
    refusal = refuse(text)
    assert [word for word in words if word not in refusal] == []


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes(b"profile: \xff\xfe\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings(file)


@pytest.mark.parametrize(
    "url",
    [
        "http://registry.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://localhost",
        "registry.example.com",
        "https://",
        "https://user:word@host",
        "http://127.0.0.1:99999",
        "https://host/?a=1",
        "http://[::1",
    ],
)
@pytest.mark.parametrize("key", ["container_registry", "resource_manager", "iam"])
def test_an_endpoint_where_a_token_would_not_be_safe_is_refused(
    key: str, url: str, refuse: Refuse
) -> None:
    assert f"line 2: endpoints.{key}" in refuse(f"endpoints:\n  {key}: '{url}'\n")


def test_plain_http_is_refused_for_a_domain_too(refuse: Refuse) -> None:
    assert "domain" in refuse("domain: http://api.example.com\n")


@pytest.mark.parametrize(
    "url",
    [
        "https://host",
        "https://host:8443/x",
        "http://localhost:1",
        "http://127.9.9.9",
        "http://[::1]",
    ],
)
def test_https_and_loopback_are_taken(url: str, load: Load) -> None:
    settings = load(f"endpoints:\n  iam: '{url}/'\n")
    assert settings.endpoints.iam == url


SOURCES: dict[str, Any] = {
    "iam_token": SECRET,
    "iam_token_file": "/run/token",
    "service_account_key_file": "/run/key.json",
    "oauth_token": SECRET,
    "metadata": True,
}


@pytest.mark.parametrize("first", SOURCES)
@pytest.mark.parametrize("second", SOURCES)
def test_exactly_one_source_of_credentials_is_taken(
    first: str, second: str, load: Load, refuse: Refuse
) -> None:
    flags = {"credentials": {name: SOURCES[name] for name in (first, second)}}
    if first == second:
        assert load("", flags).credentials.named() == [first]
    else:
        refusal = refuse("", flags)
        assert first in refusal
        assert second in refusal
        assert SECRET not in refusal


def test_no_source_of_credentials_is_taken_too(load: Load) -> None:
    assert load().credentials.named() == []


@pytest.mark.parametrize(
    "credentials",
    [
        f"credentials: {SECRET}",
        f"credentials: [{SECRET}]",
        f"credentials: {{iam_token: [{SECRET}]}}",
        f"credentials: {{iam_token: {{a: {SECRET}}}}}",
        f"credentials: {{metadata: {SECRET}}}",
        f"credentials: {{iam_token: {SECRET}, oauth_token: {SECRET}}}",
        f"credentials: {{iam_token: {SECRET}, metadata_url: 'http://u:{SECRET}@host'}}",
        f"endpoints: {{iam: 'https://user:{SECRET}@host'}}",
    ],
)
def test_a_refusal_never_tells_a_secret(credentials: str, load: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load(credentials)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["iam_token", "oauth_token"])
def test_settings_never_show_a_secret(name: str, load: Load) -> None:
    settings = load("", {"credentials": {name: SECRET}})
    shown = (str(settings), repr(settings), repr(settings.credentials), settings.model_dump_json())
    assert [text for text in shown if SECRET in text] == []
    assert settings.credentials.named() == [name]


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.concurrency = 4
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_the_json_schema_describes_every_key() -> None:
    schema = json.loads(json.dumps(Settings.model_json_schema()))
    models = {"Settings": schema, **schema["$defs"]}
    assert {"Credentials", "Endpoints", "Keep", "Limits", "Network", "Output", "Scope"} <= set(
        models
    )
    bare = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, value in model["properties"].items()
        # A section described in the words of its class has its description there alone.
        if not (value.get("description") or models[value["$ref"].rpartition("/")[2]]["description"])
    ]
    assert bare == []
    assert [name for name, model in models.items() if model["additionalProperties"]] == []


def test_the_metadata_address_is_loopback_only() -> None:
    with pytest.raises(SettingsError, match="clear"):
        Credentials.model_validate({"metadata": True, "metadata_url": "http://169.254.169.254"})
