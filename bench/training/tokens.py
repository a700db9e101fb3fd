"""Tokens: every text of a task is tokenised once, and each cell maps the result into memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from ..schema import Array, BadInputError, Task
from ..suite import ModelChoice
from . import model as models

ORIGINAL = "original"
CUT = "cut.npy"
"""File of the task's rows whose original text is longer than the model reads."""
_INDEX = "index.json"
_CHUNK = 10_000  # texts at a time: Encoding objects are a hundred times larger than their ids


class Encoded(NamedTuple):
    """One view's texts as token ids, one after the other."""

    row: Array  # (m,) int64: the task's row of each text; a view holds only rows that it changes
    start: Array  # (m + 1,) int64: text i is token[start[i] : start[i + 1]]
    token: Array  # (total,) int32
    segment: Array | None  # (total,) int8: which text of a pair, where the model reads that

    @property
    def length(self) -> Array:
        """Tokens of each text, special ones included: (m,) int64."""
        return np.diff(self.start)

    def entries(self, rows: Array) -> Array:
        """Return which texts belong to those of the task's `rows` that the view holds."""
        return np.flatnonzero(np.isin(self.row, rows))


def gathered(parts: Sequence[tuple[Encoded, Array]]) -> Encoded:
    """Return some texts of several views, each given by its entries, as one view in memory."""
    texts = [
        slice(begin, end)
        for view, entries in parts
        for begin, end in zip(view.start[entries], view.start[entries + 1], strict=True)
    ]
    of = [view for view, entries in parts for _ in entries]
    pairs = list(zip(of, texts, strict=True))
    segments = [view.segment[text] for view, text in pairs if view.segment is not None]
    return Encoded(
        row=np.concatenate([view.row[entries] for view, entries in parts]),
        start=np.cumsum([0, *(text.stop - text.start for text in texts)]),
        token=np.concatenate([view.token[text] for view, text in pairs]),
        segment=np.concatenate(segments) if segments else None,
    )


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A tokenised task: view -> its texts; `pad` fills rows up."""

    pad: int
    views: Mapping[str, Encoded]

    @classmethod
    def open(cls, folder: Path) -> "Tokens":
        """Map what `encode` wrote; nothing is read before it is used."""
        index = json.loads((folder / _INDEX).read_text())
        views = {view: _read(folder, number) for number, view in enumerate(index["views"])}
        return cls(pad=index["pad"], views=views)


def encode(task: Task, model: ModelChoice, folder: Path) -> None:
    """Tokenise the texts, pairs and views of a task into `folder`.

    Raises
    ------
    BadInputError
        The model's tokenizer is missing or reads fewer tokens than `max_tokens`, or a text
        holds no token at all.
    """
    tokenizer, pad, reads_segments = models.tokenizer(model)
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.max_tokens)
    segments = reads_segments and task.text_pair is not None
    views = {ORIGINAL: task.text, **task.views}
    for number, (name, text) in enumerate(views.items()):
        view, cut = _encode_view(tokenizer, task, text, segments)
        _write(folder, number, view)
        if name == ORIGINAL:
            np.save(folder / CUT, cut, allow_pickle=False)
    index = {"pad": pad, "views": list(views)}
    (folder / _INDEX).write_text(json.dumps(index, ensure_ascii=False))


def _encode_view(
    tokenizer: Tokenizer, task: Task, text: Array, segments: bool
) -> tuple[Encoded, Array]:
    """Return a view's tokens, and the task's rows whose texts were cut."""
    row = np.flatnonzero(text != "")
    inputs = _inputs(text[row], None if task.text_pair is None else task.text_pair[row])
    parts = [
        (
            _column(e.ids for e in some),
            _column(e.type_ids for e in some),
            [len(e) for e in some],
            [bool(e.overflowing) for e in some],
        )
        for some in _chunks(tokenizer, inputs)
    ]
    token, segment, length, cut = (np.concatenate(column) for column in zip(*parts, strict=True))
    if (length == 0).any():
        empty = task.example_id[row][length == 0][0]
        raise BadInputError(f"task {task.name!r}: the text of {empty} holds no token")
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    kinds = segment.astype(np.int8) if segments else None
    return Encoded(row, start, token, kinds), row[cut.astype(bool)]


def _inputs(text: Array, pair: Array | None) -> list[str] | list[tuple[str, str]]:
    if pair is None:
        return [str(t) for t in text]
    return [(str(t), str(p)) for t, p in zip(text, pair, strict=True)]


def _chunks(
    tokenizer: Tokenizer, inputs: list[str] | list[tuple[str, str]]
) -> Iterator[list[Encoding]]:
    for begin in range(0, max(len(inputs), 1), _CHUNK):
        yield tokenizer.encode_batch_fast(inputs[begin : begin + _CHUNK])


def _column(lists: Iterator[list[int]]) -> Array:
    return np.concatenate([np.zeros(0, np.int32), *(np.asarray(i, np.int32) for i in lists)])


def _write(folder: Path, number: int, view: Encoded) -> None:
    for name, column in view._asdict().items():
        if column is not None:
            np.save(folder / f"{number}.{name}.npy", column, allow_pickle=False)


def _read(folder: Path, number: int) -> Encoded:
    paths = {name: folder / f"{number}.{name}.npy" for name in Encoded._fields}
    columns: dict[str, Any] = dict.fromkeys(Encoded._fields)
    for name, path in paths.items():
        if path.exists():
            columns[name] = np.load(path, mmap_mode="r", allow_pickle=False)
    return Encoded(**columns)
