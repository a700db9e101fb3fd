"""Training on views: which texts are drawn, and which views may be trained on at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tunefair import task as tasks
from tunefair.planning import compose
from tunefair.schema import BadInputError
from tunefair.strategies.counterfactual_augmentation import CounterfactualAugmentation
from tunefair.training.batches import pool
from tunefair.training.learn import training_split
from tunefair.training.tokens import ORIGINAL, gathered


def texts(view):
    return [tuple(view.token[a:b]) for a, b in zip(view.start[:-1], view.start[1:], strict=True)]


def test_gathered_texts_are_those_of_their_views(tokens):
    one, other = tokens.views[ORIGINAL], tokens.views["swap:other"]
    some = np.array([3, 0, 7]), np.array([2, 1])
    found = gathered([(one, some[0]), (other, some[1])])
    assert texts(found) == [texts(one)[i] for i in some[0]] + [texts(other)[i] for i in some[1]]
    assert found.row.tolist() == [*one.row[some[0]], *other.row[some[1]]]


def test_each_changed_text_is_drawn_once_more_with_its_own_label(task, tokens):
    train = np.flatnonzero(task.split == "train")
    split = training_split(task, "group")
    changed = split.views["swap:other"]
    odds = CounterfactualAugmentation().sampling_weights(split)
    found = pool(tokens.views, train, odds)
    assert found.example.tolist() == [*range(len(train)), *np.flatnonzero(changed)]
    assert (found.odds == 1).all()
    assert (found.view.row[found.entries] == train[found.example]).all()
    swapped = found.view.entries(train)[len(train) :]
    expected = tokens.views["swap:other"]
    rows = [np.flatnonzero(expected.row == row)[0] for row in train[changed]]
    assert [texts(found.view)[i] for i in swapped] == [texts(expected)[i] for i in rows]


def test_of_several_views_the_seed_picks_one(task):
    split = training_split(task, "group")
    changed = split.views["swap:other"]
    twice = split._replace(views={"a": changed, "b": np.ones_like(changed)})
    torch.manual_seed(0)
    odds = CounterfactualAugmentation().sampling_weights(twice)
    assert ((odds["a"] + odds["b"]) == 1).all()
    assert not odds["a"][~changed].any()
    assert 0 < odds["a"][changed].sum() < changed.sum()
    torch.manual_seed(1)
    assert (CounterfactualAugmentation().sampling_weights(twice)["a"] != odds["a"]).any()


def without_views(task):
    return replace(task, views={})


def with_a_view_that_changes_the_label(task):
    return replace(task, card=replace(task.card, label_kept_in=()))


def with_a_view_of_test_alone(task):
    view = np.where(task.split == "test", task.views["swap:other"], "")
    return replace(task, views={"swap:other": view})


@pytest.mark.parametrize(
    "lacking", [without_views, with_a_view_that_changes_the_label, with_a_view_of_test_alone]
)
def test_a_task_with_nothing_to_swap_is_refused_before_training(lacking, task):
    strategy = compose.find("counterfactual_augmentation")()
    compose.check(strategy, task, "group", where="x")
    with pytest.raises(BadInputError, match="x: task 'planted' has no view that keeps the label"):
        compose.check(strategy, lacking(task), "group", where="x")


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("occupations", {"swap:gender"}),
        (
            "redditbias",
            {f"swap:target→{group}" for group in ("black", "jews", "lgbtq", "muslims")},
        ),
    ],
)
def test_shipped_tasks_say_which_views_keep_the_label(source, kept):
    with_views, without = (
        tasks.load(source, options, folder=Path()) for options in ({"views": True}, {})
    )
    task = with_views.load()
    assert set(compose.trainable_views(task)) == kept
    assert set(task.views) > kept
    assert with_views.fingerprint() != without.fingerprint()
