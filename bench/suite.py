"""Suites: what is compared, read from TOML into frozen, validated records."""

import re
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from .schema import AuditSettings, BadInputError, Currency

SUITES = Path(__file__).parent / "suites"

Name = Annotated[str, Field(min_length=1, max_length=200)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy and torch take
Kind = TypeVar("Kind", bound=BaseModel)
BY_GROUP = ("validation_worst_group", "validation_dto")
"""Rules that read the groups of validation."""
_MOST_CHARACTERS = 200_000
_MOST_DOTS = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Record(BaseModel):
    """Base of every suite record: frozen, exactly typed, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class TaskChoice(BaseModel):
    """Which data: a file of bench/tasks, or of `task_path`, and its options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    source: Name

    @property
    def options(self) -> dict[str, Any]:
        """Everything besides `source`; the task refuses what it does not know."""
        return dict(self.model_extra or {})


class ModelChoice(Record):
    """Which pretrained model, and how long a text it reads."""

    source: Name
    """A folder, relative to the suite's file; `package:NAME` for a model inside an installed
    package; or a hub name."""
    revision: str | None = None
    """Commit of a hub name; required there, so that a run can be repeated."""
    max_tokens: int = Field(default=128, ge=2)
    """Longer texts are cut."""
    head: Literal["new", "keep"] = "new"
    """new: every seed begins with a classification head of its own; keep: with the checkpoint's,
    whose classes (`id2label`) bear the names of the task's."""


class Budget(Record):
    """What every cell may spend, in the one currency that binds."""

    currency: Currency
    amount: float = Field(gt=0, allow_inf_nan=False)


class BudgetChoice(Record):
    """What a suite says of its budget: a currency and an amount, or epochs."""

    currency: Currency | None = None
    amount: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    epochs: float | None = Field(default=None, gt=0, le=10_000, allow_inf_nan=False)
    """Passes of the reference strategy over the training split. What they take in FLOPs is
    counted once, and then binds every strategy."""

    @model_validator(mode="after")
    def _says_how_much(self) -> "BudgetChoice":
        amount = self.currency is not None and self.amount is not None
        if amount == (self.epochs is not None) or (self.currency is None) != (self.amount is None):
            raise ValueError("give currency and amount, or epochs alone")
        return self

    @property
    def words(self) -> str:
        """The budget in a few words."""
        if self.epochs is not None:
            return f"{self.epochs:g} epochs of the reference"
        return f"{self.amount:.4g} {self.currency}"

    @property
    def amount_in_currency(self) -> Budget | None:
        """What binds; None for epochs, of which it is not known yet."""
        if self.currency is None or self.amount is None:
            return None
        return Budget(currency=self.currency, amount=self.amount)


class Training(Record):
    """What all strategies share; a strategy may only bring its own learning rate."""

    batch_size: int = Field(default=32, ge=1, le=2**20)
    """Examples an optimiser step."""
    learning_rate: float = Field(default=5e-5, gt=0, allow_inf_nan=False)
    """Peak, reached after the warm-up."""
    warmup: float = Field(default=0.06, ge=0, lt=1)
    """Fraction of the budget over which the rate rises from 0."""
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    max_gradient_norm: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 autocast where the device computes in it, fp32 master weights always."""
    selection: Literal[
        "last", "validation_log_loss", "validation_worst_group", "validation_dto"
    ] = "last"
    """Which weights predict: those of the last step, or of the checkpoint that is best on
    validation; the last two rules read its group labels, in groups of 30 examples or more."""
    checkpoints: int = Field(default=5, ge=1, le=1000)
    """How often validation is asked, at equal fractions of the budget; never for `last`."""

    @property
    def selects_by_group(self) -> bool:
        """Whether the selection rule reads the groups of validation."""
        return self.selection in BY_GROUP


class SpaceChoice(Record):
    """Where a search may look for an option, in place of what the strategy's file says."""

    low: float | int | None = None
    high: float | int | None = None
    log: bool | None = None
    choices: tuple[Any, ...] = ()
    """Instead of a range: these values."""


class Tuning(Record):
    """The search that every strategy gets alike before it is trained with the suite's seeds."""

    trials: int = Field(default=8, ge=1, le=1000)
    """Configurations a strategy; the first one is what the suite says without tuning."""
    sampler: Literal["qmc", "random", "tpe"] = "qmc"
    """Quasi-random points, random ones, or a model of the trials before (optuna's samplers)."""
    selection: Literal["validation_log_loss", "validation_worst_group", "validation_dto"] = (
        "validation_log_loss"
    )
    """What decides on validation; the last two read its group labels."""
    budget_fraction: float = Field(default=1.0, gt=0, le=100)
    """What a trial may spend, of a cell's budget; with halving, on average."""
    halving: bool = True
    """A third of the trials are made again with three times the budget; the total stays."""
    seed: Seed = 0
    """Of the search, and of the seeds that its trials train with."""
    budgets: tuple[float, ...] = ()
    """Fractions of the budget that each winner is trained at, to draw value over budget."""

    @field_validator("budgets")
    @classmethod
    def _budgets_differ(cls, budgets: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(budgets)) != len(budgets) or not all(0 < b <= 100 for b in budgets):  # noqa: PLR2004
            raise ValueError("give different fractions above 0, at most 100")
        return budgets

    @property
    def selects_by_group(self) -> bool:
        """Whether the choice reads the groups of validation."""
        return self.selection in BY_GROUP


class StrategyChoice(BaseModel):
    """One competitor: its label is its table's key, `use` says which strategy files."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str = ""
    """`lora`, or `lora+weighted` for a composition; the label itself when empty."""
    space: dict[str, Any] = {}
    """Option -> where `[tuning]` may look for it; of a composition: part -> option -> space."""

    @property
    def options(self) -> dict[str, Any]:
        """Options of the strategy; of a composition: part -> options."""
        return dict(self.model_extra or {})

    def with_options(self, options: Mapping[str, Any]) -> "StrategyChoice":
        """Return the same strategy with these options, as they were read from a file."""
        return StrategyChoice.model_validate(_tuples({"use": self.use, **options}))


class AnswersChoice(Record):
    """Somebody's answers to the test examples: an API's, a language model's, an older model's."""

    predictions: Name
    """A CSV, Parquet or JSON Lines file, relative to the suite's file."""
    id: Name = "id"
    """Its column of ids, those of the task's examples."""
    prediction: str = ""
    """Its column of predicted classes, by the task's names."""
    probability: tuple[Name, ...] = ()
    """Its column of the positive class's probability, or one a class."""
    classes: tuple[Name, ...] = ()
    """What the file calls the task's classes, in their order; their own names if not given."""

    @model_validator(mode="after")
    def _says_what(self) -> "AnswersChoice":
        if not self.prediction and not self.probability:
            raise ValueError("give prediction or probability, a column of the file")
        return self


class AuditChoice(Record):
    """Which audits, and how they resample."""

    audits: tuple[str, ...] = ()
    """Names of audits; those that are on by default when empty."""
    replicates: int = Field(default=2000, ge=100, le=10**6)
    min_group_size: int = Field(default=30, ge=1)
    intersections: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    """Contrasts to be made besides those with the reference strategy."""
    seed: int = 0

    @property
    def settings(self) -> AuditSettings:
        """The record that audits see."""
        return AuditSettings(
            replicates=self.replicates,
            min_group_size=self.min_group_size,
            intersections=self.intersections,
            seed=self.seed,
        )


class GateRule(Record):
    """What may not get worse than the baseline, and what must stay within a limit."""

    metric: Name
    attribute: str | None = None
    """A group attribute, "*" for each, "" for the whole test set; not given: see `group`."""
    group: str | None = None
    """A group, "*" for each, "gap" for the number between them. Neither given: the whole test set
    where the metric is measured on it, else the gap of every attribute, else every group."""
    view: str = "original"
    posthoc: Literal["", "temperature"] = ""
    strategies: tuple[Name, ...] = ()
    """Labels; all strategies when empty."""
    max_loss: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """How much worse than the baseline is tolerated, in the metric's own unit."""
    max_value: float | None = Field(default=None, allow_inf_nan=False)
    min_value: float | None = Field(default=None, allow_inf_nan=False)
    limit_on: Literal["estimate", "interval"] = "estimate"
    """What `max_value` and `min_value` bind: the estimate, or the bad end of its interval."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """One minus the chance that any rule of a run fails although nothing got worse."""
    on_inconclusive: Literal["pass", "warn", "fail"] = "warn"
    one_seed: Literal["inconclusive", "accept"] = "inconclusive"
    """Of a strategy trained once a side: nothing is known of retraining, so no loss is judged and
    the gate ends with exit code 3; `accept` judges it by the test examples alone."""

    @model_validator(mode="after")
    def _asks_something(self) -> "GateRule":
        if self.max_loss is None and self.max_value is None and self.min_value is None:
            raise ValueError("give max_loss, max_value or min_value")
        return self


class Suite(Record):
    """What is compared: task, model, strategies, seeds, budget, audits."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    """Names the run's folder."""
    description: str = ""
    task: TaskChoice
    model: ModelChoice
    budget: BudgetChoice
    training: Training = Training()
    tuning: Tuning | None = None
    """The search before training; None: every strategy is trained as the suite says."""
    strategies: dict[Name, StrategyChoice] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1, max_length=10_000)
    yardsticks: tuple[str, ...] | dict[Name, AnswersChoice] = ("majority", "tfidf")
    """Names of ours; or tables of answers from files, which come besides ours."""
    reference: str = ""
    """Label of the strategy that the others are compared with; the first when empty."""
    attribute: str = ""
    """Group attribute that mitigating strategies see; the task's first when empty."""
    strategy_path: tuple[str, ...] = ()
    """Folders with strategy files of your own, relative to the suite's file."""
    task_path: tuple[str, ...] = ()
    """Folders with task files of your own, relative to the suite's file."""
    keep_models: bool = False
    """Keep each cell's trained weights (safetensors)."""
    audit: AuditChoice = AuditChoice()
    gate: tuple[GateRule, ...] = ()
    """What `tunefair gate` judges; its defaults when empty."""

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError("a seed repeats")
        return seeds

    @model_validator(mode="after")
    def _labels_exist(self) -> "Suite":
        if both := sorted(set(self.strategies) & set(self.yardstick_labels)):
            raise ValueError(f"{both[0]!r} is a yardstick's name; give the strategy another label")
        labels = {*self.strategies, *self.yardstick_labels}
        for label in (*([self.reference] if self.reference else []), *sum(self.audit.pairs, ())):
            if label not in labels:
                raise ValueError(f"{label!r} is no strategy here; there are: {sorted(labels)}")
        return self

    @property
    def own_yardsticks(self) -> tuple[str, ...]:
        """Names of the yardsticks that are predicted here."""
        return self.yardsticks if isinstance(self.yardsticks, tuple) else ("majority", "tfidf")

    @property
    def answers(self) -> dict[str, AnswersChoice]:
        """Label -> answers of a file."""
        return self.yardsticks if isinstance(self.yardsticks, dict) else {}

    @property
    def yardstick_labels(self) -> tuple[str, ...]:
        """The label of every yardstick, ours first."""
        return (*self.own_yardsticks, *self.answers)

    @property
    def reference_strategy(self) -> str:
        """The label that contrasts refer to."""
        return self.reference or next(iter(self.strategies))

    @property
    def measured_in(self) -> str:
        """The label of the strategy whose epochs are meant: a yardstick has none."""
        label = self.reference_strategy
        return label if label in self.strategies else next(iter(self.strategies))


