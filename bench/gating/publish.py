"""Where a gate's answer goes: files, the terminal, and annotations where GitHub runs it."""

import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from ..storage import files
from . import formats, summary
from .verdicts import Judgement


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is to be written, and where to."""

    json: Path | None = None
    junit: Path | None = None
    markdown: Path | None = None
    sarif: Path | None = None


def publish(judgement: Judgement, title: str, wanted: Files, artifact: str) -> None:
    """Write the answer into every file that was asked for."""
    if wanted.json:
        files.write(wanted.json, formats.json(judgement))
    if wanted.junit:
        now = datetime.datetime.now(tz=datetime.UTC)
        files.write(wanted.junit, formats.junit(judgement, now))
    if wanted.markdown:
        files.write(wanted.markdown, summary.markdown(judgement, title))
    if wanted.sarif:
        files.write(wanted.sarif, formats.sarif(judgement, artifact))


def shown(judgement: Judgement, title: str) -> Iterator[Text]:
    """Yield the lines to be printed."""
    yield from summary.terminal(judgement, title)


def annotations(judgement: Judgement) -> Iterator[str]:
    """Yield commands that GitHub turns into marks, where a job of GitHub's prints its output."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        yield from summary.annotations(judgement)
