"""Predictions from anywhere are read as they were meant, or refused in one line."""

import json
import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunefair.reading import class_names, foreign, pairs
from tunefair.reading.foreign import Columns
from tunefair.schema import BadInputError, Predictions

BINARY = Columns(label="y", probability=("p",), groups=("g",), id="id")
GOOD = "id,y,p,g\na,1,0.9,x\nb,0,0.2,y\nc,1,0.5,\n"


@pytest.fixture
def written(tmp_path):
    """Write a text or bytes to a file and return its path."""

    def write(content: str | bytes, name: str = "predictions.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, columns, **options) -> Predictions:
    return foreign.read(path, columns, **options).predictions


def assert_good(found: Predictions) -> None:
    assert found.example_id.tolist() == ["a", "b", "c"]
    assert found.classes == ("0", "1")
    assert found.label.tolist() == [1, 0, 1]
    assert found.probability[:, 1].tolist() == [0.9, 0.2, 0.5]
    assert found.prediction.tolist() == [1, 0, 1]
    assert found.groups["g"].tolist() == ["x", "y", ""]


# What is read


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(",", " , "),
        GOOD.replace("x", '"x"').replace("0.9", '"0.9"'),
        GOOD.replace(",1,", ",1.0,").replace(",0,", ",0.0,"),
        GOOD.rstrip("\n"),
        GOOD + "\n",
    ],
    ids=[
        "plain",
        "bom",
        "semicolon",
        "tab",
        "crlf",
        "spaces",
        "quoted",
        "floats",
        "open",
        "blank",
    ],
)
def test_any_usual_csv(written, content):
    columns = BINARY
    if " , " in content:
        content = content.replace("id , y , p , g", "id,y,p,g")
        content = "\n".join(line.strip() for line in content.splitlines()).replace(" ,", ",")
    assert_good(read(written(content), columns))


def rows() -> list[dict[str, object]]:
    return [
        {"id": "a", "y": 1, "p": 0.9, "g": "x"},
        {"id": "b", "y": 0, "p": 0.2, "g": "y"},
        {"id": "c", "y": 1, "p": 0.5, "g": None},
    ]


def test_parquet(tmp_path):
    table = pa.Table.from_pylist(rows())
    encoded = table.set_column(3, "g", table["g"].combine_chunks().dictionary_encode())
    for number, written_table in enumerate((table, encoded)):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(written_table, path)
        assert_good(read(path, BINARY))


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "json"])
def test_json_lines(written, ending):
    content = "\n".join(json.dumps(row) for row in rows())
    assert_good(read(written(content, f"p.{ending}"), BINARY))


def test_quoted_text_may_span_lines(written):
    content = 'id,t,y,p,g\na,"one,\ntwo ""2""",1,0.9,x\nb,é,0,0.2,y\nc,,1,0.5,\n'
    assert_good(read(written(content), BINARY))


def test_rows_without_ids_are_numbered(written):
    found = read(written(GOOD), Columns(label="y", probability=("p",)))
    assert found.example_id.tolist() == ["1", "2", "3"]
    assert found.groups == {}


def test_predictions_alone_have_no_probability(written):
    found = read(written("y,q\n1,0\n0,0\n1,1\n"), Columns(label="y", prediction="q"))
    assert found.probability is None
    assert found.prediction.tolist() == [0, 0, 1]


def test_a_prediction_column_wins_over_the_argmax(written):
    columns = Columns(label="y", probability=("p",), prediction="q")
    found = read(written("y,p,q\n1,0.9,0\n0,0.2,0\n"), columns)
    assert found.prediction.tolist() == [0, 0]


@pytest.mark.parametrize("positive", ["cat", "dog"])
def test_the_positive_class_is_the_last(written, positive):
    columns = Columns(label="y", probability=("p",), positive=positive)
    found = read(written("y,p\ncat,0.9\ndog,0.2\n"), columns)
    assert found.classes[1] == positive
    assert found.probability[0].tolist() == pytest.approx([0.1, 0.9])


@pytest.mark.parametrize(
    ("one", "two", "positive"),
    [
        ("yes", "no", "yes"),
        ("True", "False", "True"),
        ("-1", "1", "1"),
        ("biased", "not biased", "biased"),
        ("NEGATIVE", "POSITIVE", "POSITIVE"),
    ],
)
def test_some_labels_say_themselves_which_is_positive(written, one, two, positive):
    found = read(written(f"y,p\n{one},0.9\n{two},0.2\n"), Columns(label="y", probability=("p",)))
    assert found.classes[1] == positive


