"""Exchange the terms of two groups throughout a text: whole words, both directions at once.

Both directions, so that "she told him" becomes "he told her": a comparison of two groups stays
one. Which of several replacements a term gets ("her" is "his" before a noun, else "him") is
decided by its neighbours from closed word lists, without a tagger; lexicon.json holds the lists.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..schema import Array, BadInputError

Forms = str | Mapping[str, str]
"""A replacement, or one a context: "before_word", "after_be" (else "alone"), "alone"."""


@cache
def lexicon() -> dict[str, Any]:
    """Return the shipped term lists."""
    content: dict[str, Any] = json.loads(_file().read_bytes())
    return content


def lexicon_bytes() -> bytes:
    """Return the shipped term lists as they are stored, to be fingerprinted."""
    return _file().read_bytes()


def exchange(
    texts: Iterable[str],
    terms: Mapping[str, Forms],
    *,
    without: Iterable[str] = (),
    english: bool = True,
) -> Array:
    """Return each text with its `terms` replaced, "" where nothing changes; (n,) str.

    A capital stays a capital. A text that holds one of the terms `without` a counterpart is left
    out (""). In English, fixed phrases stay as they are, and "a" and "an" follow the new word.
    """
    pattern = re.compile("|".join(_alternatives(terms, english=english)), re.IGNORECASE)
    unmatched = _any_of(without)
    blocked = re.compile(rf"\b(?:{unmatched})\b", re.IGNORECASE) if unmatched else None

    def changed(text: str) -> str:
        if blocked and blocked.search(text):
            return ""
        swapped = pattern.sub(lambda match: _replace(match, terms), text)
        return "" if swapped == text else swapped

    return np.array([changed(text) for text in texts], object)


def read(path: Path) -> dict[str, dict[str, str]]:
    """Return a lexicon of your own: JSON, from a view's name to its terms and replacements.

    Raises
    ------
    BadInputError
        Not such a file; the message names it.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BadInputError(f"{path}: not JSON") from None
    views = content.items() if isinstance(content, dict) else [("", content)]
    for view, terms in views:
        if not isinstance(terms, dict) or not terms:
            raise BadInputError(f"{path}: view {view!r}: not a table of terms and replacements")
        for term, new in terms.items():
            if not term or term != term.lower() or not isinstance(new, str) or not new:
                raise BadInputError(
                    f"{path}: view {view!r}: {term!r} = {new!r}: a term in lower case and what "
                    "replaces it are wanted"
                )
    return dict(views)


def targets(group: str, other: str) -> tuple[dict[str, Forms], list[str]]:
    """Return the terms exchanged between two target groups, and those without a counterpart."""
    roles = lexicon()["roles"]
    one, two = roles[group], roles[other]
    common = one.keys() & two.keys()
    terms = _renamed(one, two, common) | _renamed(two, one, common)
    unmatched = [
        term
        for role, entry in [*one.items(), *two.items()]
        if role not in common
        for term in entry["terms"]
    ]
    return terms, unmatched


def _renamed(
    source: Mapping[str, Any], to: Mapping[str, Any], roles: set[str]
) -> dict[str, Forms]:
    adjectives = set(source["adjective"]["terms"])
    persons = set(source["person"]["terms"])
    terms: dict[str, Forms] = {
        term: to[role]["to"] for role in roles for term in source[role]["terms"]
    }
    person, adjective = to["person"]["to"], to["adjective"]["to"]
    both: Forms = {"alone": person, "after_be": adjective, "before_word": adjective}
    return terms | dict.fromkeys(adjectives & persons, both)


def _replace(match: re.Match[str], terms: Mapping[str, Forms]) -> str:
    if match["kept"]:
        return match[0]
    forms = terms[match["term"].lower()]
    new = forms if isinstance(forms, str) else forms.get(_context(match), forms["alone"])
    if match["term"][0].isupper():
        new = new[0].upper() + new[1:]
    if not match["article"]:
        return new
    return f"{_article(match['article'], new)}{match['gap']}{new}"


def _context(match: re.Match[str]) -> str:
    words = lexicon()
    following = re.match(r"\s+([^\W_]+)", match.string[match.end() :])
    if following and following[1].lower() not in words["function_words"]:
        return "before_word"
    preceding = re.search(r"([^\W_]+)\W+$", match.string[: match.start("term")])
    return "after_be" if preceding and preceding[1].lower() in words["be"] else "alone"


def _article(old: str, word: str) -> str:
    vowel = word[0].lower() in "aeiou" and not word.lower().startswith("eu")
    return old[0] + ("n" if vowel else "")


def _alternatives(terms: Iterable[str], *, english: bool) -> Iterator[str]:
    article = r"(?:\b(?P<article>an?)(?P<gap>\s+))?" if english else "(?P<article>)(?P<gap>)"
    kept = rf"(?:an?\s+)?(?:{_any_of(lexicon()['keep'])})" if english else r"(?!)"
    yield rf"\b(?P<kept>{kept})\b"
    yield rf"{article}\b(?P<term>{_any_of(terms)})\b"


def _any_of(terms: Iterable[str]) -> str:
    """Return a pattern of all terms, the longest first."""
    return "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))


def _file() -> Path:
    return Path(__file__).with_name("lexicon.json")
