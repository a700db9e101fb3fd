"""The store as a state machine: cells are written, interrupted, corrupted, planned and resumed.

An interruption is a death in the middle of any writing call: no later call happens, not even
those that would clean up, and what was not synced is torn. A person edits, cuts, removes, adds
and links files, and takes folders away.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rich.console import Console

from tests import _models, _runs
from tunefair import run as stages
from tunefair.facts import CellFacts
from tunefair.launch.slots import Slots
from tunefair.launch.worker import Job
from tunefair.schema import Outcome
from tunefair.storage import files, records, run_folder

Content = dict[str, bytes]
CELLS = ("0a", "0b", "0b1")
WRITING = (
    (tempfile, "mkstemp"), (tempfile, "mkdtemp"), (os, "fsync"), (os, "mkdir"), (Path, "chmod"),
    (Path, "rename"), (Path, "replace"), (os, "unlink"), (os, "rmdir"),
    (shutil, "copyfile"),
)  # fmt: skip


def no_sync(handle: int) -> None:
    """A sync, without waiting for the disk: what a death tears is simulated."""


class Died(BaseException):
    """What no handler on the way expects: the power goes."""


@contextmanager
def dying(at: int, torn: float) -> Iterator[None]:
    """Die in the writing call number `at`, after it or, if it is a sync, with a torn file."""
    made = 0

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*arguments: Any, **options: Any) -> Any:
            nonlocal made
            made += 1
            if made > at:
                raise Died
            result = call(*arguments, **options)
            if made == at:
                if call is no_sync:
                    os.ftruncate(arguments[0], int(torn * os.fstat(arguments[0]).st_size))
                raise Died
            return result

        return guard

    with ExitStack() as patches:
        for owner, name in WRITING:
            patch = mock.patch.object(owner, name, guarded(getattr(owner, name)))
            patches.enter_context(patch)
        with suppress(Died):
            yield


@cache
def outcome(cell: str) -> Outcome:
    """What training this cell leaves behind, always the same."""
    rng = np.random.default_rng(int(cell, 16))
    made = _models.strategy(_models.examples(6, rng), rng, seeds=1)
    test = made.test[0]
    return Outcome(
        test={"original": test}, validation=test, ledger=_runs.ledger(0), curve=(), hardware={}
    )


def fill(cell: str, folder: Path) -> None:
    """Write a cell as a worker does."""
    records.write_outcome(folder, outcome(cell))
    files.write(folder / "model" / "weights", cell * 9)


def content(folder: Path) -> Content:
    """Return the bytes of every file in a folder, or of what stands there instead."""
    paths = [folder, *folder.rglob("*")] if not folder.is_symlink() else [folder]
    return {
        str(path.relative_to(folder)): bytes(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in paths
        if path.is_symlink() or path.is_file()
    }


@cache
def written(cell: str) -> Content:
    """Return what a cell holds that nothing interrupted."""
    with tempfile.TemporaryDirectory() as name:
        fill(cell, Path(name))
        return content(Path(name))


def is_whole(cell: str, folder: Path) -> bool:
    """Whether a folder holds what was written, told without the code under test."""
    if (
        folder.is_symlink()
        or not folder.is_dir()
        or any(p.is_symlink() for p in folder.rglob("*"))
    ):
        return False
    found = content(folder)
    seal = found.pop(files.SEAL, b"")
    try:
        sealed = json.loads(seal)
    except ValueError:
        return False
    sums = {name: hashlib.sha256(part).hexdigest() for name, part in found.items()}
    return found == written(cell) and sealed == sums


def edit(path: Path, at: float) -> None:
    """Turn one bit."""
    data = bytearray(path.read_bytes() or b"x")
    data[int(at * len(data))] ^= 1
    path.write_bytes(data)


def cut(path: Path, at: float) -> None:
    """Leave the beginning only."""
    path.write_bytes(path.read_bytes()[: int(at * path.stat().st_size)])


def link(path: Path, at: float) -> None:
    """Put a link to a copy, or to nothing, in a file's place."""
    run = next(parent for parent in path.parents if parent.name == "cells").parent
    if at < 0.5:
        shutil.copy(path, run / "copy")
    path.unlink()
    path.symlink_to(run / "copy")


