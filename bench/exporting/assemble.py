"""Assemble: trained weights as one plain model with its tokenizer, which transformers reads alone.

Adapters are merged, the classes have the task's names, the tokenizer knows where texts are cut.
"""

import errno
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    set_seed,
)

from ..environment import memory
from ..planning import model_folder
from ..planning.plan import Cell
from ..schema import BadInputError
from ..training import heads
from ..training import model as models
from .fold import Head


@dataclass(frozen=True)
class Model:
    """A trained classifier without any wrapper."""

    model: PreTrainedModel
    linear: nn.Linear
    """Its classification head."""

    @property
    def head(self) -> Head:
        """The head's values in float64; without a bias it is zero."""
        weight = self.linear.weight.detach().double().numpy()
        bias: Any = self.linear.bias  # typed as if every layer had one
        zero = np.zeros(len(weight))
        return Head(weight, zero if bias is None else bias.detach().double().numpy())

    @property
    def biased(self) -> bool:
        """Whether the head has a bias."""
        bias: Any = self.linear.bias
        return bias is not None

    def replace_head(self, head: Head) -> None:
        """Write other values into the head."""
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(head.weight))
            if self.biased:
                self.linear.bias.copy_(torch.from_numpy(head.bias))


def load(cell: Cell, folder: Path, classes: Sequence[str]) -> Model:
    """Return the model whose trained weights, or adapters, lie in `folder`.

    Raises
    ------
    BadInputError
        An adapter that cannot be merged.
    """
    pad = models.tokenizer(cell.model).pad
    with models.quiet():
        if (folder / "adapter_config.json").is_file():
            loaded = _merged(cell, folder, classes, pad)
        else:
            loaded = AutoModelForSequenceClassification.from_pretrained(
                folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            )
    names = dict(enumerate(classes))
    loaded.config.id2label = names
    loaded.config.label2id = {name: number for number, name in names.items()}
    loaded.config.problem_type = "single_label_classification"  # else a checkpoint's own may stay
    loaded.config.pad_token_id = pad
    loaded.config.task_specific_params = None
    return Model(loaded.eval(), heads.last_linear(loaded))


def _merged(cell: Cell, folder: Path, classes: Sequence[str], pad: int) -> Any:
    set_seed(cell.seed)
    base = models.load(cell.model, classes, pad=pad, attention="eager")
    with warnings.catch_warnings():  # peft 0.21 asks a model by a name that transformers 5 renamed
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        adapted: Any = PeftModel.from_pretrained(base, folder)
    try:
        _unwrap(adapted)
        return adapted.merge_and_unload(safe_merge=True)
    except Exception as error:  # each adapter has its own reasons
        raise BadInputError(
            f"{cell.use}: its adapters cannot be merged into the model ({memory.line(error)}); "
            "there is no plain model to export"
        ) from None


def _unwrap(adapted: nn.Module) -> None:
    """Put modules that were trained in full in their places: not every method of peft does."""
    for name, module in list(adapted.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            parent, _, own = name.rpartition(".")
            trained = module.modules_to_save[module.active_adapter]
            setattr(adapted.get_submodule(parent), own, trained)


def save(model: Model, cell: Cell, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer.

    Raises
    ------
    OSError
        The disk is full.
    """
    with models.quiet(), _disk_errors(folder):
        model.model.save_pretrained(folder)
        _tokenizer(cell).save_pretrained(folder)


def _tokenizer(cell: Cell) -> Any:
    """Return the model's tokenizer, which cuts and pads as it did in training."""
    folder = model_folder.locate(cell.model)
    reader = models.tokenizer(cell.model)
    loaded: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    loaded.model_max_length = cell.model.max_tokens
    loaded.truncation_side = loaded.padding_side = "right"
    loaded.backend_tokenizer.no_padding()
    loaded.backend_tokenizer.enable_truncation(cell.model.max_tokens)
    if loaded.pad_token is None:
        loaded.pad_token = loaded.convert_ids_to_tokens(reader.pad)
    segments = ["token_type_ids"] if reader.segments else []
    loaded.model_input_names = ["input_ids", *segments, "attention_mask"]
    for private in ("is_local", "local_files_only", "name_or_path"):
        loaded.init_kwargs.pop(private, None)
    return loaded


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn what safetensors says of a full disk into what Python says of it."""
    try:
        yield
    except SafetensorError as error:
        words = str(error)
        number = next((n for n in errno.errorcode if f"(os error {n})" in words), errno.EIO)
        raise OSError(number, os.strerror(number), str(folder.parent)) from None
