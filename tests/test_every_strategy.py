"""Properties of every strategy that the scan finds, the template included."""

import ast
import inspect
import itertools
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests import _tiny
from tunefair import plugins
from tunefair.planning import compose, plan
from tunefair.schema import BadInputError, Predictions
from tunefair.strategy import Batch
from tunefair.training import device, flops
from tunefair.training import model as models
from tunefair.training.batches import BatchSampler, TrainingRows, pad
from tunefair.training.learn import build, learn, step_cost
from tunefair.training.loop import Learner
from tunefair.training.predict import predict
from tunefair.training.tokens import ORIGINAL, TokenisedTask
from tunefair.training.train import predicted

NAMES = plugins.names("tunefair.strategies")
PAIRS = list(itertools.combinations(NAMES, 2))
REVISING = [n for n in NAMES if compose.claims(compose.find(n)()) == {"revise"}]
TRAINING = [n for n in NAMES if n not in REVISING]
"""Strategies with a training of their own; the others revise what another cell trained."""
TEMPLATE = Path(compose.__file__).parents[1] / "strategies" / "_template.py"
CPU = device.choose("cpu", "fp32")
BUDGET = 1.5e8  # operations: a few steps of every stage of every strategy


pytestmark = pytest.mark.usefixtures("frozen_heap")


@pytest.fixture(scope="session")  # as what is trained on it, which no module's end may forget
def task():
    return _tiny.task(n=128)


@pytest.fixture(scope="session")
def tokens(task, tmp_path_factory):
    return _tiny.encoded(task, tmp_path_factory.mktemp("tokens"))


def silent(fraction: float, words: str) -> None:
    """Report progress to nobody."""


@pytest.fixture(scope="session")
def decoder_tokens(task, tmp_path_factory):
    return _tiny.encoded(task, tmp_path_factory.mktemp("tokens"), "llama")


@pytest.fixture(scope="session")
def first(task, tokens, decoder_tokens):
    """Cell -> what its first stage leaves behind, None without one; made once."""

    @cache
    def once(cell_id, keeps):
        of, architecture = known[cell_id, keeps]
        encoded = tokens if architecture == "bert" else decoder_tokens
        return _tiny.stored(_tiny.run(of, task, encoded, first=before(of, architecture)))

    known = {}

    def before(of, architecture="bert"):
        if of.first is None:
            return None
        # cells that differ only in what they keep have one id
        key = of.first.id, tuple(sorted(of.first.keeps))
        known[key] = of.first, architecture
        return once(*key)

    return before


@pytest.fixture(scope="session")
def trained(task, tokens, decoder_tokens, first):
    """(strategy, architecture) -> its trained learner and pace; made once, shared by tests."""

    @cache
    def once(name, architecture="bert"):
        of = cell(name, architecture=architecture, budget=("flops", BUDGET))
        encoded = tokens if architecture == "bert" else decoder_tokens
        before = first(of, architecture)
        return of, encoded, *learn(of, task, encoded, CPU, silent, first=before)[:2]

    return once


@pytest.fixture(scope="session")
def outcome(task, tokens, decoder_tokens, first):
    """(strategy, architecture) -> what its finished cell leaves behind."""

    @cache
    def once(name, architecture="bert"):
        of = cell(name, architecture=architecture, budget=("flops", BUDGET))
        encoded = tokens if architecture == "bert" else decoder_tokens
        return _tiny.run(of, task, encoded, first=first(of, architecture))

    return once


def cell(use: str, *, folder: Path = Path(), **more) -> plan.Cell:
    """A cell; of a small budget its first stage, if it has one, gets enough for a step."""
    if "options" not in more:
        halves = {
            name: {"first_stage_share": 0.5}
            for name in use.split("+")
            if compose.find(name)().first_stage_share
        }
        more["options"] = halves if "+" in use else halves.get(use)
    return _tiny.cells(use, folder=folder, **more)[0]


def batches(task, tokens, size=16):
    """Three real batches as the loop would feed them."""
    view, split = tokens.views[ORIGINAL], _tiny.split(task)
    rows = view.entries(np.flatnonzero(task.split == "train"))
    sampler = BatchSampler(view.length[rows], None, size=size, parts=1, seed=0)
    data = TrainingRows(view, rows, split, tokens.pad)
    return [data.__getitems__(b) for b in itertools.islice(sampler, 3)]


def loss_of(learner: Learner, data, spent=0.5) -> torch.Tensor:
    return learner(data["inputs"], Batch(data["label"], data["group"], spent))


