"""Packs: the same record as the tables that two regulations ask for.

Every number is followed by the measurement that it is; what no measurement tells is the user's to
fill. A pack is no legal advice and no audit by an independent party.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..reporting.markdown import inline, table
from ..reporting.wording import metric_words, printable
from ..schema import Measurement
from .card_text import YOURS, facts_of, with_interval
from .figures import Figures
from .record import Record

_NOTE = (
    "Made from the record of the export; no number was typed. A number is followed by the "
    "measurement that it is, listed at the end. "
    f"{YOURS} marks what no measurement tells. This is not legal advice."
)


class _References:
    """Measurements that were cited, in order."""

    def __init__(self) -> None:
        self.cited: list[Measurement] = []

    def cite(self, m: Measurement | None) -> str:
        """Return a number with its reference; a dash where there is none."""
        if m is None:
            return "–"
        if m not in self.cited:
            self.cited.append(m)
        number = self.cited.index(m) + 1
        return f"{with_interval(m)} [m{number}](#m{number})"

    def listed(self) -> Iterator[str]:
        """Yield the list of what was cited."""
        titles = ["", "audit", "metric", "attribute", "group", "seed", "value", "low", "high", "n"]
        rows = [
            [
                f'<a id="m{number}"></a>m{number}',
                m.audit,
                m.metric,
                inline(m.attribute),
                inline(m.group),
                str(m.seed),
                f"{m.value:.6g}",
                "" if m.low is None else f"{m.low:.6g}",
                "" if m.high is None else f"{m.high:.6g}",
                str(m.n),
            ]
            for number, m in enumerate(self.cited, start=1)
        ]
        yield "## Measurements"
        yield "Rows of `measurements.json` in the run's folder."
        yield table(titles, rows)


def annex_iv(record: Record, found: Figures) -> str:
    """Return what Annex IV (2) of Regulation (EU) 2024/1689 asks for, letter by letter."""
    cited = _References()
    facts = dict(facts_of(record, found))
    card = found.facts.card
    parts = [
        f"# Annex IV (2): {inline(printable(record.strategy))}, seed {record.seed}",
        _NOTE,
        "## (a) Methods and steps of the development, pre-trained systems",
        _rows(facts, "pretrained model", "strategy", "reference", "run", "code", "made with"),
        "## (b) Design: general logic, key choices, what is optimised for",
        _rows(facts, "strategy", "reads group labels in", "revision", "selection", "seed"),
        f"Classes: {', '.join(inline(printable(name)) for name in record.classes)}. The rationale "
        f"of these choices, the persons the system is to be used on, and trade-offs made: {YOURS}",
        "## (c) Architecture and computational resources",
        _rows(
            facts, "parameters", "budget", *(name for name in facts if name.startswith("spent"))
        ),
        f"How the model feeds into the overall system: {YOURS}",
        "## (d) Data: provenance, scope, main characteristics",
        *_data(record, found, cited),
        f"Source: {inline(card.source) if card else YOURS}. Licence: "
        f"{inline(card.licence) if card and card.licence else YOURS}. What the label means: "
        f"{inline(card.label_meaning) if card else YOURS}",
        f"How the data were obtained and selected, labelled and cleaned: {YOURS}",
        "## (e) Human oversight",
        f"Measures needed, and how they help deployers to interpret outputs: {YOURS}",
        "## (f) Pre-determined changes",
        f"{YOURS} The gate (`tunefair gate`) can state what a changed model may not lose.",
        "## (g) Validation and testing: metrics, potentially discriminatory impacts",
        _tested(found, cited),
        *_by_group(found, cited),
        "Test logs: the run's report, and the proof in `README.md`; date "
        f"{record.date}. Signed by: {YOURS}",
        "## (h) Cybersecurity",
        f"`checksums.json` seals every file, `tunefair verify` checks it. Measures taken: {YOURS}",
        *cited.listed(),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(facts: Mapping[str, str], *names: str) -> str:
    rows = [[name, inline(facts.get(name, "")) or YOURS] for name in names]
    return table(["what", "value"], rows)


def _data(record: Record, found: Figures, cited: _References) -> Iterator[str]:
    yield f"Fingerprint of the data: sha256 {record.task}."
    rows = []
    for attribute, groups in found.facts.training_counts.items():
        for group, counts in groups.items():
            rate = found.of("base_rate", attribute, group)
            numbers = [f"{count:,}" for count in counts]
            of = [inline(printable(attribute)), inline(printable(group))]
            rows.append([*of, *numbers, cited.cite(rate)])
    if rows:
        classes = [f"training texts: {inline(printable(name))}" for name in record.classes]
        yield table(["attribute", "group", *classes, "positive share of test texts"], rows)


def _tested(found: Figures, cited: _References) -> str:
    rows = []
    for m in found.headline():
        by = inline(printable(m.attribute)) if m.attribute else "all"
        definition = found.sheet.results.definitions.get(m.metric)
        meaning = inline(definition.definition) if definition else ""
        rows.append([metric_words(m.metric), by, cited.cite(m), meaning])
    return table(["metric", "by", "value (95 % interval)", "definition"], rows)


def _by_group(found: Figures, cited: _References) -> Iterator[str]:
    metrics = ("accuracy", "selection_rate", "expected_calibration_error")
    for attribute in found.attributes:
        if rows := _group_rows(found, cited, attribute, metrics):
            name = inline(printable(attribute))
            yield table([name, "n", "accuracy", "selection rate", "calibration error"], rows)


def _group_rows(
    found: Figures, cited: _References, attribute: str, metrics: Sequence[str]
) -> list[list[str]]:
    """Return a row a group of an attribute: its name, its size, and the metrics asked for."""
    return [
        [
            inline(printable(group)),
            f"{n:,}",
            *(cited.cite(found.of(metric, attribute, group)) for metric in metrics),
        ]
        for group, n in found.sheet.group_sizes(attribute).items()
    ]


def ll144(record: Record, found: Figures) -> str:
    """Return the table of New York City's Local Law 144 (6 RCNY § 5-301): impact ratios."""
    cited = _References()
    positive = inline(printable(record.classes[-1]))
    parts = [
        f"# Local Law 144: {inline(printable(record.strategy))}, seed {record.seed}",
        _NOTE,
        "The law asks for a bias audit by an independent auditor on the data of applicants. These "
        "are test texts of the data named below: whether their groups are the categories of the "
        f"law, and their selection an employment decision, is {YOURS}",
        f"Independent auditor: {YOURS}. Date of the audit: {YOURS}. Date of distribution of the "
        f"tool: {YOURS}",
        f"Source of the data: {inline(found.facts.card.source if found.facts.card else '')}. "
        f"Selected means: predicted `{positive}`.",
        *(
            _impact(found, cited)
            if len(record.classes) == 2  # noqa: PLR2004 - selection is of one of two
            else ["Selection is of one class of two; this model has more, so no ratio is given."]
        ),
        *cited.listed(),
    ]
    return "\n\n".join(parts) + "\n"


def _impact(found: Figures, cited: _References) -> Iterator[str]:
    for attribute in found.attributes:
        if rows := _group_rows(found, cited, attribute, ("selection_rate", "impact_ratio")):
            yield f"## {inline(printable(attribute))}"
            yield table(["category", "assessed", "selection rate", "impact ratio"], rows)
            if attribute in found.unknown:
                yield f"Assessed, category unknown: {found.unknown[attribute]:,}."


PACKS: Mapping[str, Callable[[Record, Figures], str]] = {"annex-iv": annex_iv, "ll144": ll144}
"""Name -> what writes its document."""
