"""Verify that an exported folder is still what was proved, and still answers so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ..planning.identity import content_of
from ..preparing import prepare
from ..schema import BadInputError, Task
from ..storage import files, run_folder
from . import proof, record
from .record import ProofRow, Record
from .showing import bar
from .source import recorded_suite

DOCUMENTS = (".md",)
"""Endings of what people read, and fill in: no answer depends on it."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found."""

    record: Record
    documents: tuple[str, ...]
    """Documents that were edited."""
    probes: float
    """Largest difference of a probability of a made-up text."""
    rows: tuple[ProofRow, ...] = ()
    """The proof on the test texts again; empty where they are not here."""
    without: str = ""
    """Why the test texts are not here."""


def verify(
    folder: Path, run: Path | None, console: Console, *, strategy_path: Sequence[Path] = ()
) -> Verified:
    """Repeat the proof of a folder: checksums, made-up texts, and the test texts if they are here.

    Parameters
    ----------
    run : the run's folder, if it is not where it was
    strategy_path : folders with strategy files of the user's own

    Raises
    ------
    BadInputError
        A file was edited, removed or added, or an answer is not what it was.
    """
    documents = check_files(folder)
    known = record.read(folder)
    made_up = [probe.text for probe in known.probes]
    try:
        task = _task(folder, known, run)
    except BadInputError as error:
        if run is not None:
            raise
        with console.status("made-up texts, in a process without tunefair"):
            found = proof.alone(folder, proof.Request(made_up, known.classes)).probability
        moved = proof.check_probes(folder, known.probes, found)
        return Verified(record=known, documents=documents, probes=moved, without=str(error))
    expected = record.read_answers(folder)
    exam = proof.exam(task, expected, truncation=known.longer > 0)
    with bar(console, "test texts, in a process without tunefair") as progress:
        sat = exam.answers(folder, progress, probes=made_up, folders=strategy_path)
    moved = proof.check_probes(folder, known.probes, sat.probes)
    rows = proof.table(exam, sat.answers)
    proof.check(rows, known.bound, folder, ties=proof.ties(expected, known.bound))
    return Verified(record=known, documents=documents, probes=moved, rows=rows)


def check_files(folder: Path) -> tuple[str, ...]:
    """Return the edited documents of a sealed folder.

    What begins with a point, as `.git` and the hub's own files, is no part of it.

    Raises
    ------
    BadInputError
        The folder has no seal, or another file was edited, removed or added.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder")
    seal = folder / files.SEAL
    if not seal.is_file():
        raise BadInputError(f"{folder}: no {files.SEAL}, so no export; see `tunefair export`")
    sealed = files.read_json(seal)
    if not isinstance(sealed, dict):
        raise BadInputError(f"{seal}: not a list of checksums")
    there = dict(_files(folder))
    documents = []
    for name in sorted(sealed.keys() | there.keys()):
        fate = _fate(there.get(name), sealed.get(name))
        if fate == "edited" and name.endswith(DOCUMENTS):
            documents.append(name)
        elif fate:
            raise BadInputError(f"{folder / name}: {fate} since the export was proved")
    return tuple(documents)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name within the folder and the path of every file that a seal covers."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name != files.SEAL and not name.startswith(".") and not path.is_dir():
            yield name, path


def _fate(path: Path | None, sealed: str | None) -> str:
    """Return what became of a file; "" if it is as it was."""
    if path is None:
        return "removed"
    if sealed is None:
        return "added"
    return "edited" if path.is_symlink() or files.checksum(path) != sealed else ""


def _task(folder: Path, known: Record, run: Path | None) -> Task:
    """Return the task whose test texts the folder was proved on.

    Raises
    ------
    BadInputError
        The run or its data are not here, or are others by now.
    """
    place = run or (folder.resolve() / known.run).resolve()
    suite, beside = recorded_suite(place, run_folder.read_facts(place))
    prepared = prepare.prepare(suite, folder=beside, cache=place.parent / ".cache")
    if content_of(prepared.task, ()).examples != known.examples:
        raise BadInputError(f"{place}: its texts are not those that the export was proved on")
    return prepared.task
