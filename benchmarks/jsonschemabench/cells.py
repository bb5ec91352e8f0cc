"""Figures as they stand in the cells of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.jsonschemabench.bootstrap import WITH_INTERVAL
from benchmarks.report import FIGURES, figure

Figures = Mapping[str, Any]

NO_FIGURE = "–"


def share(value: float | None) -> str:
    """A share in percent.

    >>> share(0.9512), share(None)
    ('95.1%', '–')
    """
    return NO_FIGURE if value is None else f"{value:.1%}"


def ratio(found: Figures | None) -> str:
    """A ratio and its interval.

    >>> ratio({"ratio": 0.5, "low": 0.4, "high": 0.625}), ratio({"ratio": 2.0}), ratio(None)
    ('x0.5 [0.4, 0.625]', 'x2', '–')
    """
    if not found or found.get("ratio") is None:
        return NO_FIGURE
    bounds = f" [{found['low']:.3g}, {found['high']:.3g}]" if found.get("low") is not None else ""
    return f"x{found['ratio']:.3g}{bounds}"


def plain(text: str) -> str:
    """A text in one line without control characters, which could steer a terminal."""
    return repr(text)[1:-1].replace("\\'", "'").replace("\\\\", "\\")


def label(time: str) -> str:
    """A time as it is called: abbreviations in capitals.

    >>> label("tbm"), label("plain_total")
    ('TBM', 'plain total')
    """
    return time.replace("_", " ") if time in ("compile", "total", "plain_total") else time.upper()


def columns(time: str) -> list[str]:
    """Titles of the figures of one of several times."""
    return [f"{time} {name}" for name in WITH_INTERVAL]


def timed(found: Figures | None, names: Iterable[str] = FIGURES) -> list[str]:
    """The figures of a time."""
    return [figure(found[name]) if found else NO_FIGURE for name in names]


def in_ms(found: Figures | None) -> list[str]:
    """The figures of a time that is given in microseconds."""
    return timed(found and {name: found[name] / 1e3 for name in FIGURES})


def counts(found: Figures | None) -> tuple[str, str]:
    """How many items and values a time rests on."""
    return (f"{found['items']:,}", f"{found['count']:,}") if found else ("0", "0")


def judged(found: Figures) -> tuple[str, str]:
    """How many items there are, and how many of them pass."""
    return f"{found['coverage']['items']:,}", share(found["coverage"]["pass_rate"])


def memory(group: Figures, engine: str) -> str:
    """The most that a process of an engine held, in MB."""
    return f"{group['engines'][engine]['peak_rss_mb']:,.0f}"


def item(row: Figures) -> tuple[str, str, str]:
    """An item and a pass."""
    return plain(row["id"]), plain(row["split"]), str(row["pass"])


def each_pass(group: Figures) -> Iterator[tuple[str, str, Figures]]:
    """Engine, pass, figures."""
    for name, engine in group["engines"].items():
        for run, found in engine["passes"].items():
            yield name, run, found


def ratio_cells(found: Figures | None, names: Iterable[str] = FIGURES) -> list[str]:
    """The numbers of items and the ratios."""
    if not found:
        return ["0", *(NO_FIGURE for _ in names)]
    left, right = found["items"]
    items = f"{left:,}" if left == right else f"{left:,} / {right:,}"
    return [items, *(ratio(found["figures"].get(name)) for name in names)]
