"""Which families of models are read: those that a test trains, and those refused by name."""

from typing import Any

from ..schema import BadInputError

_LAST_PLACE = "its classifier reads the last place of a row, which padding fills here"
_END_TOKEN = "its classifier reads the end token, and operations are counted on rows without one"  # noqa: S105
REFUSED = {
    "xlnet": _LAST_PLACE,
    "t5": _END_TOKEN,
    "mt5": _END_TOKEN,
    "umt5": _END_TOKEN,
    "bart": _END_TOKEN,
    "mbart": _END_TOKEN,
    "plbart": _END_TOKEN,
    "led": _END_TOKEN,
    "deberta": "its attention fails in bf16 and has no query and value of its own for adapters",
}
"""`model_type` in config.json -> why."""
INSTEAD = "take one of another family, such as BERT, RoBERTa, DeBERTa-v3 or ModernBERT"
_AFTER_PADDING = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm",
     "data2vec-text", "ibert", "mpnet", "longformer"}
)  # fmt: skip
"""Families that number positions from the one after the pad token: 514 rows read 512 tokens."""


def check(config: Any, where: str) -> None:
    """Refuse a family that would be trained wrongly, or not at all.

    Raises
    ------
    BadInputError
        The family is one of `REFUSED`.
    """
    kind = str(config.model_type)
    if kind in REFUSED:
        raise BadInputError(f"{where}: {kind} is not supported: {REFUSED[kind]}; {INSTEAD}")


def most_tokens(config: Any) -> int:
    """Return how many tokens a configuration has positions for; relative ones have no end."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:  # XLNet says -1
        return 2**31
    if config.model_type in _AFTER_PADDING:
        positions -= (getattr(config, "pad_token_id", None) or 0) + 1
    return positions
