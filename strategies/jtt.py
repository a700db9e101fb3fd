"""Just train twice: what a first, short training gets wrong is seen more often in the second."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from tunefair.schema import Array, Split
from tunefair.space import Space
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class JTT(Strategy):
    reference = (
        "Liu et al. (2021), Just train twice: improving group robustness without training group "
        "information, ICML. Options are not tuned on validation groups, as there; the first "
        "stage is a shorter schedule of its own instead of an early checkpoint; errors are drawn "
        "more often, with replacement, instead of being copied. Wrong labels are errors too"
    )

    first_stage_share: Annotated[float, Field(gt=0, lt=1), Space(0.1, 0.5)] = 0.3
    """Share of the budget for the first stage (there, for texts, 2 epochs beside 3 or 5)."""
    upweight: Annotated[float, Field(ge=1), Space(2, 50, log=True)] = 6.0
    """How much more often an error of the first stage is seen (there 4 and 6 for texts)."""

    def sampling_weights(self, train: Split) -> Array:
        missed = np.asarray(train.prediction) != train.label
        return np.where(missed, self.upweight, 1.0)
