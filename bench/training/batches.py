"""Batches: an endless stream of training examples, in batches of texts of similar length."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ..schema import Array, Split
from .ranks import ALONE, Ranks
from .tokens import ORIGINAL, Encoded, gathered

_BUCKET = 50  # batches that are sorted by length together: 2 % of padding, nearly random order


def stream(n: int, weights: Array | None, rng: np.random.Generator) -> Iterator[Array]:
    """Yield row numbers without end, n at a time.

    With equal weights, every row comes once an epoch, in a new order each time. Unequal weights
    are odds: rows are drawn with replacement. A row of weight 0 never comes.
    """
    odds = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    rows = np.flatnonzero(odds)
    odds = odds[rows] / odds[rows].sum()
    while True:
        if (odds == odds[0]).all():
            yield rng.permutation(rows)
        else:
            yield rng.choice(rows, size=n, p=odds)


def bucketed(
    rows: Iterator[Array], length: Array, size: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Yield batches of `size` rows of similar length without end; every row gets into one."""
    waiting = np.zeros(0, dtype=np.int64)
    while True:
        while len(waiting) < size * _BUCKET:
            waiting = np.concatenate([waiting, next(rows)])
        bucket, waiting = np.split(waiting, [size * _BUCKET])
        bucket = bucket[np.argsort(length[bucket], kind="stable")]
        yield from rng.permutation(bucket.reshape(_BUCKET, size))


class Pool(NamedTuple):
    """The texts that batches are drawn from."""

    view: Encoded
    entries: Array  # (m,) int64, texts of the view
    example: Array  # (m,) int64, the training example of each
    odds: Array | None  # (m,); None: all equal


def pool(
    views: Mapping[str, Encoded], train: Array, odds: Array | Mapping[str, Array] | None
) -> Pool:
    """Return the texts that a strategy gives odds to: the training texts, or also their views."""
    if not isinstance(odds, Mapping):
        entries = views[ORIGINAL].entries(train)
        return Pool(views[ORIGINAL], entries, np.arange(len(entries)), odds)
    of_views = [_with_odds(views[name], train, np.asarray(of)) for name, of in odds.items()]
    entries, examples, weights = zip(*of_views, strict=True)
    view = gathered([(views[name], some) for name, some in zip(odds, entries, strict=True)])
    example = np.concatenate(examples)
    return Pool(view, np.arange(len(example)), example, np.concatenate(weights))


def _with_odds(view: Encoded, train: Array, odds: Array) -> tuple[Array, Array, Array]:
    """Return a view's texts whose odds are not 0, the training example and the odds of each."""
    entries = view.entries(train[odds > 0])
    example = np.searchsorted(train, view.row[entries])
    return entries, example, odds[example]


class BatchSampler(Sampler[list[int]]):
    """The batches of one cell; each may be divided into `parts`, which are yielded in turn.

    The first `skip` batches are left out: they were seen before the cell was interrupted. Where
    several processes train together, each takes its share of every part.
    """

    def __init__(  # noqa: PLR0913 - the data, the sizes, and where to begin
        self,
        length: Array,
        weights: Array | None,
        *,
        size: int,
        parts: int,
        seed: int,
        skip: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self.length, self.weights, self.seed, self.skip = length, weights, seed, skip
        self.batch_size, self.parts, self.ranks = size, parts, ranks
        self.drop_last = True  # read by accelerate; there is no last batch

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the row numbers of each part of each batch, without end."""
        rng = np.random.default_rng(self.seed)
        rows = stream(len(self.length), self.weights, rng)
        batches = bucketed(rows, self.length, self.batch_size, rng)
        for batch in islice(batches, self.skip, None):
            pieces = np.array_split(batch, self.parts * self.ranks.size)
            for part in pieces[self.ranks.rank :: self.ranks.size]:
                yield part.tolist()


class TrainingRows(Dataset[dict[str, Tensor]]):
    """The training split, of which the data loader fetches whole batches."""

    def __init__(self, view: Encoded, rows: Array, split: Split, pad: int) -> None:
        self.view, self.rows, self.pad = view, rows, pad
        self.label, self.group = torch.from_numpy(split.label), torch.from_numpy(split.group)

    def __len__(self) -> int:
        """Return the number of training examples."""
        return len(self.rows)

    def __getitems__(self, numbers: Sequence[int]) -> dict[str, object]:
        """Return one padded batch: the model's inputs, labels, groups and the number of tokens."""
        chosen = np.asarray(numbers)
        entries = self.rows[chosen]
        return {
            "inputs": pad(self.view, entries, self.pad),
            "label": self.label[chosen],
            "group": self.group[chosen],
            "tokens": int(self.view.length[entries].sum()),
        }


def pad(view: Encoded, entries: Array, filler: int) -> dict[str, Tensor]:
    """Return the model's inputs for some texts of a view, padded to the longest among them.

    Raises
    ------
    ValueError
        There are no entries.
    """
    start, length = view.start[entries], view.start[entries + 1] - view.start[entries]
    real = np.arange(length.max()) < length[:, None]  # (n, longest) bool
    source = np.concatenate([np.arange(s, s + n) for s, n in zip(start, length, strict=True)])
    ids = np.full(real.shape, filler, dtype=np.int64)
    ids[real] = view.token[source]
    inputs = {"input_ids": ids, "attention_mask": real.astype(np.int64)}
    if view.segment is not None:
        inputs["token_type_ids"] = np.zeros_like(ids)
        inputs["token_type_ids"][real] = view.segment[source]
    return {name: torch.from_numpy(column) for name, column in inputs.items()}
