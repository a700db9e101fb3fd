"""Tokens: the texts of a task are tokenised once; each cell maps the result into memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from ..schema import Array, BadInputError, Task
from ..storage import files
from ..suite import ModelChoice
from . import model as models

ORIGINAL = "original"
CUT = "cut.npy"
"""File of the task's rows whose original text is longer than the model reads."""
_INDEX = "index.json"
_CHUNK = 10_000  # texts at a time: Encoding objects are a hundred times larger than their ids


class Encoded(NamedTuple):
    """The token ids of one view's texts, in one array."""

    row: Array  # (m,) int64: the task's row of each text; a view has only the rows it changes
    start: Array  # (m + 1,) int64: text i is token[start[i] : start[i + 1]]
    token: Array  # (total,) int32
    segment: Array | None  # (total,) int8: which text of a pair; None: the model does not read it

    @property
    def length(self) -> Array:
        """Tokens of each text, special ones included: (m,) int64."""
        return np.diff(self.start)

    def entries(self, rows: Array) -> Array:
        """Return the numbers of the view's texts that belong to some of the task's rows."""
        return np.flatnonzero(np.isin(self.row, rows))


def gathered(parts: Sequence[tuple[Encoded, Array]]) -> Encoded:
    """Return texts of several views, given by their numbers, as one view in memory."""
    texts = [
        slice(begin, end)
        for view, entries in parts
        for begin, end in zip(view.start[entries], view.start[entries + 1], strict=True)
    ]
    views = [view for view, entries in parts for _ in entries]
    pairs = list(zip(views, texts, strict=True))
    segments = [view.segment[text] for view, text in pairs if view.segment is not None]
    return Encoded(
        row=np.concatenate([view.row[entries] for view, entries in parts]),
        start=np.cumsum([0, *(text.stop - text.start for text in texts)]),
        token=np.concatenate([view.token[text] for view, text in pairs]),
        segment=np.concatenate(segments) if segments else None,
    )


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens of a task."""

    pad: int
    """The token that fills shorter texts up."""
    views: Mapping[str, Encoded]
    """View -> its texts."""

    @classmethod
    def open(cls, folder: Path) -> "Tokens":
        """Map what `encode` wrote into memory; a part is read when it is used."""
        index = files.read_json(folder / _INDEX)
        views = {view: _read(folder, number) for number, view in enumerate(index["views"])}
        return cls(pad=index["pad"], views=views)


@dataclass(frozen=True)
class TokenisedTask:
    """A task and its tokens."""

    task: Task
    tokens: Tokens


def encode(task: Task, model: ModelChoice, folder: Path) -> None:
    """Tokenise the texts, pairs and views of a task into `folder`.

    Raises
    ------
    BadInputError
        The model's tokenizer is missing, reads fewer tokens than `max_tokens`, or makes more of
        them or others than the model knows, or a text holds no token at all.
    """
    tokenizer, pad, reads_segments, vocabulary = models.tokenizer(model)
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.max_tokens)
    segments = reads_segments and task.text_pair is not None
    views = {ORIGINAL: task.text, **task.views}
    for number, (name, text) in enumerate(views.items()):
        view, cut = _encode_view(tokenizer, task, text, segments)
        _check_tokens(view, model, vocabulary)
        _write(folder, number, view)
        if name == ORIGINAL:
            np.save(folder / CUT, cut, allow_pickle=False)
    index = {"pad": pad, "views": list(views)}
    files.write(folder / _INDEX, files.to_json(index))


def _check_tokens(view: Encoded, model: ModelChoice, vocabulary: int) -> None:
    """Refuse tokens that the model could not read, which a tokenizer of another model makes."""
    where = f"model.source = {model.source!r}: its tokenizer"
    if (longest := int(view.length.max(initial=0))) > model.max_tokens:
        raise BadInputError(f"{where} makes {longest} tokens of a text cut to {model.max_tokens}")
    if len(view.token) and (largest := int(view.token.max())) >= vocabulary:
        raise BadInputError(f"{where} makes token {largest}; the model knows {vocabulary} tokens")


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
