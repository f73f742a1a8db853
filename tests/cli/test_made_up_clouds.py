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


def test_the_demo_of_a_registry_reads_only_what_is_new_on_the_second_day(
    exporter_for: ExporterFor,
) -> None:
    run = exporter_for(None).command(
        "demo", "--kind", "oci", "--images", "60", "--output", "snapshots", "--log-format", "json"
    )
    assert run.code == 0, run.stderr
    first, second = [one["requests"] for one in run.events if one["event"] == "export_finished"]
    assert second["calls"] < first["calls"]
    assert second["bytes"] < first["bytes"] / 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--kind", "oci", "--images", "5"), "--images is not for --kind oci"),
        (("--tags", "5"), "--tags is not for --kind cloud"),
        (("--kind", "oci", "--quirk", "earthquake"), "there is no quirk 'earthquake'"),
        (("--kind", "oci", "--fault", "404=1"), "a registry has no fault '404'"),
        (("--kind", "oci", "--preset", "company"), "there are tiny, demo, nightly"),
    ],
)
def test_each_kind_has_options_of_its_own(
    given: tuple[str, ...], says: str, exporter_for: ExporterFor
) -> None:
    run = exporter_for(None).command("emulate", *given)
    assert run.code == 2
    assert says in run.said


@pytest.mark.parametrize(
    ("flag", "value"), [("--rate", "0"), ("--rate", "nan"), ("--max-in-flight", "0")]
)
def test_the_emulator_refuses_to_be_one_that_answers_nothing(
    flag: str, value: str, exporter_for: ExporterFor
) -> None:
    run = exporter_for(None).command("emulate", flag, value)
    assert run.code == 2
    assert run.said.startswith("registry-exporter: The emulator cannot use these options: ")
