"""`demo` and `emulate`: what they take no notice of, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter

ExporterFor = Callable[[Cloud | None], Exporter]


def test_the_demo_takes_nothing_from_the_environment_of_the_nightly_job(
    exporter_for: ExporterFor,
) -> None:
    exporter = exporter_for(None)
    exporter.environment |= {
        "REGISTRY_EXPORTER__SCOPE__FOLDERS": "b1gnightly00000000000",
        "REGISTRY_EXPORTER__OUTPUT__KEEP": '{"last": 1}',
        "REGISTRY_EXPORTER__CREDENTIALS__IAM_TOKEN_FILE": "/nonexistent/token",
        "REGISTRY_EXPORTER_OUTPUT_URL": "s3://nightly",
    }
    for _ in range(2):
        run = exporter.command("demo", "--images", "20", "--output", "snapshots")
        assert run.code == 0, run.stderr
    assert len(run.published) == 4


@pytest.mark.parametrize(
    ("flag", "value"), [("--rate", "0"), ("--rate", "nan"), ("--max-in-flight", "0")]
)
def test_the_emulator_refuses_to_be_one_that_answers_nothing(
    flag: str, value: str, exporter_for: ExporterFor
) -> None:
    run = exporter_for(None).command("emulate", flag, value)
    assert run.code == 2
    assert run.said.startswith("registry-exporter: The emulator cannot use these options: ")
