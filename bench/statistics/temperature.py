"""Temperature scaling: one number, fitted on validation, that softens probabilities."""

import numpy as np

from ..schema import Array, Predictions

LOWEST, HIGHEST = 0.05, 20.0


def scaled(probability: Array, temperature: float) -> Array:
    """Return softmax(log p / T) (n, n_classes), p clipped at 2.2e-16."""
    logit = np.log(np.maximum(probability, np.finfo(np.float64).eps)) / temperature
    odds = np.exp(logit - logit.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def fit(validation: Predictions) -> float:
    """Return the T in [0.05, 20] that minimises validation log loss (Guo et al. 2017).

    The log loss is convex in 1/T, so its derivative, mean(expected logit) − mean(label's logit),
    is bisected.

    Raises
    ------
    ValueError
        The predictions have no probabilities.
    """
    if validation.probability is None:
        raise ValueError("temperature scaling needs probabilities")
    logit = np.log(np.maximum(validation.probability, np.finfo(np.float64).eps))
    answered = logit[np.arange(len(logit)), validation.label].mean()
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(40):
        inverse = np.sqrt(low * high)
        p = scaled(validation.probability, 1 / inverse)
        too_sharp = (p * logit).sum(axis=1).mean() > answered
        low, high = (low, inverse) if too_sharp else (inverse, high)
    return float(1 / np.sqrt(low * high))
