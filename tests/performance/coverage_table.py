"""Print what tests/performance/coverage.py found as the tables of docs/uncertainty.md."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.performance.coverage import METRICS, PARTS, settings

BETWEEN = ("_difference", "_ratio", "worst_group_accuracy")


def tables(folder: Path) -> Iterator[str]:
    """Yield Markdown lines: coverage by metric and setting, floors, errors, power."""
    found = {part: _read(folder, part) for part in PARTS}
    yield from _coverage(found["intervals"], found["calibration"])
    yield from _floors(found["floors"])
    yield from _errors(found["errors"], found["power"])


def _read(folder: Path, part: str) -> dict[str, dict[str, list[float]]]:
    files = {s.name: folder / f"{part} {s.name}.json" for s in settings()}
    return {n: json.loads(f.read_text())["found"] for n, f in files.items() if f.exists()}


def _coverage(*parts: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    yield "| metric | settings | estimand A, % | estimand B, % | mean width, n = 500 · 2,000 |\n"
    yield "|---|---|---|---|---|\n"
    for metric in METRICS:
        for name in (metric, f"{metric} of the smallest group"):
            by_setting = {
                setting: found[name]
                for part in parts
                for setting, found in part.items()
                if name in found and (metric in _calibration()) == (part is parts[1])
            }
            if by_setting:
                yield _row(name, by_setting)


def _calibration() -> set[str]:
    return {metric for metric in METRICS if "calibration" in metric}


def _row(name: str, by_setting: dict[str, list[float]]) -> str:
    first = [100 * v[0] for v in by_setting.values()]
    second = [100 * v[1] for s, v in by_setting.items() if "K=1" not in s]
    both = f"{min(second):.1f}–{max(second):.1f}" if name.endswith(BETWEEN) else ""
    widths = [
        [v[2] for s, v in by_setting.items() if s.startswith(f"n={n} ")] for n in (500, 2000)
    ]
    width = " · ".join(f"{sum(w) / len(w):.3f}" if w else "–" for w in widths)
    return (
        f"| {name} | {len(by_setting)} | {min(first):.1f}–{max(first):.1f} | {both} | {width} |\n"
    )


def _floors(found: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    yield "\n| gap | beyond floor_p95, % of studies without disparity |\n|---|---|\n"
    for metric in next(iter(found.values()), {}):
        shares = [100 * table[metric][0] for table in found.values()]
        yield f"| {metric} | {min(shares):.1f}–{max(shares):.1f} |\n"


def _errors(
    found: dict[str, dict[str, list[float]]], power: dict[str, dict[str, list[float]]]
) -> Iterator[str]:
    yield "\n| contrast | p < .05 in A/A, % | median MDE, n = 500 · 2,000 | power there, % |\n"
    yield "|---|---|---|---|\n"
    for name in next(iter(found.values()), {}):
        wrong = [100 * table[name][0] for table in found.values() if name in table]
        size = [
            [t[name][1] for s, t in found.items() if s.startswith(f"n={n} ") and name in t]
            for n in (500, 2000)
        ]
        known = name != "any Holm-adjusted claim"
        effect = " · ".join(f"{sum(w) / len(w):.3f}" if w and known else "–" for w in size)
        hits = [100 * table[name][0] for table in power.values() if name in table]
        reached = f"{min(hits):.0f}–{max(hits):.0f}" if hits else ""
        yield f"| {name} | {min(wrong):.1f}–{max(wrong):.1f} | {effect} | {reached} |\n"


if __name__ == "__main__":
    print("".join(tables(Path(sys.argv[1]))), end="")
