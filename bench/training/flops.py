"""Floating point operations of a batch, from its shape: nine small batches tell all others.

Every matrix product of a transformer is constant, linear or quadratic in the padded length T, and
the same in the rows n (adapters and relative positions cost something a batch, objectives that
compare rows with rows cost n squared). So the operations of a batch are a polynomial of degree two
in each, and it is known everywhere from three lengths times three numbers of rows through the
real, adapted model. Frozen weights have no weight gradient, so they cost less without being told.
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
    """Return the operations that `run(rows, length)` takes with `module`, for any shape.

    Multiplications and additions of matrix products, as torch counts them; elementwise work and
    the optimiser are not counted. Gradients, buffers and random state are left as they were.
    """
    with _undone(module):
        counts = {(n, t): count(run, n, t) for n in _ROWS for t in _LENGTHS}
    return cache(lambda rows, length: _interpolate(counts, rows, length))


def count(run: Callable[[int, int], object], rows: int, length: int) -> int:
    """Return the operations of one call, attention included whatever its kernel."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:  # torch does not count the CPU's flash kernel
        run(rows, length)
    return int(counter.get_total_flops())


def _interpolate(counts: Mapping[tuple[int, int], int], rows: int, length: int) -> float:
    """Lagrange's polynomial through the counts, exact, so that every machine agrees."""
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
def _undone(module: nn.Module) -> Iterator[None]:
    buffers = copy.deepcopy(dict(module.named_buffers()))
    with torch.random.fork_rng():
        yield
    module.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(buffers[name])
