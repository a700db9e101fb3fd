"""Baselines: kept whole, read back, refused when damaged, renewed only on purpose."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests import _models as models
from tests import _runs
from tunefair.cli.app import app
from tunefair.gating import baseline, snapshot
from tunefair.gating.gate import gate
from tunefair.schema import BadInputError, Evidence
from tunefair.storage import files


def invoke(*arguments: object) -> tuple[int, str]:
    made = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)
    if isinstance(made.exception, BadInputError):
        return 2, str(made.exception)  # as tunefair.cli.app.main has it
    assert made.exception is None or isinstance(made.exception, SystemExit), made.exception
    return made.exit_code, made.output


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a folder with a run, a worse run and a baseline of the first."""
    folder = tmp_path_factory.mktemp("gate")
    worse, usual = _runs.pair(quality=models.worse(signal=0.45), n=1200)
    _runs.write(folder / "run", usual)
    _runs.write(folder / "worse", worse)
    assert invoke("baseline", folder / "run", "--out", folder / "base")[0] == 0
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """Return a copy that a test may corrupt."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def assert_same(one: Evidence, other: Evidence) -> None:
    assert one.strategy == other.strategy
    assert one.seeds == other.seeds
    pairs = [*zip(one.test, other.test, strict=True)]
    pairs += zip(one.validation, other.validation, strict=True)
    assert one.views.keys() == other.views.keys()
    for view, answers in one.views.items():
        pairs += zip(answers, other.views[view], strict=True)
    for a, b in pairs:
        assert a.classes == b.classes
        assert a.groups.keys() == b.groups.keys()
        for name in ("example_id", "label", "prediction", "probability"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


class TestFolder:
    def test_comes_back(self, made):
        run, kept = snapshot.of_run(made / "run"), baseline.read(made / "base").snapshot
        for one, other in zip(run.evidence, kept.evidence, strict=True):
            assert_same(one, other)
            assert one.ledgers == other.ledgers
        assert kept.versions == snapshot.versions()
        assert kept.facts.card == run.facts.card
        assert kept.settings == run.settings

    def test_views_and_missing_probabilities_come_back(self, made, tmp_path):
        run = snapshot.of_run(made / "run")
        full, lora = run.evidence
        some = np.arange(0, 1200, 3)
        full = replace(full, views={"swap:a": tuple(p.take(some) for p in full.test)})
        lora = replace(lora, test=tuple(replace(p, probability=None) for p in lora.test))
        lora = replace(lora, validation=())
        changed = baseline.Baseline(snapshot=replace(run, evidence=(full, lora)))
        baseline.write(tmp_path / "b", changed, [])
        read = baseline.read(tmp_path / "b").snapshot.evidence
        assert_same(full, read[0])
        assert [p.probability for p in read[1].test] == [None] * 3

    def test_is_small_and_says_what_it_holds(self, made):
        sizes = {p.name: p.stat().st_size for p in (made / "base").iterdir()}
        assert set(sizes) == {
            "baseline.json", "checksums.json", "facts.json", "measurements.json",
            "predictions.parquet", "suite.toml",
        }  # fmt: skip
        assert sum(sizes.values()) < 400_000
        rows = json.loads((made / "base" / "measurements.json").read_text())
        assert {"accuracy", "equalized_odds_difference"} <= {row["metric"] for row in rows}

    def test_equal_runs_make_equal_bytes(self, made, folder):
        invoke("baseline", folder / "run", "--out", folder / "again")
        for path in (made / "base").iterdir():
            assert path.read_bytes() == (folder / "again" / path.name).read_bytes(), path.name

    def test_a_run_passes_against_its_own(self, made):
        code, said = invoke("gate", made / "run", "--baseline", made / "base")
        assert code == 0
        assert "inconclusive" not in said

    def test_a_worse_run_fails(self, made, tmp_path):
        outputs = [
            f"--{kind}={tmp_path / kind}" for kind in ("json", "junit", "markdown", "sarif")
        ]
        code, said = invoke("gate", made / "worse", "--baseline", made / "base", *outputs)
        assert code == 1
        assert "accuracy" in said
        assert all((tmp_path / kind).stat().st_size for kind in ("json", "junit", "markdown"))
        assert json.loads((tmp_path / "sarif").read_text())["version"] == "2.1.0"

    def test_github_gets_annotations(self, made, monkeypatch):
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        _, said = invoke("gate", made / "worse", "--baseline", made / "base")
        marks = [line for line in said.splitlines() if line.startswith("::")]
        assert any(re.fullmatch(r"::error title=fail.*adjusted p [\d.e-]+\)", m) for m in marks)


class TestDamage:
    """One line and the right exit code."""

    def assert_says(self, folder: Path, code: int, *words: str) -> None:
        got, said = invoke("gate", folder / "run", "--baseline", folder / "base")
        assert got == code, said
        assert all(word in " ".join(said.split()) for word in words), said

    @pytest.mark.parametrize(
        "name", ["predictions.parquet", "measurements.json", "facts.json", "suite.toml"]
    )
    def test_a_changed_file(self, folder, name):
        path = folder / "base" / name
        path.write_bytes(path.read_bytes() + b" ")
        self.assert_says(folder, 2, "not as it was written")

    @pytest.mark.parametrize("name", ["predictions.parquet", "checksums.json", "facts.json"])
    def test_a_missing_file(self, folder, name):
        (folder / "base" / name).unlink()
        self.assert_says(folder, 2, "not as it was written")

    def test_a_changed_record(self, folder):
        path = folder / "base" / "baseline.json"
        path.write_text(path.read_text().replace('"accuracy": 1', '"accuracy": 7'))
        self.assert_says(folder, 2, "not as it was written")

    def test_an_empty_folder(self, folder):
        shutil.rmtree(folder / "base")
        (folder / "base").mkdir()
        self.assert_says(folder, 2, "no baseline.json")

    def test_an_interrupted_write(self, folder):
        shutil.rmtree(folder / "base")
        (folder / ".base.new").mkdir()
        self.assert_says(folder, 2, "no baseline.json")

    @pytest.mark.parametrize("content", ["", "[]", "{", '"x"', "null"])
    def test_a_broken_record(self, folder, content):
        (folder / "base" / "baseline.json").write_text(content)
        code, said = invoke("gate", folder / "run", "--baseline", folder / "base")
        assert code in {2, 4}
        assert "baseline.json" in said or "format None" in said

    def test_an_older_format(self, folder):
        path = folder / "base" / "baseline.json"
        path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
        self.assert_says(folder, 4, "a baseline of format 0", "this version reads 1")

    def test_a_format_that_a_terminal_would_obey(self, folder):
        path = folder / "base" / "baseline.json"
        path.write_text(files.to_json(files.read_json(path) | {"format": "\x1b[2J" * 99}))
        code, said = invoke("gate", folder / "run", "--baseline", folder / "base")
        assert code == 4
        assert "\x1b" not in said
        assert len(said) < 400

    def test_another_task(self, folder):
        _, usual = _runs.pair(n=1200)
        _runs.write(folder / "other", usual, task="u" * 64)
        code, said = invoke("gate", folder / "other", "--baseline", folder / "base")
        assert code == 4
        assert "fingerprint differs" in said

    @pytest.mark.parametrize(
        ("key", "value"),
        [("versions", "9"), ("versions", {"accuracy": "x"}), ("renewals", [{}]), ("origin", [1])],
    )
    def test_a_sealed_record_of_something_else(self, folder, key, value):
        path = folder / "base" / "baseline.json"
        path.write_text(files.to_json(files.read_json(path) | {key: value}))
        (folder / "base" / files.SEAL).write_text(files.to_json(files._checksums(folder / "base")))
        self.assert_says(folder, 2, "not a baseline (ValidationError)")

    def test_a_sealed_folder_of_something_else(self, folder):
        shutil.rmtree(folder / "base")
        record = files.to_json({"format": 1, "versions": {}, "renewals": []})
        files.write_sealed(
            folder / "base", lambda draft: files.write(draft / "baseline.json", record)
        )
        self.assert_says(folder, 2)

    def test_a_write_that_dies_leaves_the_old_one(self, folder, monkeypatch):
        before = {p.name: p.read_bytes() for p in (folder / "base").iterdir()}
        run = snapshot.of_run(folder / "run")
        monkeypatch.setattr(files, "write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            baseline.write(folder / "base", baseline.Baseline(snapshot=run), [])
        assert before == {p.name: p.read_bytes() for p in (folder / "base").iterdir()}


class TestCells:
    def test_a_failed_cell_fails(self, folder):
        _, usual = _runs.pair(n=1200)
        _runs.write(folder / "failed", usual, failed={"lora": 1})
        code, said = invoke("gate", folder / "failed", "--baseline", folder / "base")
        assert code == 1
        assert "seed 1 is failed: out of memory" in said

    def test_a_missing_strategy_is_not_comparable(self, folder):
        _, usual = _runs.pair(n=1200)
        _runs.write(folder / "less", usual[:1])
        code, said = invoke("gate", folder / "less", "--baseline", folder / "base")
        assert code == 4
        assert "lora" in said
        assert "not in this run" in said

    def test_all_failed_fails(self, folder):
        _, usual = _runs.pair(n=1200)
        one = [replace(usual[0], seeds=(0,), test=usual[0].test[:1])]
        _runs.write(folder / "none", one, failed={"full": 0})
        assert invoke("gate", folder / "none", "--baseline", folder / "base")[0] == 1

    def test_a_new_strategy_is_said_not_to_be_judged(self, folder):
        _, usual = _runs.pair(n=1200)
        _runs.write(folder / "more", [*usual, replace(usual[0], strategy="new")])
        code, said = invoke("gate", folder / "more", "--baseline", folder / "base")
        assert code == 0
        assert "new: not in the baseline" in said

    def test_a_rule_naming_what_the_baseline_lacks_is_not_comparable(self, folder):
        _, usual = _runs.pair(n=1200)
        rule = '[[gate]]\nmetric = "accuracy"\nmax_loss = 0.1\nstrategies = ["new"]'
        _runs.write(folder / "more", [*usual, replace(usual[0], strategy="new")], rules=rule)
        assert invoke("gate", folder / "more", "--baseline", folder / "base")[0] == 4

    def test_a_rule_naming_a_strategy_that_the_run_lacks_fails(self, folder):
        (folder / "r.toml").write_text(
            '[[gate]]\nmetric = "accuracy"\nmax_loss = 0.1\nstrategies = ["gone"]'
        )
        arguments = ("gate", folder / "run", "--baseline", folder / "base")
        assert invoke(*arguments, "--rules", folder / "r.toml")[0] == 1

    def test_a_baseline_needs_every_cell(self, folder):
        _, usual = _runs.pair(n=1200)
        _runs.write(folder / "failed", usual, failed={"lora": 1})
        code, said = invoke("baseline", folder / "failed", "--out", folder / "new")
        assert code == 2
        assert "lora, seed 1: failed" in said
        assert not (folder / "new").exists()

    def test_costs_are_judged_even_where_predictions_are_the_same(self, folder):
        (folder / "r.toml").write_text('[[gate]]\nmetric = "seconds"\nmax_loss = 5')
        run = snapshot.of_run(folder / "run")
        slow = replace(
            run,
            evidence=tuple(
                replace(e, ledgers=tuple(replace(x, seconds=x.seconds + 50) for x in e.ledgers))
                for e in run.evidence
            ),
        )
        from tunefair.gating import rules

        chosen = rules.read(folder / "r.toml")
        assert gate(slow, run, chosen).exit_code == 1
        assert gate(run, slow, chosen).exit_code == 0


class TestRules:
    RULE = '[[gate]]\nmetric = "accuracy"\nmin_value = 0.99'

    def test_the_suite_s_own_rules_count_besides(self, folder):
        _, usual = _runs.pair(n=1200)
        _runs.write(folder / "strict", usual, rules=self.RULE)
        code, said = invoke("gate", folder / "strict", "--baseline", folder / "base")
        assert code == 1
        assert "at least 0.99" in said
        assert "asks for less than the baseline's rules: the baseline's count" in " ".join(
            said.split()
        )

    def test_a_file_s_rules_take_their_place(self, folder):
        (folder / "r.toml").write_text(self.RULE)
        arguments = ("gate", folder / "run", "--baseline", folder / "base")
        assert invoke(*arguments, "--rules", folder / "r.toml")[0] == 1
        assert invoke(*arguments)[0] == 0


class TestRenewal:
    def renew(self, folder: Path, run: str, *more: object) -> tuple[int, str]:
        return invoke("baseline", folder / run, "--out", folder / "base", *more)

    def test_something_worse_asks_for_a_reason(self, folder):
        before = (folder / "base" / "baseline.json").read_bytes()
        code, said = self.renew(folder, "worse")
        assert code == 1
        assert "worse: full: accuracy" in said
        assert "--accept-worse" in said
        assert (folder / "base" / "baseline.json").read_bytes() == before
        assert invoke("gate", folder / "run", "--baseline", folder / "base")[0] == 0

    def test_the_reason_is_stored(self, folder):
        code, said = self.renew(folder, "worse", "--accept-worse", "half the size")
        assert code == 0
        assert "worse: full: accuracy" in said
        kept = baseline.read(folder / "base")
        assert [r.reason for r in kept.renewals] == ["half the size"]
        assert any("accuracy" in line for line in kept.renewals[0].worse)
        assert invoke("gate", folder / "worse", "--baseline", folder / "base")[0] == 0

    def test_a_blank_reason_is_none(self, folder):
        assert self.renew(folder, "worse", "--accept-worse", "  ")[0] == 1

    def test_nothing_worse_needs_no_reason(self, folder):
        assert self.renew(folder, "run")[0] == 0
        assert baseline.read(folder / "base").renewals == ()

    def test_reasons_add_up(self, folder):
        self.renew(folder, "worse", "--accept-worse", "one")
        self.renew(folder, "run")
        self.renew(folder, "worse", "--accept-worse", "two")
        assert [r.reason for r in baseline.read(folder / "base").renewals] == ["one", "two"]

    def test_small_losses_do_not_add_up_unseen(self, folder):
        """Each step is within the tolerance, their sum is not."""
        run = snapshot.of_run(folder / "run")
        (folder / "r.toml").write_text('[[gate]]\nmetric = "accuracy"\nmax_loss = 0.02')
        codes = []
        for step in range(4):
            corrupted = []
            for evidence in run.evidence:
                rng = np.random.default_rng(0)
                rows = rng.permutation(1200)[: 18 * step]
                answers = []
                for p in evidence.test:
                    made, stated = p.prediction.copy(), p.probability.copy()
                    made[rows] = 1 - p.label[rows]
                    stated[rows] = np.eye(2)[made[rows]] * 0.2 + 0.4
                    answers.append(replace(p, prediction=made, probability=stated))
                corrupted.append(replace(evidence, test=tuple(answers), seeds=evidence.seeds))
            name = _runs.write(folder / f"step{step}", corrupted).name
            codes.append(self.renew(folder, name, "--rules", folder / "r.toml")[0])
        assert codes[0] == 0
        assert 1 in codes[1:]
        assert codes.index(1) > 1

    def test_another_task_is_renewed_on_purpose(self, folder):
        _, usual = _runs.pair(n=1200, seed=3)
        _runs.write(folder / "other", usual, task="u" * 64)
        assert invoke("gate", folder / "other", "--baseline", folder / "base")[0] == 4
        assert self.renew(folder, "other", "--accept-worse", "a new test set")[0] == 0
        assert invoke("gate", folder / "other", "--baseline", folder / "base")[0] == 0

    def test_an_older_format_is_renewed_with_a_reason(self, folder):
        path = folder / "base" / "baseline.json"
        path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
        assert self.renew(folder, "run")[0] == 1
        assert self.renew(folder, "run", "--accept-worse", "new layout")[0] == 0
        assert invoke("gate", folder / "run", "--baseline", folder / "base")[0] == 0

    def test_a_damaged_one_is_not_replaced_silently(self, folder):
        (folder / "base" / "facts.json").write_text("{}")
        assert self.renew(folder, "run", "--accept-worse", "why not")[0] == 2
