"""The suite that is written: every key with a word on it, ready to run."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WITH_GROUPS = {
    "full": "everything is trained: what the others are compared with",
    "lora": "low-rank adapters: a hundredth of the weights",
    "weighted": "examples count so that group and label are independent",
    "adversarial": "an adversary that cannot tell the group",
}
WITHOUT_GROUPS = {
    "full": "everything is trained: what the others are compared with",
    "lora": "low-rank adapters: a hundredth of the weights",
    "layerwise_decay": "lower layers learn more slowly",
    "label_smoothing": "no answer is quite certain",
}
_MARK = "# Written by `tunefair init`"
_WHY = {
    "path": "relative to this file",
    "name": "of the hub, or a folder relative to this file",
    "revision": "the commit of the day on which this was written: a run can be repeated",
    "positive": "the rarer of the two; the rates of the report are of this class",
    "label_threshold": "labels are scores: positive from here on",
    "group_threshold": "groups are scores: a member from here on",
    "groups": "the first is the one that mitigating strategies see",
    "id": "what predictions of other models are paired by",
    "cluster": "rows that share it are not independent: intervals go by whole clusters",
    "split": "says train, validation or test",
    "missing": "spellings of a missing value, besides an empty field",
    "incomplete": "without a text or label: left out; without a group: kept",
    "validation": "a tenth of train is kept for it, near-duplicates together",
}
_EMPTY_ONLY = ("validation",)
"""Keys whose word is of their empty value."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a suite is written from."""

    name: str
    data: str
    """As it was named on the command line."""
    task: Mapping[str, object]
    """Keys of `[task]`."""
    model: Mapping[str, object]
    """Keys of `[model]`."""
    has_groups: bool


def name_of(text: str) -> str:
    """Return a name as fit for a suite: small letters, digits, - and _."""
    fit = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return fit[:64] or "mine"


def written(draft: Draft) -> str:
    """Return the suite's text; its first line tells whether it was edited since."""
    body = "\n".join(_lines(draft)) + "\n"
    return f"{_MARK} ({_hash(body)}).\n{body}"


def is_untouched(text: str) -> bool:
    """Whether a file is as `init` wrote it: it may be written again."""
    first, _, body = text.partition("\n")
    return first == f"{_MARK} ({_hash(body)})."


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:8]


def _lines(draft: Draft) -> Iterator[str]:
    yield f'name = "{draft.name}"'
    yield f"description = {_toml(f'Which way of fine-tuning on {draft.data} to ship.')}"
    yield "seeds = [0, 1, 2]        # each strategy is trained so often: what chance does is seen"
    yield ""
    yield "[task]"
    yield from _table(draft.task)
    yield '# label_meaning = ""     # what the label says; it stands on the report'
    yield ""
    yield "[model]"
    yield from _table(draft.model)
    yield ""
    yield "[budget]"
    yield "epochs = 3               # of the first strategy; the others may spend as many FLOPs"
    yield ""
    yield "[training]"
    yield "batch_size = 32"
    yield "learning_rate = 5e-5     # peak; adapters bring their own"
    yield ""
    yield "# `tunefair list strategies` shows more; a+b composes two."
    for label, why in (WITH_GROUPS if draft.has_groups else WITHOUT_GROUPS).items():
        yield f"[strategies.{label}]".ljust(24) + f" # {why}"


def _table(keys: Mapping[str, object]) -> Iterator[str]:
    for key, value in keys.items():
        line = f"{key} = {_toml(value)}"
        why = "" if key in _EMPTY_ONLY and value else _WHY.get(key, "")
        yield f"{line.ljust(24)} # {why}" if why else line


def _toml(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)
