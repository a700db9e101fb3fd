"""Rows of any table as a task: which column is what, and near-duplicates split as one."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ..reading import class_order, labels, spellings
from ..reading.columns import Categories, Source
from ..reading.foreign import membership
from ..schema import Array, BadInputError, Task, TaskCard
from ..task import TaskSource
from . import _near_duplicates, _split, _swap

VERSION = 1
"""Of the split and the ids; part of every fingerprint."""

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_SIDES = ("train", "validation", "test")
_SALT = "files-v1"
_HALF = "label_threshold = 0.5 (--label-threshold) makes a row positive from there on"
_MEMBER = "group_threshold = 0.5 (--group-threshold) makes a row a member from there on"


@dataclass(frozen=True, kw_only=True)
class Table(TaskSource):
    """A source whose rows are a table's: which column is what, "" where there is none."""

    text: str = "text"
    """Column of the texts."""
    text_pair: str = ""
    """Column of the second texts, for tasks on two."""
    label: str = "label"
    """Column of the labels; named classes get their names."""
    groups: tuple[str, ...] = ()
    """Columns of group attributes."""
    id: str = ""
    """Column of ids; without it an id is the hash of the texts."""
    cluster: str = ""
    """Column of what makes examples alike: an author, a template, a thread. Intervals and tests
    then go by whole clusters; a missing value is a cluster of its own. It changes no training and
    no split: a split column can keep clusters together."""
    positive: str = ""
    """Which of two labels is the positive class."""
    label_threshold: float | None = None
    """Where set, the label is a score, and positive from here on."""
    group_threshold: float | None = None
    """Where set, each group column is a score of membership, from here on a member."""
    incomplete: Literal["refuse", "leave_out", "keep_unannotated"] = "refuse"
    """What becomes of rows without a text, label or group; `keep_unannotated` leaves out those
    without a text or label, and keeps those without a group as not annotated."""
    missing: tuple[str, ...] = ()
    """Spellings of a missing value, besides an empty field: ["nan", "NA"]."""
    lexicon: str = ""
    """JSON file of counterfactual views: {"gender": {"she": "he", "he": "she"}} makes the view
    `swap:gender`, in which whole words of `text` are replaced."""
    label_kept_in: tuple[str, ...] = ()
    """Views of the lexicon whose texts have the same label: a strategy may train on them."""
    label_meaning: str = "not stated"
    """What the task card says of the label."""
    licence: str = "not stated"
    """What the task card says of the data's licence."""

    @property
    def split_column(self) -> str:
        """Column that says train, validation or test; "": the rows are split here."""
        return ""

    @property
    def columns(self) -> list[str]:
        """Every column that is read."""
        wanted = (self.text, self.text_pair, self.label, *self.groups, self.split_column, self.id)
        wanted += (self.cluster,)
        return [name for name in wanted if name]

    @property
    def lexicon_file(self) -> Path | None:
        """The file of the terms that the views replace."""
        return self.folder / self.lexicon if self.lexicon else None

    def options(self, *, without: Iterable[str] = ()) -> dict[str, Any]:
        """Return the options that have another value than their default, for a fingerprint."""
        left_out = {"folder", "lexicon", *without}
        known = [f for f in fields(self) if f.name not in left_out and f.default is not MISSING]
        values = {f.name: getattr(self, f.name) for f in known}
        return {f.name: values[f.name] for f in known if values[f.name] != f.default}


