"""An audit or a task is one file, and a file that breaks its contract is refused in a line."""

from pathlib import Path

import numpy as np
import pytest

import tunefair.audits
from tests import _tiny
from tests.test_every_audit import complete
from tunefair import audit, plugins, task
from tunefair.cli import listing
from tunefair.facts import RunFacts, StrategyFacts
from tunefair.measuring.measure import measure
from tunefair.planning import compose
from tunefair.preparing import prepare
from tunefair.reporting import report
from tunefair.schema import AuditSettings, BadInputError
from tunefair.statistics.sample import Sample
from tunefair.suite import Suite

LENGTHS = """
'''Lengths: how long the vectors are that the classification head reads.'''
import numpy as np
from tunefair.audit import Audit
from tunefair.schema import Metric
from tunefair.statistics.estimates import Estimate, nothing
from tunefair.statistics.scores import means

LENGTH = Metric(better="neither", low=0, high=np.inf, reference="a test", definition="mean length")


class Lengths(Audit):
    metrics = {"mean_length": LENGTH}
    needs = frozenset({"hidden"})

    def estimates(self, evidence, sample):
        known = [np.linalg.norm(p.hidden, axis=1) for p in evidence.test if p.hidden is not None]
        values, reason = nothing(len(evidence.test)), "no hidden vectors"
        if known:
            values, reason = np.stack([means(sample, sample.everyone, k)[0] for k in known]), ""
        yield Estimate(metric="mean_length", values=values, n=sample.n, undefined=reason)
"""
COUNTING = """
'''Counting: sentences with a number.'''
import hashlib
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from tunefair.schema import Task, TaskCard
from tunefair.task import TaskSource


@dataclass(frozen=True, kw_only=True)
class Counting(TaskSource):
    rows: Annotated[int, Field(ge=60)]
    word: str = "number"

    def load(self):
        number = np.arange(self.rows)
        return Task(
            name="counting",
            example_id=np.array([f"n{i}" for i in number]),
            text=np.array([f"{self.word} {i}" for i in number], object),
            label=(number % 2).astype(np.int64),
            groups={"third": np.where(number % 3 == 0, "yes", "no")},
            split=np.array(["train", "validation", "test"])[number // 6 % 3],
            classes=("even", "odd"),
            card=TaskCard(title="Counting", label_meaning="odd", source="a test", licence="none",
                          fingerprint=self.fingerprint()),
        )

    def fingerprint(self):
        return hashlib.sha256(f"{self.rows} {self.word}".encode()).hexdigest()
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A folder whose files are plug-ins of the package, as if they lay in bench/audits."""
    monkeypatch.setattr(tunefair.audits, "__path__", [*tunefair.audits.__path__, str(tmp_path)])
    caches = (audit.shipped, audit.declared)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()


def test_an_audit_that_needs_hidden_vectors_is_one_file(package, tmp_path):
    """It is listed, its vectors are stored, it is measured, and the page has its section."""
    (package / "lengths_of_vectors.py").write_text(LENGTHS)
    assert "lengths_of_vectors" in audit.shipped()
    plain, asked = (
        _tiny.cells("full", audit={"audits": names})[0]
        for names in (("accuracy",), ("accuracy", "lengths_of_vectors"))
    )
    of = _tiny.task(n=64)
    tokens = _tiny.encoded(of, tmp_path / "tokens")
    assert _tiny.stored(_tiny.run(plain, of, tokens)).test["original"].hidden is None
    assert _tiny.stored(_tiny.run(asked, of, tokens)).test["original"].hidden is not None
    made = complete(2)
    results = measure([made], AuditSettings(replicates=50), audits=["lengths_of_vectors"])
    mean = results.measurements[0]
    right = np.mean([np.linalg.norm(p.hidden, axis=1).mean() for p in made.test])
    assert mean.value == pytest.approx(right)
    facts = RunFacts(suite="x", strategies=(StrategyFacts(label=made.strategy, use="full"),))
    assert "lengths of vectors" in report.render(results, facts).lower()
    assert "lengths_of_vectors" in listing.table("audits").columns[0]._cells


def test_a_task_is_one_file(tmp_path):
    """A suite names it and its folder; options are checked; it is prepared like any other."""
    (tmp_path / "my_tasks").mkdir()
    (tmp_path / "my_tasks" / "counting.py").write_text(COUNTING)
    chosen = {
        "name": "one_file",
        "task": {"source": "counting", "rows": 90},
        "task_path": ("my_tasks",),
        "model": {"source": str(_tiny.model_folder()), "max_tokens": 32},
        "budget": {"currency": "steps", "amount": 2.0},
        "strategies": {"full": {}},
    }
    suite = Suite.model_validate(chosen)
    prepared = prepare.prepare(suite, folder=tmp_path, cache=tmp_path / "cache")
    assert prepared.task.text[3] == "number 3"
    other = Suite.model_validate(chosen | {"task": {"source": "counting", "rows": 30}})
    with pytest.raises(BadInputError, match=r"task: counting: rows = 30: .*options: rows, word"):
        prepare.prepare(other, folder=tmp_path, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", "must define one Audit, not 0"),
        (LENGTHS + "class Two(Lengths): pass", "must define one Audit, not 2"),
        (LENGTHS.replace("def estimates", "def estimated"), "Lengths has no `estimates`"),
        (LENGTHS.replace("metrics =", "metric ="), "Lengths declares no `metrics`"),
        (LENGTHS.replace(": LENGTH}", ": 3}"), r"metrics\['mean_length'\] is no schema.Metric"),
        (LENGTHS.replace('{"hidden"}', '{"hiden"}'), "needs 'hiden'; there are: hidden, start"),
        ("import nothing_of_this_name", "nothing_of_this_name"),
    ],
)
def test_a_file_that_is_no_audit_is_refused_in_a_line(tmp_path, text, reason):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(BadInputError, match=reason) as refused:
        audit.load("own", [tmp_path])
    assert "own.py" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", "must define one TaskSource, not 0"),
        (COUNTING.replace("fingerprint(self):", "print(self):"), "Counting has no `fingerprint`"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_file_that_is_no_task_is_refused_in_a_line(tmp_path, text, reason):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(BadInputError, match=reason) as refused:
        task.load("own", {"rows": 90}, folder=tmp_path, folders=[tmp_path])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["audits", "tasks", "strategies"])
def test_the_template_is_a_plug_in(kind, tmp_path):
    """A copy of it under another name works at once."""
    package = f"tunefair.{kind}"
    template = Path(plugins.import_module(package).__path__[0]) / "_template.py"
    text = template.read_text().replace("from ..", "from tunefair.")
    (tmp_path / f"copied_{kind}.py").write_text(text)
    assert f"copied_{kind}" in plugins.names(package, [tmp_path])
    if kind == "audits":
        made = complete(2)
        sample = Sample([made], AuditSettings(replicates=50))
        for estimate in audit.load("copied_audits", [tmp_path]).estimates(made, sample):
            assert ((estimate.values > 0.5) & (estimate.values <= 1)).all()
    elif kind == "tasks":
        prepare.check(task.load("copied_tasks", {}, folder=tmp_path, folders=[tmp_path]).load())
    else:
        assert compose.find("copied_strategies", [tmp_path])().strength == 0.1


@pytest.mark.parametrize("kind", listing.KINDS)
def test_a_list_says_nothing_of_the_machinery(kind):
    table = listing.table(kind)
    cells = [str(cell) for column in table.columns for cell in column._cells]
    assert len(cells) > 10
    for cell in cells:
        assert "MISSING" not in cell
        assert "object at" not in cell
        assert "<" not in cell
