"""The page as text: complete, inert, the same on every call, and honest about digits."""

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests._results import EMBEDDED, GROUPS, Level, evidence, facts, results
from tunefair.audit import shipped
from tunefair.facts import CellFacts, RunFacts
from tunefair.measuring.measure import measure
from tunefair.reporting import page as pages
from tunefair.reporting import report, sections
from tunefair.reporting.grids import measurement_text
from tunefair.reporting.looks import BAND, INK, MUTED, PALETTE, RULE
from tunefair.reporting.page import TEMPLATES
from tunefair.reporting.wording import decimals, distinct, fixed, metric_words, printable, short
from tunefair.schema import AuditSettings, Measurement, Results

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><img src=x onerror=window.pwned=1>",
    "\"'><b>bold</b>",
    "\u202eright to left\u202c",
    "a" * 200,
    "${alert(1)} {{ 7 * 7 }} <!-- [x](javascript:alert(1)) | `code`",
)


def hostile() -> tuple[Results, RunFacts]:
    levels = {"full": EMBEDDED["full"], **dict.fromkeys(HOSTILE, Level(gap=0.3))}
    groups = {name: (400, 0.5, i / 10) for i, name in enumerate(HOSTILE)}
    known = facts(levels, suite=HOSTILE[0], suite_toml=HOSTILE[1], commit=HOSTILE[1])
    return results(levels, groups, attribute=HOSTILE[1]), known


def everything_nan() -> tuple[Results, RunFacts]:
    known = results()
    gone = {"value": math.nan, "low": math.nan, "high": None, "undefined": "no reason to be had"}
    rows = tuple(m._replace(**gone, floor_p95=math.nan) for m in known.measurements)
    contrasts = tuple(
        c._replace(difference=math.nan, low=None, high=None, verdict="undefined")
        for c in known.contrasts
    )
    return Results(measurements=rows, contrasts=contrasts), facts()


def all_failed() -> tuple[Results, RunFacts]:
    cells = tuple(
        CellFacts(strategy=label, seed=0, status="failed", reason="out of memory")
        for label in EMBEDDED
    )
    return Results(measurements=()), facts(cells=cells)


def sixty_groups() -> tuple[Results, RunFacts]:
    groups = {f"group of people number {i}": (40 + i, 0.5, (i - 30) / 60) for i in range(60)}
    levels = {k: EMBEDDED[k] for k in ("full", "weighted")}
    return results(levels, groups), facts(levels)


def one_strategy_one_seed() -> tuple[Results, RunFacts]:
    levels = {"mine": Level(seeds=1)}
    rows = tuple(m for m in results(levels).measurements if m.audit != "cost")
    return Results(measurements=rows), RunFacts(suite="predictions.csv")


CASES: dict[str, Callable[[], tuple[Results, RunFacts]]] = {
    "embedded": lambda: (results(), facts()),
    "hostile": hostile,
    "everything NaN": everything_nan,
    "all failed": all_failed,
    "sixty groups": sixty_groups,
    "one strategy": one_strategy_one_seed,
}


@cache
def html_of(case: str) -> str:
    """Return a case's page, built once for all tests that only read it."""
    return report.render(*CASES[case]())


@pytest.mark.parametrize("case", CASES)
def test_every_form_can_be_made_and_is_the_same_twice(case: str) -> None:
    found, known = CASES[case]()
    html = html_of(case)
    assert html == report.render(found, known)
    assert len(html) < 2_500_000
    assert report.markdown(found, known) == report.markdown(found, known)
    assert json.loads(report.as_json(found, known))["results"]["measurements"] is not None
    console = Console(file=StringIO(), width=100)
    console.print(report.terminal(found, known))
    assert console.file.getvalue().strip()


