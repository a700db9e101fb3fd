"""Two stages: planned by one rule, trained once for all that share one, charged in full."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests import _house, _tiny, _workers
from tunefair.launch.local import Launcher
from tunefair.launch.slots import Slots
from tunefair.launch.worker import Job
from tunefair.planning import compose, plan
from tunefair.schema import BadInputError
from tunefair.storage import run_folder
from tunefair.strategies.jtt import JTT
from tunefair.training import device, second_stage
from tunefair.training.learn import learn, training_split
from tunefair.training.tokens import ORIGINAL

CPU = device.choose("cpu", "fp32")
STRATEGIES = ("full", "temperature", "erase", "equalized_odds_threshold", "jtt", "jtt+temperature")


def cells(*uses: str, **more) -> dict[str, plan.Cell]:
    planned = _tiny.cells("full", strategies={use: {} for use in uses}, **more)
    return {cell.label: cell for cell in planned}


def test_what_only_revises_starts_from_what_the_others_train():
    found = cells("full", "temperature", "full+erase", "lora+temperature", "lora")
    assert found["temperature"].first.id == found["full+erase"].first.id == found["full"].id
    assert found["lora+temperature"].first.id == found["lora"].id
    assert found["full"].first is found["lora"].first is None
    assert [cell.trains for cell in found.values()] == [True, False, False, False, True]


def test_a_short_first_stage_trains_the_other_parts():
    found = cells("jtt", "lora+jtt", "jtt+temperature", budget=("steps", 100))
    first = found["jtt"].first
    assert (first.use, first.budget.amount, first.first) == ("full", 30, None)
    assert first.answers_training
    assert found["lora+jtt"].first.use == "lora"
    assert found["jtt+temperature"].first.id == found["jtt"].id
    assert all(found[label].trains for label in ("jtt", "lora+jtt"))


def test_a_learning_rate_holds_for_the_first_stage_too():
    rate = {"learning_rate": 3e-4}
    for use in ("temperature", "jtt"):
        cell = _tiny.cells(use, options=rate)[0]
        assert cell.first.options["full"] == rate
    lora = _tiny.cells("lora+temperature", options={"temperature": rate})[0]
    assert lora.first.options["lora"]["learning_rate"] == 1e-3


def test_every_model_is_trained_once_a_seed():
    planned = _tiny.cells(
        "full", strategies={use: {} for use in STRATEGIES}, seeds=(0, 1), budget=("steps", 100)
    )
    every = plan.with_first_stages(planned)
    assert len(every) == len({cell.id for cell in every}) == 14
    trained = [(cell.label, cell.seed) for cell in every if cell.trains]
    assert sorted(trained) == sorted(
        (label, seed) for label in ("full", "full (first stage)", "jtt") for seed in (0, 1)
    )
    place = {cell.id: number for number, cell in enumerate(every)}
    assert all(place[cell.first.id] < place[cell.id] for cell in every if cell.first)


def test_a_share_that_leaves_nothing_is_refused():
    with pytest.raises(BadInputError, match="first_stage_share"):
        _tiny.cells("jtt", options={"first_stage_share": 1.0})
    greedy = JTT(first_stage_share=1.5)
    with pytest.raises(BadInputError, match=r"jtt: first_stage_share = 1.5: give one between"):
        compose.first_stage({"jtt": greedy})


def test_hidden_vectors_are_stored_where_something_reads_them():
    assert not cells("full", "temperature", "jtt")["full"].hidden
    found = cells("full", "erase", "jtt")
    every = {cell.label: cell for cell in plan.with_first_stages(found.values())}
    assert every["full"].hidden
    assert found["erase"].first.id == found["full"].id
    assert not found["jtt"].first.hidden


def test_a_helper_that_a_strategy_computes_with_is_part_of_it(tmp_path):
    """An edited helper is another strategy; the contracts are none."""
    root = Path(compose.__file__).parents[1]
    file = tmp_path / "own.py"
    file.write_text(
        "from tunefair.schema import Split\nfrom tunefair.statistics import temperature\n"
        "def late():\n    from tunefair.training.adapters import attach\n"
    )
    found = {str(path.relative_to(root)) for path in compose._helpers(file)}
    assert found >= {"statistics/temperature.py", "training/adapters.py"}
    assert "schema.py" not in found


def test_the_second_stage_draws_what_the_first_got_wrong(task, tokens):
    cell = _tiny.cells("jtt", budget=("steps", 20))[0]
    first = _tiny.stored(_tiny.run(cell.first, task, tokens))
    train = task.split == "train"
    assert (first.train.example_id == task.example_id[train]).all()
    split = training_split(task, "group", first)
    weights = cell.strategy().sampling_weights(split)
    missed = first.train.prediction != task.label[train]
    assert 0 < missed.sum() < len(missed)
    np.testing.assert_array_equal(weights, np.where(missed, 6.0, 1.0))
    assert training_split(task, "group").prediction is None


def test_both_stages_are_charged_and_the_second_gets_what_is_left(task, tokens):
    cell = _tiny.cells("jtt", budget=("steps", 20))[0]
    first = _tiny.run(cell.first, task, tokens)
    assert second_stage.budget_left(cell, first).amount == 14
    alone = learn(cell, task, tokens, CPU, lambda fraction, words: None, first=first)[1]
    both = _tiny.run(cell, task, tokens)
    assert alone.meter.steps == 14
    for currency in ("flops", "tokens", "padded_tokens", "examples", "steps"):
        spent = getattr(first.ledger, currency) + getattr(alone.meter, currency)
        assert getattr(both.ledger, currency) == spent
    assert both.ledger.steps == 20
    steps = [point.step for point in both.curve]
    fractions = [point.fraction for point in both.curve]
    assert steps == list(range(1, 21))
    np.testing.assert_allclose(fractions, np.array(steps) / 20)
    rates = [point.learning_rate for point in both.curve]
    assert rates[5] < rates[4] < rates[7]  # the schedule begins again with the second stage
    assert rates[-1] < rates[7]


def test_a_first_stage_that_leaves_nothing_is_refused(task, tokens):
    cell = _tiny.cells("jtt", budget=("steps", 20))[0]
    first = _tiny.run(cell.first, task, tokens)
    greedy = replace(first, ledger=replace(first.ledger, steps=20))
    with pytest.raises(BadInputError, match="the first stage of jtt spends all 20 steps"):
        _tiny.run(cell, task, tokens, first=greedy)


def test_a_shared_first_stage_answers_as_if_trained_alone(task, tokens):
    shared = _tiny.cells("temperature", budget=("steps", 6))[0]
    alone = _tiny.run(_tiny.cells("full", budget=("steps", 6))[0], task, tokens)
    revised = _tiny.run(shared, task, tokens)
    expected = second_stage.revised(shared, alone)
    assert (revised.test[ORIGINAL].probability == expected.test[ORIGINAL].probability).all()
    assert (revised.test[ORIGINAL].probability != alone.test[ORIGINAL].probability).any()


def test_answers_on_training_rows_survive_the_disk_and_go_no_further(task, tokens):
    cell = _tiny.cells("jtt", budget=("steps", 20))[0]
    assert _tiny.run(cell.first, task, tokens).train is not None
    assert _tiny.stored(_tiny.run(cell, task, tokens)).train is None


def job(folder, name, after=None):
    return Job(
        cell=SimpleNamespace(label=name, use=name, id=name, seed=0),
        task_file=folder,
        tokens_folder=folder,
        destination=folder / name,
        after=folder / after if after else None,
    )


def launched(folder, *jobs):
    ended = {}
    Launcher(
        slots=Slots(["cpu"] * 2),
        finished=lambda job, reason: ended.update({job.cell.label: reason}),
        work=_workers.behave,
        preload=("tunefair.launch.worker",),
    ).launch(jobs)
    return ended


def test_a_job_waits_for_the_one_it_starts_from(tmp_path):
    jobs = [job(tmp_path, "last", "next"), job(tmp_path, "next", "slow"), job(tmp_path, "slow")]
    assert list(launched(tmp_path, *jobs)) == ["slow", "next", "last"]


def test_a_failed_first_stage_fails_its_followers_and_nobody_else(tmp_path):
    jobs = [job(tmp_path, "explains"), job(tmp_path, "next", "explains")]
    jobs += [job(tmp_path, "last", "next"), job(tmp_path, "fine"), job(tmp_path, "own", "fine")]
    because = "its first stage, explains seed 0, failed: out of memory at 32 rows"
    assert launched(tmp_path, *jobs) == {
        "explains": "out of memory at 32 rows",
        "next": because,
        "last": f"its first stage, next seed 0, failed: {because}",
        "fine": "",
        "own": "",
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A suite with first stages of every kind, run once."""
    folder = tmp_path_factory.mktemp("house")
    suite = _house.build(folder, steps=20)
    text = suite.read_text().replace("seeds = [0, 1]", "seeds = [0]")
    text = text[: text.index("[strategies.")]
    suite.write_text(text + "".join(f'[strategies."{use}"]\n' for use in STRATEGIES))
    done = _house.tunefair("run", suite, "--runs", folder / "runs")
    assert done.returncode == 0, done.stderr
    return suite, folder / "runs", done


