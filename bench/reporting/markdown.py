"""Text and tables in GitHub's Markdown, in which nothing of others is Markdown."""

import re
from collections.abc import Sequence

from . import inert
from .wording import CLOSE, OPEN


def inline(text: str) -> str:
    """Return text in which nothing is Markdown or HTML; marked names become bold."""
    pieces = re.split(f"([{OPEN}{CLOSE}])", text)
    return "".join("**" if piece in {OPEN, CLOSE} else inert.markdown(piece) for piece in pieces)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [list(titles), ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
