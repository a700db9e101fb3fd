"""Families of models: what works is trained, what does not is refused by name at plan time.

`python -m tests.test_families` prints the table that docs/models.md holds.
"""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from tests import _tiny
from tunefair.schema import BadInputError
from tunefair.strategies.lora import Lora
from tunefair.suite import ModelChoice
from tunefair.training import adapters, families, flops
from tunefair.training import model as models
from tunefair.training.batches import pad
from tunefair.training.tokens import ORIGINAL

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
WORKS = (*_tiny.ARCHITECTURES, *_tiny.MORE)
CLASSES = ("no", "yes")


@pytest.fixture(scope="module")
def task():
    return _tiny.task(n=8)


def row(family: str) -> str:
    """What is found of a family that works, as a line of the docs' table."""
    loaded = models.load(_tiny.choice(family), CLASSES, pad=0, attention="eager")
    targets = ", ".join(adapters.attention_inputs(loaded))
    beside = ", ".join(adapters.head_modules(loaded))
    reader = models.tokenizer(_tiny.choice(family))
    return f"| {family} | works | {targets} | {beside} | {'yes' if reader.segments else 'no'} |"


def table() -> list[str]:
    """The lines of the docs' table, those of families that are refused last."""
    return [
        *(row(family) for family in WORKS),
        *(f"| {family} | refused: {why} | | | |" for family, why in families.REFUSED.items()),
    ]


@pytest.mark.parametrize("family", WORKS)
def test_a_family_that_works_learns_by_full_and_by_lora(family, task, tmp_path):
    """A loss with gradients, costs that grow with length, and LoRA's default layers."""
    tokens = _tiny.encoded(task, tmp_path, family)
    loaded = models.load(_tiny.choice(family), CLASSES, pad=tokens.pad, attention="eager")
    for model in (loaded, Lora().adapt(loaded)):
        reader = models.Classifier(loaded)
        reader.model = model
        inputs = pad(tokens.views[ORIGINAL], np.arange(8), tokens.pad)
        loss = torch.nn.functional.cross_entropy(
            reader(inputs).logits, torch.arange(8) % len(CLASSES)
        )
        loss.backward()
        trained = [p for p in model.parameters() if p.requires_grad and p.grad is not None]
        assert any(float(p.grad.abs().sum()) > 0 for p in trained)
        counts = [flops.count(partial(_read, reader), 2, length) for length in (4, 8)]
        assert 0 < counts[0] < counts[1]


def _read(reader: models.Classifier, rows: int, length: int) -> object:
    return reader({"input_ids": torch.ones((rows, length), dtype=torch.int64)})


@pytest.mark.parametrize("family", families.REFUSED)
def test_a_family_that_does_not_is_refused_by_name(family, tmp_path):
    folder = tmp_path / family
    shutil.copytree(_tiny.model_folder(), folder)
    AutoConfig.for_model(family).save_pretrained(folder)
    with pytest.raises(BadInputError, match=f": {family} is not supported: .*take one of another"):
        models.tokenizer(ModelChoice(source=str(folder), max_tokens=32))


def test_positions_that_begin_after_the_pad_token_are_not_counted():
    roberta = AutoConfig.for_model("roberta", max_position_embeddings=514, pad_token_id=1)
    assert families.most_tokens(roberta) == 512
    assert families.most_tokens(AutoConfig.for_model("bert")) == 512
    assert families.most_tokens(AutoConfig.for_model("xlnet")) == 2**31


def test_the_docs_hold_this_table():
    page = PAGE.read_text()
    for line in table():
        assert line in page, line


if __name__ == "__main__":
    print("\n".join(table()))
