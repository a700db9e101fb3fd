"""A cell is trained again only when its predictions would change, or to keep more of it."""

import csv
import shutil
from unittest import mock

import numpy as np
import pytest

import tunefair
from tests import _house, _in_process, _tiny
from tunefair import suite
from tunefair.planning import identity, missing, plan
from tunefair.planning.identity import TaskContent, bare
from tunefair.preparing import prepare
from tunefair.storage import files, records, run_folder
from tunefair.suite import ModelChoice, Training
from tunefair.training import train as training

TASK = 'id = "id"\n'
AUDITS = '"cost", "trade_off"]'
SAME = {
    "another licence": (TASK, TASK + 'licence = "MIT"\n'),
    "another meaning of the label": (TASK, TASK + 'label_meaning = "made up"\n'),
    "the audit leakage": (AUDITS, '"cost", "trade_off", "leakage"]'),
    "the audit drift": (AUDITS, '"cost", "trade_off", "drift"]'),
    "the strategy erase": ("[strategies.own]", "[strategies.own]\n[strategies.erase]"),
    "last_layer_retraining": (
        "[strategies.own]",
        "[strategies.own]\n[strategies.last_layer_retraining]",
    ),
    "a second group column": ('groups = ["group"]', 'groups = ["group", "second"]'),
    "keep_models": ("seeds = [0, 1]", "seeds = [0, 1]\nkeep_models = true"),
    "views that nobody trains on": (TASK, TASK + 'lexicon = "words.json"\n'),
    "views that somebody may train on": (
        TASK,
        TASK + 'lexicon = "words.json"\nlabel_kept_in = ["swap"]\n',
    ),
    "another name": ('name = "small"', 'name = "other"'),
    "another seed besides": ("seeds = [0, 1]", "seeds = [0, 1, 2]"),
    "more draws": ("replicates = 200", "replicates = 300"),
    "how often nothing is selected": ("batch_size = 16", "batch_size = 16\ncheckpoints = 9"),
    "another yardstick": ('"majority", "tfidf"', '"majority"'),
}
OTHER = {
    "budget": ("amount = 6", "amount = 7"),
    "currency": ('currency = "steps"', 'currency = "examples"'),
    "learning rate": ("learning_rate = 1e-3", "learning_rate = 2e-3"),
    "batch": ("batch_size = 16", "batch_size = 8"),
    "warm-up": ("batch_size = 16", "batch_size = 16\nwarmup = 0.5"),
    "selection": ("batch_size = 16", 'batch_size = 16\nselection = "validation_log_loss"'),
    "cut": ("max_tokens = 32", "max_tokens = 16"),
    "seeds": ("seeds = [0, 1]", "seeds = [2, 3]"),
}


@pytest.fixture
def house(tmp_path):
    """A suite's file; its data has a second group column and a lexicon lies beside it."""
    file = _house.build(tmp_path)
    edit(tmp_path / "planted.csv", lambda row: row | {"second": str(len(row["text"]) % 2)})
    (tmp_path / "words.json").write_text('{"swap": {"north": "south", "south": "north"}}')
    return file


