"""The charts of a report, as Vega-Lite specs that Altair makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from exporter.figures import size
from exporter.report.content import Age, Point
from exporter.report.frames import (
    ACCENT,
    FONT,
    GREY,
    INK,
    LINE,
    PAPER,
    SOFT,
    TILE,
    TINT,
    Frame,
    Spec,
)
from exporter.wording import number

if TYPE_CHECKING:
    import altair as alt

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_MOST_POINTS = 200
"""The most snapshots of which growth shows the figures, evenly spread."""
_MOST_DOTS = 60
"""The most snapshots that have a dot each."""


def growth(points: Sequence[Point], frame: Frame) -> Spec:
    """Return the stored bytes over time, and those of untagged images alone, if known."""
    import altair as alt  # noqa: PLC0415 - it belongs to an extra, and takes long

    points = _spread(points, _MOST_POINTS)
    unit, divisor = _unit(max(point.stored_size for point in points))
    rows = [
        {
            "time": point.started_at.isoformat(),
            "series": name,
            "value": value / divisor,
            "complete": point.complete,
            "said": f"{point.started_at:%d %b %Y}: {size(value)} {said}",
        }
        for point in points
        for name, value, said in (
            ("stored", point.stored_size, "billed"),
            ("untagged", point.untagged_size, "held by untagged images alone"),
        )
        if value is not None
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=_time(points, frame),
        y=alt.Y(
            "value:Q",
            title=unit,
            axis=alt.Axis(
                tickCount=4,
                titleAngle=0,
                titleAlign="left",
                titleAnchor="end",
                titleX=0,
                titleY=-8,
                titleBaseline="bottom",
            ),
        ),
    )
    scale = alt.Scale(domain=["stored", "untagged"], range=[ACCENT, SOFT])
    color = alt.Color("series:N", scale=scale, legend=None)
    area = base.transform_filter("datum.series == 'stored' && datum.complete").mark_area(
        color=TINT, opacity=0.6
    )
    lines = base.transform_filter("datum.complete").mark_line(strokeWidth=2).encode(color=color)
    dots = base.mark_circle(size=40, opacity=1, strokeWidth=1.5).encode(
        fill=alt.condition("datum.complete", color, alt.value(PAPER)),
        stroke=alt.Stroke("series:N", scale=scale, legend=None),
        description="said:N",
    )
    # Among many dots, a partial snapshot is still seen: the line leaves it out.
    shown = area + lines + dots if len(points) <= _MOST_DOTS else area + lines
    return _finished(shown, frame, 240)


def ages(ages_: Sequence[Age], labels: Sequence[str], frame: Frame) -> Spec:
    """Return how many images are how old, tagged and untagged."""
    import altair as alt  # noqa: PLC0415

    rows = [
        {
            "age": label,
            "series": series,
            "order": order,
            "images": count,
            "said": f"{label}: {number(count, series + ' image')}",
        }
        for age, label in zip(ages_, labels, strict=True)
        for order, (series, count) in enumerate(
            (("tagged", age.tagged_images), ("untagged", age.untagged_images))
        )
    ]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X(
                "age:N",
                sort=list(labels),
                title=None,
                axis=alt.Axis(labelAngle=0, domain=False, labelLimit=200),
                scale=alt.Scale(paddingInner=0.35, paddingOuter=0.1),
            ),
            y=alt.Y("images:Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format=",d")),
            order="order:O",
            color=alt.Color(
                "series:N",
                scale=alt.Scale(domain=["tagged", "untagged"], range=[TILE, GREY]),
                legend=None,
            ),
            description="said:N",
        )
    )
    return _finished(chart, frame, 220)


def bars(rows: Iterable[tuple[str, int, str]], frame: Frame) -> Spec:
    """Return horizontal bars of bytes: each with its label, its bytes, and a text at its end."""
    import altair as alt  # noqa: PLC0415

    rows = list(rows)
    longest = max([1, *(bytes_ for _, bytes_, _ in rows)])
    values = [
        {"label": label, "bytes": bytes_, "text": text, "said": f"{label}: {text}"}
        for label, bytes_, text in rows
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y(
            "label:N",
            sort=None,
            title=None,
            axis=alt.Axis(domain=False, labelLimit=220, labelPadding=10),
            scale=alt.Scale(paddingInner=0.4, paddingOuter=0.1),
        ),
        x=alt.X(
            "bytes:Q",
            axis=None,
            # Room for the text at the end of the longest bar.
            scale=alt.Scale(domain=[0, longest * 1.45]),
        ),
    )
    bar = base.mark_bar(color=TILE, cornerRadius=2).encode(description="said:N")
    text = base.mark_text(
        align="left", dx=8, color=INK, font=FONT, fontSize=12, baseline="middle"
    ).encode(text="text:N")
    return _finished(bar + text, frame, 34 * len(values))


def _time(points: Sequence[Point], frame: Frame) -> alt.X:
    import altair as alt  # noqa: PLC0415

    days = (points[-1].started_at - points[0].started_at).days
    most = 4 if frame.is_narrow else 8
    pattern = "%b %Y" if days > 200 else "%d %b" if days > 1 else "%d %b, %H:%M"
    return alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(
            format=pattern,
            values=[one.started_at.timestamp() * 1000 for one in _spread(points, most)],
            grid=False,
            labelOverlap=True,
            labelFlush=True,
        ),
    )


def _spread(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most so many points, evenly spread, the first and the last among them."""
    count = min(most, len(points))
    last = len(points) - 1
    return [points[round(place * last / max(1, count - 1))] for place in range(count)]


def _finished(chart: Any, frame: Frame, height: int) -> Spec:
    axis = {
        "labelFont": FONT,
        "labelFontSize": 12,
        "labelColor": SOFT,
        "titleFont": FONT,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titleColor": SOFT,
        "gridColor": LINE,
        "domainColor": LINE,
        "ticks": False,
        "labelPadding": 6,
    }
    configured = (
        chart.properties(width=frame.width, height=height, padding={"bottom": 4})
        .properties(autosize={"type": "fit", "contains": "padding"})
        .configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(**axis)
        .configure_axisY(domain=False)
    )
    spec: dict[str, Any] = configured.to_dict()
    return spec


def _unit(largest: int) -> tuple[str, float]:
    """Return the unit in which the largest value has one to three digits, and its bytes."""
    place = 0
    while largest >= 1024 ** (place + 1) and place < len(_UNITS) - 1:
        place += 1
    return _UNITS[place], float(1024**place)