def test_first_stages_are_shown_as_such_and_not_reported(run):
    suite, runs, done = run
    assert "7/7" in done.stderr
    assert "full (first stage) · seed 0 finished" in done.stderr
    shown = _house.tunefair("plan", suite, "--runs", runs).stdout
    assert "full (first stage)" in shown
    assert shown.count("finished") == 7
    facts = run_folder.read_facts(runs / "small")
    assert {cell.strategy for cell in facts.cells} == set(STRATEGIES)
    ledgers = {cell.strategy: cell.ledger for cell in facts.cells}
    assert {ledger.steps for ledger in ledgers.values()} == {20}
    assert ledgers["temperature"].flops == ledgers["full"].flops
    rows = json.loads((runs / "small" / "measurements.json").read_text())
    assert "full (first stage)" not in {row["strategy"] for row in rows}


def test_a_damaged_first_stage_is_made_again_when_a_follower_needs_it(run):
    suite, runs, _ = run
    before = _house.predictions(runs / "small")
    facts = run_folder.read_facts(runs / "small")
    (broken,) = before.keys() - {cell.id for cell in facts.cells}
    (run_folder.cell_folder(runs / "small", broken) / "predictions.parquet").write_bytes(b"torn")
    unneeded = _house.tunefair("run", suite, "--runs", runs)
    assert "set aside" in unneeded.stderr
    assert "all 7 cells are finished already" in unneeded.stderr
    (follower,) = (cell.id for cell in facts.cells if cell.strategy == "jtt")
    shutil.rmtree(run_folder.cell_folder(runs / "small", follower))
    shown = _house.tunefair("plan", suite, "--runs", runs).stdout
    assert "to be trained: 2 cells of full (first stage), jtt" in shown
    again = _house.tunefair("run", suite, "--runs", runs)
    assert "to be trained: 2 cells of full (first stage), jtt" in again.stderr
    assert "1/2 full (first stage) · seed 0 finished" in again.stderr
    assert _house.predictions(runs / "small") == before


def test_alone_it_brings_its_first_stage_and_gives_the_same_bytes(run, tmp_path):
    suite, runs, _ = run
    alone = _house.tunefair("run", suite, "--runs", tmp_path, "--only", "jtt+temperature")
    assert alone.returncode == 0, alone.stderr
    known, found = _house.predictions(runs / "small"), _house.predictions(tmp_path / "small")
    assert len(found) == 3
    assert found == {cell: known[cell] for cell in found}
