"""What a run states besides its numbers: its suite, its strategies, its cells, its search."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .. import yardsticks
from ..audit import by_default
from ..environment import provenance
from ..facts import CellFacts, ModelCard, RunFacts, StrategyFacts
from ..planning import compose
from ..planning.plan import Cell
from ..schema import Task
from ..storage import run_folder
from ..storage.given_answers import Given
from ..suite import Training
from . import prepare


def facts_of(
    prepared: prepare.Prepared,
    text: str,
    command: str,
    given: Mapping[str, Given] = MappingProxyType({}),
) -> RunFacts:
    """Return everything that a report of this suite states besides its numbers."""
    suite = prepared.suite
    cells = [CellFacts(id=c.id, strategy=c.label, seed=c.seed) for c in prepared.cells]
    first = {cell.label: cell for cell in reversed(prepared.cells)}
    strategies = [
        _strategy_facts(first[label], prepared.chosen.get(label, choice.options))
        for label, choice in suite.strategies.items()
    ]
    strategies += [_yardstick_facts(name, prepared.task) for name in suite.own_yardsticks]
    strategies += [
        StrategyFacts(label=label, use=yardsticks.GIVEN, options=one.words, yardstick=True)
        for label, one in given.items()
    ]
    return RunFacts(
        suite=suite.name,
        date=provenance.today(),
        task=prepared.content.whole,
        content=prepared.content.parts,
        audits=suite.audit.audits or by_default(without=("before",)),
        pairs=suite.audit.pairs,
        training_counts=run_folder.training_counts(prepared.task),
        suite_toml=text,
        card=prepared.task.card,
        model=ModelCard(
            name=suite.model.source,
            fingerprint=prepared.cells[0].model_fingerprint,
            max_tokens=suite.model.max_tokens,
            head_kept=suite.model.head == "keep",
        ),
        strategies=tuple(strategies),
        cells=tuple(cells),
        currency=suite.budget.currency,
        amount=suite.budget.amount,
        reference=suite.reference_strategy,
        selection_rule=_selection_rule(suite.training, has_groups=bool(prepared.task.groups)),
        settings=suite.audit.settings,
        environment=provenance.environment(),
        commit=provenance.commit(),
        command=command,
        data_audit=prepared.data_audit,
        cut_texts=prepared.cut_texts,
    )


def _selection_rule(training: Training, *, has_groups: bool = True) -> str:
    """Return in words which weights make the predictions."""
    if training.selection == "last":
        return "the last step of the budget; nothing was selected on any split"
    used = "validation groups were used" if training.selects_by_group else "no groups were used"
    return (
        f"the best of {training.checkpoints} checkpoints by {training.selection}, at equal "
        f"fractions of the budget{f'; {used}' if has_groups else ''}"
    )


def _strategy_facts(cell: Cell, options: Mapping[str, Any]) -> StrategyFacts:
    strategy = cell.strategy()
    parts = dict(zip(cell.use.split("+"), compose.parts_of(strategy), strict=True))
    selected = {"validation"} if cell.training.selects_by_group else set[str]()
    return StrategyFacts(
        label=cell.label,
        use=cell.use,
        options=", ".join(f"{name} = {value}" for name, value in options.items()),
        choices=compose.claims(strategy),
        trains="+".join(name for name, part in parts.items() if "adapt" in compose.claims(part)),
        needs_groups_in=compose.groups_needed(strategy) | selected,
        reference="; ".join(part.reference for part in parts.values()),
    )


def _yardstick_facts(name: str, task: Task) -> StrategyFacts:
    reads = name in yardsticks.READ_GROUPS and bool(task.groups)
    where = frozenset({"train", "inference"} if reads else ())
    return StrategyFacts(label=name, use=name, yardstick=True, needs_groups_in=where)
