"""The command line, called in this process."""

import sys
from typing import NamedTuple

import pytest

from tunefair.cli import app


class Said(NamedTuple):
    """How a command ended."""

    code: int
    err: str
    out: str


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments) -> Said:
    """Run a command; return its exit code and what it wrote."""
    monkeypatch.setattr(sys, "argv", ["tunefair", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        app.main()
    told = capsys.readouterr()
    return Said(int(ended.value.code or 0), told.err.strip(), told.out)
