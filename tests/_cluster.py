"""A Ray cluster of several nodes on loopback, inside a network namespace of its own.

Run as a program inside that namespace, it starts a head and a node, then a command, then ends all.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile

_ALONE = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"),
)
"""Nothing outlives the program that asked for it, however that ends."""
ADDRESS = "127.0.0.1:6399"


def why_not() -> str:
    """Say why there can be no cluster here, "" if there can."""
    try:
        import ray  # noqa: F401
    except ModuleNotFoundError:
        return "ray is not installed: the extra `ray`"
    tools = all(map(shutil.which, ("ip", "setpriv", "unshare")))
    if not tools or subprocess.run([*_ALONE, "true"], check=False).returncode:
        return "no network namespace may be made here, and Ray would listen on every interface"
    return ""


def alone(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a namespace of its own; what Ray wrote is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="ray-") as home:
        own = {
            "HOME": home,
            "RAY_TMPDIR": home,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
        }
        return subprocess.run(
            [*_ALONE, *map(str, command)], env=os.environ | own, text=True, check=False, **options
        )


class Cluster:
    """A head and other nodes, one processor each."""

    def __init__(self) -> None:
        """Start the head and one more node."""
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.processes = [
            _start("--head", f"--node-ip-address={_ip(1)}", "--port=6399",
                   "--include-dashboard=false")
        ]  # fmt: skip
        _wait_for(1)
        self.add()

    @property
    def newest(self) -> str:
        """Address of the node that was added last."""
        return _ip(len(self.processes))

    def add(self) -> None:
        """Start another node, on an address of its own, and wait until it takes work."""
        number = len(self.processes) + 1
        self.processes.append(_start(f"--address={ADDRESS}", f"--node-ip-address={_ip(number)}"))
        _wait_for(number)


def _ip(number: int) -> str:
    return f"127.0.0.{number}"


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a node in the foreground, so that it dies with its process."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments]
    common = ("--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats")
    return subprocess.Popen(
        [*command, *common], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


_READY = """
import ray, sys, time
for _ in range(120):
    try:
        ray.init(address=sys.argv[1], log_to_driver=False, logging_level="critical")
        break
    except Exception:
        time.sleep(0.5)
while not any(n["Alive"] and n["NodeManagerAddress"] == sys.argv[2] for n in ray.nodes()):
    time.sleep(0.2)
"""


def _wait_for(number: int) -> None:
    subprocess.run([sys.executable, "-c", _READY, ADDRESS, _ip(number)], check=True, timeout=120)


def main(command: list[str]) -> int:
    """Run a command beside a cluster; the namespace's end is the cluster's."""
    Cluster()
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
