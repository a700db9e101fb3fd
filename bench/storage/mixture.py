"""Whether the cells of a run were made alike: by the same code and packages, on one hardware."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..schema import BadInputError
from . import files

_NOT_COMPARED = ("device", "processes")
"""Of the hardware: which of several equal devices it was, and how many shared the cell."""
_WORDS = {
    "commit": "tunefair's code at commit",
    "tunefair": "tunefair",
    "python": "Python",
    "system": "the system",
    "processor": "the processor",
    "name": "the device",
    "precision": "precision",
    "threads": "threads",
    "attention": "attention",
    "kind": "the kind of device",
}
_UNKNOWN = "no known version"


def made_with(cell: Path) -> dict[str, str]:
    """Return what a finished cell was made with: packages, commit, hardware; {} if not recorded.

    Raises
    ------
    BadInputError
        A record is damaged.
    """
    environment = _record(cell / "environment.json")
    hardware = _record(cell / "hardware.json")
    kind = {"kind": hardware["device"].partition(":")[0]} if "device" in hardware else {}
    return environment | {k: v for k, v in hardware.items() if k not in _NOT_COMPARED} | kind


def _record(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    content = files.read_json(path)
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise BadInputError(f"{path}: damaged: not an object of names and texts")
    return content


def sentences(cells: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return a sentence for each difference between what the cells were made with.

    Parameters
    ----------
    cells : what each finished cell was made with
    """
    known = [cell for cell in cells if cell]
    names = dict.fromkeys(name for cell in known for name in cell)
    return tuple(text for name in names for text in _difference(name, known))


def _difference(name: str, cells: Sequence[Mapping[str, str]]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for cell in cells:
        value = cell.get(name, "") or _UNKNOWN
        counts[value] = counts.get(value, 0) + 1
    if len(counts) < 2:  # noqa: PLR2004
        return
    (first, most), *others = sorted(counts.items(), key=lambda item: -item[1])
    rest = ", ".join(f"{count} with {_short(name, value)}" for value, count in others)
    word = _WORDS.get(name, name)
    yield f"{most} of {len(cells)} cells were made with {word} {_short(name, first)}, {rest}."


def _short(name: str, value: str) -> str:
    """Return a commit's first digits, and whether files differed from it; else the value."""
    if name != "commit" or value == _UNKNOWN:
        return value
    digits, plus, changes = value.partition("+")
    return digits[:10] + plus + changes
