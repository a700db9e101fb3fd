"""Verdicts: pass, fail, inconclusive or not comparable, with everything that led there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ..schema import Place
from ..suite import GateRule

Outcome = Literal["pass", "inconclusive", "not comparable", "fail"]
GRAVITY: Mapping[Outcome, int] = {"pass": 0, "inconclusive": 1, "not comparable": 2, "fail": 3}
CODES: Mapping[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3, "not comparable": 4}
RAN = "every cell finished"
"""What the verdict on the run itself is about, in place of a metric."""


class Verdict(NamedTuple):
    """What one rule says about one number of one strategy. The field order is the interface."""

    outcome: Outcome
    reason: str
    metric: str
    strategy: str
    attribute: str = ""
    group: str = ""
    view: str = "original"
    posthoc: str = ""
    rule: int = 0
    """Number of the rule, from 1; 0: not a rule's, but asked of every run."""
    blocks: bool = False
    """Whether an inconclusive verdict ends the gate with exit code 3."""
    value: float | None = None
    """Of the run, mean over seeds."""
    baseline: float | None = None
    difference: float | None = None
    """Run minus baseline."""
    low: float | None = None
    """Of the 95 % interval of the difference; None where none covers (gaps, errors, minima)."""
    high: float | None = None
    loss: float | None = None
    """How much worse, bias-centred; negative is better."""
    max_loss: float | None = None
    p_adjusted: float | None = None
    """One-sided, Holm over the losses of the run."""
    detectable_loss: float | None = None
    """The smallest loss that this gate would catch with 80 % chance."""
    more_examples: int | None = None
    """That would decide an inconclusive verdict if the loss stays as it is; None: no number."""
    more_seeds: int | None = None
    """A side, likewise."""
    n: int = 0
    seeds: int = 0

    @property
    def place(self) -> Place:
        """What the number is of."""
        return Place(self.metric, self.attribute, self.group, self.view, self.posthoc)


def gravest(verdicts: Iterable[Verdict]) -> Outcome:
    """Return the outcome that decides."""
    return max((v.outcome for v in verdicts), key=GRAVITY.__getitem__, default="pass")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A gate's answer."""

    verdicts: tuple[Verdict, ...]
    rules: tuple[GateRule, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know and no rule asked for."""

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive where that blocks, 4 not comparable; the gravest."""
        outcomes = {v.outcome for v in self.verdicts if v.outcome != "inconclusive" or v.blocks}
        return CODES[max(outcomes, key=GRAVITY.__getitem__, default="pass")]

    @property
    def outcome(self) -> Outcome:
        """The gravest outcome, whether it blocks or not."""
        return gravest(self.verdicts)

    def noting(self, *notes: str) -> "Judgement":
        """Return the same judgement with these notes first: they say by what it was judged."""
        return replace(self, notes=(*notes, *self.notes))

    def count(self, outcome: Outcome) -> int:
        """Return how many verdicts are so."""
        return sum(v.outcome == outcome for v in self.verdicts)
