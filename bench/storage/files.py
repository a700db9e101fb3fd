"""Files that are written whole or not at all, folders sealed with checksums, a run's lock."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ..schema import BadInputError, json_value

SEAL = "checksums.json"
_PART_BYTES = 1 << 16
_OLD = ".old"


def write(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def to_json(value: Any) -> str:
    """Return readable JSON of what `json_value` turns records into."""
    return json.dumps(json_value(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Read JSON; a damaged file is named, with the place of the fault."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: {error}") from None


def write_sealed(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write files into a fresh folder, add their checksums, then give it its name.

    The folder appears whole or not at all. One that is there already stays, since equal names
    mean equal content; a damaged one is moved to `set-aside`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.draft-"))
    try:
        fill(draft)
        write(draft / SEAL, to_json(_checksums(draft)))
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError:
        if is_sealed(folder):
            return
        if not (draft / SEAL).is_file() or not stands(folder):
            raise
        set_aside(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def replace_sealed(folder: Path, fill: Callable[[Path], None]) -> None:
    """Do as `write_sealed`, in place of a folder that stands there until the new one is whole.

    Where a writer dies between the two renames, `put_back` gives the old folder its name again.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    write_sealed(fresh, fill)
    folder.rename(folder.with_name(f".{folder.name}{_OLD}"))
    fresh.rename(folder)
    shutil.rmtree(folder.with_name(f".{folder.name}{_OLD}"), ignore_errors=True)


def put_back(parent: Path) -> None:
    """Undo what interrupted replacements left behind; call it only under the run's lock."""
    for old in parent.glob(f".*{_OLD}"):
        folder = old.with_name(old.name[1:].removesuffix(_OLD))
        if stands(folder):
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(folder)
    for fresh in parent.glob(".*.new"):
        shutil.rmtree(fresh, ignore_errors=True)


def is_sealed(folder: Path) -> bool:
    """Whether a folder holds exactly the files, byte for byte, that were written into it.

    A link, a pipe or a device was never written into one: it is damage, and is not opened.
    """
    try:
        path_of = dict(_regular_files(str(folder)))
        with open(path_of.pop(SEAL, "")) as seal:  # noqa: PTH123 - a path object costs more
            known = json.load(seal)
        return bool(known == {name: checksum(path) for name, path in path_of.items()})
    except (OSError, ValueError, RecursionError):
        return False


def _checksums(folder: Path) -> dict[str, str]:
    paths = sorted(_regular_files(str(folder)))
    return {name: checksum(path) for name, path in paths if name != SEAL}


def _regular_files(folder: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name within a folder and the path of every file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _regular_files(entry.path, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.path
            else:
                raise OSError(f"{entry.path} is no file")


def checksum(path: Path | str) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of small files
        while part := file.read(_PART_BYTES):
            digest.update(part)
    return digest.hexdigest()


def set_aside(folder: Path) -> Path:
    """Move a damaged folder into `set-aside` beside it, and return its new path."""
    shelf = folder.parent / "set-aside"
    shelf.mkdir(exist_ok=True)
    places = (shelf / f"{folder.name}-{number}" for number in count(1))
    return folder.rename(next(place for place in places if not stands(place)))


def stands(path: Path) -> bool:
    """Whether a path exists, as a link whose target is missing too."""
    return path.exists() or path.is_symlink()


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of interrupted writers; the caller holds the run's lock."""
    for draft in folder.glob(".*.draft-*"):
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the lock dies with the process.

    Raises
    ------
    BadInputError
        Another process holds the folder, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise BadInputError(
            f"{folder}: {error.strerror}; choose another folder with --runs"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInputError(
                f"{folder} is in use by another tunefair run; wait for it or choose --runs"
            ) from None
        yield
