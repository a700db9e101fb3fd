"""Yardsticks: right by construction, blind to the test labels, and at the known level."""

from dataclasses import replace

import numpy as np
import pytest

from tunefair.schema import Task, TaskCard
from tunefair.tasks import redditbias
from tunefair.yardsticks import YARDSTICKS, majority, tfidf

CARD = TaskCard(title="", label_meaning="", source="", licence="", fingerprint="")
WORDS = ("alpha", "beta", "gamma")


def make_task(*, n: int = 300, classes: int = 2, pair: bool = False, groups: bool = True) -> Task:
    """A task whose label is a word of the text, with some noise; a pair task: a shared word."""
    rng = np.random.default_rng(0)
    label = rng.integers(classes, size=n)
    said = np.where(rng.random(n) < 0.9, label, rng.integers(classes, size=n))
    text = np.array([f"{WORDS[s]} filler{i % 7}" for i, s in enumerate(said)], object)
    second = np.array([f"{WORDS[s]} and more" for s in np.where(label == 1, said, 0)], object)
    group = rng.choice(["a", "b"], size=n)
    return Task(
        name="made",
        example_id=np.array([f"id{i}" for i in range(n)]),
        text=text,
        text_pair=second if pair else None,
        label=label,
        groups={"group": group} if groups else {},
        split=rng.choice(["train", "validation", "test"], size=n, p=[0.6, 0.2, 0.2]),
        classes=WORDS[:classes],
        card=CARD,
    )


@pytest.mark.parametrize("name", YARDSTICKS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("groups", [False, True])
def test_every_yardstick_answers_every_kind_of_task(name, classes, pair, groups):
    task = make_task(classes=classes, pair=pair, groups=groups)
    for answers, split in zip(YARDSTICKS[name](task), ("validation", "test"), strict=True):
        assert answers.example_id.tolist() == task.example_id[task.split == split].tolist()
        assert answers.probability.shape == (len(answers.label), classes)


@pytest.mark.parametrize("name", YARDSTICKS)
def test_no_yardstick_reads_a_test_label(name):
    task = make_task()
    blind = replace(task, label=np.where(task.split == "test", 0, task.label))
    assert (YARDSTICKS[name](task)[1].probability == YARDSTICKS[name](blind)[1].probability).all()


def test_majority_is_the_share_of_the_group_in_training():
    task = make_task()
    train = (task.split == "train") & (task.groups["group"] == "a")
    _, test = majority(task)
    in_group = test.groups["group"] == "a"
    assert test.probability[in_group, 1] == pytest.approx(task.label[train].mean())


def test_majority_of_a_group_unseen_in_training_is_that_of_all():
    task = make_task()
    group = np.where(task.split == "test", "new", task.groups["group"])
    _, test = majority(replace(task, groups={"group": group}))
    assert test.probability[:, 1] == pytest.approx(task.label[task.split == "train"].mean())


def test_a_class_missing_from_training_gets_probability_zero():
    task = make_task(classes=3)
    split = np.where((task.label == 2) & (task.split == "train"), "test", task.split)
    _, test = tfidf(replace(task, split=split))
    assert (test.probability[:, 2] == 0).all()


def test_tfidf_learns_what_a_pair_shares():
    task = make_task(n=900, classes=3, pair=True)
    _, test = tfidf(task)
    assert (test.prediction == test.label).mean() > 0.85


def test_levels_on_redditbias():
    """Known: tfidf .748 accuracy (C chosen otherwise), majority by group .596; 1 SE is .009."""
    task = redditbias.RedditBias().load()
    accuracy = {n: (p.prediction == p.label).mean() for n, (_, p) in predicted(task).items()}
    assert accuracy["majority"] == pytest.approx(0.596, abs=0.001)
    assert accuracy["tfidf"] == pytest.approx(0.748, abs=0.018)


def predicted(task: Task):
    return {name: yardstick(task) for name, yardstick in YARDSTICKS.items()}
