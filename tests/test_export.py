"""Export without a model: which cell, what is refused, what is folded, what a seal covers."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from tests import _command, _models, _runs
from tunefair.exporting import fold, proof, record, source, verify
from tunefair.exporting.fold import Asked, Head, UnfoldableError
from tunefair.exporting.record import Answers, Bound, ProofRow
from tunefair.facts import CellFacts, StrategyFacts
from tunefair.schema import BadInputError, Predictions
from tunefair.statistics import temperature
from tunefair.storage import files, run_folder


@pytest.fixture
def command(capsys, monkeypatch):
    return partial(_command.call, capsys, monkeypatch)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder: two seeds of `full`, of which the second failed, all of `lora` failed."""
    rng = np.random.default_rng(0)
    test = _models.examples(60, rng)
    strategies = [_models.strategy(test, rng, label="full", seeds=2)]
    strategies += [_models.strategy(test, rng, label="lora", seeds=1)]
    folder = tmp_path_factory.mktemp("runs") / "toy"
    facts = [StrategyFacts(label=name, use=name) for name in ("full", "lora")]
    facts += [StrategyFacts(label="tfidf", use="tfidf", yardstick=True)]
    failed = {"full": 1, "lora": 0}
    _runs.write(folder, strategies, failed=failed)
    known = replace(run_folder.read_facts(folder), strategies=tuple(facts))
    run_folder.write_facts(folder, known)
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "no strategy 'nothing'; there are: full, lora"),
        (["tfidf"], "'tfidf' is a yardstick: there is no model to export"),
        (["full", "--seed", "7"], "--seed 7: 'full' has no such seed; finished: 0"),
        (["full", "--seed", "1"], "--seed 1: the cell of 'full' failed: out of memory;"),
        (["lora"], "'lora' has no finished cell (seed 0 failed: out of memory)"),
        (["full", "--pack", "gdpr"], "--pack gdpr: there are:"),
        (["full"], "its suite's file is gone"),
    ],
)
def test_what_cannot_be_exported_is_one_line(arguments, words, run, command, tmp_path):
    said = command("export", run, *arguments, "--out", tmp_path / "out")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert words in said.err
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_or_no_export_is_one_line(command, tmp_path):
    for arguments in (["export", tmp_path, "full", "--out", tmp_path / "out"],
                      ["verify", tmp_path], ["verify", tmp_path / "nowhere"]):  # fmt: skip
        said = command(*arguments)
        assert (said.code, len(said.err.splitlines())) == (2, 1), said


def test_a_folder_that_exists_is_left_alone(run, command, tmp_path):
    (tmp_path / "out").mkdir()
    said = command("export", run, "full", "--out", tmp_path / "out")
    assert (said.code, "exists already" in said.err) == (2, True)
    assert not list((tmp_path / "out").iterdir())


def test_the_seed_of_the_median_is_chosen_not_the_luckiest(monkeypatch):
    scores = {3: (0.9, -0.1, 3), 4: (0.7, -0.3, 4), 5: (0.8, -0.2, 5), 6: (0.8, -0.1, 6)}
    monkeypatch.setattr(source, "_validation", lambda _, cell: scores[cell.seed])
    cells = [CellFacts(strategy="full", seed=s, status="finished") for s in scores]
    assert source._median(cells[:3], Path())[0].seed == 5
    assert source._median(cells, Path())[0].seed == 5  # of two in the middle the lower
    failed = CellFacts(strategy="full", seed=0, status="failed")
    assert source._median([failed, cells[0]], Path()) == (cells[0], "it is the only finished one")


def test_the_median_is_that_of_accuracy_then_of_log_loss(run):
    cell = next(c for c in run_folder.read_facts(run).cells if c.strategy == "full")
    accuracy, likelihood, seed = source._validation(run, cell)
    assert 0 < accuracy < 1
    assert likelihood < 0
    assert seed == 0


