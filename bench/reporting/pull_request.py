"""A summary in GitHub's Markdown, short enough for a pull request."""

from .answer import AnswerLine, lines
from .columns import Entry
from .comparison import Line, comparison
from .grids import Grid
from .markdown import inline, table
from .sheet import Sheet
from .tables import old_beside_new
from .wording import printable


def summary(sheet: Sheet, old: Sheet | None) -> str:
    """Return the answer and the comparison; with a baseline, its numbers beside the new ones."""
    shown = comparison(sheet)
    titles = ("strategy", *(c.title for c in shown.columns), *shown.facts)
    rows = [_line(line) for block in shown.blocks for line in block.lines]
    title = f"### {inline(printable(sheet.facts.suite))}"
    parts = [title, *map(_paragraph, lines(sheet)), _table(titles, rows)]
    if sheet.against:
        arrows = (
            f"▲ ▼ stand where a difference from {inline(printable(sheet.reference))} is shown."
        )
        parts.append(f"{arrows} In brackets: 95 % intervals.")
    parts += [inline(note) for note in shown.notes]
    if old is not None:
        parts += ["#### Baseline beside this run", _grid(old_beside_new(sheet, old))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _paragraph(line: AnswerLine) -> str:
    if line.name == "rest":
        return "\n".join(f"- {inline(sentence.text)}" for sentence in line.sentences)
    title = f"**{line.title}.** " if line.title else ""
    return title + " ".join(inline(sentence.text) for sentence in line.sentences)


def _line(line: Line) -> list[str]:
    status = f" ({line.status})" if line.status else ""
    cells = [_cell(cell) for cell in line.entries]
    return [line.name + status, *cells, *(fact.text for fact in line.facts)]


def _cell(cell: Entry) -> str:
    arrow = f" {cell.arrow} {cell.tone}" if cell.arrow else ""
    between = f" [{cell.interval}]" if cell.interval else ""
    group = f" {cell.group}" if cell.group else ""
    return cell.text.strip() + between + group + arrow


def _grid(grid: Grid) -> str:
    rows = [
        [cell.text.strip() + (f" [{cell.under}]" if cell.under else "") for cell in row]
        for row in grid.rows
    ]
    return _table(grid.columns, rows)


def _table(titles: tuple[str, ...], rows: list[list[str]]) -> str:
    return table(list(map(inline, titles)), [list(map(inline, row)) for row in rows])
