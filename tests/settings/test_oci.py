"""The settings of `source: oci`: what a registry may be called, and how a wrong one is refused."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from exporter.cli.app import app
from exporter.cli.options import settings_flags
from exporter.errors import SettingsError
from exporter.settings import load_settings
from tests.settings.conftest import Load, Refuse


@pytest.mark.parametrize(
    ("told", "registry", "host"),
    [
        ("registry.example.com", "registry.example.com", "registry.example.com"),
        ("https://Reg.Example.com:5000/", "reg.example.com:5000", "reg.example.com:5000"),
        ("reg.example.com/artifactory/api", "reg.example.com/artifactory/api", "reg.example.com"),
        ("http://localhost:5000", "localhost:5000", "localhost:5000"),
        ("[::1]:5000", "[::1]:5000", "[::1]:5000"),
        ("index.docker.io", "docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io", "docker.io"),
    ],
)
def test_a_registry_is_named_by_its_host(told: str, registry: str, host: str, load: Load) -> None:
    flags = {"source": "oci", "oci": {"registries": [{"registry": told}]}}
    (one,) = load("", flags).oci.registries
    assert (one.registry, one.host) == (registry, host)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("source: oci", "source: oci needs a registry: name one in oci.registries."),
        (
            "oci: {registries: [{registry: 'http://reg.example.com'}]}",
            "line 1: oci.registries[0].registry: write the host alone, and plain_http: true",
        ),
        ("oci: {registries: [{registry: 'ftp://a.b'}]}", "not a registry such as"),
        ("oci: {registries: [{registry: 'user:hush@a.b'}]}", "a host with its port"),
        ("oci: {registries: [{registry: '--json'}]}", "a host with its port"),
        (
            "oci: {registries: [{registry: docker.io}, {registry: index.docker.io}]}",
            "docker.io stands twice in oci.registries; name it once",
        ),
        (
            "oci: {registries: [{registry: a.b, username: alice}]}",
            "password is needed too; name both, or neither",
        ),
        ("oci: {registries: [{registry: a.b, repositories: [' x']}]}", "not the name of a reposit"),
        ("oci: {registries: [{registryy: a.b}]}", "did you mean oci.registries.registry?"),
        (
            "{source: oci, oci: {registries: [{registry: a.b}]}, scope: {folders: [b1g]}}",
            "scope.folders is of a cloud; with source: oci, name hosts in scope.registries",
        ),
        (
            "{source: oci, oci: {registries: [{registry: a.b}]}, scope: {registries: [c.d]}}",
            "scope names the registry c.d, which is none of oci.registries; name one of a.b",
        ),
        ("source: cluod", "'cloud' or 'oci' is needed"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(text: str, reason: str, refuse: Refuse) -> None:
    refusal = refuse(text)
    assert reason in refusal
    assert "hush" not in refusal


def test_flags_name_registries_and_the_tags_that_never_move() -> None:
    flags = settings_flags(source="oci", registry_urls=["a.b", "c.d"], immutable_tags=["v*"])
    told = load_settings(None, flags).oci.registries
    assert [(one.host, one.immutable_tags) for one in told] == [("a.b", ["v*"]), ("c.d", ["v*"])]
    with pytest.raises(SettingsError, match="--immutable-tags is about the registries of"):
        settings_flags(immutable_tags=["v*"])


def test_registries_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__SOURCE", "oci")
    monkeypatch.setenv("REGISTRY_EXPORTER__OCI__REGISTRIES", '[{"registry": "a.b:5000"}]')
    assert load_settings().oci.registries[0].host == "a.b:5000"


def test_what_is_in_force_shows_registries_and_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__SOURCE", "oci")
    secret = "a-secret-of-alice"
    registries = f'[{{"registry": "a.b", "username": "alice", "password": "{secret}"}}]'
    monkeypatch.setenv("REGISTRY_EXPORTER__OCI__REGISTRIES", registries)
    shown = CliRunner().invoke(app, ["config", "check"], catch_exceptions=False).output
    assert "registry: a.b" in shown
    assert "password: '**********'" in shown
    assert "# Registry a.b: credentials from oci.registries\n" in shown
    assert "API:" not in shown
    assert secret not in shown
