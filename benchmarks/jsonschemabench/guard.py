"""A guard against regressions that does not depend on the speed of the machine.

`guard.toml` limits ratios to another engine in the same run, coverage, and memory. A limit for which there is no figure
is broken: otherwise a run that measured nothing would pass.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.jsonschemabench.records import OUTCOMES
from benchmarks.report import FIGURES

LIMITS = Path(__file__).with_name("guard.toml")


def guard(summary: Path, limits: Path = LIMITS) -> int:
    """Check a `summary.json`, or the folder it is in, and say what is broken; 1 if anything is. Raises ValueError."""
    file = summary / "summary.json" if summary.is_dir() else summary
    try:
        figures = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"no summary in {file}: run `report` first") from error
    broken = check(figures, read_limits(limits))
    for violation in broken:
        print(violation, file=sys.stderr)
    print(f"{file}: beyond {limits.name} in {len(broken)} places" if broken else f"{file}: within {limits.name}")
    return 1 if broken else 0


def read_limits(file: Path) -> dict[str, Any]:
    """The limits in a file. Raises ValueError if it has none or one that is not known."""
    try:
        limits = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"no limits in {file}") from error
    if not any(limits.get(table) for table in ("ratios", "coverage", "memory")):
        raise ValueError(f"{file} has none of [ratios], [coverage] and [memory]")
    for name in limits.get("ratios", {}):
        parsed(name)
    for name in limits.get("coverage", {}):
        if name != "pass_rate" and name not in OUTCOMES:
            raise ValueError(f"unknown limit {name!r}; [coverage] takes pass_rate, {', '.join(OUTCOMES)}")
    for name in limits.get("memory", {}).keys() - {"peak_rss_mb"}:
        raise ValueError(f"unknown limit {name!r}; [memory] takes peak_rss_mb")
    return limits


def parsed(name: str) -> tuple[str, str, str]:
    """Time, figure and pass of a limit. Raises ValueError.

    >>> parsed("tbm_p99_warm"), parsed("ttfm_p50")
    (('tbm', 'p99', 'warm'), ('ttfm', 'p50', 'cold'))
    """
    found = re.fullmatch(rf"(tbm|ttfm)_({'|'.join(map(re.escape, FIGURES))})(?:_(cold|warm))?", name)
    if not found:
        raise ValueError(f"unknown limit {name!r}; [ratios] takes tbm_p99_warm, ttfm_p50 and the like")
    return found[1], found[2], found[3] or "cold"


def check(summary: Mapping[str, Any], limits: Mapping[str, Any]) -> list[str]:
    """The limits that a summary breaks, a sentence each. Every group of mode `masks` has to keep them."""
    groups = [group for group in summary["groups"] if group["mode"] == "masks"]
    if not groups:
        return ["there are no results of masks"]
    return [
        f"{group['tokenizer']}: {violation}"
        for group in groups
        for broken in (_broken_ratios, _broken_coverage, _broken_memory)
        for violation in broken(group, limits)
    ]


def _broken_ratios(group: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[str]:
    pair = f"{limits['engine']}/{limits['other']}"
    for name, limit in limits.get("ratios", {}).items():
        time, figure, _ = parsed(name)
        found = _ratio(group, limits["engine"], limits["other"], name)
        if found is None:
            yield f"{name}: no {figure} of {time.upper()} on what {pair} both handle"
        elif found > limit:
            yield f"{name}: {pair} is x{found:.4g}, the limit is x{limit:.4g}"


def _ratio(group: Mapping[str, Any], engine: str, other: str, name: str) -> float | None:
    """The ratio that a limit is about, whichever engine came first in the files; None if there is none.

    A ratio of figures is the inverse of the ratio the other way round.
    """
    time, figure, pass_ = parsed(name)
    straight, turned = (group["ratios"].get(pair, {}) for pair in (f"{engine}/{other}", f"{other}/{engine}"))
    run = _run(straight or turned, pass_)
    both = ((straight or turned)[run]["both"][time] or {}) if run else {}
    found: float | None = both.get("figures", {}).get(figure, {}).get("ratio")
    return found if straight or not found else 1 / found


def _broken_coverage(group: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[str]:
    engine = limits["engine"]
    passes = group["engines"].get(engine, {}).get("passes", {})
    for name, limit in limits.get("coverage", {}).items():
        if not passes:
            yield f"{name}: no results of {engine}"
        for run, found in passes.items():
            coverage = found["coverage"]
            if name == "pass_rate" and coverage["pass_rate"] < limit:
                yield f"pass_rate: {engine} passes {coverage['pass_rate']:.2%} in pass {run}, the limit is {limit:.2%}"
            elif name != "pass_rate" and coverage["outcomes"][name] > limit:
                yield f"{name}: {coverage['outcomes'][name]:,} items of {engine} in pass {run}, the limit is {limit:,}"


def _broken_memory(group: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[str]:
    engine = limits["engine"]
    found = group["engines"].get(engine, {}).get("peak_rss_mb")
    for name, limit in limits.get("memory", {}).items():
        if not found:
            yield f"{name}: nothing is known of the memory of {engine}"
        elif found > limit:
            yield f"{name}: {engine} took {found:,.0f} MB, the limit is {limit:,} MB"


def _run(passes: Mapping[str, Any], pass_: str) -> str | None:
    """The number of the first pass, or of the last one if there are several."""
    numbers = sorted(map(int, passes))
    wanted = {"cold": numbers[:1], "warm": numbers[1:][-1:]}[pass_]
    return str(wanted[0]) if wanted and (pass_ == "warm" or wanted[0] == 1) else None
