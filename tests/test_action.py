"""The Action and the samples of docs/ci, run in a repository that is not ours, with a wheel."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests import _runner, _wheel
from tunefair import __version__

ROOT = Path(__file__).parents[1]
CI = ROOT / "docs" / "ci"
FILES = {"gate.json", "gate.xml", "gate.md", "gate.sarif", "report.html"}
COLUMNS = {"label": "label", "probability": "probability", "group": "group", "id": "id"}
PAIR = {"predictions": "predictions/new.csv", "baseline_predictions": "predictions/released.csv"}
STRICT = '[[gate]]\nmetric = "accuracy"\nmax_loss = 0.001\non_inconclusive = "fail"\n'

pytestmark = pytest.mark.slow


def write(path, *, n=1500, wrong=5, first=0, shift=0):
    """Write predictions of which one in `wrong` is wrong, others with another `shift`."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "probability", "group"])
        for i in range(n):
            label = i % 2
            right = 0.55 + (i * 37 % 100) / 250
            p = right if (label == 1) == ((i + shift) * 7919 % wrong != 0) else 1 - right
            writer.writerow([first + i, label, p, "abc"[i % 3]])


@pytest.fixture(scope="module")
def variables(wheel, tmp_path_factory):
    """What makes pip find the wheel, and all it depends on installed, without a network."""
    dependencies = tmp_path_factory.mktemp("dependencies")
    _wheel.link_dependencies(dependencies)
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheel.parent),
        "PYTHONPATH": str(dependencies),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def theirs(tmp_path):
    """Somebody's repository: predictions, nothing of ours."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    write(folder / "predictions" / "new.csv")
    write(folder / "predictions" / "released.csv")
    return folder


@pytest.fixture
def job(theirs, tmp_path, variables):
    return _runner.Job(
        workspace=theirs, temp=tmp_path / "temp", variables=dict(variables), python=sys.executable
    )


@pytest.fixture(scope="module")
def installed(variables, tmp_path_factory):
    """The Action's own environment, made once by its own step."""
    folder = tmp_path_factory.mktemp("installed")
    job = _runner.Job(
        workspace=folder, temp=folder / "temp", variables=variables, python=sys.executable
    )
    job.run()
    assert f"tunefair {__version__}" in job.log, job.log
    return folder / "temp" / "tunefair" / "environment"


@pytest.fixture
def ready(job, installed):
    """A job whose installation is there already."""
    (job.temp / "tunefair").mkdir()
    job.installed = installed / "bin" / "tunefair"
    job.context["steps.install.outputs.tunefair"] = str(job.installed)
    return job


def whole(folder, *more):
    """Every file is there and is what it claims to be."""
    assert {p.name for p in folder.iterdir()} == {*FILES, *more}
    assert ET.parse(folder / "gate.xml").getroot().tag == "testsuites"
    assert json.loads((folder / "gate.sarif").read_text())["version"] == "2.1.0"
    assert "</html>" in (folder / "report.html").read_text()


def test_the_version_installed_is_that_of_the_action():
    assert _runner.ACTION["inputs"]["version"]["default"] == __version__
    for sample in CI.iterdir():
        text = sample.read_text()
        assert (
            f"tunefair=={__version__}" in text
            or f"tunefair@v{__version__}" in text
            or (sample.suffix == ".md")
        )


def test_two_files_from_nothing_to_a_page(job):
    """A fresh folder with a wheel: it installs, gates, comments and uploads."""
    assert job.run(**PAIR, **COLUMNS) == 0, job.log
    whole(job.workspace / "gate")
    assert (job.temp / "summary.md").read_text() == (job.workspace / "gate/gate.md").read_text()
    assert job.context["steps.gate.outputs.exit-code"] == "0"
    used = dict(job.used)
    assert used["actions/upload-artifact"]["path"] == "gate"
    assert used["github/codeql-action/upload-sarif"]["sarif_file"] == "gate/gate.sarif"
    assert used["actions/cache"]["path"] == str(job.temp / "tunefair" / "pip")
    assert "--method POST repos/they/theirs/issues/7/comments" in (job.temp / "gh.log").read_text()
    comment = (job.temp / "tunefair" / "comment.md").read_text()
    assert comment.startswith("<!-- tunefair-gate -->\n")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4])
def test_the_exit_code_is_the_gates(ready, code):
    predictions = ready.workspace / "predictions"
    inputs = PAIR | COLUMNS
    if code == 1:
        write(predictions / "new.csv", wrong=2)
    elif code == 2:
        inputs["label"] = "nothing"
    elif code == 3:
        write(predictions / "new.csv", shift=1)
        (ready.workspace / "rules.toml").write_text(STRICT)
        inputs["rules"] = "rules.toml"
    elif code == 4:
        write(predictions / "new.csv", first=7)
    assert ready.run(**inputs) == code, ready.log
    assert ready.context["steps.gate.outputs.exit-code"] == str(code)
    if code == 2:
        assert "nothing" in ready.log
        assert not (ready.workspace / "gate").exists()
        return
    written = {p.name for p in (ready.workspace / "gate").iterdir()}
    assert FILES - {"report.html"} <= written
    assert json.loads((ready.workspace / "gate/gate.json").read_text())["exit_code"] == code
    if code != 4:  # files that cannot be paired make no page of both
        whole(ready.workspace / "gate")


