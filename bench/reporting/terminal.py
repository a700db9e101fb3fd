"""The answer and the comparison for a terminal, with the page's words and numbers."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .answer import answer
from .columns import Entry
from .comparison import Comparison, Line, comparison
from .sheet import Sheet
from .wording import CLOSE, OPEN, marked

TONES = {"better": "blue", "worse": "red", "": ""}


def paragraph(sheet: Sheet) -> Text:
    """Return the answer, names in bold."""
    text = Text()
    for place, sentence in enumerate(answer(sheet)):
        for piece in sentence.text.split(OPEN):
            name, closed, rest = piece.partition(CLOSE)
            text.append(name, style="bold" if closed or place == 0 else "")
            text.append(rest, style="bold" if place == 0 else "")
        text.append("\n" if place == 0 else " ")
    return text


def table(shown: Comparison) -> Table:
    """Return one row a strategy, grouped by the choices they make."""
    grid = Table(box=None, pad_edge=False, header_style="dim", collapse_padding=True)
    grid.add_column("strategy", overflow="fold")
    for column in shown.columns:
        grid.add_column(f"{marked(column.title, '', '')}\n{column.direction}", justify="right")
    for title in shown.facts:
        grid.add_column(title)
    for block in shown.blocks:
        grid.add_row(Text(block.title, style="dim"))
        for line in block.lines:
            grid.add_row(*_row(line))
    return grid


def _row(line: Line) -> list[Text]:
    name = Text("  " + line.name, style="bold" if line.reference else "")
    if line.status:
        name.append(f" ({line.status})", style="red")
    cells = [_cell(cell) for cell in line.entries]
    return [name, *cells, *(Text(fact.text) for fact in line.facts)]


def _cell(cell: Entry) -> Text:
    text = Text(cell.text.strip())
    text.append(f" {cell.arrow or ' '}", style=TONES[cell.tone])
    group = f"\n{cell.group}" if cell.group else ""
    return text.append(f"\n{cell.interval.replace(' to ', '–')}{group}", style="dim")


def legend(sheet: Sheet) -> Text:
    """Return what the arrows and the small numbers mean."""
    arrows = f"Arrows: a difference from {sheet.reference} is shown (blue better, red worse). "
    return Text((arrows if sheet.against else "") + "Beneath: 95 % intervals.", style="dim")


def terminal(sheet: Sheet) -> RenderableType:
    """Return the answer over the comparison."""
    shown = comparison(sheet)
    notes = [Text(note, style="dim") for note in shown.notes]
    body = Padding(table(shown), (1, 0))
    return Group(paragraph(sheet), body, legend(sheet), *notes)
