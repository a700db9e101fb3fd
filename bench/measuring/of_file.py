"""Audit predictions that we did not make: a file becomes evidence, evidence becomes results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..audit import Need, by_default, load_all, load_own
from ..environment import provenance
from ..facts import RunFacts, StrategyFacts
from ..reading import foreign
from ..schema import AuditSettings, BadInputError, Evidence, Results
from . import collapsed
from .measure import measure

NO_FILE_HAS: tuple[Need, ...] = ("hidden", "start", "views", "ledgers")
"""What a file of predictions cannot bring: audits that need it do not run."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is audited: a file of predictions, and what goes with it."""

    test: Path
    validation: Path | None = None
    """Predictions that a temperature is fitted on."""
    compare: Path | None = None
    """Another model's predictions on the same ids."""


def evidence(files: Files, columns: foreign.Columns) -> list[Evidence]:
    """Read every file into evidence; the audited one comes first.

    Raises
    ------
    BadInputError
        A file cannot be read as predictions, or `--compare` shares no id with it.
    """
    test = foreign.read(files.test, columns)
    validation = [
        foreign.read(path, columns, classes=test.classes) for path in [files.validation] if path
    ]
    name, other_name = _labels(files)
    found = [Evidence(strategy=name, seeds=(0,), test=(test,), validation=tuple(validation))]
    if files.compare:
        other = foreign.read(files.compare, columns, classes=test.classes)
        foreign.pair(test, other, names=(str(files.test), str(files.compare)))
        found[0] = replace(found[0], before=(other,))
        found.append(Evidence(strategy=other_name, seeds=(0,), test=(other,)))
    return found


def _labels(files: Files) -> tuple[str, str]:
    """Return what the two models are called: the files' stems, or the paths where those agree."""
    if files.compare is None or files.test.stem != files.compare.stem:
        return files.test.stem, files.compare.stem if files.compare else ""
    return str(files.test), str(files.compare)


def results(
    found: list[Evidence], settings: AuditSettings, audit_path: Sequence[Path] = ()
) -> tuple[Results, RunFacts]:
    """Return the results of an audit, and the little that is known besides.

    Parameters
    ----------
    found, settings : what is audited, and how
    audit_path : folders with audits of the user's own, which run beside those of tunefair

    Raises
    ------
    BadInputError
        As `audit.load_own`.
    """
    reference = found[1].strategy if len(found) > 1 else None
    lacking = NO_FILE_HAS if found[0].before else (*NO_FILE_HAS, "before")
    own = load_own(audit_path, lacking=lacking)
    audits = load_all(by_default(without=lacking)) | own
    computed = measure(found, settings, audits=audits, reference=reference)
    facts = RunFacts(
        suite=found[0].strategy,
        date=provenance.today(),
        strategies=tuple(StrategyFacts(label=e.strategy, use="predictions") for e in found),
        reference=reference or found[0].strategy,
        settings=settings,
        environment=provenance.environment(),
        commit=provenance.commit(),
        collapsed=collapsed.seeds(found),
    )
    return computed, facts


def as_json(computed: Results, name: str) -> dict[str, Any]:
    """Return the audited file's numbers under the keys that are the interface."""
    rows = [m for m in computed.measurements if m.strategy == name and m.seed is None]
    own = ("strategy", "seed")  # a file has neither
    return {
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
