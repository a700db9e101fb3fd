"""Group fairness: how the classifier treats each group, and how far groups are apart."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric
from ..statistics.binning import CALIBRATION_IN_THE_LARGE, POSITIVE_CALIBRATION_ERROR
from ..statistics.class_gaps import across_classes
from ..statistics.estimates import Estimate, Family, nothing
from ..statistics.gaps import GroupRate, between_groups
from ..statistics.group_areas import bias_score, group_areas
from ..statistics.group_rates import calibration_errors, counted_rates
from ..statistics.grouping import INTERSECTION, Grouping
from ..statistics.ranking import ROC_AUC
from ..statistics.rates import ACCURACY, RATES, keep_observed, ratio
from ..statistics.sample import BINARY, Sample
from ..statistics.scores import LOG_LOSS, NO_PROBABILITIES, log_loss, means

_HARDT = "Hardt, Price & Srebro (2016), NeurIPS"
_FAIRLEARN = "Agarwal et al. (2018), ICML; fairlearn"
_BORKAN = "Borkan et al. (2019), WWW"
_LEFT_OUT = "Groups without such examples are left out and named (fairlearn counts them as 0)."
_LUM = "Lum, Zhang & Bower (2022), FAccT, De-biasing bias measurement"
_GROUPS = (
    "Unlike a gap it does not grow with the number of groups, so that runs with other groups can "
    "be compared by its corrected value, which is without what sampling adds."
)
_WORST_CLASS = "C>2: one class against the rest, the worst class."
_TABLE: tuple[tuple[str, str, str, str], ...] = (
    ("n", "neither", "a count", "Examples of the group."),
    ("base_rate", "neither", "a share", "Share of positives."),
    ("selection_rate", "neither", _FAIRLEARN, "Share predicted positive."),
    ("true_positive_rate", "higher", _HARDT, "Share of positives predicted positive."),
    ("false_positive_rate", "lower", _HARDT, "Share of negatives predicted positive."),
    ("false_negative_rate", "lower", _HARDT, "Share of positives predicted negative."),
    (
        "precision",
        "higher",
        "Chouldechova (2017), Big Data",
        "Share of predicted positives that are.",
    ),
    ("bpsn_auc", "higher", _BORKAN, "Area of positives outside the group over its negatives."),
    ("bnsp_auc", "higher", _BORKAN, "Area of the group's positives over negatives outside it."),
    (
        "impact_ratio",
        "higher",
        "New York City Local Law 144 (2021); four-fifths rule, 29 CFR 1607.4",
        "Selection rate over the highest selection rate of any group; under 0.8 is flagged.",
    ),
    (
        "demographic_parity_difference",
        "lower",
        _FAIRLEARN,
        f"Highest minus lowest selection rate. {_WORST_CLASS}",
    ),
    (
        "demographic_parity_ratio",
        "higher",
        _FAIRLEARN,
        f"Lowest over highest selection rate; undefined where nobody is selected. {_WORST_CLASS}",
    ),
    (
        "equal_opportunity_difference",
        "lower",
        _HARDT,
        f"Highest minus lowest true positive rate. {_LEFT_OUT} {_WORST_CLASS}",
    ),
    (
        "equalized_odds_difference",
        "lower",
        _FAIRLEARN,
        f"The larger of the TPR and FPR ranges. {_LEFT_OUT} {_WORST_CLASS}",
    ),
    (
        "equalized_odds_ratio",
        "higher",
        _FAIRLEARN,
        f"The smaller of the TPR and FPR lowest over highest. {_LEFT_OUT} {_WORST_CLASS}",
    ),
    (
        "predictive_parity_difference",
        "lower",
        "Chouldechova (2017), Big Data",
        f"Highest minus lowest precision. {_LEFT_OUT} {_WORST_CLASS}",
    ),
    ("accuracy_difference", "lower", _FAIRLEARN, "Highest minus lowest accuracy."),
    (
        "demographic_parity_deviation",
        "lower",
        _LUM,
        f"Standard deviation between groups of the selection rate. {_GROUPS}",
    ),
    (
        "equalized_odds_deviation",
        "lower",
        _LUM,
        f"Root of the mean variance between groups of TPR and FPR. {_GROUPS}",
    ),
    (
        "accuracy_deviation",
        "lower",
        _LUM,
        f"Standard deviation between groups of the accuracy. {_GROUPS}",
    ),
    (
        "worst_group_accuracy",
        "higher",
        "Sagawa et al. (2020), ICLR",
        "Lowest accuracy of any group; the group is the one whose accuracy row is lowest.",
    ),
    (
        "worst_cell_accuracy",
        "higher",
        "Sagawa et al. (2020), ICLR",
        "Lowest accuracy of any (label × group) cell: group robustness papers' worst group.",
    ),
    (
        "calibration_difference",
        "lower",
        "Pleiss et al. (2017), NeurIPS",
        "Highest minus lowest positive_calibration_error; C>2: classwise_calibration_error.",
    ),
    (
        "bias_auc",
        "higher",
        f"{_BORKAN}; Jigsaw Unintended Bias competition (2019)",
        "Mean of the three areas' generalised means (power -5) over groups.",
    ),
    (
        "true_positive_rate_gap_rms",
        "lower",
        "De-Arteaga et al. (2019), FAT*",
        "C>2, two groups: root mean square over classes of the difference in true positive rate.",
    ),
    (
        "true_positive_rate_gap_correlation",
        "zero",
        "De-Arteaga et al. (2019), FAT*",
        "Correlation over classes of that difference with the first group's share in training.",
    ),
)
METRICS: dict[str, Metric] = {
    name: Metric(
        better=better,  # type: ignore[arg-type]  # the table's words are those of Metric
        low=-1 if name == "true_positive_rate_gap_correlation" else 0,
        high=np.inf if name == "n" else 1,
        reference=reference,
        definition=definition,
    )
    for name, better, reference, definition in _TABLE
} | {
    "accuracy": ACCURACY,
    "log_loss": LOG_LOSS,
    "roc_auc": ROC_AUC,
    "positive_calibration_error": POSITIVE_CALIBRATION_ERROR,
    "calibration_in_the_large": CALIBRATION_IN_THE_LARGE,
}
_ZERO = "fairlearn counts an undefined rate as 0, so a group without such examples makes a gap."
_MOMENTS = (
    "Lum et al. take the sampling variance off and set what is below 0 to 0; the corrected value "
    "is median-unbiased by inversion, as a gap's is (docs/uncertainty.md)."
)
_ABSENT = f"{_ZERO} A rate of nobody is no rate: the group is left out, and listed as left out."
DEVIATIONS = {
    "demographic_parity_deviation": _MOMENTS,
    "equalized_odds_deviation": _MOMENTS,
    "accuracy_deviation": _MOMENTS,
    "equal_opportunity_difference": _ABSENT,
    "equalized_odds_difference": _ABSENT,
    "equalized_odds_ratio": f"{_ABSENT} 0 / 0 is undefined.",
    "predictive_parity_difference": (
        "Not in fairlearn; scikit-learn's precision of a group where nobody is selected is 0. "
        "There it is undefined and the group is left out."
    ),
    "demographic_parity_difference": (
        "fairlearn accepts three classes silently and counts label 1 as selected; here each class "
        "is held against the rest and the worst one is the gap."
    ),
    "demographic_parity_ratio": "As the difference; undefined where no group is selected.",
    "worst_group_accuracy": "Groups under min_group_size are left out: 3 of 4 is no worst group.",
    "calibration_difference": (
        "Groups' errors are biased up, small groups' most; its interval allows for that."
    ),
    "bias_auc": (
        "The competition adds a quarter of the overall area; here it is the mean of the three "
        "generalised means alone, so that it speaks of groups only."
    ),
}
GAPS: tuple[tuple[str, Family, tuple[str, ...]], ...] = (
    ("demographic_parity_difference", "gap", ("selection_rate",)),
    ("demographic_parity_ratio", "ratio", ("selection_rate",)),
    ("equal_opportunity_difference", "gap", ("true_positive_rate",)),
    ("equalized_odds_difference", "gap", ("true_positive_rate", "false_positive_rate")),
    ("equalized_odds_ratio", "ratio", ("true_positive_rate", "false_positive_rate")),
    ("predictive_parity_difference", "gap", ("precision",)),
    ("accuracy_difference", "gap", ("accuracy",)),
    ("demographic_parity_deviation", "error", ("selection_rate",)),
    ("equalized_odds_deviation", "error", ("true_positive_rate", "false_positive_rate")),
    ("accuracy_deviation", "error", ("accuracy",)),
    ("worst_group_accuracy", "worst", ("accuracy",)),
    ("worst_cell_accuracy", "worst", ("cell_accuracy",)),
)
STATED = ("log_loss", "positive_calibration_error", "calibration_in_the_large", "roc_auc")
"""By-group metrics that need probabilities."""
NEED_PROBABILITIES = (*STATED, "bpsn_auc", "bnsp_auc", "calibration_difference", "bias_auc")


class GroupFairness(Audit):
    metrics = METRICS
    deviations = DEVIATIONS
    on_by_default = True
    section = "groups"

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield each attribute's group rates and gaps, then those of declared intersections."""
        probabilities = [p.probability for p in evidence.test if p.probability is not None]
        for grouping in sample.groupings:
            if not grouping.names:
                continue
            rates = counted_rates(sample, grouping, evidence.test)
            yield from _by_group(rates, grouping, sample)
            for metric, family, names in GAPS:
                yield between_groups(metric, family, [rates[name] for name in names], grouping)
            if not sample.binary:
                yield from across_classes(rates["true_positive_rate"], grouping, evidence)
            if not sample.settings.wants(*NEED_PROBABILITIES):
                continue
            if probabilities:
                yield from _stated(sample, grouping, probabilities)
            else:
                yield from _unstated(sample, grouping, len(evidence.test))


