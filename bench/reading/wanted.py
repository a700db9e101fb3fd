"""What is wanted of a file of predictions, and the file while it is being read."""

from dataclasses import dataclass

from . import parts
from .class_names import NO_NAMES, ClassNames
from .columns import Source


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a file hold what, and how they are read; the flags of `tunefair audit`."""

    label: str = ""
    """Needed, but for the predictions of a run of tunefair."""
    probability: tuple[str, ...] = ()
    """One of the positive class, or one of vectors, or one a class."""
    prediction: str = ""
    """The prediction made; without it the most probable class."""
    positive: str = ""
    """Which of two labels is the positive class; needed unless they say so themselves."""
    groups: tuple[str, ...] = ()
    id: str = ""
    """Without it rows are known by their number."""
    cluster: str = ""
    """Rows with the same value (an author, a template) are not independent."""
    classes: ClassNames = NO_NAMES
    """The classes in the order of the probabilities, and other names of them."""
    label_threshold: float | None = None
    """Where set, the label is a score, and positive from here on."""
    group_threshold: float | None = None
    """Where set, group columns of numbers are scores of membership, from here on a member."""
    threshold: float | None = None
    """Where set, the probability from which on the positive class is predicted, not 0.5."""
    missing: tuple[str, ...] = ()
    """Spellings of a missing value, besides an empty field."""
    top_score: bool = False
    """The probability is of the predicted class, as a pipeline's score is."""
    split: str = ""
    view: str = ""
    """Which rows are read, by the columns of these names."""

    @property
    def names(self) -> list[str]:
        """Every column that is read."""
        wanted = (self.label, *self.probability, self.prediction, *self.groups, self.id)
        return [name for name in (*wanted, self.cluster, *self.parts) if name]

    @property
    def parts(self) -> dict[str, str]:
        """Column -> value of the rows that are read."""
        wanted = {parts.SPLIT: self.split, parts.VIEW: self.view}
        return {column: value for column, value in wanted.items() if value}


@dataclass(frozen=True)
class File:
    """A file while it is being read."""

    source: Source
    columns: Columns
    notes: list[str]
    """What is assumed in reading it, a line each; filled on the way."""

    @property
    def names(self) -> ClassNames:
        """What the options say of the classes: their names, or those that a threshold makes."""
        label = self.columns.label
        if self.columns.label_threshold is None or self.columns.classes.pairs:
            return self.columns.classes
        return ClassNames((("0", f"not {label}"), ("1", label)))

    @property
    def where(self) -> str:
        """The file and its column of labels, as a message begins."""
        return f"{self.source.path}: column {self.columns.label!r}"
