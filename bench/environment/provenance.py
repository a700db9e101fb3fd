"""Where numbers come from: code, packages and machine; no environment variable is recorded."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

import tunefair

PACKAGES = (
    "torch", "transformers", "peft", "accelerate", "tokenizers", "datasets", "numpy", "scipy",
    "scikit-learn", "fairlearn", "pyarrow",
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
    """Return the code's commit, "+changes" appended where its files differ; "" outside git."""
    return commit_of(Path(tunefair.__file__)) or _of_installation()


def _of_installation() -> str:
    """Return the commit that pip was asked to install from a repository; "" if it was not."""
    try:
        record = metadata.distribution("tunefair").read_text("direct_url.json")
        return str(json.loads(record or "{}").get("vcs_info", {}).get("commit_id", ""))
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return ""


def commit_of(file: Path) -> str:
    """Return the commit of the repository that tracks the package `file` is the `__init__` of.

    An installed package often lies inside a repository that is not its own (`.venv` in somebody's
    project): git finds that one, so it is asked first whether it tracks the file. The folders are
    resolved because the package is reached through links in a checkout.
    """
    source = file.resolve()
    if _INSTALLED.intersection(source.parts):  # an environment that somebody committed
        return ""
    package = source.parent
    linked = (package / "strategies", package / "reporting" / "templates")
    try:
        _git(package, "ls-files", "--error-unmatch", "--", source.name)
        head = _git(package, "rev-parse", "HEAD")
        code = (str(folder.resolve()) for folder in (package, *linked))
        changes = _git(package, "status", "--porcelain", "--", *code)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+changes" if changes else "")


_INSTALLED = {"site-packages", "dist-packages"}
_RUNS_NOTHING = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""A repository's settings name programs that git runs; it may not be ours."""
_POINTS_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Git sets these for its hooks: they name the repository that is committed to."""


def _git(folder: Path, *arguments: str) -> str:
    variables = {k: v for k, v in os.environ.items() if k not in _POINTS_ELSEWHERE}
    done = subprocess.run(
        ["git", *_RUNS_NOTHING, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=variables | {"GIT_OPTIONAL_LOCKS": "0"},  # reading writes nothing
    )
    return done.stdout.strip()


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((li.split(":", 1)[1].strip() for li in lines if li.startswith("model name")), "")
