"""The HTML page: sections into templates, one policy that lets nothing else run."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..facts import Table
from . import (
    curves,
    definitions,
    drawing,
    further,
    groups,
    reliability_diagrams,
    tables,
    trade_off,
)
from .answer import answer
from .comparison import comparison
from .crossing import crossings
from .drawing import Canvas
from .grids import Grid, Text
from .sheet import Sheet
from .wording import CLOSE, OPEN, metric_words, plain, quantity

TEMPLATES = Path(__file__).with_name("templates")


def page(sheet: Sheet, old: Sheet | None) -> str:
    """Return the page; `old` is the baseline's sheet."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"sentence": _sentence, "words": metric_words, "plain": plain}
    environment.filters |= {"inert": inert_json}
    canvas = Canvas()
    context = _context(sheet, old, canvas)
    scripts = _scripts(canvas)
    return environment.get_template("page.html").render(context, css=_read("page.css"), **scripts)


def _context(sheet: Sheet, old: Sheet | None, canvas: Canvas) -> dict[str, Any]:
    facts = sheet.facts
    return {
        "facts": facts,
        "sentences": answer(sheet),
        "reference": plain(sheet.reference) if sheet.reference else "",
        "comparison": comparison(sheet),
        "crossings": crossings(sheet),
        "contrasts": tables.contrasts(sheet, family=True),
        "other_contrasts": tables.contrasts(sheet, family=False),
        "every_metric": tables.every_metric(sheet),
        "baseline": tables.old_beside_new(sheet, old) if old else None,
        "trade_offs": trade_off.trade_offs(sheet, canvas),
        "groups": groups.groups(sheet, canvas),
        "left_out": tables.left_out(sheet),
        "calibration": reliability_diagrams.calibration(sheet, canvas),
        "cost": tables.cost(sheet),
        "curves": curves.learning_curves(sheet, canvas),
        "failures": tables.failures(sheet),
        "further": further.further(sheet, canvas),
        "data_audit": [_grid(table) for table in facts.data_audit],
        "definitions": definitions.definitions(sheet),
        "amount": quantity(facts.currency or "", facts.amount),
        "commit": _short_commit(facts.commit),
        "one_seed": set(sheet.seeds.values()) == {1},
        "seeds": max(sheet.seeds.values(), default=0),
    }


def _short_commit(commit: str) -> str:
    """Return the first twelve digits, and whether the tree was changed."""
    digits, plus, changes = plain(commit).partition("+")
    return digits[:12] + plus + changes if commit else ""


def _grid(table: Table) -> Grid:
    rows = tuple(
        tuple(Text(plain(x)) if isinstance(x, str) else Text(_figure(x), number=True) for x in row)
        for row in table.rows
    )
    return Grid(table.columns, rows, (table.note,) if table.note else (), table.title)


def _figure(x: int | float) -> str:
    return f"{x:,}" if isinstance(x, int) else f"{x:.3g}"


def _sentence(text: str) -> Markup:
    opened = escape(text).replace(OPEN, Markup('<bdi class="name">'))
    return opened.replace(CLOSE, Markup("</bdi>"))


def _scripts(canvas: Canvas) -> dict[str, Any]:
    """Return the page's scripts and the policy that allows these and no others."""
    own = _read("page.js")
    bundle = drawing.bundle().replace("</script", "<\\/script") if canvas.specs else ""
    allowed = " ".join(f"'sha256-{_digest(code)}'" for code in (bundle, own) if code)
    return {
        "bundle": bundle,
        "script": own,
        "specs": {kind: inert_json(spec) for kind, spec in canvas.specs.items()},
        "policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri 'none'; form-action 'none'; script-src {allowed}",
    }


def inert_json(value: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _digest(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
