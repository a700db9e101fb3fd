"""Read the data files of an installed package, checked against the hashes they are known by."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ..environment import installed
from ..schema import BadInputError


def read(distribution: str, marker: str, files: Mapping[str, str]) -> dict[str, bytes]:
    """Return the content of the `files` (path -> sha256) beside the package's file `marker`.

    Raises
    ------
    BadInputError
        The package is not installed, lacks a file, or ships other content than was measured.
    """
    root = installed.folder(distribution, marker)
    return {file: _checked(root / file, sha256) for file, sha256 in files.items()}


def fingerprint(files: Mapping[str, str], *made_by: object) -> str:
    """Return the identity of the `files` (path -> sha256) and of what is made from them."""
    parts = [f"{path}={sha256}" for path, sha256 in sorted(files.items())]
    return hashlib.sha256("\n".join([*parts, *map(str, made_by)]).encode()).hexdigest()


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror}; reinstall its package") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise BadInputError(
            f"{path}: sha256 {digest[:12]}… is not the {sha256[:12]}… that was measured; "
            "install the pinned version of its package (requirements-embedded.txt)"
        )
    return content
