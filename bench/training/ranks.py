"""Ranks: several processes that train one cell together, each on its part of every batch.

Together they see the same examples as one process would. Every process charges all examples, so
all agree on the learning rate and on when to stop. An objective that compares examples sees only
its process's part of the batch, as it sees only a part where memory is short. The buffers of the
first process's objective count.
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
    """The number of this process, and how many there are."""

    rank: int = 0
    size: int = 1

    def total(self, amounts: Sequence[float]) -> list[float]:
        """Return the sums over all processes; every process must call this."""
        sums = torch.tensor(amounts, dtype=torch.float64)
        distributed.all_reduce(sums, group=_plain_group())
        return [float(amount) for amount in sums]

    def device(self, first: str) -> str:
        """Return this process's device; they follow the first process's."""
        kind, _, number = first.partition(":")
        return f"{kind}:{int(number or 0) + self.rank}" if kind == "cuda" else first


ALONE = Ranks()
_GROUPS: list[distributed.ProcessGroup] = []


def _plain_group() -> distributed.ProcessGroup | None:
    """Return the group that adds numbers in main memory; gradients may use another one."""
    return _GROUPS[0] if _GROUPS else None


def join(meeting: Path, ranks: Ranks, *, cuda: bool) -> None:
    """Connect to the other processes through a new file.

    All processes are on this machine and use the loopback interface alone.
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
    """A meter that is equal in every process: what all spent, and the first one's clock."""

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
        """Charge this process's part of a batch, and the parts of all others."""
        clock = 0.0 if self.ranks.rank else self.seconds
        mine = [cost(rows, length), tokens, rows * length, rows, clock]
        flops, all_tokens, padded, examples, self.agreed_seconds = self.ranks.total(mine)
        self.flops += flops
        self.tokens += round(all_tokens)
        self.padded_tokens += round(padded)
        self.examples += round(examples)
