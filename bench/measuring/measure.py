"""Run the audits on what strategies left behind: evidence in, results out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..audit import Audit, load_all
from ..schema import (
    AuditSettings,
    BadInputError,
    Evidence,
    LeftOut,
    Measurement,
    Metric,
    Place,
    Results,
)
from ..statistics.estimates import Estimate
from ..statistics.intervals import interval, interval_of
from ..statistics.moderation import Prior
from ..statistics.sample import Sample
from ..statistics.summary import Summary, summary
from .contrasts import (
    PairedDifference,
    Side,
    contrasts,
    differences,
    shared_variances,
    side,
)


def measure(
    evidence: Sequence[Evidence],
    settings: AuditSettings,
    *,
    audits: Sequence[str] | Mapping[str, Audit],
    reference: str | None = None,
    pairs: Sequence[tuple[str, str]] = (),
) -> Results:
    """Return every measurement, contrast, definition and diagram point of the audits named.

    Strategies on the same examples share all draws. Where their examples differ, each is measured
    on its own and compared on the examples that both have.

    Parameters
    ----------
    evidence
        What each strategy left behind; examples may come in any order.
    settings
        The same for every strategy.
    audits
        Names of plug-ins in `bench/audits`, or audits by name.
    reference
        The strategy that every other one is compared with; None: only `pairs` are.
    pairs
        Further (strategy, reference) comparisons.

    Raises
    ------
    BadInputError
        An audit or strategy is not known, no example is shared, or labels differ.
    """
    loaded = audits if isinstance(audits, Mapping) else load_all(audits)
    ordered = {e.strategy: _in_id_order(e) for e in evidence}
    compared = _compared(ordered, reference, pairs)
    definitions = {n: metric for a in loaded.values() for n, metric in a.metrics.items()}
    studies = [_Study(members, settings, loaded) for members in _alike(list(ordered.values()))]
    return Results(
        measurements=tuple(row for study in studies for row in study.rows),
        contrasts=contrasts(
            [
                (*pair, _compare(studies, [ordered[s] for s in pair], definitions))
                for pair in compared
            ],
            settings.claims,
        ),
        definitions=definitions,
        clusters=max(study.sample.number_of_clusters for study in studies),
        left_out=tuple(dict.fromkeys(out for study in studies for out in study.left_out)),
        reliability=tuple(
            point
            for study in studies
            for e in study.evidence
            for audit in loaded.values()
            for point in audit.reliability(e, study.sample)
        ),
        curves=tuple(
            point
            for study in studies
            for e in study.evidence
            for audit in loaded.values()
            for point in audit.curves(e, study.sample)
        ),
        trade_off=tuple(
            point
            for study in studies
            for audit in loaded.values()
            for point in audit.trade_off(study.evidence, study.sample)
        ),
    )


def paired_differences(
    run: Evidence, baseline: Evidence, settings: AuditSettings, *, audits: Sequence[str]
) -> dict[Place, PairedDifference]:
    """Return run − baseline of every comparable metric, on the examples that both have.

    Seeds of a run and of its baseline are independent training runs: examples are paired, seeds
    are not.

    Raises
    ------
    BadInputError
        As `measure`.
    """
    loaded = load_all(audits)
    definitions = {n: metric for a in loaded.values() for n, metric in a.metrics.items()}
    both = [replace(run, strategy="run"), replace(baseline, strategy="baseline")]
    study = _Study(_shared([_in_id_order(e) for e in both]), settings, loaded)
    first, second = study.sides["run"], study.sides["baseline"]
    return differences(first, second, definitions, matched=False, shared=study.shared)


class _Study:
    """Strategies on the same examples: one sample, so the same draws for all."""

    def __init__(
        self,
        evidence: Sequence[Evidence],
        settings: AuditSettings,
        audits: Mapping[str, Audit],
    ) -> None:
        self.evidence, self.audits = evidence, audits
        self.sample = Sample(evidence, settings)
        self.rows: list[Measurement] = []
        self.sides: dict[str, dict[Place, Side]] = {}
        self.left_out: list[LeftOut] = list(self.sample.left_out)
        self._waiting: list[tuple[int, Summary, Metric]] = []
        for e in evidence:
            self._audit(e)
        self.shared: dict[Place, Prior] = shared_variances(self.sides.values())
        """Of each number, what the strategies' variances between seeds have in common."""
        for index, waiting, metric in self._waiting:
            row = self.rows[index]
            made = interval_of(waiting, (metric.low, metric.high), self.shared.get(row.place))
            self.rows[index] = row._replace(**made._asdict())

    def _audit(self, evidence: Evidence) -> None:
        """Make the rows of one strategy; two audits that measure one number give one row."""
        sides: dict[Place, Side] = {}
        for name, audit in self.audits.items():
            for estimate in self.sample.resting(audit.estimates(evidence, self.sample)):
                if estimate.place in sides:
                    continue
                sides[estimate.place] = side(
                    estimate, evidence.seeds, trained_once=_trained_once(evidence, estimate)
                )
                self.left_out += self._missing(estimate)
                metric = audit.metrics[estimate.metric]
                if _has_interval(estimate):
                    self._waiting.append((len(self.rows), summary(estimate), metric))
                self.rows += [
                    row._replace(audit=name, strategy=evidence.strategy)
                    for row in _rows(estimate, metric, evidence.seeds)
                ]
        self.sides[evidence.strategy] = sides

    def _missing(self, estimate: Estimate) -> Iterator[LeftOut]:
        for grouping in self.sample.groupings:
            if grouping.attribute == estimate.attribute:
                for name, reason in estimate.missing:
                    n = len(grouping.rows(grouping.names.index(name)))
                    reason = f"{reason}: left out of {estimate.metric}"
                    yield LeftOut(estimate.attribute, name, n, reason)


