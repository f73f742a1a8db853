"""What else is installed beside the program changes nothing about a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INSTALLED = (
    *("aiodns", "bcrypt", "better_exceptions", "brotli", "cloudpickle", "dateutil"),
    *("greenlet", "logfire", "numpy", "pandas", "tornado", "twisted"),
)
EXPLODES = "print('I was imported'); raise SystemError('I was imported')"


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which packages that break whoever imports them are installed."""
    installed = tmp_path / "installed"
    for name in INSTALLED:
        package = installed / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(EXPLODES)
    metadata = installed / "logfire-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: logfire\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pydantic]\nlogfire = logfire:plugin\n")
    return {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(installed)}


def test_no_package_that_happens_to_be_there_takes_part_in_a_run(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    def said(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "exporter", *arguments, "--output", str(tmp_path / "out")],
            check=False,
            capture_output=True,
            text=True,
            env=surroundings,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    told = [said("demo", "--images", "20"), said("list"), said("verify")]
    assert "is sound" in told[2]
    assert "I was imported" not in "".join(told)


@pytest.mark.parametrize("name", ["pandas", "rich"])
def test_who_calls_the_library_may_import_what_they_like(name: str) -> None:
    code = f"import exporter.run, exporter.cli.app, {name}; print({name})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert f"<module '{name}' from" in done.stdout
