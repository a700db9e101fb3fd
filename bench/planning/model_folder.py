"""Model folders: where a model lies, what it is, and what is refused in one that others made.

Nothing here imports torch: a plan needs a model's identity, never the model.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..environment import installed
from ..schema import BadInputError
from ..storage import files
from ..suite import ModelChoice

_PACKAGE = "package:"
_CONTENT = {".json", ".safetensors", ".txt", ".model"}
"""Suffixes of weights, configuration and tokenizer: what makes a model this model."""
_CONFIGURATIONS = (
    "config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json",
)  # fmt: skip
_MOST_BYTES = 256 * 2**20
"""Of any file but weights; the largest tokenizers take 40 MiB."""
_SPARSE = 4
"""A file of fewer bytes on disk than one in so many is holes, not weights."""
_MOST_LAYERS = 100
"""What a configuration may repeat however few tensors there are; it costs nothing."""
_MOST_EXPERTS = 1000
_MOST_LABELS = 100_000


def locate(model: ModelChoice) -> tuple[str, str | None]:
    """Return the folder of a local model, or the name and commit of one on the hub.

    Raises
    ------
    BadInputError
        No such folder or package, no safetensors in it, or a hub name without a commit.
    """
    if model.source.startswith(_PACKAGE):
        name = model.source.removeprefix(_PACKAGE)
        return str(installed.folder(name, "model.safetensors")), None
    folder = Path(model.source)
    if folder.is_dir():
        for needed in ("config.json", "*.safetensors"):
            if not any(folder.glob(needed)):
                raise BadInputError(f"model.source = {model.source!r}: holds no {needed}")
        return str(folder), None
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", model.source):
        raise BadInputError(f"model.source = {model.source!r}: no such folder")
    if not re.fullmatch(r"[0-9a-f]{40}", model.revision or ""):
        raise BadInputError(
            f"model.revision = {model.revision!r}: a hub name ({model.source}) needs its commit, "
            "40 hexadecimal digits, so that the run can be repeated"
        )
    return model.source, model.revision


def fingerprint(model: ModelChoice) -> str:
    """Return the identity of a model's content, without loading it.

    The sha256 over weights, configuration and tokenizer of a local folder; a pinned hub model is
    its name and commit.

    Raises
    ------
    BadInputError
        There is no such model, or its folder holds what is never read (see `check`).
    """
    place, revision = locate(model)
    if revision:
        return hashlib.sha256(f"{place}@{revision}".encode()).hexdigest()
    folder = Path(place)
    check(folder)
    total = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in _CONTENT and p.is_file()):
        total.update(path.name.encode() + bytes.fromhex(files.checksum(path)))
    return total.hexdigest()


def check(folder: Path) -> None:
    """Refuse a folder that leads elsewhere, brings code, or lies about its size.

    Raises
    ------
    BadInputError
        A link out of the folder, a file that is none or is all holes, code of its own, an
        adapter, weights that are no safetensors or lie elsewhere, or a configuration of more
        layers than there are tensors.
    """
    for path in sorted(folder.iterdir()):
        _check_file(folder, path)
    if (folder / "adapter_config.json").exists():
        raise BadInputError(f"{folder}: an adapter; merge it into its model and save that")
    for path in folder.glob("*.index.json"):
        _check_index(path)
    for path in (folder / name for name in _CONFIGURATIONS):
        if path.exists() and "auto_map" in _object(path):
            raise BadInputError(
                f"{path}: auto_map asks for code of its own, which is never run; "
                "use a model that transformers itself knows"
            )
    config, tensors = folder / "config.json", len(shapes(folder))
    for key, number in _numbers(_object(config)):
        if number > (most := _most(key, tensors)):
            raise BadInputError(f"{config}: {key} = {number}: the weights allow {most:.0f}")


def _check_file(folder: Path, path: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise BadInputError(f"{path}: a link out of the folder is not followed; copy the file")
    if path.is_dir():
        return
    if not path.is_file():
        raise BadInputError(f"{path}: neither a file nor a folder; remove it")
    known = path.stat()
    if path.suffix in _CONTENT - {".safetensors"} and known.st_size > _MOST_BYTES:
        raise BadInputError(f"{path}: {known.st_size} bytes; at most {_MOST_BYTES} are read")
    stored = known.st_blocks * 512  # 0 where a file system does not say
    if known.st_size > 2**20 and 0 < stored < known.st_size // _SPARSE:
        raise BadInputError(f"{path}: {known.st_size} bytes, of which {stored} are on disk")


def _check_index(path: Path) -> None:
    """Refuse an index of weights that names a file elsewhere, or of another kind."""
    named = _object(path).get("weight_map")
    for name in set(named.values()) if isinstance(named, dict) else {""}:
        plain = isinstance(name, str) and Path(name).name == name
        if not plain or not name.endswith(".safetensors"):
            raise BadInputError(f"{path}: weight_map: {name!r} is no safetensors file beside it")


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every tensor in a folder's weights; none is read.

    Raises
    ------
    BadInputError
        A file is no safetensors, or its header disagrees with its size.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="numpy") as weights:
                for name in weights.keys():  # noqa: SIM118 - no mapping
                    found[name] = tuple(weights.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise BadInputError(f"{path}: not safetensors ({error})") from None
    return found


def _object(path: Path) -> dict[str, Any]:
    found = files.read_json(path)
    if not isinstance(found, dict):
        raise BadInputError(f"{path}: not an object of keys and values")
    return found


def _numbers(config: Any) -> Iterator[tuple[str, float]]:
    """Yield every key of a configuration whose value is a number, nested ones included."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _numbers(value)
        elif isinstance(value, int | float):
            yield str(key), value


def _most(key: str, tensors: int) -> float:
    """Return how much of something a configuration may ask for: each becomes an object."""
    if "experts" in key:
        return max(tensors, _MOST_EXPERTS)
    if "layers" in key or "blocks" in key:
        return max(tensors, _MOST_LAYERS)
    return _MOST_LABELS if "num_labels" in key else float("inf")