def _trained_once(evidence: Evidence, estimate: Estimate) -> bool:
    """Whether nothing is known of how training again would change a number.

    Two seeds disagree once: another two may disagree less or more.
    """
    pair = estimate.joint and len(evidence.seeds) == 2 and bool(evidence.ledgers)  # noqa: PLR2004
    return evidence.trained_once or pair


def _has_interval(estimate: Estimate) -> bool:
    return estimate.family != "point" and bool(np.isfinite(estimate.theta).all())


def _rows(estimate: Estimate, metric: Metric, seeds: Sequence[int]) -> Iterator[Measurement]:
    """Yield the row of the mean over seeds, whose interval is still open, then one a seed."""
    yield _row(estimate, metric)
    for index, seed in enumerate(() if estimate.joint else seeds):
        of_seed = estimate.of_seed(index)
        made = interval(of_seed, (metric.low, metric.high))
        yield _row(of_seed, metric)._replace(seed=seed, **made._asdict())


def _row(estimate: Estimate, metric: Metric) -> Measurement:
    known = bool(np.isfinite(estimate.theta).all())
    tail = 0.05 if metric.sign < 0 else 0.95  # the end that looks like a disparity
    floor = None if estimate.floor is None or not known else estimate.floor.mean(axis=0)
    return Measurement(
        audit="",
        **estimate.place._asdict(),
        value=float(estimate.theta.mean()) if known else float("nan"),
        n=estimate.n,
        floor_mean=None if floor is None else float(floor.mean()),
        floor_p95=None if floor is None else float(np.quantile(floor, tail)),
        undefined="" if known else estimate.undefined,
    )


def _in_id_order(evidence: Evidence) -> Evidence:
    """Return the same evidence with examples sorted by id, so that row order never matters."""
    ids = evidence.test[0].example_id
    if (ids[1:] > ids[:-1]).all():
        return evidence
    order = np.argsort(ids)
    return replace(evidence, test=tuple(p.take(order) for p in evidence.test))


def _alike(evidence: Sequence[Evidence]) -> list[Sequence[Evidence]]:
    """Return the strategies together where all have the same examples, else one by one."""
    first = evidence[0].test[0].example_id
    if all(np.array_equal(first, e.test[0].example_id) for e in evidence):
        return [evidence]
    return [[e] for e in evidence]


def _shared(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return two strategies restricted to the examples that both have."""
    first, second = (e.test[0].example_id for e in evidence)
    if np.array_equal(first, second):
        return list(evidence)
    _, *rows = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    if len(rows[0]) == 0:
        names = " and ".join(e.strategy for e in evidence)
        raise BadInputError(f"{names} share no example id; they need some to be compared on")
    return [
        replace(e, test=tuple(p.take(r) for p in e.test))
        for e, r in zip(evidence, rows, strict=True)
    ]


def _compared(
    known: Mapping[str, Evidence], reference: str | None, pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the (strategy, reference) comparisons, each once."""
    missing = [s for s in ([reference] if reference else []) + [*sum(pairs, ())] if s not in known]
    if missing:
        raise BadInputError(
            f"no strategy {missing[0]!r} to compare; there are: {', '.join(known)}"
        )
    against = [(s, reference) for s in known if s != reference] if reference else []
    return list(dict.fromkeys([*against, *pairs]))


def _compare(
    studies: Sequence[_Study], pair: Sequence[Evidence], definitions: Mapping[str, Metric]
) -> dict[Place, PairedDifference]:
    """Return first − second, measured again if they were not on the same examples."""
    names = [e.strategy for e in pair]
    study = next((s for s in studies if all(name in s.sides for name in names)), None)
    if study is None:
        study = _Study(_shared(pair), studies[0].sample.settings, studies[0].audits)
    first, second = (study.sides[name] for name in names)
    return differences(first, second, definitions, shared=study.shared)
