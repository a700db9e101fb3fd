"""Inputs nobody thought of: no traceback, no hang over five seconds, no partial output.

A few hundred of each in the fast tier; `make fuzz` draws 20,000 of each.
"""

import contextlib
import io
import shutil
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, event, given, settings

from tests import _fuzz, _runs
from tunefair import run as stages
from tunefair import suite as suites
from tunefair.cli import app
from tunefair.gating import snapshot
from tunefair.planning import plan
from tunefair.planning.identity import TaskContent
from tunefair.schema import BadInputError

fuzz = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, *_fuzz.SLOW]
)
read_once = cache(snapshot.of_run)
EXIT_CODES = {0, 1, 2, 3, 4}


@pytest.fixture(scope="module")
def folder():
    """A folder that every example fills again."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextlib.contextmanager
def five_seconds():
    """Of processor time: a busy machine is no hang."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < 5


def called(*arguments: object) -> tuple[int, str, str]:
    """Call the command line in this process; return its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["tunefair", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            with five_seconds():
                app.main()
        except SystemExit as ended:
            code = ended.code or 0
    return code, out.getvalue(), err.getvalue()


def assert_clean(code: int, out: str, err: str, written: list[Path]) -> None:
    """One line and nothing written where input is bad; nothing that a terminal would obey."""
    assert code in EXIT_CODES
    event(f"exit code {code}")
    assert "Traceback" not in err
    assert all(c == "\n" or c.isprintable() for c in out + err if ord(c) < 0xA0)
    if code == 2:
        assert len(err.strip().splitlines()) == 1, err
        assert not any(path.exists() for path in written)


@fuzz
@given(text=_fuzz.suite_texts())
def test_a_suite_is_read_or_refused(folder, text):
    path = folder / "suite.toml"
    path.write_bytes(text)
    try:
        with five_seconds():
            read(path, folder)
        event("read")
    except BadInputError:
        event("refused")


def read(path, folder):
    """Read a suite as far as its cells."""
    suite = suites.read(path)
    stages.check_names(suite)
    cells = plan.cells(
        suite, folder=folder, task=TaskContent(examples="0"), model="0", attribute="group"
    )
    assert cells


@fuzz
@given(drawn=_fuzz.predictions())
def test_predictions_are_audited_or_refused(folder, drawn):
    name, content, flags = drawn
    file, wanted = folder / name, folder / "out.json"
    file.write_bytes(content)
    wanted.unlink(missing_ok=True)
    found = called("audit", file, *flags, "--replicates", 100, "--json", wanted)
    assert_clean(*found, [wanted])
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == []


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A small run and its baseline."""
    folder = tmp_path_factory.mktemp("judged")
    new, _ = _runs.pair(n=60, labels=("full",))
    _runs.write(folder / "run", new, settings=_fuzz.SETTINGS, rules=_fuzz.RULES)
    assert called("baseline", folder / "run", "--out", folder / "base")[0] == 0
    return folder


@fuzz
@given(corrupt=_fuzz.corruptions())
def test_a_baseline_is_judged_against_or_refused(judged, corrupt):
    base, wanted = judged / "corrupted", judged / "out.json"
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(judged / "base", base)
    wanted.unlink(missing_ok=True)
    corrupt(base)
    with mock.patch.object(snapshot, "of_run", read_once):  # the run stays as it is
        found = called("gate", judged / "run", "--baseline", base, "--json", wanted)
    assert_clean(*found, [wanted])


def test_what_is_fuzzed_is_valid_before_it_is_spoilt(folder, judged):
    """Else the inputs would all be refused at the door."""
    path = folder / "suite.toml"
    path.write_bytes(_fuzz.SUITE)
    stages.check_names(suites.read(path))
    for name, content in _fuzz.TABLES.items():
        (folder / name).write_bytes(content)
        assert called("audit", folder / name, *_fuzz.FLAGS, "--replicates", 100)[0] == 0
    assert called("gate", judged / "run", "--baseline", judged / "base")[0] == 0
