"""The HTML page: every section's template filled in, and a policy that allows no other script."""

import base64
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from . import drawing, sections
from .drawing import Canvas
from .sheet import Sheet
from .wording import CLOSE, OPEN, marked, metric_words, printable

TEMPLATES = Path(__file__).with_name("templates")


def page(sheet: Sheet, baseline: Sheet | None) -> str:
    """Return the page as HTML; `baseline` is an older run that is shown beside it."""
    environment = _environment()
    canvas = Canvas()
    filled = sections.filled(sections.Material(sheet, baseline, canvas))
    common = sections.common(sheet)
    html = {
        section.anchor: Markup(  # noqa: S704 - made by a template, which escapes every value
            environment.get_template(section.template).render(common, **section.values)
        )
        for section in filled
    }
    frame = environment.get_template("page.html")
    scripts = _scripts(canvas)
    return frame.render(common, sections=filled, html=html, css=_read("page.css"), **scripts)


def _environment() -> Environment:
    """Return what fills templates: values are escaped, and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"sentence": _sentence, "words": metric_words, "printable": printable}
    environment.filters["unmarked"] = partial(marked, before="", after="")
    environment.filters |= {"inert": inert_json}
    environment.globals["parts"] = environment.get_template("parts.html").module
    return environment


def _sentence(text: str) -> Markup:
    """Return a sentence as HTML, its names bold and isolated from the text around them."""
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
    """Return JSON that cannot end the script element around it."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _digest(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
