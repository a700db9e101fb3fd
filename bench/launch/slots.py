"""How many cells run at once, and on which device each."""

import os
from dataclasses import dataclass

from ..schema import BadInputError

CONTEXT_BYTES = 700 * 2**20
"""Memory that a process on an accelerator takes besides the allocator's peak."""
SHARE = 0.9
"""Share of an accelerator's memory that cells may fill together."""
MOST_A_DEVICE = 4
"""Cells at once on one accelerator; more would only wait for each other."""


@dataclass
class Slots:
    """Places where cells run at once; on accelerators more, once a cell's memory is known."""

    devices: list[str]
    grow: bool = False

    @classmethod
    def initial(cls, device: str, jobs: str, processes: int = 1) -> "Slots":
        """Return a slot per core, or one per accelerator, or as many as `jobs` asks for.

        A cell of several processes takes as many cores, or as many accelerators in a row; its
        slot has the name of the first.

        Raises
        ------
        BadInputError
            `jobs` is neither `auto` nor a number from 1, there is no such device, or there are
            fewer accelerators than processes.
        """
        if jobs != "auto" and (not jobs.isdigit() or int(jobs) < 1):
            raise BadInputError(f"--jobs {jobs}: give a number from 1, or auto")
        devices = _devices(device)
        if devices != ["cpu"]:
            if len(devices) < processes:
                raise BadInputError(
                    f"--processes-per-cell {processes}: each needs an accelerator of its own, "
                    f"--device {device} gives {len(devices)}"
                )
            devices = devices[: len(devices) - len(devices) % processes : processes]
        if jobs != "auto":
            return cls([devices[i % len(devices)] for i in range(int(jobs))])
        if devices == ["cpu"]:
            return cls(["cpu"] * max(1, len(os.sched_getaffinity(0)) // processes))
        return cls(devices, grow=processes == 1)

    def learn(self, device: str, peak_bytes: int) -> None:
        """Add slots on accelerators: as many as fit if each cell takes `peak_bytes`."""
        if self.grow:
            import torch

            self.add(torch.cuda.get_device_properties(device).total_memory, peak_bytes)

    def add(self, memory_bytes: int, peak_bytes: int) -> None:
        """Add slots, once: as many as fit `memory_bytes` on each device."""
        fit = int(SHARE * memory_bytes / (peak_bytes + CONTEXT_BYTES))
        self.devices = self.devices * min(max(fit, 1), MOST_A_DEVICE)
        self.grow = False


def _devices(device: str) -> list[str]:
    if device.startswith("cpu"):
        return ["cpu"]
    if device not in ("auto", "cuda"):
        return [device]
    import torch

    count = torch.cuda.device_count()
    if count == 0 and device == "cuda":
        raise BadInputError(
            "--device cuda: torch sees no CUDA device; `tunefair doctor` says more"
        )
    return [f"cuda:{number}" for number in range(count)] or ["cpu"]
