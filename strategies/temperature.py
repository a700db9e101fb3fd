"""Temperature: one number, learned on validation, makes all probabilities softer or sharper."""

from dataclasses import dataclass, replace

import numpy as np

from tunefair.schema import Predictions
from tunefair.statistics import temperature
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Temperature(Strategy):
    reference = "Guo et al. (2017), On calibration of modern neural networks, ICML"

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        found = temperature.fit(validation)
        softened = temperature.scaled(np.asarray(predictions.probability), found)
        return replace(predictions, probability=softened)