def add(path: Path, at: float) -> None:
    """Put another file beside."""
    path.with_name(f"more{at:.1f}").write_bytes(b"")


def remove(path: Path, at: float) -> None:
    """Take a file away."""
    path.unlink()


class FakeLauncher:
    """Writes every cell that it is given, or tells why it failed; notes which were asked for."""

    def __init__(self, finished: Callable[[Job, str], None], failing: str) -> None:
        self.finished, self.failing, self.asked = finished, failing, set[str]()

    def launch(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.asked.add(job.cell.id)
            if job.cell.id != self.failing:
                files.write_sealed(job.destination, partial(fill, job.cell.id))
            self.finished(job, "diverged" if job.cell.id == self.failing else "")


moments = st.integers(1, 40)  # a cell takes some thirty calls
shares = st.floats(0, 1, exclude_max=True)
cells = st.sampled_from(CELLS)


def planned(cell: str) -> SimpleNamespace:
    """Return a cell as a plan has it, with nothing to train."""
    made = SimpleNamespace(id=cell, label=cell, seed=0, asked=True, first=None, keeps={})
    made.trains, made.keeping = True, lambda artefacts: made
    return made


class Store(RuleBasedStateMachine):
    """One run's folder, what is finished in it, and what was damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.run = Path(tempfile.mkdtemp())
        self.patches = ExitStack()
        self.patches.enter_context(mock.patch.object(os, "fsync", no_sync))
        self.finished = set[str]()
        self.failed = set[str]()
        self.emptied = set[str]()
        self.damaged: list[tuple[str, Content]] = []

    def teardown(self) -> None:
        self.patches.close()
        shutil.rmtree(self.run)

    def place(self, cell: str) -> Path:
        return run_folder.cell_folder(self.run, cell)

    def jobs(self) -> list[Job]:
        nowhere = {"task_file": self.run, "tokens_folder": self.run}
        return [
            Job(
                cell=planned(cell),
                destination=self.place(cell),
                **nowhere,
            )
            for cell in CELLS
        ]

    def note(self) -> None:
        """Remember what a death left whole: it must stay so."""
        self.finished |= {cell for cell in CELLS if is_whole(cell, self.place(cell))}
        self.failed = {c for c in CELLS if run_folder.failure_file(self.run, c).is_file()}

    @rule(cell=cells)
    def write(self, cell: str) -> None:
        files.write_sealed(self.place(cell), partial(fill, cell))
        assert is_whole(cell, self.place(cell))
        self.finished.add(cell)

    @rule(cell=cells, at=moments, torn=shares)
    def die_writing(self, cell: str, at: int, torn: float) -> None:
        with dying(at, torn):
            files.write_sealed(self.place(cell), partial(fill, cell))
        self.note()

    @rule(cell=cells, at=moments, torn=shares)
    def die_writing_a_checkpoint(self, cell: str, at: int, torn: float) -> None:
        folder = self.place(cell).with_name(f".{cell}.checkpoints")
        with dying(at, torn):
            files.write_sealed(folder / "5", lambda draft: files.write(draft / "state.json", "{}"))

    @precondition(lambda self: self.finished)
    @rule(data=st.data(), corrupt=st.sampled_from([edit, cut, link, add, remove]), at=shares)
    def corrupt(
        self, data: st.DataObject, corrupt: Callable[[Path, float], None], at: float
    ) -> None:
        cell = data.draw(st.sampled_from(sorted(self.finished)))
        found = sorted(p for p in self.place(cell).rglob("*") if p.is_file())
        corrupt(data.draw(st.sampled_from(found)), at)
        if not is_whole(cell, self.place(cell)):
            self.finished.remove(cell)
            self.damaged.append((cell, content(self.place(cell))))

    @precondition(lambda self: self.finished)
    @rule(data=st.data(), instead=st.sampled_from(["nothing", "a folder", "a file", "a link"]))
    def take_away(self, data: st.DataObject, instead: str) -> None:
        cell = data.draw(st.sampled_from(sorted(self.finished)))
        shutil.rmtree(self.place(cell))
        self.finished.remove(cell)
        if instead == "a folder":
            self.place(cell).mkdir()
            self.emptied.add(cell)
        elif instead == "a file":
            self.place(cell).write_bytes(b"mine")
            self.damaged.append((cell, content(self.place(cell))))
        elif instead == "a link":
            self.place(cell).symlink_to(self.run / "elsewhere")
            self.damaged.append((cell, content(self.place(cell))))

    @precondition(lambda self: self.shelf())
    @rule(data=st.data())
    def clear_the_shelf(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.shelf()))
        cell = gone.name.rpartition("-")[0]
        if (cell, content(gone)) in self.damaged:
            self.damaged.remove((cell, content(gone)))
        shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink()

    def shelf(self) -> list[Path]:
        found = self.run / "cells" / "set-aside"
        return sorted(found.iterdir()) if found.is_dir() else []

    def resume(self, failing: str) -> set[str]:
        """Do what `tunefair run` does once a suite is read; return the cells asked for."""
        asked = set[str]()

        def launcher(wishes: Any, slots: Any, watch: Any, finished: Any) -> FakeLauncher:
            made = FakeLauncher(finished, failing)
            made.asked = asked
            return made

        wishes = SimpleNamespace(console=Console(file=io.StringIO()))
        with mock.patch.object(stages, "_launcher", launcher):
            stages.train_missing(self.jobs(), self.run, Slots(["cpu"]), wishes)
        return asked

    @rule(failing=st.sampled_from(["", *CELLS]))
    def run_again(self, failing: str) -> None:
        missing = set(CELLS) - self.finished
        assert self.resume(failing) == missing
        self.finished |= missing - {failing}
        self.failed = (self.failed - missing) | (missing & {failing})
        hidden = {p.name for p in (self.run / "cells").glob(".*")}
        assert hidden <= {f".{cell}.checkpoints" for cell in missing}

    @rule(failing=st.sampled_from(["", *CELLS]), at=st.integers(1, 150), torn=shares)
    def die_running(self, failing: str, at: int, torn: float) -> None:
        with dying(at, torn):
            self.resume(failing)
        self.note()

    @invariant()
    def whole_or_not_finished(self) -> None:
        """What counts as finished is what was written; a death undoes and tears nothing."""
        for cell in CELLS:
            folder = self.place(cell)
            assert is_whole(cell, folder) == (cell in self.finished)
            assert files.is_sealed(folder) == (cell in self.finished)
            if folder.exists() and cell not in self.finished:
                empty = cell in self.emptied and not content(folder)
                assert empty or (cell, content(folder)) in self.damaged

    @invariant()
    def read_as_written(self) -> None:
        for cell in CELLS:
            seen = run_folder._with_status(self.run, CellFacts(id=cell, strategy=cell, seed=0))
            fate = "failed" if cell in self.failed else "missing"
            assert seen.status == ("finished" if cell in self.finished else fate)
            if seen.status == "finished":
                assert seen.ledger == outcome(cell).ledger

    @invariant()
    def nothing_damaged_is_deleted(self) -> None:
        kept = [(p.name.rpartition("-")[0], content(p)) for p in self.shelf()]
        kept += [(c, content(self.place(c))) for c in CELLS if os.path.lexists(self.place(c))]
        for one in self.damaged:
            assert one in kept
            kept.remove(one)

    @invariant()
    def no_leftover_bears_a_cells_name(self) -> None:
        if (self.run / "cells").is_dir():
            names = {p.name for p in (self.run / "cells").iterdir() if not p.name.startswith(".")}
            assert names <= {*CELLS, "set-aside"}


Store.TestCase.settings = settings(deadline=None, stateful_step_count=12)
TestStore = Store.TestCase
