"""Your own rows: a CSV, Parquet or JSON Lines file with a text, a label and group columns."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..reading import tables
from ..reading.columns import Source
from ..schema import Array, Task, TaskCard
from . import _tabular


@dataclass(frozen=True, kw_only=True)
class Files(_tabular.Table):
    """Rows of one file."""

    path: str
    """The file, whose ending says what it is."""
    split: str = ""
    """Column that says train, validation or test; where nothing is validation, a tenth of train
    is. Without it near-duplicates stay together and are assigned 70 : 10 : 20 within each label
    and combination of groups."""

    @property
    def file(self) -> Path:
        """Where the rows lie."""
        return self.folder / self.path

    @property
    def split_column(self) -> str:
        """The column that the suite names."""
        return self.split

    def load(self) -> Task:
        """Return the rows of the file as a task."""
        source = Source(self.file, tables.read(self.file, self.columns))
        card = TaskCard(
            title=self.file.name,
            label_meaning=self.label_meaning,
            source=self.file.name,
            licence=self.licence,
            fingerprint=_tabular.sha256(self.file),
        )
        return _tabular.task(source, self, name=self.file.stem, card=card)

    def unused(self) -> Mapping[str, Array]:
        """Return the other columns of the file, those with a name of their own."""
        count = Counter(tables.names(self.file))
        once = [name for name, times in count.items() if times == 1]
        return _tabular.unused(
            Source(self.file, tables.read_most(self.file, [*self.columns, *once])), self
        )

    def fingerprint(self) -> str:
        """Return the identity of the rows: the files' bytes and the options, not their names."""
        contents = [_tabular.sha256(file) for file in (self.file, self.lexicon_file) if file]
        return _tabular.fingerprint(contents, self.options())
