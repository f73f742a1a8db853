"""The picture of all bytes: a Vega spec of rectangles, grouped by registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exporter.figures import size
from exporter.report.content import Tile
from exporter.report.frames import FONT, GREY, INK, TILE, TINT, Frame, Spec
from exporter.report.wording import isolated
from exporter.wording import number


def treemap(tiles: Sequence[Tile], frame: Frame) -> Spec:
    """Return the rectangles of all bytes, grouped by registry."""
    registries = {one.registry_id: one.registry for one in tiles if one.registry_id}
    sums = {one: sum(tile.size for tile in tiles if tile.registry_id == one) for one in registries}
    nodes: list[dict[str, Any]] = [{"id": "all"}]
    nodes += [
        {
            "id": f"registry {key}",
            "parent": "all",
            "name": _measurable(name or ""),
            "bytes": size(sums[key]),
            "kind": "registry",
        }
        for key, name in registries.items()
    ]
    nodes += [
        {
            "id": f"tile {place}",
            "parent": f"registry {tile.registry_id}" if tile.registry_id else "all",
            "name": _tile_name(tile),
            "bytes": size(tile.size),
            "size": tile.size,
            "kind": tile.kind,
            "said": _tile_said(tile),
        }
        for place, tile in enumerate(tiles)
    ]
    font = {"font": {"value": FONT}}
    leaf = "datum.x1 - datum.x0"
    fits = f"{leaf} > 44 && datum.y1 - datum.y0 > 20"
    ink = [
        {"test": "datum.kind == 'repository'", "value": "var(--on-tile)"},
        {"value": INK},
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": frame.width,
        "height": 520 if frame.is_narrow else 460,
        "padding": 0,
        "data": [
            {
                "name": "tree",
                "values": nodes,
                "transform": [
                    {"type": "stratify", "key": "id", "parentKey": "parent"},
                    {
                        "type": "treemap",
                        "field": "size",
                        "sort": {"field": "value", "order": "descending"},
                        "round": True,
                        "method": "squarify",
                        "ratio": 1.6,
                        "paddingInner": 2,
                        "paddingTop": 20,
                        "paddingRight": 6,
                        "paddingBottom": 6,
                        "size": [{"signal": "width + 12"}, {"signal": "height + 32"}],
                    },
                    # The outermost level has no heading of its own.
                    {"type": "formula", "as": "y0", "expr": "datum.y0 - 20"},
                    {"type": "formula", "as": "y1", "expr": "datum.y1 - 20"},
                ],
            },
            {
                "name": "registries",
                "source": "tree",
                "transform": [{"type": "filter", "expr": "datum.kind == 'registry'"}],
            },
            {
                "name": "leaves",
                "source": "tree",
                "transform": [{"type": "filter", "expr": "isValid(datum.size)"}],
            },
            {
                "name": "named",
                "source": "leaves",
                "transform": [{"type": "filter", "expr": fits}],
            },
        ],
        "marks": [
            {
                "type": "text",
                "from": {"data": "registries"},
                "encode": {
                    "enter": font
                    | {
                        "x": {"field": "x0"},
                        "y": {"field": "y0", "offset": 14},
                        "text": {"signal": "datum.name + '  ' + datum.bytes"},
                        "limit": {"signal": f"{leaf} - 12"},
                        "fontSize": {"value": 12},
                        "fontWeight": {"value": 600},
                        "fill": {"value": INK},
                        "opacity": {"signal": f"{leaf} > 50 ? 1 : 0"},
                    }
                },
            },
            {
                "type": "rect",
                "from": {"data": "leaves"},
                "encode": {
                    "enter": {
                        "x": {"field": "x0"},
                        "x2": {"field": "x1"},
                        "y": {"field": "y0"},
                        "y2": {"field": "y1"},
                        "cornerRadius": {"value": 2},
                        "description": {"field": "said"},
                        "fill": [
                            {"test": "datum.kind == 'repository'", "value": TILE},
                            {"test": "datum.kind == 'shared'", "value": GREY},
                            {"value": TINT},
                        ],
                    }
                },
            },
            {
                "type": "text",
                "from": {"data": "named"},
                "encode": {
                    "enter": font
                    | {
                        "x": {"field": "x0", "offset": 7},
                        "y": {"field": "y0", "offset": 16},
                        "text": {"field": "name"},
                        "limit": {"signal": f"{leaf} - 12"},
                        "fontSize": {"value": 12},
                        "fill": ink,
                    }
                },
            },
            {
                "type": "text",
                "from": {"data": "named"},
                "encode": {
                    "enter": font
                    | {
                        "x": {"field": "x0", "offset": 7},
                        "y": {"field": "y0", "offset": 31},
                        "text": {"field": "bytes"},
                        "fontSize": {"value": 11},
                        "fill": ink,
                        "opacity": {"signal": f"datum.y1 - datum.y0 > 36 && {leaf} > 58 ? 0.8 : 0"},
                    }
                },
            },
        ],
    }


def _tile_name(tile: Tile) -> str:
    match tile.kind:
        case "repository":
            return _measurable(tile.name or "")
        case "shared":
            return "shared"
        case "rest":
            return f"{tile.count:,} more"
    return number(tile.count, "more registry", "more registries")


def _measurable(name: str) -> str:
    """Return a name that Vega can shorten: it would cut a letter above U+FFFF in two, and fail."""
    return "".join(
        letter if letter <= "\uffff" else "\N{REPLACEMENT CHARACTER}" for letter in isolated(name)
    )


def _tile_said(tile: Tile) -> str:
    registry = isolated(tile.registry or "")
    match tile.kind:
        case "repository":
            what = f"{registry}/{isolated(tile.name or '')}"
        case "shared":
            what = f"{registry}, layers that several repositories share"
        case "rest":
            many = number(tile.count, "smaller repository", "smaller repositories")
            what = f"{registry}, {many}"
        case _:
            what = number(tile.count, "smaller registry", "smaller registries")
    return f"{what}: {size(tile.size)}"
