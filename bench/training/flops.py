"""Floating point operations (FLOPs) of a batch of any shape, from counts of nine small batches.

The cost of each matrix product of a transformer is constant, linear or quadratic in the padded
length T. It is also constant, linear or quadratic in the number of rows n: adapters and relative
positions have a cost per batch, and objectives that compare rows with rows cost n squared. So the
cost of a batch is a polynomial of degree two in T and in n. Counts at three lengths times three
numbers of rows determine it. They are taken with the real, adapted model: frozen weights need no
weight gradient, so their lower cost is included.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from math import prod

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .budget import Cost

_ROWS = (2, 3, 4)
_LENGTHS = (4, 6, 8)


def measure(module: nn.Module, run: Callable[[int, int], object]) -> Cost:
    """Return a function that gives the operations of `run(rows, length)` for any shape.

    Multiplications and additions of matrix products are counted, as torch counts them; elementwise
    operations and the optimiser are not. Buffers and the random state are restored afterwards, and
    gradients are removed.
    """
    with _restored(module):
        counts = {(n, t): count(run, n, t) for n in _ROWS for t in _LENGTHS}
    return cache(lambda rows, length: _interpolate(counts, rows, length))


def count(run: Callable[[int, int], object], rows: int, length: int) -> int:
    """Return the operations of one call, attention included, whichever kernel computes it."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:  # torch does not count the CPU's flash kernel
        run(rows, length)
    return int(counter.get_total_flops())


def _interpolate(counts: Mapping[tuple[int, int], int], rows: int, length: int) -> float:
    """Evaluate Lagrange's polynomial through the counts, in exact fractions: no rounding."""
    terms = (
        operations * _basis(rows, n, _ROWS) * _basis(length, t, _LENGTHS)
        for (n, t), operations in counts.items()
    )
    return float(sum(terms))


def _basis(x: int, node: int, nodes: tuple[int, ...]) -> Fraction:
    return prod(
        (Fraction(x - other, node - other) for other in nodes if other != node), start=Fraction(1)
    )


@contextmanager
def _restored(module: nn.Module) -> Iterator[None]:
    buffers = copy.deepcopy(dict(module.named_buffers()))
    with torch.random.fork_rng():
        yield
    module.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(buffers[name])
