"""The pieces that the report's sentences are made of."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .standing import Axis
from .wording import listed, quoted


class Sentence(NamedTuple):
    """One sentence of the paragraph; its names are marked as `wording.quoted` marks them."""

    kind: Literal["decision", "evidence", "undecided", "failed", "caution"]
    text: str


def names(labels: Sequence[str]) -> str:
    """Return the strategies' names, the first six in full."""
    shown = [quoted(label) for label in labels[:6]]
    rest = len(labels) - len(shown)
    return listed(shown) if not rest else f"{', '.join(shown)} and {rest} more"


def all_axes(found: Sequence[Axis], joint: str = "and") -> str:
    """Return "accuracy and equalized odds difference"."""
    return listed([axis.words for axis in found], joint)
