"""The wheel that people install, and the packages that it depends on without our checkout."""

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SOURCE = ("bench", "strategies", "reports", "src", "pyproject.toml", "README.md")


def build(folder: Path) -> Path:
    """Return a wheel, built in `folder` from a copy: a build leaves files in its source."""
    source = folder / "source"
    source.mkdir()
    for name in (*_SOURCE, "LICENSE", "NOTICE"):
        subprocess.run(["cp", "-a", ROOT / name, source / name], check=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    build += ["--no-build-isolation", "--wheel-dir", folder / "wheel", source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (folder / "wheel").glob("*.whl")
    return wheel


def link_dependencies(site: Path) -> None:
    """Link every installed package but ours and pip, which works on its own copy, to a folder."""
    for package in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "tunefair" not in package.name and package.name.split("-")[0] != "pip":
            (site / package.name).symlink_to(package)
