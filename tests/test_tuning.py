"""A search as a user meets it: trials are cells, one is chosen on validation, nothing is lost."""

import csv
import shutil

import numpy as np
import pytest

from tests import _house, _tuned
from tunefair import suite
from tunefair.preparing import prepare
from tunefair.schema import BadInputError
from tunefair.storage import files, records, run_folder

TWO = "[strategies.full]\n[strategies.lora]\n"
OWN = "[strategies.full]\n[strategies.own]\n"


def folder(file):
    return file.with_name("runs") / "small"


def answers(file):
    return _house.predictions(folder(file))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A run of two strategies with four trials each, and what was trained."""
    file = _tuned.build(tmp_path_factory.mktemp("tuned"), strategies=TWO)
    trained, said = _tuned.run(file)
    return file, trained, said


def copied(tuned, to):
    """Return the run in another folder, to be changed."""
    shutil.copytree(tuned[0].parent, to / "copy")
    return to / "copy" / tuned[0].name


@pytest.mark.slow
def test_trials_are_cells_and_a_third_of_them_is_made_again(tuned):
    _, trained, said = tuned
    assert trained[:8] == [f"{s} · trial {k}" for s in ("full", "lora") for k in (1, 2, 3, 4)]
    assert [label for label in trained[8:12] if not label.endswith(", longer")] == []
    assert trained[12:] == ["full", "lora"]
    assert "to be trained: 8 cells of full (4 trials), lora (4 trials)" in said


@pytest.mark.slow
def test_the_best_on_validation_is_trained_with_the_suites_seeds(tuned):
    file, *_ = tuned
    rows = _tuned.record(file)["trials"]
    for label in ("full", "lora"):
        mine = [r for r in rows if r["strategy"] == label]
        short, again = mine[:4], mine[4:]
        assert [r["trial"] for r in short] == [1, 2, 3, 4]
        best = sorted(short, key=lambda r: r["validation"])[:2]
        assert [r["trial"] for r in again] == [r["trial"] for r in best]
        (chosen,) = [r for r in mine if r["chosen"]]
        assert chosen == min(again, key=lambda r: r["validation"])
        assert 0 not in [r["seed"] for r in mine]
        facts = run_folder.read_facts(folder(file))
        (cell,) = [c for c in facts.cells if c.strategy == label]
        known = files.read_json(run_folder.cell_folder(folder(file), cell.id) / run_folder.CELL)
        options = known["definition"]["options"][label]
        rate = {"learning_rate": options["learning_rate"] or 1e-3}  # not set: the suite's
        assert {name: (options | rate)[name] for name in chosen["options"]} == chosen["options"]
        assert known["seed"] == 0


@pytest.mark.slow
def test_the_curve_has_a_row_for_every_k(tuned):
    rows = _tuned.record(tuned[0])["curve"]
    for label in ("full", "lora"):
        for metric, group in (("accuracy", ""), ("equalized_odds_difference", "gap")):
            mine = [r for r in rows if (r["strategy"], r["metric"]) == (label, metric)]
            assert [r["k"] for r in mine] == [1, 2, 3, 4]
            assert {r["group"] for r in mine} == {group}
            for r in mine:
                assert r["low"] is None or r["low"] <= r["value"] <= r["high"]
    trials = [r for r in _tuned.record(tuned[0])["trials"] if r["strategy"] == "full"][:4]
    (first,) = [r for r in rows if (r["strategy"], r["metric"], r["k"]) == ("full", "accuracy", 1)]
    assert first["value"] == pytest.approx(np.mean([t["test"] for t in trials]))


@pytest.mark.slow
def test_the_same_again_trains_nothing_and_writes_the_same(tuned, tmp_path):
    file = copied(tuned, tmp_path)
    before = (folder(file) / "tuning.json").read_bytes()
    trained, said = _tuned.run(file)
    assert trained == []
    assert "all 8 cells are finished already" in said
    assert (folder(file) / "tuning.json").read_bytes() == before


@pytest.mark.slow
def test_what_was_lost_is_made_again_and_nothing_else_changes(tuned, tmp_path):
    file = copied(tuned, tmp_path)
    before = answers(file)
    rows = [r for r in _tuned.record(file)["trials"] if r["strategy"] == "full"]
    lost = [rows[1]["cell"], rows[-1]["cell"]]
    for cell in lost:
        shutil.rmtree(folder(file) / "cells" / cell)
    (folder(file) / "tuning.json").unlink()
    trained, _ = _tuned.run(file)
    assert trained == [
        f"full · trial {rows[1]['trial']}",
        f"full · trial {rows[-1]['trial']}, longer",
    ]
    assert answers(file) == before


@pytest.mark.slow
def test_killed_at_random_moments_it_chooses_and_answers_the_same(tuned, tmp_path):
    """Of twenty kills: `python -m tests.performance.tuning_kills`."""
    whole = _tuned.build(tmp_path, strategies=TWO)
    assert kills(whole, number=4, rng=np.random.default_rng(0)) == 4
    assert answers(whole) == answers(tuned[0])
    assert choices(whole) == choices(tuned[0])


def kills(file, *, number, rng):
    """Run a suite and kill it `number` times, then let it end; return how often it was killed."""
    killed = 0
    for _ in range(number):
        try:
            _tuned.run(file, reports=int(rng.integers(0, 3)))
        except _tuned.Killed:
            killed += 1
    _tuned.run(file)
    return killed


def choices(file):
    rows = _tuned.record(file)["trials"]
    return [(r["strategy"], r["trial"], r["validation"], r["chosen"]) for r in rows]


@pytest.mark.slow
def test_the_choice_never_reads_what_was_answered_on_test(tuned, tmp_path):
    """Every trial's test answers are turned round: the same options are chosen."""
    file = copied(tuned, tmp_path)
    before = _tuned.record(file)["trials"]
    for cell in {r["cell"] for r in before}:
        place = folder(file) / "cells" / cell

        def turn(draft, place=place):
            shutil.copytree(place, draft, dirs_exist_ok=True)
            (draft / files.SEAL).unlink()
            known = records.read_predictions(place / "predictions.parquet")
            test = known["test", "original"]
            known["test", "original"] = test.with_probability(test.probability[:, ::-1])
            records.write_predictions(draft / "predictions.parquet", known)

        files.replace_sealed(place, turn)
    trained, _ = _tuned.run(file)
    assert trained == []
    after = _tuned.record(file)["trials"]
    for name in ("validation", "chosen", "options"):
        assert [r[name] for r in after] == [r[name] for r in before]
    assert [r["test"] for r in after] != [r["test"] for r in before]


