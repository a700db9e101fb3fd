"""The text of a model card, in sections; numbers come from the record and the results alone."""

from collections.abc import Iterable, Iterator, Sequence

from ..facts import StrategyFacts
from ..reporting import answer
from ..reporting.markdown import inline, table
from ..reporting.wording import (
    decimals,
    estimate,
    fixed,
    interval,
    metric_words,
    printable,
    quantity,
    quoted,
)
from ..schema import Measurement
from .figures import Figures
from .record import Record

YOURS = "*(yours to fill)*"
"""In place of what no measurement tells."""
BY_GROUP = (
    "accuracy", "base_rate", "selection_rate", "true_positive_rate", "false_positive_rate",
    "expected_calibration_error",
)  # fmt: skip
CALIBRATION = (
    "expected_calibration_error", "debiased_calibration_error", "smooth_calibration_error",
    "brier_score", "calibration_in_the_large", "temperature",
)  # fmt: skip
_SPENT = ("flops", "tokens", "steps", "seconds", "energy_joules", "peak_memory_bytes")


def text(record: Record, found: Figures) -> str:
    """Return the card without its metadata."""
    title = f"# {inline(printable(record.strategy))}, seed {record.seed}"
    parts = [
        title,
        *_first(record),
        *_purpose(record, found),
        *_use(record),
        *_results(found),
        *_groups(found),
        *_calibration(found),
        *_undecided(found),
        *_proof(record),
        *_made(record, found),
        *_licences(found),
    ]
    return "\n\n".join(parts) + "\n"


def _first(record: Record) -> Iterator[str]:
    """Yield what a reader must know before using the model."""
    if record.holds_all:
        return
    group = f" --group {printable(record.attribute)}" if record.attribute else ""
    yield (
        "> **The model alone does not decide as was audited.** "
        f"{inline(record.revision)}. Use `tunefair predict THIS_FOLDER texts.csv{group}`, which "
        "applies `revision.json`; a pipeline gives what was before it. `revision.json` holds "
        "labels, groups and probabilities of validation examples: look at it before you publish."
    )


def _purpose(record: Record, found: Figures) -> Iterator[str]:
    yield "## What it is for, and what not"
    classes = ", ".join(f"`{inline(printable(name))}`" for name in record.classes)
    card = found.facts.card
    if card is None:
        yield f"It gives a text one of the classes {classes}."
        return
    yield (
        f"It gives a text of {inline(card.title)} one of the classes {classes}. The label: "
        f"{inline(card.label_meaning)}"
    )
    yield (
        "It was measured on test texts of that source and on nothing else: other texts, other "
        "languages, other groups and any use of its answers to decide about people are covered by "
        "no number here."
    )
    if card.warnings:
        yield "Warnings that come with the data:"
        yield "\n".join(f"- {inline(warning)}" for warning in card.warnings)
    yield f"Intended use, and who answers for it: {YOURS}"


def _use(record: Record) -> Iterator[str]:
    yield "## Use"
    yield """```python
from transformers import pipeline

classify = pipeline("text-classification", "THIS_FOLDER", top_k=None, truncation=True)
classify("a text")
```"""
    yield (
        f"It was trained on the first {record.max_tokens} tokens of a text. The pipeline "
        "cuts a text only if it is told to: keep `truncation=True`. Of the test texts, "
        f"{record.longer:,} are longer."
    )


def _results(found: Figures) -> Iterator[str]:
    yield "## Results on the test texts"
    rows = []
    for m in found.headline():
        mean = found.mean(m.metric, m.attribute, m.group)
        several = found.sheet.seeds.get(found.chosen.strategy, 1) > 1
        rows.append(
            [
                inline(metric_words(m.metric) + (f" by {m.attribute}" if m.attribute else "")),
                estimate(m),
                interval(m.low, m.high),
                _floor(m),
                with_interval(mean) if several else "",
            ]
        )
    yield table(
        ["metric", "this model", "95 % interval", "by chance", "mean over seeds (95 % interval)"],
        rows,
    )
    seeds = sorted(
        c.seed
        for c in found.facts.cells
        if c.strategy == found.chosen.strategy and c.status == "finished"
    )
    yield (
        "“This model” is this seed, its interval is over test texts. “By chance” is what groups "
        "of these sizes show at the 95th percentile without any disparity. Seeds: "
        f"{', '.join(map(str, seeds))}."
    )


def _floor(m: Measurement) -> str:
    return "" if m.floor_p95 is None else f"up to {fixed(m.floor_p95, decimals(m.low, m.high))}"


def _groups(found: Figures) -> Iterator[str]:
    for attribute in found.attributes:
        if " × " in attribute:
            continue
        metrics = [
            metric
            for metric in BY_GROUP
            if any(p.metric == metric and p.attribute == attribute for p in found.own)
        ]
        rows = []
        for group, n in found.sheet.group_sizes(attribute).items():
            cells = [with_interval(found.of(metric, attribute, group)) for metric in metrics]
            rows.append([inline(printable(group)), f"{n:,}", *cells])
        if rows and metrics:
            yield f"## By {inline(printable(attribute))}"
            yield table([inline(printable(attribute)), "n", *map(metric_words, metrics)], rows)
            yield from _left_out(found, attribute)