@pytest.mark.parametrize("name", NAMES)
def test_says_where_it_comes_from_and_what_its_options_mean(name):
    kind = compose.find(name)
    assert kind.reference
    tree = ast.parse(Path(inspect.getfile(kind)).read_text())
    own = next(
        n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == kind.__name__
    )
    documented = {
        a.target.id
        for a, b in itertools.pairwise(own.body)
        if isinstance(a, ast.AnnAssign) and isinstance(b, ast.Expr)
    }
    options = {f.name for f in fields(kind)} - {"learning_rate"}
    assert options <= documented | {"rank"}  # the rank of an update needs no sentence


def same(one: Predictions, other: Predictions) -> bool:
    return bool(
        (one.probability == other.probability).all() and (one.prediction == other.prediction).all()
    )


@pytest.mark.parametrize("name", TRAINING)
def test_is_deterministic_and_silent(name, task, trained, outcome, capfd):
    kept = outcome(name)
    of, tokens, learner, pace = trained(name)
    answers = predicted(of, TokenisedTask(task, tokens), learner)
    assert same(kept.validation, answers["validation", ORIGINAL])
    assert all(same(kept.test[view], answers["test", view]) for view in tokens.views)
    assert kept.ledger.steps >= pace.meter.steps
    assert [p.loss for p in kept.curve][-len(pace.curve) :] == [p.loss for p in pace.curve]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", REVISING)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_revising_is_deterministic_silent_and_trains_nothing(
    name, architecture, task, tokens, outcome, first, capfd
):
    of = cell(name, architecture=architecture, budget=("flops", BUDGET))
    kept, before = outcome(name, architecture), first(of, architecture)
    again = _tiny.run(of, task, None, first=before)
    assert same(again.validation, kept.validation)
    assert all(same(again.test[view], kept.test[view]) for view in tokens.views)
    assert kept.curve == before.curve
    spent = kept.ledger.revision_seconds
    assert spent > 0
    assert replace(kept.ledger, revision_seconds=0.0, seconds=0.0) == replace(
        before.ledger, seconds=0.0
    )
    assert kept.ledger.seconds == before.ledger.seconds + spent
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_respects_its_budget(name, architecture, tokens, decoder_tokens, outcome, first):
    """The FLOPs of all stages reach the budget, and exceed it by less than one step."""
    of = cell(name, architecture=architecture, budget=("flops", BUDGET))
    encoded = tokens if architecture == "bert" else decoder_tokens
    spent = outcome(name, architecture).ledger
    before = first(of, architecture)
    assert spent.steps > 1
    if not of.trains:
        assert spent.flops == before.ledger.flops
        return
    largest = step_cost(build(of, _tiny.task(n=128), encoded.pad, CPU), encoded.pad)(
        16, int(encoded.views[ORIGINAL].length.max())
    )
    assert BUDGET <= spent.flops < BUDGET + largest
    assert before is None or spent.steps > before.ledger.steps > 1


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_flops_agree_with_torch(name, architecture, task, trained):
    _, tokens, learner, pace = trained(name, architecture)
    learner.train()
    for data in batches(task, tokens):
        rows, length = data["inputs"]["input_ids"].shape
        counted = flops.count(lambda *_, d=data: loss_of(learner, d).backward(), rows, length)
        assert pace.cost(rows, length) == pytest.approx(counted, rel=0.02)


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_gradients_reach_exactly_what_adapt_says(name, architecture, task, trained):
    """And measuring the cost beforehand leaves no trace."""
    of, tokens, *_ = trained(name, architecture)
    learner = build(of, task, tokens.pad, CPU).train()
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    state = torch.get_rng_state()
    step_cost(learner, tokens.pad)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())
    loss_of(learner, batches(task, tokens)[0]).backward()
    for parameter_name, parameter in learner.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, parameter_name
    assert any(p.requires_grad for p in learner.classifier.parameters())


@pytest.mark.parametrize("name", TRAINING)
def test_only_what_is_trained_moves(name, task, trained):
    of, tokens, learner, _ = trained(name)
    untrained = build(of, task, tokens.pad, CPU).classifier
    after = dict(learner.classifier.named_parameters())
    moved = {n for n, p in untrained.named_parameters() if not torch.equal(p, after[n])}
    assert moved
    assert moved <= {n for n, p in untrained.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_saved_model_predicts_the_same(name, architecture, task, trained, tmp_path):
    """What lies in the folder is safetensors that transformers and peft load without our code."""
    of, tokens, learner, _ = trained(name, architecture)
    models.save(learner.classifier.model, of.model, tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".bin", ".pt", ".pkl")]
    loaded = _loaded(tmp_path, of)
    rows = np.flatnonzero(task.split == "test")
    data = TokenisedTask(task, tokens)
    expected = predict(learner.classifier, data, ORIGINAL, rows, CPU).probability
    view = tokens.views[ORIGINAL]
    with torch.inference_mode():
        logits = loaded(**pad(view, view.entries(rows), tokens.pad)).logits
    np.testing.assert_allclose(logits.double().softmax(1).numpy(), expected, atol=1e-6)


