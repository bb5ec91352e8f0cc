"""Figures as pictures: each a PNG, an SVG, and a CSV of what is drawn. The same records give the same files.

matplotlib is needed only here, and a report without it has no pictures.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jsonschemabench.bootstrap import Values
from benchmarks.jsonschemabench.metrics import NOTHING, Group, by_engine, tbm, ttfm
from benchmarks.jsonschemabench.records import OUTCOMES, Record
from benchmarks.report import figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Engines, in order. Colours that stay apart with every kind of colour blindness."""
OUTCOME_COLOURS = dict(zip(OUTCOMES, ("#56B4E9", "#000000", "#CC79A7", "#E69F00", "#D55E00", "#F0E442", "#BFBFBF")))
INK = "#333333"
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "jsonschemabench",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.use": True,
}
WIDTH = 8.6
"""Inches; at 100 dots an inch the width of a README."""
SHARES = np.concatenate([np.linspace(0.0, 0.99, 331), 1 - np.geomspace(0.01, 1e-4, 60)[1:], [1.0]])
"""Where a distribution is drawn: close together in the tail, which is where engines differ."""

Rows = list[tuple[Any, ...]]
Lines = list[tuple[float, Any, str]]
"""Median, line, what the legend says of it."""


@dataclass(frozen=True)
class Picture:
    """A picture that was written: its name without an ending, a sentence below it, its folder."""

    name: str
    caption: str
    folder: Path

    def file(self, ending: str) -> Path:
        """One of its files."""
        return self.folder / f"{self.name}.{ending}"


@dataclass(frozen=True)
class Place:
    """Where pictures go; the tokenizer is part of their names if there are several."""

    folder: Path
    tokenizer: str = ""


def available() -> bool:
    """Whether pictures can be drawn."""
    return find_spec("matplotlib") is not None


def draw(groups: Iterable[Group], summary: Mapping[str, Any], folder: Path) -> list[Picture]:
    """Draw what there is to draw of the groups of mode `masks`; nothing without matplotlib."""
    masks = [(group, found) for group, found in zip(groups, summary["groups"]) if group.mode == "masks"]
    if not masks or not available():
        return []
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Picture] = []
    with matplotlib.rc_context(STYLE):
        for group, figures in masks:
            to = Place(folder, group.tokenizer if len(masks) > 1 else "")
            found += group_pictures(group.records, figures, to)
        if len({row["vocabulary"] for row in summary["vocabularies"]}) > 1:
            found.append(vocabulary_plot(summary["vocabularies"], Place(folder)))
    return found


def group_pictures(records: Sequence[Record], figures: Mapping[str, Any], to: Place) -> Iterator[Picture]:
    """The pictures of one tokenizer."""
    by = {name: passes for name, passes in by_engine(records).items() if name != NOTHING}
    if not by:
        return
    for time, measure, label in (("tbm", tbm, "time between masks"), ("ttfm", ttfm, "time to first mask")):
        if any(passes["passes"][run][time] for passes in figures["engines"].values() for run in passes["passes"]):
            yield distribution_plot(by, figures, (time, measure, label), to)
    yield coverage_plot(figures, to)
    if any(r.ttfm_ns and r.schema_bytes for passes in by.values() for r in next(iter(passes.values()))):
        yield size_plot(by, to)


def colours(engines: Iterable[str]) -> dict[str, str]:
    """A colour for each engine, the same in all pictures."""
    return {name: PALETTE[number % len(PALETTE)] for number, name in enumerate(engines)}


