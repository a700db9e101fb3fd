"""The verbs: audit, compare, gate, run and load, with the options of the command line."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from ..gating import gate as gates
from ..gating import snapshot
from ..measuring import of_file
from ..measuring.of_run import measured
from ..reading import class_names
from ..reading.foreign import Columns
from ..schema import AuditSettings, BadInputError
from .results import GateResults, Results
from .tables import Table, as_files


class Options(TypedDict, total=False):
    """What `audit`, `compare` and `gate` may be told of a table; the flags of the command line."""

    label: str
    """Column of the true label; needed but for a run's own predictions."""
    probability: str | Sequence[str]
    """Column of the positive class's probability, of vectors, or one column a class."""
    prediction: str
    """Column of the prediction made; without it the most probable class."""
    positive: str
    """Which of two labels is the positive one."""
    groups: Sequence[str]
    """Columns of group attributes."""
    id: str
    """Column of a stable id."""
    cluster: str
    """Column whose equal values are not independent: one author, one template."""
    classes: str | Sequence[str]
    """The classes in the order of the probabilities, or what the table calls them."""
    label_threshold: float | None
    group_threshold: float | None
    threshold: float | None
    missing: Sequence[str]
    """Spellings of a missing value, besides an empty one."""
    top_score: bool
    """The probability is of the predicted class, as a pipeline's score is."""
    split: str
    view: str
    intersections: Sequence[str]
    """Attributes to cross, as "a×b"."""
    replicates: int
    """Bootstrap draws; 2,000."""
    seed: int
    """Of the bootstrap; 0."""
    min_group_size: int
    """Smaller groups make no gap; 30."""


_LISTS = ("probability", "groups", "missing")
_SETTINGS = ("replicates", "seed", "min_group_size")


def audit(frame: Table, *, validation: Table = None, **options: Unpack[Options]) -> Results:
    """Audit anybody's predictions: accuracy, calibration, group fairness, with intervals.

    Parameters
    ----------
    frame : a pandas or polars frame, a pyarrow table, a mapping of columns, or a file's path
    validation : predictions of the same model that a temperature is fitted on
    options : see `Options`

    Raises
    ------
    BadInputError
        Whatever cannot be read as it was meant, named by column, row and value.

    Examples
    --------
    >>> import tunefair
    >>> answers = {"y": ["no", "yes"] * 50, "p": [0.2, 0.7, 0.6, 0.9] * 25, "g": ["a"] * 100}
    >>> result = tunefair.audit(answers, label="y", probability="p", positive="yes", groups=["g"])
    >>> frame = result.to_frame()
    >>> float(frame[(frame.metric == "accuracy") & frame.seed.isna()].value.iloc[0])
    0.75
    """
    return _audited(options, frame=frame, validation=validation)


def compare(new: Table, old: Table, **options: Unpack[Options]) -> Results:
    """Audit two models' predictions on the same ids, and what differs between them.

    Parameters
    ----------
    new, old : as `frame` in `audit`; matched by the column `id`
    options : see `Options`
    """
    return _audited(options, new=new, compare=old)


def _audited(options: Options, **tables: Table) -> Results:
    columns = _columns(options)
    with as_files(**tables) as paths:
        test = paths.get("new") or paths["frame"]
        wanted = of_file.Files(
            test=test, validation=paths.get("validation"), compare=paths.get("compare")
        )
        audited = of_file.evidence(wanted, columns)
        settings = _settings(options, tuple(audited.evidence[0].test[0].groups))
        records, facts = of_file.results(audited, settings)
    return Results(records=records, facts=facts)


def gate(
    run: Table,
    baseline: Table,
    *,
    rules: str | Path | None = None,
    **options: Unpack[Options],
) -> GateResults:
    """Judge a run's folder against its baseline's, or one model's predictions against another's.

    Parameters
    ----------
    run, baseline : two folders; or, with `label`, two tables as `frame` in `audit`
    rules : a file of `[[gate]]` rules instead of the baseline's
    options : see `Options`
    """
    rule_file = None if rules is None else Path(rules)
    if "label" not in options:
        if not isinstance(run, str | Path) or not isinstance(baseline, str | Path):
            raise BadInputError("gate: give two folders, or two tables and label=COLUMN")
        judgement = gates.of_run(Path(run), Path(baseline), rule_file)
        return GateResults(judgement=judgement, title=str(run))
    columns = _columns(options)
    with as_files(run=run, baseline=baseline) as paths:
        settings = _settings(options, columns.groups)
        sides = snapshot.of_files(paths["run"], paths["baseline"], columns, settings)
        return GateResults(judgement=gates.of_sides(*sides, rule_file), title="predictions")


def load(folder: str | Path) -> Results:
    """Return the results of a run, as its report shows them.

    Parameters
    ----------
    folder : a run's folder, for example runs/embedded
    """
    records, facts = measured(Path(folder))
    return Results(records=records, facts=facts)


def run(suite: str | Path, runs: str | Path = "runs", *, device: str = "auto") -> Results:
    """Train what is missing of a suite, audit all predictions, and return the results.

    Parameters
    ----------
    suite : a suite's name, or the path of its TOML file
    runs : where runs and prepared data are kept
    device : auto, cpu, cuda or cuda:N

    Raises
    ------
    BadInputError
        The suite, its task, model or strategies cannot be used as they are.
    """
    from rich.console import Console

    from .. import suite as suites
    from ..run import Wishes, check_names
    from ..run import run as train

    path = suites.find(str(suite))
    text = suites.text_of(path)
    chosen = suites.parse(suites.Suite, text, str(path))
    check_names(chosen)
    console = Console(stderr=True)
    wishes = Wishes(
        file=path,
        text=text,
        runs=Path(runs),
        only=(),
        jobs="auto",
        device=device,
        processes=1,
        launcher="local",
        address="",
        cell_timeout_seconds=math.inf,
        console=console,
    )
    train(chosen, wishes)
    return load(Path(runs) / chosen.name)


def _columns(options: Options) -> Columns:
    """Return what the options say of a table's columns."""
    texts: Mapping[str, object] = {
        key: options[key]
        for key in ("label", "prediction", "positive", "id", "cluster", "split", "view")
        if key in options
    }
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise BadInputError(f"{name}={text!r}: name a column, or leave it out")
    lists = {key: _tuple(options.get(key, ())) for key in _LISTS}
    more = ("label_threshold", "group_threshold", "threshold", "top_score")
    return Columns(
        **texts,  # type: ignore[arg-type]
        **lists,  # type: ignore[arg-type]
        **{key: options[key] for key in more if key in options},  # type: ignore[literal-required]
        classes=class_names.parse(list(_tuple(options.get("classes", ())))),
    )


def _tuple(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise BadInputError(f"{value!r}: give a name, or a list of names")


def _settings(options: Options, groups: tuple[str, ...]) -> AuditSettings:
    crossed = of_file.intersections(list(options.get("intersections", ())), groups)
    given = {key: options[key] for key in _SETTINGS if key in options}  # type: ignore[literal-required]
    return AuditSettings(intersections=crossed, **given)
