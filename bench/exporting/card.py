"""The card of an exported model."""

from pathlib import Path

from ..schema import BadInputError
from ..storage import files
from .record import Record
from .source import Source

PACKS: tuple[str, ...] = ()


def check(packs: tuple[str, ...]) -> None:
    """Refuse a pack that does not exist."""
    for name in packs:
        if name not in PACKS:
            raise BadInputError(f"--pack {name}: there are: {', '.join(PACKS)}")


def write(folder: Path, source: Source, record: Record, packs: tuple[str, ...]) -> None:
    """Write README.md."""
    files.write(folder / "README.md", f"# {record.strategy}\n")
