"""The report's speed and size, on a quiet machine: `pytest -m performance -k report`.

Build times are CPU seconds with nothing cached, loading the libraries included, the best of three:
what the machine does besides should not count. Drawing is the page's own clock, from navigation to
the last chart.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests._results import EMBEDDED, Level, evidence, facts, results
from tunefair.facts import RunFacts
from tunefair.measuring.measure import measure
from tunefair.reporting import charts, drawing, report
from tunefair.schema import AuditSettings, Results

pytestmark = pytest.mark.performance

AUDITS = ("accuracy", "calibration", "group_fairness", "trade_off", "cost")
LOADING = (
    "import time, altair, vl_convert, jinja2, tunefair.reporting.report; "
    "print(time.process_time())"
)


def strategies(count: int) -> dict[str, Level]:
    return {"full": Level(seeds=5)} | {
        f"strategy {i}": Level(gap=0.05 + 0.3 * i / count, seeds=5) for i in range(1, count)
    }


@pytest.fixture(scope="module")
def forty_cells() -> tuple[Results, RunFacts]:
    """Eight strategies, five seeds, 2,294 rows, really measured."""
    levels = strategies(8) | {k: EMBEDDED[k] for k in ("majority", "tfidf")}
    settings = AuditSettings(replicates=200)
    found = measure(evidence(levels), settings, audits=AUDITS, reference="full")
    return found, facts(levels)


def build_seconds(found: Results, known: RunFacts) -> float:
    """Return the CPU seconds of a first page, loading the libraries included."""
    loading = [sys.executable, "-c", LOADING]
    times = []
    for _ in range(3):
        first = subprocess.run(loading, capture_output=True, text=True, check=True).stdout
        for kept in (charts, drawing):
            for function in vars(kept).values():
                getattr(function, "cache_clear", lambda: None)()
        start = time.process_time()
        report.render(found, known)
        times.append(float(first) + time.process_time() - start)
    return min(times)


def test_forty_cells_build_within_three_seconds(
    forty_cells: tuple[Results, RunFacts],
) -> None:
    seconds = build_seconds(*forty_cells)
    size = len(report.render(*forty_cells).encode())
    print(f"\n40 cells: {seconds:.2f} s CPU, {size / 1e6:.2f} MB")
    assert seconds <= 3
    assert size <= 2_500_000


def test_four_hundred_cells_still_build() -> None:
    levels = strategies(80)
    seconds = build_seconds(results(levels), facts(levels))
    print(f"\n400 cells: {seconds:.2f} s CPU")
    assert seconds <= 30


def test_the_page_draws_within_two_seconds(
    forty_cells: tuple[Results, RunFacts], tmp_path: Path
) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "report.html"
    path.write_text(report.render(*forty_cells), encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        times = []
        for _ in range(3):
            page = browser.new_context(offline=True).new_page()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            times.append(float(page.locator("html").get_attribute("data-milliseconds")))
        browser.close()
    print(f"\ndrawn after {min(times):.0f} ms")
    assert min(times) <= 2000