@pytest.fixture
def sealed(tmp_path):
    """A sealed folder."""

    def fill(folder: Path) -> None:
        for name in ("model.safetensors", "config.json", "README.md"):
            files.write(folder / name, name)

    files.write_sealed(tmp_path / "model", fill)
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_an_edited_file_is_named(name, sealed, command):
    (sealed / name).write_text("edited")
    said = command("verify", sealed)
    assert said[:2] == (2, f"tunefair: {sealed / name}: edited since the export was proved")


def test_an_added_a_removed_and_a_linked_file_are_named(sealed):
    kept = sealed.with_name("kept")
    for name, change, fate in (
        ("more.json", lambda p: p.write_text("{}"), "added"),
        ("config.json", lambda p: p.unlink(), "removed"),
        ("config.json", lambda p: (p.rename(kept), p.symlink_to(kept)), "edited"),
    ):
        copy = Path(shutil.copytree(sealed, sealed.with_name(f"copy-{fate}")))
        change(copy / name)
        with pytest.raises(BadInputError, match=f"{name}: {fate} since"):
            verify.check_files(copy)


def test_a_document_may_be_filled_in_and_git_may_lie_beside(sealed):
    (sealed / "README.md").write_text("ours")
    (sealed / ".git").mkdir()
    (sealed / ".git" / "HEAD").write_text("x")
    assert verify.check_files(sealed) == ("README.md",)


def asked(revise, *, classes=2, hidden=True, width=6, seed=0, attribute="group") -> Asked:
    """A revision of the answers of a random head."""
    rng = np.random.default_rng(seed)
    head = Head(rng.normal(size=(classes, width)), rng.normal(size=classes))
    vectors = rng.normal(1, 2, size=(80, width)).astype(np.float32)
    probability = softmax(head.logits(vectors), axis=1)
    validation = Predictions(
        example_id=np.array([f"v{i}" for i in range(80)]),
        label=rng.integers(0, classes, 80),
        groups={"group": np.array(["a", "b"] * 40)},
        prediction=probability.argmax(axis=1),
        probability=probability,
        classes=tuple("xyz"[:classes]),
        hidden=vectors if hidden else None,
    )
    return Asked(revise=revise, head=head, validation=validation, attribute=attribute)


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("softness", [0.06, 0.7, 2.5, 19.0])
def test_a_temperature_is_w_over_t_and_b_over_t(softness, classes, hidden):
    def revise(table):
        return table.with_probability(temperature.scaled(table.probability, softness))

    one = asked(revise, classes=classes, hidden=hidden)
    found = fold.folded(one)
    np.testing.assert_allclose(found.weight, one.head.weight / softness, rtol=1e-7)
    np.testing.assert_allclose(found.bias, one.head.bias / softness, rtol=1e-7)


def refitted(table, *, precision=np.float64):
    """A head of its own on hidden vectors from which one direction was erased."""
    rng = np.random.default_rng(9)
    width, classes = table.hidden.shape[1], len(table.classes)
    direction = rng.normal(size=width)
    erase = np.eye(width) - np.outer(direction, direction) / (direction @ direction)
    weight, bias = rng.normal(size=(classes, width)), rng.normal(size=classes)
    logits = table.hidden.astype(precision) @ (erase @ weight.T).astype(precision)
    logits = (logits + bias.astype(precision)).astype(float)
    return table.with_probability(softmax(logits, axis=1))


@pytest.mark.parametrize("precision", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [2, 3])
def test_an_erasure_under_a_new_head_is_a_head(classes, precision):
    one = asked(partial(refitted, precision=precision), classes=classes)
    found = fold.folded(one)
    vectors = np.random.default_rng(1).normal(1, 2, size=(50, 6)).astype(np.float32)
    expected = one.revise(fold._probe(one, vectors.astype(float), "a")).probability
    np.testing.assert_allclose(softmax(found.logits(vectors), axis=1), expected, atol=1e-6)


