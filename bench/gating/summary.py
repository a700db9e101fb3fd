"""A gate's answer for people: Markdown for a pull request, lines for a terminal, annotations."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from ..reporting import inert
from .verdicts import GRAVITY, Judgement, Outcome, Verdict

MARKS: dict[Outcome, str] = {
    "pass": "✅",
    "inconclusive": "❔",
    "not comparable": "⚠️",
    "fail": "❌",
}
STYLES: dict[Outcome, str] = {
    "pass": "green",
    "inconclusive": "yellow",
    "not comparable": "magenta",
    "fail": "bold red",
}
_COLUMNS = ("", "rule", "strategy", "run", "baseline", "loss", "tolerated", "why")


def headline(judgement: Judgement) -> str:
    """Return the answer in one line."""
    counts = [f"{judgement.count(o)} {o}" for o in sorted(GRAVITY, key=GRAVITY.__getitem__)[::-1]]
    blocked = {0: "pass", 1: "fail", 3: "inconclusive, which blocks", 4: "not comparable"}
    return f"{blocked[judgement.exit_code]} ({', '.join(c for c in counts if c[0] != '0')})"


def name(verdict: Verdict) -> str:
    """Return what a verdict is about: metric, attribute, group, and what was changed."""
    where = [verdict.attribute, verdict.group, verdict.posthoc]
    where += [verdict.view] if verdict.view != "original" else []
    place = " · ".join(part for part in where if part)
    return f"{verdict.metric} [{place}]" if place else verdict.metric


def ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts, gravest first, else as they were."""
    return sorted(verdicts, key=lambda v: -GRAVITY[v.outcome])


def markdown(judgement: Judgement, title: str) -> str:
    """Return a summary for a pull request or a job; passes are folded away."""
    shown = ordered(judgement.verdicts)
    grave = [v for v in shown if v.outcome != "pass"]
    passed = [v for v in shown if v.outcome == "pass" and v.rule]
    lines = [f"## {MARKS[_mark(judgement)]} {inert.markdown(title)}: {headline(judgement)}", ""]
    lines += _table(grave) if grave else ["No rule has anything to object.", ""]
    if passed:
        lines += ["<details>", f"<summary>{len(passed)} passed</summary>", "", *_table(passed)]
        lines += ["</details>", ""]
    lines += [f"- {inert.markdown(note)}" for note in judgement.notes]
    return "\n".join(lines).rstrip() + "\n"


def _mark(judgement: Judgement) -> Outcome:
    by_code: dict[int, Outcome] = {1: "fail", 3: "inconclusive", 4: "not comparable"}
    return by_code.get(judgement.exit_code, "pass")


def _table(verdicts: Sequence[Verdict]) -> list[str]:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|---|--:|--:|--:|--:|---|"]
    for v in verdicts:
        cells = [MARKS[v.outcome], *(inert.markdown(cell) for cell in _cells(v))]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _cells(verdict: Verdict) -> list[str]:
    loss = _number(verdict.loss, "+")
    numbers = [_number(verdict.value), _number(verdict.baseline), loss]
    return [name(verdict), verdict.strategy, *numbers, _number(verdict.max_loss), verdict.reason]


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.3g}"


def terminal(judgement: Judgement, title: str) -> Iterator[Text]:
    """Yield the answer line by line: what is no pass, notes, then the headline."""
    answer = Text(f"{inert.line(title)}: {headline(judgement)}", style=STYLES[_mark(judgement)])
    for v in ordered(judgement.verdicts):
        if v.outcome != "pass":
            about = " · ".join(part for part in (v.strategy, name(v)) if part)
            words = inert.line(f" {about}: {_measured(v)}{v.reason}")
            yield Text.assemble((v.outcome, STYLES[v.outcome]), words)
    yield from (Text(f"note: {inert.line(note)}") for note in judgement.notes)
    yield answer


def _measured(verdict: Verdict) -> str:
    if verdict.value is None or verdict.baseline is None:
        return ""
    return f"{verdict.baseline:.3g} → {verdict.value:.3g}, "


def annotations(judgement: Judgement) -> Iterator[str]:
    """Yield GitHub workflow commands: errors for what blocks, warnings for what does not."""
    for v in ordered(judgement.verdicts):
        if v.outcome == "pass":
            continue
        kind = "warning" if v.outcome == "inconclusive" and not v.blocks else "error"
        title = inert.command_value(f"{v.outcome}: {v.strategy} {name(v)}".strip(), title=True)
        yield f"::{kind} title={title}::{inert.command_value(v.reason)}"
