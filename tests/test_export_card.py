"""The card and the packs: numbers of the results alone, metadata that is read back."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index

from tests import _models, _runs
from tunefair.exporting import card, card_text, packs, record
from tunefair.exporting.figures import figures
from tunefair.exporting.record import Bound, Probe, ProofRow, Record
from tunefair.reporting import wording

HOSTILE = "<img src=x>|`@all`\n# big"
MADE = Record(
    strategy=HOSTILE, use="full", options="", seed=1, seed_because="it was asked for",
    suite="toy", cell="full-1", run="../runs/toy", command="tunefair export", date="2026-12-01",
    task_source="files", task="t" * 64, examples="e" * 64, classes=("no", "yes"),
    attribute="gender", model="a folder", model_on_hub=False, model_fingerprint="f" * 64,
    max_tokens=64, weights="kept by the run", parameters=21954, revision="", holds_all=True,
    longer=7, bound=Bound(1e-5, 0.0, "fp32"),
    proof=(ProofRow("", "", 1500, 5.5e-08, 0), ProofRow("gender", "f", 700, 5e-08, 0)),
    probes=(Probe("word", (0.5, 0.5)),), environment={"torch": "2.13.0"},
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The figures of the second seed of a strategy with a hostile name."""
    rng = np.random.default_rng(0)
    test = _models.examples(900, rng)
    strategies = [_models.strategy(test, rng, label="full", seeds=2)]
    strategies += [_models.strategy(test, rng, label=HOSTILE, seeds=2)]
    folder = tmp_path_factory.mktemp("run")
    _runs.write(folder, strategies)
    groups = strategies[1].test[1].groups
    return figures(folder, HOSTILE, 1, groups)


@pytest.fixture(scope="module")
def written(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    card.write(folder, MADE, found, ("annex-iv", "ll144"))
    return folder


def test_the_metadata_is_read_back_and_holds_each_headline_metric_once(written, found):
    loaded = ModelCard.load(written / "README.md")
    results = loaded.data.eval_results
    metrics = [result.metric_type for result in results]
    assert len(set(metrics)) == len(metrics)
    assert {"accuracy", "expected_calibration_error"} <= set(metrics)
    index = eval_results_to_model_index("m", results)
    (entry,) = index[0]["results"]
    assert len(entry["metrics"]) == len(metrics)
    for result in results:
        own = [m for p, m in found.own.items() if p.metric == result.metric_type]
        assert any(math.isclose(result.metric_value, m.value, abs_tol=5e-5) for m in own)


def test_no_number_of_the_results_was_typed(written, found):
    """Every decimal number between the sections of results is a measurement as a page shows it."""
    shown = set()
    every = [*found.own.values(), *found.sheet.means.values()]
    for m in every:
        digits = wording.decimals(m.low, m.high)
        shown |= {
            wording.fixed(v, digits)
            for v in (m.value, m.low, m.high, m.floor_p95)
            if v is not None
        }
        shown |= set(re.findall(r"[\d.]+", wording.interval(m.low, m.high)))
    shown = {text.strip(wording.MINUS) for text in shown}
    text = (written / "README.md").read_text()
    text = text[text.index("## Results") : text.index("## What was not decided")]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    numbers = re.findall(r"\d+\.\d+", "\n".join(lines))
    assert len(numbers) > 30
    assert set(numbers) <= shown


def test_every_number_of_a_pack_is_linked_to_its_measurement(written, found):
    for name in packs.PACKS:
        text = (written / f"{name}.md").read_text()
        cited, listed = (
            set(re.findall(r"\(#(m\d+)\)", text)),
            set(re.findall(r'id="(m\d+)"', text)),
        )
        assert cited == listed
        assert cited
        assert card_text.YOURS in text
        for line in text.splitlines():
            if match := re.match(r'\| <a id="m\d+"></a>m\d+ \| (\w+) \| (\w+) \|', line):
                assert any(
                    m.audit == match[1] and p.metric == match[2] for p, m in found.own.items()
                )


def test_names_are_harmless(written):
    for path in written.iterdir():
        text = path.read_text()
        assert "<img" not in text
        assert "@all" not in text
        assert "\n# big" not in text


def test_what_the_model_cannot_hold_is_said_first(found):
    text = card_text.text(replace(MADE, holds_all=False, revision="thresholds"), found)
    assert text.index("does not decide as was audited") < text.index("##")
    assert "does not decide as was audited" not in card_text.text(MADE, found)


def test_a_record_is_read_back(tmp_path):
    record.write(tmp_path, MADE)
    assert record.read(tmp_path) == MADE


def test_the_impact_ratio_of_more_classes_is_not_given(found):
    text = packs.ll144(replace(MADE, classes=("a", "b", "c")), found)
    assert "no ratio is given" in text
