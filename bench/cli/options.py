"""Options that several verbs share: which columns of a file hold what, and how they are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..schema import BadInputError

if TYPE_CHECKING:
    from ..reading.foreign import Columns


def named(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    """Refuse an empty name, which a script's unset variable leaves: it would mean no option."""
    source = context.get_parameter_source(str(parameter.name))
    given = source is not None and source.name == "COMMANDLINE"
    texts = value if isinstance(value, list | tuple) else [value]
    if given and any(isinstance(text, str) and not text.strip() for text in texts):
        raise BadInputError(f'{parameter.opts[0]} "": empty; name one, or leave the option out')
    return value


RulesFile = Annotated[
    Path | None, typer.Option(help="A file of [[gate]] rules, instead of the suite's.")
]
Label = Annotated[str, typer.Option(help="Column of the true label.", callback=named)]
Probability = Annotated[
    list[str],
    typer.Option(
        help="Column of the positive class, of a vector, or one a class.", callback=named
    ),
]
TextPair = Annotated[str, typer.Option(help="Column of the second texts.", callback=named)]
SplitColumn = Annotated[
    str, typer.Option(help="Column that says train, validation or test.", callback=named)
]
Prediction = Annotated[str, typer.Option(help="Column of the prediction made.", callback=named)]
Positive = Annotated[
    str, typer.Option(help="Which of two labels is the positive one.", callback=named)
]
Group = Annotated[list[str], typer.Option(help="Column of a group attribute.", callback=named)]
IdColumn = Annotated[str, typer.Option("--id", help="Column of a stable id.", callback=named)]
Cluster = Annotated[
    str,
    typer.Option(
        help="Column of what makes rows alike (author, template): they are drawn whole.",
        callback=named,
    ),
]
Classes = Annotated[
    list[str],
    typer.Option(
        help="The classes in the order of the probabilities: a,b,c; or what the file calls them: "
        "LABEL_0=a,LABEL_1=b.",
        callback=named,
    ),
]
LabelThreshold = Annotated[
    float | None, typer.Option(help="The label is a score; from here on a row is positive.")
]
GroupThreshold = Annotated[
    float | None, typer.Option(help="Groups are scores; from here on a row is a member.")
]
Threshold = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Predict the positive class from here on, not from 0.5."),
]
MissingSpelling = Annotated[
    list[str],
    typer.Option(
        "--missing", help="A spelling of a missing value, besides an empty field.", callback=named
    ),
]
TopScore = Annotated[
    bool,
    typer.Option(
        "--top-score", help="The probability is of the predicted class, as a pipeline's score is."
    ),
]
Split = Annotated[
    str, typer.Option(help="Read the rows whose column `split` has this value.", callback=named)
]
View = Annotated[
    str, typer.Option(help="Read the rows whose column `view` has this value.", callback=named)
]
Intersections = Annotated[
    list[str], typer.Option(help="Attributes to cross: A×B.", callback=named)
]
Replicates = Annotated[int, typer.Option(min=100, help="Bootstrap draws.")]
DrawSeed = Annotated[int, typer.Option(help="Of the bootstrap.")]
MinGroupSize = Annotated[int, typer.Option(min=1, help="Smaller groups make no gap.")]


def columns(context: typer.Context) -> "Columns":
    """Return what a verb's options say of a file's columns."""
    from ..reading import class_names, foreign

    given = context.params
    return foreign.Columns(
        label=given["label"],
        probability=tuple(given["probability"]),
        prediction=given["prediction"],
        positive=given["positive"],
        groups=tuple(given["group"]),
        id=given["id_column"],
        cluster=given["cluster"],
        classes=class_names.parse(given["classes"]),
        label_threshold=given["label_threshold"],
        group_threshold=given["group_threshold"],
        threshold=given["threshold"],
        missing=spellings(given["missing"]),
        top_score=given["top_score"],
        split=given["split"],
        view=given["view"],
    )


def spellings(texts: list[str]) -> tuple[str, ...]:
    """Return what `--missing` says: repeated, or several at once as in `nan,NA`."""
    return tuple(text.strip() for several in texts for text in several.split(","))
