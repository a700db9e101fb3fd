"""Other names of the classes: what `--classes` says, and what would fit where nothing is said."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..schema import BadInputError

_NUMBERED = re.compile(r"label[ _-]?(\d+)", re.IGNORECASE)
_ENDS_WITH_NUMBER = re.compile(r"(?<![.\d])-?\d+$")
TRUTHS = (
    ("0", "1"),
    ("-1", "1"),
    ("false", "true"),
    ("no", "yes"),
    ("n", "y"),
    ("neg", "pos"),
    ("negative", "positive"),
)
"""Pairs of labels, in lower case, of which the second is evidently the positive class."""


@dataclass(frozen=True)
class ClassNames:
    """The classes in order, and the names by which a file calls them."""

    pairs: tuple[tuple[str, str], ...] = ()
    """(name, class); a class without another name is its own."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct classes in the order given."""
        return tuple(dict.fromkeys(name for _, name in self.pairs))

    def of(self, value: str) -> str:
        """Return the class that a value of the file names; the value itself where none."""
        known = {name: name for name in self.classes} | dict(self.pairs)
        if value in known:
            return known[value]
        folded = {name.casefold(): target for name, target in known.items()}
        if value.casefold() in folded:
            return folded[value.casefold()]
        numbered = _NUMBERED.fullmatch(value)
        in_order = all(name == target for name, target in self.pairs)
        if numbered and in_order and int(numbered[1]) < len(self.classes):
            return self.classes[int(numbered[1])]
        return value


NO_NAMES = ClassNames()
"""Where `--classes` is not given."""


def parse(texts: Sequence[str]) -> ClassNames:
    """Return what the values of `--classes` say: `a,b,c`, `LABEL_0=a,LABEL_1=b`, or JSON.

    Raises
    ------
    BadInputError
        A name is empty or stands for two classes, or there is one class only.
    """
    pairs = [pair for text in texts for pair in _pairs(text)]
    for name, target in pairs:
        others = {other for known, other in pairs if known == name}
        if not name or not target:
            raise BadInputError(f"--classes {','.join(texts)}: a name is empty")
        if len(others) > 1:
            raise BadInputError(f"--classes: {name!r} stands for {' and '.join(sorted(others))}")
    names = ClassNames(tuple(dict.fromkeys(pairs)))
    if pairs and len(names.classes) == 1:
        raise BadInputError(f"--classes {','.join(texts)}: one class; name all of them")
    return names


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith(("{", "[")):
        yield from _of_json(text)
        return
    for item in text.split(","):
        name, equals, target = (piece.strip() for piece in item.partition("="))
        yield name, (target if equals else name)


def _of_json(text: str) -> Iterator[tuple[str, str]]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"--classes {text[:60]}: not JSON ({error})") from None
    if isinstance(value, dict):
        yield from ((str(name), str(target)) for name, target in value.items())
    else:
        yield from ((str(name), str(name)) for name in value)


def both(one: str) -> str:
    """Return a class and the one that goes with it, as `--classes` takes them: 0 and 1, say."""
    for pair in TRUTHS:
        if one.lower() in pair:
            other = pair[1 - pair.index(one.lower())]
            written = other.upper() if one.isupper() else other.title() if one.istitle() else other
            return f"{one},{written}"
    return f"{one},…"


def alike(values: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return each value -> the known name that it is but for case, or itself."""
    folded = {name.casefold(): name for name in known}
    unique = len(folded) == len(known)
    return {
        value: value if value in known or not unique else folded.get(value.casefold(), value)
        for value in values
    }


def fitting(names: Sequence[str], labels: Sequence[str]) -> str:
    """Return the `--classes` option that would make names of the file into labels."""
    names, labels = sorted(names), sorted(labels)
    for pairs in (_by_number(names, labels), _by_truth(names, labels)):
        if pairs:
            return "--classes " + ",".join(f"{name}={label}" for name, label in pairs)
    if len(names) == len(labels):
        listed = ",".join(f"{name}={label}" for name, label in zip(names, labels, strict=True))
        return f"--classes {listed} (if that is their order)"
    return f"--classes {names[0]}=…, with the label of each"


def _by_number(names: Sequence[str], labels: Sequence[str]) -> list[tuple[str, str]]:
    ends = [_ENDS_WITH_NUMBER.search(name) for name in names]
    pairs = [(name, end[0]) for name, end in zip(names, ends, strict=True) if end]
    fits = len(pairs) == len(names) and {label for _, label in pairs} <= set(labels)
    return pairs if fits else []


def _by_truth(names: Sequence[str], labels: Sequence[str]) -> list[tuple[str, str]]:
    places = [_truth(values) for values in (names, labels)]
    if None in places:
        return []
    known = [place for place in places if place is not None]
    labelled = {place: label for label, place in known[1].items()}
    pairs = [(name, labelled.get(place, "")) for name, place in known[0].items()]
    return pairs if all(label for _, label in pairs) else []


def _truth(values: Sequence[str]) -> dict[str, int] | None:
    """Return value -> 0 or 1, where all are of one known pair."""
    for pair in TRUTHS:
        if {value.lower() for value in values} <= set(pair):
            return {value: pair.index(value.lower()) for value in values}
    return None