MULTI = "y,p_dog,p_cat,p_ant\ncat,0.2,0.7,0.1\ndog,0.8,0.1,0.1\n"


def test_probability_columns_are_matched_by_name(written):
    """`ant` is in no row, and the columns are in another order than the labels."""
    columns = Columns(label="y", probability=("p_dog", "p_cat", "p_ant"))
    found = read(written(MULTI), columns)
    assert [found.classes[i] for i in found.label] == ["cat", "dog"]
    assert [found.classes[i] for i in found.prediction] == ["cat", "dog"]
    assert set(found.classes) == {"ant", "cat", "dog"}


@pytest.mark.parametrize(
    ("header", "order"),
    [("p0,p1,p2", "012"), ("p2,p1,p0", "210"), ("score 0,score 1,score 2", "012")],
)
def test_probability_columns_are_matched_by_number(written, header, order):
    content = f"y,{header}\n0,0.7,0.2,0.1\n2,0.1,0.1,0.8\n"
    found = read(written(content), Columns(label="y", probability=tuple(header.split(","))))
    assert found.classes == tuple(order)
    assert found.probability[0, found.classes.index(order[0])] == pytest.approx(0.7)


def test_probabilities_without_names_follow_the_labels_in_order_and_say_so(written):
    content = 'y,p\nb,"[0.1,0.8,0.1]"\na,"[0.9,0,0.1]"\nc,"[0,0,1]"\n'
    found, assumed = foreign.read(written(content), Columns(label="y", probability=("p",)))
    assert found.classes == ("a", "b", "c")
    assert (found.prediction == found.label).all()
    assert "of 'a', 'b', 'c' in this order" in assumed[0]
    assert "--classes a,b,c" in assumed[0]


def test_columns_that_name_no_label_are_refused(written):
    content = "y,first,second,third\nb,0.1,0.8,0.1\na,0.9,0,0.1\nc,0,0,1\n"
    columns = Columns(label="y", probability=("first", "second", "third"))
    with pytest.raises(BadInputError, match="--classes first=a,second=b,third=c"):
        read(written(content), columns)
    named = replace(columns, classes=class_names.parse(["a,b,c"]))
    assert (read(written(content), named).prediction == [1, 0, 2]).all()


@pytest.mark.parametrize("cell", ['"[0.2, 0.7, 0.1]"', '"(0.2 0.7  0.1)"', "[0.2;0.7;0.1]"])
def test_a_vector_column_in_csv(written, cell):
    content = f"y,p\n1,{cell}\n0,{cell}\n"
    found = read(written(content), Columns(label="y", probability=("p",)))
    assert found.classes == ("0", "1", "2")
    assert found.probability[0] == pytest.approx([0.2, 0.7, 0.1])


def test_a_vector_column_in_parquet(tmp_path):
    path = tmp_path / "v.parquet"
    vectors = [[0.2, 0.7, 0.1], [0.3, 0.3, 0.4]]
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.large_list(pa.float64())):
        pq.write_table(pa.table({"y": ["1", "0"], "p": pa.array(vectors, kind)}), path)
        found = read(path, Columns(label="y", probability=("p",)))
        assert found.probability == pytest.approx(np.array(vectors))


def test_two_columns_of_a_binary_task(written):
    columns = Columns(label="y", probability=("p_yes", "p_no"))
    found = read(written("y,p_yes,p_no\nyes,0.9,0.1\nno,0.2,0.8\n"), columns)
    assert found.classes == ("no", "yes")
    assert found.probability[:, 1] == pytest.approx([0.9, 0.2])


def test_rounded_probabilities_are_scaled_to_sum_to_one(written):
    columns = Columns(label="y", probability=("p0", "p1", "p2"))
    found = read(written("y,p0,p1,p2\n0,.333,.333,.333\n1,.2,.4,.4\n"), columns)
    assert found.probability.sum(axis=1) == pytest.approx([1, 1], abs=1e-12)


def test_a_validation_file_has_the_classes_of_the_test_file(written):
    columns = Columns(label="y", probability=("p",))
    found = read(written("y,p\nb,0.9\nb,0.2\n"), columns, classes=("a", "b"))
    assert found.classes == ("a", "b")
    with pytest.raises(BadInputError, match=r"column 'y', row 2 = 'c': no class of 'a', 'b'"):
        read(written("y,p\nb,0.9\nc,0.2\n"), columns, classes=("a", "b"))


