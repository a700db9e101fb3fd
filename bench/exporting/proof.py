"""Proof: the folder, run where tunefair cannot be imported, answers as was audited."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from ..schema import Array, BadInputError, Predictions, Task
from ..training.second_stage import UNKNOWN
from . import revision
from .fold import Head, UnfoldableError
from .record import Answers, Bound, Probe, ProofRow

SCRIPT = Path(__file__).with_name("alone.py")
_FP32 = Bound(1e-5, 0.0, "fp32")
_BF16 = Bound(0.02, 0.003, "the cell computed in bf16, the folder computes in fp32")
_TF32 = Bound(0.005, 0.003, "the cell computed products in TF32, the folder computes in fp32")
_HALF_ULP = 2.0**-11
"""Largest relative error of a number in half precision."""
_CURVED = 1e-3
"""Of probabilities, where hidden vectors were rounded to half precision."""
_PROBES, _PROBE_WORDS = 32, 12
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
Progress = Callable[[int, int], None]
"""Called with how many texts are done, and of how many."""


class Request(NamedTuple):
    """Texts to be classified by a folder alone."""

    texts: Sequence[str | dict[str, str]]
    classes: Sequence[str]
    hidden: bool = False
    """Whether the vectors that the head reads are wanted too."""
    truncation: bool = False
    """Whether the pipeline is told to cut texts; it does not do so by itself."""
    batch_size: int = 32


class Alone(NamedTuple):
    """What a folder answered."""

    probability: Array  # (n, n_classes) float64
    hidden: Array | None  # (n, hidden_size) float32

    def first(self, n: int) -> "Alone":
        """Return the answers to the first n texts."""
        return Alone(self.probability[:n], None if self.hidden is None else self.hidden[:n])

    def predictions(
        self, example_id: Array, groups: Mapping[str, Array], classes: Sequence[str]
    ) -> Predictions:
        """Return the answers as predictions of unknown labels: the most probable class each."""
        return Predictions(
            example_id=example_id,
            label=np.full(len(example_id), UNKNOWN),
            groups=groups,
            prediction=self.probability.argmax(axis=1),
            probability=self.probability,
            classes=tuple(classes),
            hidden=self.hidden,
        )


def alone(folder: Path, request: Request, progress: Progress = lambda done, of: None) -> Alone:
    """Classify texts with transformers' pipeline in a process where tunefair cannot be imported.

    Raises
    ------
    BadInputError
        The process fails; its last line says why.
    """
    if not request.texts:
        return Alone(np.zeros((0, len(request.classes))), None)
    with TemporaryDirectory(prefix="tunefair-proof-") as scratch:
        asked, answer = Path(scratch) / "request.json", Path(scratch) / "answer.npz"
        content = request._asdict() | {
            "folder": str(folder.resolve()),
            "threads": int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))),
        }
        asked.write_text(json.dumps(content))
        _run(
            [sys.executable, "-I", str(SCRIPT.resolve()), str(asked), str(answer)],
            progress,
            request,
        )
        with np.load(answer, allow_pickle=False) as found:
            hidden = found["hidden"] if request.hidden else None
            return Alone(found["probability"], hidden)


def _run(command: list[str], progress: Progress, request: Request) -> None:
    own = {k: v for k, v in os.environ.items() if k in _PASSED_ON}
    own |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_WAIT_POLICY": "passive"}
    with (
        TemporaryDirectory(prefix="tunefair-home-") as nowhere,
        (Path(nowhere) / "err").open("w+") as told,
    ):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=told, text=True, cwd=nowhere, env=own
        ) as process:
            for line in process.stdout or ():
                if line.strip().isdigit():
                    progress(int(line), len(request.texts))
        if process.returncode:
            told.seek(0)
            last = (told.read().strip().splitlines() or [f"exit code {process.returncode}"])[-1]
            raise BadInputError(
                f"the exported folder cannot be run by transformers alone: {last[:300]}"
            )


def texts_of(task: Task, rows: Array) -> list[str | dict[str, str]]:
    """Return texts as a pipeline takes them: pairs as objects."""
    if task.text_pair is None:
        return [str(task.text[row]) for row in rows]
    return [{"text": str(task.text[r]), "text_pair": str(task.text_pair[r])} for r in rows]


class Sat(NamedTuple):
    """What a folder answered in an exam."""

    answers: Predictions
    probes: Array  # (m, n_classes) float64, of the made-up texts


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Test texts, and the audited answers that a folder is to give them."""

    task: Task
    rows: Array
    """Rows of the task, in the order of the answers."""
    expected: Answers
    truncation: bool

    @property
    def groups(self) -> dict[str, Array]:
        """Attribute -> group of every text."""
        return {name: column[self.rows] for name, column in self.task.groups.items()}

    def answers(
        self,
        folder: Path,
        progress: Progress,
        *,
        probes: Sequence[str] = (),
        folders: Sequence[Path] = (),
    ) -> Sat:
        """Return what the folder answers, as `tunefair predict` would give it.

        Parameters
        ----------
        probes : made-up texts, which the model alone answers
        folders : strategy files of the user's own
        """
        learned = revision.read(folder)
        request = Request(
            texts=[*texts_of(self.task, self.rows), *probes],
            classes=self.task.classes,
            hidden=learned is not None and learned.reads_hidden,
            truncation=self.truncation,
        )
        found = alone(folder, request, progress)
        n = len(self.rows)
        ids = self.task.example_id[self.rows]
        plain = found.first(n).predictions(ids, self.groups, self.task.classes)
        return Sat(revision.apply(folder, plain, folders=folders), found.probability[n:])


