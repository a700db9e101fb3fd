"""What people install: one import name, and nothing of the current directory is ever run."""

import csv
import os
import subprocess
import sys
import zipfile

import pytest

from tests import _house, _wheel

CANARIES = (
    "tunefair.py",
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
COLUMNS = ("--label", "y", "--probability", "p", "--group", "g", "--id", "id")
CODE = "open({canary!r}, 'a').write({name!r} + '\\n')\n"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Somebody's own repository, whose settings make git run a program at every look into it."""
    top = tmp_path_factory.mktemp("theirs")
    (top / ".gitignore").write_text(".venv\n")
    watcher = top / ".git" / "watcher"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", top]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "theirs"]):
        subprocess.run([*git, *words], check=True)
    watcher.write_text(f"#!/bin/sh\ntouch {top}/.git/canary\n")
    watcher.chmod(0o755)
    subprocess.run([*git, "config", "core.fsmonitor", watcher], check=True)
    return top


@pytest.fixture(scope="module")
def command(wheel, theirs):
    """The command that pip installs into `.venv` there; its dependencies are linked."""
    environment = theirs / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install"]
    subprocess.run([*install, "--quiet", "--no-deps", "--no-index", wheel], check=True)
    _wheel.link_dependencies(site)
    return environment / "bin" / "tunefair"


@pytest.fixture
def hostile(tmp_path):
    """A directory whose files have the names that a careless program imports."""
    folder = tmp_path / "hostile"
    for name in CANARIES:
        file = folder / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(CODE.format(canary=str(folder / "canary"), name=name))
    yield folder
    assert not (folder / "canary").exists(), (folder / "canary").read_text()


def run(command, hostile, *arguments, **variables):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLUMNS")}
    done = subprocess.run(
        [*map(str, command), *map(str, arguments)],
        cwd=hostile,
        env=environment | {"HF_HUB_OFFLINE": "1"} | variables,
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
def test_a_repository_around_it_is_not_its_own(command, theirs, hostile):
    """Git finds the one that `.venv` lies in; its commit is not ours, nor its programs to run."""
    head = ["git", "-c", "core.fsmonitor=false", "-C", theirs, "rev-parse", "HEAD"]
    commit = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    page, numbers = hostile / "audit.html", hostile / "audit.json"
    done = run([command], hostile, "doctor", COLUMNS="200")
    assert "none needed: records name version 0.1.0" in done.stdout
    answers = predictions(hostile)
    done = run([command], hostile, "audit", answers, *COLUMNS, "--html", page, "--json", numbers)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, page.read_text(), numbers.read_text()):
        assert commit[:7] not in text
    assert not (theirs / ".git" / "canary").exists()


@pytest.mark.slow
def test_no_verb_runs_what_lies_in_the_current_directory(command, hostile, tmp_path):
    suite = _house.build(tmp_path, steps=4, own=False)
    runs, answers = tmp_path / "runs", predictions(tmp_path)
    expected = [
        (("--version",), {0}),
        (("doctor",), {0}),
        (("list", "strategies"), {0}),
        (("plan", suite, "--runs", runs), {0}),
        (("run", suite, "--runs", runs, "--jobs", 1), {0}),
        (("audit", answers, *COLUMNS), {0}),
        (("gate", "--predictions", answers, "--baseline-predictions", answers, *COLUMNS), {0, 3}),
        (("baseline", runs / "small", "--out", tmp_path / "baseline"), {0}),
        (("gate", runs / "small", "--baseline", tmp_path / "baseline"), {0, 3}),
    ]
    for arguments, codes in expected:
        done = run([command], hostile, *arguments)
        assert done.returncode in codes, (arguments, done.stdout, done.stderr)


WAYS = {
    "-m": (["-m", "tunefair"], {}),
    "-P -m": (["-P", "-m", "tunefair"], {}),
    "-E -m": (["-E", "-m", "tunefair"], {}),
    "-E": (["-E", "{command}"], {}),
    "an empty entry": (["{command}"], {"PYTHONPATH": f"{os.pathsep}/nowhere"}),
    "a dot": (["{command}"], {"PYTHONPATH": "."}),
    "both": (["-m", "tunefair"], {"PYTHONPATH": os.pathsep}),
}
"""How else it is started."""
SAFE = ("-P -m", "-E")
"""Ways that a tunefair.py there does not harm: `-m` and an empty entry are read before us."""
RUN = ("-m", "-E", "both")
"""Ways that also train: workers are processes of their own."""


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_nor_does_it_however_it_is_started(command, hostile, tmp_path, way):
    words, variables = WAYS[way]
    if way not in SAFE:
        (hostile / "tunefair.py").unlink()
    start = [command.with_name("python"), *(word.format(command=command) for word in words)]
    if way in RUN:
        suite = _house.build(tmp_path, steps=4, own=False)
        arguments = ["run", suite, "--runs", tmp_path / "runs", "--jobs", 1]
    else:
        arguments = ["audit", predictions(tmp_path), *COLUMNS]
    done = run(start, hostile, *arguments, **variables)
    assert done.returncode == 0, done.stderr


ASKS_THEN_IMPORTS = """
import sys
from tunefair.__main__ import main
sys.argv = ["tunefair", "--version"]
try:
    main()
except SystemExit:
    import mine
"""


def test_a_directory_named_absolutely_is_a_wish(command, tmp_path):
    """Strategy files of one's own may import what lies there, also in the current directory."""
    (tmp_path / "mine.py").write_text("print('mine')")
    python = [command.with_name("python"), "-P", "-c", ASKS_THEN_IMPORTS]
    done = run(python, tmp_path, PYTHONPATH=f"{os.pathsep}{tmp_path}")
    assert done.stdout.split() == ["tunefair", "0.1.0", "mine"], done.stderr
