"""Synthetic models whose true quality is known: what the gate's error rates are measured on.

An example's score has a mean by label and group, a part that all models share (hard examples are
hard for everybody), a part of each training seed, and shifts of each seed. The log-odds stated are
the true ones, so a model is calibrated unless it is made not to be.
"""

from dataclasses import dataclass, replace

import numpy as np

from tunefair.schema import Evidence, Predictions

GROUPS = ("black", "female", "jews", "lgbtq", "muslims")
SHARE = (0.23, 0.26, 0.18, 0.17, 0.16)
HARD, OWN = 0.8, 0.6
"""Spread of what all models share in a score, and of what each seed has to itself."""
SEED_SHIFT, SEED_GROUP_SHIFT = 0.04, 0.08


@dataclass(frozen=True)
class Examples:
    """A test set, drawn once for all models."""

    label: np.ndarray
    group: np.ndarray  # index into GROUPS
    hard: np.ndarray


@dataclass(frozen=True)
class Quality:
    """What a strategy is like, whatever its seed."""

    signal: float = 0.75
    """Mean score of a positive, and of a negative below zero: accuracy is its normal cdf."""
    bias: tuple[float, ...] = (0.3, -0.2, 0.0, 0.1, -0.1)
    """Added to the scores of each group: what makes rates unequal."""
    missed: tuple[float, ...] = (0.0,) * 5
    """Taken from the scores of each group's positives: lowers that group's TPR alone."""
    sharpness: float = 1.0
    """Factor on the log-odds stated: above 1 is overconfident; no prediction changes."""


USUAL = Quality()


def examples(n: int, rng: np.random.Generator) -> Examples:
    """Draw a test set."""
    group = rng.choice(len(GROUPS), n, p=SHARE)
    label = (rng.random(n) < 0.5).astype(np.int64)
    return Examples(label, group, HARD * rng.standard_normal(n))


def predict(test: Examples, quality: Quality, rng: np.random.Generator) -> Predictions:
    """Return what one training seed of a strategy predicts."""
    n = len(test.label)
    sign = 2 * test.label - 1
    score = sign * quality.signal + np.array(quality.bias)[test.group] + test.hard
    score = score - np.array(quality.missed)[test.group] * (test.label == 1)
    score = score + OWN * rng.standard_normal(n) + SEED_SHIFT * rng.standard_normal()
    score = score + SEED_GROUP_SHIFT * rng.standard_normal(len(GROUPS))[test.group]
    log_odds = 2 * quality.signal * score / (HARD**2 + OWN**2) * quality.sharpness
    positive = 1 / (1 + np.exp(-log_odds))
    return Predictions(
        example_id=np.array([f"x{i:07d}" for i in range(n)]),
        label=test.label,
        groups={"target": np.array(GROUPS)[test.group]},
        prediction=(log_odds > 0).astype(np.int64),
        probability=np.column_stack([1 - positive, positive]),
        classes=("no", "yes"),
    )


def strategy(
    test: Examples,
    rng: np.random.Generator,
    *,
    quality: Quality = USUAL,
    seeds: int = 3,
    label: str = "full",
) -> Evidence:
    """Return a strategy trained with several seeds."""
    answers = tuple(predict(test, quality, rng) for _ in range(seeds))
    return Evidence(strategy=label, seeds=tuple(range(seeds)), test=answers)


def worse(quality: Quality = USUAL, **changes: object) -> Quality:
    """Return a quality with some of it changed."""
    return replace(quality, **changes)
