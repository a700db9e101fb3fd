"""A run's results: computed once, and again whenever its cells or our code changed."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import tunefair

from ..facts import Collapse, RunFacts
from ..schema import BadInputError, Results
from ..storage import examples, files, records, run_folder
from . import collapsed, measure

RESULTS = "results.json"


def measured(run: Path) -> tuple[Results, RunFacts]:
    """Return a run's results and facts, computed again only if its cells or our code changed."""
    facts = run_folder.read_facts(run)
    key = key_of(facts, examples.checksum(run))
    if (known := _known(run, key)) is not None:
        results, collapses = known
        return results, replace(facts, collapsed=collapses)
    evidence = run_folder.evidence(run, facts)
    if not evidence or facts.settings is None:
        return Results(measurements=()), facts
    labels = {e.strategy for e in evidence}
    declared = (facts.performance_metric, facts.gap_metric)
    results = measure.measure(
        evidence,
        replace(facts.settings, claims=declared),
        audits=facts.audits,
        reference=facts.reference if facts.reference in labels else None,
        pairs=[pair for pair in facts.pairs if labels.issuperset(pair)],
    )
    trained = [e for e in evidence if e.ledgers]  # a yardstick may answer all alike
    facts = replace(facts, collapsed=collapsed.seeds(trained))
    collapsed.write(run, facts.collapsed)
    _write(run, results, key)
    return results, facts


def _known(run: Path, key: str) -> tuple[Results, tuple[Collapse, ...]] | None:
    """Return what was computed from exactly this, if it is there and not damaged."""
    stamp = run / "results.key"
    written = all((run / name).is_file() for name in (RESULTS, collapsed.FILE))
    if written and stamp.is_file() and stamp.read_bytes().strip() == key.encode():
        with suppress(BadInputError), records.damage_named(run):  # it is computed again
            return records.read_results(run / RESULTS), collapsed.read(run)
    return None


def _write(run: Path, computed: Results, key: str) -> None:
    """Write results whole, and the flat list of measurements that outside checks read."""
    files.write(run / RESULTS, records.results_json(computed))
    rows = [m._asdict() for m in computed.measurements]
    files.write(run / "measurements.json", files.to_json(rows))
    files.write(run / "results.key", key + "\n")


def key_of(facts: RunFacts, known: str = "") -> str:
    """Return a hash of all that results depend on: code, facts without the date, and examples.

    `known` is the checksum of what the run knows of its examples.
    """
    code = sorted(Path(tunefair.__file__).parent.rglob("*.py"))
    parts = [known.encode(), run_folder.facts_json(replace(facts, date=""))]
    parts += [path.read_bytes() for path in code]
    return hashlib.sha256(b"\0".join(hashlib.sha256(p).digest() for p in parts)).hexdigest()