def _loaded(folder: Path, of: plan.Cell):
    with models.quiet():
        if not (folder / "adapter_config.json").exists():
            return AutoModelForSequenceClassification.from_pretrained(folder).eval()
        base = AutoModelForSequenceClassification.from_pretrained(of.model.source)
        base.config.pad_token_id = AutoTokenizer.from_pretrained(folder).pad_token_id or 3
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
            return PeftModel.from_pretrained(base, folder).eval()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_seen_is_some_training_example(name, task):
    split = _tiny.split(task)
    found = compose.find(name)().sampling_weights(split._replace(prediction=1 - split.label))
    odds = found if isinstance(found, Mapping) else {} if found is None else {ORIGINAL: found}
    assert odds.keys() <= {ORIGINAL, *split.views}
    for view, weights in odds.items():
        assert weights.shape == split.label.shape
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()
        assert weights.sum() > 0
        assert not weights[~split.views.get(view, weights >= 0)].any()


@pytest.mark.parametrize("name", NAMES)
def test_revising_changes_answers_only(name, task, tokens, outcome):
    for view, table in outcome(name).test.items():
        rows = tokens.views[view].row
        rows = rows[np.isin(rows, np.flatnonzero(task.split == "test"))]
        assert (table.example_id == task.example_id[rows]).all()
        assert (table.label == task.label[rows]).all()
        assert (table.groups["group"] == task.groups["group"][rows]).all()
        assert table.probability.dtype == np.float64
        np.testing.assert_allclose(table.probability.sum(axis=1), 1, atol=1e-9)
        assert table.hidden is None  # its first stage keeps what it reads; nobody asked for more


@pytest.mark.parametrize("name", NAMES)
def test_without_reading_groups_they_make_no_difference(name, task, tokens, outcome):
    """`needs_groups_in` is the truth: hiding the groups changes nothing for all others."""
    if compose.groups_needed(compose.find(name)()):
        pytest.skip("reads groups")
    others = replace(task, groups={"group": np.roll(task.groups["group"], 1)})
    hidden = _tiny.run(cell(name, budget=("flops", BUDGET)), others, tokens)
    assert same(outcome(name).test[ORIGINAL], hidden.test[ORIGINAL])


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_that_reads_groups_refuses_a_task_without(name, task, tokens):
    if not compose.groups_needed(compose.find(name)()):
        pytest.skip("reads no groups")
    with pytest.raises(BadInputError, match="needs groups"):
        _tiny.run(replace(cell(name), attribute=""), task, tokens)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_composes_unless_both_claim_a_choice(one, other, task, tokens):
    use = f"{one}+{other}"
    claimed = [compose.claims(compose.find(name)()) for name in (one, other)]
    if claimed[0] & claimed[1]:
        with pytest.raises(BadInputError, match=f"{one} and {other} both choose"):
            cell(use)
        return
    learner = build(cell(use), task, tokens.pad, CPU).train()
    loss = loss_of(learner, batches(task, tokens)[0])
    loss.backward()
    assert torch.isfinite(loss)
    assert compose.claims(cell(use).strategy()) == claimed[0] | claimed[1]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "lora"])
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_with_lora_it_trains_to_the_end(name, architecture, task, tokens, decoder_tokens, outcome):
    if "adapt" in compose.claims(compose.find(name)()):
        pytest.skip("chooses what is trained itself")
    encoded = tokens if architecture == "bert" else decoder_tokens
    of = cell(f"lora+{name}", architecture=architecture, budget=("steps", 10))
    ledger = _tiny.run(of, task, encoded).ledger
    assert ledger.steps == 10
    whole = outcome("full", architecture).ledger
    assert ledger.trainable_parameters < whole.trainable_parameters


