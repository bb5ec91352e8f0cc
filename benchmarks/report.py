"""What all benchmarks share: figures, where they were taken, progress, blocks of a README that a command writes."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}


def statistics(ns: Sequence[int]) -> dict[str, float]:
    """Count, mean and percentiles in microseconds."""
    us = np.asarray(ns, np.float64) / 1e3
    ranked = dict(zip(PERCENTILES, np.percentile(us, list(PERCENTILES.values())).tolist()))
    figures = {"avg": float(us.mean()), **ranked, "max": float(us.max())}
    return {"count": us.size} | {name: round(value, 3) for name, value in figures.items()}


def figure(us: float) -> str:
    """A number, such as microseconds, with three significant digits.

    >>> figure(1234.5), figure(0.01234)
    ('1,234', '0.0123')
    """
    return f"{us:,.0f}" if us >= 100 else f"{us:.3g}"


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


def holds(readme: Path, begin: str, end: str) -> bool:
    """Whether a file has the two lines between which a block can be written."""
    return readme.is_file() and begin in readme.read_text("utf-8") and end in readme.read_text("utf-8")


def replace_block(readme: Path, begin: str, end: str, block: str) -> None:
    """Replace what stands between two lines of a file."""
    text = readme.read_text(encoding="utf-8")
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    readme.write_text(f"{before}\n{block}{after}", encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """The lines of a table; the first `left` columns are text.

    >>> markdown_table(("a", "b"), [("x", "1")])
    ['| a | b |', '|---|---:|', '| x | 1 |']
    """
    rule = f"|{'---|' * left}{'---:|' * (len(header) - left)}"
    return [f"| {' | '.join(header)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def progress(items: Sequence[T], title: str) -> Iterator[T]:
    """The items, with a bar on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, console=Console(stderr=True), disable=not sys.stderr.isatty())
