"""Snapshots of repositories of the hub: from the cache where they are whole, else downloaded."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

from ..schema import BadInputError
from . import child

Kind = Literal["model", "dataset"]
NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
STALLED_SECONDS = 40.0
"""Without a new byte for so long a download is given up."""
_MAIN = "from tunefair.hub import child; child.main()"
_LISTS = "tunefair"
"""Folder in a repository's cache, of lists: which files were downloaded whole, by commit."""


def today(name: str, kind: Kind) -> str:
    """Return the commit that a repository is at now; offline, the one that the cache holds.

    Raises
    ------
    BadInputError
        There is no such repository, it may not be read, or the hub is not reached.
    """
    if is_offline():
        known = child.folder_of(name, kind, "").parent / "refs" / "main"
        if not known.is_file():
            raise BadInputError(_offline(name))
        return known.read_text().strip()
    return str(_ask(want="commit", name=name, kind=kind, revision="main", config="")["commit"])


def todays_words(name: str, kind: Kind) -> str:
    """Return what a refusal adds: the commit that could be written; "" where it is not known."""
    try:
        return f"; today's is {today(name, kind)}"
    except BadInputError:
        return ""


def snapshot(name: str, kind: Kind, revision: str, config: str = "") -> Path:
    """Return the folder of a repository's files at a commit; a cached one asks the hub nothing.

    Raises
    ------
    BadInputError
        It cannot be had; the true cause and the way out are named.
    """
    folder = child.folder_of(name, kind, revision)
    part = re.sub(r"[^\w.-]", "_", config)
    noted = folder.parents[1] / _LISTS / f"{revision}-{part}.json"
    if _is_whole(folder, noted, kind):
        return folder
    if is_offline():
        raise BadInputError(_offline(f"{name}@{revision[:12]}"))
    said = _ask(want="snapshot", name=name, kind=kind, revision=revision, config=config)
    noted.parent.mkdir(parents=True, exist_ok=True)
    draft = noted.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(said["files"]))
    draft.replace(noted)
    return Path(said["folder"])


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE says that the hub is not to be asked."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _offline(what: str) -> str:
    return (
        f"{what}: not in the hub's cache, and HF_HUB_OFFLINE is set; run once without it, or copy "
        "the cache (HF_HOME) of a machine that has it"
    )


def _is_whole(folder: Path, noted: Path, kind: Kind) -> bool:
    """Whether all that is needed is in the cache, by our list or, of a model, by its index."""
    if noted.is_file():
        return all((folder / name).is_file() for name in json.loads(noted.read_text()))
    if kind == "dataset":
        return is_offline() and any(folder.rglob("*.*"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text())["weight_map"].values())
        return all((folder / shard).is_file() for shard in shards)
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def _ask(**request: str) -> dict[str, Any]:
    """Ask the hub in a process that is ended when nothing comes any more."""
    name = request["name"] + (
        f"@{request['revision'][:12]}" if request["want"] != "commit" else ""
    )
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _MAIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | quiet,
    )
    repository = child.folder_of(request["name"], request["kind"], "").parent
    watch = threading.Thread(target=_watch, args=(process, repository), daemon=True)
    watch.start()
    try:
        out, _ = process.communicate(json.dumps(request))
    finally:
        process.kill()
    watch.join()
    if not out:
        raise BadInputError(
            f"{name}: the hub stalls: no byte came for {STALLED_SECONDS:.0f} s; try again later"
        )
    said: dict[str, Any] = json.loads(out)
    if "refused" in said:
        raise BadInputError(f"{name}: {said['refused']}")
    return said


def _watch(process: "subprocess.Popen[str]", repository: Path) -> None:
    """End a process when the repository's cache has not grown for too long."""
    size, since = -1, time.monotonic()
    while process.poll() is None:
        if (now := _bytes(repository)) != size:
            size, since = now, time.monotonic()
        if time.monotonic() - since > STALLED_SECONDS:
            process.kill()
            return
        time.sleep(0.2)


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_symlink() else path.stat().st_size
        except OSError:  # it was finished, and moved
            continue
    return total
