"""Suites and tables that would fill the memory, hang a parser or reach a terminal: one line."""

import json
import os
import resource
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import _house
from tunefair import suite
from tunefair.reading import confined, foreign
from tunefair.reading.foreign import Columns
from tunefair.schema import BadInputError
from tunefair.storage import files, records

BINARY = Columns(label="y", probability=("p",), groups=("g",))


def read(path, columns):
    return foreign.read(path, columns).predictions


def write_rows(path, group, n=1000):
    table = {"y": np.arange(n) % 2, "p": np.full(n, 0.5), "g": group}
    pq.write_table(pa.table(table), path, compression="zstd", write_statistics=False)


def test_a_few_bytes_that_say_a_giant_text_many_times(tmp_path):
    once = pa.array(["x" * 10**6])
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), once)
    write_rows(tmp_path / "p.parquet", many)
    with pytest.raises(BadInputError, match="unpack to 1e"):
        foreign.read(tmp_path / "p.parquet", BINARY)
    with pytest.raises(BadInputError, match="unpack to 1e"):
        records.read_table(tmp_path / "p.parquet")


def test_a_few_bytes_that_say_millions_of_rows(tmp_path):
    n = 5_000_000
    write_rows(tmp_path / "p.parquet", pa.array(["a"]).take(pa.array(np.zeros(n, np.int32))), n)
    assert (tmp_path / "p.parquet").stat().st_size < 10**5
    with pytest.raises(BadInputError, match="unpack to"):
        foreign.read(tmp_path / "p.parquet", BINARY)


def test_honest_repetition_is_read(tmp_path):
    n = 300_000
    rng = np.random.default_rng(0)
    groups = rng.choice(["a", "b"], n)
    table = {"y": rng.integers(0, 2, n), "q": rng.integers(0, 2, n), "g": groups}
    pq.write_table(pa.table(table), tmp_path / "p.parquet", compression="zstd")
    columns = Columns(label="y", prediction="q", groups=("g",))
    assert len(read(tmp_path / "p.parquet", columns).label) == n


def test_lines_with_a_key_each(tmp_path):
    path = tmp_path / "p.jsonl"
    lines = (json.dumps({"y": i % 2, "p": 0.5, f"k{i}": 1}) for i in range(8000))
    path.write_text("\n".join(lines))
    assert len(read(path, Columns(label="y", probability=("p",))).label) == 8000


def test_a_hundred_thousand_columns(tmp_path):
    names = ",".join(f"c{i}" for i in range(100_000))
    row = ",".join(["1"] * 100_000)
    (tmp_path / "p.csv").write_text(f"y,p,{names}\n0,0.1,{row}\n1,0.9,{row}\n")
    assert len(read(tmp_path / "p.csv", Columns(label="y", probability=("p",))).label) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("y,p,g\n0,0.5,\x1b[31mx\n1,0.5,y\n", "control character"),
        ("y,p,g\n0,0.5,\0\n1,0.5,y\n", "a NUL byte"),
        ("y,p,g\n0,0.5," + "x" * (1 << 25) + "\n1,0.5,y\n", "not a CSV table"),
        ('y,p,g\n0,0.5,"x\n1,0.5,y\n', "never closed"),
        ("y,p,g\n0,0.5,x\n1,0.5\n", "row 2: 2 fields"),
        ("y,p\n0,0.5\n1,0.5\n", "no column 'g'"),
        ("y,y,p,g\n0,0,0.5,x\n1,1,0.5,x\n", "occurs twice"),
    ],
)
def test_hostile_csv(content, said, tmp_path):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(BadInputError, match=said):
        foreign.read(tmp_path / "p.csv", BINARY)


def varint(number: int, length: int = 0) -> bytes:
    """A number as Thrift's compact protocol writes it, padded to a length."""
    rest, digits = number << 1, []
    while rest or not digits:
        digits.append(rest & 0x7F)
        rest >>= 7
    digits += [0] * (length - len(digits))
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


@pytest.mark.parametrize("lies", [("num_values", "total_uncompressed_size"), ("num_values",)])
def test_a_footer_that_lies_about_its_columns(tmp_path, lies):
    """By its footer each part has eight values; the pages say 20 million."""
    path = tmp_path / "p.parquet"
    ones = pa.table({"y": pa.array(np.zeros(2_000_000, np.int64))})
    with pq.ParquetWriter(path, ones.schema, compression="zstd", write_statistics=False) as file:
        for _ in range(10):
            file.write_table(ones, row_group_size=2_000_000)
    whole = path.read_bytes()
    size = int.from_bytes(whole[-8:-4], "little")
    footer = whole[-8 - size : -8]
    part = pq.read_metadata(path).row_group(0).column(0)
    for name in lies:
        true = varint(getattr(part, name))
        assert true in footer
        footer = footer.replace(true, varint(8, len(true)))
    path.write_bytes(whole[: -8 - size] + footer + whole[-8:])
    with pytest.raises(BadInputError, match=r"not a complete Parquet file|unpack to"):
        foreign.read(path, Columns(label="y", prediction="y"))


@pytest.fixture
def request_for(tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"few")
    return {"path": str(tmp_path / "p.parquet"), "columns": [], "out": str(tmp_path / "o")}


def test_a_reading_that_takes_too_much_memory_is_ended(request_for):
    def greedy(path, columns):
        return pa.table({"x": np.ones(10**9)})

    outcome, message = confined._forked(request_for, greedy)
    assert outcome == "refused"
    assert "3 bytes that take more than 1 GiB" in message


