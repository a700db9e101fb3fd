"""Memory that ran out: the words of every library for it, and the processes the kernel killed."""

from pathlib import Path

REASON = "out_of_memory"
"""Begins the reason of every cell that failed because memory ran out."""
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
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(words in message for words in _WORDS)


def line(error: BaseException) -> str:
    """Return what an exception says, as one line."""
    return " ".join(str(error).split())[:500]


def available_bytes() -> int:
    """Return the memory that is free for new processes; where the system is silent, 4 GiB."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 4 * 2**30
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["MemAvailable"].split()[0]) * 1024


def kernel_kills() -> int:
    """Return how many processes the kernel has killed because memory ran out; 0 if unknown.

    It counts since the machine started, limits of control groups included (Linux).
    """
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    counts = dict(line.split() for line in lines)
    return int(counts.get("oom_kill", 0))
