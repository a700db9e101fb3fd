"""Every kind of wrong in other people's files, through every reader and every verb.

A reading that rests on a guess is certain, said at the top with the option that settles it, or
refused in one line.
"""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.test_fuzz import called
from tunefair.measuring import of_file
from tunefair.reading import class_names, foreign, pairs
from tunefair.reading.foreign import Columns
from tunefair.schema import BadInputError, Predictions
from tunefair.storage import records

READERS = ("csv", "tsv", "parquet", "jsonl", "json")
N = 200
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, N)
P = np.clip(0.5 + 0.25 * (2 * Y - 1) + RNG.normal(0, 0.2, N), 0.01, 0.99).round(4)
MADE = (P >= 0.5).astype(int)
GOOD = {
    "id": [f"r{i}" for i in range(N)],
    "y": Y.tolist(),
    "p": P.tolist(),
    "q": MADE.tolist(),
    "g": [("f", "m")[i % 2] for i in range(N)],
}
VOTES = [(0.0, 0.25, 0.75, 1.0)[i % 4] for i in range(N)]
FLAGS = ("--label", "y", "--probability", "p", "--group", "g", "--id", "id")
PREDICTED = ("--label", "y", "--prediction", "q", "--group", "g", "--id", "id")


def write(folder: Path, reader: str, columns: dict[str, list], name: str = "new") -> Path:
    """Write columns in the form that a reader reads."""
    path = folder / f"{name}.{reader}"
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if reader == "parquet":
        pq.write_table(pa.table(columns), path)
    elif reader == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif reader == "json":
        path.write_text(json.dumps(rows, indent=1))
    else:
        text = io.StringIO()
        writer = csv.writer(text, delimiter="," if reader == "csv" else "\t")
        writer.writerow(columns)
        writer.writerows(["" if v is None else v for v in row.values()] for row in rows)
        path.write_text(text.getvalue())
    return path


def changed(**columns: list) -> dict[str, list]:
    return {**GOOD, **columns}


def top_scores() -> list[float]:
    return np.where(MADE == 1, P, 1 - P).round(4).tolist()


REFUSED = {
    "predictions under other names": (
        changed(q=[f"LABEL_{k}" for k in MADE]), PREDICTED,
        r"no prediction is any label.*--classes LABEL_0=0,LABEL_1=1",
    ),
    "a pipeline's top score": (
        changed(p=top_scores()), (*FLAGS, "--prediction", "q"), "--top-score",
    ),
    "a label that a program wrote for nothing": (
        changed(y=[str(y) for y in Y[:-1]] + ["nan"]), FLAGS, "'nan'.*missing value",
    ),
    "several labels a row": (
        changed(y=[f"[{y}, 1]" for y in Y]), PREDICTED, "multi-label",
    ),
    "shares of votes as labels": (changed(y=VOTES), FLAGS, "--label-threshold"),
    "shares of votes as groups": (changed(g=VOTES), FLAGS, "--group-threshold"),
    "one class, and nothing names the other": (
        changed(y=[0] * N), FLAGS, "only one class, '0'.*--classes 0,1",
    ),
    "columns that name no label": (
        changed(p_a=[0.5] * N, p_b=[0.5] * N),
        ("--label", "y", "--probability", "p_a", "--probability", "p_b"),
        "--classes a=0,b=1",
    ),
    "a column of the other class": (
        changed(p_0=GOOD["p"]), ("--label", "y", "--probability", "p_0"), "--positive 0",
    ),
    "predictions that are probabilities": (
        changed(q=GOOD["p"]), PREDICTED, "--probability q",
    ),
    "an empty option": (GOOD, (*FLAGS[:-2], "--id", ""), '--id "": empty'),
    "an empty group": (GOOD, (*FLAGS, "--group", ""), '--group "": empty'),
    "no such split": (
        changed(split=["test"] * N), (*FLAGS, "--split", "dev"), "there are: 'test'",
    ),
    "a threshold beside predictions": (
        GOOD, (*FLAGS, "--prediction", "q", "--threshold", "0.3"), "leave one out",
    ),
    "no label": (GOOD, FLAGS[2:], "--label"),
}  # fmt: skip
VERBS = ("audit", "compare", "gate")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_in_one_line_by_every_verb(tmp_path, kind, reader):
    columns, flags, said = REFUSED[kind]
    new = write(tmp_path, reader, columns)
    out = tmp_path / "out.json"
    for verb in VERBS:
        files = {
            "audit": ("audit", new),
            "compare": ("audit", new, "--compare", new),
            "gate": ("gate", "--predictions", new, "--baseline-predictions", new),
        }[verb]
        code, _, err = called(*files, *flags, "--json", out)
        assert code == 2, (verb, err)
        assert len(err.strip().splitlines()) == 1
        assert re.search(said, err), (verb, err)
        assert not out.exists()


