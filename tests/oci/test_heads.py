"""A registry that cannot answer a HEAD is read with GET alone, once that is known."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from exporter import export
from exporter.settings.model import Limits
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for

TAGS = [f"v{number}" for number in range(6)]


def no_heads(request: web.Request, part: str, _: str) -> web.Response | None:
    is_head = request.method == "HEAD" and part == "manifests"
    return error(405, "UNSUPPORTED") if is_head else None


async def test_a_refused_head_is_not_sent_for_every_tag(tmp_path: Path) -> None:
    registry = ScriptedRegistry()
    registry.fill("app", *TAGS, way=no_heads)
    async with registry.served():
        settings = settings_for(registry.host, tmp_path)
        one_by_one = settings.model_copy(update={"limits": Limits(concurrency=1)})
        await export(settings)
        registry.asked.clear()
        manifest = await export(one_by_one, snapshot_id="again")
    assert manifest.status == "complete"
    assert manifest.tables["tags"].rows == len(TAGS)
    heads = [path for path in registry.asked if path.startswith("HEAD")]
    assert len(heads) == 1
    assert all(registry.asked[f"GET /v2/app/manifests/{tag}"] == 1 for tag in TAGS)
