"""Ranks: several processes that train one cell together, each on its part of every batch.

The same examples are seen as by one process, and every process charges all of them, so that all
agree on the learning rate and on when to stop. An objective that looks across examples sees its
process's part of the batch, as it does where memory is short; its buffers are the first process's.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed

from .budget import Cost, Meter


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1

    def total(self, amounts: Sequence[float]) -> list[float]:
        """Return the sums over all processes; every one must ask."""
        sums = torch.tensor(amounts, dtype=torch.float64)
        distributed.all_reduce(sums, group=_plain_group())
        return [float(amount) for amount in sums]

    def device(self, first: str) -> str:
        """Return this process's device, counted from that of the first."""
        kind, _, number = first.partition(":")
        return f"{kind}:{int(number or 0) + self.rank}" if kind == "cuda" else first


ALONE = Ranks()
_GROUPS: list[distributed.ProcessGroup] = []


def _plain_group() -> distributed.ProcessGroup | None:
    """Return the group that adds up numbers in main memory, whatever adds up gradients."""
    return _GROUPS[0] if _GROUPS else None


def join(meeting: Path, ranks: Ranks, *, cuda: bool) -> None:
    """Meet the other processes over a file that none of them has used before.

    They talk over the loopback interface alone: all are on this machine.
    """
    here = {"RANK": ranks.rank, "LOCAL_RANK": ranks.rank}
    here |= {"WORLD_SIZE": ranks.size, "LOCAL_WORLD_SIZE": ranks.size}
    os.environ |= {name: str(number) for name, number in here.items()}
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    distributed.init_process_group(
        "nccl" if cuda else "gloo",
        init_method=meeting.as_uri(),
        rank=ranks.rank,
        world_size=ranks.size,
    )
    if cuda:
        _GROUPS[:] = [distributed.new_group(backend="gloo")]


@dataclass
class SharedMeter(Meter):
    """A meter that shows every process the same: what all spent, and the first one's clock."""

    ranks: Ranks = ALONE
    agreed_seconds: float = 0.0

    @property
    def fraction(self) -> float:
        """Fraction of the budget that is spent; above 1 after the step that overshoots."""
        if self.budget.currency == "seconds":
            return self.agreed_seconds / self.budget.amount
        return super().fraction

    def total(self, amount: float) -> float:
        """Return the sum over all processes."""
        return self.ranks.total([amount])[0]

    def charge(self, *, rows: int, length: int, tokens: int, cost: Cost) -> None:
        """Charge this process's part of a batch, and those of the others."""
        clock = 0.0 if self.ranks.rank else self.seconds
        mine = [cost(rows, length), tokens, rows * length, rows, clock]
        flops, all_tokens, padded, examples, self.agreed_seconds = self.ranks.total(mine)
        self.flops += flops
        self.tokens += round(all_tokens)
        self.padded_tokens += round(padded)
        self.examples += round(examples)
