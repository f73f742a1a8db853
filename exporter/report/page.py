"""Makes the page of a report: one HTML file that needs no network, under a strict policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from exporter.figures import printable
from exporter.report import changes, charts, coverage, largest, prose, tables, wording
from exporter.report.cells import Table
from exporter.report.content import Content
from exporter.report.findings import meaning
from exporter.report.frames import FRAMES, Frame, Spec
from exporter.report.treemap import treemap
from exporter.snapshots.identity import describe
from exporter.tables.schemas import COMPLETE_STATUSES
from exporter.wording import number

if TYPE_CHECKING:
    from markupsafe import Markup

_GAPS_SHOWN = 8


def page(content: Content) -> str:
    """Return the report as HTML.

    Texts of the snapshot are escaped by the template, or by the writer of the pictures' XML.
    """
    import jinja2  # noqa: PLC0415 - it belongs to an extra
    from markupsafe import Markup  # noqa: PLC0415

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("exporter.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "bytes": wording.bytes_,
        "count": wording.count,
        "cut": wording.cut,
        "date": wording.date,
        "day": wording.day,
        "printable": printable,
        "time": wording.time,
    }
    style, script = _file("report.css"), _file("report.js")
    return environment.get_template("report.html.j2").render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - the program's own file
        script=Markup(script),  # noqa: S704
        content=content,
        **_texts(content),
        tables=_tables(content),
        pictures=_pictures(content),
    )


def _texts(content: Content) -> dict[str, object]:
    missing = sum(
        one for status, one in content.manifest.coverage.items() if status not in COMPLETE_STATUSES
    )
    gaps = [one for one in content.gaps if one.status not in COMPLETE_STATUSES][:_GAPS_SHOWN]
    return {
        "described": wording.cut(describe(content.manifest.source, content.manifest.scope), 200),
        "chapters": _CHAPTERS,
        "missing": number(missing, "listing is", "listings are") if missing else "",
        "gaps_shown": [coverage.gap(one) for one in gaps],
        "gaps_more": f"and {missing - len(gaps):,} more" if missing > len(gaps) else "",
        "lede": prose.lede(content),
        "figures": prose.figures(content),
        "concentration": prose.concentration(content),
        "freeing": prose.freeing(content),
        "reclaim_line": prose.reclaim_line(content),
        "growth": prose.growth(content),
        "has_partial_points": not all(point.complete for point in content.points),
        "ages": prose.ages(content),
        "changed": prose.changed(content),
        "uncompared": prose.uncompared(content),
        "findings": [(one, meaning(one.kind)) for one in content.findings],
        "coverage": coverage.coverage(content),
    }


_CHAPTERS = (
    ("bytes", "Where the bytes are"),
    ("free", "What can be freed"),
    ("growth", "Growth"),
    ("ages", "Age of images"),
    ("largest", "The largest"),
    ("changes", "What changed"),
    ("findings", "Findings"),
    ("coverage", "Coverage"),
    ("sizes", "How sizes are counted"),
)


def _tables(content: Content) -> dict[str, Table | None]:
    return {
        "registries": largest.registries(content),
        "repositories": largest.repositories(content),
        "images": largest.images(content),
        "shared_layers": largest.shared_layers(content),
        "freed": tables.freed(content),
        "freeing_repositories": tables.freeing_repositories(content),
        "growth": tables.growth(content),
        "ages": tables.ages(content),
        **changes.change_tables(content),
        "listings": tables.listings(content),
        "gaps": tables.gaps(content),
    }


def _pictures(content: Content) -> Mapping[str, Markup | None]:
    from exporter.report.svg import draw  # noqa: PLC0415 - it needs the extra

    def both(label: str, spec: Callable[[Frame], Spec]) -> Markup:
        wide, narrow = (draw(spec(frame), frame.name, label) for frame in FRAMES)
        return wide + narrow

    def ages(frame: Frame) -> Spec:
        labels = prose.age_labels(content.ages, short=frame.is_narrow)
        return charts.ages(content.ages, labels, frame)

    def freed(frame: Frame) -> Spec:
        rows = []
        for one in content.freeing.steps:
            saved = "" if frame.is_narrow else prose.money(content, one.size)
            text = wording.bytes_(one.size) + (f" · {saved}" if saved else "")
            rows.append((prose.freed_label(one), one.size, text))
        return charts.bars(rows, frame)

    return {
        "tiles": both(prose.tiles_text(content), lambda frame: treemap(content.tiles, frame))
        if content.tiles
        else None,
        "freeing": both(prose.freeing(content), freed) if content.freeing.steps[0].images else None,
        "growth": both(prose.growth(content), lambda frame: charts.growth(content.points, frame))
        if len(content.points) > 1
        else None,
        "ages": both(prose.ages(content), ages) if content.ages else None,
    }


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing is loaded, and only these two are run."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _file(name: str) -> str:
    return files("exporter.report").joinpath("templates", name).read_text(encoding="utf-8")
