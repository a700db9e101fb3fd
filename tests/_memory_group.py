"""A control group with little memory, below the one that this process is in (Linux, v1 or v2)."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def limited(limit_bytes: int) -> Iterator[Path]:
    """Make a group, give the file that takes in a process by its id, and end all that is left.

    Raises
    ------
    OSError
        Here no such group may be made, or it has no hold on memory.
    """
    above, limits = _above()
    group = above / f"tunefair-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / limits[0]).write_text(str(limit_bytes))
        for swap, value in limits[1].items():
            if (group / swap).exists():
                (group / swap).write_text(value.format(limit_bytes))
        yield group / "cgroup.procs"
    finally:
        _remove(group)


def _above() -> tuple[Path, tuple[str, dict[str, str]]]:
    """Return this process's group, and the files that limit memory and swap in a new one."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    groups = {kinds: path.lstrip("/") for _, kinds, path in (x.split(":", 2) for x in lines)}
    if "memory" in groups:
        swap = {"memory.memsw.limit_in_bytes": "{}"}
        return _GROUPS / "memory" / groups["memory"], ("memory.limit_in_bytes", swap)
    return _GROUPS / groups[""], ("memory.max", {"memory.swap.max": "0"})


def _remove(group: Path) -> None:
    """Kill what still runs in the group, and remove it once the last has gone."""
    for _ in range(100):
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)
    group.rmdir()
