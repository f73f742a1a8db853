"""Buckets of one's own cloud: settings, odd services, two machines; by the command, over HTTP."""

from __future__ import annotations

import json
import signal
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.emulator import Faults, Shape
from tests.certificates import signed
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.waiting import until
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_snapshot
from tests.proxy import Proxy
from tests.s3 import S3, Call, Oddities

ID, SECRET, SESSION = (
    "AKIAPLANTEDID00",
    "planted/secret+key/0123456789abcdef",
    "planted-session-tok",
)
SHAPE = Shape(clouds=1, folders=2, registries=3, repositories=8, images=60, layers=3)
HANGING = Faults({"hang": 1.0}, in_a_row=1_000_000)
QUICK = "import exporter.storage.lease as lease; lease.RENEWAL = 0.1"
LOCK = "/bucket/inventory/.lock"


@pytest.fixture
def s3() -> Iterator[S3]:
    """Serve an empty bucket."""
    with S3() as served:
        yield served


def reaching(s3: S3, **more: Any) -> dict[str, Any]:
    """Return settings for an output in the served bucket."""
    key = {"access_key_id": ID, "secret_access_key": SECRET}
    return {
        "output": {
            "url": "s3://bucket/inventory",
            "s3": {"endpoint": s3.url, "region": "ru-central1", **key, **more},
        }
    }


def machine(exporter: Exporter, name: str) -> Exporter:
    """Return the command as another machine has it: with a folder and a home of its own."""
    folder = exporter.folder / name
    folder.mkdir()
    return Exporter(folder, exporter._cloud)


def ranged(call: Call) -> bool:
    return "range" in {name.lower() for name in call.headers}


def start(exporter: Exporter, s3: S3, *flags: str, before: str = "", **more: Any) -> Any:
    config = str(exporter.write_config(reaching(s3, **more)))
    return exporter.start_command(
        *("export", "--config", config, "--log-format", "json", *flags), before=before
    )


def check_published(s3: S3, cloud: Cloud, folder: Path, snapshot_id: str) -> None:
    """Check what is in the bucket, and that `latest.json` names it."""
    copied = s3.copy_to(folder, "inventory")
    check_against(read_snapshot(copied, snapshot_id), world_of(cloud.estate))
    latest = json.loads((copied / "manifests" / "latest.json").read_bytes())
    assert latest["snapshot_id"] == snapshot_id


