"""Charts on a page: their theme, their data, and pictures for readers without scripts."""

import json
import math
import re
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import vl_convert

from ..schema import BadInputError
from .looks import INK, MUTED, RULE

Row = Mapping[str, Any]
Spec = dict[str, Any]
_ADDRESSES = 66 * 2**30
"""Bytes of addresses that vl-convert's JavaScript engine reserves, though it uses very few."""


def config() -> Spec:
    """Return the theme of every chart."""
    font = "-apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
    quiet = {"domain": False, "ticks": False, "grid": True, "gridColor": RULE, "gridOpacity": 0.7}
    labels = {"labelColor": MUTED, "labelFontSize": 11, "titleColor": MUTED, "titleFontSize": 11}
    return {
        "font": font,
        "aria": False,
        "background": "transparent",
        "view": {"stroke": None},
        "axis": quiet | labels | {"titleFontWeight": "normal", "labelPadding": 5, "tickCount": 4},
        "header": {"labelColor": INK, "labelFontSize": 11, "labelFontWeight": "bold"},
        "text": {"fontSize": 11, "color": INK},
    }


def check_addresses() -> None:
    """Refuse to start the engine where it would abort the whole process.

    Raises
    ------
    BadInputError
        The limit on address space is too low for it.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if resource.RLIM_INFINITY != limit < _ADDRESSES:
        raise BadInputError(
            f"charts take {_ADDRESSES >> 30} GiB of addresses (not of memory), ulimit -v allows "
            f"{limit / 2**30:.3g}; `tunefair report` without that limit draws them"
        )


def compiled(chart: Any) -> Spec:
    """Return an altair chart with the theme, as a Vega specification for many data sets."""
    check_addresses()
    spec: Spec = vl_convert.vegalite_to_vega(chart.configure(**config()).to_dict(validate=False))
    return spec


def with_rows(spec: Spec, rows: Sequence[Row]) -> Spec:
    """Return a specification with the data of one chart."""
    data = [d | {"values": list(rows)} if d["name"] == "rows" else d for d in spec["data"]]
    return spec | {"data": data}


def picture(spec: Spec, name: str) -> str:
    """Return the chart as an inline SVG whose ids begin with `name`, the same on every call.

    Attributes that only an interactive chart needs are removed. Positions are rounded to a
    hundredth of a pixel.
    """
    svg: str = vl_convert.vega_to_svg(spec)
    svg = re.sub(
        r' (?:aria-[a-z]+|role|class|pointer-events|xmlns:xlink|version)="[^"]*"', "", svg
    )
    svg = re.sub(r' xlink:href="[^"]*"', "", svg)
    svg = re.sub(r'href="[^"#]*#', 'href="#', svg)  # vl-convert sets a base; a page needs none
    svg = re.sub(r"-?\d+\.\d{3,}(?:e-\d+)?", lambda m: f"{float(m[0]):.2f}", svg)
    svg = re.sub(r' (?:stroke-width|opacity)="1"|<path d="(?:M0,0h0v0h0Z)?"[^>]*/>|<g/>', "", svg)
    for place, old in enumerate(dict.fromkeys(re.findall(r'id="([^"]+)"', svg))):
        svg = svg.replace(f'id="{old}"', f'id="{name}-{place}"')
        svg = svg.replace(f"url(#{old})", f"url(#{name}-{place})")
    return svg


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One chart: the data that a script draws, and the picture that is shown without scripts."""

    name: str
    """Its id on the page."""
    kind: str
    """The name of its specification, which other charts may share."""
    title: str
    alternative: str
    """Text for readers who do not see it."""
    rows: str
    """JSON."""
    svg: str
    colour: str = ""
    shape: str = ""


@dataclass
class Canvas:
    """Draws a page's charts and collects their specifications."""

    specs: dict[str, Spec] = field(default_factory=dict)
    drawn: int = 0

    def draw(
        self,
        kind: str,
        spec: Spec,
        rows: Sequence[Row],
        *,
        title: str,
        alternative: str,
        **more: Any,
    ) -> Figure:
        """Return the chart of `rows`; `kind` names the specification, `more` are other fields."""
        self.specs.setdefault(kind, spec)
        self.drawn += 1
        name = f"figure-{self.drawn}"
        clean = [{k: _finite(v) for k, v in row.items()} for row in rows]
        return Figure(
            name=name,
            kind=kind,
            title=title,
            alternative=alternative,
            rows=json.dumps(clean, ensure_ascii=False, separators=(",", ":")),
            svg=picture(with_rows(spec, clean), name),
            **more,
        )


def _finite(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, 6) if math.isfinite(value) else None
