"""Per class, arbitrariness and flips: against scikit-learn and brute force."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import (
    confusion_matrix,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_curve,
)
from typer.testing import CliRunner

from tests._evidence import evidence
from tests.test_gate import SETTINGS, sides
from tunefair.cli.app import app
from tunefair.gating.gate import gate
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings, Evidence
from tunefair.statistics.jackknife import pseudo_values
from tunefair.suite import GateRule

FEW = AuditSettings(replicates=60)


def measured(audit: str, *made: Evidence, settings=FEW, **choices):
    return measure(list(made), settings, audits=[audit], **choices)


def by_place(results, strategy="full"):
    return {
        (m.metric, m.attribute, m.group): m
        for m in results.measurements
        if m.seed is None and m.strategy == strategy
    }


@pytest.mark.parametrize("n_classes", [2, 5])
class TestPerClass:
    def test_numbers_are_scikit_learns(self, n_classes):
        made = evidence(600, n_classes, seeds=(0, 1))
        found = by_place(measured("per_class", made))
        rows = [
            precision_recall_fscore_support(p.label, p.prediction, labels=range(n_classes))
            for p in made.test
        ]
        expected = np.mean(rows, axis=0)
        names = ("class_precision", "class_recall", "class_f1", "class_support")
        for number, metric in enumerate(names):
            for c, name in enumerate(made.test[0].classes):
                assert found[metric, "", name].value == pytest.approx(expected[number, c])

    def test_the_confusion_matrix_is_scikit_learns(self, n_classes):
        made = evidence(600, n_classes, seeds=(0, 1))
        found = by_place(measured("per_class", made))
        classes = made.test[0].classes
        counts = np.mean([confusion_matrix(p.label, p.prediction) for p in made.test], axis=0)
        shares = counts / counts.sum(axis=1, keepdims=True)
        for i, j in np.ndindex(counts.shape):
            group = f"{classes[i]} × {classes[j]}"
            assert found["confused_count", "", group].value == pytest.approx(counts[i, j])
            if i != j:
                assert found["confused_share", "", group].value == pytest.approx(shares[i, j])

    def test_differences_from_the_reference_are_contrasts(self, n_classes):
        one, other = (evidence(600, n_classes, strategy=s, seed=i) for i, s in enumerate("ab"))
        found = measured("per_class", one, other, reference="a").contrasts
        group = " × ".join(one.test[0].classes[:2])
        contrast = next(c for c in found if c.metric == "confused_share" and c.group == group)
        values = [by_place(measured("per_class", e), e.strategy) for e in (other, one)]
        shares = [v["confused_share", "", group].value for v in values]
        assert contrast.difference == pytest.approx(shares[0] - shares[1])
        assert contrast.low < contrast.difference < contrast.high

    def test_curves_are_scikit_learns(self, n_classes):
        made = evidence(900, n_classes, seeds=(0,))
        points = measured("per_class", made).curves
        p = made.test[0]
        drawn = p.classes if n_classes > 2 else p.classes[1:]
        assert {x.group for x in points} == set(drawn)
        for c in [p.classes.index(name) for name in drawn]:
            positive, score = p.label == c, p.probability[:, c]
            false, true, _ = roc_curve(positive, score, drop_intermediate=False)
            precision, recall, _ = precision_recall_curve(positive, score)
            for x in (x for x in points if x.group == p.classes[c]):
                if x.curve == "roc":
                    assert x.value == pytest.approx(np.interp(x.x, false, true), abs=0.03)
                elif x.x > 0.2:
                    nearest = precision[np.abs(recall - x.x).argmin()]
                    assert x.value == pytest.approx(nearest, abs=0.03)
                if np.isfinite(x.value):
                    assert x.low <= x.value <= x.high


class TestArbitrariness:
    @pytest.mark.parametrize("n_classes", [2, 4])
    @pytest.mark.parametrize("n_seeds", [2, 3, 5])
    def test_shares_are_those_of_a_loop(self, n_classes, n_seeds):
        made = evidence(300, n_classes, seeds=range(n_seeds))
        found = by_place(measured("arbitrariness", made))
        answers = [p.prediction for p in made.test]
        group = made.test[0].groups["target"]
        for name in ("", *np.unique(group)):
            rows = np.arange(300) if name == "" else np.flatnonzero(group == name)
            attribute = "target" if name else ""
            differs = np.mean([len({a[i] for a in answers}) > 1 for i in rows])
            pairs = [a[i] != b[i] for a, b in combinations(answers, 2) for i in rows]
            place = (attribute, name)
            assert found["arbitrariness", *place].value == pytest.approx(differs)
            assert found["disagreement", *place].value == pytest.approx(np.mean(pairs))
        shares = [found["disagreement", "target", g].value for g in np.unique(group)]
        gap = found["disagreement_difference", "target", "gap"]
        assert gap.value == pytest.approx(np.ptp(shares))
        assert gap.floor_mean > 0

    def test_one_seed_says_why_not(self):
        found = measured("arbitrariness", evidence(300, seeds=(0,)))
        assert {m.undefined for m in found.measurements} == {"one seed: nothing to disagree with"}

    def test_the_jackknife_is_careful_about_other_seeds(self):
        # decisions are coin tosses of each seed's own lean: the share varies from run to run
        rng = np.random.default_rng(0)
        seen, promised = [], []
        for _ in range(300):
            lean = rng.normal(size=6)
            tossed = rng.normal(size=(6, 400)) + lean[:, None] > 0
            share = np.mean([(a != b).mean() for a, b in combinations(tossed, 2)])
            without = [
                np.mean([(a != b).mean() for a, b in combinations(np.delete(tossed, k, 0), 2)])
                for k in range(6)
            ]
            values = pseudo_values(np.array(share), [np.array(w) for w in without])
            seen.append(share)
            promised.append(values.var(ddof=1) / 6)
            assert values.mean() == pytest.approx(share)
        # never too small on average (Efron & Stein 1981), and not absurdly large
        assert 1 <= np.mean(promised) / np.var(seen) < 3

    def test_self_consistency_is_a_distribution(self):
        points = measured("arbitrariness", evidence(300, seeds=range(4))).curves
        whole = [p for p in points if not p.attribute]
        assert [p.x for p in whole] == sorted(p.x for p in whole)
        assert [p.value for p in whole] == sorted(p.value for p in whole)
        assert whole[-1].value == 1
        assert whole[-1].x == 1

    def test_groups_that_toss_more_coins_show_it(self):
        made = evidence(2000, seeds=range(3))
        target = made.test[0].groups["target"]
        rng = np.random.default_rng(1)
        steady = made.test[0].prediction
        test = tuple(
            replace(p, prediction=np.where(target == "amber", rng.integers(0, 2, 2000), steady))
            for p in made.test
        )
        found = by_place(measured("arbitrariness", replace(made, test=test)))
        gap = found["disagreement_difference", "target", "gap"]
        assert gap.value == pytest.approx(0.5, abs=0.05)
        assert gap.low > 0.3
        assert gap.floor_p95 < 0.2
        assert found["disagreement", "target", "blue"].value == 0


class TestFlips:
    def flipped(self, n=800):
        now, before = evidence(n, seeds=(0, 1)), evidence(n, seeds=(5, 6, 7), seed=3)
        order = np.random.default_rng(0).permutation(n)
        return replace(now, before=tuple(p.take(order) for p in before.test)), before

    def test_shares_are_those_of_a_loop(self):
        now, before = self.flipped()
        found = by_place(measured("flips", now))
        target = now.test[0].groups["target"]
        for name in ("", *np.unique(target)):
            rows = np.flatnonzero((target == name) | (name == ""))
            negative = np.mean(
                [
                    old.prediction[i] == old.label[i] and new.prediction[i] != new.label[i]
                    for new in now.test
                    for old in before.test
                    for i in rows
                ]
            )
            place = ("target" if name else "", name)
            assert found["negative_flip_rate", *place].value == pytest.approx(negative)
        accuracy = [
            np.mean([(p.prediction == p.label).mean() for p in e.test]) for e in (now, before)
        ]
        net = found["positive_flip_rate", "", ""].value - found["negative_flip_rate", "", ""].value
        assert net == pytest.approx(accuracy[0] - accuracy[1])

    def test_only_shared_examples_count(self):
        now, before = self.flipped()
        rows = np.arange(300)
        part = replace(now, before=tuple(p.take(rows) for p in before.test))
        found = by_place(measured("flips", part))
        assert found["negative_flip_rate", "", ""].n == 300

    def test_a_comparison_of_files_has_them_by_group(self, tmp_path):
        now, before = self.flipped()
        for name, p in (("now", now.test[0]), ("before", before.test[0])):
            table = zip(p.example_id, p.label, p.prediction, p.groups["target"], strict=True)
            lines = ["id,y,made,g", *(",".join(map(str, row)) for row in table)]
            (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        arguments = ["audit", str(tmp_path / "now.csv"), "--label", "y", "--prediction", "made"]
        arguments += ["--group", "g", "--id", "id", "--json", str(tmp_path / "out.json")]
        arguments += ["--compare", str(tmp_path / "before.csv")]
        made = CliRunner().invoke(app, arguments)
        assert made.exit_code == 0, made.output
        rows = json.loads((tmp_path / "out.json").read_text())["measurements"]
        groups = {m["group"]: m for m in rows if m["metric"] == "negative_flip_rate"}
        assert set(groups) == {"", "amber", "blue", "coral", "dune", "ebony"}
        assert all(0 < m["low"] < m["value"] < m["high"] for m in groups.values())

    @pytest.mark.parametrize(("most", "outcome"), [(0.9, "pass"), (0.001, "fail")])
    @pytest.mark.parametrize("bound", ["max_value", "max_loss"])
    def test_a_gate_bounds_them(self, most, outcome, bound):
        rule = GateRule(metric="negative_flip_rate", **{bound: most})
        judgement = gate(*sides(seed=2), [rule])
        judged = [v for v in judgement.verdicts if v.metric == "negative_flip_rate"]
        assert [v.outcome for v in judged] == [outcome], judged
        assert SETTINGS.replicates == 200
