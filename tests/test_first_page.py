"""The docs' first page, typed word for word in a fresh environment with a stranger's table."""

import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import _comments, _wheel

PAGE = Path(__file__).parents[1] / "docs" / "your_data.md"
CORES, SECONDS = 2, 300.0


def commands() -> list[str]:
    """The first block of the page."""
    (block, *_) = re.findall(r"^    .+(?:\n    .+)*", PAGE.read_text(), re.MULTILINE)
    return [line.strip() for line in block.splitlines()]


def test_the_page_is_four_commands():
    assert [shlex.split(line)[:2] for line in commands()] == [
        ["pip", "install"], ["tunefair", "init"], ["tunefair", "run"], ["tunefair", "report"],
    ]  # fmt: skip


@pytest.mark.slow
def test_the_page_works_word_for_word(wheel, tmp_path):
    """Packages are linked instead of downloaded; all else is as the page says.

    Time is that of the processor, of two cores: a machine that others use takes longer.
    """
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    for package in site.iterdir():  # what is linked brings its own, pip stays
        if package.is_dir() and not package.name.startswith("pip"):
            shutil.rmtree(package)
        elif package.is_file():
            package.unlink()
    _wheel.link_dependencies(site)
    here = tmp_path / "here"
    here.mkdir()
    (here / wheel.name).symlink_to(wheel)
    _comments.write(here / "comments.csv")
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLUMNS")}
    clean |= {"PATH": f"{environment / 'bin'}:{clean['PATH']}", "HF_HUB_OFFLINE": "1"}
    clean |= {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "VIRTUAL_ENV": str(environment)}
    begun = spent()
    for line in commands():
        done = subprocess.run(
            shlex.split(line), cwd=here, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    seconds = (spent() - begun) / CORES
    print(f"{seconds:.0f} s of two cores")
    assert seconds < SECONDS
    assert (here / "runs" / "comments" / "report.html").is_file()
    assert "shown" in done.stdout or "no difference" in done.stdout


def spent() -> float:
    """Processor seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
