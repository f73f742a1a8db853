"""The report in Debian's Chromium: what it says, that it asks nobody, and that all can use it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from exporter.figures import size
from exporter.report import extra
from tests.answers.estates import publish_estate
from tests.derive.estates import START, Blob, Image, World, digest
from tests.e2e.commands import Exporter

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "</script><script>alert(3)",
    '"><svg onload=alert(4)>',
    "{{ 7 * 7 }}",
    "&lt;b&gt;&amp;",
    "שלום",
    "🐳 of 👩‍👩‍👧",
    "name-" * 200,
)
"""Names that would be markup, a template, or the end of the layout."""
SHOWN = (
    "alert(1)",
    "alert(2)",
    "alert(3)",
    "alert(4)",
    "{{ 7 * 7 }}",
    "&lt;b&gt;&amp;",
    "שלום",
    "🐳",
)
UNSEEN = "red\x1b[31m\u202egnp.exe"
"""A name with letters that must not reach the page."""
CHROMIUM = shutil.which("chromium") or "chromium"


@dataclass(frozen=True)
class Opened:
    """A page in the browser, and what it did that nobody asked for."""

    page: Page
    noise: list[str] = field(default_factory=list)

    def hears(self, page: Page) -> None:
        page.on("console", lambda message: self.noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.noise.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.noise.append(f"request: {request.url}"))


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Return a function that opens a file; by default on a desk, in light colours."""
    contexts = []

    def open_page(path: Path, *, width: int = 1440, **wishes: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, **wishes)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.hears(opened.page)
        opened.page.goto(path.as_uri())
        # The file itself is the one thing that the browser asks for.
        assert opened.noise == [f"request: {path.as_uri()}"]
        opened.noise.clear()
        return opened

    yield open_page
    for context in contexts:
        context.close()


def estate(night: int = 0, coverage: tuple[tuple[str, str, str], ...] = ()) -> World:
    """Return registries and repositories of hostile names; a repository more each night.

    In the third night, the tags of `plain-0` move to its other image.
    """
    paths = [*HOSTILE, UNSEEN, *(f"plain-{number}" for number in range(20 + night))]
    base = Blob(digest(1), 50_000_000)
    moved = "plain-0" if night == 2 else None
    return World(
        images=tuple(
            Image(
                f"image-{place}-{number}",
                f"r1/{path}",
                (base, Blob(digest(1000 + 10 * place + number), 1_000_000 * (place + 1))),
                tags=(HOSTILE[0], "<b>v1</b>") if number != (path == moved) else (),
                digest=digest(5000 + 10 * place + number),
                created_at=START - timedelta(days=40 * place),
            )
            for place, path in enumerate(paths)
            for number in range(2)
        ),
        clouds=("c1",),
        folders=(("f1", "c1"),),
        registries=(("r1", "f1", "c1"), ("<u>r2", "f1", "c1")),
        repositories=tuple(f"r1/{path}" for path in paths),
        coverage=coverage,
    )


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with two complete snapshots and a partial one."""
    output = tmp_path_factory.mktemp("nights")
    denied = (("images", "<u>r2", "denied"),)
    for night, coverage in enumerate(((), (), denied)):
        publish_estate(output, f"night-{night}", estate(night, coverage), night=night)
    return output


@pytest.fixture(scope="module")
def partial_report(nights: Path) -> Path:
    """The report about the partial snapshot, as the command writes it."""
    run = Exporter(nights.parent, None).command(
        *("report", "--output", str(nights), "--snapshot", "night-2", "--to", "partial.html"),
        *("--price", "1024", "--currency", "EUR"),
    )
    assert run.code == 3
    assert "Snapshot night-2 is partial (1 listing missing)" in run.stderr
    return nights.parent / "partial.html"


@pytest.fixture(scope="module")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report about 10,000 repositories, one image each; it is written to stdout."""
    folder = tmp_path_factory.mktemp("large")
    world = World(
        images=tuple(
            Image(
                f"image-{number}",
                f"r{number % 40}/team-{number % 97}/{'service-' * 6}{number}",
                (Blob(digest(number), 1_000_000 + number),),
                tags=("v1",) if number % 3 else (),
                digest=digest(number + 100_000),
            )
            for number in range(10_000)
        ),
        clouds=("c1",),
        folders=(("f1", "c1"),),
        registries=tuple((f"r{number}", "f1", "c1") for number in range(40)),
        repositories=(),
    )
    publish_estate(folder, "large", world)
    run = Exporter(folder, None).command("report", "--output", str(folder))
    assert run.code == 0, run.stderr
    page = folder / "large.html"
    page.write_text(run.stdout, encoding="utf-8")
    return page


