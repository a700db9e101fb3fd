"""What the simulations found is said where the numbers are read."""

import json
import re
from pathlib import Path

import pytest

from tests._results import EMBEDDED, facts, results
from tunefair.reporting import report
from tunefair.reporting.answer import answer
from tunefair.reporting.definitions import definitions
from tunefair.reporting.sheet import sheet
from tunefair.statistics import coverage
from tunefair.statistics.coverage import COVERAGE, PROMISED, Coverage

PAGE = Path(__file__).parents[1] / "docs" / "uncertainty.md"
ROW = re.compile(r"^\| (?P<name>[a-z_ 0-9]+?) \| \d+ \| (?P<shares>[\d.–]+ \| [\d.–]*) \|", re.M)
SMALLEST = " of the smallest group"


def test_the_table_in_code_is_that_of_the_page():
    text = PAGE.read_text(encoding="utf-8")
    of_page = {
        row["name"]: [float(share) for share in re.findall(r"[\d.]+", row["shares"])]
        for row in ROW.finditer(text)
    }
    assert {name: (min(s), max(s)) for name, s in of_page.items()} == {
        name: tuple(covered) for name, covered in COVERAGE.items()
    }


def test_every_headline_metric_was_simulated():
    from tunefair.measuring.contrasts import HEADLINE

    assert all(coverage.of_whole(metric) for metric in HEADLINE)


@pytest.mark.parametrize("name", COVERAGE)
def test_shares_are_percentages(name):
    low, high = COVERAGE[name]
    assert 50 <= low <= high <= 100


class TestReport:
    shown = sheet(results(EMBEDDED), facts(EMBEDDED))

    def test_definitions_say_how_often_intervals_covered(self):
        grid = definitions(self.shown)
        at = grid.columns.index("95 % interval covered, %")
        by_name = {row[0].text: row[at] for row in grid.rows}
        low, high = COVERAGE["accuracy"]
        assert by_name["accuracy"].text == f"{low:.1f} to {high:.1f}"
        low, high = COVERAGE["accuracy" + SMALLEST]
        assert by_name["accuracy"].under == f"group {low:.1f} to {high:.1f}"
        assert "nominal 95 %" in grid.notes[0]

    def test_what_was_not_simulated_shows_no_number(self, monkeypatch):
        monkeypatch.delitem(COVERAGE, "accuracy")
        grid = definitions(self.shown)
        row = next(row for row in grid.rows if row[0].text == "accuracy")
        assert row[grid.columns.index("95 % interval covered, %")].text == "–"

    def test_the_page_prints_it(self):
        page = report.render(results(EMBEDDED), facts(EMBEDDED))
        low, high = COVERAGE["equalized_odds_difference"]
        assert f"{low:.1f} to {high:.1f}" in page

    def test_a_deciding_number_that_falls_short_is_a_caution(self, monkeypatch):
        assert not any("contained the true value" in s.text for s in answer(self.shown))
        monkeypatch.setitem(COVERAGE, "accuracy", Coverage(PROMISED - 4, 97.0))
        said = [s for s in answer(self.shown) if "contained the true value" in s.text]
        assert [s.kind for s in said] == ["caution"]
        assert f"as few as {PROMISED - 4:.1f} %" in said[0].text
        summary = report.markdown(results(EMBEDDED), facts(EMBEDDED))
        assert "contained the true value in as few as" in summary

    def test_json_has_it(self):
        found = json.loads(report.as_json(results(EMBEDDED), facts(EMBEDDED)))["coverage"]
        low, high = COVERAGE["accuracy"]
        assert found["accuracy"]["whole"] == {"low": low, "high": high}
        assert set(found) == set(results(EMBEDDED).definitions)
