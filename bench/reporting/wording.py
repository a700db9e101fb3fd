"""Numbers and names as words: no digit an interval does not support, no name that misbehaves."""

import math
import unicodedata
from collections.abc import Iterable, Sequence

from ..schema import Measurement

OPEN, CLOSE = "\u2068", "\u2069"
"""Unicode isolates around a name in a sentence: no name can turn the text after it around."""

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


def plain(name: str) -> str:
    """Return a name without control and direction marks, on one line."""
    kept = (c if unicodedata.category(c)[0] != "Z" else " " for c in name)
    return "".join(c for c in kept if unicodedata.category(c)[0] != "C").strip() or "(no name)"


def short(name: str, limit: int = 22) -> str:
    """Return a plain name of at most `limit` characters, for a chart's axis."""
    clean = plain(name)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def distinct(names: Iterable[str], limit: int = 16) -> dict[str, str]:
    """Return each name's short form, numbered where two would look the same on an axis."""
    found: dict[str, str] = {}
    for name in names:
        form, count = short(name, limit), 2
        while form in found.values():
            number = f"…{count}"
            form, count = plain(name)[: limit - len(number)] + number, count + 1
        found[name] = form
    return found


def quoted(name: str, limit: int = 80) -> str:
    """Return a name marked as one, for a sentence; `marked` says how the marks are shown."""
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
    """Return how many decimals an interval supports, 0 to 4; 3 where there is none.

    The last digit shown is the half-width's first, or its second where the first is 1 or 2:
    ±0.018 supports 0.764, ±0.05 supports 0.71.
    """
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return 3
    half = (high - low) / 2
    exponent = max(math.floor(math.log10(half)), -9)  # finer is never shown, and 1e-324 is 0
    leading = round(half / 10**exponent, 9)  # 0.3 is stored a little short of 3 tenths
    return min(max(-exponent + (1 if leading < 3 else 0), 0), 4)  # noqa: PLR2004


def fixed(value: float, places: int, *, signed: bool = False) -> str:
    """Return a number with `places` decimals and a true minus sign; a dash for NaN."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    zero = text.strip("+-0.") == ""
    return text.lstrip("+-") if zero else text.replace("-", MINUS)


def aligned(text: str, places: int, width: int = 4) -> str:
    """Return a number padded on the right, so that a column aligns on the decimal point."""
    missing = width - places + (1 if places == 0 else 0)
    return text + FIGURE_SPACE * max(missing, 0)


def estimate(m: Measurement) -> str:
    """Return a measurement's value with the digits its interval supports."""
    return fixed(m.value, decimals(m.low, m.high))


def interval(low: float | None, high: float | None) -> str:
    """Return "0.75 to 0.78", or nothing where there is no interval."""
    if low is None or high is None or not math.isfinite(high - low):
        return ""
    places = decimals(low, high)
    return f"{fixed(low, places)} to {fixed(high, places)}"


_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def _scaled(value: float, unit: str) -> str:
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def quantity(unit: str, value: float | None) -> str:
    """Return an amount of a ledger's column with its unit: "5.1 PFLOP", "4 min 51 s"."""
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
