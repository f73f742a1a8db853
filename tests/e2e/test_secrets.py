"""Secrets stay secret: planted in every source of credentials, found in no byte that is written."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.emulator import Behaviour, Faults, ServiceKey
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import Exporter, Sections
from tests.e2e.worlds import check_against, world_of

IAM_TOKEN = "t1.9euelZqSnpGem-planted-iam-token-7bK0"
OAUTH_TOKEN = "y0_AgAAAAB-planted-oauth-token-3Xw1"
ISSUED = re.compile(rb"t1\.[0-9a-f]{48}")
"""What bearer tokens look like that the emulator gives out."""
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.")
FAULTS = Faults(
    {"503": 0.03, "429": 0.03, "html": 0.03, "truncated": 0.03, "garbage": 0.03},
    seed=4,
    scopes=frozenset({"clouds", "folders", "registries", "repositories", "images", "tokens"}),
)
DEBUG = ("--log-level", "debug", "--debug")


@dataclass(frozen=True)
class Planted:
    """A source of credentials: the settings that name it, its files, and what must stay secret."""

    sections: Sections
    files: dict[str, str]
    environment: dict[str, str]
    secrets: tuple[bytes, ...]


def plant(source: str, private_key: str) -> Planted:
    key = {"id": "key1", "service_account_id": "aje1", "private_key": private_key}
    lines = private_key.encode().splitlines()[1:-1]
    sources = {
        "iam_token": Planted(
            {"iam_token": "${PLANTED}"}, {}, {"PLANTED": IAM_TOKEN}, (IAM_TOKEN.encode(),)
        ),
        "iam_token_file": Planted(
            {"iam_token_file": "token"}, {"token": IAM_TOKEN}, {}, (IAM_TOKEN.encode(),)
        ),
        "oauth_token": Planted(
            {"oauth_token": "${PLANTED}"}, {}, {"PLANTED": OAUTH_TOKEN}, (OAUTH_TOKEN.encode(),)
        ),
        "service_account_key_file": Planted(
            {"service_account_key_file": "key.json"},
            {"key.json": json.dumps(key)},
            {},
            (*lines, b"PRIVATE KEY"),
        ),
    }
    return sources[source]


ENDINGS = [
    ("iam_token", "published"),
    ("iam_token", "killed"),
    ("iam_token", "refused"),
    ("iam_token_file", "published"),
    ("oauth_token", "published"),
    ("oauth_token", "refused"),
    ("service_account_key_file", "published"),
    ("service_account_key_file", "killed"),
    ("service_account_key_file", "refused"),
]


@pytest.fixture
def guarded_cloud(serve_cloud: ServeCloud, keys: tuple[str, str]) -> Cloud:
    """Return a cloud that takes the planted secrets, and has faults."""
    behaviour = Behaviour(
        static_tokens=frozenset({IAM_TOKEN}),
        oauth_tokens=frozenset({OAUTH_TOKEN}),
        service_keys={"key1": ServiceKey("aje1", keys[1])},
        audiences=frozenset({"https://iam.api.il.nebius.cloud/iam/v1/tokens"}),
    )
    return serve_cloud(SMALL, behaviour, FAULTS)


@pytest.mark.parametrize(("source", "ending"), ENDINGS)
def test_no_byte_written_anywhere_holds_a_secret(
    source: str,
    ending: str,
    guarded_cloud: Cloud,
    keys: tuple[str, str],
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    exporter = exporter_for(guarded_cloud)
    planted = plant(source, keys[0])
    for name, content in planted.files.items():
        path = exporter.folder / name
        path.write_text(content)
        path.chmod(0o600)
    exporter.environment.update(planted.environment)
    del exporter.environment["REGISTRY_IAM_TOKEN"]
    sections: dict[str, Any] = {"credentials": {"iam_token": None, **planted.sections}}
    if ending == "refused":
        guarded_cloud.behaviour = Behaviour(static_tokens=frozenset(), oauth_tokens=frozenset())
    process = exporter.start(*DEBUG, sections=sections)
    if ending == "killed":
        guarded_cloud.calls.after(4, lambda: process.signal(signal.SIGKILL))
    run = process.wait()
    expected = {"published": 0, "killed": -signal.SIGKILL, "refused": 4}
    assert run.code == expected[ending], run.stderr
    if ending == "refused":
        assert run.said
        assert run.published == []
    checked = 0
    for path in written_by(exporter, planted):
        checked += 1
        written = path.read_bytes()
        assert not [secret for secret in planted.secrets if secret in written], path
        assert not ISSUED.search(written), path
        assert not JWT.search(written), path
    assert checked >= 2


def written_by(exporter: Exporter, planted: Planted) -> Iterator[Path]:
    """Return every file below the run's folder, its streams included, but for what was planted."""
    ours = {exporter.folder / name for name in planted.files}
    return (path for path in exporter.folder.rglob("*") if path.is_file() and path not in ours)


@pytest.mark.parametrize("token", ["latest", "a", "sha256:"])
def test_a_token_that_stands_in_the_data_is_published_with_it(
    token: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SMALL, Behaviour(static_tokens=frozenset({token})))
    exporter = exporter_for(cloud)
    exporter.environment["REGISTRY_IAM_TOKEN"] = token
    run = exporter.run()
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