def distribution_plot(
    by: Mapping[str, Mapping[int, Sequence[Record]]],
    figures: Mapping[str, Any],
    what: tuple[str, Callable[[Iterable[Record]], Values], str],
    to: Place,
) -> Picture:
    """The cumulative distribution of a time, the first and the last pass side by side."""
    time, measure, label = what
    runs = sorted({run for passes in by.values() for run in passes})
    shown = sorted({runs[0], runs[-1]})
    image, panels = _panels(1, len(shown), 3.6)
    rows: Rows = []
    for run, panel in zip(shown, panels[0]):
        lines: Lines = []
        for name, colour in colours(by).items():
            values = measure(by[name].get(run, ()))
            if not values:
                continue
            us = np.quantile(np.concatenate(list(values.values())) / 1e3, SHARES)
            rate = figures["engines"][name]["passes"][str(run)]["coverage"]["pass_rate"]
            (line,) = panel.plot(us, SHARES * 100, color=colour, linewidth=1.8)
            median, tail = np.interp((0.5, 0.99), SHARES, us).tolist()
            lines.append((median, line, f"{name}: p50 {figure(median)} µs, p99 {figure(tail)} µs; {rate:.1%} pass"))
            rows += [(name, run, f"{x:.6g}", f"{y:.6g}") for x, y in zip(us, SHARES)]
        panel.set(xscale="log", ylim=(0, 101), xlabel=f"{label}, µs", title=_pass(run))
        panel.set_yticks([0, 25, 50, 75, 90, 99])
        _legend(panel, lines)
    panels[0][0].set_ylabel("values up to this, %")
    unit = "tokens of the texts that the engine accepts" if time == "tbm" else "schemas that the engine compiles"
    caption = f"{label.capitalize()}: the share of values up to a duration. Values are the {unit}."
    return _saved(image, to, f"{time}_cdf", caption, ("engine", "pass", "microseconds", "share"), rows)


def coverage_plot(figures: Mapping[str, Any], to: Place) -> Picture:
    """What became of the items of each split in the first pass, a panel for each engine."""
    first = {name: next(iter(engine["passes"].values())) for name, engine in figures["engines"].items()}
    splits = sorted({split for found in first.values() for split in found["splits"]})
    image, panels = _panels(1, len(first), 1.3 + 0.3 * len(splits))
    rows: Rows = []
    used = [o for o in OUTCOMES if any(found["coverage"]["outcomes"][o] for found in first.values())]
    for (name, found), panel in zip(first.items(), panels[0]):
        judged = [found["splits"].get(split, {}).get("coverage") for split in splits]
        left = np.zeros(len(splits))
        for outcome in used:
            counts = np.array([part["outcomes"][outcome] if part else 0 for part in judged])
            shares = counts / np.array([part["items"] if part else 1 for part in judged])
            style = {"color": OUTCOME_COLOURS[outcome], "edgecolor": "white", "linewidth": 0.6}
            panel.barh(range(len(splits)), shares * 100, 0.78, left=left * 100, label=outcome, **style)
            left += shares
            rows += [(name, s, outcome, n, f"{y:.6g}") for s, n, y in zip(splits, counts.tolist(), shares)]
        for place, part in enumerate(judged):
            panel.text(2, place, f"{part['pass_rate']:.1%}" if part else "no items", va="center", fontsize=8)
        panel.set(xlim=(0, 100), xlabel="items, %", title=f"{name}: {found['coverage']['pass_rate']:.1%}")
        panel.grid(axis="y", visible=False)
    _named(panels[0][0], splits, first.values())
    image.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(used))
    caption = "What became of the items in the first pass; the numbers are pass rates."
    header = ("engine", "split", "outcome", "items", "share")
    return _saved(image, to, "coverage", caption, header, rows)


def _named(panel: Any, splits: Sequence[str], found: Iterable[Mapping[str, Any]]) -> None:
    """Splits with their numbers of items, the first one above."""
    parts = [
        [each["splits"][split]["coverage"]["items"] for each in found if split in each["splits"]] for split in splits
    ]
    panel.set_yticks(range(len(splits)), labels=[f"{split} ({max(n):,})" for split, n in zip(splits, parts)])
    panel.set_ylim(len(splits) - 0.4, -0.6)


