"""What is written is read back: every record, through its file."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefair.schema import (
    BadInputError,
    CurvePoint,
    Ledger,
    Measurement,
    Metric,
    Outcome,
    Predictions,
    Results,
    Task,
    TaskCard,
)
from tunefair.storage import records


def predictions(n=7, hidden=False, known=True, clustered=False):
    rng = np.random.default_rng(n)
    p = rng.dirichlet(np.ones(3), n)
    return Predictions(
        example_id=np.array([f"id{i}" for i in range(n)]),
        label=rng.integers(0, 3, n),
        groups={"target": rng.choice(["a", "b×", ""], n), "gender": rng.choice(["f", "m"], n)},
        prediction=p.argmax(axis=1),
        probability=p if known else None,
        classes=("x", "y", "z"),
        hidden=rng.normal(size=(n, 4)).astype(np.float16) if hidden else None,
        cluster=rng.choice(["one", "two", ""], n) if clustered else None,
    )


def assert_same(a, b):
    assert a.classes == b.classes
    for name in ("example_id", "label", "prediction", "probability", "hidden", "cluster"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert list(a.groups) == list(b.groups)
    for name in a.groups:
        np.testing.assert_array_equal(a.groups[name], b.groups[name])


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_predictions_come_back(tmp_path, hidden, known, clustered):
    written = {
        ("validation", "original"): predictions(5, hidden, known, clustered),
        ("test", "original"): predictions(7, hidden, known, clustered),
        ("test", "swap:dominant"): predictions(3, hidden, known, clustered),
    }
    records.write_predictions(tmp_path / "p.parquet", written)
    read = records.read_predictions(tmp_path / "p.parquet")
    assert list(read) == list(written)
    for key, answers in written.items():
        assert_same(read[key], answers)


def test_equal_predictions_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        records.write_predictions(tmp_path / name, {("test", "original"): predictions()})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_outcome_comes_back(tmp_path):
    ledger = Ledger(
        flops=1.5, tokens=2, padded_tokens=3, examples=4, steps=5, seconds=6.5,
        peak_memory_bytes=7, trainable_parameters=8, stored_bytes=9,
    )  # fmt: skip
    outcome = Outcome(
        test={"original": predictions()},
        validation=predictions(5),
        ledger=ledger,
        curve=(CurvePoint(1, 0.5, 0.7, 1e-5), CurvePoint(2, 1.0, 0.6, 0.0)),
        hardware={"device": "cpu"},
    )
    records.write_outcome(tmp_path, outcome)
    read = records.read_outcome(tmp_path)
    assert (read.ledger, read.curve, read.hardware) == (ledger, outcome.curve, {"device": "cpu"})
    assert_same(read.test["original"], outcome.test["original"])


def test_results_come_back_with_nan_for_undefined(tmp_path):
    defined = Measurement("accuracy", "accuracy", value=0.5, low=0.4, high=0.6, n=9, strategy="a")
    undefined = Measurement("accuracy", "roc_auc", undefined="one class", strategy="a", seed=1)
    metric = Metric(better="higher", low=0, high=np.inf, reference="r", definition="d")
    results = Results(measurements=(defined, undefined), definitions={"accuracy": metric})
    (tmp_path / "r.json").write_text(records.results_json(results))
    read = records.read_results(tmp_path / "r.json")
    assert read.measurements[0] == defined
    assert np.isnan(read.measurements[1].value)
    assert read.measurements[1].low is None
    assert read.definitions == {"accuracy": metric}


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_a_task_comes_back_whatever_its_texts(tmp_path_factory, texts):
    n = len(texts)
    card = TaskCard(
        title="t", label_meaning="m", source="s", licence="l", fingerprint="f", warnings=("w",)
    )
    task = Task(
        name="toy",
        example_id=np.array([str(i) for i in range(n)]),
        text=np.array(texts, dtype=object),
        label=np.arange(n),
        groups={"g": np.full(n, "a")},
        split=np.full(n, "train"),
        classes=("x", "y"),
        card=card,
        views={"swap:a": np.array(texts, dtype=object)},
        cluster=np.full(n, "thread"),
    )
    path = tmp_path_factory.mktemp("task") / "task.parquet"
    records.write_task(path, task)
    read = records.read_task(path)
    assert read.text.tolist() == texts
    assert read.views["swap:a"].tolist() == texts
    assert read.card == card
    assert read.cluster.tolist() == ["thread"] * n


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table"])
def test_a_broken_table_is_one_line(tmp_path, content):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(BadInputError, match=r"p\.parquet: not a table"):
        records.read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize("value", [[], ["a"], {"a": 1}])
def test_a_column_of_lists_or_records_is_one_line(tmp_path, value):
    records.write_table(tmp_path / "p.parquet", {"group:g": pa.array([value] * 3)}, {})
    with pytest.raises(BadInputError, match=r"p\.parquet: not a table.*column 'group:g' holds"):
        records.read_table(tmp_path / "p.parquet")
