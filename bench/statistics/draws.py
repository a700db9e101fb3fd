"""The bootstrap draws of one set of examples: made when first asked for, then shared."""

from functools import cached_property

from ..schema import AuditSettings
from .clusters import Clusters
from .streams import Stream, generator
from .units import Patterns, Units, cluster_units, row_units


class Draws:
    """What is drawn from `n` examples.

    Parameters
    ----------
    n
        Number of examples.
    clusters
        Their clusters; None: examples are independent.
    patterns
        Their distinct patterns, where these are few and examples independent.
    settings
        Replicates and seed.
    """

    def __init__(
        self, n: int, clusters: Clusters | None, patterns: Patterns | None, settings: AuditSettings
    ) -> None:
        """Draw nothing yet."""
        self.n, self.clusters, self.patterns, self.settings = n, clusters, patterns, settings

    @cached_property
    def rows(self) -> Units:
        """Rows, clusters of them or blocks of either."""
        rng = generator(self.settings.seed)
        if self.clusters is not None:
            code, number = self.clusters.code, self.clusters.number
            return cluster_units(code, number, self.settings.replicates, rng)
        return row_units(self.n, self.settings.replicates, rng)

    @cached_property
    def counts(self) -> Units:
        """How often each pattern appears; where patterns are many, `rows`."""
        if self.patterns is None:
            return self.rows
        rng = generator(self.settings.seed, Stream.PATTERNS)
        return self.patterns.draw(self.settings.replicates, rng)