def test_columns_with_spaces_and_several_groups(ready):
    table = ready.workspace / "predictions"
    for name in ("new.csv", "released.csv"):
        text = (table / name).read_text().splitlines()
        rows = ["id,label,p of $(touch x),a b,c"] + [
            f"{r},{'xy'[i % 2]}" for i, r in enumerate(text[1:])
        ]
        (table / name).write_text("\n".join(rows))
    columns = {"label": "label", "probability": "p of $(touch x)", "group": "a b\nc\n", "id": "id"}
    assert ready.run(**PAIR, **columns) == 0, ready.log
    assert not (ready.workspace / "x").exists()
    assert "a b" in (ready.workspace / "gate" / "report.html").read_text()


class TestWhoMayNotWrite:
    @pytest.mark.parametrize(
        "event",
        [
            {"github.event.pull_request.head.repo.full_name": "fork/theirs"},
            {"github.actor": "dependabot[bot]"},
        ],
    )
    def test_a_fork_does_not_fail_and_does_not_try(self, ready, event):
        ready.context |= event
        ready.variables["GH_REFUSES"] = "1"
        assert ready.run(**PAIR, **COLUMNS) == 0, ready.log
        assert not (ready.temp / "gh.log").exists()
        used = [name for name, _ in ready.used]
        assert "github/codeql-action/upload-sarif" not in used
        assert "actions/upload-artifact" in used
        whole(ready.workspace / "gate")

    def test_a_token_that_may_not_comment_does_not_fail_the_job(self, ready):
        ready.variables["GH_REFUSES"] = "1"
        assert ready.run(**PAIR, **COLUMNS) == 0, ready.log
        assert "::notice::no comment: give the job 'permissions" in ready.log

    def test_a_push_has_no_pull_request_to_comment_on(self, ready):
        ready.context["github.event_name"] = "push"
        for name in ("number", "head.repo.full_name"):
            del ready.context[f"github.event.pull_request.{name}"]
        assert ready.run(**PAIR, **COLUMNS) == 0, ready.log
        assert not (ready.temp / "gh.log").exists()
        assert "github/codeql-action/upload-sarif" in dict(ready.used)

    def test_what_may_fail_for_want_of_a_right_fails_alone(self):
        for step in _runner.ACTION["runs"]["steps"]:
            if "upload" in step.get("uses", ""):
                assert step["continue-on-error"] is True


def test_its_own_comment_is_changed_and_nobody_elses(ready):
    ready.variables["GH_COMMENTS"] = "41\n42"
    assert ready.run(**PAIR, **COLUMNS) == 0, ready.log
    log = (ready.temp / "gh.log").read_text()
    assert "--method PATCH repos/they/theirs/issues/comments/41 " in log
    assert "POST" not in log


@pytest.fixture(scope="module")
def trained(installed, variables, tmp_path_factory):
    """Somebody's suite, its run and its committed baseline."""
    from tests import _house  # imports torch, which most tests do without

    folder = tmp_path_factory.mktemp("trained")
    made = _house.build(folder, steps=4, own=False)
    made.rename(folder / "suite.toml")
    suite = folder / "suite.toml"
    suite.write_text(suite.read_text().replace('name = "small"', 'name = "own"'))
    tunefair = installed / "bin" / "tunefair"
    words = (("run", suite, "--jobs", "1"), ("baseline", "runs/own", "--out", "baseline"))
    for arguments in words:
        done = subprocess.run(
            [tunefair, *arguments],
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


class TestARun:
    def test_a_suite_is_trained_and_judged(self, ready, trained, tmp_path):
        """What the run sample does; what is finished is not trained again."""
        shutil.rmtree(ready.workspace)
        shutil.copytree(trained, ready.workspace)
        (step,) = (
            step["with"]
            for step in yaml.safe_load((CI / "github-run.yml").read_text())["jobs"]["gate"][
                "steps"
            ]
            if "tunefair" in step["uses"]
        )
        assert ready.run(**step) == 0, ready.log
        whole(ready.workspace / "gate", "report.json")

    def test_a_baseline_that_is_not_there_is_bad_input(self, ready, trained):
        shutil.copytree(trained / "runs", ready.workspace / "runs")
        assert ready.run(run="runs/own", baseline="nowhere") == 2
        assert "nowhere" in ready.log

    def test_a_suite_that_cannot_be_read_is_bad_input(self, ready):
        assert ready.run(suite="nowhere.toml", run="runs/own", baseline="baseline") == 2


class TestTheSamples:
    def test_github(self, ready):
        job = yaml.safe_load((CI / "github.yml").read_text())["jobs"]["gate"]
        (step,) = (s["with"] for s in job["steps"] if "tunefair" in s["uses"])
        assert ready.run(**step) == 0, ready.log
        whole(ready.workspace / "gate")

    @pytest.mark.parametrize(("wrong", "code"), [(5, 0), (2, 1)])
    def test_shell(self, theirs, variables, wrong, code):
        write(theirs / "predictions" / "new.csv", wrong=wrong)
        environment = os.environ | variables | {"PYTHON": sys.executable}
        done = subprocess.run(
            ["bash", CI / "gate.sh"],
            cwd=theirs,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        whole(theirs / "gate")

    @pytest.mark.parametrize("name", ["gate", "gate-run"])
    def test_gitlab(self, theirs, trained, variables, name):
        read = yaml.safe_load((CI / "gitlab.yml").read_text())
        job = read[".tunefair"] | read[name]
        if name == "gate-run":
            shutil.copytree(trained, theirs, dirs_exist_ok=True)
        environment = os.environ | variables
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        for line in (*job["before_script"], *job["script"], *job["after_script"]):
            done = subprocess.run(
                ["bash", "-ec", line],
                cwd=theirs,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (line, done.stderr)
        more = ["report.json"] if name == "gate-run" else []
        whole(theirs / job["artifacts"]["paths"][0], *more)
        assert (theirs / job["artifacts"]["reports"]["junit"]).exists()
