"""Figures as tables, for the terminal and for the page. Coverage stands beside every time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.jsonschemabench.bootstrap import WITH_INTERVAL
from benchmarks.jsonschemabench.cells import (
    NO_FIGURE,
    Figures,
    columns,
    counts,
    each_pass,
    in_ms,
    item,
    judged,
    label,
    memory,
    plain,
    ratio_cells,
    share,
    timed,
)
from benchmarks.jsonschemabench.metrics_of_texts import TIMES
from benchmarks.jsonschemabench.records import OUTCOMES
from benchmarks.report import FIGURES, figure
from benchmarks.tables import Table

BELOW = "below 1 the left engine is faster; in brackets 95 % intervals, items resampled"


# masks


def outcome_table(group: Figures) -> Table:
    """What became of the items."""
    rows = []
    for name, run, found in each_pass(group):
        outcomes = (f"{found['coverage']['outcomes'][outcome]:,}" for outcome in OUTCOMES)
        rows.append((name, run, *judged(found), *outcomes, memory(group, name)))
    return Table("Coverage", ("engine", "pass", "items", "pass rate", *OUTCOMES, "peak RSS, MB"), rows, left=2)


def time_table(group: Figures) -> Table:
    """Each engine on what it handles itself."""
    rows = [
        (name, run, label(time), judged(found)[1], *counts(found[time]), *timed(found[time]))
        for time in ("tbm", "ttfm", "compile")
        for name, run, found in each_pass(group)
    ]
    for run, found in group["overhead"].items():
        rows.append(("(runner alone)", run, label("tbm"), NO_FIGURE, *counts(found), *timed(found)))
    header = ("engine", "pass", "time", "pass rate", "items", "values", *FIGURES)
    return Table("Each engine on what it handles itself, microseconds", header, rows, left=3)


def ratio_table(group: Figures) -> Table:
    """Ratios on what both handle, and on all that each handles."""
    rows = [
        (pair, run, label(time), scope, *ratio_cells(found[scope][time]))
        for pair, passes in group["ratios"].items()
        for run, found in passes.items()
        for time in ("tbm", "ttfm")
        for scope in ("both", "all")
    ]
    header = ("engines", "pass", "time", "handled by", "items", *FIGURES)
    return Table("Ratios", header, rows, (BELOW, "all: each engine on what it handles itself"), left=4)


def split_table(group: Figures) -> Table:
    """Each engine in each split."""
    rows = [
        (split, name, run, *judged(part), *timed(part["tbm"], WITH_INTERVAL), *timed(part["ttfm"], WITH_INTERVAL))
        for name, run, found in each_pass(group)
        for split, part in found["splits"].items()
    ]
    header = ("split", "engine", "pass", "items", "pass rate", *columns("TBM"), *columns("TTFM"))
    return Table("By split, microseconds", header, sorted(rows, key=lambda row: row[0]), left=3)


def split_ratio_table(group: Figures) -> Table:
    """Ratios in each split."""
    rows = [
        (split, pair, run, label(time), *ratio_cells(both[time], WITH_INTERVAL))
        for pair, passes in group["ratios"].items()
        for run, found in passes.items()
        for split, both in found["splits"].items()
        for time in ("tbm", "ttfm")
    ]
    header = ("split", "engines", "pass", "time", "items", *WITH_INTERVAL)
    rows.sort(key=lambda row: row[0])
    return Table("Ratios by split, on what both handle", header, rows, (BELOW,), left=4)


def size_table(group: Figures) -> Table:
    """TTFM by the size of the schema."""
    rows = [
        (name, run, f"{size['from_bytes']:,} to {size['below_bytes'] - 1:,}", *judged(size), *timed(size["ttfm"]))
        for name, run, found in each_pass(group)
        for size in found["sizes"]
    ]
    header = ("engine", "pass", "schema, bytes", "items", "pass rate", *FIGURES)
    return Table("TTFM by size of the schema, microseconds", header, rows, left=3)


def vocabulary_table(rows: Iterable[Figures]) -> Table:
    """TBM against the size of the vocabulary."""
    shown = []
    for row in rows:
        us = (figure(row[f"tbm_{name}"]) for name in WITH_INTERVAL)
        size, rate = f"{row['vocabulary']:,}", share(row["pass_rate"])
        shown.append((row["engine"], row["pass"], row["tokenizer"], size, rate, *us))
    header = ("engine", "pass", "tokenizer", "vocabulary, tokens", "pass rate", *WITH_INTERVAL)
    return Table("TBM by vocabulary, microseconds", header, shown, left=3)


# generate and quality


def declared_table(group: Figures) -> Table:
    """Coverage and compliance."""
    rows = []
    for name, run, found in each_pass(group):
        rates = (share(found[rate]) for rate in ("declared_coverage", "empirical_coverage", "compliance"))
        tokens = f"{found['unjudged']:,}", f"{found['tokens']:,}", share(found["forced_share"])
        rows.append((name, run, judged(found)[0], *rates, *tokens, memory(group, name)))
    header = (
        "engine",
        "pass",
        "items",
        "declared coverage",
        "empirical coverage",
        "compliance",
        "unjudged",
        "tokens",
        "forced",
    )
    notes = ("unjudged: no validator takes the schema; the text does not count as valid",)
    return Table("Coverage of generated texts", (*header, "peak RSS, MB"), rows, notes, left=2)


def generation_table(group: Figures) -> Table:
    """Times of generated texts."""
    rows = [
        (name, run, label(time), share(found["declared_coverage"]), counts(found[time])[0], *in_ms(found[time]))
        for time in TIMES
        for name, run, found in each_pass(group)
    ]
    header = ("engine", "pass", "time", "declared coverage", "items", *FIGURES)
    notes = ("plain total: without skipping of forced tokens",)
    return Table("Times of generated texts, milliseconds", header, rows, notes, left=3)


def generation_ratio_table(group: Figures) -> Table:
    """Engines against each other, and each with skipping against itself without."""
    rows = [(name, run, "total/plain total", *ratio_cells(found["skipping"])) for name, run, found in each_pass(group)]
    rows += [
        (pair, run, label(time), *ratio_cells(found[time]))
        for pair, passes in group["ratios"].items()
        for run, found in passes.items()
        for time in TIMES
    ]
    return Table("Ratios on the items of both", ("engines", "pass", "time", "items", *FIGURES), rows, (BELOW,), left=3)


def quality_table(group: Figures) -> Table:
    """Right answers."""
    rows = []
    for row in group["answers"]:
        bounds = f"[{share(row['low'])}, {share(row['high'])}]" if row["low"] is not None else NO_FIGURE
        means = [figure(row[name]) if row[name] is not None else NO_FIGURE for name in ("tokens", "seconds")]
        numbers = (f"{row['questions']:,}", share(row["accuracy"]), bounds, f"{row['failed']:,}", *means)
        rows.append((row["task"], row["decoding"], row["engine"], *numbers))
    header = ("task", "decoding", "engine", "questions", "accuracy", "95 % interval", "failed", "tokens", "seconds")
    return Table("Right answers", header, rows, ("tokens and seconds: averages per question",), left=3)


# single items


def error_table(errors: Mapping[str, Iterable[Figures]], most: int = 12) -> Table:
    """The most frequent errors of each engine."""
    rows = [
        (
            name,
            found["outcome"],
            plain(found["error"]),
            plain(found["says"]),
            plain(found["ids"][0]),
            str(found["items"]),
        )
        for name, groups in errors.items()
        for found in list(groups)[:most]
    ]
    return Table("Errors", ("engine", "outcome", "error", "says", "for example", "items"), rows, left=5)


def slow_item_table(slowest: Mapping[str, Figures]) -> Table:
    """The items that are slowest to the first mask."""
    rows = [
        (name, *item(row), f"{row['bytes']:,}", figure(row["compile_us"] / 1e3), figure(row["first_us"] / 1e3))
        for name, found in slowest.items()
        for row in found["items"]
    ]
    header = ("engine", "item", "split", "pass", "bytes", "compile, ms", "first mask, ms")
    return Table("Slowest to the first mask", header, rows, left=4)


def slow_text_table(slowest: Mapping[str, Figures]) -> Table:
    """The texts with the slowest token."""
    rows = [
        (name, *item(row), str(row["text"]), f"{row['token']:,} of {row['tokens']:,}", figure(row["us"]))
        for name, found in slowest.items()
        for row in found["texts"]
    ]
    header = ("engine", "item", "split", "pass", "text", "token", "microseconds")
    notes = ("texts and tokens are counted from 0; the token after the last one is the end",)
    return Table("Texts with the slowest token", header, rows, notes, left=5)


# all of a mode

MAIN = {
    "masks": (outcome_table, time_table, ratio_table),
    "generate": (declared_table, generation_table, generation_ratio_table),
    "quality": (quality_table,),
}
"""What the terminal shows of each mode."""
MORE = {"masks": (split_table, split_ratio_table, size_table)}
"""What only the page shows."""


def main_tables(group: Figures) -> list[Table]:
    """The tables of a group that the terminal shows."""
    return [table(group) for table in MAIN[group["mode"]]] + [error_table(group["errors"])]


def more_tables(group: Figures) -> list[Table]:
    """The rest, for the page."""
    found = [table(group) for table in MORE.get(group["mode"], ())]
    if group["mode"] == "masks":
        found += [slow_item_table(group["slowest"]), slow_text_table(group["slowest"])]
    return found
