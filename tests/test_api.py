"""tunefair in Python: the numbers of the command line, on tables in memory."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import tunefair
from tests import _runs
from tunefair.api import verbs
from tunefair.cli.app import app

COLUMNS = {"label": "y", "probability": "p", "groups": ["g"], "id": "id", "positive": "yes"}
FLAGS = ("--label", "y", "--probability", "p", "--group", "g", "--id", "id", "--positive", "yes")


def table(seed: int = 0, n: int = 400, noise: float = 0.35) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).random(n) < 0.5
    score = np.clip(np.where(truth, 0.65, 0.35) + rng.normal(0, noise / 2, n), 0.001, 0.999)
    return pd.DataFrame(
        {
            "id": [f"i{i}" for i in range(n)],
            "y": np.where(truth, "yes", "no"),
            "p": score,
            "g": np.where(np.arange(n) % 3 == 0, "a", "b"),
        }
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "frame.csv"
    table().to_csv(path, index=False)
    return path


def command_line(*arguments: object) -> None:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output


def measured_by(path: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads(path.read_text())["measurements"])


def same_numbers(frame: pd.DataFrame, rows: pd.DataFrame) -> None:
    means = frame[frame.seed.isna()].reset_index(drop=True)
    assert len(means) == len(rows)
    for column in ("metric", "attribute", "group", "n", "undefined"):
        assert means[column].tolist() == rows[column].tolist(), column
    for column in ("value", "low", "high", "corrected", "floor_mean", "floor_p95"):
        left, right = (pd.to_numeric(t[column]).to_numpy(dtype=float) for t in (means, rows))
        np.testing.assert_allclose(left, right, rtol=1e-12, equal_nan=True)


class TestAudit:
    @pytest.mark.parametrize("kind", ["pandas", "arrow", "mapping", "path"])
    def test_gives_the_numbers_of_the_command_line(self, file, tmp_path, kind):
        frame = pd.read_csv(file)
        given = {
            "pandas": frame,
            "arrow": pa.Table.from_pandas(frame),
            "mapping": {name: frame[name].tolist() for name in frame},
            "path": file,
        }[kind]
        command_line("audit", file, *FLAGS, "--json", tmp_path / "out.json")
        result = tunefair.audit(given, **COLUMNS)
        same_numbers(result.to_frame(), measured_by(tmp_path / "out.json"))

    def test_options_reach_the_audit(self, file, tmp_path):
        more = ("--replicates", 300, "--seed", 4, "--min-group-size", 5, "--threshold", 0.4)
        command_line("audit", file, *FLAGS, *more, "--json", tmp_path / "out.json")
        result = tunefair.audit(
            table(), **COLUMNS, replicates=300, seed=4, min_group_size=5, threshold=0.4
        )
        same_numbers(result.to_frame(), measured_by(tmp_path / "out.json"))

    def test_a_page_and_a_notebook(self, tmp_path):
        result = tunefair.audit(table(), **COLUMNS)
        page = result.to_html(tmp_path / "audit.html")
        assert (tmp_path / "audit.html").read_text() == page
        assert "<!doctype html>" in page[:200].lower()
        shown = result._repr_html_()
        assert shown.startswith("<iframe")
        assert "<script" not in shown  # escaped: it runs in a frame of its own, or not at all
        assert "accuracy" in str(result)

    @pytest.mark.parametrize(
        ("change", "options", "message"),
        [
            ({}, {"label": "nothing"}, "frame: "),
            ({"p": [7.0] * 400}, {}, "frame: "),
            ({}, {"groups": [""]}, "give a name, or a list of names"),
            ({}, {"label": ""}, "name a column, or leave it out"),
            ({}, {"intersections": ["g×h"]}, "--intersections"),
        ],
    )
    def test_refuses_what_the_command_line_refuses(self, change, options, message):
        with pytest.raises(tunefair.BadInputError, match=message) as refused:
            tunefair.audit(table().assign(**change), **(COLUMNS | options))
        assert "/tmp" not in str(refused.value)

    def test_what_is_no_table_is_refused(self):
        with pytest.raises(tunefair.BadInputError, match="frame: no table"):
            tunefair.audit(3, **COLUMNS)


class TestCompare:
    def test_gives_the_contrasts_of_the_command_line(self, tmp_path):
        new, old = tmp_path / "new.csv", tmp_path / "old.csv"
        table(1, noise=0.8).to_csv(new, index=False)
        table(2).to_csv(old, index=False)
        command_line("audit", new, "--compare", old, *FLAGS, "--json", tmp_path / "out.json")
        rows = pd.DataFrame(json.loads((tmp_path / "out.json").read_text())["contrasts"])
        shown = tunefair.compare(table(1, noise=0.8), table(2), **COLUMNS).contrasts()
        assert shown.metric.tolist() == rows.metric.tolist()
        assert shown.verdict.tolist() == rows.verdict.tolist()
        np.testing.assert_allclose(shown.difference, rows.difference.astype(float), atol=1e-12)


class TestGate:
    def test_of_tables(self):
        good, bad = table(2), table(1, noise=1.6)
        assert tunefair.gate(good, good, **COLUMNS).exit_code == 0
        judged = tunefair.gate(bad, good, **COLUMNS)
        assert (judged.exit_code, judged.outcome) == (1, "fail")
        assert "fail" in set(judged.to_frame().outcome)
        assert "fail" in judged.to_html()
        assert "fail" in str(judged)

    def test_of_folders(self, tmp_path):
        _, usual = _runs.pair(n=600)
        _runs.write(tmp_path / "run", usual)
        command_line("baseline", tmp_path / "run", "--out", tmp_path / "baseline")
        assert tunefair.gate(tmp_path / "run", tmp_path / "baseline").exit_code == 0

    def test_tables_need_a_label(self):
        with pytest.raises(tunefair.BadInputError, match="two folders, or two tables and label"):
            tunefair.gate(table(), table())

    def test_the_fixture_fails_a_test(self, tunefair_gate):
        assert tunefair_gate(table(2), table(2), **COLUMNS).exit_code == 0
        with pytest.raises(pytest.fail.Exception, match="accuracy"):
            tunefair_gate(table(1, noise=1.6), table(2), **COLUMNS)


def test_a_run_is_loaded_as_its_report_has_it(tmp_path):
    _, usual = _runs.pair(n=600)
    _runs.write(tmp_path / "run", usual)
    frame = tunefair.load(tmp_path / "run").to_frame()
    rows = pd.DataFrame(json.loads((tmp_path / "run" / "measurements.json").read_text()))
    assert frame.metric.tolist() == rows.metric.tolist()
    np.testing.assert_allclose(frame.value, rows.value.astype(float), equal_nan=True)


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(verbs).failed == 0


def test_the_verbs_are_not_hidden_by_the_modules_of_their_names():
    from tunefair.audit import Audit
    from tunefair.run import Wishes

    assert callable(tunefair.audit)
    assert callable(tunefair.run)
    assert (Audit.__module__, Wishes.__module__) == ("tunefair.audit", "tunefair.run")
    assert set(tunefair.__all__) <= set(dir(tunefair))
    for name in tunefair.__all__:
        assert getattr(tunefair, name) is not None


def test_numbers_from_python_need_no_torch():
    code = (
        "import sys, tunefair\n"
        "frame = {'y': [0, 1] * 60, 'p': [.2, .7, .6, .9] * 30, 'g': ['a', 'b', 'b'] * 40}\n"
        "tunefair.audit(frame, label='y', probability='p', groups=['g'], replicates=100)\n"
        "print(sorted({'torch', 'transformers', 'peft'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
