"""Answers of a file as a competitor: paired by id, beside our own yardsticks."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from tests import _house, _tiny
from tunefair import suite
from tunefair.schema import BadInputError
from tunefair.storage import given_answers
from tunefair.suite import AnswersChoice

TABLE = '\n[yardsticks.gpt]\npredictions = "answers.csv"\nprediction = "said"\n'


LAST = ("gpt", "accuracy", "")


@pytest.fixture(scope="module")
def task():
    return replace(_tiny.task(n=40), classes=("no", "yes"))


def write(folder, task, *, order=None, leave_out=0, **columns):
    """Answers to the test examples, in another order than the task's."""
    test = np.flatnonzero(task.split == "test")
    rows = np.random.default_rng(0).permutation(test)[leave_out:] if order is None else order
    given = {"id": task.example_id, **columns}
    with (folder / "answers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(given)
        writer.writerows([column[row] for column in given.values()] for row in rows)
    return test


def read(folder, task, **choice):
    chosen = AnswersChoice(predictions="answers.csv", **choice)
    return given_answers.read_all({"gpt": chosen}, folder, task)["gpt"].predictions


def test_answers_are_paired_by_id_whatever_their_order(task, tmp_path):
    said = np.where(np.arange(len(task.label)) % 3 == 0, "yes", "no")
    test = write(tmp_path, task, said=said)
    found = read(tmp_path, task, prediction="said")
    assert found.example_id.tolist() == task.example_id[test].tolist()
    assert found.prediction.tolist() == (said[test] == "yes").astype(int).tolist()
    assert found.label.tolist() == task.label[test].tolist()
    assert found.probability is None


def test_probabilities_decide_where_nothing_else_does(task, tmp_path):
    positive = np.random.default_rng(1).random(len(task.label)).round(3)
    test = write(tmp_path, task, p=positive, q=(1 - positive).round(3))
    one = read(tmp_path, task, probability=("p",))
    assert one.probability[:, 1] == pytest.approx(positive[test])
    assert one.prediction.tolist() == (positive[test] > 0.5).astype(int).tolist()
    both = read(tmp_path, task, probability=("q", "p"))
    assert both.probability == pytest.approx(one.probability)


def test_classes_may_be_called_otherwise(task, tmp_path):
    said = np.where(task.label == 1, "Toxic", "Fine")
    write(tmp_path, task, said=said)
    found = read(tmp_path, task, prediction="said", classes=("Fine", "Toxic"))
    assert (found.prediction == found.label).all()


@pytest.mark.parametrize(
    ("leave_out", "values", "said"),
    [
        (3, ("yes", "no"), r"3 of 40 test examples have no answer, the first is 'e\d+'"),
        (0, ("perhaps", "no"), "no class of 'no', 'yes'"),
        (0, ("", "no"), "no answer; give one"),
    ],
)
def test_what_cannot_be_paired_is_refused(task, tmp_path, leave_out, values, said):
    column = np.where(np.arange(len(task.label)) % 2 == 0, *values)
    write(tmp_path, task, leave_out=leave_out, said=column)
    with pytest.raises(BadInputError, match=said):
        read(tmp_path, task, prediction="said")


def test_other_ids_are_told(task, tmp_path):
    other = replace(task, example_id=np.array([f"z{i}" for i in range(len(task.label))]))
    write(tmp_path, other, said=np.full(len(task.label), "no"))
    with pytest.raises(BadInputError, match="no id is one of the test examples"):
        read(tmp_path, task, prediction="said")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[yardsticks.gpt]\npredictions = "a.csv"', "give prediction or probability"),
        ('[yardsticks.full]\npredictions = "a.csv"\nprediction = "x"', "is a yardstick's name"),
    ],
)
def test_a_table_that_says_too_little_is_refused(tmp_path, table, said):
    text = _house.build(tmp_path, own=False).read_text()
    text = text.replace('yardsticks = ["majority", "tfidf"]\n', "")
    with pytest.raises(BadInputError, match=said):
        suite.parse(suite.Suite, f"{text}\n{table}\n", "x.toml")


@pytest.mark.slow
def test_they_are_compared_and_change_no_cell(tmp_path):
    file = _house.build(tmp_path, steps=4, own=False)
    runs = tmp_path / "runs"
    first = _house.tunefair("run", file, "--runs", runs, "--seeds", 1)
    assert first.returncode == 0, first.stderr
    before = _house.predictions(runs / "small")
    text = file.read_text().replace('yardsticks = ["majority", "tfidf"]\n', "")
    file.write_text(text + TABLE)
    task = _tiny.task(n=128)
    write(tmp_path, task, said=task.label)
    done = _house.tunefair("run", file, "--runs", runs, "--seeds", 1)
    assert done.returncode == 0, done.stderr
    assert _house.predictions(runs / "small") == before
    rows = json.loads((runs / "small" / "measurements.json").read_text())
    accuracy = {
        row["strategy"]: row["value"]
        for row in rows
        if row["metric"] == "accuracy" and not row["attribute"] and row["seed"] is None
    }
    assert accuracy["gpt"] == 1
    assert {"full", "majority", "tfidf", "gpt"} <= set(accuracy)
    write(tmp_path, task, said=1 - task.label)
    again = _house.tunefair("run", file, "--runs", runs, "--seeds", 1)
    assert again.returncode == 0, again.stderr
    rows = json.loads((runs / "small" / "measurements.json").read_text())
    found = [r for r in rows if (r["strategy"], r["metric"], r["attribute"]) == LAST]
    assert found[0]["value"] == 0
