"""Every kind of wrong in other people's data, through every reader, before any training.

As in `test_foreign_kinds`: what `audit-data` reads is certain, said at the top with the option
that settles it, or refused in one line.
"""

import re

import numpy as np
import pytest

from tests.test_foreign_kinds import READERS, VOTES, N, Y, write
from tests.test_fuzz import called

WORDS = np.array([f"word{i}" for i in range(5000)])
RNG = np.random.default_rng(0)
GOOD = {
    "id": [f"r{i}" for i in range(N)],
    "text": [" ".join(RNG.choice(WORDS, 8)) for _ in range(N)],
    "label": Y.tolist(),
    "g": [("f", "m")[i % 2] for i in range(N)],
}
FLAGS = ("--group", "g", "--id", "id")
SPELT = [("f", "m", "None", "NA")[i % 4] for i in range(N)]
UNSURE = [("a", "b", "None")[i % 3] for i in range(N)]


def changed(**columns: list) -> dict[str, list]:
    return {**GOOD, **columns}


def without(column: str) -> dict[str, list]:
    return {name: values for name, values in GOOD.items() if name != column}


REFUSED = {
    "a label that a program wrote for nothing": (
        changed(label=[str(y) for y in Y[:-1]] + ["nan"]), (), "'nan'.*--missing nan here",
    ),
    "several labels a row": (changed(label=[f"[{y}, 1]" for y in Y]), (), "multi-label"),
    "shares of votes as labels": (changed(label=VOTES), (), "--label-threshold"),
    "shares of votes as groups": (changed(g=VOTES), (), "--group-threshold"),
    "one class": (changed(label=[0] * N), (), "only one class, '0'"),
    "no texts": (without("text"), (), "no column 'text'; there are: 'id', 'label', 'g'"),
    "no labels": (without("label"), (), "no column 'label'; there are: 'id', 'text', 'g'"),
    "no such group": (GOOD, ("--group", "sex"), "no column 'sex'"),
    "no such positive class": (GOOD, ("--positive", "7"), "'7' is no label of '0', '1'"),
    "an id twice": (changed(id=["r1", *GOOD["id"][1:]]), (), "row 1 has this id too"),
    "an unknown split": (
        changed(split=[("train", "zz", "test")[i % 3] for i in range(N)]), ("--split", "split"),
        "'zz': no split; train, validation and test are",
    ),
    "an empty text option": (GOOD, ("--text", ""), '--text "": empty'),
    "an empty label option": (GOOD, ("--label", ""), '--label "": empty'),
    "an empty group option": (GOOD, ("--group", ""), '--group "": empty'),
    "an empty split option": (GOOD, ("--split", ""), '--split "": empty'),
    "no rows": ({name: [] for name in GOOD}, (), "no rows|is empty|no column"),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_in_one_line(tmp_path, kind, reader):
    columns, flags, words = REFUSED[kind]
    path = write(tmp_path, reader, columns)
    code, printed, err = called("audit-data", path, *FLAGS, *flags)
    assert code == 2, printed
    assert len(err.strip().splitlines()) == 1
    assert re.search(words, err), err
    assert printed == ""


SAID = {
    "spellings of nothing as groups": (
        changed(g=SPELT), (),
        r"Column 'g': 'None' \(50 rows\), 'NA' \(50 rows\) are groups.*"
        r"--missing None --missing NA",
    ),
    "a label that may mean nothing": (
        changed(label=UNSURE), (), r"'None' \(66 rows\) is a class.*--missing None here",
    ),
    "labels that differ in case": (
        changed(label=["Yes", *("yes" if y else "no" for y in Y[1:])]), (),
        "'Yes' and 'yes' are two classes",
    ),
    "a row without a text": (changed(text=[None, *GOOD["text"][1:]]), (), "1 rows without"),
    "a row without a label": (
        changed(label=[None, *map(str, Y[1:])]), (), "1 rows without a text, label or group",
    ),
    "a row without a group": (changed(g=[None, *GOOD["g"][1:]]), (), "not annotated in 'g'"),
    "a class that the training split lacks": (
        changed(split=["train"] * 150 + ["validation"] * 25 + ["test"] * 25,
                label=[str(i % 2) for i in range(190)] + ["2"] * 10),
        ("--split", "split"), "Class '2' (.*) has no row in train and validation; it cannot",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", SAID)
def test_what_is_assumed_is_said_under_the_first_line(tmp_path, kind, reader):
    columns, flags, words = SAID[kind]
    code, printed, err = called("audit-data", write(tmp_path, reader, columns), *FLAGS, *flags)
    assert code == 0, err
    first, *lines = printed.splitlines()
    assert first.endswith(" rows")
    told = [line for line in lines if line.startswith("! ")]
    assert any(re.search(words, line) for line in told), told
    assert lines[: len(told)] == told


SETTLED = {
    "nothing": (GOOD, ()),
    "spellings": (changed(g=SPELT), ("--missing", "None", "--missing", "NA")),
    "thresholds": (
        changed(label=VOTES, g=VOTES), ("--label-threshold", "0.5", "--group-threshold", "0.5"),
    ),
    "truths": (changed(label=[bool(y) for y in Y]), ()),
    "numbers with a point": (changed(label=[float(y) for y in Y]), ()),
    "ids like dates": (
        changed(id=[f"2024-01-{1 + i % 28:02d}T{i // 28:02d}:00:00" for i in range(N)]), (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SETTLED)
def test_every_reader_finds_the_same(tmp_path, kind):
    """What was settled is no assumption any more, and the numbers are those of every reader."""
    columns, flags = SETTLED[kind]
    tables = set()
    for reader in READERS:
        code, printed, err = called("audit-data", write(tmp_path, reader, columns), *FLAGS, *flags)
        assert code == 0, err
        lines = printed.splitlines()[1:]
        assert not [line for line in lines if line.startswith("! ") and "--" in line]
        tables.add("\n".join(lines).lower())  # readers spell true in their own way
    assert len(tables) == 1, tables
