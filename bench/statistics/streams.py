"""Streams of random numbers: every use of a seed draws its own, so that none follows another's.

The numbers are those of numpy's seed sequences: a stream that changes its number changes results.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the random numbers are for."""

    FLOORS = 1
    """Group labels shuffled within a label, or their normal limit."""
    FRONTS = 2
    """Draws of seeds for the trade-off's front."""
    PROBED = 3
    """Which rows a leakage probe reads where there are too many."""
    PATTERNS = 4
    """How often each pattern of answers is drawn."""
    COMPARED = 5
    """Which rows drift compares where there are too many."""
    CLUSTERS = 6
    """Groups exchanged within clusters of examples that are not independent."""


def generator(seed: int, stream: Stream | None = None) -> np.random.Generator:
    """Return the generator of a seed's stream; without one, that of the bootstrap of examples."""
    return np.random.default_rng(seed if stream is None else [seed, int(stream)])
