"""What came of the requests of the benchmark of masks: coverage, times, ratios, and tables of them."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from benchmarks.mask_requests import PASSES, Record
from benchmarks.mask_worker import OUTLINES
from benchmarks.peers import ENGINES
from benchmarks.readme import replace_block
from benchmarks.report import block, divided, figure, statistics, write_json
from benchmarks.tables import Table, show

PROGRAM = "masks"
FIGURES = ("avg", "p50", "p90", "p99", "max")
HEADER = ("engine", "pass", "patterns", "handled", "tokens", *FIGURES, "first p50", "avg", "p99")
UNITS = "Microseconds. Mask + commit per token: avg to max. Compile + first mask: the last three columns."


def handled_by(records: Iterable[Record], engine: str) -> set[str]:
    """Patterns that an engine handled in every text and pass that it was given."""
    mine = [record for record in records if record.engine == engine]
    return {r.pattern for r in mine} - {r.pattern for r in mine if r.outcome != "handled"}


def summarise(records: Sequence[Record], differences: dict[str, Any] | None) -> dict[str, Any]:
    """Coverage and times of each engine, ratios of each pair, and where masks differ."""
    names = list(
        dict.fromkeys(record.engine for record in sorted(records, key=lambda r: list(ENGINES).index(r.engine)))
    )
    local = [name for name in names if name != OUTLINES]
    handled = {name: handled_by(records, name) for name in names}
    shared = set[str].intersection(*(handled[name] for name in local)) if local else set()
    return {
        "engines": {
            name: {
                "coverage": coverage(records, name),
                "not_handled": complaints(records, name),
                "times": times(records, name, handled[name]),
                "times_on_shared": times(records, name, shared & handled[name]),
            }
            for name in names
        },
        "shared_patterns": len(shared),
        "ratios": {
            f"{left}/{right}": ratios(records, left, right, handled[left] & handled[right])
            for left, right in combinations(names, 2)
        },
        "differences": differences,
    }


def coverage(records: Iterable[Record], engine: str) -> dict[str, int]:
    """How many patterns ended how; a pattern counts by its first text that was not handled."""
    outcome: dict[str, str] = {}
    for record in records:
        if record.engine == engine and outcome.get(record.pattern, "handled") == "handled":
            outcome[record.pattern] = record.outcome
    return {"handled": 0, "refused": 0, "failed": 0} | Counter(outcome.values())


def complaints(records: Iterable[Record], engine: str) -> dict[str, str]:
    """Why patterns were not handled, in the engine's words, first line and shortened."""
    odd = (r for r in records if r.engine == engine and r.outcome != "handled")
    return {r.pattern: f"{r.outcome}: {' '.join(r.message.split())[:200]}" for r in odd}


def times(records: Iterable[Record], engine: str, patterns: set[str]) -> dict[str, Any]:
    """Times of an engine on some patterns, by pass: `mask` per token, `first` for compiling and the first mask."""
    result: dict[str, Any] = {}
    for run in PASSES:
        mine = [r for r in records if r.engine == engine and r.run == run and r.pattern in patterns]
        if mine:
            first = [r.first_ns for r in mine if run == "warm" or r.text == 0]
            result[run] = {"mask": statistics([ns for r in mine for ns in r.steps_ns]), "first": statistics(first)}
    return result


def ratios(records: Sequence[Record], left: str, right: str, patterns: set[str]) -> dict[str, Any]:
    """Times of one engine divided by another's on the patterns that both handle: below 1, the left one is faster."""
    ours, theirs = times(records, left, patterns), times(records, right, patterns)
    return {"patterns": len(patterns)} | {
        run: {part: divided(ours[run][part], theirs[run][part], FIGURES) for part in ("mask", "first")}
        for run in PASSES
        if run in ours and run in theirs
    }


# Showing it


def tables(summary: dict[str, Any]) -> list[Table]:
    """One table for each tokenizer."""
    return [
        Table(name, HEADER, list(rows(part)), list(notes(part)), left=2) for name, part in summary["tokenizers"].items()
    ]


def rows(part: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row for each engine and pass; times in microseconds, on the patterns that all engines here handle."""
    for name, engine in part["engines"].items():
        counts = engine["coverage"]
        handled = f"{counts.get('handled', 0)}/{sum(counts.values())}"
        source = "times" if name == OUTLINES else "times_on_shared"
        patterns = counts.get("handled", 0) if name == OUTLINES else part["shared_patterns"]
        for run, found in engine[source].items():
            mask, first = found["mask"], found["first"]
            shown = [*(mask[key] for key in FIGURES), *(first[key] for key in ("p50", "avg", "p99"))]
            yield name, run, str(patterns), handled, f"{mask['count']:,}", *map(figure, shown)


def notes(part: dict[str, Any]) -> Iterator[str]:
    """Sentences below a table: ratios, what was not handled, where masks differ."""
    for pair, found in part["ratios"].items():
        for run in (run for run in PASSES if run in found):
            mask, first = found[run]["mask"], found[run]["first"]
            yield (
                f"{pair}, {run}, on the {found['patterns']} patterns that both handle: mask + commit "
                f"avg x{mask['avg']:.3g}, p50 x{mask['p50']:.3g}, p99 x{mask['p99']:.3g}; "
                f"compile + first mask p50 x{first['p50']:.3g}, "
                f"avg x{first['avg']:.3g}"
            )
    for name, engine in part["engines"].items():
        counts, named = engine["coverage"], list(engine["not_handled"])
        others = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if outcome != "handled" and count)
        if others:
            yield f"{name}: {others} ({', '.join(named[:12])}{', …' if len(named) > 12 else ''})"
    found = part["differences"]
    if found:
        yield (
            f"masks of {' and '.join(found['engines'])} differ in {found['differing']:,} of {found['states']:,} states "
            f"compared, in {len(found['patterns'])} patterns; in {found['forced']:,} of them one allows a single token"
        )


def publish(summary: dict[str, Any], given: argparse.Namespace) -> None:
    """Write the summary as JSON and Markdown, into the README if asked, and to the terminal."""
    found = tables(summary)
    text = block(summary, found, UNITS)
    write_json(given.out / "masks.json", summary)
    (given.out / "masks.md").write_text(text, encoding="utf-8")
    if given.readme:
        replace_block(given.readme, PROGRAM, text)
    if given.json:
        print(json.dumps(summary, indent=2))
    else:
        titled = (replace(table, title=f"{table.title}: mask + commit, compile + first mask (us)") for table in found)
        show(titled, width=140, bullet="")
