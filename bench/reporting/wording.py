"""Numbers and names as text.

A number has no more digits than its interval supports. A name has no characters that could change
the text around it.
"""

import calendar
import math
import unicodedata
from collections.abc import Iterable, Sequence

from ..schema import Measurement

OPEN, CLOSE = "\u2068", "\u2069"
"""Unicode's isolating marks around a name in a sentence.

A name written from right to left does not change the direction of the text after it.
"""

MINUS, FIGURE_SPACE, NOTHING = "\u2212", "\u2007", "–"

_ABBREVIATIONS = {
    "f1 macro": "F1 (macro)",
    "roc auc": "ROC AUC",
    "bpsn auc": "BPSN AUC",
    "bnsp auc": "BNSP AUC",
    "bias auc": "bias AUC",
    "dto": "DTO",
    "flops": "FLOPs",
}


def printable(name: str) -> str:
    """Return a name without control and direction marks, on one line."""
    spaced = (c if unicodedata.category(c)[0] != "Z" else " " for c in name)
    visible = (c for c in spaced if unicodedata.category(c)[0] != "C")
    return "".join(visible).strip() or "(no name)"


def short(name: str, limit: int = 22) -> str:
    """Return a printable name of at most `limit` characters, for a chart's axis."""
    clean = printable(name)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def distinct(names: Iterable[str], limit: int = 16) -> dict[str, str]:
    """Return each name's short form; a number keeps apart two that would look the same."""
    forms: dict[str, str] = {}
    for name in names:
        form, count = short(name, limit), 2
        while form in forms.values():
            number = f"…{count}"
            form, count = printable(name)[: limit - len(number)] + number, count + 1
        forms[name] = form
    return forms


def quoted(name: str, limit: int = 80) -> str:
    """Return a name between marks, for a sentence; `marked` replaces the marks."""
    return OPEN + short(name, limit) + CLOSE


def marked(sentence: str, before: str, after: str) -> str:
    """Return a sentence with `before` and `after` in place of the marks around its names."""
    return sentence.replace(OPEN, before).replace(CLOSE, after)


def listed(items: Sequence[str], joint: str = "and") -> str:
    """Return "a", "a and b" or "a, b and c"."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"


def metric_words(metric: str) -> str:
    """Return a metric's name as prose: "equalized odds difference"."""
    words = metric.replace("_", " ")
    return _ABBREVIATIONS.get(words, words)


def decimals(low: float | None, high: float | None) -> int:
    """Return how many decimals an interval supports, 0 to 4; 3 where there is no interval.

    The last decimal shown is that of the half-width's first digit, or of its second digit where
    the first is 1 or 2: ±0.018 supports 0.764, ±0.05 supports 0.71.
    """
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return 3
    half = (high - low) / 2
    exponent = max(math.floor(math.log10(half)), -9)  # finer is never shown; 10**-324 would be 0
    leading = round(half / 10**exponent, 9)  # 0.3 / 0.1 is a little under 3
    return min(max(-exponent + (1 if leading < 3 else 0), 0), 4)  # noqa: PLR2004


def fixed(value: float, digits: int, *, signed: bool = False) -> str:
    """Return a number with `digits` decimals and a true minus sign; a dash for NaN."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    zero = text.strip("+-0.") == ""
    return text.lstrip("+-") if zero else text.replace("-", MINUS)


def aligned(text: str, digits: int, width: int = 4) -> str:
    """Return a number with spaces on its right, so that a column aligns on the decimal point."""
    missing = width - digits + (1 if digits == 0 else 0)
    return text + FIGURE_SPACE * max(missing, 0)


def estimate(m: Measurement) -> str:
    """Return a measurement's value with the digits its interval supports."""
    return fixed(m.value, decimals(m.low, m.high))


def interval(low: float | None, high: float | None) -> str:
    """Return "0.75 to 0.78", or nothing where there is no interval."""
    if low is None or high is None or not math.isfinite(high - low):
        return ""
    digits = decimals(low, high)
    return f"{fixed(low, digits)} to {fixed(high, digits)}"


def both_intervals(m: Measurement) -> str:
    """Return a measurement's interval; with a second form, both and what each is of."""
    of_one, common = interval(m.low, m.high), interval(m.systematic_low, m.systematic_high)
    return f"one model {of_one}, whatever the seed {common}" if of_one and common else of_one


def long_date(iso: str) -> str:
    """Return "25 November 2026" for "2026-11-25", and anything else as it is."""
    year, _, rest = iso.partition("-")
    month, _, day = rest.partition("-")
    if not (year.isdigit() and month.isdigit() and day.isdigit() and 1 <= int(month) <= 12):  # noqa: PLR2004
        return printable(iso) if iso else ""
    return f"{int(day)} {calendar.month_name[int(month)]} {year}"


_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def _scaled(value: float, unit: str) -> str:
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def quantity(unit: str, value: float | None) -> str:
    """Return an amount of one of the ledger's columns with its unit: "5.1 PFLOP", "4 min 51 s"."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit == "flops":
        return _scaled(value, "FLOP")
    if unit.endswith("_bytes"):
        return _scaled(value, "B")
    if unit.endswith("_joules"):
        return _scaled(value, "J")
    if unit == "seconds":
        return duration(value)
    return f"{round(value):,}"


def duration(seconds: float) -> str:
    """Return "8.2 s", "4 min 51 s" or "2 h 05 min"."""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
