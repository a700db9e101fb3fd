"""What is recorded is what ran: the suite's text, the commit, the command, how cells were made."""

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tunefair
from tests import _house, _runs
from tunefair import suite as suites
from tunefair.environment import provenance
from tunefair.storage import files, mixture, run_folder

PACKAGE = Path(tunefair.__file__).resolve().parent


def git(folder, *arguments):
    who = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def own_commit(package):
    return provenance.commit_of(package / "__init__.py")


def installed_in(folder):
    """A copy of the package's first file, as pip leaves it inside a project's environment."""
    package = folder / ".venv" / "lib" / "site-packages" / "tunefair"
    package.mkdir(parents=True)
    shutil.copy(PACKAGE / "__init__.py", package)
    return package


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("project", ["", '[project]\nname = "theirs"\n'])
def test_the_commit_of_a_project_around_the_environment_is_not_ours(committed, project, tmp_path):
    git(tmp_path, "init", "-q")
    package = installed_in(tmp_path)
    (tmp_path / "pyproject.toml").write_text(project)
    git(tmp_path, "add", "-f", "." if committed else "pyproject.toml")
    git(tmp_path, "commit", "-qm", "theirs")
    assert own_commit(package) == ""


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """A run whose suite was edited while it prepared."""
    folder = tmp_path_factory.mktemp("edited")
    suite = _house.build(folder, steps=2, own=False)
    suite = suite.rename(folder / "my suite.toml")
    as_run = suite.read_text()
    command = ["run", "my suite.toml", "--runs", "runs", "--seeds", "1", "--only", "full"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tunefair", *command], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    lock = folder / "runs" / "small" / ".lock"
    while not lock.exists() and process.poll() is None:
        time.sleep(0.01)
    suite.write_text(as_run.replace("learning_rate = 1e-3", "learning_rate = 1.0"))
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    return folder, as_run


def test_the_record_holds_the_suite_that_ran_though_it_was_edited_since(edited):
    folder, as_run = edited
    facts = run_folder.read_facts(folder / "runs" / "small")
    assert facts.suite_toml == as_run
    (cell,) = [c for c in facts.cells if c.status == "finished"]
    made = json.loads((folder / "runs" / "small" / "cells" / cell.id / "cell.json").read_text())
    assert made["definition"]["training"]["learning_rate"] == 1e-3


def test_made_by_is_a_command_that_works(edited):
    folder, as_run = edited
    (folder / "my suite.toml").write_text(as_run)
    made_by = run_folder.read_facts(folder / "runs" / "small").command
    assert made_by == "tunefair run 'my suite.toml' --seeds 1 --only full"
    _, verb, *words = shlex.split(made_by)
    done = _house.tunefair(verb, *words, "--runs", "runs", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "all 1 cells are finished already" in done.stderr


def test_another_suite_of_the_same_name_is_refused(edited):
    folder, as_run = edited
    other = folder / "other.toml"
    other.write_text(as_run)
    done = _house.tunefair("run", other, "--runs", folder / "runs", "--only", "full")
    assert done.returncode == 2
    assert "holds the run of another suite of this name" in done.stderr
    assert "other.toml another name, or choose another folder with --runs" in done.stderr
    other.unlink()


def test_a_suite_that_moved_or_was_copied_with_its_runs_is_the_same(tmp_path):
    one, two = tmp_path / "a.toml", tmp_path / "b.toml"
    run = tmp_path / "runs" / "x"
    one.write_text("")
    run_folder.write_owner(run, one)
    assert run_folder.owner(run).samefile(one)
    copied = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copied)
    assert run_folder.owner(copied / "runs" / "x").samefile(copied / "a.toml")
    one.rename(two)
    assert run_folder.owner(run) is None
    shipped = suites.find("smoke")
    run_folder.write_owner(run, shipped)
    assert run_folder.owner(run) == shipped
    assert "/" not in json.loads((run / run_folder.OWNER).read_text())["suite"]
    (run / run_folder.OWNER).write_text("[]")
    assert run_folder.owner(run) is None


def made_with(**changes):
    usual = {"torch": "2.13.0", "commit": "a" * 40, "name": "CPU", "threads": "1"}
    return usual | changes


def test_cells_that_were_made_alike_are_no_mixture():
    assert mixture.sentences([made_with()] * 4) == ()
    assert mixture.sentences([made_with(), {}]) == ()
    assert mixture.sentences([]) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"torch": "2.12.0"},
            "2 of 3 cells were made with torch 2.13.0, 1 with 2.12.0.",
        ),
        (
            {"commit": "b" * 40 + "+changes"},
            "2 of 3 cells were made with tunefair's code at commit aaaaaaaaaa, "
            "1 with bbbbbbbbbb+changes.",
        ),
        ({"name": "H100"}, "2 of 3 cells were made with the device CPU, 1 with H100."),
        ({"threads": ""}, "2 of 3 cells were made with threads 1, 1 with no known version."),
    ],
)
def test_each_difference_is_a_sentence(changes, sentence):
    assert mixture.sentences([made_with(), made_with(), made_with(**changes)]) == (sentence,)


def test_a_mixture_reaches_the_page_the_terminal_and_the_gate(tmp_path):
    new, _ = _runs.pair(n=200)
    run = _runs.write(tmp_path / "toy", new)
    for number, cell in enumerate(sorted((run / "cells").iterdir())):
        record = {"torch": "2.13.0" if number else "2.12.0"}
        files.write(cell / "environment.json", files.to_json(record))
        (cell / files.SEAL).unlink()
        files.write(cell / files.SEAL, files.to_json(files._checksums(cell)))
    sentence = "5 of 6 cells were made with torch 2.13.0, 1 with 2.12.0."
    assert run_folder.read_facts(run).mixture == (sentence,)
    report = _house.tunefair("report", run)
    assert sentence in " ".join(report.stdout.split())
    assert sentence in (run / "report.html").read_text()
    made = _house.tunefair("baseline", run, "--out", tmp_path / "baseline")
    assert made.returncode == 0, made.stderr
    gate = _house.tunefair("gate", run, "--baseline", tmp_path / "baseline")
    assert sentence in " ".join(gate.stdout.split())
