"""Audit predictions that we did not make: a file becomes evidence, evidence becomes results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..audit import Need, by_default, load_all, load_own
from ..environment import provenance
from ..facts import RunFacts, StrategyFacts
from ..reading import foreign, pairs, parts, tables
from ..reading.foreign import Columns, Reading
from ..schema import AuditSettings, BadInputError, Evidence, Predictions, Results
from ..statistics import ranking
from . import collapsed
from .measure import measure

NO_FILE_HAS: tuple[Need, ...] = ("hidden", "start", "views", "ledgers", "seeds")
"""What a file of predictions cannot bring: audits that need it do not run."""

_BINARY = 2
_HALF = 0.5
_Z = 1.96  # of a 95 % interval


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is audited: a file of predictions, and what goes with it."""

    test: Path
    validation: Path | None = None
    """Predictions that a temperature is fitted on."""
    compare: Path | None = None
    """Another model's predictions on the same ids."""


class Audited(NamedTuple):
    """Files as evidence, and what a reader must know before believing a number of them."""

    evidence: list[Evidence]
    """The audited file's comes first."""
    assumptions: tuple[str, ...]
    """A line each: what was assumed in reading, with the option that settles it."""


def evidence(files: Files, columns: Columns) -> Audited:
    """Read every file into evidence.

    Raises
    ------
    BadInputError
        A file cannot be read as predictions, or `--compare` shares no id with it.
    """
    if files.compare:
        test, other = pairs.read(files.test, files.compare, columns)
        names = (str(files.test), str(files.compare))
        pairs.match(test.predictions, other.predictions, names=names)
        readings = [(files.test, test), (files.compare, other)]
    else:
        test = foreign.read(files.test, columns)
        readings = [(files.test, test)]
    classes = test.predictions.classes
    if files.validation:
        readings.append((files.validation, _validation(files.validation, columns, classes)))
    name, other_name = _labels(files)
    held_out = tuple(reading.predictions for _, reading in readings[-1:] if files.validation)
    evidence = [Evidence(strategy=name, seeds=(0,), test=(test.predictions,), validation=held_out)]
    if files.compare:
        evidence[0] = replace(evidence[0], before=(other.predictions,))
        evidence.append(Evidence(strategy=other_name, seeds=(0,), test=(other.predictions,)))
    return Audited(evidence, tuple(assumptions(readings)))


def _validation(path: Path, columns: Columns, classes: tuple[str, ...]) -> Reading:
    """Return the predictions that a temperature is fitted on: of a file's validation split."""
    has_splits = columns.split and parts.SPLIT in tables.names(path)
    split = "validation" if has_splits or parts.own(path) else ""
    return foreign.read(path, replace(columns, split=split), classes=classes)


def assumptions(readings: Sequence[tuple[Path, Reading]]) -> Iterator[str]:
    """Yield what was assumed of each file, and where its probability looks like another class's.

    What holds of all files alike is said once; else a line begins with the file's name.
    """
    lines = [
        (path, [*reading.assumptions, *_inverted(reading.predictions)])
        for path, reading in readings
    ]
    common = [line for line in lines[0][1] if all(line in others for _, others in lines)]
    yield from common
    for path, own in lines:
        for line in own:
            if line not in common:
                yield f"{path.name}: {line}" if len(lines) > 1 else line


def _inverted(predictions: Predictions) -> Iterator[str]:
    """Say so where the area under the ROC curve lies under a half, its interval included."""
    if len(predictions.classes) != _BINARY or predictions.probability is None:
        return
    positive = predictions.label == 1
    rank = ranking.dense_rank(predictions.probability[:, 1])
    area = ranking.roc_area(rank, positive, ~positive)
    high = area.value + _Z * float(np.sqrt((area.influence**2).sum()))
    if high < _HALF:
        yield (
            f"the ROC AUC is {area.value:.3f}, under 0.5 by more than chance: the probability is "
            f"probably of the other class, {predictions.classes[0]!r} (--positive, --classes)"
        )


def _labels(files: Files) -> tuple[str, str]:
    """Return what the two models are called: the files' stems, or the paths where those agree."""
    if files.compare is None or files.test.stem != files.compare.stem:
        return files.test.stem, files.compare.stem if files.compare else ""
    return str(files.test), str(files.compare)


def results(
    audited: Audited, settings: AuditSettings, audit_path: Sequence[Path] = ()
) -> tuple[Results, RunFacts]:
    """Return the results of an audit, and the little that is known besides.

    Parameters
    ----------
    audited, settings : what is audited, and how
    audit_path : folders with audits of the user's own, which run beside those of tunefair

    Raises
    ------
    BadInputError
        As `audit.load_own`.
    """
    evidence = audited.evidence
    reference = evidence[1].strategy if len(evidence) > 1 else None
    lacking = NO_FILE_HAS if evidence[0].before else (*NO_FILE_HAS, "before")
    own = load_own(audit_path, lacking=lacking)
    audits = load_all(by_default(without=lacking)) | own
    computed = measure(evidence, settings, audits=audits, reference=reference)
    facts = RunFacts(
        suite=evidence[0].strategy,
        date=provenance.today(),
        strategies=tuple(StrategyFacts(label=e.strategy, use="predictions") for e in evidence),
        reference=reference or evidence[0].strategy,
        settings=settings,
        environment=provenance.environment(),
        commit=provenance.commit(),
        collapsed=collapsed.seeds(evidence),
        assumptions=audited.assumptions,
    )
    return computed, facts


def as_json(computed: Results, audited: Audited) -> dict[str, Any]:
    """Return the audited file's numbers under the keys that are the interface."""
    name = audited.evidence[0].strategy
    rows = [m for m in computed.measurements if m.strategy == name and m.seed is None]
    own = ("strategy", "seed")  # a file has neither
    return {
        "assumptions": audited.assumptions,
        "measurements": [{k: v for k, v in m._asdict().items() if k not in own} for m in rows],
        "contrasts": computed.contrasts,
        "definitions": {name: vars(metric) for name, metric in computed.definitions.items()},
        "left_out": computed.left_out,
    }


def intersections(texts: list[str], groups: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return attributes to be crossed, from "A×B" as written on the command line.

    Raises
    ------
    BadInputError
        Fewer than two, or one that is no `--group`.
    """
    crossed = []
    for text in texts:
        names = tuple(part.strip() for part in text.split("×"))
        if len(names) < 2 or not set(names) <= set(groups):  # noqa: PLR2004
            raise BadInputError(
                f"--intersections {text}: cross two or more of the --group columns, like A×B"
            )
        crossed.append(names)
    return tuple(crossed)