def edit(path, change):
    """Change every row of a CSV file."""
    with path.open(newline="") as file:
        rows = [change(dict(row)) for row in csv.DictReader(file)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def prepared(file, *changes):
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    changed = file.with_name("changed.toml")
    changed.write_text(text)
    return prepare.prepare(suite.read(changed), folder=file.parent, cache=file.parent / "cache")


def ids(file, *changes):
    return {(cell.label, cell.seed): cell.id for cell in prepared(file, *changes).cells}


def common(one, other):
    """Return the labels whose cells have the same id in both, and all that both have."""
    both = one.keys() & other.keys()
    return {label for label, seed in both if one[label, seed] == other[label, seed]}, {
        label for label, _ in both
    }


@pytest.mark.parametrize("wish", SAME)
def test_what_changes_no_prediction_trains_nothing_again(house, wish):
    same, every = common(ids(house), ids(house, SAME[wish]))
    assert same == every == {"full", "lora+weighted", "own"}


@pytest.mark.parametrize("change", OTHER)
def test_what_changes_predictions_is_another_cell(house, change):
    before, after = ids(house), ids(house, OTHER[change])
    assert not set(before.values()) & set(after.values())


def test_a_group_column_counts_for_those_that_read_it(house):
    """`weighted` reads the mitigated attribute, the others see none."""
    same, _ = common(ids(house), ids(house, ("seeds", 'attribute = "group"\nseeds')))
    assert same == {"full", "lora+weighted", "own"}
    second = ('groups = ["group"]', 'groups = ["second", "group"]')
    same, _ = common(ids(house), ids(house, second))
    assert same == {"full", "own"}
    before = ids(house)
    edit(house.with_name("planted.csv"), lambda row: row | {"group": row["group"] + "!"})
    assert common(before, ids(house))[0] == {"full", "own"}
    for cell in prepared(house).cells:
        assert cell.attribute == ("group" if "weighted" in cell.label else "")


def test_the_view_that_is_trained_on_counts(house):
    (house.with_name("words.json")).write_text('{"a": {"north": "south"}, "b": {"w1": "w2"}}')
    kept = (TASK, TASK + 'lexicon = "words.json"\nlabel_kept_in = ["a"]\n')
    both = (TASK, TASK + 'lexicon = "words.json"\nlabel_kept_in = ["a", "b"]\n')
    more = ("[strategies.own]", "[strategies.own]\n[strategies.counterfactual_augmentation]")
    same, every = common(ids(house, kept, more), ids(house, both, more))
    assert every - same == {"counterfactual_augmentation"}


@pytest.mark.parametrize(
    "change",
    [
        {"text": "w1 good"},
        {"label": "class 0"},
        {"split": "train"},
        {"id": "another"},
    ],
)
def test_data_that_changed_is_another_cell(house, change):
    before = ids(house)
    file = house.with_name("planted.csv")
    edit(file, lambda row: row | (change if row["id"] == "e380" else {}))
    after = ids(house)
    assert not set(before.values()) & set(after.values())


def test_where_things_lie_does_not_count(house):
    before = ids(house)
    house.with_name("planted.csv").rename(house.with_name("renamed.csv"))
    moved = house.with_name("moved")
    shutil.copytree(_tiny.model_folder(), moved)
    after = ids(house, ("planted.csv", "renamed.csv"), (str(_tiny.model_folder()), str(moved)))
    assert before == after
    (moved / "config.json").write_text((moved / "config.json").read_text() + "\n")
    assert not set(before.values()) & set(
        ids(
            house, ("planted.csv", "renamed.csv"), (str(_tiny.model_folder()), str(moved))
        ).values()
    )


def test_a_release_trains_nothing_again_and_another_training_all(house, monkeypatch):
    before = ids(house)
    monkeypatch.setattr(tunefair, "__version__", "99.0")
    assert ids(house) == before
    monkeypatch.setattr(identity, "TRAINING_VERSION", identity.TRAINING_VERSION + 1)
    assert not set(before.values()) & set(ids(house).values())


def test_a_default_that_changes_is_another_training():
    """Ids hold what differs from these: to change one, raise TRAINING_VERSION and this table."""
    assert identity.TRAINING_VERSION == 1
    model = ModelChoice(source="x").model_dump(exclude={"source"})
    assert {name: model[name] for name in ("revision", "max_tokens")} == {
        "revision": None,
        "max_tokens": 128,
    }
    training = Training().model_dump()
    known = {
        "batch_size": 32,
        "learning_rate": 5e-5,
        "warmup": 0.06,
        "weight_decay": 0.01,
        "max_gradient_norm": 1.0,
        "precision": "auto",
        "selection": "last",
        "checkpoints": 5,
    }
    assert {name: training[name] for name in known} == known


def test_words_about_code_do_not_count():
    code = (
        b'"""Doc."""\nimport x  # why\n\n\nclass A:\n    """Two\n    lines."""\n\n    a: int = 1\n'
        b'    """Unit."""\n    b = "# kept"\n\n\ndef f() -> str:\n    """Say."""\n'
        b'    return """text"""  # more\n'
    )
    other = (
        b'import x\nclass A:\n\n    # new\n    a: int = 1\n    b = "# kept"\n'
        b'def f() -> str:\n    return """text"""\n'
    )
    assert bare(code) == bare(other)
    for old, new in ((b"kept", b"lost"), (b"text", b"texts"), (b"int = 1", b"int = 2")):
        assert bare(code.replace(old, new)) != bare(code)


# Trained again in place


@pytest.fixture
def small(house):
    """One seed of `full` on a short budget."""
    text = house.read_text().replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace(
        '[strategies."lora+weighted"]\nlora = { rank = 4 }\n[strategies.own]\n', ""
    )
    house.write_text(text)
    return house


def run(file, *changes):
    """Run a suite as the command line does, each cell in this process; return what was said."""
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    changed = file.with_name("changed.toml")
    changed.write_text(text)
    trained, said, failed = _in_process.run(changed)
    return [(job.cell.label, job.again) for job in trained], said, failed


def outcome(file):
    (cell,) = (c for c in prepared(file).cells if c.label == "full")
    return records.read_outcome(run_folder.cell_folder(file.with_name("runs") / "small", cell.id))


def same_answers(one, other):
    return (one.test["original"].probability == other.test["original"].probability).all()


WISHES = {
    "hidden vectors": SAME["the audit leakage"],
    "answers before training": SAME["the audit drift"],
    "weights": SAME["keep_models"],
    "answers on view swap:swap": SAME["views that nobody trains on"],
}


@pytest.mark.parametrize("lacking", WISHES)
def test_what_a_finished_cell_lacks_is_made_by_training_it_again(small, lacking):
    assert run(small)[0] == [("full", False)]
    before = outcome(small)
    change = (WISHES[lacking][0].replace("seeds = [0, 1]", "seeds = [0]"), WISHES[lacking][1])
    change = (change[0], change[1].replace("seeds = [0, 1]", "seeds = [0]"))
    trained, words, failed = run(small, change)
    assert (trained, failed) == ([("full", True)], 0)
    assert "to be trained again, its predictions stay as they are, for" in words
    assert lacking in words
    assert "of training one after another, as finished cells took" in words
    assert same_answers(outcome(small), before)
    trained, words, _ = run(small, change)
    assert trained == []
    assert "all 1 cells are finished already" in words
    assert run(small)[0] == []  # it holds more than is asked for
    left = [p.name for p in (small.with_name("runs") / "small" / "cells").iterdir()]
    assert len(left) == 1


def test_a_strategy_that_reads_hidden_vectors_has_its_first_stage_trained_again(small):
    run(small)
    before = outcome(small)
    more = ("[strategies.full]", "[strategies.full]\n[strategies.erase]")
    trained, words, failed = run(small, more)
    assert (trained, failed) == ([("full", True), ("erase", False)], 0)
    assert "for hidden vectors (strategy erase): 1 cell of full" in words
    assert "to be trained: 1 cell of erase" in words
    assert same_answers(outcome(small), before)


def test_a_second_group_column_is_audited_without_training(small):
    run(small)
    trained, _, _ = run(small, SAME["a second group column"])
    assert trained == []
    folder = small.with_name("runs") / "small"
    (full, *_) = run_folder.evidence(folder, run_folder.read_facts(folder))
    task = prepared(small, SAME["a second group column"]).task
    known = dict(zip(task.example_id.tolist(), task.groups["second"].tolist(), strict=True))
    test = full.test[0]
    assert set(test.groups) == {"group", "second"}
    assert test.groups["second"].tolist() == [known[i] for i in test.example_id.tolist()]


def test_other_answers_do_not_take_the_place_of_finished_ones(small):
    """A machine that computes otherwise keeps what is finished, and says so."""
    run(small)
    before = outcome(small)
    trained = training.train

    def other(*arguments, **options):
        made = trained(*arguments, **options)
        test = made.test["original"]
        shifted = test.with_probability(np.roll(test.probability, 1, axis=1))
        return training.replace(made, test={**made.test, "original": shifted})

    with mock.patch.object(training, "train", other):
        _, _, failed = run(small, WISHES["hidden vectors"])
    assert failed == 1
    assert same_answers(outcome(small), before)
    (reason,) = (small.with_name("runs") / "small" / "failures").iterdir()
    words = files.read_json(reason)["reason"]
    assert "answers differ, so the finished cell stays as it is" in words


def test_why_a_cell_is_trained_anew_is_said(small):
    run(small)
    _, words, _ = run(small, ("amount = 6", "amount = 8"), ("learning_rate = 1e-3\n", ""))
    assert (
        "to be trained again (budget.amount: 6 → 8; training.learning_rate: 0.001 → default): "
        "1 cell of full" in words
    )
    edit(small.with_name("planted.csv"), lambda row: row | {"text": row["text"] + " w2"})
    _, words, _ = run(small, ("amount = 6", "amount = 8"), ("learning_rate = 1e-3\n", ""))
    assert "to be trained again (texts, labels, ids or splits changed): 1 cell of full" in words


def test_a_replacement_that_died_is_undone(tmp_path):
    folder = tmp_path / "cell"
    files.write_sealed(folder, lambda draft: files.write(draft / "a", "old"))
    folder.rename(tmp_path / ".cell.old")
    files.write_sealed(tmp_path / ".cell.new", lambda draft: files.write(draft / "a", "new"))
    files.put_back(tmp_path)
    assert (folder / "a").read_text() == "old"
    files.replace_sealed(folder, lambda draft: files.write(draft / "a", "new"))
    assert (folder / "a").read_text() == "new"
    assert files.is_sealed(folder)
    assert [p.name for p in tmp_path.iterdir()] == ["cell"]


def test_a_first_stage_of_finished_cells_is_not_trained_again(small):
    text = small.read_text().replace("[strategies.full]", "[strategies.jtt]")
    small.write_text(text)
    trained, _, _ = run(small)
    assert [label for label, _ in trained] == ["full (first stage)", "jtt"]
    folder = small.with_name("runs") / "small" / "cells"
    (jtt,) = prepared(small).cells
    shutil.rmtree(folder / jtt.first.id)
    assert run(small)[0] == []


def test_content_tells_columns_apart():
    one = TaskContent(examples="a", groups={"g": "1"}, views={"v": "2"})
    assert one.whole != TaskContent(examples="a", groups={"g": "2"}, views={"v": "1"}).whole
    columns = [np.array(["a", "bc"]), np.array(["ab", "c"])]
    assert identity._column(columns[0]) != identity._column(columns[1])
    assert missing.artefact(plan.HIDDEN) == "hidden vectors"
