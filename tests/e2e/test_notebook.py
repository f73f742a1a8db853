"""A notebook's cell takes an inventory with `await`, on the event loop that runs there already."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import orjson

from tests.conftest import ServeCloud
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_only_snapshot

CELL = """
from exporter import Settings, export, list_snapshots, open_snapshot, plan, prune, verify
from exporter.settings import Credentials, Endpoints, Output

settings = Settings(
    endpoints=Endpoints(container_registry={url!r}, resource_manager={url!r}, iam={url!r}),
    credentials=Credentials(iam_token={token!r}),
    output=Output(url={output!r}),
)
manifest = await export(settings)
assert manifest.status == "complete"
with open_snapshot({output!r}) as snapshot:
    assert snapshot.dataset("images").count_rows() == manifest.totals["image_count"]
assert verify(settings) == []
assert [one.snapshot_id for one in list_snapshots({output!r})] == [manifest.snapshot_id]
assert sum((await plan(settings)).images.values()) == manifest.totals["image_count"]
assert (await prune(settings, keep_last=1)).remove == ()
"""


def test_a_cell_exports_in_a_notebook_without_widgets(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    assert find_spec("ipywidgets") is None, "DuckDB has a progress bar only where it is installed"
    cloud = serve_cloud()
    source = CELL.format(url=cloud.url, token=cloud.token, output=str(tmp_path / "out"))
    cell = {"cell_type": "code", "id": "cell", "metadata": {}, "outputs": [], "source": source}
    notebook = {
        "cells": [{**cell, "execution_count": None}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = tmp_path / "inventory.ipynb"
    path.write_bytes(orjson.dumps(notebook))
    run = subprocess.run(
        [Path(sys.executable).with_name("jupyter-execute"), path],
        env=os.environ | {"HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    check_against(read_only_snapshot(tmp_path / "out"), world_of(cloud.estate))