def of_group(table):
    softness = np.where(table.groups["group"] == "a", 1.0, 2.0)[:, None]
    return table.with_probability(softmax(np.log(table.probability) / softness, axis=1))


def threshold(table):
    revised = (table.probability[:, 1] > 0.3).astype(np.int64)
    return Predictions(**vars(table) | {"prediction": revised})


def curved(table):
    return table.with_probability((refitted(table).probability + table.probability) / 2)


def certain(table):
    return table.with_probability(np.eye(len(table.classes))[table.prediction])


@pytest.mark.parametrize(
    ("revise", "words"),
    [
        (of_group, "it reads the group of every text"),
        (threshold, "its decisions are not the most probable classes"),
        (curved, "it is no linear function of the hidden vector"),
        (certain, "it gives a class no probability at all"),
    ],
)
def test_what_no_head_holds_is_said(revise, words):
    with pytest.raises(UnfoldableError) as told:
        fold.folded(asked(revise))
    assert words in told.value.reason


def test_a_head_without_bias_holds_a_temperature_and_no_refitted_head():
    def revise(table):
        return table.with_probability(temperature.scaled(table.probability, 2.0))

    one = asked(revise)
    plain = Head(one.head.weight, np.zeros(2))
    found = fold.folded(Asked(**vars(one) | {"head": plain}), biased=False)
    np.testing.assert_allclose(found.weight, plain.weight / 2, rtol=1e-7)
    with pytest.raises(UnfoldableError, match="no bias"):
        fold.folded(asked(refitted), biased=False)


def test_answers_beyond_the_bound_are_refused_ties_are_not_flips():
    bound = Bound(1e-5, 0.0, "fp32")
    proof.check([ProofRow("", "", 100, 9e-6, 0)], bound, Path("x"), ties=0)
    proof.check([ProofRow("", "", 100, 9e-6, 1)], bound, Path("x"), ties=1)
    for row in (ProofRow("", "", 100, 1.1e-5, 0), ProofRow("", "", 100, 1e-6, 1)):
        with pytest.raises(BadInputError, match="not those that were audited"):
            proof.check([row], bound, Path("x"), ties=0)
    even = np.array([[0.5, 0.5], [0.500004, 0.499996], [0.6, 0.4]])
    assert proof.ties(Answers(np.arange(3), even.argmax(1), even), bound) == 2


def test_rounding_to_half_moves_no_probability_beyond_its_bound():
    rng = np.random.default_rng(0)
    hidden = rng.normal(0, 0.05, size=(200, 6)).astype(np.float32)
    head = Head(rng.normal(size=(3, 6)), rng.normal(size=3))
    rounded = hidden.astype(np.float16).astype(np.float32)
    exact, stored = (softmax(head.logits(h), axis=1) for h in (hidden, rounded))
    moved = np.abs(exact - stored)
    allowed = proof.with_half(Bound(0.0, 0.0, ""), head, hidden).max_difference
    assert 0 < moved.max() <= allowed < 1e-3
    with pytest.raises(UnfoldableError, match="half precision"):
        proof.with_half(Bound(0.0, 0.0, ""), head, hidden * 1000)


def test_the_bound_is_that_of_the_precision():
    assert proof.bound({"precision": "fp32", "device": "cpu"})[:2] == (1e-5, 0.0)
    assert proof.bound({"precision": "bf16 autocast, fp32 weights"})[:2] == (0.02, 0.003)
    assert proof.bound({"precision": "fp32", "device": "cuda:0"}).max_difference > 1e-5


def test_audited_answers_come_back(tmp_path):
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), 5)
    answers = Answers(np.array(list("abcde")), probability.argmax(1), probability)
    record.write_answers(tmp_path, answers)
    found = record.read_answers(tmp_path)
    assert (found.probability == probability).all()
    assert (found.example_id == answers.example_id).all()
