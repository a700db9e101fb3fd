"""What an audit is: declared metrics, what it needs, and pure functions of predictions."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

from . import plugins
from .schema import BadInputError, CurvePointBand, Evidence, Metric, ParetoPoint, ReliabilityBin
from .statistics.estimates import Estimate
from .statistics.sample import Sample

PACKAGE = "tunefair.audits"
Need = Literal["hidden", "start", "views", "ledgers", "before", "seeds"]
"""What an audit may read besides predictions on the test and validation splits:

`hidden`, the vectors that the classification head reads; `start`, the answers before any
training; `views`, the answers on changed texts; `ledgers`, what each cell spent; `before`, the
answers of the model that a new one replaces; `seeds`, several seeds of a strategy.
"""


class Audit(ABC):
    """Base of every audit. It holds no state: the same evidence gives the same numbers."""

    metrics: ClassVar[Mapping[str, Metric]]
    """Every metric that `estimates` may yield, declared."""
    deviations: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Metric -> where it deviates from the libraries of the field, and why."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """What it reads besides predictions: a run that asks for this audit keeps that too."""
    on_by_default: ClassVar[bool] = False
    """Whether it runs where nobody chose audits and all that it needs is there."""
    section: ClassVar[str] = ""
    """The section of the page that shows its numbers; "": one of its own, with all of them."""

    @abstractmethod
    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield every number of one strategy, each with its bootstrap draws.

        What is undefined is NaN with a reason. All strategies share the draws of `sample`.
        """

    def reliability(self, evidence: Evidence, sample: Sample) -> Iterator[ReliabilityBin]:
        """Yield the points of one strategy's reliability diagrams: `Results.reliability`."""
        return iter(())

    def curves(self, evidence: Evidence, sample: Sample) -> Iterator[CurvePointBand]:
        """Yield the points of one strategy's curves, with their bands: `Results.curves`."""
        return iter(())

    def trade_off(self, evidence: Sequence[Evidence], sample: Sample) -> Iterator[ParetoPoint]:
        """Yield where each of all strategies stands: `Results.trade_off`."""
        return iter(())


def load(name: str, folders: Iterable[Path] = ()) -> Audit:
    """Return the audit that the file of that name defines.

    Raises
    ------
    BadInputError
        No such file, a file without exactly one audit, or one that breaks the contract.
    """
    kind = plugins.find(PACKAGE, name, Audit, folders)
    declared = getattr(kind, "metrics", None)
    if not isinstance(declared, Mapping) or not declared:
        raise BadInputError(f"audits/{name}.py: {kind.__name__} declares no `metrics`")
    for metric, meaning in declared.items():
        if not isinstance(meaning, Metric):
            raise BadInputError(f"audits/{name}.py: metrics[{metric!r}] is no schema.Metric")
    if strangers := sorted(set(kind.needs) - set(get_args(Need))):
        known = ", ".join(get_args(Need))
        raise BadInputError(f"audits/{name}.py: needs {strangers[0]!r}; there are: {known}")
    return kind()


def load_all(names: Iterable[str], folders: Iterable[Path] = ()) -> dict[str, Audit]:
    """Return the audits of those names, in their order; `load` says what is refused."""
    folders = list(folders)
    return {name: load(name, folders) for name in names}


def load_own(folders: Sequence[Path], *, lacking: Iterable[Need]) -> dict[str, Audit]:
    """Return every audit that the user's folders define, to run beside those of tunefair.

    Parameters
    ----------
    folders : each holds a file for each audit; files that begin with "_" are left out
    lacking : what the predictions to be audited cannot bring

    Raises
    ------
    BadInputError
        A folder without audits, an audit that needs what is lacking, or one that takes the name
        of an audit or a metric of tunefair: its numbers could be taken for ours.
    """
    audits: dict[str, Audit] = {}
    for folder in folders:
        files = sorted(folder.glob("[!_]*.py"))
        if not files:
            raise BadInputError(f"{folder} holds no audit: one Python file for each is expected")
        for file in files:
            if file.stem in plugins.names(PACKAGE):
                raise BadInputError(f"{file}: tunefair has an audit of that name; rename the file")
            own = audits[file.stem] = load(file.stem, [folder])
            for metric in own.metrics:
                if metric in declared():
                    raise BadInputError(f"{file}: tunefair has a metric {metric!r}; rename yours")
            if unmet := sorted(own.needs & set(lacking)):
                raise BadInputError(
                    f"{file} needs {unmet[0]!r}, which a file of predictions does not have; "
                    "move it out of the folder"
                )
    return audits


@cache
def shipped() -> Mapping[str, Audit]:
    """Return every audit that comes with tunefair."""
    return MappingProxyType(load_all(plugins.names(PACKAGE)))


def by_default(*, without: Iterable[Need] = ()) -> tuple[str, ...]:
    """Return the audits that run where nobody chose any and some needs cannot be met."""
    lacking = set(without)
    return tuple(
        name
        for name, audit in shipped().items()
        if audit.on_by_default and lacking.isdisjoint(audit.needs)
    )


@cache
def declared() -> Mapping[str, tuple[tuple[str, ...], Metric]]:
    """Return metric -> the shipped audits that measure it, and what it means."""
    table: dict[str, tuple[tuple[str, ...], Metric]] = {}
    for name, audit in shipped().items():
        for metric, meaning in audit.metrics.items():
            before = table[metric][0] if metric in table else ()
            table[metric] = (*before, name), meaning
    return MappingProxyType(table)
