"""Push an exported folder to a hub, in one commit, private unless asked otherwise."""

import os
import re
from pathlib import Path

from ..environment import memory
from ..schema import BadInputError
from .record import REVISION

TOKEN = "HF_TOKEN"  # noqa: S105 - the name of the variable
"""Environment variable with the hub's token."""


def check(name: str) -> None:
    """Refuse what is no repository's name, and a push without a token, before any work.

    Raises
    ------
    BadInputError
        One of these.
    """
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name):
        raise BadInputError(f"--push-to {name}: give OWNER/NAME")
    if not os.environ.get(TOKEN, "").strip():
        raise BadInputError(f"--push-to {name}: set {TOKEN} to a token that may write there")


def push(folder: Path, name: str, *, public: bool) -> str:
    """Create the repository where it is not there, and commit the folder's files; return its URL.

    A repository that is there keeps its visibility; one that is public is refused unless `public`.

    Raises
    ------
    BadInputError
        The folder holds labels of people's texts and would be public, or the hub refuses or cannot
        be reached; the folder stays as it is.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    check(name)
    if public and (folder / REVISION).exists():
        raise BadInputError(
            f"--public: {folder / REVISION} holds labels and groups of the validation rows, which "
            "a public model would show to all; push without --public"
        )
    api = HfApi(token=os.environ[TOKEN].strip())
    try:
        url = api.create_repo(name, private=not public, exist_ok=True)
        if not public and api.model_info(name).private is not True:
            raise BadInputError(
                f"--push-to {name}: is public; add --public if the model may be seen by all"
            )
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        api.create_commit(
            name,
            [CommitOperationAdd(path.relative_to(folder).as_posix(), str(path)) for path in paths],
            commit_message="Export by tunefair",
        )
    except BadInputError:
        raise
    except Exception as error:  # of the hub, the network or the library; each has its own kinds
        raise BadInputError(
            f"--push-to {name}: {type(error).__name__}: {memory.line(error)[:300]}; the folder "
            f"{folder} is whole and can be pushed again"
        ) from None
    return str(url)
