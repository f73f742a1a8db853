"""What the commands show of OCI registries: to a person, and to a program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import LIMIT
from tests.oci.estate import Estate
from tests.oci.exports import ROOT
from tests.oci.server import Registry, serving


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        Estate(running, seed=5, repositories=2).fill(images=3)
        yield running


def run(folder: Path, *line: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose user has an empty home."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", *line],
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def test_a_plan_is_for_a_person_or_a_program(registry: Registry, tmp_path: Path) -> None:
    flags = ("plan", "--registry-url", registry.host)
    shown, told = run(tmp_path, *flags, "--source", "oci"), run(tmp_path, *flags, "--json")
    other = run(tmp_path, *flags, "--source", "cloud")
    assert (other.returncode, other.stderr.count("use --source oci, not cloud")) == (2, 1)
    assert (shown.returncode, told.returncode) == (0, 0), shown.stderr + told.stderr
    assert re.search(r"untagged images +cannot be seen", shown.stdout)
    assert re.search(r"with the cache +about \d+ calls, less than a second", shown.stdout)
    assert "An export would list 1 registry with 2 repositories, in about" in shown.stdout
    content = json.loads(told.stdout)
    (one,) = content["outlook"]
    assert (one["registry_id"], one["flavor"]) == (registry.host, "distribution")
    kinds = ("lists", "manifests", "configs")
    assert one["warm"]["total"] == sum(one["warm"][kind] for kind in kinds)
    assert content["registries"] == 1
    assert {entry["listing"] for entry in content["listings"]} == {"repositories", "tags"}


def test_a_summary_speaks_of_no_clouds_and_of_no_size_that_is_not_known(
    registry: Registry, tmp_path: Path
) -> None:
    metrics, summary = tmp_path / "exporter.prom", tmp_path / "summary.json"
    files = ("--metrics-file", str(metrics), "--summary-json", str(summary))
    flags = ("export", "--source", "oci", "--registry-url", registry.host, *files)
    output = ("--output", str(tmp_path / "out"))
    done = run(tmp_path, *flags, *output, "--log-format", "console")
    assert done.returncode == 0, done.stderr
    assert "\n  1 registry, 2 repositories" in done.stderr
    assert "cloud" not in done.stderr.partition("is complete.")[2]
    totals = json.loads(summary.read_text())["totals"]
    indexes = totals["index_count"]
    assert f"({indexes} index{'' if indexes == 1 else 'es'}, untagged unknown)" in done.stderr
    assert totals["untagged_size"] is None
    values = metrics.read_text()
    assert f"registry_exporter_images {float(totals['image_count'])}" in values
    assert "registry_exporter_untagged_bytes" not in values


def test_a_check_says_where_the_credentials_of_each_registry_stand(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "source: oci\n"
        "oci:\n"
        "  cache: off\n"
        "  registries:\n"
        "    - {registry: a.example.com, username: alice, password: planted-password}\n"
        "    - {registry: b.example.com:5000}\n"
        "    - {registry: c.example.com}\n"
        "    - {registry: d.example.com}\n"
    )
    file = tmp_path / ".docker/config.json"
    file.parent.mkdir()
    own = {"b.example.com:5000": {"auth": "YWxpY2U6cGxhbnRlZC1wYXNzd29yZA=="}}
    file.write_text(json.dumps({"auths": own, "credHelpers": {"c.example.com": "never-started"}}))
    done = run(tmp_path, "config", "check", "--config", str(settings))
    assert done.returncode == 0, done.stderr
    helper = f"docker-credential-never-started, which {file} names"
    assert done.stdout.splitlines()[-5:] == [
        "# Registry a.example.com: credentials from oci.registries",
        f"# Registry b.example.com:5000: credentials from {file}",
        f"# Registry c.example.com: credentials from {helper}",
        "# Registry d.example.com: no credentials, so called anonymously",
        "# Cache: none",
    ]
    assert "planted" not in done.stdout
