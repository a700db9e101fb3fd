"""One side of a gate: a run, a baseline or a file of predictions, read into one record."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..facts import CellFacts, RunFacts
from ..measuring import of_file
from ..reading import pairs
from ..reading.foreign import Columns
from ..schema import Array, AuditSettings, BadInputError, Evidence, Predictions
from ..storage import run_folder
from . import rules


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One side of a gate."""

    facts: RunFacts
    evidence: tuple[Evidence, ...]
    versions: Mapping[str, int]
    """Version of every metric's definition by which its numbers were judged."""

    @property
    def settings(self) -> AuditSettings:
        """How its audits are made."""
        return self.facts.settings or AuditSettings()

    @property
    def strategies(self) -> dict[str, Evidence]:
        """Label -> what it left behind; yardsticks included."""
        return {e.strategy: e for e in self.evidence}

    @property
    def attributes(self) -> frozenset[str]:
        """Group attributes of its test examples."""
        return frozenset(self.evidence[0].test[0].groups) if self.evidence else frozenset()

    @property
    def judged(self) -> tuple[str, ...]:
        """Labels that a rule is about unless it names others: all but the yardsticks."""
        apart = {s.label for s in self.facts.strategies if s.yardstick}
        return tuple(e.strategy for e in self.evidence if e.strategy not in apart)

    @property
    def unfinished(self) -> tuple[CellFacts, ...]:
        """Cells that failed or were never run."""
        return tuple(cell for cell in self.facts.cells if cell.status != "finished")


def versions() -> dict[str, int]:
    """Return the version of every metric's definition in this code."""
    return {name: metric.version for name, (_, metric) in rules.declared().items()}


def of_run(run: Path) -> Snapshot:
    """Return what a run's folder holds by now."""
    facts = run_folder.read_facts(run)
    labels = [strategy.label for strategy in facts.strategies]
    if twice := next((label for label in labels if labels.count(label) > 1), ""):
        raise BadInputError(f"{run}: two strategies are called {twice!r}; rename one, run again")
    evidence = tuple(rounded(e) for e in run_folder.evidence(run, facts))
    return Snapshot(facts=facts, evidence=evidence, versions=versions())


def of_evidence(evidence: Evidence, name: str, settings: AuditSettings) -> Snapshot:
    """Return a snapshot of predictions that no run of ours made."""
    facts = RunFacts(suite=name, settings=settings)
    return Snapshot(facts=facts, evidence=(rounded(evidence),), versions=versions())


def of_files(
    run: Path, baseline: Path, columns: Columns, settings: AuditSettings
) -> tuple[Snapshot, Snapshot]:
    """Return two models' predictions as two sides of a gate; the first says what was assumed."""
    readings = pairs.read(run, baseline, columns)
    new, old = (
        of_evidence(
            Evidence(strategy="model", seeds=(0,), test=(r.predictions,)), str(path), settings
        )
        for path, r in zip((run, baseline), readings, strict=True)
    )
    assumed = tuple(of_file.assumptions([(run, readings[0]), (baseline, readings[1])]))
    return replace(new, facts=replace(new.facts, assumptions=assumed)), old


def rounded(evidence: Evidence) -> Evidence:
    """Return evidence with probabilities of 32 bits, as a baseline keeps them.

    Else a run would differ from its own baseline in the last digits.
    """
    return replace(
        evidence,
        test=tuple(_rounded(p) for p in evidence.test),
        validation=tuple(_rounded(p) for p in evidence.validation),
        views={view: tuple(_rounded(p) for p in ps) for view, ps in evidence.views.items()},
    )


def _rounded(predictions: Predictions) -> Predictions:
    known = predictions.probability
    stored = None if known is None else known.astype(np.float32).astype(np.float64)
    return replace(predictions, probability=stored)


def in_order(evidence: Evidence, ids: Array) -> Evidence:
    """Return evidence whose test examples are in the order of `ids`; a view may have fewer."""

    def ordered(answers: tuple[Predictions, ...]) -> tuple[Predictions, ...]:
        return tuple(_in_order(p, ids) for p in answers)

    views = {view: ordered(answers) for view, answers in evidence.views.items()}
    return replace(evidence, test=ordered(evidence.test), views=views)


def _in_order(predictions: Predictions, ids: Array) -> Predictions:
    if np.array_equal(predictions.example_id, ids):
        return predictions
    place = places(ids, predictions.example_id)
    return predictions.take(place[place >= 0])


def places(ids: Array, among: Array) -> Array:
    """Return where each id stands in `among`, -1 where it does not."""
    position = pc.index_in(pa.array(ids.tolist()), value_set=pa.array(among.tolist()))
    return np.asarray(pc.fill_null(position, -1))
