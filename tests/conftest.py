"""Fixtures for tests of the whole program: a served cloud, and the command to run against it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

pytest.register_assert_rewrite("tests.oracle", "tests.e2e")

from exporter.emulator import Behaviour, Estate, Faults, Shape  # noqa: E402 - after the rewrite
from tests.e2e.clouds import SMALL, Cloud  # noqa: E402
from tests.e2e.commands import Exporter  # noqa: E402
from tests.policies import EARLY, use  # noqa: E402


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported and collected: it stays to the end."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _all_events() -> None:
    """Undo what an export in this process has configured: each test sees all events."""
    structlog.reset_defaults()


class ServeCloud(Protocol):
    """Serves an estate until the test ends."""

    def __call__(
        self,
        estate: Estate | Shape = SMALL,
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
    ) -> Cloud: ...


@pytest.fixture
def serve_cloud() -> Iterator[ServeCloud]:
    """Return a function that serves an estate, with behaviour and faults, until the test ends."""
    with ExitStack() as stack:

        def serve(
            estate: Estate | Shape = SMALL,
            behaviour: Behaviour | None = None,
            faults: Faults | None = None,
        ) -> Cloud:
            return stack.enter_context(Cloud(estate, behaviour, faults))

        yield serve


@pytest.fixture
def exporter_for(tmp_path: Path) -> Callable[[Cloud | None], Exporter]:
    """Return a function that makes the command for a cloud, in the test's own empty folder."""
    return lambda cloud: Exporter(tmp_path, cloud)


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    """Return an RSA key as PEM: the private one and its public one."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return (
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


@pytest.fixture
def split_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs in this process split listings that they would leave whole for being short."""
    use(monkeypatch, EARLY)
