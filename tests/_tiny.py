"""Tiny models made from configs and a small task with a planted shortcut: training in seconds."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from tunefair.planning import plan
from tunefair.planning.identity import TaskContent
from tunefair.planning.model_folder import fingerprint
from tunefair.schema import Outcome, Split, Task, TaskCard
from tunefair.storage import records
from tunefair.suite import ModelChoice, Suite
from tunefair.training import tokens
from tunefair.training.learn import training_split
from tunefair.training.model import quiet
from tunefair.training.train import train

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = (*(f"w{i}" for i in range(40)), "good", "bad", "north", "south", "east")
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
ARCHITECTURES: Mapping[str, dict[str, Any]] = {
    "bert": SIZES,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "roberta": SIZES | {"max_position_embeddings": 66},
    "deberta-v2": SIZES
    | {
        "relative_attention": True,
        "position_buckets": 8,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
    },
    "modernbert": SIZES
    | {
        "global_attn_every_n_layers": 2,
        "local_attention": 8,
        "cls_token_id": 2,
        "sep_token_id": 3,
    },
    "llama": SIZES | {"num_key_value_heads": 1},
}
DECODERS = ("llama",)
MORE: Mapping[str, dict[str, Any]] = {
    "albert": SIZES | {"embedding_size": 16},
    "electra": SIZES | {"embedding_size": 16},
    "xlm-roberta": SIZES | {"max_position_embeddings": 66},
}
"""Architectures that only tests of families train."""


@cache
def model_folder(architecture: str = "bert", seed: int = 0) -> Path:
    """Write a tiny pretrained model of an architecture, with its tokenizer, and say where."""
    folder = Path(mkdtemp(prefix=f"tiny-{architecture}-"))
    decoder = architecture in DECODERS
    _tokenizer(decoder).save_pretrained(folder)
    vocabulary = len(SPECIAL) + len(WORDS)
    special = {"pad_token_id": None if decoder else 0, "bos_token_id": 2, "eos_token_id": 3}
    config = AutoConfig.for_model(
        architecture,
        vocab_size=vocabulary,
        **special,
        **{**ARCHITECTURES, **MORE}[architecture],
    )
    torch.manual_seed(seed)
    pretrained = AutoModelForSequenceClassification.from_config(config)
    with quiet():
        pretrained.save_pretrained(folder)
    return folder


def _tokenizer(decoder: bool) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *WORDS))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if decoder:
        return PreTrainedTokenizerFast(
            tokenizer_object=words, unk_token="[UNK]", eos_token="[SEP]", model_max_length=64
        )
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )


def choice(architecture: str = "bert", max_tokens: int = 32) -> ModelChoice:
    """A suite's choice of a tiny model."""
    return ModelChoice(source=str(model_folder(architecture)), max_tokens=max_tokens)


def task(
    *, n: int = 256, noise: float = 0.15, aligned: float = 0.85, classes: int = 2, seed: int = 0
) -> Task:
    """A task whose label a noisy word tells, and whose group a clean word tells.

    Parameters
    ----------
    n : examples in each split
    noise : how often the label's word is the wrong one
    aligned : in training, P(group "a" | label 1) = P(group "b" | label 0); .5 elsewhere, so that
        a classifier that reads the group has unequal error rates
    """
    rng = np.random.default_rng(seed)
    split = np.repeat(["train", "validation", "test"], n)
    label = rng.integers(0, classes, 3 * n)
    odds = np.where(split == "test", 0.5, aligned)
    follows = rng.random(3 * n) < odds
    group = np.where((label > 0) == follows, "a", "b")
    shown = np.where(rng.random(3 * n) < noise, rng.integers(0, classes, 3 * n), label)
    text = [_text(rng, int(word), who) for word, who in zip(shown, group, strict=True)]
    swapped = [
        " ".join({"north": "south", "south": "north"}.get(w, w) for w in t.split()) for t in text
    ]
    return Task(
        name="planted",
        example_id=np.array([f"e{i}" for i in range(3 * n)]),
        text=np.array(text),
        label=label.astype(np.int64),
        groups={"group": group},
        split=split,
        classes=tuple(f"class {i}" for i in range(classes)),
        card=TaskCard(
            title="Planted",
            label_meaning="made up",
            source="tests",
            licence="none",
            fingerprint="0",
            label_kept_in=("swap:other",),
        ),
        views={"swap:other": np.where(rng.random(3 * n) < 0.5, swapped, "")},
    )


def _text(rng: np.random.Generator, shown: int, group: str) -> str:
    words = [f"w{i}" for i in rng.integers(0, 40, rng.integers(2, 12))]
    marks = [("bad", "good", "east")[shown], "north" if group == "a" else "south"]
    for mark in marks:
        words.insert(rng.integers(0, len(words) + 1), mark)
    return " ".join(words)


def many_words(of: Task, seed: int = 0) -> Task:
    """The task with twenty words for each label, never wrong: the group is learned before it."""
    rng = np.random.default_rng(seed)
    text = []
    for label, group in zip(of.label, of.groups["group"], strict=True):
        words = [f"w{20 * label + rng.integers(20)}", "north" if group == "a" else "south"]
        text.append(" ".join(rng.permutation([*words, *["east"] * rng.integers(1, 6)])))
    return replace(of, text=np.array(text), views={})


def cells(
    use: str,
    *,
    options: Mapping[str, Any] | None = None,
    budget: tuple[str, float] = ("steps", 4),
    architecture: str = "bert",
    seeds: tuple[int, ...] = (0,),
    folder: Path = Path(),
    **suite: Any,
) -> list[plan.Cell]:
    """The cells of a suite with one strategy on a tiny model."""
    read = Suite.model_validate(
        {
            "name": "tiny",
            "task": {"source": "planted"},
            "model": choice(architecture),
            "budget": {"currency": budget[0], "amount": budget[1]},
            "strategies": {use: dict(options or {})},
            "seeds": seeds,
            "training": {"batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
        }
        | suite
    )
    identity = fingerprint(read.model)
    return plan.cells(
        read, folder=folder, task=TaskContent(examples="0"), model=identity, attribute="group"
    )


def encoded(of: Task, folder: Path, architecture: str = "bert") -> tokens.Tokens:
    """The task's tokens for a tiny model."""
    folder.mkdir(exist_ok=True)
    tokens.encode(of, choice(architecture), folder)
    return tokens.Tokens.open(folder)


def run(cell: plan.Cell, of: Task, tokenised: tokens.Tokens, **more: Any) -> Outcome:
    """Train a cell, and before it the one that it starts from, without telling anyone."""
    if cell.first and "first" not in more:
        more["first"] = stored(run(cell.first, of, tokenised))
    return train(cell, of, tokenised, progress=lambda fraction, words: None, **more)


def stored(outcome: Outcome) -> Outcome:
    """An outcome as another process finds it."""
    with TemporaryDirectory() as folder:
        records.write_outcome(Path(folder), outcome)
        return records.read_outcome(Path(folder))


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Make garbage collections cheap: accelerate makes one before every training."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def split(of: Task) -> Split:
    """What a strategy may know of the training rows."""
    return training_split(of, "group")
