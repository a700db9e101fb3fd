"""Ctrl-C and SIGTERM: a run stops in one line, leaves no worker, and goes on where it ended."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import _house
from tunefair.storage import files

pytestmark = pytest.mark.slow
GOES_ON = "tunefair: stopped; the same command goes on where this one ended"


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Four cells of a second or two each."""
    return _house.build(tmp_path_factory.mktemp("house"), steps=60, own=False)


@pytest.fixture(scope="module")
def undisturbed(suite, tmp_path_factory):
    """The predictions of a run that nobody stops."""
    runs = tmp_path_factory.mktemp("undisturbed")
    assert _house.tunefair("run", suite, "--runs", runs).returncode == 0
    return _house.predictions(runs / "small")


@pytest.fixture(autouse=True)
def _heard():
    """A shell makes what it runs in the background deaf to Ctrl-C: the tests too, perhaps."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def started(*arguments):
    """The command line in a process group of its own, as a shell runs it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tunefair", *map(str, arguments)],
        env=os.environ | {"TUNEFAIR_CHECKPOINT_SECONDS": "0", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            for one in alive(process.pid):
                os.kill(int(one), signal.SIGKILL)


def alive(group):
    """Return the processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def finished(run):
    """Return the predictions of the cells that bear their name."""
    found = _house.predictions(run)
    return {cell: content for cell, content in found.items() if not cell.startswith(".")}


def reading(runs, process):
    return (runs / "small" / ".lock").exists()


def starting_workers(runs, process):
    """The launcher, multiprocessing's tracker, and the fork server, which imports."""
    return len(alive(process.pid)) >= 3


def training(runs, process):
    return any((runs / "small").glob("cells/.*.checkpoints/[0-9]*"))


def after_a_cell(runs, process):
    return finished(runs / "small")


@pytest.mark.parametrize(
    ("stop", "moment"),
    [
        (signal.SIGINT, reading),
        (signal.SIGINT, starting_workers),
        (signal.SIGINT, training),
        (signal.SIGINT, after_a_cell),
        (signal.SIGTERM, training),
    ],
)
def test_a_stopped_run_says_how_to_go_on_and_does(stop, moment, suite, undisturbed, tmp_path):
    command = ("run", suite, "--runs", tmp_path, "--jobs", 2)
    with started(*command) as process:
        wait_until(lambda: moment(tmp_path, process))
        os.killpg(process.pid, stop)
        _, said = process.communicate(timeout=60)
        wait_until(lambda: not alive(process.pid), seconds=5)
    assert process.returncode == 128 + stop
    progress = (" finished", "to be trained")
    lines = [line for line in said.splitlines() if not any(word in line for word in progress)]
    assert lines == [GOES_ON]
    for cell, content in finished(tmp_path / "small").items():
        assert files.is_sealed(tmp_path / "small" / "cells" / cell)
        assert content == undisturbed[cell]
    again = _house.tunefair(*command)
    assert again.returncode == 0, again.stderr
    assert _house.predictions(tmp_path / "small") == undisturbed