BINARY = Columns(label="y", probability=("p",), groups=("g",), id="id")
ASSUMED = {
    "spellings of nothing as groups": (
        changed(g=[("f", "m", "None", "NA")[i % 4] for i in range(N)]), BINARY,
        r"'None' \(50 rows\), 'NA' \(50 rows\) are groups.*--missing None --missing NA",
    ),
    "labels that may mean nothing": (
        changed(y=[("a", "b", "none")[i % 3] for i in range(N)],
                q=[("a", "b", "none")[i % 3] for i in range(N)]),
        Columns(label="y", prediction="q"), "'none'.*--missing none",
    ),
    "a prediction that no row has as label": (
        changed(y=["ab"[y] for y in Y], q=["c", *("ab"[k] for k in MADE[1:])]),
        Columns(label="y", prediction="q"), "'c' is no label of any row.*--classes c=",
    ),
    "a column named after one of two labels": (
        changed(y=["cat" if y else "dog" for y in Y], p_cat=GOOD["p"]),
        Columns(label="y", probability=("p_cat",)), "'cat' is the positive class.*--positive",
    ),
    "several splits": (
        changed(split=[("test", "validation")[i % 2] for i in range(N)]), BINARY,
        r"test \(100 rows\).*--split",
    ),
    "predictions of no one threshold": (
        changed(q=[1 - int(MADE[0]), *MADE[1:].tolist()]),
        Columns(label="y", probability=("p",), prediction="q"), "no one threshold",
    ),
    "labels that differ in case": (
        changed(y=["Yes", *("yes" if y else "no" for y in Y[1:])],
                q=["yes" if y else "no" for y in MADE]),
        Columns(label="y", prediction="q"), "'Yes' and 'yes' are two classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ASSUMED)
def test_what_is_assumed_is_said_with_its_option(tmp_path, kind, reader):
    columns, wanted, said = ASSUMED[kind]
    assumed = foreign.read(write(tmp_path, reader, columns), wanted).assumptions
    assert any(re.search(said, line) for line in assumed), assumed


@pytest.mark.parametrize("reader", READERS)
def test_a_good_file_needs_no_assumption(tmp_path, reader):
    reading = foreign.read(write(tmp_path, reader, GOOD), BINARY)
    assert reading.assumptions == ()
    assert (reading.predictions.label == Y).all()
    assert reading.predictions.probability[:, 1] == pytest.approx(P)


# What the options settle


def settled(tmp_path, reader, columns, **options):
    wanted = {"label": "y", "groups": ("g",), "id": "id"} | options
    return foreign.read(write(tmp_path, reader, columns), Columns(**wanted))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "classes", [["LABEL_0=0,LABEL_1=1"], ["0,1"], ["LABEL_0=0", "LABEL_1=1"],
                ['{"LABEL_0": "0", "LABEL_1": 1}'], ["label_0=0,label_1=1"]],
)  # fmt: skip
def test_classes_name_predictions(tmp_path, reader, classes):
    columns = changed(q=[f"LABEL_{k}" for k in MADE])
    names = class_names.parse(classes)
    found, assumed = settled(tmp_path, reader, columns, prediction="q", classes=names)
    assert (found.prediction == MADE).all()
    assert found.classes == ("0", "1")
    assert assumed == ()


@pytest.mark.parametrize("reader", READERS)
def test_a_top_score_is_read_where_asked_to(tmp_path, reader):
    columns = changed(p=top_scores())
    found, _ = settled(
        tmp_path, reader, columns, prediction="q", probability=("p",), top_score=True
    )
    assert found.probability[:, 1] == pytest.approx(P, abs=1e-9)


@pytest.mark.parametrize("reader", READERS)
def test_thresholds_as_a_suite_has(tmp_path, reader):
    black = [None if i % 5 == 0 else VOTES[i] for i in range(N)]
    columns = changed(y=VOTES, g=black, sex=GOOD["g"])
    found, assumed = settled(
        tmp_path, reader, columns, probability=("p",), groups=("g", "sex"),
        label_threshold=0.5, group_threshold=0.5, threshold=0.3,
    )  # fmt: skip
    assert found.classes == ("not y", "y")
    assert (found.label == (np.array(VOTES) >= 0.5)).all()
    want = ["" if v is None else "g" if v >= 0.5 else "not g" for v in black]
    assert found.groups["g"].tolist() == want
    assert found.groups["sex"].tolist() == GOOD["g"]
    assert (found.prediction == (P >= 0.3)).all()
    assert assumed == ()


@pytest.mark.parametrize("reader", READERS)
def test_spellings_of_nothing(tmp_path, reader):
    columns = changed(g=[("f", "m", "None", "NA")[i % 4] for i in range(N)])
    found, assumed = settled(tmp_path, reader, columns, probability=("p",), missing=("None", "NA"))
    assert set(found.groups["g"].tolist()) == {"f", "m", ""}
    assert assumed == ()


@pytest.mark.parametrize("reader", READERS)
def test_one_class_that_columns_predictions_or_an_option_complete(tmp_path, reader):
    columns = changed(y=[0] * N, p_0=(1 - P).tolist(), p_1=GOOD["p"])
    for options in (
        {"probability": ("p_0", "p_1")},
        {"prediction": "q"},
        {"probability": ("p_1",), "classes": class_names.parse(["0,1"])},
    ):
        found, assumed = settled(tmp_path, reader, columns, **options)
        assert found.classes == ("0", "1")
        assert (found.prediction == MADE).all()
        assert assumed == ()


THREE = np.array(["neg", "neu", "pos"])[RNG.integers(0, 3, N)]
SURE = np.array([[0.8 if name == y else 0.1 for name in ("neg", "neu", "pos")] for y in THREE])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("ends", [("Pos", "Neu", "Neg"), ("POS", "neu", "NEG")])
def test_columns_are_matched_whatever_their_case(tmp_path, reader, ends):
    order = [("neg", "neu", "pos").index(end.lower()) for end in ends]
    named = {f"p_{end}": SURE[:, k].tolist() for end, k in zip(ends, order, strict=True)}
    columns = changed(y=THREE.tolist(), **named)
    found, assumed = settled(tmp_path, reader, columns, probability=tuple(named))
    assert (found.prediction == found.label).all()
    assert assumed == ()


@pytest.mark.parametrize("reader", READERS)
def test_an_order_that_is_assumed_must_fit(tmp_path, reader):
    right = {f"p{k}": SURE[:, k].tolist() for k in range(3)}
    columns = changed(y=THREE.tolist(), **right)
    found, assumed = settled(tmp_path, reader, columns, probability=("p0", "p1", "p2"))
    assert "in this order" in assumed[0]
    assert (found.prediction == found.label).all()
    wrong = {f"p{k}": SURE[:, (k + 1) % 3].tolist() for k in range(3)}
    with pytest.raises(BadInputError, match="--classes neu,pos,neg"):
        settled(tmp_path, reader, changed(y=THREE.tolist(), **wrong),
                probability=("p0", "p1", "p2"))  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_classes_that_are_one_are_added(tmp_path, reader):
    named = {f"p_{n}": SURE[:, k].tolist() for k, n in enumerate(("neg", "neu", "pos"))}
    columns = changed(y=["pos" if y == "pos" else "other" for y in THREE], **named)
    names = class_names.parse(["neg=other,neu=other,pos=pos"])
    found, _ = settled(tmp_path, reader, columns, probability=tuple(named), classes=names)
    assert found.probability[:, 1] == pytest.approx(SURE[:, 2])
    assert found.classes == ("other", "pos")


@pytest.mark.parametrize("reader", ["jsonl", "json", "parquet"])
def test_nested_fields(tmp_path, reader):
    doc = [{"label": int(y), "meta": {"g": g}} for y, g in zip(Y, GOOD["g"], strict=True)]
    columns = {"doc": doc, "p": GOOD["p"], "id": GOOD["id"]}
    found, _ = settled(
        tmp_path, reader, columns, label="doc.label", probability=("p",), groups=("doc.meta.g",)
    )
    assert (found.label == Y).all()
    assert found.groups["doc.meta.g"].tolist() == GOOD["g"]
    with pytest.raises(BadInputError, match=r"name one of (its|their) fields: 'doc.label'"):
        settled(tmp_path, reader, columns, label="doc", probability=("p",), groups=())
    with pytest.raises(BadInputError, match=r"no column 'doc\.none'"):
        settled(tmp_path, reader, columns, label="doc.none", probability=("p",), groups=())


@pytest.mark.parametrize("reader", READERS)
def test_strings_stay_as_written(tmp_path, reader):
    days = [f"2024-01-{1 + i % 28:02}T00:00:{i // 28:02}" for i in range(N)]
    found, _ = settled(
        tmp_path, reader, changed(id=days, g=[d[:10] for d in days]), probability=("p",)
    )
    assert found.example_id.tolist() == days
    assert found.groups["g"].tolist() == [d[:10] for d in days]


def test_python_writes_nan_into_json(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [dict(zip(GOOD, row, strict=True)) for row in zip(*GOOD.values(), strict=True)]
    rows[3]["g"] = float("nan")
    path.write_text("\n".join(map(json.dumps, rows)))
    found = foreign.read(path, BINARY).predictions
    assert found.groups["g"][3] == ""
    rows[4]["p"] = float("nan")
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(BadInputError, match="column 'p', row 5: missing"):
        foreign.read(path, BINARY)


def test_excels_first_line_and_decimal_commas(tmp_path):
    path = tmp_path / "p.csv"
    lines = [
        f"r{i};{y};{str(p).replace('.', ',')};f" for i, (y, p) in enumerate(zip(Y, P, strict=True))
    ]
    path.write_text("\ufeffsep=;\nid;y;p;g\n" + "\n".join(lines))
    assert foreign.read(path, BINARY).predictions.probability[:, 1] == pytest.approx(P)


@pytest.mark.parametrize("mark", [",", "\t"])
@pytest.mark.parametrize("wanted", [("y", "q"), ("y", "q", "g", "id")])
def test_a_stray_quotation_mark_swallows_no_rows(tmp_path, mark, wanted):
    path = tmp_path / "p.csv"
    rows = [[f"r{i}", f"text number {i}", y, q, "fm"[i % 2]]
            for i, (y, q) in enumerate(zip(Y, MADE, strict=True))]  # fmt: skip
    rows[20][1], rows[120][1] = '"I do not know', '"Another one'
    path.write_text(
        "\n".join(mark.join(map(str, row)) for row in [["id", "t", "y", "q", "g"], *rows])
    )
    columns = Columns(label="y", prediction="q", groups=("g",) if "g" in wanted else ())
    with pytest.raises(BadInputError, match=r"row 21: .*101 rows would be read as one"):
        foreign.read(path, columns)


def test_texts_that_span_lines_are_read(tmp_path):
    path = tmp_path / "p.csv"
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["t", "y", "q"])
    writer.writerows([f"I give it, {i}\nand, 1 more\n\nend", y, q]
                     for i, (y, q) in enumerate(zip(Y, MADE, strict=True)))  # fmt: skip
    path.write_text(text.getvalue())
    found = foreign.read(path, Columns(label="y", prediction="q")).predictions
    assert (found.label == Y).all()


# Two files


def both(tmp_path, reader, new, old, **options):
    wanted = {"label": "y", "probability": ("p",), "groups": ("g",), "id": "id"} | options
    files = write(tmp_path, reader, new), write(tmp_path, "csv", old, "old")
    return pairs.read(*files, Columns(**wanted))


@pytest.mark.parametrize("reader", READERS)
def test_few_shared_ids_are_said(tmp_path, reader):
    ids = [f"r{i}" if i < 50 else f"z{i}" for i in range(N)]
    one, _ = both(tmp_path, reader, changed(id=ids), GOOD)
    assert one.assumptions == (
        "50 ids are in both files, of 200 and 200: only those are compared",
    )


@pytest.mark.parametrize("reader", READERS)
def test_rows_without_ids(tmp_path, reader):
    one, _ = both(tmp_path, reader, GOOD, GOOD, id="")
    assert "rows are paired by their number" in one.assumptions[0]
    with pytest.raises(BadInputError, match="199 and 200 rows"):
        both(tmp_path, reader, {k: v[1:] for k, v in GOOD.items()}, GOOD, id="")


@pytest.mark.parametrize("reader", READERS)
def test_ids_that_became_floats(tmp_path, reader):
    new = changed(id=[float(i) for i in range(N)])
    one, two = both(tmp_path, reader, new, changed(id=list(range(N))))
    assert one.predictions.example_id.tolist() == two.predictions.example_id.tolist()


@pytest.mark.parametrize("reader", READERS)
def test_labels_that_differ_in_spelling_between_files(tmp_path, reader):
    new = changed(y=[bool(y) for y in Y])
    one, two = both(tmp_path, reader, new, changed(y=["TRUE" if y else "FALSE" for y in Y]))
    assert one.predictions.classes == two.predictions.classes
    with pytest.raises(BadInputError, match=r"old.csv.*--classes 0=(f|F)alse,1=(t|T)rue"):
        both(tmp_path, reader, new, GOOD)


def test_ids_that_are_in_one_only_are_shown(tmp_path):
    one, two = both(tmp_path, "csv", changed(id=[f"x{i}" for i in range(N)]), GOOD)
    with pytest.raises(BadInputError, match=r"no id is in both .*'x0', 'x1', 'x2' against 'r0'"):
        pairs.match(one.predictions, two.predictions, names=("a", "b"))


# Cautions, and files of our own


def test_an_area_under_a_half_is_a_caution(tmp_path):
    path = write(tmp_path, "csv", changed(p=(1 - P).tolist()))
    audited = of_file.evidence(of_file.Files(test=path), BINARY)
    assert "probably of the other class, '0'" in audited.assumptions[0]
    fair = write(tmp_path, "csv", changed(p=RNG.random(N).tolist()))
    assert not any(
        "ROC" in x for x in of_file.evidence(of_file.Files(test=fair), BINARY).assumptions
    )


def test_what_is_assumed_is_printed_first_and_written(tmp_path):
    path = write(tmp_path, "csv", changed(p=(1 - P).tolist()))
    html, out = tmp_path / "a.html", tmp_path / "a.json"
    arguments = ("--replicates", 100, "--html", html, "--json", out)
    code, printed, _ = called("audit", path, *FLAGS, *arguments)
    assert code == 0
    first, second = printed.splitlines()[:2]
    assert "200 rows" in first
    assert second.startswith("! the ROC AUC is")
    assert json.loads(out.read_text())["assumptions"] == [second.removeprefix("! ")]
    assert "the ROC AUC is" in html.read_text()


def test_a_gate_prints_what_was_assumed(tmp_path):
    path = write(tmp_path, "csv", GOOD)
    flags = FLAGS[:-2]
    code, printed, _ = called(
        "gate", "--predictions", path, "--baseline-predictions", path, *flags, "--replicates", 100
    )
    assert code in {0, 3}
    assert "rows are paired by their number" in printed


@pytest.fixture
def own_file(tmp_path):
    """What a cell of a run leaves: two splits and a view, the positive class named "0"."""
    path = tmp_path / "predictions.parquet"

    def part(prefix: str, n: int) -> Predictions:
        return Predictions(
            example_id=np.array([f"{prefix}{i}" for i in range(n)]),
            label=Y[:n],
            groups={"sex": np.array(GOOD["g"][:n])},
            prediction=MADE[:n],
            probability=np.column_stack([1 - P[:n], P[:n]]),
            classes=("1", "0"),
        )

    answers = {("validation", "original"): part("v", 80), ("test", "original"): part("t", 120)}
    answers["test", "swap"] = part("t", 90)
    records.write_predictions(path, answers)
    return path


def test_predictions_of_our_own_runs(own_file):
    found, assumed = foreign.read(own_file, Columns())
    assert len(found.label) == 120
    assert found.classes == ("1", "0")
    assert found.probability[:, 1] == pytest.approx(P[:120])
    assert (found.label == Y[:120]).all()
    assert list(found.groups) == ["group:sex"]
    assert assumed == (
        "read: split 'test' only, not 'validation' (--split)",
        "read: view 'original' only, not 'swap' (--view)",
    )
    other, _ = foreign.read(own_file, Columns(split="validation"))
    assert len(other.label) == 80
    view, _ = foreign.read(own_file, Columns(view="swap"))
    assert len(view.label) == 90
    files = of_file.Files(test=own_file, validation=own_file)
    assert len(of_file.evidence(files, Columns()).evidence[0].validation[0].label) == 80


@pytest.mark.parametrize("reader", ["jsonl", "json"])
@pytest.mark.parametrize("large", [[2**63], [1, 2**70], 10**400])
def test_a_number_that_no_column_holds_is_refused(tmp_path, reader, large):
    path = write(tmp_path, reader, changed(p=[0.5, large, *GOOD["p"][2:]]))
    if isinstance(large, list):
        path = write(tmp_path, reader, changed(id=[large] * N))
    code, _, err = called("audit", path, *FLAGS)
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "a number is too large" in err
