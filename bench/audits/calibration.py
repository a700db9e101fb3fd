"""Calibration: whether a stated probability means what it says, overall and in every group."""

from collections.abc import Iterator

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric, ReliabilityBin
from ..statistics.binning import BINS, CALIBRATION_IN_THE_LARGE, POSITIVE_CALIBRATION_ERROR
from ..statistics.calibration import BINARY_METRICS, diagram, measured, sampling_biases
from ..statistics.estimates import Estimate, Family, nothing
from ..statistics.reliability import reliability_bins
from ..statistics.sample import Sample
from ..statistics.scores import NO_PROBABILITIES
from ..statistics.temperature import fit, scaled

_CONFIDENCE = "c = max p, right = the most probable class is the label"
METRICS = {
    "expected_calibration_error": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Guo et al. (2017), ICML",
        definition=(
            f"Top-label: sum over {BINS} equal-width bins (lo, hi] of the bin's share times "
            f"|mean c - share right|; {_CONFIDENCE}, whatever a strategy revised."
        ),
    ),
    "adaptive_calibration_error": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Nguyen & O'Connor (2015), EMNLP",
        definition=f"The same with {BINS} bins of equal count; equal c stay in one bin.",
    ),
    "positive_calibration_error": POSITIVE_CALIBRATION_ERROR,
    "classwise_calibration_error": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Kull et al. (2019), NeurIPS",
        definition=f"C>2: mean over classes of the one-vs-rest error in {BINS} equal-width bins.",
    ),
    "debiased_calibration_error": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Kumar, Liang & Ma (2019), NeurIPS",
        definition=(
            f"Top-label: root of the debiased squared error in {BINS} bins of equal count, "
            "clipped at 0; bins of one example add nothing."
        ),
    ),
    "smooth_calibration_error": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Błasiok & Nakkiran (2024), ICLR (smECE)",
        definition=(
            "Binary p1, C>2 top-label: residuals smoothed by a reflected Gaussian whose width "
            "equals the error; probabilities rounded to 1/256."
        ),
    ),
    "brier_score": Metric(
        better="lower",
        low=0,
        high=2,
        reference="Brier (1950), Monthly Weather Review",
        definition=(
            "Binary: mean (p1 - y)^2, 0 to 1 (scale_by_half=True); C>2: mean of the sum over "
            "classes, 0 to 2 (scale_by_half=False)."
        ),
    ),
    "brier_reliability": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Murphy (1973), Journal of Applied Meteorology",
        definition=f"Binary: mean over {BINS} equal-width bins of p1 of (mean p1 - observed)^2.",
    ),
    "brier_resolution": Metric(
        better="higher",
        low=0,
        high=0.25,
        reference="Murphy (1973), Journal of Applied Meteorology",
        definition="Binary: mean over the same bins of (observed - base rate)^2.",
    ),
    "brier_uncertainty": Metric(
        better="neither",
        low=0,
        high=0.25,
        reference="Murphy (1973), Journal of Applied Meteorology",
        definition="Binary: base rate times (1 - base rate); a fact of the data.",
    ),
    "calibration_in_the_large": CALIBRATION_IN_THE_LARGE,
    "temperature": Metric(
        better="neither",
        low=0,
        high=np.inf,
        reference="Guo et al. (2017), ICML",
        definition="T that minimises validation log loss of softmax(log p / T); above 1 softens.",
    ),
}
DEVIATIONS = {
    "expected_calibration_error": (
        "torchmetrics bins [lo, hi) and computes in single precision; Guo et al.'s bins are "
        "(lo, hi], ours too. The numbers differ only where a probability is a bin's edge."
    ),
    "smooth_calibration_error": (
        "The paper's own code is under a licence that is not open source, so this is written from "
        "the paper; probabilities are rounded to 1/256, which moves the error by at most 1/512."
    ),
    "brier_score": (
        "scikit-learn's default scales by half for two classes only, and so do we: a binary score "
        "of 0.25 is a coin's, a multi-class one may reach 2."
    ),
    "temperature": (
        "scikit-learn's temperature calibration has the same probabilities, but its beta_ is not "
        "1/T for a binary task; this is T. Searched in 0.05 to 20."
    ),
}
FAMILY: dict[str, Family] = {
    "brier_score": "mean",
    "brier_uncertainty": "mean",
    "calibration_in_the_large": "mean",
}


class Calibration(Audit):
    metrics = METRICS
    deviations = DEVIATIONS
    on_by_default = True
    section = "calibration"

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield every metric, whole set and by group, before and after temperature scaling."""
        temperature = _temperature(evidence)
        yield temperature
        if evidence.test[0].probability is None:
            other = ("classwise_calibration_error",) if sample.binary else BINARY_METRICS
            for metric in (m for m in METRICS if m not in other and m != "temperature"):
                values = nothing(len(evidence.test))
                yield Estimate(
                    metric=metric, values=values, n=sample.n, undefined=NO_PROBABILITIES
                )
        for posthoc, probabilities in _stated(evidence, temperature).items():
            for grouping in (sample.everyone, *sample.groupings):
                by_seed = [measured(sample, grouping, p) for p in probabilities]
                by_seed_bias = [sampling_biases(sample, grouping, p) for p in probabilities]
                for metric in by_seed[0]:  # those that somebody will read
                    values = np.stack([seed[metric] for seed in by_seed], axis=1)
                    added = [seed[metric] for seed in by_seed_bias if metric in seed]
                    for index, name in enumerate(grouping.names):
                        yield Estimate(
                            metric=metric,
                            attribute=grouping.attribute,
                            group=name,
                            posthoc=posthoc,
                            values=values[index],
                            n=len(grouping.rows(index)),
                            family=FAMILY.get(metric, "error"),
                            sampling_bias=np.array(added)[:, index] if added else None,
                        )

    def reliability(self, evidence: Evidence, sample: Sample) -> Iterator[ReliabilityBin]:
        """Yield the points of the reliability diagrams, whole set and by group."""
        for posthoc, probabilities in _stated(evidence, _temperature(evidence)).items():
            diagrams = [diagram(sample, p) for p in probabilities]
            for grouping in (sample.everyone, *sample.groupings):
                for point in reliability_bins(sample, grouping, diagrams):
                    yield point._replace(strategy=evidence.strategy, posthoc=posthoc)


def _temperature(evidence: Evidence) -> Estimate:
    if any(v.probability is None for v in evidence.validation):
        return _unfitted(evidence, NO_PROBABILITIES)
    if len(evidence.validation) != len(evidence.test):
        return _unfitted(evidence, "no validation predictions of every seed")
    values = np.array([fit(v) for v in evidence.validation])[:, None]
    n = len(evidence.validation[0].label)
    return Estimate(metric="temperature", values=values, n=n, family="point")


def _unfitted(evidence: Evidence, reason: str) -> Estimate:
    values = nothing(len(evidence.test))
    return Estimate(metric="temperature", values=values, n=0, family="point", undefined=reason)


def _stated(evidence: Evidence, temperature: Estimate) -> dict[str, list[Array]]:
    """Return posthoc -> the probabilities (n, n_classes) of each seed."""
    before = [p.probability for p in evidence.test if p.probability is not None]
    stated = {"": before} if before else {}
    if before and not temperature.undefined:
        both = zip(before, temperature.theta, strict=True)
        stated["temperature"] = [scaled(p, t) for p, t in both]
    return stated
