"""What all results have in common: figures and ratios, where they were taken, where they are written."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.readme import replace_block
from benchmarks.tables import Table, markdown

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
FIGURES = ("avg", *PERCENTILES, "max")


def statistics(ns: Sequence[int]) -> dict[str, float]:
    """Count, mean and percentiles in microseconds."""
    us = np.asarray(ns, np.float64) / 1e3
    ranked = dict(zip(PERCENTILES, np.percentile(us, list(PERCENTILES.values())).tolist()))
    figures = {"avg": float(us.mean()), **ranked, "max": float(us.max())}
    return {"count": us.size} | {name: round(value, 3) for name, value in figures.items()}


def divided(ours: Mapping[str, float], theirs: Mapping[str, float], keys: Iterable[str] = FIGURES) -> dict[str, float]:
    """Ratios of what both have: below 1, the left one is faster.

    >>> divided({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 2.0, "b": 0.0}, "abc")
    {'a': 0.5}
    """
    return {key: round(ours[key] / theirs[key], 4) for key in keys if theirs.get(key)}


def figure(us: float) -> str:
    """A number, such as microseconds, with three significant digits.

    >>> figure(1234.5), figure(0.01234)
    ('1,234', '0.0123')
    """
    return f"{us:,.0f}" if us >= 100 else f"{us:.3g}"


def in_place(tokenizer: Any, tokens: Sequence[int], place: int) -> dict[str, str]:
    """A token of a text, and the text before it."""
    token = tokenizer.decode(tokens[place : place + 1]) or "the end"
    return {"before": tokenizer.decode(tokens[:place])[-40:], "token": token}


# Where figures were taken


def environment(command: str, peers: Sequence[str] = ("llguidance", "xgrammar")) -> dict[str, Any]:
    """Where, when, with what and how: enough to repeat it, and no path of the machine."""
    packages = ("constrain", *peers, "numpy", "numba", "transformers", "tokenizers")
    return {"date": today(), "machine": machine(), "versions": versions(packages), "command": command}


def today() -> str:
    """The date."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def machine() -> str:
    """Processor and system."""
    return f"{processor()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of Python and of some packages."""
    return {"python": platform.python_version()} | {name: version_of(name) for name in packages}


def version_of(package: str) -> str:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "this checkout" if package == "constrain" else "not installed"


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


# Where they are written


def publish(
    summary: dict[str, Any], tables: Iterable[Table], given: argparse.Namespace, program: str, indent: int = 2
) -> None:
    """The summary as JSON and its tables in a README, if `--json` and `--readme` ask for it."""
    if given.json:
        write_json(given.json, summary, indent)
    if given.readme:
        replace_block(given.readme, program, block(summary, tables))


def write_json(file: Path, summary: dict[str, Any], indent: int = 2) -> None:
    """A file for a summary, in a folder that need not be there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(summary, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def block(summary: dict[str, Any], tables: Iterable[Table], *remarks: str) -> str:
    """The tables and everything needed to read them, for a README."""
    numbers = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    about = f"`{summary['command']}`, {summary['date']}, {summary['machine']}; {numbers}."
    return "\n".join([about, *remarks, *markdown(tables)]) + "\n"