def find(name_or_path: str) -> Path:
    """Return the file of a suite: a path, or the name of one in bench/suites."""
    if (shipped := SUITES / f"{name_or_path}.toml").is_file():
        return shipped
    path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in SUITES.glob("*.toml")))
        raise BadInputError(f"no suite {name_or_path!r}: neither a file nor one of: {known}")
    return path


def read(path: Path) -> Suite:
    """Read and validate a suite.

    Raises
    ------
    BadInputError
        Not TOML, an unknown key, a wrong type or value: each named by file, key and value.
    """
    return parse(Suite, text_of(path), str(path))


def text_of(path: Path) -> str:
    """Return a suite's text. Who records it reads it once, and parses what was read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {error}") from None


def is_shipped(path: Path) -> bool:
    """Whether a suite's file is one of ours, which is found by its name alone."""
    return path.parent == SUITES


def parse(kind: type[Kind], text: str, where: str) -> Kind:
    """Validate a record's TOML; `where` names it in messages."""
    _check_size(text, where)
    try:
        return kind.model_validate(_tuples(tomllib.loads(text)))
    except ValidationError as error:
        raise BadInputError(f"{where}: {problems(error)}") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, a deep nesting
        raise BadInputError(f"{where}: {error}") from None


def _check_size(text: str, where: str) -> None:
    """Refuse what keeps a TOML parser busy for minutes: its time grows with a key's parts²."""
    if len(text) > _MOST_CHARACTERS:
        raise BadInputError(f"{where}: {len(text)} characters; at most {_MOST_CHARACTERS}")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > _MOST_DOTS:
            raise BadInputError(f"{where}: line {number}: more than {_MOST_DOTS} points")


def _tuples(value: Any) -> Any:
    """Turn TOML arrays into tuples: the records are frozen, and strict typing tells them apart.

    Control characters, which would reach terminals and pages, are refused on the way.
    """
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError(f"{value[:60]!r}: a control character")
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {_tuples(key): _tuples(item) for key, item in value.items()}
    return value


def problems(error: ValidationError) -> str:
    """Return all problems of a record on one line, each with its key and value."""
    return "; ".join(_problem(dict(e)) for e in error.errors(include_url=False))


def _problem(error: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "suite"
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: unknown key"
    if error["type"].startswith("missing"):
        return f"{key}: missing"
    value = textwrap.shorten(repr(error["input"]), 60, placeholder="...")
    return f"{key} = {value}: {error['msg'].removeprefix('Value error, ')}"
