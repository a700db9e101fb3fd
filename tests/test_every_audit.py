"""What every audit promises; a new file in bench/audits is tested here for free."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests._evidence import evidence
from tunefair import audit as contract
from tunefair.measuring.measure import measure
from tunefair.reporting.metrics_page import page
from tunefair.schema import AuditSettings, Evidence, Ledger, Metric, Predictions

AUDITS = list(contract.shipped())
SETTINGS = AuditSettings(replicates=60, intersections=(("target", "source"),))
LEDGER = Ledger(
    flops=1e12,
    tokens=1000,
    padded_tokens=1200,
    examples=50,
    steps=5,
    seconds=1.5,
    peak_memory_bytes=10**6,
    trainable_parameters=1000,
    stored_bytes=4000,
)


def complete(n_classes: int, seed: int = 0) -> Evidence:
    """Return evidence that gives every audit what it reads."""
    made = evidence(400, n_classes, seeds=(0, 1), seed=seed)
    rng = np.random.default_rng(5)
    test = tuple(
        replace(p, hidden=rng.normal(size=(400, 4)).astype(np.float32)) for p in made.test
    )
    start = tuple(
        replace(p, hidden=p.hidden + rng.normal(size=(400, 4)).astype(np.float32)) for p in test
    )
    counts = {
        name: {str(g): rng.integers(1, 50, n_classes) for g in np.unique(column)}
        for name, column in test[0].groups.items()
    }
    views = {"swap:dominant": tuple(p.take(rng.permutation(400)[:300]) for p in test[::-1])}
    more = {"views": views, "start": start, "before": test[::-1], "ledgers": (LEDGER, LEDGER)}
    return replace(made, test=test, training_counts=counts, **more)


def rows(audit: str, made: Evidence, settings: AuditSettings = SETTINGS):
    return measure([made], settings, audits=[audit]).measurements


def numbers(measurements):
    """Return every number of the rows that is not of one example order, by name."""
    keep = ("value", "corrected", "low", "high", "n", "floor_mean", "floor_p95")
    return {
        (m.metric, m.attribute, m.group, m.view, m.posthoc, m.seed, name): getattr(m, name)
        for m in measurements
        for name in keep
        if getattr(m, name) is not None
    }


def metrics(audit: str) -> dict[str, Metric]:
    return contract.load(audit).metrics


def over_test(made: Evidence, change) -> Evidence:
    views = {view: tuple(change(p) for p in seeds) for view, seeds in made.views.items()}
    return replace(
        made,
        test=tuple(change(p) for p in made.test),
        validation=tuple(change(p) for p in made.validation),
        start=tuple(change(p) for p in made.start),
        before=tuple(change(p) for p in made.before),
        views=views,
    )


def twice(p: Predictions) -> Predictions:
    """Return every example twice, once in each of two groups."""
    n = len(p.label)
    rows = np.tile(np.arange(n), 2)
    return replace(
        p,
        example_id=np.char.add(p.example_id[rows], np.repeat(["", "b"], n)),
        label=p.label[rows],
        groups={"copy": np.repeat(["first", "second"], n)},
        prediction=p.prediction[rows],
        probability=p.probability[rows],
        hidden=None if p.hidden is None else p.hidden[rows],
    )


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("audit", AUDITS)
class TestEveryAudit:
    def test_reports_what_it_declares(self, audit, n_classes):
        reported = {m.metric for m in rows(audit, complete(n_classes))}
        assert reported
        assert reported <= set(metrics(audit))

    def test_is_finite_or_explained(self, audit, n_classes):
        for m in rows(audit, complete(n_classes)):
            assert np.isnan(m.value) == bool(m.undefined), m

    @pytest.mark.parametrize("change", ["none", "one seed", "no probabilities"])
    def test_no_group_has_more_examples_than_it_has(self, audit, n_classes, change):
        made = complete(n_classes)
        if change == "one seed":
            made = replace(made, test=made.test[:1], seeds=made.seeds[:1], views={}, start=())
            made = replace(made, before=(), ledgers=made.ledgers[:1])
        if change == "no probabilities":
            made = over_test(made, lambda p: replace(p, probability=None))
        columns = made.test[0].groups
        for m in rows(audit, made):
            if m.attribute in columns and m.group in columns[m.attribute]:
                assert m.n <= (columns[m.attribute] == m.group).sum(), m

    def test_stays_in_its_declared_range(self, audit, n_classes):
        for m in rows(audit, complete(n_classes)):
            declared = metrics(audit)[m.metric]
            for number in (m.value, m.corrected, m.low, m.high, m.floor_mean, m.floor_p95):
                if number is not None and not m.undefined:
                    assert declared.low <= number <= declared.high, m

    def test_interval_holds_the_value(self, audit, n_classes):
        for m in rows(audit, complete(n_classes)):
            if m.low is not None:
                assert m.low <= m.value <= m.high, m

    def test_ignores_row_order(self, audit, n_classes):
        made = complete(n_classes)
        order = np.random.default_rng(1).permutation(400)
        shuffled = replace(made, test=tuple(p.take(order) for p in made.test))
        assert numbers(rows(audit, shuffled)) == pytest.approx(
            numbers(rows(audit, made)), rel=1e-4, abs=1e-6, nan_ok=True
        )

    def test_does_not_depend_on_names(self, audit, n_classes):
        made = complete(n_classes)

        def rename(p):
            groups = {name: np.char.add("zz ", column) for name, column in p.groups.items()}
            return replace(p, groups=groups, classes=tuple(f"yy {c}" for c in p.classes))

        def plain(key):
            return tuple(
                part.replace("zz ", "").replace("yy ", "") if isinstance(part, str) else part
                for part in key
            )

        counts = {
            name: {f"zz {group}": count for group, count in by.items()}
            for name, by in made.training_counts.items()
        }
        renamed = replace(over_test(made, rename), training_counts=counts)
        got = {plain(key): value for key, value in numbers(rows(audit, renamed)).items()}
        assert got == pytest.approx(numbers(rows(audit, made)), rel=1e-4, abs=1e-6, nan_ok=True)

    def test_a_copy_of_a_group_has_no_gap(self, audit, n_classes):
        for m in rows(audit, over_test(complete(n_classes), twice), AuditSettings(replicates=60)):
            if m.group == "gap" and m.metric.endswith("_difference"):
                assert m.value == pytest.approx(0, abs=1e-12), m
                assert m.low == 0, m
            if m.group == "gap" and m.metric.endswith("_ratio"):
                assert m.value == pytest.approx(1), m
                assert m.high == 1, m

    @pytest.mark.parametrize(
        "lack", ["probability", "groups", "hidden", "views", "start", "ledgers", "before"]
    )
    def test_what_is_lacking_is_explained(self, audit, n_classes, lack):
        made = complete(n_classes)
        if lack in ("views", "start", "ledgers", "before"):
            made = replace(made, **{lack: type(getattr(made, lack))()})
        else:
            empty = {} if lack == "groups" else None
            made = over_test(made, lambda p: replace(p, **{lack: empty}))
        for m in rows(audit, made, AuditSettings(replicates=20)):
            assert np.isnan(m.value) == bool(m.undefined), m


def constant(p: Predictions) -> Predictions:
    sure = np.zeros_like(p.probability)
    sure[:, 1] = 1
    return p.with_probability(sure)


def perfect(p: Predictions) -> Predictions:
    return p.with_probability(np.eye(len(p.classes))[p.label])


@pytest.mark.parametrize("audit", AUDITS)
class TestOddInput:
    @pytest.mark.parametrize("n_classes", [2, 4])
    @pytest.mark.parametrize("change", [constant, perfect])
    def test_degenerate_classifiers(self, audit, n_classes, change):
        for m in rows(audit, over_test(complete(n_classes), change)):
            declared = metrics(audit)[m.metric]
            assert np.isnan(m.value) == bool(m.undefined), m
            assert m.undefined or declared.low <= m.value <= declared.high, m

    @pytest.mark.parametrize("n", [1, 2, 35])
    def test_few_rows(self, audit, n):
        def few(p):
            return p.take(np.arange(n))

        made = replace(over_test(complete(2), few), views={})
        for m in rows(audit, made, AuditSettings(replicates=20)):
            assert np.isnan(m.value) == bool(m.undefined), m

    def test_one_class_only(self, audit):
        made = over_test(complete(2), lambda p: replace(p, label=np.ones_like(p.label)))
        for m in rows(audit, made):
            assert np.isnan(m.value) == bool(m.undefined), m

    def test_a_group_without_positives(self, audit):
        made = over_test(
            complete(2),
            lambda p: replace(p, label=np.where(p.groups["target"] == "amber", 0, p.label)),
        )
        for m in rows(audit, made):
            assert np.isnan(m.value) == bool(m.undefined), m

    def test_every_row_its_own_group(self, audit):
        def alone(p):
            return replace(p, groups={"target": p.example_id})

        results = measure([over_test(complete(2), alone)], SETTINGS_PLAIN, audits=[audit])
        assert len(results.left_out) == 400
        assert {m.group for m in results.measurements if m.attribute} <= {"gap"}


SETTINGS_PLAIN = AuditSettings(replicates=20)


def test_one_name_one_meaning():
    meaning = {}
    for audit in AUDITS:
        for name, metric in metrics(audit).items():
            assert meaning.setdefault(name, metric) == metric, name


def test_the_page_of_metrics_is_current():
    written = Path(__file__).parents[1] / "docs" / "metrics.md"
    assert written.read_text() == page(), (
        "run: python -m tunefair.reporting.metrics_page > docs/metrics.md"
    )
