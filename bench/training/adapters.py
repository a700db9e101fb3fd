"""Adapters from peft, put on a classifier the same way by every strategy that uses them."""

import copy
import warnings
from pathlib import Path

from peft import PeftConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

from ..schema import BadInputError

_QUERY_AND_VALUE: tuple[frozenset[str], ...] = (
    frozenset({"query", "value"}),  # BERT, RoBERTa, ELECTRA
    frozenset({"query_proj", "value_proj"}),  # DeBERTa-v2
    frozenset({"q_lin", "v_lin"}),  # DistilBERT
    frozenset({"q_proj", "v_proj"}),  # Llama, Qwen, Mistral, OPT
    frozenset({"Wqkv", "qkv_proj", "query_key_value", "c_attn"}),  # one matrix for all three
)


def attach(model: nn.Module, config: PeftConfig) -> nn.Module:
    """Return the model with fresh adapters; only these and `modules_to_save` are trained."""
    with warnings.catch_warnings():  # peft 0.21 asks a model by a name that transformers 5 renamed
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        adapted: nn.Module = get_peft_model(model, config)
    return adapted


def save_merged(adapted: nn.Module) -> nn.Module:
    """Have a model saved whole, its adapters merged.

    PiSSA and its like change the frozen weights too when they begin, so their adapters alone fit
    no other weights; peft's own conversion fails beside modules that are trained in full. The
    weights changed are named on the model, for what it takes to keep them.
    """

    def save(folder: Path) -> None:
        copy.deepcopy(adapted).merge_and_unload().save_pretrained(folder)  # type: ignore[operator]

    adapted.save_pretrained = save  # type: ignore[assignment]
    layers = (m.base_layer for m in adapted.modules() if isinstance(m, BaseTunerLayer))
    merged = [p for layer in layers for p in layer.parameters()]
    beside = (p for n, p in adapted.named_parameters() if p.requires_grad and ".lora_" not in n)
    adapted.changed_weights = [*merged, *beside]  # type: ignore[assignment]
    return adapted


def attention_inputs(model: nn.Module) -> list[str]:
    """Name the layers that make queries and values, whatever the architecture calls them.

    Raises
    ------
    BadInputError
        No linear layer bears such a name.
    """
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    }
    targets = next((sorted(linear & names) for names in _QUERY_AND_VALUE if linear & names), [])
    if not targets:
        raise BadInputError(
            f"target_modules: no query and value layers known in {type(model).__name__}; name them"
        )
    return targets


def head_modules(model: nn.Module) -> list[str]:
    """Name what stands between a classifier's encoder and its labels, the pooler included.

    peft alone keeps the pooler frozen, although it was pretrained for another head.
    """
    encoder = model.base_model
    head = [
        name
        for name, module in model.named_children()
        if module is not encoder and any(True for _ in module.parameters())
    ]
    pooled = getattr(encoder, "pooler", None) is not None
    return head + ([f"{model.base_model_prefix}.pooler"] if pooled else [])
