"""Send a folder to a machine that shares no storage: its files as bytes, and back."""

from pathlib import Path

from ..storage import files

Parcel = dict[str, bytes]
"""Name within the folder -> content."""


def pack(folder: Path) -> Parcel:
    """Return every file of a folder."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


def unpack(parcel: Parcel, folder: Path) -> None:
    """Write a sealed folder that was packed elsewhere, whole or not at all.

    Raises
    ------
    OSError
        The content differs from what was sealed, or a name leads out of the folder.
    """

    def fill(draft: Path) -> None:
        for name, content in parcel.items():
            if not (draft / name).resolve().is_relative_to(draft.resolve()):
                raise OSError(f"{folder}: a parcel holds {name!r}, which leads out of it")
            if name != files.SEAL:
                files.write(draft / name, content)

    files.write_sealed(folder, fill)
    if (folder / files.SEAL).read_bytes() != parcel.get(files.SEAL):
        files.set_aside(folder)
        raise OSError(f"{folder}: what arrived is not what was sealed")
