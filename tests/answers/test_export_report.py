"""The report that an export writes beside its snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exporter import Settings, export, verify
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.s3 import S3


def test_an_export_writes_a_report_to_its_bucket_that_goes_with_its_snapshot(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud())
    with S3() as server:
        keys = {"access_key_id": "id", "secret_access_key": "secret"}
        output = {
            "url": "s3://bucket/images",
            "s3": {"endpoint": server.url, "region": "us-east-1", **keys},
            "staging": str(exporter.folder / "staging"),
            "report": True,
            "keep": {"last": 1},
        }
        token = {"iam_token": Cloud.token}
        settings = Settings(**exporter.settings({"credentials": token, "output": output}))
        for name in ("first", "second"):
            asyncio.run(export(settings, snapshot_id=name))
            page = server.objects[f"/bucket/images/reports/{name}.html"]
            assert f"snapshot {name}</span>" in page.decode()
        reports = [name for name in server.names() if name.startswith("images/reports/")]
        assert reports == ["images/reports/second.html"]
        assert verify(settings) == []


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
