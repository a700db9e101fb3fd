"""The pretrained model: its tokenizer, its loading, and the vector that its head reads."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from ..environment import memory
from ..planning import model_folder
from ..schema import BadInputError
from ..strategy import Output
from ..suite import ModelChoice
from . import families, heads

_TOKEN_LEVEL = 3  # dimensions of a decoder's output: rows, tokens, features
_SPARE = 10_000_000
"""Elements that a new head, a pooler and tables of positions may add to those on disk."""


class Reader(NamedTuple):
    """How a model reads texts."""

    tokenizer: Tokenizer
    pad: int
    """The token that fills rows up."""
    segments: bool
    """Whether the model is told which text of a pair a token is of."""
    vocabulary: int
    """How many tokens it knows."""


def tokenizer(model: ModelChoice) -> Reader:
    """Return the tokenizer of a model, and what else is known of how it reads.

    A model without a pad token (most decoders) pads with its end-of-text token.

    Raises
    ------
    BadInputError
        There is no fast tokenizer, the model reads fewer tokens than `max_tokens`, or its
        configuration describes a far larger one than its weights.
    """
    folder = model_folder.locate(model)
    with quiet():
        try:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            families.check(config, f"model.source = {model.source!r}")
            _check_size(config, folder)
            loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except BadInputError:
            raise
        except Exception as error:  # these readers raise anything, bare Exceptions included
            raise BadInputError(
                f"model.source = {model.source!r}: {memory.line(error)[:300]}"
            ) from None
    if not isinstance(loaded, PreTrainedTokenizerFast):
        raise BadInputError(f"model.source = {model.source!r}: needs a tokenizer.json")
    limit = min(loaded.model_max_length, families.most_tokens(config))
    if model.max_tokens > limit:
        raise BadInputError(f"model.max_tokens = {model.max_tokens}: the model reads {limit}")
    pads = (loaded.pad_token_id, loaded.eos_token_id, loaded.unk_token_id, 0)
    pad = next(token for token in pads if token is not None)
    reads_segments = getattr(config, "type_vocab_size", 0) > 1
    vocabulary = getattr(config, "vocab_size", None) or 2**31
    return Reader(loaded.backend_tokenizer, int(pad), reads_segments, vocabulary)


def load(
    model: ModelChoice, classes: Sequence[str], *, pad: int, attention: str
) -> PreTrainedModel:
    """Load the pretrained weights in fp32 under a classification head for the classes.

    A new head's values come from torch's global random state, whether the checkpoint has a head
    or not. The head is the last linear layer: what a checkpoint has before it is pretrained.

    Raises
    ------
    BadInputError
        The folder holds no model that classifies sequences, or no head with these classes where
        the checkpoint's is kept.
    """
    names = dict(enumerate(classes))
    labels = {"id2label": names, "label2id": {name: number for number, name in names.items()}}
    loaded, new = _loaded(model, attention, labels if model.head == "new" else {})
    head = heads.last_linear(loaded)
    if model.head == "new":
        heads.renew(loaded, head, new)
    else:
        heads.keep(loaded, head, new, classes)
    loaded.config.pad_token_id = pad
    return loaded


def _loaded(
    model: ModelChoice, attention: str, labels: Mapping[str, Any]
) -> tuple[PreTrainedModel, set[str]]:
    """Return a model, and the names of the parameters that its checkpoint does not hold."""
    folder = model_folder.locate(model)
    with quiet():
        try:
            loaded, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation=attention,
                ignore_mismatched_sizes=True,  # the head of another task makes way for a new one
                output_loading_info=True,
                **labels,
            )
        except (OSError, ValueError) as error:
            raise BadInputError(
                f"model.source = {model.source!r}: {memory.line(error)[:300]}"
            ) from None
    return loaded, {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}


def save(trained: nn.Module, model: ModelChoice, folder: Path) -> None:
    """Write the trained weights as safetensors (of an adapter only its own) and the tokenizer."""
    with quiet():
        trained.save_pretrained(folder)  # type: ignore[operator]
    AutoTokenizer.from_pretrained(model_folder.locate(model)).save_pretrained(folder)


def _check_size(config: Any, folder: Path) -> None:
    """Refuse a configuration of a far larger model than the weights; nothing is allocated."""
    on_disk = sum(math.prod(shape) for shape in model_folder.shapes(folder).values())
    with torch.device("meta"):
        described = AutoModelForSequenceClassification.from_config(config)
    wanted = sum(t.numel() for t in (*described.parameters(), *described.buffers()))
    if wanted > 2 * on_disk + _SPARE:
        raise BadInputError(
            f"{folder / 'config.json'}: a model of {wanted:.3g} parameters, and the weights hold "
            f"{on_disk:.3g}; get the configuration that belongs to them"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' reports while a model loads: that the head is new is intended."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


class Classifier(nn.Module):
    """A sequence classifier that also returns the vector that its head reads.

    The head is the last linear layer with one output per class. The vector comes from a hook on
    it, which stays when a strategy wraps or copies the head.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        head = heads.last_linear(model)
        self.model: nn.Module = model
        self.hidden_size = head.in_features
        self.pad = model.config.pad_token_id
        self._read: list[Tensor] = []
        read = self._read  # a plain function is shared by deep copies; a bound method is not
        head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))

    def forward(self, inputs: Mapping[str, Tensor]) -> Output:
        """Return logits (n, n_classes) and hidden vectors (n, hidden_size) in fp32."""
        self._read.clear()
        logits = self.model(**inputs).logits
        if not self._read:
            raise RuntimeError("the strategy's adapt() replaced the classification head")
        hidden = self._read.pop()
        if hidden.dim() == _TOKEN_LEVEL:
            last = _last_token(inputs["input_ids"], self.pad)
            hidden = hidden[torch.arange(len(hidden), device=last.device), last]
        return Output(logits.float(), hidden.float())


def _last_token(ids: Tensor, pad: int) -> Tensor:
    """Return the position of each row's last token, as transformers does for decoders."""
    position = torch.arange(ids.shape[1], device=ids.device)
    return (position * (ids != pad)).argmax(dim=1)
