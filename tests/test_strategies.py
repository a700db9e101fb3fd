"""What single strategies promise: exact identities, and their effect on a planted task."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from tests import _tiny
from tunefair.planning import compose
from tunefair.schema import BadInputError, Outcome, Predictions, Split
from tunefair.strategies.balanced import Balanced
from tunefair.strategies.contrastive import Contrastive
from tunefair.strategies.erase import Erase, eraser
from tunefair.strategies.focal import Focal
from tunefair.strategies.full import Full
from tunefair.strategies.group_difference import GroupDifference
from tunefair.strategies.group_dro import GroupDRO
from tunefair.strategies.label_smoothing import LabelSmoothing
from tunefair.strategies.layerwise_decay import LayerwiseDecay
from tunefair.strategies.subsampled import Subsampled
from tunefair.strategies.weighted import Weighted
from tunefair.strategy import Batch, Output
from tunefair.training import device
from tunefair.training import model as models
from tunefair.training.learn import build, learn
from tunefair.training.tokens import ORIGINAL

CPU = device.choose("cpu", "fp32")
SEEDS = tuple(range(5))


def cells_of(counts: dict[tuple[int, int], int]) -> Split:
    """A training split with so many examples of each (label, group)."""
    label = np.repeat([y for y, _ in counts], list(counts.values()))
    group = np.repeat([g for _, g in counts], list(counts.values()))
    return Split(label, group, label.max() + 1, group.max() + 1)


def loss(strategy, split: Split, rows: int = 64) -> torch.Tensor:
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(split.label), rows)
    output = Output(torch.randn(rows, split.n_classes), torch.randn(rows, 8))
    batch = Batch(torch.tensor(split.label[chosen]), torch.tensor(split.group[chosen]), 0.5)
    return strategy.objective(split, 8)(output, batch)


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
@pytest.mark.parametrize("by", ["label_and_group", "label", "group"])
def test_weighted_equals_full_to_the_last_bit_when_all_is_balanced(by, rows):
    split = cells_of({(y, g): 30 for y in range(2) for g in range(5)})
    torch.manual_seed(0)
    weighted = loss(Weighted(by=by), split, rows)
    torch.manual_seed(0)
    assert torch.equal(weighted, loss(Full(), split, rows))


def test_weighted_equals_full_when_label_and_group_are_independent():
    """Reweighing undoes dependence, not imbalance."""
    split = cells_of({(0, 0): 30, (1, 0): 90, (0, 1): 10, (1, 1): 30})
    assert (Weighted().weights(split) == 1).all()


def test_weights_are_kamiran_and_calders():
    split = cells_of({(0, 0): 10, (1, 0): 30, (0, 1): 40, (1, 1): 20})
    expected = np.array([[0.5 * 0.4 / 0.1, 0.5 * 0.6 / 0.4], [0.5 * 0.4 / 0.3, 0.5 * 0.6 / 0.2]])
    np.testing.assert_allclose(Weighted().weights(split), expected)
    np.testing.assert_allclose(Weighted(by="label").weights(split), 1)
    by_group = Weighted(by="group").weights(split)
    np.testing.assert_allclose(by_group, [[100 / 80, 100 / 120]] * 2)


@pytest.mark.parametrize("by", ["label_and_group", "label", "group"])
def test_weights_have_mean_one_and_no_place_for_empty_cells(by):
    split = cells_of({(0, 0): 10, (1, 0): 30, (0, 1): 40, (1, 1): 20, (0, 2): 5, (1, 2): 7})
    weights = Weighted(by=by).weights(split)
    assert weights[split.label, split.group].mean() == pytest.approx(1)
    empty = Weighted(by=by).weights(cells_of({(0, 0): 10, (1, 1): 30}))
    assert empty[0, 1] == empty[1, 0] == 0
    assert np.isfinite(empty).all()


def test_weights_are_capped_in_the_loss():
    split = cells_of({(0, 0): 10, (1, 0): 30, (0, 1): 40, (1, 1): 20})
    assert Weighted(cap=1.2).objective(split, 8).weights.max() == pytest.approx(1.2)


@pytest.mark.parametrize(
    "strategy",
    [
        Focal(gamma=0.0),
        LabelSmoothing(smoothing=0.0),
        GroupDifference(strength=0.0),
        Contrastive(strength=0.0),
    ],
    ids=lambda s: type(s).__name__,
)
def test_switched_off_it_is_cross_entropy(strategy):
    split = cells_of({(0, 0): 10, (1, 0): 30, (0, 1): 40, (1, 1): 20})
    torch.manual_seed(0)
    plain = loss(Full(), split)
    torch.manual_seed(0)
    torch.testing.assert_close(loss(strategy, split), plain)


def output_of(logits, n_hidden=4) -> Output:
    return Output(logits, torch.randn(len(logits), n_hidden))


def test_group_dro_moves_weight_as_algorithm_1_says():
    split = cells_of({(0, 0): 10, (1, 0): 10, (0, 1): 10, (1, 1): 10})
    objective = GroupDRO(step_size=0.5).objective(split, 4)
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    batch = Batch(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]), 0.5)
    value = objective(output_of(logits), batch)
    losses = torch.nn.functional.cross_entropy(logits, batch.label, reduction="none")
    expected = torch.exp(0.5 * losses) / torch.exp(0.5 * losses).sum()
    torch.testing.assert_close(objective.weights, expected)  # cells in the batch's order
    torch.testing.assert_close(value, (expected * losses).sum())


def test_group_dro_gives_empty_cells_no_weight():
    objective = GroupDRO().objective(cells_of({(0, 0): 10, (1, 1): 10}), 4)
    assert objective.weights.tolist() == [0.5, 0, 0, 0.5]


def test_group_difference_is_zero_where_losses_are_equal():
    split = cells_of({(0, 0): 10, (1, 0): 10, (0, 1): 10, (1, 1): 10})
    objective = GroupDifference().objective(split, 4)
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    batch = Batch(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]), 0.5)
    plain = torch.nn.functional.cross_entropy(logits, batch.label)
    torch.testing.assert_close(objective(output_of(logits), batch), plain)
    unequal = objective(output_of(logits * torch.tensor([[1.0], [2], [1], [2]])), batch)
    assert unequal > plain


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3]])
@pytest.mark.parametrize("groups", [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])
def test_contrastive_is_finite_whoever_is_in_the_batch(labels, groups):
    hidden = torch.randn(4, 8, requires_grad=True)
    batch = Batch(torch.tensor(labels), torch.tensor(groups), 0.5)
    split = cells_of({(y, g): 1 for y in range(4) for g in range(4)})
    value = Contrastive().objective(split, 8)(Output(torch.zeros(4, 4), hidden), batch)
    value.backward()
    assert torch.isfinite(value)
    assert hidden.grad is None or torch.isfinite(hidden.grad).all()


def test_contrastive_is_its_formula():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(6, 4))
    label, group = [0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 2]
    unit = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
    affinity = np.exp(unit @ unit.T / 0.3)
    total = 0.0
    for i in range(6):
        partners = [j for j in range(6) if j != i and label[j] == label[i]]
        rivals = [j for j in range(6) if label[j] != label[i] and group[j] == group[i]]
        against = sum(affinity[i, r] for r in rivals)
        total += np.mean([-np.log(affinity[i, p] / (affinity[i, p] + against)) for p in partners])
    split = cells_of({(y, g): 1 for y in range(2) for g in range(3)})
    output = Output(torch.zeros(6, 2), torch.tensor(hidden))
    value = Contrastive().objective(split, 4)(
        output, Batch(torch.tensor(label), torch.tensor(group), 0.5)
    )
    assert float(value) == pytest.approx(np.log(2) + total / 6, rel=1e-6)


def test_subsampled_keeps_the_smallest_cell_of_each():
    split = cells_of({(0, 0): 10, (1, 0): 30, (0, 1): 7, (1, 1): 20})
    torch.manual_seed(0)
    first = Subsampled().sampling_weights(split)
    kept = split.label[first > 0] * 2 + split.group[first > 0]
    assert np.bincount(kept).tolist() == [7, 7, 7, 7]
    torch.manual_seed(1)
    assert (Subsampled().sampling_weights(split) != first).any()


def test_balanced_shows_every_cell_equally_often():
    split = cells_of({(0, 0): 10, (1, 0): 30, (0, 1): 7})
    weights = Balanced().sampling_weights(split)
    total = [
        weights[(split.label == y) & (split.group == g)].sum() for y, g in ((0, 0), (1, 0), (0, 1))
    ]
    np.testing.assert_allclose(total, 1)


def test_layers_learn_slower_the_deeper_they_lie():
    model = models.load(_tiny.choice(), ("no", "yes"), pad=0, attention="eager")
    LayerwiseDecay(decay=0.5).adapt(model)
    factor = {n: p.learning_rate_factor for n, p in model.named_parameters()}
    expected = {
        "bert.embeddings": 1 / 8,
        "layer.0.": 1 / 4,
        "layer.1.": 1 / 2,
        "pooler": 1,
        "classifier": 1,
    }
    for part, value in expected.items():
        assert {f for name, f in factor.items() if part in name} == {value}, part


@pytest.mark.parametrize("seed", range(3))
def test_erased_vectors_share_no_covariance_with_the_group(seed):
    rng = np.random.default_rng(seed)
    group, label = rng.integers(0, 3, 400), rng.integers(0, 2, 400)
    hidden = rng.normal(size=(400, 12)) + np.eye(12)[group] * 3 + np.eye(12)[label + 5]
    hidden[:, 11] = hidden[:, 10]  # a rank that lacks
    mean, remove = eraser(hidden, (group[:, None] == np.arange(3)).astype(float))
    left = hidden - (hidden - mean) @ remove
    for g in range(3):
        np.testing.assert_allclose(left[group == g].mean(axis=0), left.mean(axis=0), atol=1e-8)
    again = left - (left - mean) @ remove
    np.testing.assert_allclose(again, left, atol=1e-8)


def test_erase_leaves_no_group_means_within_a_label():
    rng = np.random.default_rng(0)
    n = 600
    label = rng.integers(0, 2, n)
    group = (rng.random(n) < np.where(label == 1, 0.8, 0.3)).astype(int)
    hidden = (
        rng.normal(size=(n, 8)) + label[:, None] * np.eye(8)[0] + group[:, None] * np.eye(8)[1]
    )
    table = Predictions(
        example_id=np.arange(n).astype(str),
        label=label,
        groups={"group": np.where(group, "a", "b")},
        prediction=label,
        probability=np.full((n, 2), 0.5),
        classes=("no", "yes"),
        hidden=hidden.astype(np.float32),
    )
    left = Erase().revise(table, table).hidden
    for y in (0, 1):
        means = [left[(label == y) & (group == g)].mean(axis=0) for g in (0, 1)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-5)


def rate(table: Predictions, label: int, group: str) -> float:
    rows = (table.label == label) & (table.groups["group"] == group)
    return float((table.prediction[rows] == 1).mean())


def equalized_odds_difference(table: Predictions) -> float:
    return max(abs(rate(table, y, "a") - rate(table, y, "b")) for y in (0, 1))


def demographic_parity_difference(table: Predictions) -> float:
    a, b = (table.prediction[table.groups["group"] == g].mean() for g in ("a", "b"))
    return float(abs(a - b))


GAPS = {
    "equalized_odds_threshold": equalized_odds_difference,
    "demographic_parity_threshold": demographic_parity_difference,
}
THRESHOLDS = tuple(GAPS)


@pytest.mark.parametrize("use", THRESHOLDS)
def test_thresholds_are_for_two_classes(use):
    with pytest.raises(BadInputError, match="is for two classes; 'planted' has 3"):
        compose.check(compose.find(use)(), _tiny.task(n=8, classes=3), "group", where=use)


@pytest.mark.parametrize("use", [*THRESHOLDS, "group_temperature"])
def test_a_group_that_validation_lacks_is_refused_before_training(use):
    task = _tiny.task(n=64)
    groups = task.groups["group"].astype("<U9")
    groups[np.flatnonzero(task.split == "test")[0]] = "newcomers"
    lacking = replace(task, groups={"group": groups})
    with pytest.raises(BadInputError, match="validation has no group 'newcomers'"):
        compose.check(compose.find(use)(), lacking, "group", where=use)


def answers(rng: np.random.Generator, n: int = 400) -> Predictions:
    """Scores that tell the label, shifted for one group."""
    label, group = rng.integers(0, 2, n), rng.integers(0, 2, n)
    p1 = 1 / (1 + np.exp(-(2 * label - 1 + group + rng.normal(size=n))))
    return Predictions(
        example_id=np.arange(n).astype(str),
        label=label,
        groups={"group": np.where(group, "a", "b")},
        prediction=(p1 > 0.5).astype(np.int64),
        probability=np.stack([1 - p1, p1], axis=1),
        classes=("no", "yes"),
    )


@pytest.mark.parametrize("use", THRESHOLDS)
def test_thresholds_meet_their_constraint_where_they_were_learned(use):
    table = answers(np.random.default_rng(0), n=4000)
    revised = compose.find(use)().revise(table, table)
    gap = GAPS[use]
    assert gap(table) > 0.15
    assert gap(revised) < 0.06
    assert (revised.probability == table.probability).all()
    again = compose.find(use)().revise(table, table)
    assert (again.prediction == revised.prediction).all()


@pytest.mark.parametrize("use", ["temperature", "group_temperature"])
def test_temperatures_lower_log_loss_and_keep_decisions(use):
    table = answers(np.random.default_rng(1))
    revised = compose.find(use)().revise(table, table)
    assert (revised.prediction == table.prediction).all()
    assert (revised.probability.argmax(axis=1) == table.prediction).all()
    assert log_loss(table.label, revised.probability) < log_loss(table.label, table.probability)


@pytest.fixture(scope="module")
def planted():
    return _tiny.task(n=768, noise=0.1, aligned=0.9)


@pytest.fixture(scope="module")
def tokens(planted, tmp_path_factory):
    return _tiny.encoded(planted, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def outcomes(planted, tokens):
    """Strategy and its options -> the outcomes of five seeds, hidden vectors included."""

    @cache
    def train(use: str, **options) -> list[Outcome]:
        audit = {"audits": ("accuracy", "leakage")}
        cells = _tiny.cells(use, options=options, seeds=SEEDS, budget=("steps", 300), audit=audit)
        return [_tiny.run(cell, planted, tokens) for cell in cells]

    return train


def worst_cell_error(table: Predictions) -> float:
    return max(abs(y - rate(table, y, g)) for y in (0, 1) for g in ("a", "b"))


def within_label_probe(table: Predictions) -> float:
    """Balanced accuracy of reading the group from hidden vectors, mean over labels."""
    scores = []
    for y in (0, 1):
        rows = table.label == y
        probe = LogisticRegression(max_iter=2000)
        target = table.groups["group"][rows]
        found = cross_val_score(probe, table.hidden[rows], target, scoring="balanced_accuracy")
        scores.append(found.mean())
    return float(np.mean(scores))


def lowered(measure, mitigated, reference) -> bool:
    """Whether it lowers a measure on test by more than twice the standard error, over seeds."""
    differences = [
        measure(a.test[ORIGINAL]) - measure(b.test[ORIGINAL])
        for a, b in zip(mitigated, reference, strict=True)
    ]
    return bool(np.mean(differences) < -2 * stats.sem(differences))


@pytest.mark.slow
@pytest.mark.parametrize("use", ["weighted", "group_difference", "equalized_odds_threshold"])
def test_lowers_the_equalized_odds_gap(use, outcomes):
    assert lowered(equalized_odds_difference, outcomes(use), outcomes("full"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "use",
    [
        "weighted",
        "balanced",
        "subsampled",
        "group_dro",
        "last_layer_retraining",
        "counterfactual_augmentation",
    ],
)
def test_raises_worst_cell_accuracy(use, outcomes):
    assert lowered(worst_cell_error, outcomes(use), outcomes("full"))


@pytest.mark.slow
def test_training_twice_raises_worst_cell_accuracy_where_errors_are_no_wrong_labels(tmp_path):
    task = _tiny.many_words(_tiny.task(n=768, noise=0, aligned=0.95))
    tokens = _tiny.encoded(task, tmp_path)
    twice, once = (
        [_tiny.run(c, task, tokens) for c in _tiny.cells(use, seeds=SEEDS, budget=("steps", 250))]
        for use in ("jtt", "full")
    )
    assert lowered(worst_cell_error, twice, once)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "options"),
    [
        # at strength 1 the adversary collapses here, as it does on real comments
        ("adversarial", {"strength": 0.3, "adversary_learning_rate_factor": 10.0}),
        ("contrastive", {}),
        ("erase", {}),
    ],
)
def test_lowers_the_within_label_probe(use, options, outcomes):
    assert lowered(within_label_probe, outcomes(use, **options), outcomes("full"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "gap"),
    list(GAPS.items()),
)
def test_thresholds_meet_their_constraint_on_validation(use, gap, outcomes):
    """Within the noise of their random decisions in the smallest cell."""
    for outcome in outcomes(use):
        table = outcome.validation
        cell = table.label * 2 + (table.groups["group"] == "a")
        assert gap(table) < 2 * np.sqrt(0.5 / np.bincount(cell).min())


@pytest.mark.slow
@pytest.mark.parametrize("use", ["temperature", "group_temperature"])
def test_temperature_lowers_validation_log_loss_and_keeps_every_decision(use, outcomes):
    for revised, plain in zip(outcomes(use), outcomes("full"), strict=True):
        for split in ("validation", "test"):
            one, other = (
                o.validation if split == "validation" else o.test[ORIGINAL]
                for o in (revised, plain)
            )
            assert (one.prediction == other.prediction).all()
        losses = [log_loss(o.validation.label, o.validation.probability) for o in (revised, plain)]
        assert losses[0] <= losses[1]


@pytest.mark.slow
def test_l2_sp_stays_nearer_to_the_pretrained_weights(planted, tokens):
    def distance(use: str, seed: int) -> float:
        cell = _tiny.cells(use, seeds=(seed,), budget=("steps", 100))[0]
        start = dict(build(cell, planted, tokens.pad, CPU).classifier.named_parameters())
        learner = learn(cell, planted, tokens, CPU, lambda fraction, words: None)[0]
        after = learner.classifier.named_parameters()
        moved = ((p - start[n]).detach() for n, p in after if ".bert." in n)
        return sum(float(difference.square().sum()) for difference in moved)

    differences = [distance("l2_sp", seed) - distance("full", seed) for seed in SEEDS]
    assert np.mean(differences) < -2 * stats.sem(differences)
