"""Every page that the code or another page cites is there, and has the heading that is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
CITED = re.compile(r"`(?P<page>[\w./-]+\.md)`(?:,\s+(?P<heading>[A-Z][^`)\n.;:]*))?")
LINK = re.compile(r"\[[^\]]+\]\((?P<page>[^)#:]+)\)")
PAGES = [*TOP.glob("*.md"), *TOP.glob(".github/*.md"), *TOP.glob("exporter/**/*.md")]
CODE = [*TOP.glob("exporter/**/*.py"), *TOP.glob("tests/**/*.py")]


def page_of(source: Path, cited: str) -> Path | None:
    """Return the page that is cited: below `exporter`, or above the source, the nearest first."""
    above = [folder / cited for folder in source.parents if folder.is_relative_to(TOP)]
    return next((page for page in [*above, TOP / "exporter" / cited] if page.is_file()), None)


def test_every_citation_in_the_code_leads_to_a_page_and_its_heading() -> None:
    found = 0
    for source in CODE:
        for cited in CITED.finditer(source.read_text(encoding="utf-8")):
            page = page_of(source, cited["page"])
            assert page is not None, f"{source}: {cited[0]}"
            found += 1
            if cited["heading"]:
                headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
                said = cited["heading"].strip().lower()
                assert any(one.lower().startswith(said) for one in headings), (
                    f"{source}: {cited[0]}"
                )
    assert found > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / link["page"]).exists(), link[0]