def size_plot(by: Mapping[str, Mapping[int, Sequence[Record]]], to: Place) -> Picture:
    """TTFM against the size of the schema in the first pass, a panel for each engine so that no dots hide others."""
    image, panels = _panels(1, len(by), 3.2)
    rows: Rows = []
    for (name, passes), panel in zip(by.items(), panels[0]):
        dots = [r for r in next(iter(passes.values())) if r.ttfm_ns and r.schema_bytes]
        sizes, us = [r.schema_bytes for r in dots], [r.ttfm_ns / 1e3 for r in dots]
        style = {"s": 9, "alpha": 0.35, "linewidths": 0, "color": colours(by)[name], "rasterized": True}
        panel.scatter(sizes, us, **style)
        median = f", median {figure(float(np.median(us)))} µs" if us else ""
        panel.set(xscale="log", yscale="log", xlabel="schema, bytes", title=f"{name}{median}")
        rows += [(name, r.id, r.split, r.schema_bytes, f"{x:.6g}") for r, x in zip(dots, us)]
    panels[0][0].set_ylabel("time to first mask, µs")
    caption = "Time to first mask against the size of the schema, of the schemas that the engine compiles; first pass."
    header = ("engine", "id", "split", "schema_bytes", "microseconds")
    return _saved(image, to, "ttfm_size", caption, header, rows)


def vocabulary_plot(rows: Sequence[Mapping[str, Any]], to: Place) -> Picture:
    """TBM average and p99 against the size of the vocabulary, in the last pass."""
    last = max(rows, key=lambda row: int(row["pass"]))["pass"]
    rows = [row for row in rows if row["pass"] == last]
    image, panels = _panels(1, 2, 3.4)
    engines = list(dict.fromkeys(row["engine"] for row in rows))
    for panel, figure_name in zip(panels[0], ("avg", "p99")):
        lines: Lines = []
        for name, colour in colours(engines).items():
            mine = [row for row in rows if row["engine"] == name]
            us = [row[f"tbm_{figure_name}"] for row in mine]
            rate = min(row["pass_rate"] for row in mine)
            style = {"marker": "o", "markersize": 4, "color": colour, "linewidth": 1.6}
            (line,) = panel.plot([row["vocabulary"] for row in mine], us, **style)
            lines.append((float(np.median(us)), line, f"{name}, {rate:.1%} pass"))
        panel.set(xscale="log", yscale="log", xlabel="vocabulary, tokens", title=f"{figure_name}, {_pass(int(last))}")
        sizes = sorted({row["vocabulary"] for row in rows})
        panel.set_xticks(sizes, labels=[f"{size / 1000:,.0f}k" for size in sizes])
        panel.minorticks_off()
        _legend(panel, lines)
    panels[0][0].set_ylabel("time between masks, µs")
    header = ("engine", "pass", "tokenizer", "vocabulary", "pass_rate", "tbm_avg_us", "tbm_p99_us")
    data = [tuple(row[name.removesuffix("_us")] for name in header) for row in rows]
    return _saved(image, to, "tbm_vocabulary", "Time between masks against the vocabulary.", header, data)


# What pictures have in common


def _panels(height: int, width: int, inches: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    image = Figure(figsize=(WIDTH, inches))
    return image, image.subplots(height, width, squeeze=False, sharex=True, sharey=True)


def _pass(run: int) -> str:
    return f"pass {run}, {'cold' if run == 1 else 'warm'}"


def _legend(panel: Any, lines: Lines) -> None:
    """Below the panel, where it hides nothing; the lines from left to right as they cross the middle."""
    ranked = sorted(lines, key=lambda entry: entry[0])
    place = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.21), "borderaxespad": 0.0}
    panel.legend([line for _, line, _ in ranked], [says for *_, says in ranked], **place)


def _saved(image: Any, to: Place, name: str, caption: str, header: Sequence[str], rows: Iterable[Any]) -> Picture:
    """Write the three files. Without a date and with fixed ids, so that equal pictures are equal files."""
    if to.tokenizer:
        name += "-" + re.sub(r"[^\w.-]", "_", to.tokenizer)
        caption = f"{to.tokenizer}. {caption}"
    found = Picture(name, caption, to.folder)
    image.savefig(found.file("svg"), dpi=200, metadata={"Date": None})
    image.savefig(found.file("png"), dpi=150, metadata={"Software": None})
    with found.file("csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return found