def _by_group(
    rates: dict[str, GroupRate], grouping: Grouping, sample: Sample
) -> Iterator[Estimate]:
    size = np.bincount(grouping.code, minlength=grouping.size)
    for group in range(len(grouping.names)):
        n = int(size[group])
        values = np.full((rates["accuracy"].values.shape[2], 1), float(n))
        count = rates["accuracy"].estimate(0, group, grouping)
        yield replace(count, metric="n", values=values, n=n, family="point")
        yield rates["accuracy"].estimate(0, group, grouping)
    for rate in (*(rates[name] for name in RATES), _impact_ratio(rates["selection_rate"])):
        for kind in range(len(rate.values)):
            for group in range(len(grouping.names)):
                yield _of_class(rate.estimate(kind, group, grouping), kind, sample.classes)


def _of_class(estimate: Estimate, kind: int, classes: tuple[str, ...]) -> Estimate:
    """Name a one-vs-rest rate's class: attribute "x × class", group "a × b"; binary: neither."""
    if len(classes) == BINARY:
        return estimate
    return replace(
        estimate,
        attribute=f"{estimate.attribute}{INTERSECTION}class",
        group=f"{estimate.group}{INTERSECTION}{classes[kind]}",
    )


def _impact_ratio(selection: GroupRate) -> GroupRate:
    highest = np.fmax.reduce(selection.values, axis=1, keepdims=True)
    return replace(
        selection,
        name="impact_ratio",
        values=keep_observed(
            ratio(selection.values, np.broadcast_to(highest, selection.values.shape))
        ),
        floor=None,
        family="mean",
        missing="no group is selected",
    )


