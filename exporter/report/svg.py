"""Draws Vega and Vega-Lite specs as SVG for the page: without scripts, fonts or a network.

The pictures have the page's colours: a spec names them as CSS variables, and the style sheet gives
them one value in light and another in dark. What a mark says when a person points at it is its
`description`, which becomes its `<title>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from markupsafe import Markup

_SVG = "http://www.w3.org/2000/svg"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_HEARD = ("class", "role", "aria-hidden", "aria-label", "aria-roledescription")
"""What Vega says for screen readers; the picture as a whole has one text instead."""
_NAME = "description"


def draw(spec: Mapping[str, Any], name: str, label: str) -> Markup:
    """Return a spec's picture as an `<svg>` element.

    `name` is its class, and the prefix of the ids inside; `label` is the text alternative. Texts
    in the spec are data: the element is parsed and written anew, so none of them is markup.
    """
    import vl_convert  # noqa: PLC0415 - it belongs to an extra, and takes long

    vega_lite = "vega-lite" in spec["$schema"]
    convert = vl_convert.vegalite_to_svg if vega_lite else vl_convert.vega_to_svg
    ET.register_namespace("", _SVG)
    root = ET.fromstring(convert(dict(spec), allowed_base_urls=[]))  # noqa: S314 - made here
    _clean(root, f"{name}-")
    width, height = root.attrib["width"], root.attrib["height"]
    root.attrib.clear()
    root.attrib.update(
        {
            "class": name,
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "aria-label": label,
        }
    )
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - escaped by ElementTree


def _clean(element: ET.Element, prefix: str) -> None:
    """Remove what is not seen, shorten numbers, and make ids the picture's own."""
    for child in list(element):
        if _is_hidden(child):
            element.remove(child)
        else:
            _clean(child, prefix)
    said = element.get("aria-label")
    is_mark = element.get("role") == "graphics-symbol" and "axis" not in (
        element.get("aria-roledescription") or ""
    )
    for attribute in (*_HEARD, "pointer-events"):
        element.attrib.pop(attribute, None)
    for attribute, value in element.attrib.items():
        shorter = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", value)
        if attribute == "id":
            shorter = prefix + shorter
        element.set(attribute, shorter.replace("url(#", f"url(#{prefix}"))
    if said and is_mark:
        title = ET.Element(f"{{{_SVG}}}title")
        title.text = said
        element.insert(0, title)


def _is_hidden(element: ET.Element) -> bool:
    if element.get("display") == "none" or element.get("opacity") == "0":
        return True
    is_painted = element.get("fill", "none") != "none" or element.get("stroke") is not None
    return element.get("class") in {"background", "foreground"} and not is_painted
