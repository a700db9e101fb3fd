"""Tables as the templates read them: rows of text that is ready to be shown."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from ..schema import Measurement
from .wording import NOTHING, aligned, both_intervals, decimals, fixed, interval


class Text(NamedTuple):
    """One cell of a table."""

    text: str
    under: str = ""
    """Smaller text beneath it, such as an interval."""
    number: bool = False
    name: bool = False
    tone: str = ""
    """"better", "worse" or ""."""
    hint: str = ""


class Grid(NamedTuple):
    """A table of text, with its notes."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    notes: tuple[str, ...] = ()
    caption: str = ""


def measurement_text(m: Measurement | None) -> Text:
    """Return a measurement's value and interval, or a word with the reason why it has none."""
    if m is None:
        return Text(NOTHING, number=True, hint="not measured")
    if not math.isfinite(m.value):
        word = "saturated" if m.undefined.startswith("saturated") else "undefined"
        return Text(word, number=True, hint=m.undefined or "no reason given")
    digits = decimals(m.low, m.high)
    text = aligned(fixed(m.value, digits), digits)
    return Text(text, interval(m.low, m.high), number=True, hint=_hint(m))


def _hint(m: Measurement) -> str:
    return "" if m.systematic_low is None else f"95 % intervals: {both_intervals(m)}"


def undefined_notes(rows: Iterable[tuple[str, Measurement | None]]) -> tuple[str, ...]:
    """Return a note for every reason why a number is missing: "reason: name, name"."""
    names: dict[str, list[str]] = {}
    for name, m in rows:
        if m is not None and not math.isfinite(m.value):
            names.setdefault(m.undefined or "no reason given", []).append(name)
    return tuple(f"Undefined, {reason}: {_some(those)}." for reason, those in names.items())


def _some(names: list[str], limit: int = 6) -> str:
    unique = list(dict.fromkeys(names))
    rest = len(unique) - limit
    return ", ".join(unique[:limit]) + (f" and {rest} more" if rest > 0 else "")
