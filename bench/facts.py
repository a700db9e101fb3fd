"""What is known of a run besides its measurements; a report is made from both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import PlainSerializer

from .schema import AuditSettings, Currency, CurvePoint, Ledger, TaskCard

Names = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]
"""Always written in the same order, so that equal facts become equal files."""


@dataclass(frozen=True, kw_only=True)
class CellFacts:
    """What became of one cell."""

    id: str = ""
    """Names the cell's folder."""
    strategy: str
    """The label its measurements carry."""
    seed: int
    status: Literal["finished", "failed", "missing"] = "missing"
    reason: str = ""
    """Why it failed or is missing."""
    ledger: Ledger | None = None
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StrategyFacts:
    """How one strategy of the suite fine-tunes the model."""

    label: str
    """The name its measurements carry."""
    use: str
    """The plug-in, or several joined by "+"."""
    options: str = ""
    """Its options as the suite wrote them, such as "r = 8, alpha = 32"."""
    choices: Names = frozenset()
    """Which of "adapt", "sampling_weights", "objective", "revise" it makes."""
    trains: str = ""
    """The part that chooses what is trained; "" where that is everything."""
    needs_groups_in: Names = frozenset()
    """Where it reads group labels: "train" (validation included), "validation" (to select a
    checkpoint), "inference"."""
    yardstick: bool = False
    reference: str = ""
    """The paper, and what deviates from it."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The pretrained model that every strategy starts from."""

    name: str
    licence: str = ""
    fingerprint: str = ""
    """sha256 of its weights."""
    parameters: int | None = None
    max_tokens: int | None = None
    """Longer texts are cut to so many tokens."""
    head_kept: bool = False
    """Every seed begins with the checkpoint's own classification head."""


class Collapse(NamedTuple):
    """One seed of a strategy that gives nearly every test example the same answer."""

    strategy: str
    seed: int
    answer: str
    """The class that it predicts."""
    share: float
    """Share of the test examples with that prediction."""


class CutTexts(NamedTuple):
    """How many test texts were longer than `max_tokens`: the model read only their start."""

    attribute: str
    """"" for the whole test set."""
    group: str
    n: int
    """Test examples of the group."""
    cut: int


class FactTable(NamedTuple):
    """A titled table of text and numbers, such as one of the data audit."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    note: str = ""


class TrialFacts(NamedTuple):
    """One configuration that a search tried, at one budget."""

    strategy: str
    trial: int
    """From 1, which is the suite's own configuration."""
    options: Mapping[str, Any]
    """Option -> value, of every option that the search may change; `part.option` where a
    composition has several parts."""
    budget_fraction: float
    """Of a cell's budget."""
    validation: float | None
    """In the metric of the rule that chooses; None: it failed, or the rule is undefined."""
    chosen: bool
    """Whether the strategy is trained with these options."""
    test: float | None = None
    """The performance metric on test examples; no choice reads it."""
    seed: int = 0
    cell: str = ""
    """Names the cell's folder."""
    flops: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    """Why there is no value."""


class TuningCurvePoint(NamedTuple):
    """The expected test value of what the rule chooses among k trials of a strategy."""

    strategy: str
    metric: str
    attribute: str
    group: str
    k: int
    value: float | None
    low: float | None
    high: float | None
    best: float | None = None
    """How likely the strategy is the best one where each has k trials."""


class TuningCrossing(NamedTuple):
    """Two strategies whose order changes with the number of trials."""

    metric: str
    attribute: str
    before: str
    after: str
    k: int
    """`after` leads from so many trials on."""
    share: float
    """Of the draws in which it does, and `before` leads with fewer."""


class SearchedOption(NamedTuple):
    """Where a search looked for an option."""

    strategy: str
    option: str
    low: float | None
    high: float | None
    log: bool
    choices: tuple[Any, ...] = ()


class BudgetPoint(NamedTuple):
    """The test value of a tuned strategy that was trained at another budget; mean over seeds."""

    strategy: str
    fraction: float
    """Of the suite's budget."""
    metric: str
    attribute: str
    group: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class TuningFacts:
    """The search that every strategy got, and what it found."""

    rule: str
    """The metric on validation that chooses."""
    sampler: str
    trials: tuple[TrialFacts, ...] = ()
    options: tuple[SearchedOption, ...] = ()
    curves: tuple[TuningCurvePoint, ...] = ()
    crossings: tuple[TuningCrossing, ...] = ()
    chosen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Label -> the options that it is trained with, as a suite writes them."""
    budgets: tuple[BudgetPoint, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Everything in a report that was not measured on predictions.

    Only `suite` is required: of predictions made elsewhere, no more than a name is known.
    """

    suite: str
    date: str = ""
    """The day on which the run began, or the predictions were audited: "2026-11-25"; UTC."""
    task: str = ""
    """Fingerprint of the data."""
    content: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the data's parts: "examples" (ids, texts, labels, splits), "group:NAME" and
    "view:NAME"; empty where not known."""
    audits: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    """Contrasts declared besides those with the reference."""
    training_counts: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    """Attribute -> group -> training examples of each class."""
    suite_toml: str = ""
    """The suite's text as run."""
    card: TaskCard | None = None
    model: ModelCard | None = None
    strategies: tuple[StrategyFacts, ...] = ()
    """In the suite's order, yardsticks included."""
    cells: tuple[CellFacts, ...] = ()
    currency: Currency | None = None
    amount: float | None = None
    """What a cell may spend, in `currency`."""
    reference: str = ""
    """Label of the strategy that the others are compared with."""
    performance_metric: str = "accuracy"
    gap_metric: str = "equalized_odds_difference"
    """The two metrics that the answer and the trade-off are about."""
    selection_rule: str = ""
    """In words: which checkpoint was selected, by which rule and on which split."""
    settings: AuditSettings | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    """The code's commit, "+changes" appended where the tree was dirty."""
    command: str = ""
    """The command that makes this report again."""
    data_audit: tuple[FactTable, ...] = ()
    collapsed: tuple[Collapse, ...] = ()
    cut_texts: tuple[CutTexts, ...] = ()
    assumptions: tuple[str, ...] = ()
    """A line for each thing that was assumed in reading files of predictions, with the option
    that settles it."""
    tuning: TuningFacts | None = None
    """None: strategies were trained as the suite says."""
    mixture: tuple[str, ...] = ()
    """A sentence for each difference in how cells were made: packages, commits, hardware."""
