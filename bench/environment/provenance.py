"""Where numbers come from: code, packages and machine. Nothing secret enters: no variables."""

import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

import tunefair

PACKAGES = (
    "torch", "transformers", "peft", "accelerate", "tokenizers", "datasets", "numpy", "scipy",
    "scikit-learn", "fairlearn", "statsmodels", "pyarrow",
)  # fmt: skip


def environment() -> dict[str, str]:
    """Return versions, commit and machine, as plain text for a record or a report."""
    facts = {
        "tunefair": tunefair.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
    }
    return facts | {name: version(name) for name in PACKAGES}


def today() -> str:
    """Return today's date in UTC, such as "2026-11-25"."""
    return datetime.now(UTC).date().isoformat()


def version(package: str) -> str:
    """Return an installed package's version, or "not installed"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def commit() -> str:
    """Return the code's commit, "+changes" appended where the tree is dirty; "" outside git."""
    source = Path(tunefair.__file__).parent
    try:
        head = _git(source, "rev-parse", "HEAD")
        dirty = _git(source, "status", "--porcelain", "--", source.parent.as_posix())
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+changes" if dirty else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((li.split(":", 1)[1].strip() for li in lines if li.startswith("model name")), "")
