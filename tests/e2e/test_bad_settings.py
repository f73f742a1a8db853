"""Settings, flags and credentials that cannot be used: exit code, one sentence, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.emulator import Behaviour
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import Exporter, Run, Sections


def refused(run: Run, code: int, *words: str) -> None:
    """Check that a run ended with a sentence that has all these words, and left nothing."""
    assert run.code == code, run.stderr
    assert "Traceback" not in run.stderr
    for word in words:
        assert word in run.said, run.stderr
    assert run.published == []
    assert not list(run.output.rglob("*.parquet"))


BAD_SETTINGS: dict[str, tuple[Sections, tuple[str, ...]]] = {
    "an unknown key": (
        {"limits": {"concurency": 4}},
        ("limits.concurency", "line ", "limits.concurrency"),
    ),
    "an unknown section": ({"limit": {"page_size": 4}}, ("limit", "line ", "limits")),
    "a text for a number": ({"limits": {"page_size": "many"}}, ("limits.page_size", "line ")),
    "a page larger than the API gives": (
        {"limits": {"page_size": 5000}},
        ("limits.page_size", "1000"),
    ),
    "no format": ({"output": {"formats": []}}, ("output.formats",)),
    "an unknown format": ({"output": {"formats": ["csv"]}}, ("output.formats", "ndjson")),
    "an unknown scheme": ({"output": {"url": "ftp://host/x"}}, ("output.url", "ftp")),
    "a retention that keeps nothing": ({"output": {"keep": {}}}, ("output.keep", "monthly")),
    "plain http to another machine": (
        {"endpoints": {"container_registry": "http://registry.example.com"}},
        ("endpoints.container_registry", "http"),
    ),
    "a port that is none": ({"domain": "http://127.0.0.1:99999"}, ("domain", "line ", "port")),
    "a domain that is none": ({"domain": "foo..bar"}, ("domain", "line ", "foo..bar")),
    "an endpoint with a port that is none": (
        {"endpoints": {"iam": "http://127.0.0.1:99999"}},
        ("endpoints.iam", "line ", "port"),
    ),
    "two sources of credentials": (
        {"credentials": {"metadata": True}},
        ("iam_token", "metadata"),
    ),
    "an environment variable that is not set": (
        {"credentials": {"iam_token": "${NOBODY_SET_THIS}"}},
        ("NOBODY_SET_THIS", "credentials.iam_token"),
    ),
}


@pytest.mark.parametrize(("sections", "words"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_setting_that_cannot_be_used_is_named(
    sections: Sections,
    words: tuple[str, ...],
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud()
    refused(exporter_for(cloud).run(sections=sections), 2, *words)
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--snapshot-id", "../escape"), "../escape"),
        (("--snapshot-id", "latest"), "latest"),
        (("--format", "csv"), "csv"),
        (("--concurrency", "0"), "--concurrency: limits.concurrency"),
        (("--no-such-flag",), "--no-such-flag"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(
    flags: tuple[str, ...],
    word: str,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud()
    refused(exporter_for(cloud).run(*flags), 2, word)
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("s3://minio:9000/x", "output.s3.endpoint"),
        ("s3://AKIAKEY:SeCrEt@bucket/x", "output.s3.access_key_id"),
        ("s3://bucket/a//b", "empty"),
        ("file:/tmp/zz", "file:///"),
    ],
)
@pytest.mark.parametrize("command", ["export", "config check"])
def test_an_output_that_cannot_be_one_is_refused_at_once_and_not_quoted(
    command: str, url: str, word: str, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    exporter = exporter_for(None)
    exporter.environment["REGISTRY_EXPORTER__OUTPUT__URL"] = url
    run = exporter.command(*command.split())
    refused(run, 2, "REGISTRY_EXPORTER__OUTPUT__URL in the environment: output.url: ", word)
    assert "SeCrEt" not in run.stdout + run.stderr
    assert not (exporter.folder / "file:").exists()


def test_a_settings_file_that_is_not_there_is_named(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    run = exporter_for(None).command("export", "--config", "nowhere.yaml")
    refused(run, 2, "nowhere.yaml")


def test_a_settings_file_that_is_no_yaml_is_named_with_its_line(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    exporter = exporter_for(None)
    path = exporter.folder / "broken.yaml"
    path.write_text("limits:\n  page_size: [1\nscope: {}\n")
    refused(exporter.command("export", "--config", str(path)), 2, "broken.yaml", "line 3")


@pytest.mark.parametrize("text", ["limits: &a {b: *a}\n", "[" * 5000])
def test_a_settings_file_without_an_end_is_refused(
    text: str, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    exporter = exporter_for(None)
    path = exporter.folder / "endless.yaml"
    path.write_text(text)
    refused(exporter.command("config", "check", "--config", str(path)), 2, "endless.yaml")


def test_a_token_that_is_refused_is_told_from_other_troubles(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SMALL, Behaviour(static_tokens=frozenset({"another"})))
    refused(exporter_for(cloud).run(), 4, "token")
    assert len(cloud.calls) <= 4


def test_without_any_credentials_the_ways_to_give_them_are_named(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SMALL, Behaviour(metadata=False))
    exporter = exporter_for(cloud)
    del exporter.environment["REGISTRY_IAM_TOKEN"]
    # The metadata service of the machine the tests run on is not to be asked.
    credentials: dict[str, Any] = {"iam_token": None, "metadata_url": cloud.url}
    run = exporter.run(sections={"credentials": credentials})
    refused(run, 4, "credentials")
    assert not cloud.calls.of("clouds")


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak"])
def test_a_token_that_cannot_be_sent_is_refused_before_any_call(
    token: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    exporter.environment["REGISTRY_IAM_TOKEN"] = token
    run = exporter.run()
    assert run.code in (2, 4), run.stderr
    assert "Traceback" not in run.stderr
    assert run.said
    assert run.published == []
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "key.json"),
        ("{}", "key.json"),
        ("[1, 2]", "key.json"),
        ('{"id": "k", "service_account_id": "a", "private_key": "no PEM"}', "private_key"),
    ],
)
def test_a_key_file_that_is_no_key_is_named(
    content: str, word: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    path = exporter.folder / "key.json"
    path.write_text(content)
    path.chmod(0o600)
    credentials = {"iam_token": None, "service_account_key_file": str(path)}
    run = exporter.run(sections={"credentials": credentials})
    refused(run, 4, word)
    assert len(cloud.calls) == 0
