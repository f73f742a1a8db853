"""Credentials are found where docker, podman and skopeo keep them, and only for their own host."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from exporter.settings import OciRegistry
from exporter.sources.oci.credentials.find import CredentialFinder, Credentials


def auth(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def entry(user: str) -> dict[str, str]:
    return {"auth": auth(user, f"{user}-password")}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def found(
    home: Path, registry: str = "reg.example:5000", repository: str = "", **environment: str
) -> Credentials | None:
    finder = CredentialFinder(OciRegistry(registry=registry), environment, home)
    return finder.find(repository)


def who(credentials: Credentials | None) -> str | None:
    return None if credentials is None else credentials.username


def test_the_first_place_with_the_host_counts(tmp_path: Path) -> None:
    host = "reg.example:5000"
    places = [
        (tmp_path / "docker/config.json", {"DOCKER_CONFIG": str(tmp_path / "docker")}),
        (tmp_path / ".docker/config.json", {}),
        (tmp_path / "auth.json", {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}),
        (tmp_path / "run/containers/auth.json", {"XDG_RUNTIME_DIR": str(tmp_path / "run")}),
        (tmp_path / ".config/containers/auth.json", {}),
    ]
    environment: dict[str, str] = {}
    for place, (path, variables) in reversed(list(enumerate(places))):
        write(path, {"auths": {host: entry(f"user{place}"), "other.example": entry("other")}})
        environment |= variables
        assert who(found(tmp_path, **environment)) == f"user{place}"
    environment["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {host: entry("first")}})
    credentials = found(tmp_path, **environment)
    assert who(credentials) == "first"
    settings = OciRegistry(registry=host, username="bob", password=SecretStr("of the settings"))
    assert who(CredentialFinder(settings, environment, tmp_path).find()) == "bob"


@pytest.mark.parametrize(
    ("registry", "repository", "key"),
    [
        ("reg.example:5000", "", "reg.example:5000"),
        ("reg.example:5000", "team/app", "reg.example:5000/team"),
        ("reg.example:5000", "", "https://reg.example:5000/v1/"),
        ("reg.example:5000", "", "https://Reg.example:5000/v2/"),
        ("docker.io", "library/nginx", "https://index.docker.io/v1/"),
        ("docker.io", "library/nginx", "docker.io"),
        ("registry-1.docker.io", "", "index.docker.io"),
    ],
)
def test_a_key_of_the_host_is_known_in_all_its_forms(
    registry: str, repository: str, key: str, tmp_path: Path
) -> None:
    write(tmp_path / ".docker/config.json", {"auths": {key: entry("alice")}})
    assert who(found(tmp_path, registry, repository)) == "alice"
    assert who(found(tmp_path, "elsewhere.example", repository)) is None


def test_the_longest_path_counts(tmp_path: Path) -> None:
    keys = {"reg.example": entry("all"), "reg.example/team": entry("team")}
    write(tmp_path / ".config/containers/auth.json", {"auths": keys})
    assert who(found(tmp_path, "reg.example", "team/app")) == "team"
    assert who(found(tmp_path, "reg.example", "teams/app")) == "all"
    assert who(found(tmp_path, "reg.example.org", "team/app")) is None


def test_tokens_are_told_from_passwords(tmp_path: Path) -> None:
    entries = {
        "a.example": {"auth": auth("u", ""), "identitytoken": "identity"},
        "b.example": {"registrytoken": "bearer"},
        "c.example": {"username": "u", "password": "p:w"},
        "d.example": {"auth": auth("<token>", "identity too")},
    }
    write(tmp_path / ".docker/config.json", {"auths": entries})
    secrets = {}
    for host in entries:
        credentials = found(tmp_path, host)
        assert credentials is not None
        tokens = (credentials.password, credentials.identity_token, credentials.registry_token)
        secrets[host] = [token and token.get_secret_value() for token in tokens]
        assert all(str(token) == "**********" for token in tokens if token is not None)
    assert secrets == {
        "a.example": [None, "identity", None],
        "b.example": [None, None, "bearer"],
        "c.example": ["p:w", None, None],
        "d.example": [None, "identity too", None],
    }


def test_a_helper_is_asked_for_its_host_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/docker-credential-vault"
    script = (
        "#!/bin/sh\nread -r host\n"
        f'echo "$1 $host" >> {tmp_path}/asked\n'
        """[ "$host" = none.example ] && { echo "credentials not found"; exit 1; }\n"""
        """echo '{"ServerURL": "'$host'", "Username": "<token>", "Secret": "of '$host'"}'\n"""
    )
    write(program, script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    content = {
        "credHelpers": {"helped.example": "vault", "evil.example": "../../bin/sh"},
        "credsStore": "vault",
        "auths": {"auths.example": entry("alice")},
    }
    write(tmp_path / ".docker/config.json", content)
    helped = found(tmp_path, "helped.example")
    assert helped is not None
    assert helped.identity_token is not None
    assert helped.identity_token.get_secret_value() == "of helped.example"
    assert who(found(tmp_path, "auths.example")) == "alice"
    assert found(tmp_path, "none.example") is None
    assert found(tmp_path, "evil.example") is None
    assert found(tmp_path, "docker.io") is not None
    assert (tmp_path / "asked").read_text().splitlines() == [
        "get helped.example",
        "get none.example",
        "get https://index.docker.io/v1/",
    ]


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", '{"auths": ')
    write(tmp_path / ".config/containers/auth.json", {"auths": {"reg.example": entry("alice")}})
    assert who(found(tmp_path, "reg.example")) == "alice"
