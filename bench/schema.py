"""The tables that cross a stage: their columns, types and units. Read this file first."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray


class BadInputError(Exception):
    """Input that a person can correct; printed as one line, exit code 2.

    The message names the file, the key, the value and the way out.
    """


class CellFailedError(Exception):
    """A cell that could not be trained, and why in one line; the other cells go on."""


@dataclass(frozen=True, kw_only=True)
class TaskCard:
    """What a reader must know before believing a number about the task."""

    title: str
    label_meaning: str
    source: str
    licence: str
    fingerprint: str
    """sha256 of the content the rows were read from."""
    warnings: tuple[str, ...] = ()
    label_kept_in: tuple[str, ...] = ()
    """Views whose texts have the original's label: no others may be trained on."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Texts with a label, groups, stable ids and a split; row i is the same example everywhere."""

    name: str
    example_id: Array  # (n,) str, derived from content
    text: Array  # (n,) str
    text_pair: Array | None = None  # (n,) str
    label: Array  # (n,) int64, index into `classes`
    groups: Mapping[str, Array]  # attribute -> (n,) str, never null
    split: Array  # (n,) str: "train", "validation" or "test"
    classes: tuple[str, ...]  # binary: classes[1] is the positive class
    card: TaskCard
    views: Mapping[str, Array] = field(default_factory=dict)
    """View -> (n,) str, the texts changed in a stated way; "" where the view changes nothing."""
    cluster: Array | None = None
    """(n,) str: examples with the same value (an author, a template) are not independent; "" is
    independent of all others. None: all examples are. It changes intervals, never training."""