@pytest.mark.parametrize(
    "wishes",
    [{}, {"color_scheme": "dark"}, {"width": 390}],
    ids=["light", "dark", "on a telephone"],
)
def test_the_page_is_quiet_and_accessible_and_fits(
    partial_report: Path, open_page: Open, wishes: dict[str, Any]
) -> None:
    opened = open_page(partial_report, **wishes)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for details in page.locator("details:visible").all():
        details.evaluate("one => { one.open = true }")
    found = Axe().run(page)
    assert found.response["passes"], "nothing was checked"
    assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
    assert opened.noise == []


def test_names_are_shown_as_text_and_none_of_their_scripts_runs(
    partial_report: Path, open_page: Open
) -> None:
    opened = open_page(partial_report)
    page = opened.page
    text = page.locator("main").inner_text() + page.locator("main").text_content()  # type: ignore[operator]
    for name in SHOWN:
        assert name in text
    assert "red\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}gnp.exe" in text
    assert page.locator("img, b, u, svg[onload]").count() == 0
    assert page.locator("script").count() == 1
    assert "49" not in [cell.inner_text() for cell in page.locator("tbody th").all()]
    assert opened.noise == []


def test_the_policy_lets_nothing_in(partial_report: Path, open_page: Open) -> None:
    page = open_page(partial_report).page
    refused = page.evaluate(
        """async () => {
            const refused = [];
            const both = new Promise((done) => {
                addEventListener("securitypolicyviolation", (one) => {
                    if (refused.push(one.effectiveDirective) === 2) done();
                });
            });
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            const picture = document.createElement("img");
            picture.src = "https://example.com/picture.png";
            document.body.append(script, picture);
            await both;
            return refused;
        }"""
    )
    assert sorted(refused) == ["img-src", "script-src-elem"]
    assert page.evaluate("window.ran") is None


def test_a_partial_snapshot_says_first_what_it_lacks(partial_report: Path, open_page: Open) -> None:
    page = open_page(partial_report).page
    banner = page.get_by_role("region", name="This snapshot is partial: 1 listing is missing")
    assert "(<u>r2): access was denied" in banner.inner_text()
    above = "document.querySelector('.banner').getBoundingClientRect().top"
    assert page.evaluate(
        f"{above} < document.querySelector('.figures').getBoundingClientRect().top"
    )


def test_money_and_bytes_are_those_that_deleting_would_free(
    partial_report: Path, open_page: Open
) -> None:
    section = open_page(partial_report).page.locator("#free")
    # The first image of each repository has no tag, and one layer that no other image has.
    freed = sum(1_000_000 * (place + 1) for place in range(len(HOSTILE) + 1 + 22))
    old = sum(1_000_000 * (place + 1) for place in range(len(HOSTILE) + 1 + 22) if place >= 3)
    text = section.locator("p").first.inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert f"would free {size(freed)}, {freed / 2**20:,.2f} EUR a month." in text
    assert f"still be {size(old)}, {old / 2**20:,.2f} EUR a month." in text
    assert "1 registry is left out" in text


