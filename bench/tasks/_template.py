"""One sentence: where these rows come from. Copy this file to begin a new source of tasks.

The copy's file name is what a suite's `[task]` table names as `source`; the fields are its
options. `load` returns the rows, `fingerprint` names their content without reading more than it
must (see bench/task.py, and the record `Task` in bench/schema.py).
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ..schema import Task, TaskCard
from ..task import TaskSource

VERSION = 1
"""Of what `load` makes of its options; raise it whenever the same options give other rows."""


@dataclass(frozen=True, kw_only=True)
class Template(TaskSource):
    """Made-up sentences of two kinds; real sources read `self.folder / self.path`."""

    rows: Annotated[int, Field(ge=100)] = 300
    """What the option means, with its unit: here how many sentences there are."""

    def load(self) -> Task:
        """Return the sentences, every fifth of them for testing."""
        number = np.arange(self.rows)
        label = number % 2
        words = np.where(label == 1, "glad", "sad")
        return Task(
            name="template",
            example_id=np.array([f"row{i}" for i in number]),  # stable: what makes runs comparable
            text=np.array([f"sentence {i} is {w}" for i, w in enumerate(words)], object),
            label=label.astype(np.int64),
            groups={"source": np.where(number % 3 == 0, "first", "second")},
            split=np.choose(number // 2 % 5, ["train", "train", "train", "validation", "test"]),
            classes=("sad", "glad"),  # of two classes the last one is the positive class
            card=TaskCard(
                title="Template",
                label_meaning="Which of two words the sentence ends with.",
                source="made up",
                licence="Apache-2.0",
                fingerprint=self.fingerprint(),
            ),
        )

    def fingerprint(self) -> str:
        """Return the identity of the rows."""
        return hashlib.sha256(f"template {VERSION} {self.rows}".encode()).hexdigest()
