"""What a cell is named by: the content that its predictions depend on, and nothing else."""

import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..schema import Array, Task
from ..suite import ModelChoice, Training

TRAINING_VERSION = 1
"""Of the code that trains: raise it whenever the same cell would now predict something else.

A new version of the package alone changes no id. A default of `Training` or `ModelChoice` that
changes is such a change too, for ids hold only what differs from the defaults.
"""


@dataclass(frozen=True, kw_only=True)
class TaskContent:
    """Hashes of what a task holds; the words of its card are left out."""

    examples: str
    """Of ids, texts, labels, classes and splits."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Attribute -> of its values."""
    views: Mapping[str, str] = field(default_factory=dict)
    """View -> of its texts."""
    trainable: tuple[str, ...] = ()
    """Views that may be trained on."""

    @property
    def whole(self) -> str:
        """The hash of everything."""
        return digest(vars(self))

    @property
    def parts(self) -> dict[str, str]:
        """The hash of each part: "examples", "group:NAME", "view:NAME"."""
        groups = {f"group:{name}": sha for name, sha in self.groups.items()}
        views = {f"view:{name}": sha for name, sha in self.views.items()}
        return {"examples": self.examples, **groups, **views}

    @property
    def texts(self) -> str:
        """The hash of what is tokenised."""
        return digest([self.examples, self.views])

    def read_by(self, *, attribute: str, views: bool) -> dict[str, Any]:
        """Return the hashes of what a cell reads: examples, one attribute, trainable views."""
        read: dict[str, Any] = {"examples": self.examples}
        if attribute:
            read["groups"] = self.groups.get(attribute, attribute)
        if views:
            read["views"] = {name: self.views[name] for name in self.trainable}
        return read


def content_of(task: Task, trainable: Iterable[str]) -> TaskContent:
    """Return the hashes of a loaded task, whose views `trainable` keep the label."""
    columns = [task.example_id, task.text, task.label, task.split]
    if task.text_pair is not None:
        columns.append(task.text_pair)
    return TaskContent(
        examples=digest([list(task.classes), *map(_column, columns)]),
        groups={name: _column(values) for name, values in task.groups.items()},
        views={name: _column(texts) for name, texts in task.views.items()},
        trainable=tuple(trainable),
    )


def digest(value: Any) -> str:
    """Return the sha256 of plain JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _column(values: Array) -> str:
    """Return the sha256 of a column of strings or integers, whatever type numpy gives them."""
    total = hashlib.sha256()
    for value in values.tolist():
        encoded = str(value).encode("utf-8", "surrogatepass")
        total.update(b"%d:" % len(encoded) + encoded)
    return total.hexdigest()


def of_model(model: ModelChoice, content: str) -> dict[str, Any]:
    """Return what a model is: its files' content and how it is used, not where it lies."""
    used = model.model_dump(exclude={"source", "revision"}, exclude_defaults=True)
    return {"content": content} | used


def of_training(training: Training) -> dict[str, Any]:
    """Return what differs from the defaults; how often nothing is selected does not matter."""
    unused = {"checkpoints"} if training.selection == "last" else set[str]()
    return training.model_dump(exclude=unused, exclude_defaults=True)


def bare(code: bytes) -> bytes:
    """Return Python code without comments, docstrings and blank lines: what is left computes."""
    lines = io.BytesIO(code).readlines()
    text = [line.decode() for line in lines]
    spans = list(_unread(code))
    for (first, begin), (last, end) in reversed(spans):
        for row in range(first, last + 1):
            line = text[row - 1]
            left = line[:begin] if row == first else ""
            text[row - 1] = left + (line[end:] if row == last else "\n")
    return "\n".join(line.rstrip() for line in text if line.strip()).encode()


Position = tuple[int, int]
"""Line, from 1, and column."""


def _unread(code: bytes) -> Iterable[tuple[Position, Position]]:
    """Yield where comments stand, and strings that are whole statements."""
    space = {tokenize.NL, tokenize.COMMENT}
    starts = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
    tokens = list(tokenize.tokenize(io.BytesIO(code).readline))
    spoken = [token for token in tokens if token.type not in space]
    strings = {
        token.start
        for before, token, after in zip(spoken, spoken[1:], spoken[2:], strict=False)
        if token.type == tokenize.STRING
        and before.type in starts
        and after.type == tokenize.NEWLINE
    }
    for token in tokens:
        if token.type == tokenize.COMMENT or token.start in strings:
            yield token.start, token.end
