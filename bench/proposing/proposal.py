"""The way from a name of data to a suite: open, propose columns, look into the rows, write."""

import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .. import task as tasks
from ..environment.installed import EMBEDDED_MODEL
from ..hub import snapshots
from ..planning import model_folder
from ..reading.columns import check
from ..schema import BadInputError, Task
from ..suite import ModelChoice, Suite, parse
from . import cut, findings, roles, seen, sources, suite_text
from .findings import Line
from .roles import Roles
from .sources import Opened

_COLUMNS_SHOWN = 20
_SAID_ABOVE = "were left out."


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What somebody asks for; "" is left to us."""

    data: str
    config: str = ""
    model: str = EMBEDDED_MODEL
    file: Path | None = None
    """Where the suite is written."""
    given: Roles = field(default_factory=Roles)
    """Columns whose role is said."""


class Proposal(NamedTuple):
    """Opened data, and what its columns are thought to be."""

    file: Path
    model: ModelChoice
    """Where it lies here; its `max_tokens` is not chosen yet."""
    opened: Opened
    table: roles.Table
    roles: Roles

    @property
    def task(self) -> dict[str, object]:
        """The keys of the suite's `[task]` table."""
        return {**self.opened.options, **self.roles.options}


class Finished(NamedTuple):
    """A suite, and what was seen on the way."""

    name: str
    text: str
    lines: tuple[Line, ...]


def begin(wishes: Wishes) -> Proposal:
    """Return opened data and the roles that its columns are thought to have.

    Raises
    ------
    BadInputError
        The data or the model are not there, a named column is not, or the file is taken.
    """
    folder = wishes.file.parent if wishes.file else Path()
    opened = sources.open_data(wishes.data, config=wishes.config, beside=folder)
    file = wishes.file or Path(f"{suite_text.name_of(opened.name)}.toml")
    _check_free(file)
    model = _model(wishes.model)
    check(opened.where, opened.table.column_names, wishes.given.columns)
    table = roles.Table(
        seen.columns(opened.where, opened.table), partial(seen.says_the_same, opened.table)
    )
    found = roles.propose(table, wishes.given, splits_given=opened.has_splits)
    return Proposal(file, model, opened, table, found)


def finish(wishes: Wishes, proposal: Proposal) -> Finished:
    """Read the rows as the roles say, and write the suite's text.

    Raises
    ------
    BadInputError
        The rows cannot be trained on so; the message names the column or option.
    """
    task = _task(proposal)
    length = cut.lengths(task, proposal.model)
    most = cut.proposed(length, proposal.model)
    name = suite_text.name_of(proposal.file.stem)
    text = suite_text.written(
        suite_text.Draft(
            name=name,
            data=wishes.data,
            task=proposal.task,
            model=_keys(proposal, wishes.model) | {"max_tokens": most},
            has_groups=bool(task.groups),
        )
    )
    parse(Suite, text, str(proposal.file))
    rows = proposal.opened.table.num_rows
    lines = findings.lines(task, rows, length, most)
    notes = [("note", line) for line in task.card.warnings if not line.endswith(_SAID_ABOVE)]
    return Finished(name, text, (*lines, *notes))


def _check_free(file: Path) -> None:
    if file.exists() and not (file.is_file() and suite_text.is_untouched(file.read_text())):
        raise BadInputError(f"{file}: is there already; --out names another, or remove it")
    if not file.parent.is_dir():
        raise BadInputError(f"--out {file}: no folder {file.parent}")


def _model(source: str) -> ModelChoice:
    """Return the model, found from the current folder; of the hub at today's commit."""
    model = model_folder.placed(ModelChoice(source=source), Path())
    if not source.startswith("package:") and not Path(model.source).is_dir():
        if not snapshots.NAME.fullmatch(source):
            raise BadInputError(f"--model {source}: no such folder, and no name on the hub")
        model = model.model_copy(update={"revision": snapshots.today(source, "model")})
    model_folder.fingerprint(model)
    model_folder.locate(model)
    return model


def _keys(proposal: Proposal, source: str) -> dict[str, object]:
    """Return what a suite says of the model: a folder relative to the suite's file."""
    model = proposal.model
    if model.revision:
        return {"source": source, "revision": model.revision}
    if Path(model.source).is_dir() and not Path(source).is_absolute():
        return {"source": os.path.relpath(model.source, proposal.file.parent.resolve())}
    return {"source": source}


def _task(proposal: Proposal) -> Task:
    options = proposal.task
    kind = str(options.pop("source"))
    for role in ("text", "label"):
        if not getattr(proposal.roles, role):
            known = ", ".join(repr(c.name) for c in proposal.table.columns[:_COLUMNS_SHOWN])
            raise BadInputError(
                f"{proposal.opened.where}: no column looks like the {role}: name it, "
                f"--{role} COLUMN; there are: {known}"
            )
    task = tasks.load(kind, options, folder=proposal.file.parent).load()
    tasks.check(task)
    return task


def answered(proposal: Proposal, changed: Roles) -> Proposal:
    """Return the proposal with other roles, and what follows from them."""
    check(proposal.opened.where, proposal.opened.table.column_names, changed.columns)
    kept = replace(changed, positive="", missing=(), incomplete="")
    return proposal._replace(roles=roles.completed(proposal.table, kept))