# What is refused: file, column, row and value in one line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.replace("0.2", "1.2"), r"column 'p', row 2 = 1\.2: not a probability"),
        (GOOD.replace("0.2", "-0.1"), r"column 'p', row 2 = -0\.1: not a probability"),
        (GOOD.replace("0.2", "inf"), r"column 'p', row 2 = inf: not a probability"),
        (GOOD.replace("0.2", "nan"), r"column 'p', row 2.*NaN"),
        (GOOD.replace("0.2", ""), r"column 'p', row 2: missing"),
        (GOOD.replace("0.2", "high"), r"column 'p', row 2 = 'high': not a number"),
        (GOOD.replace("b,0,0.2,y", 'b,0,"0,2",y'), r"column 'p', row 2 = '0,2': a decimal comma"),
        (GOOD.replace("b,0,", "b,,"), r"column 'y', row 2: missing"),
        (GOOD.replace("\nb,", "\na,"), r"column 'id', row 2 = 'a': row 1 has this id too"),
        (GOOD.replace("\nb,", "\n,"), r"column 'id', row 2: no id"),
        (GOOD.replace(",x", ",").replace(",y\n", ",\n"), r"column 'g': every group is missing"),
        (GOOD.replace(",x", ",gap"), r"column 'g', row 1 = 'gap'"),
        (GOOD.replace(",0,", ",1,"), r"column 'y' holds only one class, '1'"),
        (GOOD.replace(",0,", ",2,"), r"column 'y' holds '1', '2': say which of them is positive"),
        (GOOD + "d,2,0.5,x\n", r"column 'y' has 3 labels.*repeat --probability"),
        (GOOD.replace("id,y", "id,z"), r"no column 'y'; there are: 'id', 'z', 'p', 'g'"),
        (GOOD.replace("id,y", "y,y"), r"column 'y' occurs twice"),
        (GOOD + "d,1\n", r"row 4: 2 fields where the header has 4"),
        (GOOD.replace(",x", ",x,x"), r"row 1: 5 fields where the header has 4"),
        (GOOD.replace(",x", ',"x'), r"a quotation mark is never closed"),
        (GOOD.replace("b,", "b\0,"), r"row 2: a NUL byte"),
        (GOOD.replace(",y\n", ",é\n").encode("latin-1"), r"column 'g', row 2: not UTF-8"),
        (GOOD.replace(",g\n", ",é\n").encode("latin-1"), r"the header is not UTF-8"),
        (GOOD.encode("utf-16"), r"UTF-16; save it as UTF-8"),
        ("", r"the file is empty"),
        ("id,y,p,g\n", r"no rows"),
        ("\n\n", r"no column"),
    ],
)
def test_bad_csv(written, content, said):
    columns = BINARY
    with pytest.raises(BadInputError, match=said) as refused:
        read(written(content), columns)
    assert "\n" not in str(refused.value)
    assert "predictions.csv" in str(refused.value)


def test_one_row(written):
    with pytest.raises(BadInputError, match="only one class"):
        read(written("\n".join(GOOD.splitlines()[:2])), BINARY)


def test_ten_thousand_groups(written):
    lines = [f"{i},{i % 2},0.5,g{i}" for i in range(10_000)]
    with pytest.raises(BadInputError, match=r"column 'g' has 10000 distinct values"):
        read(written("\n".join(["id,y,p,g", *lines])), BINARY)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("y,p0,p1,p2\n0,.3,.3,.3\n1,.2,.4,.4\n", r"row 1: the probabilities sum to 0\.9"),
        ("y,p0,p1,p2\n0,.3,.3,.4\n3,.2,.4,.4\n1,1,0,0\n2,1,0,0\n", r"4 labels.*3 probabilities"),
        ("y,p0,p1,p2\na,.3,.3,.4\nb,.2,.4,.4\n", r"2 labels \('a', 'b'\).*3 probabilities"),
        ("y,p0,p1,p2\n0,.3,.3,.4\n1,.2,x,.4\n", r"column 'p1', row 2 = 'x': not a number"),
        ("y,p0,p1,p2\n0,.3,.3,.4\n1,.2,2,.4\n", r"column 'p1', row 2 = 2\.0: not a probability"),
    ],
)
def test_bad_multi_class(written, content, said):
    with pytest.raises(BadInputError, match=said):
        read(written(content), Columns(label="y", probability=("p0", "p1", "p2")))


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ([[0.2, 0.8], [0.1, 0.2, 0.7]], r"column 'p', row 2: 3 numbers where row 1 has 2"),
        ([[0.2, 0.8], [None, 0.7]], r"column 'p', row 2: missing"),
        ([[0.2, 0.8], [float("nan"), 0.7]], r"column 'p', row 2: not a number"),
        ([[0.2, 0.8], None], r"column 'p', row 2: 0 numbers"),
    ],
)
def test_bad_vectors(tmp_path, vectors, said):
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"y": ["1", "0"], "p": vectors}), path)
    with pytest.raises(BadInputError, match=said):
        read(path, Columns(label="y", probability=("p",)))


