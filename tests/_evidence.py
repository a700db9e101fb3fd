"""Synthetic evidence: what strategies could have left behind, from known populations."""

from collections.abc import Sequence

import numpy as np

from tunefair.schema import Evidence, Predictions

GROUPS = ("amber", "blue", "coral", "dune", "ebony")


def labels(n: int, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(n) % n_classes)


def predictions(
    label: np.ndarray,
    groups: dict[str, np.ndarray],
    rng: np.random.Generator,
    n_classes: int = 2,
) -> Predictions:
    """Return a classifier that knows something: logits lean to the label by chance."""
    logit = 1.2 * np.eye(n_classes)[label] + rng.normal(size=(len(label), n_classes))
    probability = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    return Predictions(
        example_id=np.array([f"e{i:07d}" for i in range(len(label))]),
        label=label,
        groups=groups,
        prediction=probability.argmax(axis=1),
        probability=probability,
        classes=tuple(f"class {c}" for c in range(n_classes)),
    )


def evidence(
    n: int = 400,
    n_classes: int = 2,
    seeds: Sequence[int] = (0, 1, 2),
    strategy: str = "full",
    seed: int = 0,
) -> Evidence:
    """Return one strategy's evidence; the same `n`, classes and groups whatever its `seed`."""
    shared = np.random.default_rng(99)
    label = labels(n, n_classes, shared)
    groups = {"target": shared.choice(GROUPS, n), "source": shared.choice(["web", "print"], n)}
    rng = np.random.default_rng(seed)
    return Evidence(
        strategy=strategy,
        seeds=tuple(seeds),
        test=tuple(predictions(label, groups, rng, n_classes) for _ in seeds),
        validation=tuple(predictions(label, groups, rng, n_classes) for _ in seeds),
    )
