"""Numbers of all seeds together, such as how often they disagree, and what they vary by."""

from collections.abc import Sequence

import numpy as np

from ..schema import Array


def pseudo_values(whole: Array, without: Sequence[Array]) -> Array:
    """Return one value a seed (n_seeds, ...) whose mean is that of all seeds together.

    Their variance over the number of seeds is the jackknife variance of the whole (Quenouille
    1956; Tukey 1958), which is never too small on average (Efron & Stein 1981):
    whole + (K - 1) (mean of those without a seed - that without seed k).

    Parameters
    ----------
    whole
        The number of all seeds.
    without
        The number without each of the seeds, of the same shape; fewer than three seeds know
        nothing of their variance.
    """
    if len(without) < 3:  # noqa: PLR2004
        return np.stack([whole] * len(without))
    left = np.stack(without)
    return np.asarray(whole + (len(left) - 1) * (left.mean(axis=0) - left))