class Split(NamedTuple):
    """The training split as a strategy may see it: labels and the mitigated attribute."""

    label: Array  # (n,) int64 in 0..n_classes-1
    group: Array  # (n,) int64 in 0..n_groups-1
    n_classes: int
    n_groups: int
    prediction: Array | None = None  # (n,) int64, the first stage's; None: there was none
    views: Mapping[str, Array] = MappingProxyType({})
    """Label-keeping view -> (n,) bool, which examples it changes."""

    @property
    def counts(self) -> Array:
        """Return how many examples each label and group has: (n_classes, n_groups) int64."""
        cell = self.label * self.n_groups + self.group
        counts = np.bincount(cell, minlength=self.n_classes * self.n_groups)
        return counts.reshape(self.n_classes, self.n_groups)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """One model's answers on one split and one view; what every audit reads.

    Raises
    ------
    ValueError
        Columns differ in length, ids repeat, a prediction is no class, or probabilities are no
        distribution.
    """

    example_id: Array  # (n,) str, stable across runs: what makes comparisons paired
    label: Array  # (n,) int64, index into `classes`
    groups: Mapping[str, Array]  # attribute -> (n,) str; "" is not annotated
    prediction: Array  # (n,) int64: the prediction made
    probability: Array | None  # (n, n_classes) float64, rows sum to 1; None: not known
    classes: tuple[str, ...]  # binary: classes[1] is the positive class
    hidden: Array | None = None  # (n, hidden_size) float32: what the classification head reads
    cluster: Array | None = None
    """(n,) str: examples with the same value are not independent; "" is independent of all others.
    None: all examples are."""

    def __post_init__(self) -> None:
        """Refuse tables that no audit could read."""
        n = len(self.example_id)
        columns = [self.label, self.prediction, *self.groups.values()]
        columns += [c for c in (self.probability, self.hidden, self.cluster) if c is not None]
        if any(len(column) != n for column in columns):
            raise ValueError("every column needs one row an example")
        if len(np.unique(self.example_id)) != n:
            raise ValueError("example_id repeats")
        if n and not 0 <= self.prediction.min() <= self.prediction.max() < len(self.classes):
            raise ValueError("a prediction is none of the classes")
        if self.probability is not None:
            _check_distribution(self.probability, (n, len(self.classes)))

    def take(self, rows: Array) -> "Predictions":
        """Return the given rows: a group, a shuffle or a pairing."""
        return replace(
            self,
            example_id=self.example_id[rows],
            label=self.label[rows],
            groups={name: column[rows] for name, column in self.groups.items()},
            prediction=self.prediction[rows],
            probability=None if self.probability is None else self.probability[rows],
            hidden=None if self.hidden is None else self.hidden[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
        )

    def with_probability(self, probability: Array) -> "Predictions":
        """Return the same examples with new probabilities and their argmax as prediction."""
        return replace(self, probability=probability, prediction=probability.argmax(axis=1))


def _check_distribution(probability: Array, shape: tuple[int, int]) -> None:
    if probability.shape != shape:
        raise ValueError("probability needs one column a class")
    if not np.allclose(probability.sum(axis=1), 1, atol=1e-4):
        raise ValueError("probabilities do not sum to 1")
    if probability.size and probability.min() < 0:
        raise ValueError("a probability is negative")


Currency = Literal["flops", "tokens", "examples", "steps", "seconds"]


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What a cell really spent, in every currency, and what it takes to keep."""

    flops: float
    tokens: int
    padded_tokens: int
    """Tokens computed, padding included."""
    examples: int
    steps: int
    seconds: float
    peak_memory_bytes: int
    trainable_parameters: int
    stored_bytes: int
    """Bytes of the parameters that differ from the pretrained model."""
    energy_joules: float | None = None
    """From NVML; None where there is no such meter."""
    rows_at_a_time: int | None = None
    """Of a batch; fewer than all of it where the memory was too small."""
    kept_fraction: float = 1.0
    """Of the budget, spent when the weights that predict were reached."""
    kept_because: str = ""
    """The selection rule and its score, or why there was none; "": the last step's always are."""
    revision_seconds: float = 0.0
    """Of `seconds`, after the last step: revising predictions, whose operations nobody counts."""


class CurvePoint(NamedTuple):
    """One point of a cell's learning curve."""

    step: int
    fraction: float
    """Of the budget, spent when the step was made."""
    loss: float
    """Training objective, mean since the point before."""
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that a finished cell leaves behind."""

    test: Mapping[str, Predictions]  # view -> answers; "original" is always there
    validation: Predictions
    ledger: Ledger
    curve: tuple[CurvePoint, ...]
    hardware: Mapping[str, str]
    """Device, precision, threads, attention kernel: what can change the last digit."""
    train: Predictions | None = None
    """Answers on the training split, where a second stage reads them."""
    start: Predictions | None = None
    """Answers on the test split before any training, where an audit reads them."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one strategy left behind: all that an audit may look at. One entry a seed."""

    strategy: str
    seeds: tuple[int, ...]
    test: tuple[Predictions, ...]  # the same examples in the same order for every seed
    validation: tuple[Predictions, ...] = ()
    views: Mapping[str, tuple[Predictions, ...]] = field(default_factory=dict)
    start: tuple[Predictions, ...] = ()
    """Answers on the test split before any training; in any order."""
    before: tuple[Predictions, ...] = ()
    """Answers of the model that this one is compared with or would replace; in any order."""
    ledgers: tuple[Ledger, ...] = ()
    training_counts: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    """Attribute -> group -> (n_classes,) number of training examples."""

    @property
    def trained_once(self) -> bool:
        """Whether it was trained here with one seed; yardsticks and foreign files were not."""
        return len(self.seeds) == 1 and bool(self.ledgers)


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """How the audits of one run are made; the same for every strategy, so draws are paired."""

    replicates: int = 2000
    """Bootstrap draws of the test examples, and permutation draws of a floor."""
    min_group_size: int = 30
    """Smaller groups are listed and left out of gaps."""
    intersections: tuple[tuple[str, ...], ...] = ()
    """Attributes whose combinations are audited as groups."""
    seed: int = 0
    """Seed of the bootstrap, not of a training run."""
    only: tuple[str, ...] = ()
    """Metrics that somebody will read, all when empty: an audit need not measure the others."""
    claims: tuple[str, ...] = ()
    """Metrics, besides the headline ones, that a comparison is decided by: tested together."""

    def wants(self, *metrics: str) -> bool:
        """Whether anybody will read one of these metrics."""
        return not self.only or not set(metrics).isdisjoint(self.only)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a number means; every measurement names one of these."""

    better: Literal["lower", "higher", "zero", "one", "neither"]
    low: float
    high: float
    reference: str
    definition: str
    version: int = 1

    @property
    def directed(self) -> bool:
        """Whether one value is better than another; else the number is a fact, not a merit."""
        return self.better != "neither"

    @property
    def sign(self) -> int:
        """−1 where a higher number is better, else 1: times it, larger is worse.

        Of a metric whose best value lies inside its range only `loss` knows what is worse.
        """
        return -1 if self.better == "higher" else 1

    def loss(self, now: float, then: float, *, bias: float = 0.0) -> float:
        """Return how much worse `now` is than `then`, less the bias of their difference."""
        target = {"zero": 0.0, "one": 1.0}.get(self.better)
        if target is not None:
            return abs(now - bias - target) - abs(then - target)
        return self.sign * (now - then - bias)


class Place(NamedTuple):
    """What a number is of, whatever the strategy: the key that measurements are looked up by."""

    metric: str
    attribute: str = ""
    """"" for the whole test set; "x × y" for an intersection."""
    group: str = ""
    """A group's name, "gap" for a between-group number, "a × b" for an intersection."""
    view: str = "original"
    posthoc: str = ""
    """"" or "temperature"."""


class Measurement(NamedTuple):
    """One number of an audit, with how sure it is. The field order is the interface.

    A row of a file is flat, so the fields of `Place` stand here again.
    """

    audit: str
    metric: str
    attribute: str = ""
    group: str = ""
    view: str = "original"
    posthoc: str = ""
    value: float = float("nan")
    """The plug-in estimate: what other tools compute."""
    corrected: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    floor_mean: float | None = None
    floor_p95: float | None = None
    undefined: str = ""
    """Why the value is NaN."""
    strategy: str = ""
    seed: int | None = None
    """None for the mean over seeds."""
    systematic_low: float | None = None
    """Between-group numbers of several seeds: `low` and `high` are of the mean over seeds of each
    model's own number (what one shipped model has); these are of the number that the mean rates
    over seeds have (the part that is the same whatever the seed)."""
    systematic_high: float | None = None

    @property
    def place(self) -> Place:
        """What the number is of."""
        return Place(self.metric, self.attribute, self.group, self.view, self.posthoc)


class Contrast(NamedTuple):
    """A paired difference, strategy minus reference, on the same examples and seeds."""

    metric: str
    attribute: str
    group: str
    view: str
    posthoc: str
    strategy: str
    reference: str
    difference: float
    low: float | None
    """None where no interval covers: the size of a gap's change is not quoted."""
    high: float | None
    p_value: float | None
    p_adjusted: float | None
    """Holm over the declared family; None outside it."""
    minimum_detectable_effect: float | None
    """At 80 % power, two-sided 5 %."""
    verdict: Literal["better", "worse", "no evidence of a difference", "not judged", "undefined"]
    n: int
    seeds: int
    undefined: str = ""
    not_judged: str = ""
    """Why there is no verdict though there are numbers."""

    @property
    def place(self) -> Place:
        """What the two numbers are of."""
        return Place(self.metric, self.attribute, self.group, self.view, self.posthoc)


class LeftOut(NamedTuple):
    """A group that takes no part in gaps, and why; never silently dropped."""

    attribute: str
    group: str
    n: int
    reason: str


class ReliabilityBin(NamedTuple):
    """One point of a reliability diagram: what was said against what happened."""

    strategy: str
    attribute: str
    """"" for the whole test set."""
    group: str
    posthoc: str
    """"" or "temperature"."""
    low_edge: float
    high_edge: float
    mean_probability: float
    """Mean of p1 (binary) or of the confidence (multi-class) in the bin, over seeds."""
    observed: float
    """Share of positives (binary) or of correct predictions (multi-class)."""
    low: float
    high: float
    n: int
    """Examples of one seed, rounded mean over seeds."""


class CurvePointBand(NamedTuple):
    """One point of a curve over test examples, with its pointwise 95 % band."""

    strategy: str
    curve: str
    """"roc": true positive rate at a false positive rate; "precision_recall": precision at a
    recall; "self_consistency": share of examples at most so consistent over seeds."""
    attribute: str
    group: str
    """A group, or the class that is told from the rest."""
    x: float
    value: float
    """Mean over seeds; NaN where it is undefined."""
    low: float | None
    high: float | None


class ParetoPoint(NamedTuple):
    """Where one strategy stands in the trade-off of performance and fairness."""

    strategy: str
    performance: float
    fairness: float
    pareto_probability: float
    """Share of bootstrap draws in which no other strategy is better on both axes."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything that was measured in one run: what a report and a gate read."""

    measurements: tuple[Measurement, ...]
    contrasts: tuple[Contrast, ...] = ()
    definitions: Mapping[str, Metric] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    curves: tuple[CurvePointBand, ...] = ()
    clusters: int = 0
    """Clusters that the test examples come in; 0: they are taken to be independent."""
    trade_off: tuple[ParetoPoint, ...] = ()


def json_value(value: Any) -> Any:
    """Return a record as JSON has it: named tuples and dataclasses become objects.

    A number that is not finite becomes null: JSON has none. A set becomes a sorted list.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in fields(value)}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(value)
    return [json_value(item) for item in value] if isinstance(value, list | tuple) else value
