"""Print what tests/performance/coverage.py found as the tables of docs/uncertainty.md.

`python -m tests.performance.coverage_table FOLDER [--code]`; with `--code`, the table of
bench/statistics/coverage.py.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.performance.coverage import COVERAGE, METRICS
from tests.performance.coverage_settings import broken, larger, settings, trained_again

ANY = "any Holm-adjusted claim"
FEW = 300
"""Studies of a setting below which settings are pooled."""
Numbers = Sequence[float]


class Found(NamedTuple):
    """What one part found in one setting."""

    setting: str
    studies: int
    replicates: int
    numbers: Mapping[str, Numbers]


def read(folder: Path, part: str, *, failing: bool = False) -> list[Found]:
    """Return what there is of a part, in the order of the settings.

    With `failing`, of the settings in which an assumption fails, else of all others.
    """
    every = trained_again() if part == "claims" else [*settings(), *larger()]
    every = broken() if failing else every
    files = {s.name: folder / f"{part} {s.name}.json" for s in every}
    records = {name: json.loads(f.read_text()) for name, f in files.items() if f.exists()}
    return [Found(n, r["studies"], r["replicates"], r["found"]) for n, r in records.items()]


def tables(folder: Path) -> Iterator[str]:
    """Yield Markdown lines: coverage by metric, floors, errors and power, what they rest on."""
    yield "| metric | settings | A, % | B, % | mean width, n = 500 · 2,000 |\n"
    yield "|---|---|---|---|---|\n"
    for name, by_setting in covered(folder).items():
        yield _row(name, by_setting)
    yield from _failing(read(folder, "intervals", failing=True))
    yield from _floors(read(folder, "floors"))
    yield from _claims(read(folder, "claims"))
    yield from _errors(read(folder, "errors"), read(folder, "power"))
    yield from _design(folder)


def covered(folder: Path) -> dict[str, dict[str, Numbers]]:
    """Return metric -> setting -> [coverage of A, of B or NaN, mean width].

    Of few studies the worst of many settings is the unluckiest: then settings are pooled by n, and
    those in which seeds dominate by themselves.
    """
    found = [f for part in COVERAGE for f in _pooled(read(folder, part))]
    names = [name for m in METRICS for name in (m, f"{m} of the smallest group")]
    by_name = {n: {f.setting: f.numbers[n] for f in found if n in f.numbers} for n in names}
    return {name: by_setting for name, by_setting in by_name.items() if by_setting}


def _pooled(found: Sequence[Found]) -> list[Found]:
    if all(f.studies >= FEW for f in found):
        return list(found)
    pools: dict[str, list[Found]] = {}
    for f in found:
        size, *_ = f.setting.split()
        pools.setdefault(f"{size} seeds dominate" if "x3" in f.setting else f"{size} ", []).append(
            f
        )
    return [
        f[0]._replace(
            setting=name,
            numbers={
                metric: np.nanmean([g.numbers[metric] for g in f if metric in g.numbers], axis=0)
                for metric in dict.fromkeys(m for g in f for m in g.numbers)
            },
        )
        for name, f in pools.items()
    ]


def code(folder: Path) -> Iterator[str]:
    """Yield the lines of the table in bench/statistics/coverage.py."""
    for name, by_setting in covered(folder).items():
        shares = [100 * x for row in by_setting.values() for x in row[:2] if not math.isnan(x)]
        yield f'    "{name}": Coverage({min(shares):.1f}, {max(shares):.1f}),\n'


def _row(name: str, by_setting: Mapping[str, Numbers]) -> str:
    first = [row[0] for row in by_setting.values()]
    second = [row[1] for row in by_setting.values() if not math.isnan(row[1])]
    width = _by_size([(setting, row[2]) for setting, row in by_setting.items()])
    return f"| {name} | {len(by_setting)} | {_range(first)} | {_range(second)} | {width} |\n"


def _range(shares: Numbers, digits: int = 1) -> str:
    ends = [f"{100 * end(shares):.{digits}f}" for end in (min, max)] if shares else []
    return "–".join(dict.fromkeys(ends))


def _by_size(numbers: Sequence[tuple[str, float]]) -> str:
    """Return the means over the settings of 500 and of 2,000 texts."""
    means = []
    for size in ("n=500 ", "n=2000 "):
        chosen = [number for setting, number in numbers if setting.startswith(size)]
        means.append(f"{sum(chosen) / len(chosen):.3f}" if chosen else "–")
    return " · ".join(means)


def _failing(found: Sequence[Found]) -> Iterator[str]:
    names = list(dict.fromkeys(name for f in found for name in f.numbers))
    yield f"\n| metric | {' | '.join(f.setting for f in found)} |\n|---|{'---|' * len(found)}\n"
    for name in names:
        yield f"| {name} | {' | '.join(_range([f.numbers[name][0]]) for f in found)} |\n"


def _claims(found: Sequence[Found]) -> Iterator[str]:
    """Yield a line a setting of strategies that do not differ; after ± twice the chance error."""
    names = [name for name in (found[0].numbers if found else ()) if name != ANY]
    yield f"\n| setting | studies | any Holm claim, % | {' | '.join(names)} |\n"
    yield f"|---|--:|--:|{'--:|' * len(names)}\n"
    for f in found:
        share = f.numbers[ANY][0]
        error = 2 * math.sqrt(max(share * (1 - share), 0.05 * 0.95) / f.studies)
        rest = " | ".join(f"{100 * f.numbers[n][0]:.1f} ({f.numbers[n][1]:.3f})" for n in names)
        yield f"| {f.setting} | {f.studies} | {100 * share:.1f} ± {100 * error:.1f} | {rest} |\n"


def _floors(found: Sequence[Found]) -> Iterator[str]:
    yield "\n| gap | beyond floor_p95, % of studies without disparity |\n|---|---|\n"
    for metric in found[0].numbers if found else ():
        yield f"| {metric} | {_range([f.numbers[metric][0] for f in found])} |\n"


def _errors(found: Sequence[Found], power: Sequence[Found]) -> Iterator[str]:
    yield "\n| contrast | p < .05 in A/A, % | median MDE, n = 500 · 2,000 | power there, % |\n"
    yield "|---|---|---|---|\n"
    for name in found[0].numbers if found else ():
        wrong = _range([f.numbers[name][0] for f in found])
        size = _by_size([(f.setting, f.numbers[name][1]) for f in found])
        reached = _range([f.numbers[name][0] for f in power if name in f.numbers], 0)
        yield f"| {name} | {wrong} | {'' if name == ANY else size} | {reached} |\n"


def _design(folder: Path) -> Iterator[str]:
    """Yield what each part rests on."""
    yield "\n| part | settings | studies a setting | draws |\n|---|---|---|---|\n"
    for part in (*COVERAGE, "floors", "errors", "power", "claims"):
        found = read(folder, part)
        studies, draws = (
            " or ".join(f"{number:,}" for number in sorted({f[column] for f in found}))
            for column in (1, 2)
        )
        yield f"| {part} | {len(found)} | {studies} | {draws} |\n"


if __name__ == "__main__":
    lines = code if "--code" in sys.argv else tables
    print("".join(lines(Path(sys.argv[1]))), end="")
