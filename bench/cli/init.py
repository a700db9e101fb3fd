"""The verb `init`: from a stranger's table to a suite that runs."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ..environment.installed import EMBEDDED_MODEL
from ..reporting import inert
from ..schema import BadInputError
from . import options
from .consoles import err, out

if TYPE_CHECKING:
    from ..proposing.proposal import Proposal, Wishes
    from ..proposing.roles import Roles

_NONE = "-"
_ROLES = {
    "text": ("--text", "texts"),
    "text_pair": ("--text-pair", "second texts, of pairs"),
    "label": ("--label", "labels"),
    "groups": ("--group", "groups (several: a,b)"),
    "id": ("--id", "ids"),
    "cluster": ("--cluster", "what makes rows alike: an author, a thread"),
    "split": ("--split", "train, validation or test"),
}
"""Role -> the option that says it, and what it holds."""


def init(
    data: Annotated[
        str, typer.Argument(help="A CSV, TSV, Parquet or JSON Lines file, a folder, a hub name.")
    ],
    text: Annotated[str, typer.Option(help="Column of the texts.", callback=options.named)] = "",
    text_pair: options.TextPair = "",
    label: options.Label = "",
    positive: options.Positive = "",
    group: options.Group = [],
    id_column: options.IdColumn = "",
    cluster: options.Cluster = "",
    split: options.SplitColumn = "",
    config: Annotated[
        str, typer.Option(help="Configuration of a data set.", callback=options.named)
    ] = "",
    model: Annotated[
        str, typer.Option(help="A folder, package:NAME or a hub name.", callback=options.named)
    ] = EMBEDDED_MODEL,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The suite's file; else NAME.toml here.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, take the guesses.")] = False,
) -> None:
    """Propose a suite for your data: which column is what, what is in it, what to type next."""
    from ..proposing import proposal as proposals
    from ..proposing.roles import Roles

    given = Roles(
        text=text,
        text_pair=text_pair,
        label=label,
        positive=positive,
        groups=tuple(group),
        id=id_column,
        cluster=cluster,
        split=split,
    )
    wishes = proposals.Wishes(data=data, config=config, model=model, file=out_file, given=given)
    with err.status("reading the data"):
        proposal = proposals.begin(wishes)
    if sys.stdin.isatty() and not yes:
        proposal = proposals.answered(proposal, _asked(proposal, given))
    _finish(wishes, proposal)


def _finish(wishes: "Wishes", proposal: "Proposal") -> None:
    """Say what was read, write the suite, and say what to type next."""
    from ..proposing import proposal as proposals
    from ..storage import files

    _say_columns(wishes, proposal)
    with err.status("reading the texts"):
        finished = proposals.finish(wishes, proposal)
    _print("")
    out.print(_grid(finished.lines))
    files.write(proposal.file, finished.text)
    file = shlex.quote(str(proposal.file))
    _print("", f"{proposal.file} is written. Next:", "")
    for command in (
        f"run {file}",
        f"report runs/{finished.name}",
        f"baseline runs/{finished.name} --out baseline",
    ):
        _print(f"tunefair {command}")


def _print(*lines: str) -> None:
    for line in lines:
        out.print(inert.line(line), markup=False, highlight=False, soft_wrap=True)


def _grid(rows: Iterable[Sequence[str]]) -> Table:
    """Return rows in columns, without lines between them."""
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*map(escape, row))
    return grid


def _say_columns(wishes: "Wishes", proposal: "Proposal") -> None:
    """Print each role with its column, and which option settles a guess."""
    opened = proposal.opened
    _print(f"{wishes.data}: {opened.table.num_rows:,} rows, {opened.table.num_columns} columns")
    for note in opened.notes:
        _print(f"! {note}")
    out.print(_grid(_roles(wishes.given, proposal.roles)))


def _roles(given: "Roles", found: "Roles") -> Iterator[tuple[str, str, str]]:
    for role, (flag, meaning) in _ROLES.items():
        value = _shown(getattr(found, role))
        said = meaning if getattr(given, role) else f"a guess; {flag} COLUMN settles it"
        if value:
            yield role, value, said
    if not found.groups:
        yield "groups", "none", "--group COLUMN names one"
    for key, why in _FOLLOWS.items():
        value = _shown(getattr(found, key))
        if value and not getattr(given, key):
            yield key, value, why


_FOLLOWS = {
    "positive": "the rarer of two; --positive CLASS settles it",
    "label_threshold": "labels are scores: positive from there on",
    "group_threshold": "groups are scores: a member from there on",
    "missing": "read as missing",
    "incomplete": "rows without a text or label are left out",
}


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _asked(proposal: "Proposal", given: "Roles") -> "Roles":
    """Ask for every role that nobody said; Enter takes the guess, - is none."""
    known = [column.name for column in proposal.table.columns]
    _print(f"columns: {', '.join(known)}", f"Enter takes what stands in brackets, {_NONE} is none")
    found = proposal.roles
    for role, (_, meaning) in _ROLES.items():
        if getattr(given, role) or (role == "split" and proposal.opened.has_splits):
            continue
        guess = _shown(getattr(found, role)).replace(", ", ",") or _NONE
        answer = _answer(f"{role} ({meaning})", guess, known)
        names = tuple(name.strip() for name in answer.split(",") if name.strip() != _NONE)
        answered: Any = names if role == "groups" else ",".join(names)
        found = replace(found, **{role: answered})
    return found


def _answer(question: str, guess: str, known: list[str]) -> str:
    """Ask until every name is a column."""
    while True:
        answer = str(typer.prompt(question, default=guess)).strip()
        if answer in (guess, _NONE) or answer in known:
            return answer
        strangers = [name for name in answer.split(",") if name.strip() not in known]
        if not strangers:
            return answer
        if not sys.stdin.isatty():  # nobody answers any more
            raise BadInputError(f"{question}: {answer!r}: no such column")
        _print(f"no column {strangers[0].strip()!r}")
