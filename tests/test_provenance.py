"""The commit in a record is that of the code that ran, and asking for it runs nothing."""

import os
import shutil
import subprocess

import pytest

from tunefair.environment import provenance


def git(folder, *arguments):
    own = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *own, "-C", folder, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def program(tmp_path):
    """A program that leaves a canary, and the canary."""
    canary, file = tmp_path / "canary", tmp_path / "program"
    file.write_text(f"#!/bin/sh\ntouch {canary}\n")
    file.chmod(0o755)
    return file, canary


@pytest.fixture
def checkout(tmp_path):
    """A repository laid out as ours: folders, and links that make them one package."""
    top = tmp_path / "checkout"
    for folder in ("bench/reporting", "strategies", "reports/templates", "src"):
        (top / folder).mkdir(parents=True)
    (top / "src" / "tunefair").symlink_to("../bench")
    (top / "bench" / "strategies").symlink_to("../strategies")
    (top / "bench" / "reporting" / "templates").symlink_to("../../reports/templates")
    for file in ("bench/__init__.py", "strategies/full.py", "reports/templates/page.html"):
        (top / file).write_text("")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "first")
    return top


def foreign(tmp_path, program):
    """An installed package inside a repository that does not track it, and runs programs."""
    top = tmp_path / "theirs"
    package = top / ".venv" / "lib" / "site-packages" / "tunefair"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (top / "own.py").write_text("")
    (top / ".gitignore").write_text(".venv\n")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "theirs")
    run_by_git(top, program)
    return package / "__init__.py"


def run_by_git(top, program):
    """Make git run a program at every look into the index, and at every change of it."""
    git(top, "config", "core.fsmonitor", str(program))
    hook = top / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    shutil.copy(program, hook)


def test_the_program_would_be_run_without_our_care(checkout, program):
    """Else the tests below could not fail."""
    file, canary = program
    run_by_git(checkout, file)
    git(checkout, "status", "--porcelain")
    assert canary.exists()


def test_a_strangers_repository_is_not_ours_and_its_program_not_run(tmp_path, program):
    file, canary = program
    assert provenance.commit_of(foreign(tmp_path, file)) == ""
    assert not canary.exists()


def test_a_hook_of_a_strangers_repository_names_none_either(tmp_path, program, monkeypatch):
    """Git tells its hooks which repository it is, and we may be started by one."""
    file, canary = program
    installed = foreign(tmp_path, file)
    top = tmp_path / "theirs"
    (top / "__init__.py").write_text("")
    git(top, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "add", ".")
    canary.unlink(missing_ok=True)
    monkeypatch.setenv("GIT_DIR", str(top / ".git"))
    assert provenance.commit_of(installed) == ""
    assert not canary.exists()


def test_a_checkout_names_its_commit_through_the_link_and_runs_nothing(checkout, program):
    file, canary = program
    run_by_git(checkout, file)
    linked = checkout / "src" / "tunefair" / "__init__.py"
    canary.unlink(missing_ok=True)
    named = provenance.commit_of(linked)
    assert not canary.exists()
    assert named == git(checkout, "-c", "core.fsmonitor=false", "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "file", ["bench/__init__.py", "strategies/own.py", "reports/templates/page.html"]
)
def test_changed_code_is_said_and_other_files_are_not(checkout, file):
    linked = checkout / "src" / "tunefair" / "__init__.py"
    (checkout / "notes.txt").write_text("mine")
    assert not provenance.commit_of(linked).endswith("+changes")
    (checkout / file).write_text("changed = 1\n")
    assert provenance.commit_of(linked).endswith("+changes")


def test_no_repository_and_no_git_are_no_commit(tmp_path, checkout, monkeypatch):
    alone = tmp_path / "alone" / "tunefair"
    alone.mkdir(parents=True)
    (alone / "__init__.py").write_text("")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert provenance.commit_of(alone / "__init__.py") == ""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert provenance.commit_of(checkout / "bench" / "__init__.py") == ""
