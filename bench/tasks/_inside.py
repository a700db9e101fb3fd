"""Data of a local folder stay inside it: neither its README nor a link in it leads elsewhere."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..schema import BadInputError

_README = "README.md"
_STANDALONE = ".huggingface.yaml"


def check(folder: Path, inside: Path) -> None:
    """Refuse a folder whose README names data elsewhere, or that holds a link out of `inside`.

    Raises
    ------
    BadInputError
        The file and the place that it leads to are named.
    """
    whole = inside.resolve()
    for file in folder.rglob("*"):
        if file.is_symlink() and not file.resolve().is_relative_to(whole):
            raise BadInputError(f"{file}: a link that leads out of the folder; put the file there")
    if (folder / _STANDALONE).exists():
        raise BadInputError(f"{folder / _STANDALONE}: not read; name data files in {_README}")
    for named in _named_in(folder / _README):
        if not _is_inside(named):
            raise BadInputError(
                f"{folder / _README}: data_files names {named[:100]!r}, which is not in the "
                "folder; put the files there and name them from it"
            )


def first_line(error: Exception) -> str:
    """Return the first line of what an exception says; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _named_in(readme: Path) -> Iterator[str]:
    """Yield every place that a README's configurations name."""
    from datasets.load import DatasetCard
    from datasets.utils.metadata import MetadataConfigs

    if not readme.is_file():
        return
    try:
        card = DatasetCard.load(readme)
        configs = MetadataConfigs.from_dataset_card_data(card.data)
    except Exception as error:  # whatever a YAML parser and the card's checks raise
        raise BadInputError(f"{readme}: cannot be read: {first_line(error)}") from None
    for config in configs.values():
        yield from _texts([config.get("data_files"), config.get("data_dir")])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "split":
                yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_inside(named: str) -> bool:
    path = PurePosixPath(named)
    elsewhere = "://" in named or "::" in named or named.startswith("~") or "\\" in named
    return not elsewhere and not path.is_absolute() and ".." not in path.parts
