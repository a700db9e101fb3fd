"""Which seeds of which strategies collapsed: what a report says before anything else."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..facts import Collapse
from ..schema import Evidence
from ..statistics.collapse import collapsed
from ..storage import files

FILE = "collapsed.json"


def seeds(evidence: Iterable[Evidence]) -> tuple[Collapse, ...]:
    """Return the seeds whose model gives nearly every test example the same answer."""
    return tuple(_seeds(evidence))


def _seeds(evidence: Iterable[Evidence]) -> Iterator[Collapse]:
    for one in evidence:
        for seed, predictions in zip(one.seeds, one.test, strict=True):
            if (what := collapsed(predictions)) is not None:
                yield Collapse(one.strategy, seed, what.answer, what.share)


def write(run: Path, collapses: Iterable[Collapse]) -> None:
    """Write them beside a run's results."""
    files.write(run / FILE, files.to_json([c._asdict() for c in collapses]))


def read(run: Path) -> tuple[Collapse, ...]:
    """Read them back."""
    return tuple(Collapse(**row) for row in files.read_json(run / FILE))
