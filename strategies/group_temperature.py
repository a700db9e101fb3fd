"""Group temperature: one temperature a group, so the group must be known of every text."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from tunefair.schema import Predictions
from tunefair.statistics import temperature
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class GroupTemperature(Strategy):
    reference = (
        "Guo et al. (2017), On calibration of modern neural networks, ICML, fitted in each group "
        "(calibration within groups: Pleiss et al. 2017, NeurIPS)"
    )
    needs_groups_in = frozenset({"train", "inference"})

    smallest: Annotated[int, Field(ge=1)] = 30
    """Groups with fewer validation examples get everyone's temperature."""

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        (known,), (column,) = validation.groups.values(), predictions.groups.values()
        everyone = temperature.fit(validation)
        probability = np.array(predictions.probability)
        for group in np.unique(column):
            rows = np.flatnonzero(known == group)
            enough = len(rows) >= self.smallest
            found = temperature.fit(validation.take(rows)) if enough else everyone
            chosen = column == group
            probability[chosen] = temperature.scaled(probability[chosen], found)
        return replace(predictions, probability=probability)