def test_positive_must_be_a_label_of_two(written):
    path = written("y,q\na,a\nb,b\n")
    with pytest.raises(BadInputError, match="positive 'z' is no label"):
        read(path, Columns(label="y", prediction="q", positive="z"))
    three = written("y,q\na,a\nb,b\nc,c\n", "three.csv")
    with pytest.raises(BadInputError, match="`positive` is for two"):
        read(three, Columns(label="y", prediction="q", positive="a"))


def test_neither_probability_nor_prediction(written):
    with pytest.raises(BadInputError, match="name --probability or --prediction"):
        read(written(GOOD), Columns(label="y"))


def test_truncated_parquet(tmp_path):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_pylist(rows()), path)
    whole = path.read_bytes()
    for length in (3, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BadInputError, match="not a complete Parquet file"):
            read(path, BINARY)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"y": 1}\n{"y": 0, "p"', r"JSON Lines|one JSON object"),
        ('[{"y": 1}, 2]', "row 2: not an object"),
        ('[{"y": 1} {"y": 2}]', "row 1: no comma or ]"),
        ('[{"y": 1}', "row 1: no comma or ]"),
        ('[{"y": 1}] []', "something follows the array"),
        (
            '{"id": "a", "y": 1}\n{"id": "b", "y": "x"}\n',
            r"row 2: .*changed from number to text",
        ),
        (
            '{"y": 1, "p": 1, "g": {"a": 1}}\n{"y": 0, "p": 1, "g": {}}',
            "name one of its fields: 'g.a'",
        ),
        (b'{"y": 1}\n{"y": "\xe9"}\n', "row 2: not UTF-8"),
    ],
)
def test_bad_json(written, content, said):
    with pytest.raises(BadInputError, match=said):
        read(written(content, "p.jsonl"), Columns(label="y", prediction="p", groups=("g",)))


def test_files_that_are_none(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        read(tmp_path / "none.csv", BINARY)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadInputError, match="Is a directory"):
        read(tmp_path / "folder.csv", BINARY)
    (tmp_path / "p.xlsx").write_bytes(b"PK")
    with pytest.raises(BadInputError, match=r"unknown kind of file; there are: \.csv"):
        read(tmp_path / "p.xlsx", BINARY)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(written):
    path = written(GOOD)
    path.chmod(0)
    with pytest.raises(BadInputError, match="Permission denied"):
        read(path, BINARY)


# Pairs


def test_pairs_share_ids_in_the_order_of_the_first(written):
    first = read(written(GOOD), BINARY)
    second = read(written("id,y,p,g\nc,1,0.1,x\na,1,0.3,x\nz,0,0.2,x\n"), BINARY)
    one, two = pairs.match(first, second, names=("a.csv", "b.csv"))
    assert one.example_id.tolist() == two.example_id.tolist() == ["a", "c"]
    assert two.probability[:, 1].tolist() == [0.3, 0.1]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("id,y,p,g\nd,1,0.1,x\ne,0,0.3,x\n", "no id is in both"),
        ("id,y,p,g\na,0,0.1,x\nb,1,0.3,x\n", "the label of id 'a' differs"),
        ("id,y,p,g\na,yes,0.1,x\nb,no,0.3,x\n", "different classes"),
    ],
)
def test_what_cannot_be_paired(written, other, said):
    first = read(written(GOOD), BINARY)
    second = read(written(other, "other.csv"), BINARY)
    with pytest.raises(BadInputError, match=f"a.csv and b.csv: {said}"):
        pairs.match(first, second, names=("a.csv", "b.csv"))


# Nothing else can happen


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.integers(0, 60),
    junk=st.one_of(st.binary(max_size=12), st.sampled_from([b'"', b"\n", b",", b"\0", b"\xff"])),
    name=st.sampled_from(["p.csv", "p.tsv", "p.jsonl", "p.parquet"]),
)
def test_a_spoilt_file_is_read_or_refused_in_one_line(tmp_path, place, junk, name):
    path = tmp_path / name
    if name.endswith("jsonl"):
        content = "\n".join(json.dumps(row) for row in rows()).encode()
    elif name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows()), path)
        content = path.read_bytes()
        place = place * len(content) // 60
    else:
        content = GOOD.encode()
    path.write_bytes(content[:place] + junk + content[place:])
    message = ""
    try:
        read(path, BINARY)
    except BadInputError as refused:
        message = str(refused)
    assert "\n" not in message
