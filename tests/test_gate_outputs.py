"""Names of other people in every output: shown, never obeyed.

A name is put wherever one may stand, and every output is searched for what a terminal, a job's
service or GitHub's Markdown would act on.
"""

import datetime
import io
import json
import re
from contextlib import redirect_stdout
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from tunefair.cli import app as command_line
from tunefair.gating import formats, power, publish, summary
from tunefair.gating.verdicts import Judgement, Verdict
from tunefair.reporting import inert, markdown
from tunefair.schema import Place
from tunefair.suite import GateRule

BITS = (
    "\n", "\r", "\t", "\x00", "\x07", "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\x7f", "\u202e",
    "\u2066", "\u2069", "\u2028", "\ufeff", "\ud800", "\ufffe", "::error::x", "::add-mask::x",
    "\n::error file=a::x", "##[error]x", "##vso[task.complete]", "##teamcity[x]", "%0A", "@team",
    "@a/b", "#1", "GH-2", "o/r#3", "!4", "https://x.example", "www.x.example", "mailto:a@b.c",
    "HTTP://x", "|", "`", "```", "**", "<script>", "</details>", "<!--", "&amp;", "[x](http://y)",
    "![x](y)", ":tada:", "$x$", "\\", "\\@a", "\\#1", "]]>", "{0}", "{{", "~1", "a", "日", " ",
)  # fmt: skip
NAMES = st.one_of(
    st.lists(st.sampled_from(BITS), min_size=1, max_size=6).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=12),
)
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
COMMAND = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)
LINKED = re.compile(r"[@#!]\w|GH-\d|://|www\.|mailto:", re.IGNORECASE)


def judgement(name: str) -> Judgement:
    """Return a judgement with a name wherever one may stand."""
    rule = GateRule(metric="accuracy", attribute=name or "*", max_loss=0.1)
    verdicts = [
        Verdict(o, name, "accuracy", name, attribute=name, group=name, view=name, rule=1, loss=0.1)
        for o in ("pass", "fail", "inconclusive", "not comparable")
    ]
    return Judgement(verdicts=tuple(verdicts), rules=(rule,), notes=(name,))


def printed(*content: object) -> str:
    """Return what the command line's console writes, as a job's log has it."""
    stream = io.StringIO()
    console = inert.console()
    console.file = stream
    for one in content:
        console.print(one, soft_wrap=isinstance(one, Text))
    return stream.getvalue()


def of_power(name: str) -> Table:
    """Return the table of `tunefair power` about a name."""
    number = power.Power(
        strategy=name, place=Place("accuracy", name, name), max_loss=0.1, detectable_loss=0.1,
        curve=(), n=1, seeds=1, losses=(0.1, 0.2, 0.3), cautious=True,
    )  # fmt: skip
    return power.table([number])


def log(name: str) -> str:
    """Return what `gate`, `power` and another verb print about a name."""
    table = Table(name)
    table.add_row(name)
    lines = list(publish.shown(judgement(name), name))
    return printed(*lines, of_power(name), Text(name), table)


def junit(name: str) -> str:
    """Return the JUnit XML of a judgement, parsed and joined."""
    text = formats.junit(judgement(name), datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    root = ET.fromstring(text.encode())
    found = [v for e in root.iter() for k, v in e.attrib.items() if k != "timestamp"]
    return "\n".join([*found, *(e.text for e in root.iter() if e.text and e.text.strip())])


def sarif(name: str) -> str:
    """Return every text of a SARIF log that is shown to somebody."""
    (run,) = json.loads(formats.sarif(judgement(name), "baseline"))["runs"]
    rules = [r["shortDescription"]["text"] for r in run["tool"]["driver"]["rules"]]
    return "\n".join([*rules, *(r["message"]["text"] for r in run["results"])])


def error_line(name: str) -> str:
    """Return the line that bad input ends with."""
    stream = io.StringIO()
    command_line.err.file = stream
    try:
        command_line._say(name)
    finally:
        command_line.err.file = None
    return stream.getvalue()


MARKDOWN = {
    "gate": lambda name: summary.markdown(judgement(name), name),
    "report": lambda name: "\n".join(
        [markdown.inline(name), markdown.table([markdown.inline(name)], [[markdown.inline(name)]])]
    ),
}
PLAIN = {"log": log, "junit": junit, "sarif": sarif, "error line": error_line}


@pytest.mark.parametrize("output", [*PLAIN, *MARKDOWN])
@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_no_control_and_no_command_is_in_any_output(output, name):
    text = (PLAIN | MARKDOWN)[output](name)
    assert not CONTROL.search(text), ascii(text)
    assert not COMMAND.search(text), ascii(text)


@pytest.mark.parametrize("output", [*MARKDOWN, "sarif"])
@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_nobody_is_mentioned_and_nothing_is_linked(output, name):
    text = (PLAIN | MARKDOWN)[output](name)
    written = re.sub(r"^#+ ", "", text, flags=re.MULTILINE)  # headings of our own
    shown = re.sub(r"\\(?=[^\w\s])", "", written)  # GitHub looks for links after Markdown
    assert not LINKED.search(shown), ascii(shown)


@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_markdown_keeps_its_shape(name):
    rows = [r for r in MARKDOWN["gate"](name).splitlines() if r.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 9 for row in rows)
    assert "<script" not in "\n".join(rows)
    assert "<!--" not in "\n".join(rows)


@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_an_annotation_is_one_command_of_ours(name):
    for command in summary.annotations(judgement(name)):
        assert not CONTROL.search(command)
        assert "\n" not in command
        assert re.match(r"::(error|warning) title=[^:,]*::", command)
        assert not COMMAND.search(command.split("::", 2)[2])


@given(name=NAMES)
@settings(max_examples=100, deadline=None)
def test_what_is_harmless_stays_as_it_is(name):
    assert inert.line(inert.line(name)) == inert.line(name)
    assert inert.unlinked(inert.unlinked(name)) == inert.unlinked(name)


@pytest.mark.parametrize(
    "name", ["full", "lora+weighted", "female × 40–60", "日本語", "a: b", "5 %"]
)
def test_an_ordinary_name_is_shown_unchanged(name):
    assert inert.line(name) == inert.unlinked(name) == name
    assert name in printed(Text(name))


def test_annotations_reach_a_job_of_github_and_nothing_else(monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert not list(publish.annotations(judgement("x")))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with redirect_stdout(io.StringIO()):
        assert len(list(publish.annotations(judgement("x")))) == 3
