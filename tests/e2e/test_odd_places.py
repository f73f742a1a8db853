"""Places that few people have: each works, or ends in a sentence, and none is told to be a bug."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_snapshot
from tests.s3 import S3

NO_TEXT = os.fsdecode(b"b\xff\xfed")
NO_PASSWD = "import os; os.getuid = lambda: 54321"
BUCKET = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize(
    ("flags", "environment", "words"),
    [
        (["--output", NO_TEXT], {}, "output.url b\\xff\\xfed is not UTF-8 text"),
        ([], {"REGISTRY_EXPORTER__OUTPUT__STAGING": NO_TEXT}, "output.staging b\\xff\\xfed is not"),
        (["--output", f"s3://bucket/{NO_TEXT}"], BUCKET, "is not UTF-8 text"),
        (["--output", "file:///a%00b"], {}, "output.url has a zero byte in it"),
        (["--output", "~nobody-such/x"], {}, "begins with a home folder, and this user has none"),
        (["--snapshot-id", NO_TEXT], {}, "cannot be a snapshot id"),
        (["--config", NO_TEXT], {}, "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_named_is_refused_in_a_sentence(
    flags: list[str],
    environment: dict[str, str],
    words: str,
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    exporter = exporter_for(None)
    exporter.environment |= environment
    run = exporter.command("export", "--log-format", "json", *flags)
    assert run.code == 2, run.stderr
    assert words in run.events[-1]["message"]
    assert "This is a bug" not in run.stderr


def test_a_user_without_a_home_is_told_where_a_bucket_could_be_staged(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    exporter = exporter_for(None)
    del exporter.environment["HOME"]
    exporter.environment |= BUCKET
    run = exporter.start_command(
        *("demo", "--images", "20", "--output", "s3://bucket/x", "--log-format", "json"),
        before=NO_PASSWD,
    ).wait()
    assert run.code == 2, run.stderr
    assert "name a folder in output.staging, or set XDG_CACHE_HOME or HOME" in run.stderr


def test_a_folder_whose_name_is_no_text_can_be_worked_in(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    config = exporter.write_config({"output": {"url": "out"}}).read_bytes()
    exporter.folder = exporter.folder / NO_TEXT
    exporter.folder.mkdir()
    (exporter.folder / NO_TEXT).write_bytes(config)
    run = exporter.command("export", "--config", NO_TEXT, "--snapshot-id", "one")
    assert run.code == 0, run.stderr
    # Those that read snapshots cannot be told of such a folder.
    readable = (exporter.folder / "out").rename(exporter.home / "out")
    check_against(read_snapshot(readable, "one"), world_of(cloud.estate))


def test_a_folder_that_is_gone_and_a_place_for_temporary_files_that_is_not_there_do_not_matter(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    exporter.environment["TMPDIR"] = "/nowhere"
    gone = "import os, tempfile; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"
    config = str(exporter.write_config())
    run = exporter.start_command("export", "--config", config, before=gone).wait()
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))


def test_a_bucket_is_listed_without_a_home_and_staged_where_one_can_write(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    exporter.environment |= BUCKET
    with S3() as s3:
        output = {"output": {"url": "s3://bucket/x", "s3": {"endpoint": s3.url}}}
        exporter.environment["HOME"] = "/proc"
        run = exporter.run(sections=output)
        assert run.code == 5, run.stderr
        assert "Cannot stage in /proc/.cache/registry-exporter/" in run.said
        assert "name a folder that can be written in output.staging" in run.said
        del exporter.environment["HOME"]
        config = str(exporter.write_config(output))
        listed = exporter.start_command("list", "--config", config, before=NO_PASSWD).wait()
    assert listed.code == 0, listed.stderr
    assert "There are no snapshots in s3://bucket/x." in listed.stdout
    assert len(cloud.calls) == 0


def test_a_verification_without_a_place_for_temporary_files_says_so(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud())
    snapshot = exporter.export()
    nowhere = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere']"
    run = exporter.start_command(
        "verify", snapshot.id, "--output", str(exporter.output), before=nowhere
    ).wait()
    assert run.code == 5, run.stderr
    assert "name a folder that can be written in TMPDIR" in run.stderr
