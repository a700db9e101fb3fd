"""Our numbers are those of the libraries that the field trusts, wherever both are defined."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from scipy.optimize import minimize_scalar
from sklearn import metrics as sklearn

from tests._evidence import evidence, predictions
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings
from tunefair.statistics.temperature import fit, scaled

AUDITS = ["accuracy", "calibration", "group_fairness"]
SETTINGS = AuditSettings(replicates=5, min_group_size=1)


def measured(made, audits=AUDITS, settings=SETTINGS):
    results = measure([made], settings, audits=audits)
    return {
        (m.metric, m.attribute, m.group): m.value
        for m in results.measurements
        if m.seed is None and m.posthoc == ""
    }


def tables(n_classes, seed):
    made = evidence(300, n_classes, seeds=(0,), seed=seed)
    return measured(made), made.test[0]


exactly = {"rel": 0, "abs": 1e-9}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_classes", [2, 5])
class TestAgainstScikitLearn:
    def test_accuracy_metrics(self, n_classes, seed):
        got, p = tables(n_classes, seed)
        binary = n_classes == 2
        score = p.probability[:, 1] if binary else p.probability
        expected = {
            "accuracy": sklearn.accuracy_score(p.label, p.prediction),
            "balanced_accuracy": sklearn.balanced_accuracy_score(p.label, p.prediction),
            "f1_macro": sklearn.f1_score(p.label, p.prediction, average="macro"),
            "matthews_corrcoef": sklearn.matthews_corrcoef(p.label, p.prediction),
            "log_loss": sklearn.log_loss(p.label, p.probability),
            "roc_auc": sklearn.roc_auc_score(p.label, score, multi_class="ovr"),
            "brier_score": sklearn.brier_score_loss(p.label, score, scale_by_half=binary),
        }
        if binary:
            expected["average_precision"] = sklearn.average_precision_score(p.label, score)
        for metric, value in expected.items():
            assert got[metric, "", ""] == pytest.approx(value, **exactly), metric

    def test_metrics_of_a_group(self, n_classes, seed):
        got, p = tables(n_classes, seed)
        for group in np.unique(p.groups["target"]):
            g = p.take(np.flatnonzero(p.groups["target"] == group))
            score = g.probability[:, 1] if n_classes == 2 else g.probability
            expected = {
                "accuracy": sklearn.accuracy_score(g.label, g.prediction),
                "log_loss": sklearn.log_loss(g.label, g.probability, labels=range(n_classes)),
                "roc_auc": sklearn.roc_auc_score(g.label, score, multi_class="ovr"),
            }
            for metric, value in expected.items():
                assert got[metric, "target", group] == pytest.approx(value, **exactly), metric

    def test_one_vs_rest_rates(self, n_classes, seed):
        got, p = tables(n_classes, seed)
        for group in np.unique(p.groups["target"]):
            g = p.take(np.flatnonzero(p.groups["target"] == group))
            by_class = sklearn.multilabel_confusion_matrix(
                g.label, g.prediction, labels=range(n_classes)
            )
            for c in [1] if n_classes == 2 else range(n_classes):
                tn, fp, fn, tp = by_class[c].ravel()
                where = ("target", group)
                if n_classes > 2:
                    where = ("target × class", f"{group} × class {c}")
                for metric, value in {
                    "true_positive_rate": tp / (tp + fn),
                    "false_negative_rate": fn / (tp + fn),
                    "false_positive_rate": fp / (fp + tn),
                    "precision": tp / (tp + fp),
                    "selection_rate": (tp + fp) / len(g.label),
                    "base_rate": (tp + fn) / len(g.label),
                }.items():
                    assert got[metric, *where] == pytest.approx(value, **exactly), metric


@pytest.mark.parametrize("seed", range(5))
def test_gaps_against_fairlearn(seed):
    got, p = tables(2, seed)
    who = {"sensitive_features": p.groups["target"]}
    for metric in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equalized_odds_difference",
        "equalized_odds_ratio",
    ):
        expected = getattr(fairlearn, metric)(p.label, p.prediction, **who)
        assert got[metric, "target", "gap"] == pytest.approx(expected, **exactly), metric
    frame = fairlearn.MetricFrame(
        metrics={"accuracy": sklearn.accuracy_score, "precision": sklearn.precision_score},
        y_true=p.label,
        y_pred=p.prediction,
        **who,
    )
    by_accuracy, by_precision = frame.difference()[["accuracy", "precision"]]
    assert got["accuracy_difference", "target", "gap"] == pytest.approx(by_accuracy, **exactly)
    got_precision = got["predictive_parity_difference", "target", "gap"]
    assert got_precision == pytest.approx(by_precision, **exactly)
    worst = frame.by_group["accuracy"].min()
    assert got["worst_group_accuracy", "target", "gap"] == pytest.approx(worst, **exactly)


@pytest.mark.parametrize("seed", range(5))
def test_multiclass_gaps_are_the_worst_class_against_the_rest(seed):
    got, p = tables(5, seed)
    who = {"sensitive_features": p.groups["target"]}
    gaps = [
        fairlearn.equalized_odds_difference(p.label == c, p.prediction == c, **who)
        for c in range(5)
    ]
    key = ("equalized_odds_difference", "target", "gap")
    assert got[key] == pytest.approx(max(gaps), **exactly)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_classes", [2, 5])
def test_calibration_error_against_torchmetrics(n_classes, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        import torch
        from torchmetrics.functional.classification.calibration_error import _ce_compute

    def error(said, happened):
        # what its metrics call after they have cast to single precision, too coarse for 1e-9
        edges = torch.linspace(0, 1, 16, dtype=torch.float64)
        both = (torch.tensor(np.ascontiguousarray(c, dtype=np.float64)) for c in (said, happened))
        return float(_ce_compute(*both, edges, norm="l1"))

    got, p = tables(n_classes, seed)
    top = error(p.probability.max(axis=1), p.probability.argmax(axis=1) == p.label)
    assert got["expected_calibration_error", "", ""] == pytest.approx(top, **exactly)
    classes = [error(p.probability[:, c], p.label == c) for c in range(n_classes)]
    if n_classes == 2:
        expected = pytest.approx(classes[1], **exactly)
        assert got["positive_calibration_error", "", ""] == expected
    else:
        expected = pytest.approx(np.mean(classes), **exactly)
        assert got["classwise_calibration_error", "", ""] == expected


@pytest.mark.parametrize("seed", range(3))
def test_murphy_adds_up(seed):
    # Murphy's identity holds when every example says its bin's mean
    made = evidence(600, 2, seeds=(0,), seed=seed)
    p = made.test[0]
    said = (np.floor(p.probability[:, 1] * 15) + 0.5) / 15
    flat = p.with_probability(np.column_stack([1 - said, said]))
    got = measured(replace(made, test=(flat,)), ["calibration"])
    parts = [got[f"brier_{part}", "", ""] for part in ("reliability", "resolution", "uncertainty")]
    assert got["brier_score", "", ""] == pytest.approx(parts[0] - parts[1] + parts[2], **exactly)


def test_borkan_areas_and_the_competition_score():
    got, p = tables(2, 0)
    positive, score, groups = p.label == 1, p.probability[:, 1], p.groups["target"]
    kinds = {"roc_auc": [], "bpsn_auc": [], "bnsp_auc": []}
    for group in np.unique(groups):
        inside = groups == group
        for metric, rows in {
            "roc_auc": inside,
            "bpsn_auc": np.where(positive, ~inside, inside),
            "bnsp_auc": np.where(positive, inside, ~inside),
        }.items():
            kinds[metric].append(sklearn.roc_auc_score(p.label[rows], score[rows]))
            assert got[metric, "target", group] == pytest.approx(kinds[metric][-1], **exactly)
    means = [np.mean(np.power(areas, -5)) ** (-1 / 5) for areas in kinds.values()]
    assert got["bias_auc", "target", "gap"] == pytest.approx(np.mean(means), **exactly)


def test_bias_in_bios_gap():
    made = evidence(600, 4, seeds=(0,))
    p = made.test[0]
    groups = p.groups["source"]
    tpr = {
        g: sklearn.recall_score(p.label[groups == g], p.prediction[groups == g], average=None)
        for g in ("print", "web")
    }
    counts = {"source": {"print": np.array([5, 9, 2, 7]), "web": np.array([6, 3, 8, 1])}}
    got = measured(replace(made, training_counts=counts), ["group_fairness"])
    gap = tpr["print"] - tpr["web"]
    rms = np.sqrt(np.mean(gap**2))
    assert got["true_positive_rate_gap_rms", "source", "gap"] == pytest.approx(rms, **exactly)
    share = counts["source"]["print"] / (counts["source"]["print"] + counts["source"]["web"])
    correlation = np.corrcoef(gap, share)[0, 1]
    key = ("true_positive_rate_gap_correlation", "source", "gap")
    assert got[key] == pytest.approx(correlation, **exactly)


def test_smooth_calibration_error_by_direct_integration():
    got, p = tables(2, 1)
    said, residual = p.probability[:, 1], p.probability[:, 1] - p.label
    t = (np.arange(2000) + 0.5) / 2000

    def smoothed(width):
        total = np.zeros_like(t)
        for image in (said, -said, 2 - said):  # reflections at 0 and 1
            total += np.exp(-(((t[:, None] - image) / width) ** 2) / 2) @ residual
        return np.abs(total / (width * np.sqrt(2 * np.pi) * len(said))).mean()

    error = got["smooth_calibration_error", "", ""]
    assert smoothed(error) == pytest.approx(error, abs=1 / 512)


def test_temperature_minimises_validation_log_loss():
    rng = np.random.default_rng(2)
    p = predictions(rng.integers(0, 3, 500), {}, rng, 3)
    sharp = replace(p, probability=scaled(p.probability, 0.4))
    found = minimize_scalar(
        lambda t: sklearn.log_loss(p.label, scaled(sharp.probability, t)), bounds=(0.1, 10)
    )
    assert fit(sharp) == pytest.approx(found.x, rel=1e-3)


class TestUndefinedIsNotZero:
    def test_perfect_classifier_and_a_group_without_positives(self):
        made = evidence(400, 2, seeds=(0,))
        p = made.test[0]
        label = np.where(p.groups["target"] == "coral", 0, p.label)
        p = replace(p, label=label).with_probability(np.eye(2)[label])
        results = measure([replace(made, test=(p,))], SETTINGS, audits=["group_fairness"])
        rows = {
            (m.metric, m.attribute, m.group): m for m in results.measurements if m.seed is None
        }
        rate = rows["true_positive_rate", "target", "coral"]
        assert np.isnan(rate.value)
        assert rate.undefined == "no positives"
        assert rows["equal_opportunity_difference", "target", "gap"].value == 0
        said = [out for out in results.left_out if out.group == "coral"]
        assert any("equal_opportunity_difference" in out.reason for out in said)

    def test_a_gap_of_one_group_is_none(self):
        made = evidence(400, 2, seeds=(0,))
        p = made.test[0]
        label = np.where(p.groups["source"] == "web", 0, p.label)
        made = replace(made, test=(replace(p, label=label),))
        results = measure([made], SETTINGS, audits=["group_fairness"])
        rows = {
            (m.metric, m.attribute, m.group): m for m in results.measurements if m.seed is None
        }
        gap = rows["equal_opportunity_difference", "source", "gap"]
        assert np.isnan(gap.value)
        assert "fewer than two groups" in gap.undefined

    def test_groups_not_annotated_are_counted_and_left_out(self):
        made = evidence(400, 2, seeds=(0,))
        p = made.test[0]
        target = np.where(p.groups["target"] == "dune", "", p.groups["target"])
        made = replace(made, test=(replace(p, groups={"target": target}),))
        results = measure([made], SETTINGS, audits=["group_fairness"])
        assert [(o.group, o.reason) for o in results.left_out] == [("", "not annotated")]
        assert results.left_out[0].n == (target == "").sum()
        assert {m.group for m in results.measurements} == {
            "amber",
            "blue",
            "coral",
            "ebony",
            "gap",
        }
