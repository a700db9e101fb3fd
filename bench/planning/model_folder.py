"""Model folders: where a model is stored, its fingerprint, and what is refused in a folder.

Nothing here imports torch: a plan needs a model's identity, not the model.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..environment import installed
from ..hub import snapshots
from ..schema import BadInputError
from ..storage import files
from ..suite import ModelChoice

_PACKAGE = "package:"
_CONTENT = {
    ".json", ".safetensors", ".txt", ".model", ".bpe", ".codes", ".jinja", ".spm", ".tiktoken",
    ".tokenizer", ".vocab",
}  # fmt: skip
"""Suffixes of weights, configuration and tokenizer: what makes a model this model. They are those
of every file that a tokenizer of transformers may open (a test looks), and of older ones."""
_CONFIGURATIONS = (
    "config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json",
)  # fmt: skip
_MOST_BYTES = 256 * 2**20
"""Largest size of any file but weights; the largest tokenizers take 40 MiB."""
_MOST_PARSED_BYTES = 16 * 2**20
"""Largest size of a configuration or an index, which is parsed here; the largest take 1 MiB."""
_SPARSE = 4
"""A file that takes less than one in so many of its bytes on disk has holes: no weights do."""
_MOST_LAYERS = 100
"""Repetitions that a configuration may ask for, however few tensors there are."""
_ATTENTION = (None, "", "eager", "sdpa")
"""What a configuration may say of its attention: other names load code, some from the hub."""
_MOST_EXPERTS = 1000
_MOST_LABELS = 100_000


def placed(model: ModelChoice, folder: Path) -> ModelChoice:
    """Return the choice with its folder found from `folder`, that of the suite's file."""
    if (found := folder / model.source).is_dir():
        return model.model_copy(update={"source": str(found.resolve())})
    return model


def locate(model: ModelChoice) -> Path:
    """Return the folder of a model; one of the hub is downloaded unless the cache holds it.

    Raises
    ------
    BadInputError
        No such folder or package, no safetensors in it, a hub name without a commit, or one that
        cannot be downloaded.
    """
    if commit := hub_commit(model):
        return snapshots.snapshot(model.source, "model", commit)
    return _local(model)


def hub_commit(model: ModelChoice) -> str:
    """Return the commit of a model of the hub; "" of a folder or a package.

    Raises
    ------
    BadInputError
        No such folder, or a hub name without a commit: it names today's.
    """
    path = Path(model.source)
    if model.source.startswith(_PACKAGE) or (path.is_absolute() and path.is_dir()):
        return ""
    if path.is_dir() or not snapshots.NAME.fullmatch(model.source):
        raise BadInputError(
            f"model.source = {model.source!r}: no such folder; a relative path starts at the "
            "suite's file"
        )
    if not snapshots.COMMIT.fullmatch(model.revision or ""):
        raise BadInputError(
            f"model.revision = {model.revision!r}: a hub name ({model.source}) needs its commit, "
            "40 hexadecimal digits, so that the run can be repeated"
            f"{snapshots.todays_words(model.source, 'model')}"
        )
    return model.revision or ""


def _local(model: ModelChoice) -> Path:
    if model.source.startswith(_PACKAGE):
        name = model.source.removeprefix(_PACKAGE)
        return installed.folder(name, "model.safetensors")
    folder = Path(model.source)
    for needed in ("config.json", "*.safetensors"):
        if not any(folder.glob(needed)):
            raise BadInputError(f"model.source = {model.source!r}: holds no {needed}")
    return folder


def weights_bytes(model: ModelChoice) -> int:
    """Return the size of a model's weights on disk."""
    return sum(path.stat().st_size for path in locate(model).glob("*.safetensors"))


def fingerprint(model: ModelChoice) -> str:
    """Return the identity of a model's content, without loading it.

    The sha256 over weights, configuration and tokenizer of a local folder, which are all files
    that loading may open; of a pinned hub model, over its name and commit.

    Raises
    ------
    BadInputError
        There is no such model, or its folder holds what is never read (see `check`).
    """
    if commit := hub_commit(model):
        return hashlib.sha256(f"{model.source}@{commit}".encode()).hexdigest()
    folder = _local(model)
    check(folder)
    total = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in _CONTENT and p.is_file()):
        total.update(path.name.encode() + bytes.fromhex(files.checksum(path)))
    return total.hexdigest()


