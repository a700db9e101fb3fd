"""The command line: one short function a verb, and the only wiring of the stages."""

import math
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .. import __version__
from ..reporting import inert
from ..schema import BadInputError
from . import auditing, exporting
from . import init as beginning
from . import options as shared
from .consoles import err, out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..planning.missing import Work

app = typer.Typer(
    help="Which way of fine-tuning a text classifier to ship: equal budgets, honest audits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_BY_SIGNAL = 128
"""Plus the signal's number: exit code of what a signal ended."""
_STOPPED = (_BY_SIGNAL + signal.SIGINT, _BY_SIGNAL + signal.SIGTERM)

Runs = Annotated[Path, typer.Option(help="Where runs and prepared data are kept.")]
SuiteName = Annotated[str, typer.Argument(help="A suite's name or its TOML file.")]
Only = Annotated[list[str], typer.Option(help="Train these strategies only: a,b or repeated.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="How many seeds, instead of the suite's.")]
Jobs = Annotated[str, typer.Option(help="Cells at once: a number, or auto.")]
Processes = Annotated[
    int, typer.Option(min=1, help="Processes that train a cell together, a device each.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Where = Annotated[Literal["local", "ray"], typer.Option("--launcher", help="Where cells run.")]
Address = Annotated[str, typer.Option(help="Of a Ray cluster: auto, or its head's host:port.")]
CellTimeout = Annotated[
    float, typer.Option(min=1, help="Seconds that a cell may take; a longer one fails.")
]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder, for example runs/embedded.")]


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"tunefair {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Compare ways of fine-tuning a text classifier: equal budgets, honest audits."""


app.command()(beginning.init)


@app.command()
def run(
    suite: SuiteName,
    runs: Runs = Path("runs"),
    only: Only = [],
    seeds: Seeds = None,
    jobs: Jobs = "auto",
    device: Device = "auto",
    processes_per_cell: Processes = 1,
    launcher: Where = "local",
    address: Address = "",
    cell_timeout: CellTimeout = math.inf,
) -> None:
    """Train what is missing, audit all predictions, write the report."""
    from .. import suite as suites
    from ..run import Wishes, check_names, check_processes, with_seeds
    from ..run import run as train

    signal.signal(signal.SIGTERM, _stop)
    path = suites.find(suite)
    text = suites.text_of(path)
    chosen = with_seeds(suites.parse(suites.Suite, text, str(path)), seeds)
    check_names(chosen)
    check_processes(chosen, processes_per_cell)
    failed = train(
        chosen,
        Wishes(
            file=path,
            text=text,
            runs=runs,
            only=tuple(",".join(only).split(",")) if only else (),
            jobs=jobs,
            device=device,
            processes=processes_per_cell,
            launcher=launcher,
            address=address,
            cell_timeout_seconds=cell_timeout,
            console=err,
        ),
    )
    _report(runs / chosen.name, None, None)
    if failed:
        raise typer.Exit(1)


@app.command()
def plan(suite: SuiteName, runs: Runs = Path("runs"), seeds: Seeds = None) -> None:
    """Show the cells of a suite, and which of them are finished."""
    from .. import suite as suites
    from ..planning import missing
    from ..planning import plan as planning
    from ..preparing import prepare
    from ..preparing.searching import known_cells
    from ..run import check_names, with_seeds
    from ..tuning import price
    from . import listing

    path = suites.find(suite)
    chosen = with_seeds(suites.read(path), seeds)
    check_names(chosen)
    prepared = prepare.prepare(chosen, folder=path.parent, cache=runs / ".cache")
    folder = runs / chosen.name
    cells = planning.with_first_stages(known_cells(prepared, folder))
    todo = missing.work(cells, folder)
    rows = [
        listing.CellRow(_kind(c.label), c.seed, c.id, _state(c.id, todo, folder)) for c in cells
    ]
    out.print(listing.cells_table(rows, title=f"{chosen.name}: {path.name}"))
    for line in missing.explained(todo, folder, missing.previous(folder)):
        out.print(line, markup=False, highlight=False)
    for line in price.lines(chosen, prepared.planner.budget):
        out.print(line, highlight=False)
    budget = prepare.budget_in_words(chosen, prepared)
    out.print(f"{len(cells)} cells, {budget}", markup=False, highlight=False)


def _kind(label: str) -> str:
    """Return a cell's label; a strategy's trials are listed together."""
    from ..planning.plan import TRIAL

    strategy, trial, _ = label.partition(TRIAL)
    return f"{strategy} · trials" if trial else label


def _state(cell: str, todo: "Mapping[str, Work]", run: Path) -> str:
    from ..planning import missing

    if cell not in todo:
        return "not needed" if missing.held(run, cell) is None else "finished"
    return "to be trained again" if todo[cell].lacking else "to be trained"


@app.command()
def report(
    folder: RunFolder,
    baseline: Annotated[Path | None, typer.Option(help="An older run to show beside.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="The page's file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also a summary in Markdown.")] = None,
) -> None:
    """Write the report of a run as one HTML page, and print its comparison."""
    _report(folder, out_file, baseline)
    if markdown:
        from ..measuring.of_run import measured
        from ..reporting import report as pages
        from ..storage import files

        files.write(markdown, pages.markdown(*measured(folder)))
        err.print(f"summary: {markdown}", highlight=False)


def _report(folder: Path, out_file: Path | None, baseline: Path | None) -> None:
    from ..measuring.of_run import measured
    from ..reporting import report as pages
    from ..storage import files

    with err.status("measuring"):
        results, facts = measured(folder)
        older = measured(baseline)[0] if baseline else None
    page = out_file or folder / "report.html"
    files.write(page, pages.render(results, facts, older))
    files.write(page.with_suffix(".json"), pages.as_json(results, facts))
    out.print(pages.terminal(results, facts))
    err.print(f"report: {page}", highlight=False)


app.command()(auditing.audit)
app.command("audit-data")(auditing.audit_data)
app.command()(exporting.export)
app.command()(exporting.verify)
app.command()(exporting.predict)


@app.command()
def baseline(
    folder: RunFolder,
    out_folder: Annotated[Path, typer.Option("--out", help="The baseline's folder, to commit.")],
    accept_worse: Annotated[
        str, typer.Option(help="Why something may be worse than in the baseline there.")
    ] = "",
    rules: shared.RulesFile = None,
) -> None:
    """Keep a run's predictions as what later runs are judged against."""
    from ..gating import renewal

    with err.status("measuring"):
        worse = renewal.renew(folder, out_folder, rules, accept_worse)
    for line in worse:
        out.print(f"worse: {line}", markup=False, highlight=False)
    if worse and not accept_worse.strip():
        err.print(
            f"{out_folder} stays as it is; if this is wanted, say why: --accept-worse REASON"
        )
        raise typer.Exit(1)
    err.print(f"baseline: {out_folder}", highlight=False)


@app.command()
def gate(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="A run's folder.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Its baseline's folder.")] = None,
    rules: shared.RulesFile = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Instead of a run: a model's predictions.")
    ] = None,
    baseline_predictions: Annotated[
        Path | None, typer.Option(help="Predictions of the model before, on the same ids.")
    ] = None,
    label: shared.Label = "",
    probability: shared.Probability = [],
    prediction: shared.Prediction = "",
    positive: shared.Positive = "",
    classes: shared.Classes = [],
    group: shared.Group = [],
    intersections: shared.Intersections = [],
    id_column: shared.IdColumn = "",
    cluster: shared.Cluster = "",
    label_threshold: shared.LabelThreshold = None,
    group_threshold: shared.GroupThreshold = None,
    threshold: shared.Threshold = None,
    missing: shared.MissingSpelling = [],
    top_score: shared.TopScore = False,
    split: shared.Split = "",
    view: shared.View = "",
    replicates: shared.Replicates = 2000,
    seed: shared.DrawSeed = 0,
    min_group_size: shared.MinGroupSize = 30,
    json_file: Annotated[Path | None, typer.Option("--json", help="All numbers.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="A summary in Markdown.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="SARIF 2.1.0.")] = None,
) -> None:
    """Judge a run or predictions against a baseline: 0 pass, 1 fail, 3 open, 4 not comparable."""
    from ..gating import gate as gates
    from ..gating import publish

    if folder and baseline and not predictions:
        judgement, title = gates.of_run(folder, baseline, rules), str(folder)
        artifact = str(baseline / "baseline.json")
    elif predictions and baseline_predictions and not folder:
        from ..gating.snapshot import of_files
        from ..measuring import of_file
        from ..schema import AuditSettings

        columns = shared.columns(context)
        settings = AuditSettings(
            replicates=replicates,
            min_group_size=min_group_size,
            intersections=of_file.intersections(intersections, columns.groups),
            seed=seed,
        )
        sides = of_files(predictions, baseline_predictions, columns, settings)
        judgement, title = gates.of_sides(*sides, rules), str(predictions)
        artifact = str(baseline_predictions)
    else:
        raise BadInputError(
            "gate: give a run's folder and --baseline, or --predictions, --baseline-predictions "
            "and --label"
        )
    files = publish.Files(json=json_file, junit=junit, markdown=markdown, sarif=sarif)
    publish.publish(judgement, title, files, artifact=artifact)
    for line in publish.shown(judgement, title):
        out.print(line, soft_wrap=True)  # a job's log has no width
    for command in publish.annotations(judgement):
        typer.echo(command)  # the console would make it harmless
    raise typer.Exit(judgement.exit_code)


@app.command()
def power(
    folder: Annotated[Path, typer.Argument(help="A run's folder or a baseline's.")],
    rules: shared.RulesFile = None,
    rule: Annotated[list[str], typer.Option(help="Only rules on this metric; repeatable.")] = [],
    json_file: Annotated[Path | None, typer.Option("--json", help="The curves.")] = None,
) -> None:
    """Say which losses the gate would catch, and how likely."""
    from ..gating import power as powers
    from ..storage import files

    detectable = powers.of_folder(folder, rules, rule)
    if json_file:
        files.write(json_file, files.to_json(detectable))
    out.print(powers.table(detectable))


@app.command("list")
def list_plugins(
    kind: Annotated[str, typer.Argument(help="strategies, audits, suites or tasks.")],
) -> None:
    """List what can be named in a suite."""
    from . import listing

    out.print(listing.table(kind))


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks, and the way out for each thing missing."""
    from . import doctor as checks

    table, fit = checks.table(checks.examine())
    out.print(table)
    raise typer.Exit(0 if fit else 1)


def _stop(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that workers are ended too."""
    raise SystemExit(_BY_SIGNAL + number)


def _say(problem: str) -> None:
    """Print a problem as one line; a name in it may hold what a terminal would obey."""
    line = inert.line(problem).strip()
    err.print(f"tunefair: {line[:2000]}", markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line; bad input is one line and exit code 2, never a traceback."""
    try:
        app(standalone_mode=True)
    except BadInputError as error:
        _say(str(error))
        sys.exit(2)
    except OSError as error:
        if os.environ.get("TUNEFAIR_TRACEBACK"):
            raise
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}")
        sys.exit(2)
    except MemoryError as error:
        _say(f"out of memory: {error}")
        sys.exit(1)
    except SystemExit as end:
        if end.code in _STOPPED:
            _say("stopped; the same command goes on where this one ended")
        raise