def test_the_page_is_the_same_in_another_process() -> None:
    code = (
        "import hashlib, tests._results as r; from tunefair.reporting.report import render; "
        "print(hashlib.sha256(render(r.results(), r.facts()).encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    here = hashlib.sha256(html_of("embedded").encode()).hexdigest()
    assert other.stdout.strip() == here


def without_scripts(html: str) -> str:
    return re.sub(r"<script[^>]*>.*?</script>", "", html, flags=re.S)


def test_nothing_is_fetched_and_only_hashed_scripts_run() -> None:
    html = html_of("embedded")
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', without_scripts(html))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe-eval" not in policy[1]
    assert policy[1].count("sha256-") == 2
    assert len(re.findall(r'<script type="module">', html)) == 2


def test_hostile_names_are_text() -> None:
    html = html_of("hostile")
    assert "<script>window" not in html
    assert "<img" not in without_scripts(html)
    assert "<b>bold" not in html
    assert "\u202e" not in without_scripts(html)
    assert "{{ 7 * 7 }}" in html
    text = report.markdown(*hostile())
    assert "<script>" not in text.replace("\\<", "")
    assert "[x](" not in text


def test_sections_without_data_are_left_out() -> None:
    found = results({"full": EMBEDDED["full"]})
    bare = Results(measurements=tuple(m for m in found.measurements if m.audit == "accuracy"))
    html = report.render(bare, RunFacts(suite="bare"))
    for absent in ("groups", "calibration", "cost", "data", "trade-off", "baseline"):
        assert f'id="{absent}"' not in html
        assert f'href="#{absent}"' not in html
    for present in ("answer", "comparison", "methods"):
        assert f'id="{present}"' in html


def test_a_section_is_a_template_and_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (templates / "weather.html").write_text("<h2>Weather</h2><p>{{ sky }} and {{ reference }}</p>")
    entry = sections.Section("weather", "The weather", lambda _: [{"sky": "<blue>"}])
    monkeypatch.setattr(pages, "TEMPLATES", templates)
    monkeypatch.setattr(sections, "SECTIONS", (*sections.SECTIONS, entry))
    html = report.render(*CASES["one strategy"]())
    assert '<a href="#weather">The weather</a>' in html
    assert re.search(r'<section id="weather">\s*<h2>Weather</h2><p>&lt;blue&gt; and </p>', html)


def test_every_template_belongs_to_an_entry() -> None:
    names = {section.name for section in sections.SECTIONS}
    assert names == {path.stem for path in TEMPLATES.glob("*.html")} - {"page", "parts"}


def test_the_section_that_an_audit_declares_is_on_the_page() -> None:
    names = {section.name for section in sections.SECTIONS}
    assert {audit.section for audit in shipped().values() if audit.section} < names


def test_one_seed_says_examples_only() -> None:
    html = html_of("one strategy")
    assert "examples only" in html
    assert "examples only" not in report.render(
        *(f({k: EMBEDDED[k] for k in ("full", "lora")}) for f in (results, facts))
    ).replace("such as a yardstick, it covers the noise of the test examples only", "")


def test_nothing_is_claimed_of_how_foreign_predictions_came_about() -> None:
    html = without_scripts(html_of("one strategy"))
    assert "Predictions as given" in html
    for claim in ("Nothing changed", "reads groups in", "spent (", ">Strategies<"):
        assert claim not in html


def test_a_further_audit_gets_its_own_section() -> None:
    flips = Measurement(
        "counterfactual", "flip_rate", view="swap:names", value=math.nan, n=90,
        undefined="saturated: 97 % positive", strategy="full",
    )  # fmt: skip
    known = results({"full": EMBEDDED["full"]})
    html = report.render(Results(measurements=(*known.measurements, flips)), facts())
    assert ">Counterfactual</h2>" in html
    assert "swap:names" in html
    assert "saturated: 97 % positive" in html


def test_a_failed_cell_is_named_with_its_reason() -> None:
    html = html_of("all failed")
    assert html.count("out of memory") == len(EMBEDDED)


def test_a_baseline_stands_beside() -> None:
    old = results({"full": Level(gap=0.4)})
    html = report.render(results(), facts(), old)
    assert 'id="baseline"' in html
    assert "0.40" in re.sub(r"\s", "", html[html.index('id="baseline"') :][:4000])
    assert "Baseline beside this run" in report.markdown(results(), facts(), old)


def test_report_json_holds_every_number() -> None:
    found, known = results(), facts()
    loaded = json.loads(report.as_json(found, known))
    assert len(loaded["results"]["measurements"]) == len(found.measurements)
    assert loaded["results"]["measurements"][0]["value"] == found.measurements[0].value
    assert loaded["facts"]["strategies"][3]["choices"] == ["adapt"]
    nothing = json.loads(report.as_json(*everything_nan()))
    assert {m["value"] for m in nothing["results"]["measurements"]} == {None}


def test_the_tables_behind_the_charts_hold_every_drawn_group() -> None:
    html = html_of("sixty groups")
    for i in range(60):
        assert f"group of people number {i}<" in html
    assert "the 15 largest of 60 groups" in html


def test_measured_evidence_becomes_a_page() -> None:
    levels = {k: EMBEDDED[k] for k in ("tfidf", "full", "weighted")}
    groups = {name: (size // 4, rate, lean) for name, (size, rate, lean) in GROUPS.items()}
    found = measure(
        evidence(levels, groups),
        AuditSettings(replicates=200),
        audits=("accuracy", "calibration", "group_fairness"),
        reference="full",
    )
    html = report.render(found, facts(levels))
    assert len(re.findall(r'<figure class="chart"', html)) >= 8
    value = next(
        m.value
        for m in found.measurements
        if (m.strategy, m.metric, m.group, m.seed) == ("full", "accuracy", "", None)
    )
    assert f">{value:.3f}" in html or f">{value:.2f}" in html


def test_reading_the_module_loads_nothing_heavy() -> None:
    code = (
        "import sys, tunefair.reporting.report; "
        "print({'torch', 'altair', 'vl_convert', 'pandas', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- words and digits ---


@given(st.floats(0, 1), st.floats(1e-5, 0.5))
def test_no_more_digits_than_the_interval_supports(value: float, half: float) -> None:
    places = decimals(value - half, value + half)
    unit = 10.0**-places
    assert unit > half / 30 or places == 0
    assert unit <= half * 1.001 or places == 4 or half < unit <= 1
    assert len(fixed(value, places).partition(".")[2]) == places


@pytest.mark.parametrize(
    ("low", "high", "places"),
    [
        (0.746, 0.782, 3),
        (0.66, 0.76, 2),
        (0.2, 0.8, 1),
        (-0.3, 0.3, 1),
        (None, 0.5, 3),
        (0.5, 0.5, 3),
    ],
)
def test_digits_by_example(low: float | None, high: float, places: int) -> None:
    assert decimals(low, high) == places


def test_a_rounded_zero_has_no_sign() -> None:
    assert fixed(-0.0004, 3, signed=True) == "0.000"
    assert fixed(-0.04, 2, signed=True) == "\u22120.04"
    assert fixed(math.nan, 2) == "–"


def test_undefined_is_never_a_number() -> None:
    cell = measurement_text(Measurement("a", "b", undefined="no positives"))
    assert (cell.text, cell.hint) == ("undefined", "no positives")


@given(st.lists(st.text(min_size=1, max_size=60), unique=True, max_size=30))
def test_short_names_stay_apart(names: list[str]) -> None:
    found = distinct(names)
    assert len(set(found.values())) == len(names)
    assert all(0 < len(x) <= 16 for x in found.values())


@given(st.text())
def test_plain_names_are_one_visible_line(name: str) -> None:
    assert printable(name)
    assert printable(name).isprintable()
    assert len(short(name, 10)) <= 10


def test_metric_names_are_words() -> None:
    assert metric_words("equalized_odds_difference") == "equalized odds difference"
    assert metric_words("roc_auc") == "ROC AUC"


# --- colours ---


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast_ratio(one: str, other: str) -> float:
    """WCAG 2.2's relative contrast."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_every_colour_stands_out_as_text_in_light_and_dark() -> None:
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in css.split("@media")[:2]
    )
    for name in ("ink", "muted", "better", "worse", "link"):
        for ground in ("paper", "faint"):
            assert contrast_ratio(light[name], light[ground]) >= 4.5, name
            assert contrast_ratio(dark[name], dark[ground]) >= 4.5, name
    for colour in PALETTE:
        assert contrast_ratio(colour, light["paper"]) >= 4.5, colour
        for attribute in ("fill", "stroke"):
            mapped = re.search(rf'\[{attribute}="{colour}"\] {{ {attribute}: (#\w+)', css)
            assert mapped is not None, colour
            assert contrast_ratio(mapped[1], dark["paper"]) >= 4.5, colour
    for colour in (INK, MUTED, RULE, BAND):
        assert f'"{colour}"' in css
