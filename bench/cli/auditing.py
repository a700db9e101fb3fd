"""The verbs `audit` and `audit-data`: files that somebody else made."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..reporting import inert
from . import options
from .consoles import err, out


def audit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Predictions: CSV, Parquet, JSON or JSON Lines.")],
    label: options.Label = "",
    probability: options.Probability = [],
    prediction: options.Prediction = "",
    positive: options.Positive = "",
    classes: options.Classes = [],
    group: options.Group = [],
    intersections: options.Intersections = [],
    id_column: options.IdColumn = "",
    cluster: options.Cluster = "",
    label_threshold: options.LabelThreshold = None,
    group_threshold: options.GroupThreshold = None,
    threshold: options.Threshold = None,
    missing: options.MissingSpelling = [],
    top_score: options.TopScore = False,
    split: options.Split = "",
    view: options.View = "",
    validation: Annotated[
        Path | None, typer.Option(help="Predictions to fit a temperature on.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Another model's predictions on the same ids.")
    ] = None,
    replicates: options.Replicates = 2000,
    seed: options.DrawSeed = 0,
    min_group_size: options.MinGroupSize = 30,
    audit_path: Annotated[
        list[Path], typer.Option(help="A folder with audits of your own, a file each.")
    ] = [],
    json_file: Annotated[Path | None, typer.Option("--json", help="All numbers.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="A report page.")] = None,
) -> None:
    """Audit anybody's predictions: accuracy, calibration, group fairness, with intervals."""
    from dataclasses import replace

    from ..measuring import of_file
    from ..schema import AuditSettings
    from ..storage import files

    columns = options.columns(context)
    wanted = of_file.Files(test=file, validation=validation, compare=compare)
    audited = of_file.evidence(wanted, columns)
    test = audited.evidence[0].test[0]
    crossed = of_file.intersections(intersections, tuple(test.groups))
    names = ", ".join(test.classes)
    _print(f"{file}: {len(test.label):,} rows, classes {names}", *audited.assumptions)
    settings = AuditSettings(
        replicates=replicates, min_group_size=min_group_size, intersections=crossed, seed=seed
    )
    with err.status("auditing"):
        results, facts = of_file.results(audited, settings, audit_path)
    if json_file:
        files.write(json_file, files.to_json(of_file.as_json(results, audited)))
    from ..reporting import report as pages

    if html_file:
        files.write(html_file, pages.render(results, facts))
    out.print(pages.terminal(results, replace(facts, assumptions=())))  # they are printed above


def _print(heading: str, *assumptions: str) -> None:
    """Print what was read, and under it what was assumed."""
    for line in (heading, *(f"! {text}" for text in assumptions)):
        out.print(inert.line(line), markup=False, highlight=False, soft_wrap=True)


def audit_data(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A suite, or a CSV, Parquet or JSON file.")],
    text: Annotated[
        str, typer.Option(help="Column of a file's texts.", callback=options.named)
    ] = "text",
    text_pair: options.TextPair = "",
    label: options.Label = "label",
    positive: options.Positive = "",
    group: options.Group = [],
    id_column: options.IdColumn = "",
    cluster: options.Cluster = "",
    split: options.SplitColumn = "",
    label_threshold: options.LabelThreshold = None,
    group_threshold: options.GroupThreshold = None,
    missing: options.MissingSpelling = [],
) -> None:
    """Audit data before any training: counts, copies, lengths, what groups say about labels."""
    from .. import suite as suites
    from ..data_audit import tables as data_tables
    from ..preparing import prepare
    from ..reading import tables as readers
    from . import listing

    if readers.is_table(Path(source)):
        choice = suites.TaskChoice.model_validate(_file_options(source, context.params))
        task = prepare.task_source(choice, folder=Path())
    else:
        path = suites.find(source)
        task = prepare.source_of(suites.read(path), path.parent)
    with err.status("auditing the data"):
        loaded = task.load()
        tables = data_tables.tables(loaded, task.unused())
    _print(f"{source}: {len(loaded.label):,} rows", *loaded.card.warnings)
    for table in tables:
        out.print(listing.facts_table(table))


def _file_options(source: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a `[task]` table for a file; rows without text or label are left out."""
    return {
        "source": "files",
        "path": source,
        "incomplete": "keep_unannotated",
        "text": given["text"],
        "text_pair": given["text_pair"],
        "label": given["label"],
        "positive": given["positive"],
        "groups": tuple(given["group"]),
        "id": given["id_column"],
        "cluster": given["cluster"],
        "split": given["split"],
        "label_threshold": given["label_threshold"],
        "group_threshold": given["group_threshold"],
        "missing": options.spellings(given["missing"]),
    }
