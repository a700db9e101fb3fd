"""One sentence of the report's answer, and lists of names for it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .standing import Axis
from .wording import listed, quoted

Kind = Literal["alarm", "ship", "sure", "unknown", "evidence", "caution", "failed"]


class Sentence(NamedTuple):
    """One sentence of the answer; names in it are marked by `wording.quoted`."""

    kind: Kind
    text: str


def names(labels: Sequence[str]) -> str:
    """Return the names of strategies: the first six, then how many more there are."""
    shown = [quoted(label) for label in labels[:6]]
    rest = len(labels) - len(shown)
    return listed(shown) if not rest else f"{', '.join(shown)} and {rest} more"


def all_axes(axes: Sequence[Axis], joint: str = "and") -> str:
    """Return "accuracy and equalized odds difference by `a` and `b`": each metric once."""
    attributes: dict[str, list[str]] = {}
    for axis in axes:
        attributes.setdefault(axis.title, []).extend([quoted(axis.by)] if axis.by else [])
    words = [
        f"{title} by {listed(by, joint)}" if by else title for title, by in attributes.items()
    ]
    return listed(words, joint)