def test_a_reading_that_takes_too_long_is_ended(request_for, monkeypatch):
    def endless(path, columns):
        while True:
            pass

    monkeypatch.setattr(confined, "_seconds", lambda path: 1.0)
    outcome, message = confined._forked(request_for, endless)
    assert outcome == "refused"
    assert "takes longer than 1 s" in message


def test_a_reading_that_writes_too_much_or_dies_is_refused(request_for):
    def dying(path, columns):
        os._exit(3)

    assert confined._forked(request_for, dying)[0] == "refused"


def test_escaped_keys_take_little_memory(tmp_path):
    """Made into columns they would take gigabytes."""
    path = tmp_path / "p.jsonl"
    line = '{{"y": {y}, "p": 0.5, {keys}}}'
    keys = ", ".join(f'"\\u0061{k}": 1' for k in range(60))
    rows = (line.format(y=i % 2, keys=keys.replace("a", f"a{i}x")) for i in range(800))
    path.write_text("\n".join(rows))
    command = [sys.executable, "-c", LIMITED, str(3 * 2**30), "audit", path]
    arguments = ["--label", "y", "--probability", "p", "--replicates", "100"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SUITES = {
    "name leads out": ('name = "../../etc"', "name = '../../etc'"),
    "name is absolute": ('name = "/etc"', "name = '/etc'"),
    "name rings": ('name = "a\\u0007"', "a control character"),
    "key rings": ('"\\u001b]0;x" = 1', "a control character"),
    "nested arrays": ("a = " + "[" * 10**5, "recursion"),
    "nested tables": ("a = " + "{a=" * 30_000, "recursion"),
    "nested keys": (".".join(["a"] * 20_000) + " = 1", "points"),
    "nested below points": ("\n".join([".".join(["a"] * 900) + f".b{i} = 1" for i in range(90)]),
                            "recursion"),
    "too large": ("\n".join(f"k{i} = {i}" for i in range(30_000)), "characters; at most"),
    "long number": ("a = " + "9" * 10_000, "digits"),
    "not UTF-8": (b"\xff\xfe", "decode"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUITES)
def test_hostile_suites(name, tmp_path):
    content, said = SUITES[name]
    path = tmp_path / "s.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInputError, match=said):
        suite.read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("amount = 6", "amount = inf"), "budget.amount"),
        (("amount = 6", "amount = nan"), "budget.amount"),
        (("seeds = [0, 1]", f"seeds = [{10**30}]"), "seeds"),
        (("seeds = [0, 1]", "seeds = [-1]"), "seeds"),
        (("batch_size = 16", f"batch_size = {10**12}"), "batch_size"),
        (("learning_rate = 1e-3", "learning_rate = inf"), "learning_rate"),
        (("replicates = 200", f"replicates = {10**12}"), "replicates"),
        (("max_tokens = 32", f"max_tokens = {10**12}"), "max_tokens"),
        (("[strategies.own]", '[strategies."../mine/own"]'), "no strategies named"),
        (("[strategies.own]", '[strategies."/etc/passwd"]'), "no strategies named"),
        (('source = "files"', 'source = "../files"'), "no tasks named"),
        (('path = "planted.csv"', 'path = "/dev/zero"'), "not a file"),
    ],
)
def test_suites_that_ask_for_too_much(change, said, tmp_path):
    path = _house.build(tmp_path)
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    done = _house.tunefair("run", path, "--runs", tmp_path / "runs", timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "runs").glob("*/cells/*"))


def test_a_problem_is_one_printable_line(tmp_path):
    name = "no\x1b[2Jsuch\nsuite" * 300
    done = _house.tunefair("plan", name, "--runs", tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 2100
    assert "\x1b" not in done.stderr


def test_secrets_of_the_environment_stay_there(tmp_path, monkeypatch):
    secrets = {
        "HF_TOKEN": "hf_plantedplantedplanted",
        "AWS_SECRET_ACCESS_KEY": "planted/secret/key",
        "MY_PASSWORD": "planted-password",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    path = _house.build(tmp_path, steps=1)
    page = tmp_path / "runs" / "small"
    done = _house.tunefair("run", path, "--runs", tmp_path / "runs", "--seeds", 1)
    assert done.returncode == 0, done.stderr
    assert _house.tunefair("baseline", page, "--out", tmp_path / "base").returncode == 0
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {"report.html", "environment.json", "baseline.json"} <= {p.name for p in written}
    for file in written:
        content = file.read_bytes()
        for text in (*secrets, *secrets.values()):
            assert text.encode() not in content, file.name


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)),) * 2)
from tunefair.cli import app
app.main()
"""


def test_a_bomb_is_refused_within_a_small_memory(tmp_path):
    """Were the file unpacked, it would take 20 GB."""
    once = pa.array(["x" * 10**6])
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), once)
    write_rows(tmp_path / "p.parquet", many, 20_000)
    command = [sys.executable, "-c", LIMITED, str(4 * 2**30), "audit", tmp_path / "p.parquet"]
    arguments = ["--label", "y", "--probability", "p", "--group", "g"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unpack to" in done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_a_sealed_folder_holds_plain_files_only(tmp_path):
    """A link or a pipe in it could lead out, or never end."""
    canary = tmp_path / "canary"
    canary.write_text("outside")
    cell = tmp_path / "cell"
    files.write_sealed(cell, lambda folder: files.write(folder / "a", "outside"))
    assert files.is_sealed(cell)
    (cell / "a").unlink()
    (cell / "a").symlink_to(canary)
    assert not files.is_sealed(cell)
    (cell / "a").unlink()
    os.mkfifo(cell / "a")
    assert not files.is_sealed(cell)
    (cell / files.SEAL).unlink()
    os.mkfifo(cell / files.SEAL)
    assert not files.is_sealed(cell)
