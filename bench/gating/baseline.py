"""Baselines: what a gate compares with, in a small folder that is fit to commit.

It keeps predictions, so that comparisons are paired; measurements and the suite, for people; the
versions of metrics and the reasons why anything worse was accepted.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..facts import RunFacts
from ..schema import BadInputError, Measurement
from ..storage import baseline_table, files, run_folder
from .snapshot import Snapshot

FORMAT = 1
"""Version of the folder's layout."""
RECORD = "baseline.json"
PREDICTIONS = "predictions.parquet"
_RENEW = "make it again with `tunefair baseline RUN --out FOLDER`"
_facts = TypeAdapter(RunFacts)


class NotComparableError(Exception):
    """Two sides that no test could compare; printed as one line, exit code 4."""


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """Why a baseline took the place of another that was better."""

    reason: str
    commit: str
    worse: tuple[str, ...]
    """What got worse, in words."""


_versions = TypeAdapter(dict[str, int])
_renewals = TypeAdapter(tuple[Renewal, ...])
_origin = TypeAdapter(dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline's folder, read."""

    snapshot: Snapshot
    renewals: tuple[Renewal, ...] = ()
    origin: Mapping[str, float] = field(default_factory=dict)
    """Number -> its value when a reason was last given: small losses must not add up unseen."""


def write(folder: Path, baseline: Baseline, measurements: Sequence[Measurement]) -> None:
    """Write a baseline; one that stands there is replaced whole."""

    def fill(draft: Path) -> None:
        facts = baseline.snapshot.facts
        bare = tuple(replace(cell, curve=()) for cell in facts.cells)
        files.write(draft / run_folder.FACTS, run_folder.facts_json(replace(facts, cells=bare)))
        files.write(draft / "suite.toml", facts.suite_toml)
        baseline_table.write(draft / PREDICTIONS, baseline.snapshot.evidence)
        files.write(draft / "measurements.json", _rows(measurements))
        files.write(draft / RECORD, files.to_json(_record(baseline)))

    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    files.write_sealed(fresh, fill)
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():  # a write was killed between the two renames
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _record(baseline: Baseline) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "versions": dict(baseline.snapshot.versions),
        "renewals": [vars(renewal) for renewal in baseline.renewals],
        "origin": dict(baseline.origin),
    }


def _rows(measurements: Sequence[Measurement]) -> str:
    """Return means over seeds as JSON, one row a line: a change reads well in a diff.

    Six digits; what is empty or not known is left out.
    """
    rows = [
        {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in m._asdict().items()}
        for m in measurements
        if m.seed is None
    ]
    known = [{k: v for k, v in row.items() if v not in {None, ""}} for row in rows]
    lines = [" ".join(files.to_json(row).split()) for row in known]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def read(folder: Path) -> Baseline:
    """Read a baseline.

    Raises
    ------
    BadInputError
        It is missing or empty, or a file in it is not as it was written.
    NotComparableError
        It was written in another version's layout.
    """
    record = folder / RECORD
    if not record.is_file():
        raise BadInputError(f"{folder}: no {RECORD}, so no baseline; {_RENEW}")
    table = files.read_json(record)
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        version = table.get("format") if isinstance(table, dict) else None
        raise NotComparableError(
            f"{folder}: a baseline of format {version!r:.40}, this version reads {FORMAT}; "
            f"{_RENEW}"
        )
    if not files.is_sealed(folder):
        raise BadInputError(
            f"{folder}: not as it was written (its files do not match {files.SEAL}); "
            f"restore it from version control, or delete it and {_RENEW}"
        )
    try:
        return _read(folder, table)
    except BadInputError:
        raise
    except Exception as error:  # a folder of somebody else's may hold anything
        raise BadInputError(f"{folder}: not a baseline ({type(error).__name__})") from None


def _read(folder: Path, table: Mapping[str, Any]) -> Baseline:
    facts = _facts.validate_json((folder / run_folder.FACTS).read_bytes())
    evidence = baseline_table.read(folder / PREDICTIONS, facts)
    if not evidence:
        raise BadInputError(f"{folder}: holds no predictions; {_RENEW}")
    versions = _versions.validate_python(table["versions"])
    return Baseline(
        snapshot=Snapshot(facts=facts, evidence=evidence, versions=versions),
        renewals=_renewals.validate_python(table["renewals"]),
        origin=_origin.validate_python(table["origin"]),
    )
