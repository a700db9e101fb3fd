"""What people install: one import name, and nothing of the current directory is ever run."""

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests import _house

ROOT = Path(__file__).parents[1]
CANARIES = (
    "bench.py",
    "bench/__init__.py",
    "strategies/__init__.py",
    "reports/__init__.py",
    "torch.py",
    "numpy.py",
    "signal.py",
    "full.py",
    "tunefair_strategies.py",
)
CODE = "open({canary!r}, 'a').write({name!r} + '\\n')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: a build leaves files in its source."""
    source = tmp_path_factory.mktemp("source")
    kept = ("bench", "strategies", "reports", "src", "pyproject.toml", "README.md")
    for name in (*kept, "LICENSE", "NOTICE"):
        subprocess.run(["cp", "-a", ROOT / name, source / name], check=True)
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    build += ["--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel, tmp_path_factory):
    """The command of a fresh environment with the wheel and, linked, what it depends on."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for package in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "tunefair" not in package.name and not (site / package.name).exists():
            (site / package.name).symlink_to(package)
    script = environment / "bin" / "tunefair"
    script.write_text(
        f"#!{environment}/bin/python\nimport sys\nfrom tunefair.cli.app import main\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n"
    )
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A directory whose files have the names that a careless program imports."""
    folder = tmp_path_factory.mktemp("hostile")
    for name in CANARIES:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(CODE.format(canary=str(folder / "canary"), name=name))
    return folder


def run(command, hostile, *arguments):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLUMNS")}
    done = subprocess.run(
        [*map(str, command), *map(str, arguments)],
        cwd=hostile,
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def predictions(folder):
    path = folder / "answers.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "y", "p", "g"])
        writer.writerows([i, i % 2, (i * 37 % 100) / 100, "ab"[i % 3 == 0]] for i in range(400))
    return path


def test_the_wheel_has_one_import_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (top,) = [archive.read(n).decode() for n in names if n.endswith("top_level.txt")]
    assert top.split() == ["tunefair"]
    assert {n.split("/")[0].split("-")[0] for n in names} == {"tunefair"}
    assert {
        "tunefair/py.typed",
        "tunefair/strategies/full.py",
        "tunefair/reporting/templates/page.html",
        "tunefair/suites/embedded.toml",
        "tunefair/tasks/lexicon.json",
    } <= set(names)


@pytest.mark.slow
def test_no_verb_runs_what_lies_in_the_current_directory(command, hostile, tmp_path):
    """Through the installed command, and through `python -m tunefair`."""
    suite = _house.build(tmp_path, steps=4, own=False)
    runs, answers = tmp_path / "runs", predictions(tmp_path)
    columns = ("--label", "y", "--probability", "p", "--group", "g", "--id", "id")
    expected = [
        (("--version",), {0}),
        (("doctor",), {0}),
        (("list", "strategies"), {0}),
        (("plan", suite, "--runs", runs), {0}),
        (("run", suite, "--runs", runs, "--jobs", 1), {0}),
        (("audit", answers, *columns), {0}),
        (("gate", "--predictions", answers, "--baseline-predictions", answers, *columns), {0, 3}),
        (("baseline", runs / "small", "--out", tmp_path / "baseline"), {0}),
        (("gate", runs / "small", "--baseline", tmp_path / "baseline"), {0, 3}),
    ]
    for arguments, codes in expected:
        done = run([command], hostile, *arguments)
        assert done.returncode in codes, (arguments, done.stdout, done.stderr)
    done = run(
        [command.with_name("python"), "-m", "tunefair"], hostile, "audit", answers, *columns
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(runs)
    as_module = [command.with_name("python"), "-m", "tunefair"]
    done = run(as_module, hostile, "run", suite, "--runs", runs, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    canary = hostile / "canary"
    assert not canary.exists(), canary.read_text()