def check(folder: Path) -> None:
    """Refuse a folder that names files elsewhere, brings code, or states a false size.

    Raises
    ------
    BadInputError
        A link out of the folder, a device or a file with holes, code of its own, an adapter,
        weights that are no safetensors, a weight or tokenizer file that is not directly in the
        folder, or a configuration of more layers than there are tensors.
    """
    for path in sorted(folder.iterdir()):
        _check_file(folder, path)
    if (folder / "adapter_config.json").exists():
        raise BadInputError(f"{folder}: an adapter; merge it into its model and save that")
    for path in folder.glob("*.index.json"):
        _check_index(path)
    tensors = len(shapes(folder))
    for path in (folder / name for name in _CONFIGURATIONS):
        if path.exists():
            _check_configuration(path, tensors)


def _check_configuration(path: Path, tensors: int) -> None:
    for key, value in _items(_object(path)):
        if key == "auto_map":
            raise BadInputError(
                f"{path}: auto_map asks for code of its own, which is never run; "
                "use a model that transformers itself knows"
            )
        if key.strip("_").startswith(("attn_implementation", "experts_implementation")):
            _check_implementation(path, key, value)
        if key == "transformers_weights" and value is not None:
            _check_named(path, key, value, ".safetensors", ".safetensors.index.json")
        if key == "fast_tokenizer_files":
            for name in value if isinstance(value, list) else [value]:
                _check_named(path, key, name, ".json")
        if isinstance(value, int | float) and value > (most := _most(key, tensors)):
            raise BadInputError(f"{path}: {key} = {value}: the weights allow {most:.0f}")


def _check_implementation(path: Path, key: str, value: Any) -> None:
    """Refuse a configuration that chooses other code for attention or experts."""
    if isinstance(value, dict) or value not in _ATTENTION:
        raise BadInputError(
            f"{path}: {key} = {value!r:.60}: would load other code; remove the key, the "
            "attention is chosen here"
        )


def _check_named(path: Path, key: str, name: Any, *suffixes: str) -> None:
    """Refuse a file that is not directly in the folder, where its content has no fingerprint."""
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(suffixes):
        raise BadInputError(
            f"{path}: {key}: {name!r:.80} is no {suffixes[0].removeprefix('.')} file beside it"
        )


def _check_file(folder: Path, path: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise BadInputError(f"{path}: a link out of the folder is not followed; copy the file")
    if path.is_dir():
        return
    if not path.is_file():
        raise BadInputError(f"{path}: neither a file nor a folder; remove it")
    status = path.stat()
    parsed = path.name in _CONFIGURATIONS or path.name.endswith(".index.json")
    most = _MOST_PARSED_BYTES if parsed else _MOST_BYTES
    if path.suffix in _CONTENT - {".safetensors"} and status.st_size > most:
        raise BadInputError(f"{path}: {status.st_size} bytes; at most {most} are read")
    stored = status.st_blocks * 512  # 0 where a file system does not say
    if status.st_size > 2**20 and 0 < stored < status.st_size // _SPARSE:
        raise BadInputError(f"{path}: {status.st_size} bytes, of which {stored} are on disk")


def _check_index(path: Path) -> None:
    """Refuse an index of weights that names a file elsewhere, or of another kind."""
    named = _object(path).get("weight_map")
    for name in named.values() if isinstance(named, dict) else [None]:
        _check_named(path, "weight_map", name, ".safetensors")


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every tensor in a folder's weights; none is read.

    Raises
    ------
    BadInputError
        A file is no safetensors, or its header disagrees with its size.
    """
    shape_of: dict[str, tuple[int, ...]] = {}
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="numpy") as weights:
                for name in weights.keys():  # noqa: SIM118 - no mapping
                    shape_of[name] = tuple(weights.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise BadInputError(f"{path}: not safetensors ({error})") from None
    return shape_of


def _object(path: Path) -> dict[str, Any]:
    content = files.read_json(path)
    if not isinstance(content, dict):
        raise BadInputError(f"{path}: not an object of keys and values")
    return content


def _items(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a configuration and its value, nested ones included."""
    for key, value in config.items():
        yield str(key), value
        if isinstance(value, dict):
            yield from _items(value)


def _most(key: str, tensors: int) -> float:
    """Return how much of something a configuration may ask for: each becomes an object."""
    if "experts" in key:
        return max(tensors, _MOST_EXPERTS)
    if "layer" in key or "blocks" in key:
        return max(tensors, _MOST_LAYERS)
    return _MOST_LABELS if "num_labels" in key else float("inf")
