"""The range that a search may draw an option from, declared where the option is."""

from dataclasses import KW_ONLY, dataclass
from typing import Any


@dataclass(frozen=True)
class Space:
    """A range, or choices; it stands in the annotation of a strategy's own field.

    `rank: Annotated[int, Field(ge=1), Space(2, 64, log=True)] = 8`. It does not enter a cell's
    id: what a trial tries does, whatever range it was drawn from.
    """

    low: float | None = None
    """Smallest value, included."""
    high: float | None = None
    """Largest value, included."""
    _: KW_ONLY
    log: bool = False
    """Draw on a logarithmic scale: as often between 1 and 10 as between 10 and 100."""
    around: float | None = None
    """Instead of low and high: a factor either side of the default, on a logarithmic scale."""
    choices: tuple[Any, ...] = ()
    """Instead of a range: these values."""
