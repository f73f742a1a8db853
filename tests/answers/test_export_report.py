"""The report that an export writes beside its snapshot."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter


def test_an_export_writes_a_report_that_goes_with_its_snapshot(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud())
    asks = {"output": {"report": True, "keep": {"last": 1}}}
    first = exporter.export(asks, snapshot_id="first")
    reports = exporter.output / "reports"
    assert "<!DOCTYPE html>" in (reports / "first.html").read_text(encoding="utf-8")
    assert first.manifest["status"] == "complete"
    exporter.export(asks, snapshot_id="second")
    assert [path.name for path in reports.iterdir()] == ["second.html"]
    verified = exporter.command("verify", "--output", str(exporter.output))
    assert (verified.code, verified.stderr) == (0, "")


def test_a_report_that_cannot_be_written_does_not_fail_the_export(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud())
    exporter.output.mkdir()
    (exporter.output / "reports").write_text("not a folder")
    run = exporter.run(sections={"output": {"report": True}})
    assert (run.code, len(run.published)) == (0, 1)
    assert [event["level"] for event in run.events if event["event"] == "report_failed"] == [
        "error"
    ]
