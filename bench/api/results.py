"""What the verbs return: numbers as a table, as a page, and as a notebook shows them."""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import schema
from ..facts import RunFacts
from ..gating.verdicts import Judgement, Outcome
from ..storage import files

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Results:
    """The numbers of an audit, a comparison or a run; a notebook shows them as the page does."""

    records: schema.Results
    """Everything that was measured."""
    facts: RunFacts
    """What is known besides the numbers; `facts.assumptions` says what was assumed in reading."""

    def to_frame(self) -> "pd.DataFrame":
        """Return a row a number, in the columns of `docs/metrics.md`.

        `seed` is missing for the mean over seeds, `low` and `high` where no interval is known.
        """
        import pandas as pd

        return pd.DataFrame(self.records.measurements, columns=schema.Measurement._fields)

    def contrasts(self) -> "pd.DataFrame":
        """Return a row a paired difference: strategy minus reference, with verdict and p value."""
        import pandas as pd

        return pd.DataFrame(self.records.contrasts, columns=schema.Contrast._fields)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one self-contained page; write it where a path is given."""
        from ..reporting import report

        page = report.render(self.records, self.facts)
        if path is not None:
            files.write(Path(path), page)
        return page

    def __str__(self) -> str:
        """Return the comparison as the terminal prints it."""
        from rich.console import Console

        from ..reporting import report

        console = Console(width=100, no_color=True, file=None)
        with console.capture() as capture:
            console.print(report.terminal(self.records, self.facts))
        return capture.get()

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, so that it and the notebook share no style."""
        page = html.escape(self.to_html(), quote=True)
        return (
            f'<iframe title="tunefair" sandbox="allow-scripts" srcdoc="{page}" '
            'style="width: 100%; height: 40rem; border: 0"></iframe>'
        )


@dataclass(frozen=True, kw_only=True)
class GateResults:
    """A gate's answer."""

    judgement: Judgement
    title: str

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive where that blocks, 4 not comparable."""
        return self.judgement.exit_code

    @property
    def outcome(self) -> Outcome:
        """The gravest verdict, whether it blocks or not."""
        return self.judgement.outcome

    def to_frame(self) -> "pd.DataFrame":
        """Return a row a verdict: what one rule says about one number of one strategy."""
        import pandas as pd

        from ..gating.verdicts import Verdict

        return pd.DataFrame(self.judgement.verdicts, columns=Verdict._fields)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the answer and its verdicts as a page; write it where a path is given."""
        from ..gating import summary

        answer = html.escape(f"{self.title}: {summary.headline(self.judgement)}")
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.judgement.notes)
        shown = self.to_frame()[["outcome", "strategy", "metric", "attribute", "group", "reason"]]
        body = f"<h1>{answer}</h1><ul>{notes}</ul>{shown.to_html(index=False, border=0)}"
        page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{answer}</title>{body}'
        )
        if path is not None:
            files.write(Path(path), page)
        return page

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        """Return the lines that `tunefair gate` prints."""
        from ..gating import summary

        return "\n".join(line.plain for line in summary.terminal(self.judgement, self.title))
