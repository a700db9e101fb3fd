"""Fold: write a revision of predictions into the classification head, where the head can hold it.

No strategy says whether it can be folded; it is found by asking. `revise` is called on hidden
vectors of our own choice, and what it makes of them is read off: if the log-probabilities it
returns are an affine function of the hidden vector, the same for every group, and the decision is
the most probable class, then that function is a head. A temperature is (W/T, b/T); an erasure and
a refitted head are another matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from ..schema import Array, Predictions
from ..training.second_stage import UNKNOWN

Revise = Callable[[Predictions], Predictions]
_SAME = 2e-6
"""Probabilities that differ by no more are the same: a strategy may compute in fp32."""
_MOST_LOGIT = 6.0
"""Centred log-probabilities beyond it lose digits; probes are drawn closer together."""
_SCALES = (1.0, 0.3, 0.1, 0.03)


class Head(NamedTuple):
    """A linear classification head, in float64."""

    weight: Array  # (n_classes, hidden_size)
    bias: Array  # (n_classes,)

    def logits(self, hidden: Array) -> Array:
        """Return (n, n_classes)."""
        return np.asarray(hidden.astype(np.float64) @ self.weight.T + self.bias)


@dataclass(frozen=True)
class UnfoldableError(Exception):
    """A head cannot hold the revision, and why in words that end a sentence."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A revision to be asked, with what its answers are read against."""

    revise: Revise
    head: Head
    """Of the model before the revision."""
    validation: Predictions
    """Answers of that model; their hidden vectors say where to ask, if they are there."""
    attribute: str
    """The group attribute that the revision may read; "" for none."""


def folded(asked: Asked, *, biased: bool = True) -> Head:
    """Return the head that gives the revised probabilities.

    Parameters
    ----------
    biased : whether the model's head has a bias

    Raises
    ------
    UnfoldableError
        No head does.
    """
    centre, spread = _region(asked)
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((4 * (len(centre) + 1), len(centre)))
    for scale in _SCALES:
        offset = (scale * directions).astype(np.float32).astype(np.float64)
        target = _centred(_answers(asked, centre + offset * spread))
        if np.abs(target).max() <= _MOST_LOGIT:
            break
    design = np.column_stack([offset, np.ones(len(offset))])
    found = np.linalg.lstsq(design, target, rcond=None)[0].T  # (n_classes, hidden_size + 1)
    weight = found[:, :-1] / spread
    head = _simplest(Head(weight, found[:, -1] - weight @ centre), asked.head)
    if not biased and np.abs(head.bias).max() > _SAME:
        raise UnfoldableError("this architecture's head has no bias, and the revision needs one")
    _check(asked, head, centre + directions * spread)
    return head


def _region(asked: Asked) -> tuple[Array, Array]:
    """Return where hidden vectors lie, (hidden_size,), and how far apart they are."""
    if (hidden := asked.validation.hidden) is not None:
        values = hidden.astype(np.float64)
        spread = values.std(axis=0)
        return values.mean(axis=0), np.maximum(spread, 1e-3 * spread.mean() + 1e-12)
    width = asked.head.weight.shape[1]
    size = np.linalg.norm(asked.head.weight, axis=1).mean() or 1.0
    return np.zeros(width), np.full(width, 1 / size)


def _answers(asked: Asked, hidden: Array) -> Array:
    """Return the revised probabilities (m, n_classes) of hidden vectors, whatever their group."""
    groups: list[str] = [""]
    if asked.attribute:
        groups = np.unique(asked.validation.groups[asked.attribute]).tolist()
    answers = [asked.revise(_probe(asked, hidden, group)) for group in groups]
    first = np.asarray(answers[0].probability)
    for other in answers:
        probability = np.asarray(other.probability)
        if not np.array_equal(other.prediction, probability.argmax(axis=1)):
            raise UnfoldableError("its decisions are not the most probable classes")
        if np.abs(probability - first).max() > _SAME:
            raise UnfoldableError(f"it reads the {asked.attribute} of every text")
    if first.min() <= 0:
        raise UnfoldableError("it gives a class no probability at all")
    return first


def _probe(asked: Asked, hidden: Array, group: str) -> Predictions:
    """Return what the model would have answered had it seen these hidden vectors."""
    logits = asked.head.logits(hidden)
    probability = softmax(logits, axis=1)
    n = len(hidden)
    return Predictions(
        example_id=np.array([f"probe{i}" for i in range(n)]),
        label=np.full(n, UNKNOWN),
        groups={asked.attribute: np.full(n, group)} if asked.attribute else {},
        prediction=probability.argmax(axis=1),
        probability=probability,
        classes=asked.validation.classes,
        hidden=hidden.astype(np.float32),
    )


def _simplest(found: Head, before: Head) -> Head:
    """Return the head before the revision times one number, if that is what was found.

    A softmax does not see what all rows of a head share, so heads are compared without it.
    """
    old, new = (
        np.column_stack([h.weight - h.weight.mean(axis=0), h.bias - h.bias.mean()])
        for h in (before, found)
    )
    factor = float((old * new).sum() / max((old * old).sum(), 1e-300))
    if np.abs(new - factor * old).max() > _SAME * np.abs(new).max():
        return found
    return Head(before.weight * factor, before.bias * factor)


def _check(asked: Asked, head: Head, hidden: Array) -> None:
    """Refuse a head whose answers are not the revised ones where the data lie."""
    hidden = hidden.astype(np.float32).astype(np.float64)
    if (real := asked.validation.hidden) is not None:
        hidden = np.concatenate([hidden, real.astype(np.float64)])
    missed = np.abs(softmax(head.logits(hidden), axis=1) - _answers(asked, hidden)).max()
    if missed > _SAME:
        raise UnfoldableError(
            f"it is no linear function of the hidden vector (probabilities differ by {missed:.2g})"
        )


def _centred(probability: Array) -> Array:
    logits = np.log(probability)
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))
