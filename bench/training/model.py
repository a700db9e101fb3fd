"""The pretrained model: its tokenizer, how it loads, and the vector its head reads."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

_TOKEN_LEVEL = 3  # dimensions of a decoder's output: rows, tokens, features
_SPARE = 10_000_000
"""Elements that a new head, a pooler and tables of positions may add to those on disk."""


def tokenizer(model: ModelChoice) -> tuple[Tokenizer, int, bool]:
    """Return the tokenizer, the id that pads, and whether the model reads segments of a pair.

    A model without a pad token (most decoders) pads with its end-of-text token.

    Raises
    ------
    BadInputError
        There is no fast tokenizer, the model reads fewer tokens than `max_tokens`, or its
        configuration describes a far larger one than its weights.
    """
    place, revision = model_folder.locate(model)
    with quiet():
        try:
            config = AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=False)
            if revision is None:
                _check_size(config, Path(place))
            found = AutoTokenizer.from_pretrained(
                place, revision=revision, trust_remote_code=False
            )
        except BadInputError:
            raise
        except Exception as error:  # these readers raise anything, bare Exceptions included
            raise BadInputError(
                f"model.source = {model.source!r}: {memory.line(error)[:300]}"
            ) from None
    if not isinstance(found, PreTrainedTokenizerFast):
        raise BadInputError(f"model.source = {model.source!r}: needs a tokenizer.json")
    limit = min(found.model_max_length, getattr(config, "max_position_embeddings", 2**31))
    if model.max_tokens > limit:
        raise BadInputError(f"model.max_tokens = {model.max_tokens}: the model reads {limit}")
    pads = (found.pad_token_id, found.eos_token_id, found.unk_token_id, 0)
    pad = next(token for token in pads if token is not None)
    reads_segments = getattr(config, "type_vocab_size", 0) > 1
    return found.backend_tokenizer, int(pad), reads_segments


def load(
    model: ModelChoice, classes: Sequence[str], *, pad: int, attention: str
) -> PreTrainedModel:
    """Load the pretrained weights in fp32 under a new classification head.

    The head's initial values come from torch's global random state.

    Raises
    ------
    BadInputError
        The folder holds no model that classifies sequences.
    """
    place, revision = model_folder.locate(model)
    names = dict(enumerate(classes))
    with quiet():
        try:
            loaded: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
                place,
                revision=revision,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation=attention,
                id2label=names,
                label2id={name: number for number, name in names.items()},
                ignore_mismatched_sizes=True,  # the head of another task makes way for a new one
            )
        except (OSError, ValueError) as error:
            raise BadInputError(
                f"model.source = {model.source!r}: {memory.line(error)[:300]}"
            ) from None
    loaded.config.pad_token_id = pad
    return loaded


def save(trained: nn.Module, model: ModelChoice, folder: Path) -> None:
    """Write what was trained as safetensors (an adapter as an adapter), its tokenizer beside."""
    place, revision = model_folder.locate(model)
    with quiet():
        trained.save_pretrained(folder)  # type: ignore[operator]
    AutoTokenizer.from_pretrained(place, revision=revision).save_pretrained(folder)


def _check_size(config: Any, folder: Path) -> None:
    """Refuse a configuration of a model that the folder's weights do not fill, unbuilt."""
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
    """Silence loading reports for once: that the head is new is no news here."""
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
    """A sequence classifier that also returns the vector which its head reads.

    The head is the last linear layer with one output a class. A hook on it survives what
    strategies do to the model: a wrapped or copied head keeps its hooks.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        head = _head(model)
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


def _head(model: PreTrainedModel) -> nn.Linear:
    n_classes = model.config.num_labels
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    heads = [m for m in linear if m.out_features == n_classes]
    if not heads:
        raise BadInputError(f"model {type(model).__name__}: no linear classification head")
    return heads[-1]


def _last_token(ids: Tensor, pad: int) -> Tensor:
    """Return where each row's last token stands, as transformers finds it for decoders."""
    position = torch.arange(ids.shape[1], device=ids.device)
    return (position * (ids != pad)).argmax(dim=1)