def exam(task: Task, expected: Answers, *, truncation: bool) -> Exam:
    """Return the exam on the examples that the audited answers are of.

    Raises
    ------
    BadInputError
        The task has not all of them.
    """
    place = {example: row for row, example in enumerate(task.example_id.tolist())}
    try:
        rows = np.array([place[example] for example in expected.example_id.tolist()], np.int64)
    except KeyError as missing:
        raise BadInputError(f"task {task.name!r}: no example {missing} any more") from None
    return Exam(task=task, rows=rows, expected=expected, truncation=truncation)


def table(exam: Exam, found: Predictions) -> tuple[ProofRow, ...]:
    """Return the largest difference and the flips, of all texts and by group."""
    difference = np.abs(np.asarray(found.probability) - exam.expected.probability).max(axis=1)
    flipped = found.prediction != exam.expected.prediction
    rows = [("", "", np.ones(len(difference), bool))]
    for attribute, column in exam.groups.items():
        rows += [(attribute, str(g), column == g) for g in np.unique(column)]
    return tuple(
        ProofRow(
            attribute, group, int(of.sum()), float(difference[of].max()), int(flipped[of].sum())
        )
        for attribute, group, of in rows
    )


def ties(expected: Answers, bound: Bound) -> int:
    """Return how many audited answers are so even that the bound lets them go either way."""
    first, second = np.sort(expected.probability, axis=1)[:, :-3:-1].T
    return int((first - second <= 2 * bound.max_difference).sum())


def check(rows: Sequence[ProofRow], bound: Bound, folder: Path, *, ties: int) -> None:
    """Refuse a folder whose answers are further from the audited ones than its bound.

    Raises
    ------
    BadInputError
        They are.
    """
    whole = rows[0]
    allowed = bound.flip_share * whole.n + ties
    if whole.max_difference > bound.max_difference or whole.flips > allowed:
        raise BadInputError(
            f"{folder}: its answers are not those that were audited: probabilities differ by up "
            f"to {whole.max_difference:.2g} (allowed: "
            f"{bound.max_difference:.2g}, {bound.because}); "
            f"{whole.flips} of {whole.n} decisions differ (allowed: {allowed:.0f})"
        )


def bound(hardware: Mapping[str, str]) -> Bound:
    """Return how far fp32 on a CPU may be from what a cell computed."""
    if "bf16" in hardware.get("precision", ""):
        return _BF16
    return _TF32 if hardware.get("device", "").startswith("cuda") else _FP32


def with_half(found: Bound, head: Head, hidden: Array) -> Bound:
    """Return the bound where the audited answers were computed from rounded hidden vectors.

    A number in half precision is off by 2^-11 of itself at most, so two logits part by at most
    2^-11 Σ |w - w'| |h|, and a probability moves by at most a quarter of that.

    Raises
    ------
    UnfoldableError
        They may differ by more than 0.001.
    """
    size = np.abs(hidden.astype(np.float64)) * _HALF_ULP
    moved = 0.0
    for one in range(len(head.weight)):
        for other in range(one):
            apart = size @ np.abs(head.weight[one] - head.weight[other])
            moved = max(moved, float(apart.max(initial=0.0)))
    if moved / 4 > _CURVED:
        raise UnfoldableError(
            "the audited answers were computed from hidden vectors in half precision, which moves "
            f"probabilities by up to {moved / 4:.2g}"
        )
    return Bound(
        found.max_difference + moved / 4,
        found.flip_share,
        f"{found.because}; hidden vectors that the audited answers were computed from are stored "
        "in half precision",
    )


def around(found: Bound) -> Bound:
    """Return the bound where hidden vectors in half precision go through no linear head."""
    return found._replace(
        max_difference=max(found.max_difference, _CURVED),
        because=f"{found.because}; the revision reads hidden vectors in half precision",
    )


def made_up(folder: Path) -> Iterator[str]:
    """Yield texts of random words of the tokenizer's vocabulary: they need no data."""
    rng = np.random.default_rng(0)
    content: Any = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    entries = vocabulary if isinstance(vocabulary, dict) else [entry[0] for entry in vocabulary]
    words = sorted(w for w in entries if w.isascii() and w.isalnum()) or ["text"]
    for _ in range(_PROBES):
        yield " ".join(rng.choice(words, rng.integers(2, _PROBE_WORDS)).tolist())


def check_probes(folder: Path, known: Sequence[Probe], found: Array) -> float:
    """Return the largest difference of a probability of a made-up text.

    Raises
    ------
    BadInputError
        It is larger than fp32 explains.
    """
    expected = np.array([probe.probability for probe in known])
    moved = float(np.abs(found - expected).max(initial=0.0))
    if not math.isfinite(moved) or moved > _FP32.max_difference:
        raise BadInputError(
            f"{folder}: made-up texts get other probabilities than when it was exported (by up to "
            f"{moved:.2g}, allowed {_FP32.max_difference:.2g})"
        )
    return moved
