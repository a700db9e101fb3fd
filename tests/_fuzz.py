"""Inputs made from valid ones by spoiling them: bytes, values, columns, whole parts."""

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck
from hypothesis import strategies as st

from tunefair import plugins
from tunefair.planning import compose
from tunefair.schema import AuditSettings
from tunefair.storage import files

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
SETTINGS = AuditSettings(replicates=100, min_group_size=5)
RULES = '[[gate]]\nmetric = "accuracy"\nmax_loss = 0.05\n'
SUITE = b"""
name = "small"
seeds = [0, 1]
yardsticks = ["majority", "tfidf"]
reference = "full"
task = { source = "files", path = "planted.csv", groups = ["group"] }
model = { source = "package:minilm", max_tokens = 32 }
budget = { currency = "steps", amount = 6 }
training = { batch_size = 16, learning_rate = 1e-3 }
audit = { audits = ["accuracy", "cost"], replicates = 200, pairs = [["full", "x"]] }
[strategies.full]
[strategies.x]
use = "lora+weighted"
lora = { rank = 4 }
[[gate]]
metric = "accuracy"
max_loss = 0.01
"""
STRATEGIES = plugins.names("tunefair.strategies")
ROWS = [
    {"id": f"r{i}", "y": i % 2, "p": round((i * 7 % 11) / 11, 3), "g": "ab"[i % 3 == 0]}
    for i in range(12)
]
FLAGS = ("--label", "y", "--probability", "p", "--group", "g", "--id", "id")
JUNK = ["", "nan", "inf", "-1", "1e999", "=1+1", "@SUM(A1)", "\x1b[2J", "\0", '"', "'", "\n", "\r",
        "\t", ",", ";", "[", "]", "{", "}", "::", "gap", "../..", "<script>", "é", "\u202e",
        "\ud7ff",
        "9" * 400, "true", "null", "[0.5, 0.5]", "-0", "0x1", "1_0", "\ufeff", "A×B"]  # fmt: skip
odd_texts = st.one_of(st.sampled_from(JUNK), st.text(max_size=12))
odd_numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63, -(2**63), 2**64, 10**30]),
    st.floats(),
)
scalars = st.one_of(odd_texts, odd_numbers, st.booleans())
values = st.recursive(
    scalars,
    lambda of: st.one_of(st.lists(of, max_size=3), st.dictionaries(odd_texts, of, max_size=3)),
    max_leaves=6,
)


@st.composite
def spliced(draw: Any, content: bytes) -> bytes:
    """The content with some bytes cut out, put in, copied or moved."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 2, 8, 64, 10**6])))
        junk = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from(JUNK).map(lambda text: text.encode("utf-8", "surrogatepass")),
                st.just(content[start:end] * 2),
            )
        )
        content = content[:start] + junk + content[end:]
    return content


def toml(value: Any) -> str:
    """A value as inline TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)} = {toml(v)}' for k, v in value.items())}}}"
    return repr(value)


KEYS = [
    "name",
    "description",
    "task",
    "model",
    "budget",
    "training",
    "strategies",
    "seeds",
    "yardsticks",
    "reference",
    "attribute",
    "strategy_path",
    "keep_models",
    "audit",
    "gate",
]
INSIDE = [
    "source",
    "path",
    "revision",
    "max_tokens",
    "currency",
    "amount",
    "batch_size",
    "learning_rate",
    "warmup",
    "audits",
    "replicates",
    "pairs",
    "metric",
    "max_loss",
    "min_value",
    "use",
    "lora",
    "rank",
    "full",
    "weighted",
    "selection",
    "precision",
    "intersections",
    "min_group_size",
    "seed",
    "group",
    "attribute",
    "strategies",
]


@st.composite
def assigned(draw: Any) -> bytes:
    """The valid suite with some keys given other values, or keys added."""
    lines = SUITE.decode().splitlines()
    for _ in range(draw(st.integers(1, 3))):
        line = draw(st.integers(0, len(lines) - 1))
        key = draw(st.sampled_from([*KEYS, *INSIDE]))
        table = st.dictionaries(st.sampled_from(INSIDE), values, max_size=4)
        written = f"{key} = {toml(draw(st.one_of(values, table)))}"
        if draw(st.booleans()):
            lines.insert(line, written)
        else:
            lines[line] = written
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@cache
def options_of(strategy: str) -> dict[str, Any]:
    """Return a strategy's options at their defaults, those that TOML can say."""
    (part,) = compose.build(strategy, {}).values()
    return {name: value for name, value in asdict(part).items() if value is not None}


@st.composite
def composed(draw: Any) -> bytes:
    """The valid suite with strategies that exist put together, some of their options drawn."""
    text = SUITE.decode().partition("[strategies.x]")[0]
    for label in ("x", "y"):
        parts = draw(st.lists(st.sampled_from(STRATEGIES), min_size=1, max_size=3))
        use = "+".join(parts)
        text += f"[strategies.{label}]\nuse = {toml(use)}\n"
        part = draw(st.sampled_from(parts))
        known = options_of(part)
        if known and draw(st.booleans()):
            name = draw(st.sampled_from(sorted(known)))
            option = {name: draw(st.one_of(st.just(known[name]), odd_numbers, values))}
            for key, value in (option if use == part else {part: option}).items():
                text += f"{key} = {toml(value)}\n"
    return text.encode("utf-8", "surrogatepass")