def test_a_bucket_of_ones_own_cloud_is_written_listed_and_verified_and_its_key_stays_secret(
    s3: S3,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    tmp_path: Path,
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    exporter.environment |= {
        "PLANTED": SECRET,
        # Of another account: nothing of it may mix with the key that is named.
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL_S3": "https://other.example.net",
    }
    (exporter.folder / "session").write_text(SESSION)
    secrets = {"secret_access_key": "${PLANTED}", "session_token": "${file:session}"}
    s3.oddities = Oddities(region="ru-central1", refuses_chunked=True)
    run = start(exporter, s3, "--snapshot-id", "one", "--log-level", "debug", **secrets).wait()
    assert run.code == 0, run.stderr
    check_published(s3, cloud, tmp_path / "copy", "one")
    assert "inventory/.lock" not in s3.names()
    assert {call.headers.get("x-amz-security-token") for call in s3.calls} == {SESSION}
    assert all(f"Credential={ID}/" in call.headers["Authorization"] for call in s3.calls)
    config = str(exporter.folder / "settings.yaml")
    listed = exporter.command("list", "--config", config)
    assert "one" in listed.stdout, listed.stderr
    before = len(s3.calls)
    verified = exporter.command("verify", "--config", config)
    assert "Snapshot one is sound." in verified.stdout, verified.stderr
    whole = [call for call in s3.calls[before:] if call.method == "GET" and not ranged(call)]
    copies = Counter(call.path for call in whole if call.path.endswith(".parquet"))
    assert set(copies.values()) == {1}, "each Parquet file is copied once"
    checked = exporter.command("config", "check", "--config", config)
    assert s3.url in checked.stdout
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    written = [data for data in written if data != SESSION.encode()] + list(s3.objects.values())
    assert not [data for data in written for word in (SECRET, SESSION) if word.encode() in data]
    assert ID.encode() not in b"".join(s3.objects.values())
    assert ID not in checked.stdout


@pytest.mark.parametrize(
    ("oddities", "words"),
    [
        (Oddities(region="eu-north-1"), "set output.s3.region to eu-north-1"),
        (Oddities(denied=frozenset({"PUT"})), "access is denied; give the key the right to"),
        (Oddities(silent=True), "its service does not answer; check output.s3.endpoint"),
    ],
    ids=["region", "denied", "silent"],
)
def test_a_bucket_that_cannot_be_written_ends_in_a_sentence_before_any_call(
    oddities: Oddities,
    words: str,
    s3: S3,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE)
    s3.oddities = oddities
    brief = (
        "from datetime import timedelta; import exporter.storage.stores as stores; "
        "stores._QUICK_CALL = timedelta(seconds=0.2)"
    )
    run = start(exporter_for(cloud), s3, before=brief if oddities.silent else "").wait()
    assert run.code == 5, run.stderr
    assert words in run.said
    assert "s3://bucket/inventory" in run.said
    assert SECRET not in run.stderr
    assert len(cloud.calls) == 0


def test_a_bucket_is_given_up_within_half_a_minute() -> None:
    from exporter.storage import stores  # noqa: PLC0415

    # A last attempt may begin just before the end of the time for attempts.
    longest = stores._QUICK["retry_timeout"] + stores._QUICK_CALL
    assert longest.total_seconds() < 28


def test_a_writer_that_may_not_delete_publishes_and_leaves_a_free_lock(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    s3.oddities = Oddities(denied=frozenset({"DELETE"}))
    exporter = exporter_for(cloud)
    for name in ("one", "two"):
        run = start(exporter, s3, "--snapshot-id", name).wait()
        assert run.code == 0, run.stderr
        check_published(s3, cloud, tmp_path / name, name)
        assert s3.objects[LOCK] == b'{"state":"free"}'
    strays = [key for key in s3.names() if not key.startswith(("inventory/manifests/",))]
    assert [key for key in strays if "/snapshot_id=" not in key] == ["inventory/.lock"]


@pytest.mark.parametrize("conditions", ["ignored", "refused"])
def test_a_store_without_conditional_writes_is_said_to_know_no_lock(
    conditions: Any,
    s3: S3,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    tmp_path: Path,
) -> None:
    cloud = serve_cloud(SHAPE)
    s3.oddities = Oddities(conditions=conditions)
    run = start(exporter_for(cloud), s3, "--snapshot-id", "one").wait()
    assert run.code == 0, run.stderr
    warnings = [event for event in run.events if event["event"] == "lock_is_this_machines"]
    assert ["takes no conditional writes" in event["message"] for event in warnings] == [True]
    check_published(s3, cloud, tmp_path / "copy", "one")
    assert LOCK not in s3.objects


def test_of_two_machines_at_once_one_publishes_and_the_other_exits_11(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    first = start(exporter, s3, "--snapshot-id", "one", before=QUICK)
    until(lambda: cloud.calls.in_flight > 0, "the first run asks for something")
    second = start(machine(exporter, "other"), s3, "--snapshot-id", "two").wait()
    assert second.code == 11, second.stderr
    assert f"process {first.pid} on " in second.said
    assert "for snapshot one; let it finish" in second.said
    cloud.mend()
    first.signal(signal.SIGTERM)
    assert first.wait().code == 143
    again = start(exporter, s3, "--snapshot-id", "one").wait()
    assert again.code == 0, again.stderr
    check_published(s3, cloud, tmp_path / "copy", "one")


def test_a_killed_holder_blocks_no_machine_for_ever_and_its_own_not_at_all(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    for _ in range(2):
        cloud.faults = HANGING
        killed = start(exporter, s3, "--snapshot-id", "one")
        until(lambda: cloud.calls.in_flight > 0, "the run asks for something")
        killed.signal(signal.SIGKILL)
        assert killed.wait().code == -signal.SIGKILL
        until(lambda: cloud.calls.in_flight == 0, "its calls are gone")
    cloud.mend()
    left = s3.objects[LOCK]
    # Time is short for the other machine alone: what it waits for is not the test's to wait for.
    brief = "import exporter.storage.lease as lease; lease._lease_of = lambda _: 0.5"
    other = start(machine(exporter, "other"), s3, "--snapshot-id", "two", before=brief).wait()
    assert other.code == 0, other.stderr
    assert "lock_watched" in [event["event"] for event in other.events]
    check_published(s3, cloud, tmp_path / "two", "two")
    s3.objects[LOCK] = left
    own = start(exporter, s3, "--snapshot-id", "one").wait()
    assert own.code == 0, own.stderr
    assert "lock_watched" not in [event["event"] for event in own.events]


def test_a_holder_that_finds_its_lock_taken_publishes_nothing(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    taken = json.dumps({"state": "held", "token": "t", "host": "elsewhere", "pid": 7}).encode()

    def take(call: Call) -> None:
        # While its files go up: the next one to be written is the manifest's sum.
        if call.method == "PUT" and "/parquet/coverage/" in call.path:
            s3.objects[LOCK] = taken

    s3.before = take
    exporter = exporter_for(cloud)
    run = start(exporter, s3, "--snapshot-id", "one").wait()
    assert run.code == 11, run.stderr
    assert "process 7 on elsewhere" in run.said
    assert not [key for key in s3.names() if "/manifests/" in key]
    assert s3.objects[LOCK] == taken
    s3.before = lambda _call: None
    del s3.objects[LOCK]
    again = start(exporter, s3, "--snapshot-id", "one").wait()
    assert again.code == 0, again.stderr


def test_a_lock_that_is_taken_while_it_lists_ends_the_run(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    process = start(exporter_for(cloud), s3, before=QUICK)
    until(lambda: cloud.calls.in_flight > 0, "the run asks for something")
    s3.objects[LOCK] = b"something else"
    run = process.wait()
    assert run.code == 11, run.stderr
    assert "its holder does not say who it is" in run.said


def test_a_latest_that_changed_meanwhile_is_read_again(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    path = "/bucket/inventory/manifests/latest.json"
    writes = 0

    def interfere(call: Call) -> None:
        nonlocal writes
        if call.method == "PUT" and call.path == path:
            writes += 1
            if writes == 1:
                s3.objects[path] = b"what another run put there"

    s3.before = interfere
    run = start(exporter, s3, "--snapshot-id", "one").wait()
    assert run.code == 0, run.stderr
    assert writes == 2
    check_published(s3, cloud, tmp_path / "copy", "one")


def test_a_private_authority_and_the_proxy_hold_for_the_bucket_too(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    authority, certificate = signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with S3(tls=context) as s3, Proxy() as proxy:
        settings = reaching(s3)
        refused = exporter.run(sections=settings)
        assert refused.code == 5, refused.stderr
        assert "its service's certificate" in refused.said
        trusting = {"network": {"ca_file": str(authority)}, **settings}
        exporter.environment["HTTPS_PROXY"] = proxy.url
        run = exporter.run("--snapshot-id", "one", sections=trusting)
        assert run.code == 0, run.stderr
        assert proxy.asked == {s3.url.removeprefix("https://")}
        check_published(s3, cloud, tmp_path / "copy", "one")
        proxy.asked.clear()
        exporter.environment["NO_PROXY"] = "127.0.0.0/8"
        listed = exporter.command("list", "--config", str(exporter.folder / "settings.yaml"))
        assert "one" in listed.stdout, listed.stderr
        assert not proxy.asked


def test_google_cloud_storage_is_locked_by_generations(
    s3: S3, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    output = {"output": {"url": "gs://bucket/inventory", "gs": {"endpoint": s3.url}}}
    for name in ("one", "two"):
        run = exporter.run("--snapshot-id", name, sections=output)
        assert run.code == 0, run.stderr
        assert "lock_is_this_machines" not in [event["event"] for event in run.events]
        check_published(s3, cloud, tmp_path / name, name)
    locked = [call for call in s3.calls if call.path == LOCK and call.method == "PUT"]
    assert all("x-goog-if-generation-match" in call.headers for call in locked)
    assert LOCK not in s3.objects
