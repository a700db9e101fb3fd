"""The card of an exported model: README.md, whose metadata holds the headline values only."""

import re
import warnings
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..reporting.wording import metric_words, printable
from ..schema import BadInputError, Measurement
from ..storage import files
from . import card_text, packs
from .figures import Figures
from .record import Record

CARD = "README.md"
_DECIMALS = 4


def check(names: tuple[str, ...]) -> None:
    """Refuse a pack that does not exist."""
    for name in names:
        if name not in packs.PACKS:
            raise BadInputError(f"--pack {name}: there are: {', '.join(packs.PACKS)}")


def write(folder: Path, record: Record, found: Figures, names: tuple[str, ...]) -> None:
    """Write the card and the packs asked for, every number of them from the run's results."""
    content = f"---\n{metadata(record, found).to_yaml()}\n---\n\n{card_text.text(record, found)}"
    files.write(folder / CARD, str(ModelCard(content, ignore_metadata_errors=False)))
    for name in dict.fromkeys(names):
        files.write(folder / f"{name}.md", packs.PACKS[name](record, found))


def metadata(record: Record, found: Figures) -> ModelCardData:
    """Return the card's metadata: what a hub shows and searches.

    A metric stands once: rows of one metric that differ in their arguments alone, as groups do,
    are merged when a card is read back (huggingface_hub#4975).
    """
    known: dict[str, Any] = {}
    if record.model_on_hub:
        known["base_model"] = record.model
    return ModelCardData(
        model_name=_plain(f"{record.suite} {record.strategy} seed {record.seed}"),
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["tunefair"],
        eval_results=list(_results(record, found)) or None,
        **known,
    )


def _results(record: Record, found: Figures) -> list[EvalResult]:
    card = found.facts.card
    name = _plain(card.title) if card else record.suite
    once: dict[str, Measurement] = {}
    for m in found.headline():
        once.setdefault(m.metric, m)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            EvalResult(
                task_type="text-classification",
                dataset_type=_plain(record.task_source),
                dataset_name=name,
                dataset_split="test",
                metric_type=m.metric,
                metric_name=_name(m),
                metric_value=round(m.value, _DECIMALS),
            )
            for m in once.values()
        ]


def _name(m: Measurement) -> str:
    words = metric_words(m.metric)
    return f"{words} by {_plain(m.attribute)}" if m.attribute else words


def _plain(name: str) -> str:
    """Return a name of letters, digits and a few marks: what shows metadata may obey others."""
    return re.sub(r"[^\w .,+-]", "_", printable(name))