def suite_texts() -> st.SearchStrategy[bytes]:
    """Suites, most of them nearly valid."""
    return st.one_of(composed(), assigned(), spliced(SUITE), st.binary(max_size=200))


def table(rows: list[dict[str, Any]], name: str) -> bytes:
    """Rows in the format that a file's ending names."""
    if name.endswith("jsonl"):
        return "\n".join(json.dumps(row) for row in rows).encode("utf-8", "surrogatepass")
    if name.endswith("parquet"):
        sink = io.BytesIO()
        columns = {key: [row.get(key) for row in rows] for key in rows[0]}
        pq.write_table(pa.table({k: arrow(v) for k, v in columns.items()}), sink)
        return sink.getvalue()
    lines = [",".join(rows[0])] + [",".join(map(str, row.values())) for row in rows]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def arrow(column: list[Any]) -> pa.Array:
    """A column of one type: as it is, else as text."""
    try:
        made = pa.array(column)
        pq.write_table(pa.table({"x": made}), io.BytesIO())
        return made
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return pa.array([str(value).encode("utf-8", "replace").decode() for value in column])


TABLES = {name: table(ROWS, name) for name in ("p.csv", "p.jsonl", "p.parquet")}


@st.composite
def edited_rows(draw: Any) -> list[dict[str, Any]]:
    """The valid rows with values, columns or rows changed."""
    rows = [dict(row) for row in ROWS]
    for _ in range(draw(st.integers(1, 4))):
        key = draw(st.sampled_from(["id", "y", "p", "g", "new"]))
        value = draw(values)
        if draw(st.booleans()):  # a whole column
            for row in rows:
                row[key] = value
        else:
            rows[draw(st.integers(0, len(rows) - 1))][key] = value
    return rows[: draw(st.integers(1, len(rows)))]


@st.composite
def predictions(draw: Any) -> tuple[str, bytes, tuple[str, ...]]:
    """A file's name, its content, and the flags it is audited with."""
    name = draw(st.sampled_from(list(TABLES)))
    if draw(st.booleans()):
        content = table(draw(edited_rows()), name)
    else:
        content = draw(spliced(TABLES[name]))
    flags = draw(st.sampled_from([FLAGS, FLAGS[:4], FLAGS[:6], (*FLAGS[:2], "--prediction", "y")]))
    return name, content, flags


@st.composite
def edited_json(draw: Any, content: bytes) -> bytes:
    """JSON with one of its values replaced or left out."""
    whole = json.loads(content)
    node, steps = whole, draw(st.integers(1, 5))
    for step in range(steps):
        if not isinstance(node, dict | list) or not node:
            break
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        if step == steps - 1 or not isinstance(node[key], dict | list) or not node[key]:
            if draw(st.booleans()):
                node[key] = draw(values)
            else:
                del node[key]
            break
        node = node[key]
    return json.dumps(whole).encode("utf-8", "surrogatepass")


@st.composite
def edited_table(draw: Any, content: bytes) -> bytes:
    """A Parquet table with a column or its facts changed."""
    found = pq.read_table(io.BytesIO(content))
    name = draw(st.sampled_from(found.column_names))
    place = found.column_names.index(name)
    kind = draw(st.sampled_from(["drop", "fill", "rows", "facts", "rename"]))
    if kind == "drop":
        found = found.remove_column(place)
    elif kind == "fill":
        found = found.set_column(place, name, arrow([draw(values)] * found.num_rows))
    elif kind == "rows":
        found = found.slice(draw(st.integers(0, found.num_rows)), draw(st.integers(0, 200)))
    elif kind == "rename":
        found = found.rename_columns(
            [draw(odd_texts) if n == name else n for n in found.column_names]
        )
    else:
        facts = draw(edited_json(found.schema.metadata[b"tunefair"]))
        found = found.replace_schema_metadata({"tunefair": facts})
    sink = io.BytesIO()
    pq.write_table(found, sink)
    return sink.getvalue()


@st.composite
def corruptions(draw: Any) -> Callable[[Path], None]:
    """Something done to a baseline's folder, its checksums made to fit or not."""
    name = draw(st.sampled_from(
        ["baseline.json", "facts.json", "predictions.parquet", "suite.toml", "measurements.json",
         "checksums.json"]
    ))  # fmt: skip
    seal, way = draw(st.integers(0, 9)) > 0, draw(st.sampled_from(["edit", "splice"]))
    drawing = draw(st.data())

    def corrupt(folder: Path) -> None:
        path = folder / name
        content = path.read_bytes()
        edits = {".json": edited_json, ".parquet": edited_table}
        edit = edits.get(path.suffix) if way == "edit" else None
        path.write_bytes(drawing.draw((edit or spliced)(content)))
        if seal and name != files.SEAL:
            (folder / files.SEAL).write_text(files.to_json(files._checksums(folder)))

    return corrupt