def task(source: Source, table: Table, *, name: str, card: TaskCard) -> Task:
    """Return the rows of a table as a task.

    Without a split column, clusters of near-duplicates are assigned 70 : 10 : 20 within each label
    and combination of groups; where it names no validation, a tenth of train is taken so. Without
    an id column, an id is the hash of the texts.

    Raises
    ------
    BadInputError
        A text, label or group is missing, a split has no known name, the texts are too alike to
        be split, or two labels do not say which is positive.
    """
    rows = source.table.num_rows
    source = _chosen(source, table)
    text = _texts(source, table.text)
    pair = _texts(source, table.text_pair) if table.text_pair else None
    whole = [text] if pair is None else [text, pair]
    notes: list[str] = []
    groups = {name: _group(source, table, name, notes) for name in table.groups}
    label, classes = _label(source, table, notes)
    views = _views(table.lexicon_file, text) if table.lexicon_file else {}
    if table.split_column:
        split = _given_split(source, table.split_column)
        if not (split == "validation").any():
            split = _with_validation(source, split, whole, [label, *groups.values()])
    else:
        split = _own_split(source, whole, [label, *groups.values()])
    notes += _lacking(label, classes, split)
    return Task(
        name=name,
        example_id=source.identifiers(table.id) if table.id else _hashes(whole),
        text=text,
        text_pair=pair,
        label=label,
        groups=groups,
        split=split,
        classes=classes,
        views=views,
        cluster=source.clusters(table.cluster) if table.cluster else None,
        card=replace(
            card,
            warnings=(*_warnings(table.groups, rows - len(text)), *notes),
            label_kept_in=_kept(table, views),
        ),
    )


def unused(source: Source, table: Table) -> dict[str, Array]:
    """Return the columns of single values that the task leaves aside, rows as those of `task`."""
    used = set(table.columns)
    source = _chosen(source, table)
    categories = {}
    for name in dict.fromkeys(source.table.column_names):
        if name not in used and not pa.types.is_nested(source.table.schema.field(name).type):
            categories[name] = source.strings(name).fill_null("").to_numpy(zero_copy_only=False)
    return {name: column.astype(object) for name, column in categories.items()}


def _chosen(source: Source, table: Table) -> Source:
    """Return the rows that are kept, with the spellings of what is missing."""
    source = replace(source, missing=frozenset(table.missing))
    if table.incomplete == "refuse":
        return source
    needed = [name for name in table.columns if name != table.cluster]
    if table.incomplete == "keep_unannotated":
        needed = [name for name in needed if name not in table.groups or name == table.label]
    return source.complete(needed)


def _label(source: Source, table: Table, notes: list[str]) -> tuple[Array, tuple[str, ...]]:
    """Return the label as indices, and the classes they point to."""
    where = f"{source.path}: column {table.label!r}"
    if table.label_threshold is not None:
        categories = labels.thresholded(source, table.label, table.label_threshold)
    else:
        categories = _given(source, table.label)
        _check_label(source, table, categories, notes)
    if len(seen := np.unique(categories.code)) == 1:
        raise BadInputError(f"{where} holds only one class, {categories.values[seen[0]]!r}")
    classes = class_order.positive_last(
        where, class_order.in_order(categories.values), table.positive
    )
    place = np.array([classes.index(value) for value in categories.values], np.int64)
    return place[categories.code], classes


def _texts(source: Source, column: str) -> Array:
    categories = source.strings(column)
    written: Array = categories.to_numpy(zero_copy_only=False)
    if categories.null_count:
        empty = np.array([value is None for value in written])
        source.refuse(column, int(empty.argmax()), "the text is empty; remove the row")
    return written


def _check_label(source: Source, table: Table, categories: Categories, notes: list[str]) -> None:
    """Refuse what is no label: a missing value that a program wrote, a list, a share of votes."""
    spellings.check_not_lists(source, table.label, categories)
    labels.check_no_fractions(source, table.label, categories, _HALF)
    for value in spellings.like_missing(categories.values, table.missing):
        rows = categories.code == categories.values.index(value)
        if value.lower() in spellings.NEVER_A_CLASS:
            reason = (
                "reads like a missing value; leave such rows out (missing and incomplete in "
                f"[task], --missing {value} here), or rename the class"
            )
            source.refuse(table.label, int(rows.argmax()), reason, value=value)
        notes.append(
            f"Label {value!r} ({int(rows.sum())} rows) is a class; if it means that nothing is "
            f'known: missing = ["{value}"] in [task], --missing {value} here.'
        )
    if twins := labels.twins(categories.values):
        one, two = twins
        notes.append(
            f"Labels {one!r} and {two!r} are two classes; if they are one, write them alike."
        )