def _stated(
    sample: Sample, grouping: Grouping, probabilities: Sequence[Array]
) -> Iterator[Estimate]:
    """Yield what needs probabilities."""
    losses = [means(sample, grouping, log_loss(p, sample.label)) for p in probabilities]
    size = np.bincount(grouping.code, minlength=grouping.size)[None, : len(grouping.names)]
    loss = GroupRate(name="log_loss", values=_by_seed(losses, grouping), n=size, family="mean")
    errors = calibration_errors(sample, grouping, probabilities)
    areas = group_areas(sample, grouping, probabilities)
    shown = [loss, *areas.values()]
    if sample.binary:
        excess = [means(sample, grouping, p[:, 1] - sample.label) for p in probabilities]
        values = _by_seed(excess, grouping)
        shown += [errors, replace(loss, name="calibration_in_the_large", values=values)]
    for rate in shown:
        for group in range(len(grouping.names)):
            yield rate.estimate(0, group, grouping)
    yield between_groups("calibration_difference", "gap", [errors], grouping)
    if len(areas) > 1:
        yield _bias_auc(list(areas.values()), grouping, sample.n)


def _by_seed(values: Sequence[Array], grouping: Grouping) -> Array:
    """Return (1, n_groups, n_seeds, 1 + replicates)."""
    return np.stack(values, axis=1)[None, : len(grouping.names)]


def _unstated(sample: Sample, grouping: Grouping, n_seeds: int) -> Iterator[Estimate]:
    shown = (*STATED, "bpsn_auc", "bnsp_auc") if sample.binary else ("log_loss", "roc_auc")
    gaps = ("calibration_difference", "bias_auc") if sample.binary else ("calibration_difference",)
    sizes = np.bincount(grouping.code, minlength=len(grouping.names))
    each = list(zip(grouping.names, map(int, sizes), strict=False))  # the last: in no group
    by_group = [(metric, name, n) for metric in shown for name, n in each]
    for metric, group, n in by_group + [(metric, "gap", sample.n) for metric in gaps]:
        yield Estimate(
            metric=metric,
            attribute=grouping.attribute,
            group=group,
            values=nothing(n_seeds),
            n=n,
            undefined=NO_PROBABILITIES,
        )


def _bias_auc(areas: list[GroupRate], grouping: Grouping, n: int) -> Estimate:
    floors = [area.floor[0] for area in areas if area.floor is not None]
    return Estimate(
        metric="bias_auc",
        attribute=grouping.attribute,
        group="gap",
        values=bias_score(np.concatenate([area.values for area in areas])),
        floor=bias_score(np.stack(floors)) if floors else None,
        n=n,
        undefined="an area is undefined in every group",
    )
