"""Files for other programs: replaced whole, and written into where they are no regular files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from exporter.cli.process.reports import can_write, write_report


def test_a_regular_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("earlier, and longer")
    before = path.stat().st_ino
    write_report(path, "now\n")
    assert path.read_text() == "now\n"
    assert path.stat().st_ino != before
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_a_link_stays_and_what_it_leads_to_is_replaced(there: bool, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "target.json"
    if there:
        target.write_text("earlier")
    link = tmp_path / "out.json"
    link.symlink_to(target)
    write_report(link, "now\n")
    assert link.is_symlink()
    assert not target.is_symlink()
    assert target.read_text() == "now\n"


@pytest.mark.parametrize("linked", [False, True], ids=["named", "by a link"])
def test_a_fifo_is_written_into_and_stays_one(linked: bool, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = fifo
    if linked:
        path = tmp_path / "link"
        path.symlink_to(fifo)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(fifo.read_text()), daemon=True)
    reader.start()
    assert can_write(path)
    write_report(path, "now\n")
    reader.join(100)
    assert heard == ["now\n"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.parametrize("number", [1, 2])
def test_what_a_stream_goes_to_is_written_into_and_keeps_what_it_had(
    number: int, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("earlier\n")
    code = (
        "import sys; from pathlib import Path\n"
        "from exporter.cli.process.reports import write_report\n"
        "stream = (sys.stdout, sys.stderr)[int(sys.argv[2]) - 1]\n"
        "stream.write('before\\n'); write_report(Path(sys.argv[1]), 'report\\n')\n"
        "stream.write('after\\n')"
    )
    with log.open("a") as stream:
        streams = {1: "stdout", 2: "stderr"}
        subprocess.run(
            [sys.executable, "-c", code, f"/dev/fd/{number}", str(number)],
            check=True,
            timeout=300,
            **{streams[number]: stream},  # type: ignore[call-overload] # one of its keywords
        )
    assert log.read_text() == "earlier\nbefore\nreport\nafter\n"


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    assert can_write(tmp_path / "new.json")
    assert not can_write(tmp_path)
    assert not can_write(tmp_path / "nowhere" / "new.json")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "new.json")
    assert not can_write(tmp_path / "link")


def test_a_failed_write_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("earlier")
    code = (
        "import resource, sys; from pathlib import Path\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from exporter.cli.process.reports import write_report\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try:\n    write_report(Path(sys.argv[1]), 'x' * 100)\n"
        "except OSError:\n    raise SystemExit(7)\n"
    )
    # Coverage's data would not fit either.
    kept = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, check=False, timeout=300, env=kept)
    assert run.returncode == 7
    assert path.read_text() == "earlier"
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]
