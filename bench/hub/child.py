"""What asks the hub, in a process of its own: it answers one request with one line of JSON.

The hub's library waits long and tries often. Here it only works; `snapshots` watches it, and ends
it when no byte comes any more.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SMALL = (".json", ".txt", ".model")
"""Endings of a model's configuration and tokenizer."""
WEIGHTS = ".safetensors"
DATA = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".arrow")
_TRIES, _PAUSE_SECONDS, _ANSWER_SECONDS = 3, 2.0, 15
_BUSY = 500
"""HTTP statuses from here on are the hub's own trouble: worth another try."""
_GATED = (
    "is gated: accept its terms on its page on the hub, then set HF_TOKEN to a token of yours "
    "that may read it"
)
_HIDDEN = (
    "is not on the hub, or is private: check the name, or set HF_TOKEN to a token that may read it"
)
Request = dict[str, Any]


class RefusedError(Exception):
    """Something that no further try changes, in words."""


def main() -> None:
    """Answer the request on standard input: {"folder": …}, {"commit": …} or {"refused": …}."""
    request = json.load(sys.stdin)
    answer = commit if request["want"] == "commit" else snapshot
    for attempt in range(1, _TRIES + 1):
        try:
            said = answer(request)
            break
        except RefusedError as error:
            said = {"refused": str(error)}
            break
        except Exception as error:  # the library raises its own, httpx's and the system's
            said = {"refused": _cause(error)}
            if not _is_passing(error) or attempt == _TRIES:
                break
        time.sleep(_PAUSE_SECONDS)
    print(json.dumps(said))  # noqa: T201 - the answer


def commit(request: Request) -> dict[str, str]:
    """Return the commit that the repository's main branch is at now."""
    return {"commit": str(_info(request, "main").sha)}


def snapshot(request: Request) -> dict[str, Any]:
    """Download what is needed of a repository at a commit; say where it lies."""
    from huggingface_hub import snapshot_download

    info = _info(request, request["revision"])
    names = sorted(item.rfilename for item in info.siblings or [])
    steps = _of_model(names) if request["kind"] == "model" else _of_data_set(request, names)
    folder = ""
    for patterns in steps:  # small files first: where the large ones are whole, all are
        folder = snapshot_download(
            request["name"],
            repo_type=request["kind"],
            revision=request["revision"],
            allow_patterns=patterns,
            etag_timeout=_ANSWER_SECONDS,
            max_workers=4,
        )
    return {"folder": folder, "files": sorted({name for step in steps for name in step})}


def _info(request: Request, revision: str) -> Any:
    from huggingface_hub import HfApi

    ask: Callable[..., Any] = HfApi().repo_info
    kind = request["kind"]
    return ask(request["name"], repo_type=kind, revision=revision, timeout=_ANSWER_SECONDS)


def _of_model(names: list[str]) -> list[list[str]]:
    top = [name for name in names if "/" not in name]
    weights = [name for name in top if name.endswith(WEIGHTS)]
    if "config.json" not in top:
        raise RefusedError("holds no config.json, so it is no model of transformers")
    if not weights:
        other = next((n for n in top if n.endswith((".bin", ".h5", ".msgpack"))), "")
        found = f" (it has {other}, which is never read)" if other else ""
        raise RefusedError(
            f"holds no {WEIGHTS} file{found}; choose a commit that has one, often that of a pull "
            "request of the hub's bot SFconvertbot, or save the model again"
        )
    return [[name for name in top if name.endswith(SMALL)], weights]


def _of_data_set(request: Request, names: list[str]) -> list[list[str]]:
    """Return the files of one configuration, as the card names them; else all data files."""
    card = [name for name in names if name == "README.md"]
    data = [name for name in names if name.endswith(DATA) and name not in card]
    if card:
        data = _configured(request, data) or data
    if not data:
        raise RefusedError("holds no Parquet, CSV or JSON file; code of a data set is never run")
    return [[*card, *data]]


def _configured(request: Request, data: list[str]) -> list[str]:
    from fnmatch import fnmatch

    from huggingface_hub import DatasetCard, hf_hub_download

    path = hf_hub_download(
        request["name"], "README.md", repo_type="dataset", revision=request["revision"]
    )
    try:
        configs = DatasetCard.load(path, ignore_metadata_errors=True).data.to_dict()["configs"]
        named = {str(item.get("config_name", "default")): item for item in configs}
    except Exception:  # no metadata, or none that YAML can read: all data files are one
        return []
    wanted = request["config"] or _only(named)
    if wanted not in named:
        raise RefusedError(f"config = {wanted!r}: there are: {', '.join(sorted(named))}")
    patterns = [*_patterns(named[wanted].get("data_files"))]
    return [name for name in data if any(fnmatch(name, pattern) for pattern in patterns)]


def _only(named: dict[str, Any]) -> str:
    default = [name for name, item in named.items() if item.get("default")]
    if len(named) == 1 or "default" in named or default:
        return (default or ["default" if "default" in named else next(iter(named))])[0]
    raise RefusedError(
        f"has {len(named)} configurations ({', '.join(sorted(named)[:20])}): name one, config in "
        "[task] or --config"
    )


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.removeprefix("./")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "split":
                yield from _patterns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _patterns(inner)


def _status(error: Exception) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _is_passing(error: Exception) -> bool:
    return _status(error) >= _BUSY


def _cause(error: Exception) -> str:
    """Return the true cause in a few words, with the way out."""
    from huggingface_hub import errors

    known = (
        (errors.GatedRepoError, _GATED),
        (errors.RevisionNotFoundError, "has no such revision; name a commit of it, 40 digits"),
        (errors.RepositoryNotFoundError, _HIDDEN),
    )
    said = next((words for kind, words in known if isinstance(error, kind)), "")
    return said or _of_connection(error)


def _of_connection(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    kind = type(error).__name__
    if _status(error):
        return f"the hub answers with status {_status(error)}; try again later"
    if "Timeout" in kind:
        return f"the hub did not answer for {_ANSWER_SECONDS} s; try again later"
    if "Connect" in kind:
        return f"the hub was not reached ({text}); is there a network, is HF_ENDPOINT right?"
    if isinstance(error, KeyError | TypeError | ValueError):
        return f"the hub's answer is not understood ({kind}: {text})"
    return f"the download broke off ({text}); try again: what is whole is kept"


def folder_of(name: str, kind: str, revision: str) -> Path:
    """Return where the hub's cache keeps a snapshot, whether it is there or not."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    place = repo_folder_name(repo_id=name, repo_type=kind)
    return Path(constants.HF_HUB_CACHE) / place / "snapshots" / revision