def _left_out(found: Figures, attribute: str) -> Iterator[str]:
    left = [o for o in found.sheet.results.left_out if o.attribute == attribute]
    if left:
        groups = dict.fromkeys(f"{printable(o.group)} ({o.n}: {o.reason})" for o in left)
        yield f"Left out of some comparisons: {inline('; '.join(groups))}."


def with_interval(m: Measurement | None) -> str:
    """Return a number with its interval in brackets, or why there is none."""
    if m is None:
        return ""
    if m.undefined:
        return f"undefined: {inline(m.undefined)}"
    between = interval(m.low, m.high)
    return estimate(m) + (f" ({between})" if between else "")


def _calibration(found: Figures) -> Iterator[str]:
    rows = [
        [metric_words(metric), with_interval(m)]
        for metric in CALIBRATION
        if (m := found.of(metric)) is not None
    ]
    if rows:
        yield "## Calibration"
        yield table(["metric", "this model (95 % interval)"], rows)


def _undecided(found: Figures) -> Iterator[str]:
    """Yield what the run's tests left open, and what weakens its numbers."""
    lines = {line.name: line.sentences for line in answer.lines(found.sheet)}
    own = quoted(found.chosen.strategy)
    said = [s.text for s in lines.get("alarm", ()) if own in s.text]
    said += [s.text for name in ("unknown", "rest") for s in lines.get(name, ())]
    if said:
        yield "## What was not decided"
        yield "\n".join(f"- {inline(sentence)}" for sentence in said)


def _proof(record: Record) -> Iterator[str]:
    then = "" if record.holds_all else "revised as `tunefair predict` does, "
    yield "## Proof"
    yield (
        "The test texts were classified by transformers alone, in a process in which tunefair "
        f"cannot be imported, {then}and compared with the answers that were audited. Allowed: "
        f"{record.bound.max_difference:.2g} ({inline(record.bound.because)}). "
        "`tunefair verify THIS_FOLDER` repeats this."
    )
    rows = [
        [
            inline(f"{row.attribute} = {row.group}" if row.attribute else "all test texts"),
            f"{row.n:,}",
            f"{row.max_difference:.2g}",
            f"{row.flips:,}",
        ]
        for row in record.proof
    ]
    titles = ["texts", "n", "largest difference of a probability", "decisions that differ"]
    yield table(titles, rows)


def _made(record: Record, found: Figures) -> Iterator[str]:
    yield "## How it was made"
    yield table(["what", "value"], [[k, inline(v)] for k, v in facts_of(record, found) if v])
    yield "The command that made this folder:"
    yield f"    {printable(record.command)}"


def facts_of(record: Record, found: Figures) -> Iterable[tuple[str, str]]:
    """Yield name and value of everything that is known besides measurements."""
    facts = found.facts
    yield "strategy", f"{record.use}{f' ({record.options})' if record.options else ''}"
    yield "reference", found.strategy.reference
    yield "reads group labels in", _groups_read(found.strategy)
    yield "revision", record.revision
    yield "seed", f"{record.seed}: {record.seed_because}"
    if facts.currency and facts.amount is not None:
        yield "budget", f"{quantity(facts.currency, facts.amount)} ({facts.currency})"
    for name in _SPENT:
        value = getattr(found.chosen.ledger, name, None)
        if value is not None:
            yield f"spent: {name.replace('_', ' ')}", quantity(name, value)
    yield "selection", facts.selection_rule
    yield "pretrained model", f"{record.model}, sha256 {record.model_fingerprint}"
    yield "parameters", f"{record.parameters:,}"
    yield "data", f"{facts.card.source if facts.card else ''}, sha256 {record.task}"
    yield "weights", record.weights
    yield "cell", record.cell
    yield "run", facts.command
    yield "code", record.environment.get("commit", "") or record.environment.get("tunefair", "")
    versions = ("python", "torch", "transformers", "peft", "tokenizers")
    yield "made with", ", ".join(f"{v} {record.environment.get(v, '?')}" for v in versions)
    yield "date", record.date


def _groups_read(strategy: StrategyFacts) -> str:
    return ", ".join(sorted(strategy.needs_groups_in)) or "nothing"


def _licences(found: Figures) -> Iterator[str]:
    card, model = found.facts.card, found.facts.model
    rows: Sequence[Sequence[str]] = [
        ["data", inline(card.licence) if card and card.licence else YOURS],
        ["pretrained model", inline(model.licence) if model and model.licence else YOURS],
        ["this model", YOURS],
    ]
    yield "## Licences"
    yield table(["of", "licence"], rows)