@pytest.mark.slow
def test_every_strategy_pays_the_same(tmp_path):
    """In FLOPs, which differ between strategies for one step: each trial by one step at most."""
    file = _tuned.build(tmp_path, "[tuning]\ntrials = 3\nhalving = false\n", TWO)
    text = file.read_text().replace(
        'currency = "steps"\namount = 4', 'currency = "flops"\namount = 2e8'
    )
    file.write_text(text)
    _tuned.run(file)
    rows = _tuned.record(file)["trials"]
    assert len(rows) == 6
    for row in rows:
        ledger = records.read_ledger(folder(file) / "cells" / row["cell"])
        assert 0 <= row["flops"] - 2e8 <= 1.5 * ledger.flops / ledger.steps


@pytest.mark.slow
def test_a_strategy_of_ones_own_is_tuned_without_another_edit(tmp_path):
    file = _tuned.build(tmp_path, "[tuning]\ntrials = 3\nhalving = false\n", OWN)
    trained, _ = _tuned.run(file, only=("own",))
    assert trained == ["own · trial 1", "own · trial 2", "own · trial 3", "own"]
    rows = [r for r in _tuned.record(file)["trials"] if r["strategy"] == "own"]
    assert len({r["options"]["strength"] for r in rows}) == 3
    assert all(0.01 <= r["options"]["strength"] <= 1 for r in rows)
    others = [r for r in _tuned.record(file)["trials"] if r["strategy"] == "full"]
    assert {r["reason"] for r in others} == {"not run yet"}


@pytest.mark.slow
def test_a_strategy_with_nothing_to_tune_gets_other_seeds_as_trials(tmp_path):
    strategy = "[strategies.full]\nlearning_rate = 1e-3\n"
    file = _tuned.build(tmp_path, "[tuning]\ntrials = 2\nhalving = false\n", strategy)
    trained, _ = _tuned.run(file)
    assert trained == ["full · trial 1", "full · trial 2", "full"]
    made = _tuned.record(file)
    assert len({r["seed"] for r in made["trials"]}) == 2
    assert "nothing to tune; its trials are other seeds" in made["notes"][0]


@pytest.mark.slow
def test_a_trial_that_fails_is_not_chosen_and_said(tmp_path):
    wide = "[strategies.full]\nspace.learning_rate = { choices = [1e-3, 1e30] }\n"
    file = _tuned.build(tmp_path, "[tuning]\ntrials = 2\nhalving = false\n", wide)
    _tuned.run(file)
    good, bad = _tuned.record(file)["trials"]
    assert (good["chosen"], bad["chosen"]) == (True, False)
    assert bad["validation"] is None
    assert bad["reason"]


@pytest.mark.slow
def test_a_model_of_the_trials_goes_one_after_the_other(tmp_path):
    file = _tuned.build(tmp_path, "[tuning]\ntrials = 3\nsampler = 'tpe'\nhalving = false\n", TWO)
    trained, _ = _tuned.run(file)
    assert trained[:4] == ["full · trial 1", "lora · trial 1", "full · trial 2", "lora · trial 2"]
    assert _tuned.run(file)[0] == []


@pytest.mark.parametrize("rule", ["validation_worst_group", "validation_dto"])
def test_a_choice_by_groups_needs_groups(rule, tmp_path):
    file = _tuned.build(tmp_path, f"[tuning]\nselection = '{rule}'\n")
    file.write_text(file.read_text().replace('groups = ["group"]', "groups = []"))
    with (tmp_path / "planted.csv").open() as data:
        assert "group" in next(csv.reader(data))
    with pytest.raises(BadInputError, match=f"tuning.selection = '{rule}': needs groups"):
        prepare.prepare(suite.read(file), folder=tmp_path, cache=tmp_path / "cache")


BAD = {
    "trials = 0": "tuning.trials = 0",
    "budget_fraction = 0": "tuning.budget_fraction = 0",
    "sampler = 'grid'": "tuning.sampler = 'grid'",
    "selection = 'last'": "tuning.selection = 'last'",
    "budgets = [1, 1]": "tuning.budgets",
    "budgets = [0]": "tuning.budgets",
    "budget = 3": "tuning.budget: unknown key",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_named(line, tmp_path):
    file = _tuned.build(tmp_path, f"[tuning]\n{line}\n")
    with pytest.raises(BadInputError, match=BAD[line]):
        suite.read(file)
