"""What the documentation site computes when it is built: the reference of suites, and links."""

import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tunefair import suite

ROOT = Path(__file__).resolve().parent.parent
_PLACE = "<!-- suite reference -->"
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the reference; a link to a file outside docs/ becomes the file's name."""
    here = Path(page.file.abs_src_path).parent

    def named(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        inside = target.is_relative_to(ROOT / "docs") or not target.exists()
        return match[0] if inside else f"{match[1]} (`{target.relative_to(ROOT)}`)"

    return _OUTSIDE.sub(named, markdown).replace(_PLACE, "\n".join(reference()))


def reference() -> list[str]:
    """Return the tables of every record of a suite, as lines of Markdown."""
    lines: list[str] = []
    for table, record in records(suite.Suite):
        lines += [f"### {table or 'Top level'}", "", str(record.__doc__), ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        for name, field in record.model_fields.items():
            if not _record_in(field.annotation):
                cells = (f"`{name}`", words(field.annotation), _default(field), field.description)
                lines.append("| " + " | ".join(_cell(c) for c in cells) + " |")
        lines.append("")
    return lines


def records(record: type[BaseModel], table: str = "") -> list[tuple[str, type[BaseModel]]]:
    """Return (TOML table, record) of a record and of all that it holds."""
    listed = [(table, record)]
    for name, field in record.model_fields.items():
        inner = _record_in(field.annotation)
        if inner is None:
            continue
        origin = get_origin(field.annotation)
        path = f"{name}.LABEL" if origin is dict else name
        full = f"{table.strip('[]')}.{path}".strip(".")
        listed += records(inner, f"[[{full}]]" if origin is tuple else f"[{full}]")
    return listed


def _record_in(annotation: Any) -> type[BaseModel] | None:
    """Return the record that a type holds, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_record_in, get_args(annotation))), None)


def words(annotation: Any) -> str:
    """Return a type in the words of TOML."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words(inner[0])
    if origin is Literal:
        return ", ".join(f'`"{value}"`' for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(words(kind) for kind in inner if kind is not type(None))
    if origin is tuple:
        return f"list of {words(inner[0])}"
    if origin is dict:
        return f"table of {words(inner[1])}"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.is_required() else ""
    if field.default is None:
        return ""
    empty = field.default in ("", ())
    return "" if empty else f"`{_toml(field.default)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
