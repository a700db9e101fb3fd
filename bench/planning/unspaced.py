"""A strategy's code without the spaces that a search draws from: they compute nothing."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

_MODULE, _NAME = "tunefair.space", "Space"


class _Change(NamedTuple):
    """New text for a part of the code."""

    node: ast.expr | ast.stmt
    text: bytes


def unspaced(code: bytes) -> bytes:
    """Return Python code as it was before spaces were written into its annotations.

    What only they used is no longer imported, so that a space that is added, edited or removed
    leaves the same bytes.
    """
    tree = ast.parse(code)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    if not any(n.module == _MODULE for n in imports):
        return code
    changes = [_Change(node, _rest(node, code)) for node in _spaced(tree)]
    gone = {n.id for change in changes for n in ast.walk(change.node) if isinstance(n, ast.Name)}
    code = _changed(code, changes)
    tree = ast.parse(code)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return _changed(code, list(_imports(tree, (gone | {_NAME}) - used)))


def _spaced(tree: ast.Module) -> Iterator[ast.Subscript]:
    """Yield every `Annotated[..., Space(...)]` in the annotation of a field."""
    for field in ast.walk(tree):
        if isinstance(field, ast.AnnAssign):
            for node in ast.walk(field.annotation):
                if isinstance(node, ast.Subscript) and any(map(_is_space, _elements(node))):
                    yield node


def _elements(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else []


def _is_space(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return called and node.func.id == _NAME  # type: ignore[attr-defined]


def _rest(node: ast.Subscript, code: bytes) -> bytes:
    """Return the annotation without its space; the bare type where nothing else is left."""
    text = code.decode()
    kept = [ast.get_source_segment(text, e) or "" for e in _elements(node) if not _is_space(e)]
    only = len(kept) == 1
    return (kept[0] if only else f"{ast.unparse(node.value)}[{', '.join(kept)}]").encode()


def _imports(tree: ast.Module, unused: set[str]) -> Iterator[_Change]:
    """Yield the imports that name what is not used, without it; empty where nothing is left."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            kept = [alias for alias in node.names if (alias.asname or alias.name) not in unused]
            if len(kept) < len(node.names):
                left = ast.ImportFrom(node.module, kept, node.level)
                yield _Change(node, ast.unparse(left).encode() if kept else b"")


def _changed(code: bytes, changes: list[_Change]) -> bytes:
    lines = code.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for node, text in sorted(changes, key=lambda c: (c.node.lineno, c.node.col_offset))[::-1]:
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        code = code[:begin] + text + code[end:]
    return code
