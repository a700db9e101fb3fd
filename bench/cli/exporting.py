"""The verbs `export`, `verify` and `predict`: the model that ships."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from .consoles import err, out

if TYPE_CHECKING:
    from ..exporting.record import ProofRow

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="An exported model's folder.")]
StrategyPath = Annotated[
    list[Path], typer.Option(help="A folder with strategy files of your own; repeatable.")
]


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, for example runs/embedded.")],
    strategy: Annotated[str, typer.Argument(help="A strategy's name in the suite.")],
    out_folder: Annotated[Path, typer.Option("--out", help="The model's folder; a new one.")],
    seed: Annotated[
        int | None, typer.Option(min=0, help="Not the seed whose validation is the median.")
    ] = None,
    pack: Annotated[
        list[str], typer.Option(help="Also annex-iv or ll144: tables for a regulator; repeatable.")
    ] = [],
    push_to: Annotated[
        str, typer.Option(help="OWNER/NAME on the hub, private; HF_TOKEN holds the token.")
    ] = "",
    public: Annotated[bool, typer.Option("--public", help="With --push-to: seen by all.")] = False,
) -> None:
    """Write one trained model as a folder that transformers loads alone, and prove it."""
    from ..exporting import push
    from ..exporting.export import Wish, export

    if push_to:
        push.check(push_to)
    wish = Wish(
        run=run, strategy=strategy, seed=seed, out=out_folder, packs=tuple(pack), console=err
    )
    made = export(wish)
    out.print(_proof(made.proof, made.bound.max_difference))
    if not made.holds_all:
        out.print(f"{made.revision}: see {out_folder}/README.md", markup=False, highlight=False)
    err.print(f"exported: {out_folder}", highlight=False)
    if push_to:
        with err.status(f"pushing to {push_to}"):
            url = push.push(out_folder, push_to, public=public)
        err.print(f"pushed: {url}", markup=False, highlight=False)


def verify(
    folder: Folder,
    run: Annotated[
        Path | None, typer.Option(help="The run's folder, if it is not where it was.")
    ] = None,
    strategy_path: StrategyPath = [],
) -> None:
    """Repeat the proof of an exported model; an edited file is named, exit code 2."""
    from ..exporting.verify import verify

    found = verify(folder, run, err, strategy_path=strategy_path)
    for name in found.documents:
        err.print(f"{name} was edited; no answer depends on it", markup=False, highlight=False)
    out.print(
        f"every file is as it was proved; {len(found.record.probes)} made-up texts: "
        f"probabilities differ by {found.probes:.2g} at most",
        highlight=False,
    )
    if found.without:
        out.print(
            f"the test texts were not read again: {found.without}; give --run",
            markup=False,
            highlight=False,
        )
    else:
        out.print(_proof(found.rows, found.record.bound.max_difference))


def predict(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="Texts: CSV, Parquet, JSON or JSON Lines.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    text_pair: Annotated[str, typer.Option(help="Column of the second text of a pair.")] = "",
    group: Annotated[
        str, typer.Option(help="Column of the group, where thresholds are a group's own.")
    ] = "",
    out_file: Annotated[
        Path | None, typer.Option("--out", help="A CSV file instead of the terminal.")
    ] = None,
    strategy_path: StrategyPath = [],
) -> None:
    """Classify texts with an exported model, with what a pipeline cannot hold applied."""
    from ..exporting import predict as predicting

    texts = predicting.Texts(file=file, text=text, pair=text_pair, group=group)
    answers = predicting.predict(folder, texts, err, strategy_path=strategy_path)
    if out_file is None:
        typer.echo(predicting.as_csv(answers), nl=False)
    else:
        predicting.write(out_file, answers)
        err.print(f"{len(answers.prediction)} answers: {out_file}", highlight=False)


def _proof(rows: "tuple[ProofRow, ...]", allowed: float) -> Table:
    title = f"against what was audited (allowed: {allowed:.2g})"
    shown = Table("texts", "n", "largest difference of a probability", "flips", title=title)
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in rows:
        name = f"{row.attribute} = {row.group}" if row.attribute else "all test texts"
        shown.add_row(escape(name), f"{row.n:,}", f"{row.max_difference:.2g}", f"{row.flips:,}")
    return shown