def _group(source: Source, table: Table, column: str, notes: list[str]) -> Array:
    """Return a group column; "" where a row is not annotated and may stay so."""
    threshold = table.group_threshold
    if table.incomplete != "keep_unannotated":
        categories = (
            labels.thresholded(source, column, threshold)
            if threshold is not None
            else _given(source, column)
        )
    elif threshold is not None:
        return _noted(membership(source, column, threshold), column, notes)
    else:
        categories = source.categories(column)
    if threshold is None:
        labels.check_no_fractions(source, column, categories, _MEMBER)
    suspects = spellings.like_missing(categories.values, table.missing)
    if suspects:
        note = spellings.missing_or_group(column, categories, suspects)
        notes.append(f"{note[0].upper()}{note[1:]}.")
    return _noted(categories.strings, column, notes)


def _noted(group: Array, column: str, notes: list[str]) -> Array:
    """Return the column, and say how many rows of it are not annotated."""
    if unknown := int((group == "").sum()):
        notes.append(
            f"{unknown} rows are not annotated in {column!r}: they stay, and a strategy that sees "
            "this attribute sees them as a group of their own."
        )
    return group


def _lacking(label: Array, classes: Sequence[str], split: Array) -> Iterator[str]:
    """Say which classes some split has no example of."""
    for place, name in enumerate(classes):
        lacking = [s for s in _SIDES if not ((label == place) & (split == s)).any()]
        if lacking:
            rows = int((label == place).sum())
            learnt = "; it cannot be learnt" if "train" in lacking else ""
            yield f"Class {name!r} ({rows} rows) has no row in {' and '.join(lacking)}{learnt}."


def _given(source: Source, column: str) -> Categories:
    if source.is_list(column):
        source.refuse(column, 0, spellings.SEVERAL)
    categories = source.categories(column)
    if (categories.code < 0).any():
        way_out = "missing; fill it, or say what becomes of such rows: incomplete in [task]"
        source.refuse(column, int((categories.code < 0).argmax()), way_out)
    return categories


def _views(lexicon: Path, text: Array) -> dict[str, Array]:
    """Return one view of the text for each of the lexicon's; each changes something."""
    views = {}
    for name, terms in _swap.read(lexicon).items():
        views[f"swap:{name}"] = _swap.exchange(text, terms, english=False)
        if not views[f"swap:{name}"].any():
            raise BadInputError(f"{lexicon}: view {name!r}: its terms occur in no row")
    return views


def _kept(table: Table, views: Iterable[str]) -> tuple[str, ...]:
    """Return the views that keep the label, in the order of the lexicon."""
    same_label = [f"swap:{name}" for name in table.label_kept_in]
    if strangers := sorted(set(same_label) - set(views)):
        name = strangers[0].removeprefix("swap:")
        raise BadInputError(f"task: label_kept_in: {name!r} is no view of the lexicon")
    return tuple(view for view in views if view in same_label)


def _given_split(source: Source, column: str) -> Array:
    categories = source.categories(column)
    side = [SPLITS.get(value.lower(), "") for value in categories.values]
    split: Array = np.array([*side, ""], "<U10")[categories.code]
    if (split == "").any():
        row = int((split == "").argmax())
        value = categories.strings[row]
        source.refuse(column, row, "no split; train, validation and test are", value=str(value))
    return split


def _with_validation(
    source: Source, split: Array, texts: Sequence[Array], strata: Sequence[Array]
) -> Array:
    """Return the split with a tenth of train as validation, near-duplicates together."""
    train = np.flatnonzero(split == "train")
    if not len(train):
        return split
    own = _own_split(source, [text[train] for text in texts], [of[train] for of in strata])
    split = split.copy()
    split[train[own == "validation"]] = "validation"
    return split


def _own_split(source: Source, texts: Sequence[Array], strata: Sequence[Array]) -> Array:
    identities = [_near_duplicates.identity(" ".join(row)) for row in zip(*texts, strict=True)]
    cluster = _near_duplicates.clusters(identities)
    stratum = list(zip(*(column.tolist() for column in strata), strict=True))
    split = _split.by_cluster(identities, cluster, stratum, salt=_SALT)
    split = _split.with_every_class(split, cluster, strata[0], identities, salt=_SALT)
    if len(np.unique(split)) < len(set(SPLITS.values())):
        raise BadInputError(
            f"{source.path}: {len(cluster)} rows in {len(np.unique(cluster))} clusters of "
            "near-duplicates are too alike or too few to assign to train, validation and test; "
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