VARIANTS = [
    ("lora", {"use_dora": True}),
    ("lora", {"use_rslora": True}),
    ("lora", {"init": "pissa"}),
    ("lora", {"target_modules": "all-linear"}),
    ("lora", {"target_modules": ("query", "dense"), "modules_to_save": ("classifier",)}),
    ("peft", {"method": "VERA"}),
    ("peft", {"method": "OFT", "config": {"oft_block_size": 8}}),
    ("peft", {"method": "LOHA", "config": {"r": 4}}),
    ("adversarial", {"ensemble": 3}),
    ("adversarial", {"target": "demographic_parity"}),
    ("erase", {"target": "demographic_parity"}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_options_keep_the_promises(name, options, task, tokens, tmp_path):
    """Budget, FLOPs and saved model, with options that change what is computed."""
    of = cell(name, options=options, budget=("flops", BUDGET))
    learner, pace = learn(of, task, tokens, CPU, silent)[:2]
    assert pace.meter.flops >= BUDGET
    learner.train()
    for data in batches(task, tokens):
        rows, length = data["inputs"]["input_ids"].shape
        counted = flops.count(lambda *_, d=data: loss_of(learner, d).backward(), rows, length)
        assert pace.cost(rows, length) == pytest.approx(counted, rel=0.02)
    models.save(learner.classifier.model, of.model, tmp_path)
    data = batches(task, tokens)[0]["inputs"]
    with torch.inference_mode():
        expected = learner.eval().classifier(data).logits
        found = _loaded(tmp_path, of)(**data).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_what_pissa_stores_is_what_its_saved_model_changed(task, tokens, tmp_path):
    """The merged weights, for the adapters alone fit no other ones."""
    of = cell("lora", options={"init": "pissa"})
    stored = _tiny.run(of, task, tokens, model_folder=tmp_path).ledger.stored_bytes
    before, after = (
        load_file(folder / "model.safetensors") for folder in (_tiny.model_folder(), tmp_path)
    )
    changed = sum(t.nbytes for n, t in after.items() if not np.array_equal(t, before[n]))
    assert stored == pytest.approx(changed, rel=0.05)  # biases of adapted layers are counted too


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "NONSENSE"}, "none that changes weights"),
        ({"method": "PROMPT_TUNING"}, "none that changes weights"),
        ({"method": "IA3", "config": {"rank": 3}}, "config.rank: IA3 has no such field"),
    ],
)
def test_peft_refuses_what_it_cannot_do(options, words, task, tokens):
    with pytest.raises(BadInputError, match=words):
        build(cell("peft", options=options), task, tokens.pad, CPU)


def test_a_copy_of_the_template_runs_from_a_suite(task, tokens, tmp_path):
    """One new file in a folder that the suite names, and no other edit."""
    (tmp_path / "mine").mkdir()
    shutil.copy(TEMPLATE, tmp_path / "mine" / "penalty.py")
    of = cell("penalty", options={"strength": 0.2}, folder=tmp_path, strategy_path=("mine",))
    outcome = _tiny.run(of, task, tokens)
    assert outcome.ledger.steps == 4
    assert of.options["penalty"]["strength"] == 0.2
    with pytest.raises(BadInputError, match="strenght: unknown key"):
        cell("penalty", options={"strenght": 0.2}, folder=tmp_path, strategy_path=("mine",))


NAMELESS = """
from dataclasses import dataclass
from tunefair.strategy import Strategy

@dataclass(frozen=True, kw_only=True)
class Own(Strategy):
    pass
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "must define one Strategy, not 0"),
        (NAMELESS, "Own has no `reference`: name the paper"),
        ("import nowhere_to_be_found", "own.py: ModuleNotFoundError: No module named"),
        ("def broken(:", r"own.py: SyntaxError: .*line 1"),
    ],
)
def test_a_strategy_file_that_is_none_is_refused_in_a_line(code, words, tmp_path):
    (tmp_path / "own.py").write_text(code)
    for _ in range(2):  # nothing half loaded is found again
        with pytest.raises(BadInputError, match=words):
            compose.find("own", [tmp_path])


@pytest.mark.parametrize("use", ["jtt", "lora+jtt", "erase", "adversarial+temperature"])
def test_every_stage_is_charged_what_torch_counts(use, task, tokens, monkeypatch):
    """The whole ledger against the operations of both trainings, as torch sees them happen."""
    of = cell(use, budget=("flops", BUDGET))
    counted, before = 0, None
    for one in plan.with_first_stages([of]):
        if one.trains:
            cost = step_cost(build(one, task, tokens.pad, CPU), tokens.pad)
            monkeypatch.setattr("tunefair.training.learn.step_cost", lambda *_, known=cost: known)
            counted += flops.count(
                lambda *_, c=one, b=before: learn(c, task, tokens, CPU, silent, first=b), 0, 0
            )
        before = _tiny.stored(_tiny.run(one, task, tokens, first=before))
    assert before.ledger.flops == pytest.approx(counted, rel=0.02)
