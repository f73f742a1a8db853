"""The emulator as a process of its own."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import exporter.emulator
from exporter.emulator import preset

COMMAND = [sys.executable, "-m", "exporter.emulator"]


def get(url: str, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_serves_and_stops_on_a_signal(number: signal.Signals) -> None:
    given = ["--preset", "tiny", "--images", "30", "--seed", "3", "--page-cache-mb", "1",
             "--fault", "503=0", "--latency-ms", "1", "--rate", "1000", "--pretty"]  # fmt: skip
    with subprocess.Popen([*COMMAND, *given], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            clouds = get(f"{ready['url']}/resource-manager/v1/clouds", ready["token"])["clouds"]
            stats = get(f"{ready['url']}/_emulator/stats")
        finally:
            process.send_signal(number)
        assert process.wait(100) == 0
    assert len(clouds) == ready["clouds"] == preset("tiny").clouds
    assert ready["images"] == 30
    assert stats["calls"] == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--fault", "earthquake=1"], "there is no fault 'earthquake'"),
        (["--fault", "503=2"], "from 0 to 1"),
        (["--preset", "enormous"], "giant-registry"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(given: list[str], says: str) -> None:
    done = subprocess.run([*COMMAND, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert says in done.stderr


def test_it_imports_nothing_else_of_the_package_and_little_from_outside() -> None:
    allowed = {"aiohttp", "jwt", "multidict", "orjson", *sys.stdlib_module_names}
    for module in Path(exporter.emulator.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                name = str(node.module)
                is_own = name.startswith("exporter.emulator")
                assert is_own or name.partition(".")[0] in allowed, module.name
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, module.name
            elif isinstance(node, ast.Import):
                assert {name.name.partition(".")[0] for name in node.names} <= allowed
