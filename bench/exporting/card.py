"""The card of an exported model: Markdown made from record and results; no number is typed."""

from pathlib import Path

from ..reporting import inert
from ..schema import BadInputError
from ..storage import files
from .record import Record
from .source import Source

PACKS: tuple[str, ...] = ()
CARD = "README.md"


def check(packs: tuple[str, ...]) -> None:
    """Refuse a pack that does not exist."""
    for name in packs:
        if name not in PACKS:
            raise BadInputError(f"--pack {name}: there are: {', '.join(PACKS) or 'none'}")


def write(folder: Path, source: Source, record: Record, packs: tuple[str, ...]) -> None:
    """Write README.md."""
    title = f"# {inert.markdown(record.strategy)}, seed {record.seed}"
    parts = [title, *_first(record), use(record), proved(record)]
    files.write(folder / CARD, "\n\n".join(parts) + "\n")


def _first(record: Record) -> list[str]:
    """Return what a reader must know before using the model."""
    if record.holds_all:
        return []
    group = f" --group {record.attribute}" if record.attribute else ""
    return [
        "> **The model alone does not decide as was audited.** "
        f"{inert.markdown(record.revision.capitalize())}. Use "
        f"`tunefair predict . texts.csv{group}`, which applies `revision.json`; a pipeline gives "
        "the probabilities before it."
    ]


def use(record: Record) -> str:
    """Return how the model is loaded, and what becomes of long texts."""
    cut = (
        f"It was trained on the first {record.max_tokens} tokens of a text. transformers' "
        "pipeline cuts a text only if it is told to: keep `truncation=True`."
    )
    return f"""## Use

```python
from transformers import pipeline

classify = pipeline("text-classification", "THIS_FOLDER", top_k=None, truncation=True)
classify("a text")
```

{cut} Of the test texts, {record.longer:,} are longer."""


def proved(record: Record) -> str:
    """Return the proof as a table."""
    rows = [
        f"| {_texts(row.attribute, row.group)} | {row.n:,} | {row.max_difference:.2g} "
        f"| {row.flips:,} |"
        for row in record.proof
    ]
    how = "transformers alone" if record.holds_all else "`tunefair predict`"
    return "\n".join(
        [
            "## Proof",
            "",
            f"The test texts were classified by {how}, in a process in which tunefair cannot be "
            "imported, and compared with the answers that were audited. Allowed: "
            f"{record.bound.max_difference:.2g} ({record.bound.because}). "
            "`tunefair verify` repeats this.",
            "",
            "| texts | n | largest difference of a probability | decisions that differ |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _texts(attribute: str, group: str) -> str:
    return inert.markdown(f"{attribute} = {group}") if attribute else "all test texts"