def test_what_changed_is_said_and_what_cannot_be_compared(
    partial_report: Path, open_page: Open
) -> None:
    section = open_page(partial_report).page.locator("#changes")
    said = section.locator("p").first.inner_text()
    assert "(snapshot night-1): 1 repository added, 2 images added, 2 tags added and 2 tags" in said
    tables = section.locator("table")
    rows = [one.inner_text() for one in tables.nth(0).locator("tbody tr").all()]
    assert len(rows) == 2
    assert all("plain-0" in row for row in rows)
    assert "<b>v1</b>" in rows[0] + rows[1]
    assert "<u>r2" in tables.nth(1).locator("tbody tr").inner_text()


def test_the_keyboard_filters_and_sorts_a_table(partial_report: Path, open_page: Open) -> None:
    page = open_page(partial_report).page
    repositories = page.locator("#largest .table").first
    rows = repositories.locator("tbody tr:visible")
    every = len(HOSTILE) + 1 + 22
    assert rows.count() == 12
    repositories.get_by_label("Filter repositories").focus()
    page.keyboard.type("PLAIN-1")
    assert rows.count() == 11
    assert repositories.get_by_role("status").inner_text() == f"11 of {every} repositories"
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    heading = repositories.locator("thead th").first
    assert page.evaluate("document.activeElement.textContent") == "Repository"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert repositories.locator("th[aria-sort]").count() == 1
    repositories.get_by_role("button", name=f"Show all {every}").press("Enter")
    assert rows.count() == every
    cells = repositories.locator("tbody td:nth-child(2)")

    def values() -> list[int]:
        found: list[int] = cells.evaluate_all("cells => cells.map((one) => +one.dataset.value)")
        return found

    stored = repositories.get_by_role("button", name="Stored")
    stored.press("Space")
    assert values() == sorted(values(), reverse=True)
    stored.press("Space")
    assert values() == sorted(values())


def test_without_scripts_the_tables_are_plain_and_whole(
    partial_report: Path, open_page: Open
) -> None:
    page = open_page(partial_report, java_script_enabled=False).page
    repositories = page.locator("#largest .table").first
    assert repositories.locator("tbody tr:visible").count() == len(HOSTILE) + 1 + 22
    assert page.locator("input:visible, button:visible").count() == 0


def test_a_printed_page_is_light_and_nothing_is_cut(partial_report: Path, open_page: Open) -> None:
    # The width of A4 less its margins, in CSS pixels.
    page = open_page(partial_report, width=680, color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav:visible, input:visible, button.all:visible").count() == 0
    cut = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter(
            (one) => one.getBoundingClientRect().right > innerWidth + 1
        ).map((one) => one.outerHTML)"""
    )
    assert cut == []


def test_of_10_000_repositories_the_largest_are_shown_and_the_rest_is_summed(
    large_report: Path, open_page: Open
) -> None:
    assert large_report.stat().st_size < 3_000_000
    opened = open_page(large_report)
    table = opened.page.locator("#largest .table").first
    assert "service-9999" in table.locator("tbody tr").first.inner_text()
    rest = table.locator("tfoot").inner_text()
    assert "9,800 smaller repositories" in rest
    held = sum(1_000_000 + number for number in range(9_800))
    assert size(held).replace(" ", "\N{NO-BREAK SPACE}") in rest
    table.get_by_label("Filter repositories").fill("service-1 ")
    assert "9,800 more are not in this table" in table.get_by_role("status").inner_text()
    assert opened.noise == []


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--snapshot", "nigth-1"), 1, "There is no snapshot nigth-1"),
        (("--compare", "nigth-1"), 1, "the nearest is night-1"),
        (("--to", "no/such/folder/report.html"), 5, "Cannot write no/such/folder/report.html"),
    ],
)
def test_what_cannot_be_done_is_said(
    nights: Path, tmp_path: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    run = Exporter(tmp_path, None).command("report", "--output", str(nights), *flags)
    assert (run.code, run.stdout) == (code, "")
    assert said in run.stderr


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extra, "_PACKAGES", ("a_package_that_nobody_has",))
    assert extra.missing_packages() == (
        "A report needs packages that are not installed (a_package_that_nobody_has): install them "
        "with pip install 'registry-exporter[report]'."
    )
