"""A Ray cluster of several nodes on loopback, inside a network namespace of its own.

Run as a program inside `unshare --net`, it starts a head and nodes, then a command, then ends all.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile

ALONE = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
ADDRESS = "127.0.0.1:6399"


def why_not() -> str:
    """Say why there can be no cluster here, "" if there can."""
    try:
        import ray  # noqa: F401
    except ModuleNotFoundError:
        return "ray is not installed: the extra `ray`"
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], check=False).returncode:
        return "no network namespace may be made here, and Ray would listen on every interface"
    return ""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a node in the foreground, so that it dies with its process."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments]
    common = ("--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats")
    return subprocess.Popen(
        [*command, *common],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def head() -> subprocess.Popen[bytes]:
    """Start the first node."""
    return start(
        "--head", "--node-ip-address=127.0.0.1", "--port=6399", "--include-dashboard=false"
    )


def node(number: int) -> subprocess.Popen[bytes]:
    """Start another node, on an address of its own."""
    return start(f"--address={ADDRESS}", f"--node-ip-address=127.0.0.{number}")


def inside() -> None:
    """Prepare the namespace for this process and its children."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["HOME"] = tempfile.mkdtemp(prefix="ray-home-")
    os.environ.update(RAY_worker_niceness="0")
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def main(command: list[str]) -> int:
    """Start two nodes, wait for both, run a command, and end."""
    inside()
    nodes = [head()]
    wait_for(1)
    nodes.append(node(2))
    wait_for(2)
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        for one in nodes:
            one.kill()


READY = """
import ray, sys, time
for _ in range(120):
    try:
        ray.init(address=sys.argv[1], log_to_driver=False, logging_level="critical")
        break
    except Exception:
        time.sleep(0.5)
while sum(n["Alive"] for n in ray.nodes()) < int(sys.argv[2]):
    time.sleep(0.2)
"""


def wait_for(nodes: int) -> None:
    """Wait until so many nodes are alive."""
    subprocess.run([sys.executable, "-c", READY, ADDRESS, str(nodes)], check=True, timeout=120)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
