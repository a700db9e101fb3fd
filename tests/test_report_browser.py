"""The page in a real browser, with the network off.

A picture stands where a script crashed, so every check of a drawing reads the counter that the
page sets after its last chart.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.test_report import html_of

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "browser/node_modules/axe-core/axe.min.js"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="no chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_of("embedded"), encoding="utf-8")
    return path


Open = Callable[..., sync_api.Page]


@pytest.fixture
def view(browser: sync_api.Browser) -> Iterator[Open]:
    """Open a file without network; every complaint of the page fails the test."""
    contexts, complaints = [], []

    def opened(path: Path, **options: object) -> sync_api.Page:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda r: complaints.append(r.url) if "file:" not in r.url else None)
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def drawn(page: sync_api.Page) -> tuple[int, int]:
    done, asked = page.locator("html").get_attribute("data-ready").split("/")
    return int(done), int(asked)


def fits(page: sync_api.Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_chart_is_drawn(view: Open, embedded: Path) -> None:
    page = view(embedded)
    done, asked = drawn(page)
    assert done == asked == page.locator("figure.chart").count() >= 20
    assert page.locator("figure.chart .vega-embed svg").count() == asked
    assert page.locator("figure.chart .drawing > svg").count() == 0


def test_a_click_sorts_the_comparison(view: Open, embedded: Path) -> None:
    page = view(embedded)
    button = page.locator("table.comparison button", has_text="accuracy").first
    names = page.locator("table.comparison tbody tr:not(.block) th bdi")
    button.click()
    assert names.all_inner_texts()[0] == "majority"
    button.press("Enter")
    assert names.all_inner_texts()[-1] == "majority"
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("accuracy")
    button.click()
    assert names.all_inner_texts()[0] == "full"
    assert page.locator("th[aria-sort]").count() == 0


def test_hovering_tells_the_interval_and_clicking_finds_the_strategy(
    view: Open, embedded: Path
) -> None:
    page = view(embedded)
    mark = page.locator("#trade-off svg .mark-symbol path").last
    mark.hover()
    tooltip = page.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible")
    assert re.search(r"0\.\d+ \(0\.\d+ to 0\.\d+\)", tooltip.inner_text())
    mark.click()
    assert re.search(r"#strategy-\d+$", page.url)
    assert page.locator("tr:target").count() == 1


def test_dark_mode_recolours_page_and_charts(view: Open, embedded: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('#trade-off svg text')).fill"
    light, dark = (view(embedded, color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(ground) == "rgb(255, 255, 255)"
    assert dark.evaluate(ground) == "rgb(20, 23, 27)"
    assert light.evaluate(ink) != dark.evaluate(ink)


def test_a_phone_never_scrolls_sideways(view: Open, embedded: Path) -> None:
    page = view(embedded, viewport={"width": 390, "height": 844})
    assert fits(page)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert fits(page)


def test_a_phone_cuts_nothing(view: Open, embedded: Path) -> None:
    page = view(embedded, viewport={"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    cut = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((e) => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'hidden', 'scroll'].includes(getComputedStyle(e).overflowX)"
        " && !e.classList.contains('unseen')).map((e) => e.outerHTML.slice(0, 120))"
    )
    assert cut == []


def test_it_prints(view: Open, embedded: Path, tmp_path: Path) -> None:
    page = view(embedded, viewport={"width": 700, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    assert page.locator("table.comparison").evaluate("(e) => e.scrollWidth <= innerWidth")
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))
    assert 4 <= pages <= 30


def test_without_scripts_pictures_and_tables_remain(view: Open, embedded: Path) -> None:
    page = view(embedded, java_script_enabled=False)
    pictures = page.locator("figure.chart .drawing > svg")
    assert pictures.count() == page.locator("figure.chart").count() >= 20
    box = pictures.first.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert page.locator("table").count() >= 8
    assert page.locator("table.comparison").is_visible()


def test_the_keyboard_reaches_what_can_be_used(view: Open, embedded: Path) -> None:
    page = view(embedded)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "BUTTON", "SUMMARY", "DIV"} <= reached


@pytest.mark.parametrize("case", ["hostile", "everything NaN", "all failed", "sixty groups"])
def test_bad_input_leaves_the_page_readable_and_inert(
    view: Open, tmp_path: Path, case: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(html_of(case), encoding="utf-8")
    page = view(path, viewport={"width": 390, "height": 844})
    assert page.evaluate("window.pwned") is None
    assert page.locator("script").count() == page.locator("head script, body script").count()
    assert page.locator("img, iframe, object, embed").count() == 0
    done, asked = drawn(page)
    assert done == asked
    assert fits(page)
    assert page.locator(".verdict").inner_text().endswith(".")
    hover = page.locator("figure.chart svg .mark-symbol path")
    if hover.count():
        hover.first.hover(force=True)
    assert page.evaluate("window.pwned") is None


@pytest.mark.slow
@pytest.mark.skipif(
    not AXE.is_file() and "CI" not in os.environ,
    reason="no axe-core: npm install --prefix tests/browser --no-package-lock",
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_violation(view: Open, embedded: Path, scheme: str, width: int) -> None:
    page = view(embedded, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", RULES)
    assert [(v["id"], len(v["nodes"])) for v in found["violations"]] == []
    assert len(found["passes"]) > 20
