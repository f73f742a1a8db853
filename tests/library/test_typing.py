"""A user's program is typed through and through: pyright says so here, mypy in `scripts/check`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import exporter

PROGRAM = Path(__file__).with_name("program.py")


def test_pyright_finds_no_fault_and_every_mistake_in_a_program_of_a_users(tmp_path: Path) -> None:
    # Basedpyright is pyright with the program in its wheel: pyright itself fetches that when run.
    checker = Path(sys.executable).with_name("basedpyright")
    shutil.copy(PROGRAM, tmp_path)
    strict = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(strict))
    done = subprocess.run(
        [checker, "--pythonpath", sys.executable, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "0 errors, 0 warnings" in done.stdout


def test_the_program_uses_every_public_name() -> None:
    text = PROGRAM.read_text(encoding="utf-8")
    imported = text.partition("from exporter import (")[2].partition(")")[0]
    assert [name.strip(",") for name in imported.split()] == exporter.__all__


@pytest.mark.parametrize("name", exporter.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    found = getattr(exporter, name)
    assert name == "__version__" or found.__doc__


@pytest.mark.parametrize("name", ["exprot", "run_export"])
def test_another_name_is_not_there(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'exporter' has no attribute '{name}'"):
        getattr(exporter, name)
