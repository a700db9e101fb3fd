"""Values that may mean something else than they say: a missing one, a share of votes, a list."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .class_order import shown
from .columns import Categories, Source

NEVER_A_CLASS = frozenset({"nan", "<na>", "nat", "null"})
"""Spellings, in lower case, that programs write for a missing value and people do not."""
_MISSING = NEVER_A_CLASS | {"none", "na", "n/a", "#n/a"}
_LIST = re.compile(r"\s*[\[(].*[\])]\s*", re.DOTALL)
_FRACTION = re.compile(r"[+-]?\d*[.,]\d+([eE][+-]?\d+)?|\d+[eE]-\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def like_missing(values: Sequence[str], declared: Sequence[str]) -> list[str]:
    """Return the values that look like a missing one; none where the caller declared which are."""
    return [] if declared else [value for value in values if value.lower() in _MISSING]


def missing_or_group(column: str, categories: Categories, suspects: Sequence[str]) -> str:
    """Return the assumption that suspicious spellings are groups, with the rows of each."""
    counts = np.bincount(categories.code[categories.code >= 0], minlength=len(categories.values))
    named = ", ".join(
        f"{value!r} ({counts[categories.values.index(value)]} rows)" for value in suspects
    )
    verb = "is a group" if len(suspects) == 1 else "are groups"
    option = " ".join(f"--missing {value}" for value in suspects)
    return f"column {column!r}: {named} {verb}; if they mean that nothing is known: {option}"


def are_fractions(values: Sequence[str]) -> bool:
    """Say whether all values are numbers from 0 to 1, and some lie between: shares of votes."""
    if not all(_NUMBER.fullmatch(value) for value in values):
        return False
    numbers = [float(value) for value in values]
    return all(0 <= n <= 1 for n in numbers) and any(0 < n < 1 for n in numbers)


def check_not_lists(source: Source, column: str, categories: Categories) -> None:
    """Refuse a column in which a row has several labels."""
    lists = [place for place, value in enumerate(categories.values) if _LIST.fullmatch(value)]
    if lists:
        index = int(np.isin(categories.code, lists).argmax())
        value = categories.values[categories.code[index]]
        source.refuse(column, index, SEVERAL, value=value)


SEVERAL = (
    "several labels in one row (multi-label); audit one label at a time, with a column of its own "
    "for each"
)


def examples(values: Sequence[str]) -> str:
    """Return the first few values for a message."""
    return shown(values[:3])


def distinct(values: Iterator[str]) -> list[str]:
    """Return each value once, in the order of their first occurrence."""
    return list(dict.fromkeys(values))
