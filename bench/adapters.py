"""Adapters from peft, put on a classifier the same way by every strategy that uses them."""

import warnings

from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn


def attach(model: nn.Module, config: PeftConfig) -> PeftModel:
    """Return the model with fresh adapters; only these and `modules_to_save` are trained."""
    with warnings.catch_warnings():  # peft 0.21 asks a model by a name that transformers 5 renamed
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        return get_peft_model(model, config)


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
