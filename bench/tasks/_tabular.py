"""Rows of any table as a task: which column is what, and a split that parts no near-duplicates."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..reading import class_order
from ..reading.columns import Categories, Source
from ..schema import Array, BadInputError, Task, TaskCard
from . import _near_duplicates, _split, _swap

VERSION = 1
"""Of the split and the ids; part of every fingerprint."""

_SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which column of a table is what; "" where there is none."""

    text: str
    text_pair: str
    label: str
    groups: tuple[str, ...]
    split: str
    id: str
    positive: str
    """Which of two labels is the positive class."""
    label_threshold: float | None
    """Where set, the label is a score, and positive from here on."""
    group_threshold: float | None
    """Where set, each group column is a score of membership, from here on a member."""
    incomplete: Literal["refuse", "leave_out"]
    """What becomes of rows in which one of the columns says nothing."""
    lexicon: Path | None
    """File of the terms that the counterfactual views replace."""
    label_kept_in: tuple[str, ...]
    """Those of its views that keep the label."""

    @property
    def columns(self) -> list[str]:
        """Every column that is read."""
        wanted = (self.text, self.text_pair, self.label, *self.groups, self.split, self.id)
        return [name for name in wanted if name]


def task(source: Source, roles: Roles, *, name: str, card: TaskCard) -> Task:
    """Return the rows of a table as a task.

    Without a split column, clusters of near-duplicates are dealt 70 : 10 : 20 within each label
    and combination of groups. Without an id column, an id is the hash of the texts.

    Raises
    ------
    BadInputError
        A text, label or group is missing, a split has no known name, the texts are too alike to
        be split, or two labels do not say which is positive.
    """
    rows = source.table.num_rows
    if roles.incomplete == "leave_out":
        source = source.complete(roles.columns)
    text = _texts(source, roles.text)
    pair = _texts(source, roles.text_pair) if roles.text_pair else None
    whole = [text] if pair is None else [text, pair]
    groups = {g: _categories(source, g, roles.group_threshold).strings for g in roles.groups}
    label, classes = _label(source, roles)
    views = _views(roles.lexicon, text) if roles.lexicon else {}
    return Task(
        name=name,
        example_id=source.identifiers(roles.id) if roles.id else _hashes(whole),
        text=text,
        text_pair=pair,
        label=label,
        groups=groups,
        split=(
            _given_split(source, roles.split)
            if roles.split
            else _own_split(source, whole, [label, *groups.values()])
        ),
        classes=classes,
        views=views,
        card=replace(
            card,
            warnings=tuple(_warnings(roles.groups, rows - len(text))),
            label_kept_in=_kept(roles, views),
        ),
    )


def _label(source: Source, roles: Roles) -> tuple[Array, tuple[str, ...]]:
    """Return the label as indices, and the classes they point to."""
    found = _categories(source, roles.label, roles.label_threshold)
    where = f"{source.path}: column {roles.label!r}"
    if len(seen := np.unique(found.code)) == 1:
        raise BadInputError(f"{where} holds only one class, {found.values[seen[0]]!r}")
    classes = class_order.positive_last(where, class_order.in_order(found.values), roles.positive)
    place = np.array([classes.index(value) for value in found.values], np.int64)
    return place[found.code], classes


def _texts(source: Source, column: str) -> Array:
    found = source.strings(column)
    written: Array = found.to_numpy(zero_copy_only=False)
    if found.null_count:
        empty = np.array([value is None for value in written])
        source.refuse(column, int(empty.argmax()), "the text is empty; remove the row")
    return written


def _categories(source: Source, column: str, threshold: float | None) -> Categories:
    if threshold is not None:
        member = source.numbers(column) >= threshold
        return Categories(member.astype(np.int64), (f"not {column}", column))
    found = source.categories(column)
    if (found.code < 0).any():
        source.refuse(column, int((found.code < 0).argmax()), "missing; fill it or remove the row")
    return found


def _views(lexicon: Path, text: Array) -> dict[str, Array]:
    """Return one view of the text for each of the lexicon's; each changes something."""
    views = {}
    for name, terms in _swap.read(lexicon).items():
        views[f"swap:{name}"] = _swap.exchange(text, terms, english=False)
        if not views[f"swap:{name}"].any():
            raise BadInputError(f"{lexicon}: view {name!r}: its terms occur in no row")
    return views


def _kept(roles: Roles, views: Iterable[str]) -> tuple[str, ...]:
    """Return the views that keep the label, in the order of the lexicon."""
    kept = [f"swap:{name}" for name in roles.label_kept_in]
    if strangers := sorted(set(kept) - set(views)):
        name = strangers[0].removeprefix("swap:")
        raise BadInputError(f"task: label_kept_in: {name!r} is no view of the lexicon")
    return tuple(view for view in views if view in kept)


def _given_split(source: Source, column: str) -> Array:
    found = source.categories(column)
    side = [_SPLITS.get(value.lower(), "") for value in found.values]
    split: Array = np.array([*side, ""], "<U10")[found.code]
    if (split == "").any():
        row = int((split == "").argmax())
        value = found.strings[row]
        source.refuse(column, row, "no split; train, validation and test are", value=str(value))
    return split


def _own_split(source: Source, texts: Sequence[Array], strata: Sequence[Array]) -> Array:
    identities = [_near_duplicates.identity(" ".join(row)) for row in zip(*texts, strict=True)]
    cluster = _near_duplicates.clusters(identities)
    stratum = list(zip(*(column.tolist() for column in strata), strict=True))
    split = _split.by_cluster(identities, cluster, stratum, salt="files-v1")
    if len(np.unique(split)) < len(set(_SPLITS.values())):
        raise BadInputError(
            f"{source.path}: {len(cluster)} rows in {len(np.unique(cluster))} clusters of "
            "near-duplicates are too alike or too few to deal to train, validation and test; "
            "name a split column"
        )
    return split


def _hashes(texts: Sequence[Array]) -> Array:
    """Return the hash of each row's texts, numbered where rows repeat; (n,) str."""
    seen: Counter[str] = Counter()
    ids = []
    for row in zip(*texts, strict=True):
        digest = hashlib.sha256("\0".join(row).encode()).hexdigest()[:16]
        seen[digest] += 1
        ids.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return np.array(ids)


def _warnings(groups: Sequence[str], left_out: int) -> Iterator[str]:
    if left_out:
        yield f"{left_out} rows without a text, label or group were left out."
    if not groups:
        yield "No group attribute: nothing can be said about fairness."


def fingerprint(contents: Sequence[str], options: Mapping[str, object]) -> str:
    """Return the identity of rows made by this version from `contents` with `options`."""
    made = json.dumps([VERSION, contents, options], sort_keys=True, default=str)
    return hashlib.sha256(made.encode()).hexdigest()


def sha256(file: Path) -> str:
    """Return the sha256 of a file's content; a pipe or a device has none."""
    if file.exists() and not file.is_file():
        raise BadInputError(f"{file}: not a file")
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise BadInputError(f"{file}: {error.strerror}") from None
