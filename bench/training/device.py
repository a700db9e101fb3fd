"""The device that a cell runs on: its number formats and kernels, its memory and its energy."""

import ctypes
import gc
import os
import resource
import sys
from dataclasses import dataclass
from typing import Literal

import torch

from ..schema import BadInputError
from .ranks import ALONE, Ranks


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and how a cell computes."""

    device: torch.device
    bf16: bool
    """Autocast to bf16; the weights stay fp32."""
    attention: Literal["eager", "sdpa"]
    ranks: Ranks = ALONE
    """The processes that train this cell together, each on its own device."""

    @property
    def is_cuda(self) -> bool:
        """Whether an NVIDIA or AMD accelerator computes."""
        return self.device.type == "cuda"

    @property
    def generators(self) -> list[int]:
        """Indices of the accelerators that draw random numbers, besides the CPU."""
        return [self.device.index] if self.is_cuda else []

    def finish(self) -> None:
        """Wait until an accelerator has done its work, so that the clock charges it."""
        if self.is_cuda:
            torch.cuda.synchronize(self.device)

    def give_back(self) -> None:
        """Free the memory of a failed attempt, on the device and in the operating system.

        The C library keeps freed memory for itself. Kernels that are compiled at run time and
        the stacks of threads need memory from the operating system instead.
        """
        gc.collect()
        if self.is_cuda:
            torch.cuda.empty_cache()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:
            trim(0)

    def autocast(self) -> torch.autocast:
        """Return a new autocast context."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def facts(self) -> dict[str, str]:
        """Return the facts that can change the last digits of a result."""
        name = torch.cuda.get_device_name(self.device) if self.is_cuda else _cpu_name()
        shared = {"processes": str(self.ranks.size)} if self.ranks.size > 1 else {}
        return shared | {
            "device": str(self.device),
            "name": name,
            "precision": "bf16 autocast, fp32 weights" if self.bf16 else "fp32",
            "threads": str(torch.get_num_threads()),
            "attention": self.attention,
        }


def choose(device: str, precision: str) -> Machine:
    """Return the machine for `device` ("auto", "cpu", "cuda", "cuda:1"), set up for training.

    Raises
    ------
    BadInputError
        No such device here.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = torch.device("meta")
    if chosen.type not in ("cpu", "cuda"):
        raise BadInputError(f"--device {device}: is neither auto, cpu, cuda nor cuda:N")
    if chosen.type == "cpu":
        return Machine(device=chosen, bf16=_bf16(precision, _cpu_has_bf16()), attention="eager")
    chosen = torch.device("cuda", chosen.index or 0)
    if chosen.index >= torch.cuda.device_count():
        raise BadInputError(f"--device {device}: torch sees {torch.cuda.device_count()} of them")
    _set_up_cuda(chosen)
    bf16 = _bf16(precision, torch.cuda.is_bf16_supported(including_emulation=False))
    return Machine(device=chosen, bf16=bf16, attention="sdpa")


def _bf16(precision: str, fast: bool) -> bool:
    return fast if precision == "auto" else precision == "bf16"


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bf16 matrices in hardware; emulation is slower than fp32."""
    able = torch.cpu.get_capabilities()
    return any(able.get(feature, False) for feature in ("amx_bf16", "avx512_bf16", "sve_bf16"))


def _cpu_name() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name", "cpu"))


def _set_up_cuda(device: torch.device) -> None:
    """Use TF32 for fp32 products, and only kernels that give the same bits every time.

    An operation without such a kernel fails its cell. With a warning instead of a failure, the
    memory-efficient attention would choose its backward pass that is not deterministic.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.cuda.reset_peak_memory_stats(device)


def peak_memory_bytes(machine: Machine) -> int:
    """Return the peak memory so far: of the allocator on CUDA, else of the process."""
    if machine.is_cuda:
        return int(torch.cuda.max_memory_allocated(machine.device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def energy_joules(machine: Machine) -> float | None:
    """Return the energy that the accelerator has used since its driver started; None if unknown.

    The meter counts the whole device: a difference is the cell's energy only if it runs alone.
    """
    if not machine.is_cuda:
        return None
    try:
        import pynvml  # type: ignore[import-not-found, unused-ignore]  # optional: nvidia-ml-py

        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(machine.device).uuid
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
    except ImportError:
        return None
    except pynvml.NVMLError:
        return None
