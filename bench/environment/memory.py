"""Memory that ran out: how every library says so, and what the kernel did about it."""

from pathlib import Path

REASON = "out_of_memory"
"""Begins the reason of every cell that failed for want of memory."""
_WORDS = (
    "out of memory",  # CUDA's allocator
    "allocate memory",  # torch on a CPU, the C library, a shared object that cannot be mapped
    "bad_alloc",  # C++
    "alloc_failed",  # cuBLAS, cuDNN
    "failed to map segment",  # the dynamic linker
    "start new thread",  # Python: a thread's stack found no room
    "launch worker thread",  # Arrow: the same
    "could not create a primitive",  # oneDNN, for want of memory or of an instruction
)


def ran_out(error: BaseException) -> bool:
    """Whether an exception of any library says that memory ran out."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _WORDS)


def line(error: BaseException) -> str:
    """Return what an exception says, as one line."""
    return " ".join(str(error).split())[:500]


def kernel_kills() -> int:
    """Return how many processes the kernel has killed for want of memory; 0 where it won't say.

    Of the machine or of a control group's limit, since the machine started (Linux).
    """
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    counts = dict(line.split() for line in lines)
    return int(counts.get("oom_kill", 0))
