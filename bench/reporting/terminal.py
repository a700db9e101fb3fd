"""The answer and the comparison for a terminal, with the page's words and numbers.

No name and no number is cut or broken: the comparison is a table where it fits, a table with each
strategy's name on a line of its own where that fits, and else a list of numbers for each strategy.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .answer import AnswerLine, lines
from .columns import Entry
from .comparison import Comparison, Line, comparison
from .sheet import Sheet
from .wording import CLOSE, OPEN, marked, printable

TONES = {"better": "blue", "worse": "red", "": ""}
_HEAD = Text("strategy")
_GAP = 2
"""Spaces between columns, and before a strategy's name."""


def answer_text(sheet: Sheet) -> Text:
    """Return the answer: a paragraph for each of its lines, and a list of the rest."""
    return Text("\n").join(text for line in lines(sheet) for text in _line_texts(line))


def _line_texts(line: AnswerLine) -> list[Text]:
    if line.name != "rest":
        return [_line_text(line)]
    return [Text("- ") + _line_text(line._replace(sentences=(x,))) for x in line.sentences]


def _line_text(line: AnswerLine) -> Text:
    style = {"alarm": "bold red", "ship": "bold"}.get(line.name, "")
    text = Text(f"{line.title}: " if line.title else "", style="dim")
    for sentence in line.sentences:
        for piece in sentence.text.split(OPEN):
            name, closed, rest = piece.partition(CLOSE)
            text.append(name, style=style or ("not dim bold" if closed else "not dim"))
            text.append(rest, style=style or "not dim")
        text.append(" ")
    text.rstrip()
    return text


class Row(NamedTuple):
    """One strategy of the comparison."""

    name: Text
    values: tuple[Text, ...]
    """One for each column, of one to three lines."""


class Shown:
    """The comparison in the layout that fits the console's width."""

    def __init__(self, content: Comparison) -> None:
        """Take the comparison as the page shows it."""
        self._titles = [*map(_title, content.columns), *map(Text, content.facts)]
        self._blocks = [(b.title, [_row(line) for line in b.lines]) for b in content.blocks]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the widest layout that needs no more than the console's width."""
        rows = [row for _, block in self._blocks for row in block]
        widths = [
            max(_longest_word(title), *(_longest_line(row.values[i]) for row in rows), 0)
            for i, title in enumerate(self._titles)
        ]
        names = max(_longest_line(text) for text in (_HEAD, *(row.name for row in rows)))
        columns = sum(width + _GAP for width in widths)
        if _GAP + names + columns <= options.max_width:
            yield from self._table(widths, names)
        elif _GAP + columns <= options.max_width:
            yield from self._table(widths, None)
        else:
            yield from self._list()

    def _table(self, widths: Sequence[int], names: int | None) -> Iterator[RenderableType]:
        """Yield a table; with `names` None each name stands on a line of its own."""
        first = [] if names is None else [names]
        measured = len(self._titles)
        head = [_HEAD] if first else []
        yield _grid([[*head, *self._titles]], [*first, *widths], measured, style="dim")
        for title, rows in self._blocks:
            yield Text(title, style="dim")
            for row in rows:
                if first:
                    yield _grid([[row.name, *row.values]], [*first, *widths], measured)
                else:
                    yield Padding(row.name, (0, 0, 0, _GAP))
                    yield _grid([[*row.values]], widths, measured)

    def _list(self) -> Iterator[RenderableType]:
        """Yield for each strategy a line a number."""
        for title, rows in self._blocks:
            yield Text(title, style="dim")
            for row in rows:
                yield Padding(row.name, (0, 0, 0, _GAP))
                for name, value in zip(self._titles, row.values, strict=True):
                    label = Text(name.plain.partition("\n")[0] + ": ", style="dim")
                    yield Padding(label + _on_one_line(value), (0, 0, 0, 2 * _GAP))


def _grid(
    rows: Sequence[Sequence[Text]], widths: Sequence[int], measured: int, *, style: str = ""
) -> Padding:
    """Return rows in columns of fixed widths; the last `measured` columns align to the right."""
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    for i, width in enumerate(widths):
        last = i >= len(widths) - measured
        grid.add_column(width=width, justify="right" if last else "left", style=style)
    for row in rows:
        grid.add_row(*row)
    return Padding(grid, (0, 0, 0, _GAP))


def _title(column: object) -> Text:
    title, direction = (getattr(column, name) for name in ("title", "direction"))
    return Text(f"{marked(title, '', '')}\n{direction}".rstrip())


def _row(line: Line) -> Row:
    name = Text(line.name, style="bold" if line.reference else "")
    if line.status:
        name.append(f" ({line.status})", style="red")
    facts = [Text(fact.text.replace(" and ", " and\n")) for fact in line.facts]
    return Row(name, (*map(_entry_text, line.entries), *facts))


def _entry_text(entry: Entry) -> Text:
    text = Text(entry.text.strip())
    text.append(f" {entry.arrow or ' '}", style=TONES[entry.tone])
    text.append(f"\n{entry.interval.replace(' to ', '–')}", style="dim")
    return text.append(f"\n{entry.group}" if entry.group else "", style="dim")


def _on_one_line(value: Text) -> Text:
    parts = value.split("\n")
    for part in parts:
        part.rstrip()
    return Text(" ").join(part for part in parts if part.plain)


def _longest_word(text: Text) -> int:
    return max((cell_len(word) for word in text.plain.split()), default=0)


def _longest_line(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=0)


def legend(sheet: Sheet) -> Text:
    """Return what the arrows and the small numbers mean."""
    reference = printable(sheet.reference) if sheet.reference else ""
    arrows = f"Arrows: a difference from {reference} is shown (blue better, red worse). "
    return Text((arrows if sheet.against else "") + "Ranges: 95 % intervals.", style="dim")


def terminal(sheet: Sheet) -> RenderableType:
    """Return the answer over the comparison."""
    content = comparison(sheet)
    notes = [Text(note, style="dim") for note in content.notes]
    return Group(answer_text(sheet), Padding(Shown(content), (1, 0)), legend(sheet), *notes)
