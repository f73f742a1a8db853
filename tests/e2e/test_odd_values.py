"""Values that cannot be: each costs itself alone, and a finding tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from exporter.emulator import Estate, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_snapshot

SHAPE = Shape(folders=2, registries=12, repositories=24, images=120, layers=2)


class Strange(Estate):
    """An estate of which some images do not name a registry that there is, or have no sane size.

    `nameless` says whether some name none at all.
    """

    nameless = True

    def image_text(self, number: int) -> bytes:
        image = json.loads(super().image_text(number))
        path = image["name"].partition("/")[2]
        names: dict[int, str | None] = {20: f"crp0000000000stranger/{path}"}
        if self.nameless:
            names |= {0: path.partition("/")[0], 10: "", 30: None}
        image["name"] = names.get(number % 40, image["name"])
        if number % 40 == 15:
            image["compressedSize"] = "-5"
        if number % 40 in {5, 6}:
            image["compressedSize"] = str(2**63 - 1)
        if number % 40 == 25:
            image |= {"compressedSize": "0x10", "createdAt": "2024-05-06Z"}
        return json.dumps(
            {key: value for key, value in image.items() if value is not None}
        ).encode()


def test_strange_values_make_findings_but_no_scopes_however_they_are_listed(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    estate = Strange(SHAPE)
    cloud = serve_cloud(estate)
    exporter = exporter_for(cloud)
    # Where an image names none at all, no registries are listed together.
    for name, estate.nameless in (("each-by-itself", True), ("together", False)):
        cloud.calls.clear()
        run = exporter.run("--snapshot-id", name)
        assert run.code == 0, run.stderr
        snapshot = read_snapshot(exporter.output, name)
        listed_in = {
            image["id"]: str(registry["id"])
            for registry in estate.registries()
            for image in estate.images(registry["id"])
        }
        world = world_of(estate, images=[])
        check_against(snapshot, replace(world, images=list(estate.images()), listed_in=listed_in))
        found = {row["kind"] for row in snapshot.tables["findings"]}
        assert found >= {"bad_value", "negative_size", "size_overflow", "unknown_registry"}
        by_folder = [call for call in cloud.calls.of("images") if "folderId" in call.query]
        assert bool(by_folder) == (name == "together")
