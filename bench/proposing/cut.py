"""How many tokens a model reads of each text, and where texts may be cut."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..environment import processes
from ..environment.processes import Limits
from ..planning import model_folder
from ..schema import Array, Task
from ..storage import files
from ..suite import ModelChoice

_MOST_TEXTS = 20_000
_SIZES = (32, 64, 128, 256, 512)
_MOST_CUT = 0.01
"""Share of texts that may be cut: a longer limit would cost every batch time."""
_LIMITS = Limits(seconds=120, memory_bytes=4 * 2**30)


def lengths(task: Task, model: ModelChoice) -> Array:
    """Return the tokens of each text (of a large task, of 20,000 of them); (m,) int64.

    The tokenizer is somebody else's: it works in a process with limits. Empty where the model has
    no `tokenizer.json`, of which only the library that trains knows more.
    """
    file = model_folder.locate(model) / "tokenizer.json"
    if not file.is_file():
        return np.zeros(0, np.int64)
    rows = np.linspace(0, len(task.text) - 1, min(len(task.text), _MOST_TEXTS)).astype(np.int64)
    texts = [str(text) for text in task.text[rows]]
    pairs = None if task.text_pair is None else [str(text) for text in task.text_pair[rows]]
    where = f"model.source = {model.source!r}"
    counted: Array = processes.limited(
        _count, file, texts, pairs, limits=_LIMITS, where=where, preload=()
    )
    return counted


def _count(file: Path, texts: Sequence[str], pairs: Sequence[str] | None) -> Array:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    inputs = texts if pairs is None else list(zip(texts, pairs, strict=True))
    return np.array([len(found) for found in tokenizer.encode_batch_fast(inputs)], np.int64)


def proposed(length: Array, model: ModelChoice) -> int:
    """Return the shortest usual limit that cuts at most one text of a hundred."""
    most = _most(model)
    if not len(length):
        return min(128, most)
    fitting = (size for size in _SIZES if (length > size).mean() <= _MOST_CUT)
    return min(next(fitting, _SIZES[-1]), most)


def _most(model: ModelChoice) -> int:
    """Return how many tokens a model reads at most, as far as its configuration says."""
    folder = model_folder.locate(model)
    stated = [files.read_json(folder / "config.json").get("max_position_embeddings")]
    if (folder / "tokenizer_config.json").is_file():
        stated.append(files.read_json(folder / "tokenizer_config.json").get("model_max_length"))
    known = [int(n) for n in stated if isinstance(n, int | float) and 1 < n < 2**31]
    return min([512, *known])
