"""What a program does with snapshots, given the URL of an output or the settings of an export."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from exporter import (
    Manifest,
    Settings,
    errors,
    list_snapshots,
    open_snapshot,
    prune,
    verify,
)
from exporter.settings import S3, Keep, Output
from exporter.snapshots.publish import publish
from exporter.staging.hold import hold
from exporter.storage.access import Access, Key
from exporter.storage.opening import open_destination
from tests import s3
from tests.snapshot.world import START, draft, stage


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Publish three nights."""
    for day, name in enumerate(("one", "two", "three")):
        staging = tmp_path / name
        publish(
            open_destination(str(tmp_path / "out")),
            draft(name, started_at=START + timedelta(day)),
            stage(staging, mark=name, formats=["parquet"]),
            staging=staging,
        )
    return tmp_path / "out"


def ids(output: Settings | str | Path) -> list[str]:
    return [info.snapshot_id for info in list_snapshots(output)]


def test_an_output_may_be_a_path_a_url_or_settings(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out.parent)
    settings = Settings(output=Output(url=str(out)))
    for output in (out, str(out), "out", f"file://{out}", settings):
        assert ids(output) == ["three", "two", "one"]
        with open_snapshot(output, "two") as snapshot:
            assert isinstance(snapshot.manifest, Manifest)
            assert snapshot.manifest.snapshot_id == "two"
            assert snapshot.dataset("images").count_rows() == 5


def test_what_is_not_there_is_told_in_the_words_of_a_library(out: Path) -> None:
    absent = out / "absent"
    for read in (open_snapshot, list_snapshots, verify):
        with pytest.raises(errors.OutputError, match=r"no folder .*: name the output of an"):
            read(absent)
    with pytest.raises(errors.ExporterError, match="There is no snapshot four in "):
        verify(out, "four")
    with pytest.raises(errors.SettingsError, match=r"output\.url: "):
        open_snapshot("ftp://somewhere")


def test_the_problems_of_a_snapshot_are_returned(out: Path) -> None:
    path = "parquet/images/snapshot_id=three/part-00000.parquet"
    (out / path).write_bytes(b"PAR1")
    (out / "manifests" / "latest.json").write_bytes((out / "manifests/two.json").read_bytes())
    found = {problem.where: problem.what for problem in verify(out)}
    assert found[path].startswith("has 4 bytes, and the manifest says ")
    assert found["manifests/latest.json"].startswith("names two, which is not the newest complete ")
    texts = [str(problem) for problem in verify(out, "three")]
    assert texts[0].startswith(f"{path}: has 4 bytes")
    (out / "manifests" / "two.json").write_text("{}")
    with pytest.raises(errors.IntegrityError, match=r"two\.json has no format_version"):
        verify(out, "two")


async def test_pruning_inside_an_event_loop_returns_what_went_and_why_the_rest_stays(
    out: Path,
) -> None:
    choice = await prune(out, keep_last=1, dry_run=True)
    assert choice.remove == ("two", "one")
    assert not (out / ".staging").exists()
    assert await prune(str(out), keep_last=1) == choice
    assert [(kept.snapshot_id, kept.reasons) for kept in choice.keep] == [
        ("three", ("last", "newest complete"))
    ]
    assert ids(out) == ["three"]


async def test_without_a_rule_those_of_the_settings_hold(out: Path) -> None:
    with pytest.raises(
        errors.SettingsError, match="give one of keep_last, keep_daily, keep_weekly "
    ):
        await prune(out)
    settings = Settings(output=Output(url=str(out), keep=Keep(last=2)))
    assert (await prune(settings)).remove == ("one",)
    assert (await prune(settings, keep_last=1)).remove == ("two",)


async def test_what_another_run_holds_is_not_pruned(out: Path) -> None:
    async with hold(open_destination(str(out)), None, "night", 0.0):
        with pytest.raises(errors.LockedError, match="Another run holds the output"):
            await prune(out, keep_last=1)
    assert len(ids(out)) == 3


async def test_reading_may_be_left_to_a_thread_beside_an_event_loop(out: Path) -> None:
    found, listed = await asyncio.gather(
        asyncio.to_thread(verify, out, "one"), asyncio.to_thread(list_snapshots, out)
    )
    assert [problem.where for problem in found] == ["derived tables"] * 3
    assert len(listed) == 3


def test_a_buckets_credentials_come_from_the_environment_the_settings_or_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "s3://bucket/inventory"
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    key = Key(SecretStr("id"), SecretStr("secret"))
    with s3.S3() as server:
        access = Access(endpoint=server.url, path_style=True, key=key)
        publish(
            open_destination(url, access),
            draft("one"),
            stage(tmp_path / "s"),
            staging=tmp_path / "s",
        )
        with open_snapshot(url, access=access) as snapshot:
            assert snapshot.dataset("images").count_rows() == 5
        reach = S3(
            endpoint=server.url,
            path_style=True,
            access_key_id=key.access_key_id,
            secret_access_key=key.secret_access_key,
        )
        assert ids(Settings(output=Output(url=url, s3=reach))) == ["one"]
        for name, value in (
            ("AWS_ENDPOINT_URL_S3", server.url),
            ("AWS_ACCESS_KEY_ID", "named"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ):
            monkeypatch.setenv(name, value)
        server.calls.clear()
        with open_snapshot(url, "one") as snapshot:
            assert snapshot.read("images", ["image_id"]).num_rows == 5
        assert {"Credential=named/" in call.headers["Authorization"] for call in server.calls} == {
            True
        }


def test_settings_of_a_command_are_no_hindrance_to_reading(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What only an export needs is not looked at: a reader has no credentials.
    monkeypatch.setenv("REGISTRY_EXPORTER__CREDENTIALS__IAM_TOKEN", "t1.one")
    monkeypatch.setenv("REGISTRY_EXPORTER__CREDENTIALS__METADATA", "true")
    assert len(ids(out)) == 3
    assert json.loads((out / "manifests" / "latest.json").read_text())["snapshot_id"] == "three"
