"""The audit of the data: right on a task whose answers are known, and silent about texts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats.contingency import association

from tunefair.data_audit import tables as data_tables
from tunefair.data_audit.counts import audit
from tunefair.schema import Task, TaskCard
from tunefair.statistics.association import cramers_v
from tunefair.tasks import redditbias

CARD = TaskCard(title="", label_meaning="", source="", licence="", fingerprint="")
ROWS = [  # text, label, group, split
    ("a first text of seven whole words", 1, "a", "train"),
    ("a second one which is quite different", 0, "a", "train"),
    ("nothing here resembles anything written elsewhere", 0, "b", "train"),
    ("yet another line about cats and dogs", 1, "b", "train"),
    ("yet another line about cats and frogs", 1, "b", "train"),
    ("A FIRST text, of seven whole words!", 0, "a", "test"),
    ("yet another line about cats and birds", 1, "", "test"),
    ("completely new words in this one", 1, "b", "validation"),
]


@pytest.fixture
def task() -> Task:
    text, label, group, split = (list(column) for column in zip(*ROWS, strict=True))
    return Task(
        name="made",
        example_id=np.arange(len(ROWS)).astype(str),
        text=np.array(text, object),
        label=np.array(label),
        groups={"group": np.array(group)},
        split=np.array(split),
        classes=("no", "yes"),
        card=CARD,
    )


def test_counts(task):
    counts = {(c.split, c.group): c for c in audit(task).counts if c.attribute == "group"}
    assert counts["train", "a"].by_class == (1, 1)
    assert counts["train", "b"].by_class == (1, 2)
    assert counts["train", "b"].base_rate == pytest.approx(2 / 3)
    assert counts["test", ""].n == 1
    assert counts["validation", "a"].n == 0
    assert np.isnan(counts["validation", "a"].base_rate)


def test_counts_add_up(task):
    found = audit(task).counts
    whole = {c.split: c.by_class for c in found if not c.attribute}
    for split, by_class in whole.items():
        parts = [c.by_class for c in found if c.attribute == "group" and c.split == split]
        assert tuple(np.sum(parts, axis=0)) == by_class


def test_copies(task):
    copies = {(c.split, c.other): c for c in audit(task).copies}
    across = copies["test", "train"]
    assert (across.n, across.identical, across.contradicting, across.near) == (2, 1, 1, 2)
    assert copies["validation", "train"].near == 0
    within = copies["train", "train"]
    assert (within.identical, within.near) == (0, 2)


def test_lengths(task):
    words = {x.group: x for x in audit(task).lengths if x.unit == "words"}
    assert words["a"].mean == pytest.approx(7)
    assert words["b"].longest == 7
    assert words["b"].median == pytest.approx(6.5)


def test_missing(task):
    assert {m.column: m.n for m in audit(task).missing} == {"text": 0, "group": 1}


def test_redditbias():
    """No copy crosses the splits, and weights make group and label independent."""
    found = audit(redditbias.RedditBias().load())
    assert [c.near for c in found.copies if c.split != c.other] == [0, 0, 0]
    train = {(c.group): np.array(c.by_class) for c in found.counts if c.split == "train"}
    weighted = {g: np.zeros(2) for g in train if g}
    for w in found.weights:
        weighted[w.group][found.classes.index(w.label)] = w.n * w.weight
    table = np.array(list(weighted.values()))
    assert table.sum() == pytest.approx(train[""].sum())
    assert table / table.sum() == pytest.approx(
        np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum() ** 2
    )
    values = [w.weight for w in found.weights]
    assert (round(min(values), 2), round(max(values), 2)) == (0.78, 1.35)


def test_an_empty_training_cell_has_no_weight(task):
    one_sided = replace(task, label=np.where(task.groups["group"] == "a", 1, task.label))
    weights = {(w.group, w.label): w for w in audit(one_sided).weights}
    assert weights["a", "no"].n == 0
    assert np.isnan(weights["a", "no"].weight)


@pytest.mark.parametrize("shape", [(2, 2), (5, 2), (3, 4)])
def test_cramers_v_is_scipys(shape):
    table = np.random.default_rng(1).integers(5, 80, size=shape)
    found = cramers_v(table)
    assert found.value == pytest.approx(association(table, method="cramer"))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.corrected <= found.value


def test_cramers_v_at_its_ends():
    decided = cramers_v(np.diag([50, 60]))
    assert decided.value == pytest.approx(1)
    assert decided.high == 1
    nothing = cramers_v(np.full((3, 2), 40))
    assert (nothing.value, nothing.low, nothing.corrected) == (0, 0, 0)
    assert "only one" in cramers_v(np.array([[5, 0], [7, 0]])).undefined


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.5])
def test_interval_covers(strength):
    """400 tables of 300: a 95 % interval; two standard errors are 2 points."""
    rng = np.random.default_rng(2)
    joint = np.full((2, 2), 0.25) + strength / 4 * np.array([[1, -1], [-1, 1]])
    tables = rng.multinomial(300, joint.ravel(), size=400).reshape(-1, 2, 2)
    covered = np.mean([v.low <= strength <= v.high for v in map(cramers_v, tables)])
    assert covered >= 0.93


def test_no_text_in_the_tables(task):
    marked = replace(task, text=np.array([f"zyxw{i} vutsr{i} qponm{i}" for i in range(8)], object))
    shown = str(data_tables.tables(marked)) + str(audit(marked))
    assert not [word for text in marked.text for word in text.split() if word in shown]


def test_tables_of_every_kind_of_task(task):
    three = replace(task, classes=("no", "yes", "maybe"))
    bare = replace(task, groups={}, text_pair=task.text)
    for kind in (task, three, bare):
        for table in data_tables.tables(kind):
            assert table.rows
            assert all(len(row) == len(table.columns) for row in table.rows), table.title
