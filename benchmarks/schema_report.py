"""What became of schemas: pass rates, errors, times, ratios, the slowest ones, and tables of them."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.peers import encode, pretrained
from benchmarks.report import FIGURES, divided, figure, in_place, statistics
from benchmarks.schema_turns import OUTCOMES, Item, Record, badness, written
from benchmarks.tables import Table, cell

SLOWEST = 20
"""Schemas that are listed for each engine."""
SHOWN = 40
"""Schemas that do not pass, on the terminal. The JSON file has them all."""


def summarise(items: list[Item], records: Sequence[Record], given: argparse.Namespace) -> dict[str, Any]:
    """What passes and why the rest does not, times, ratios, the slowest, and every schema."""
    by = {name: [record for record in records if record.engine == name] for name in given.engines}
    judged = {name: worst(mine) for name, mine in by.items()}
    summary: dict[str, Any] = {
        "rates": {name: rates(mine) for name, mine in judged.items()},
        "errors": {name: errors(mine) for name, mine in judged.items()},
        "schemas": every_schema(records),
    }
    if given.workers > 1:
        return summary
    return summary | {
        "times": {name: times(mine, given.passes) for name, mine in by.items()},
        "pairs": {f"{a}/{b}": pair(by[a], by[b], given.passes) for a, b in combinations(by, 2)},
        "slowest": {name: slowest(items, mine, given.tokenizer) for name, mine in by.items()},
    }


def worst(records: Iterable[Record]) -> list[Record]:
    """Of each schema the pass with the worst outcome."""
    found: dict[str, Record] = {}
    for record in records:
        if record.id not in found or badness(record.outcome) > badness(found[record.id].outcome):
            found[record.id] = record
    return list(found.values())


def rates(records: Sequence[Record]) -> dict[str, Any]:
    """How many schemas ended how, in all and by split."""
    splits = {split: [r for r in records if r.split == split] for split in sorted({r.split for r in records})}
    return {
        "schemas": len(records),
        "outcomes": dict.fromkeys(OUTCOMES, 0) | Counter(record.outcome for record in records),
        "splits": {split: [sum(r.outcome == "pass" for r in mine), len(mine)] for split, mine in splits.items()},
    }


def errors(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Errors that say the same of different schemas, the most frequent first."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if record.kind:
            found.setdefault((record.outcome, record.kind, without_details(record.message)), []).append(record)
    ranked = sorted(found.items(), key=lambda entry: -len(entry[1]))
    return [
        {"outcome": outcome, "kind": kind, "says": says, "count": len(mine), "ids": [r.id for r in mine[:5]]}
        for (outcome, kind, says), mine in ranked
    ]


def without_details(message: str) -> str:
    """The first line of an error, with what it quotes and counts left out.

    >>> without_details('key "a" at /b/0 is longer than 12')
    'key … at … is longer than N'
    """
    line = (message.splitlines() or [""])[0]
    line = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|(?<!\w)[#/][^\s,;:)]+", "…", line)
    return re.sub(r"\d[\d,.]*", "N", line)[:160]


def every_schema(records: Iterable[Record]) -> dict[str, Any]:
    """Each schema with each engine and pass, in a few numbers."""
    found: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        steps = [ns for text in record.texts.values() for ns in text]
        kept: dict[str, Any] = {name: getattr(record, name) for name in ("outcome", "faults")}
        kept |= {"compile_us": record.compile_ns / 1e3, "first_us": record.first_ns / 1e3, "tokens": len(steps)}
        kept |= {"tbm_us": round(sum(steps) / len(steps) / 1e3, 3) if steps else None}
        kept |= {"slowest_us": record.slowest[0] / 1e3}
        found.setdefault(record.id, {}).setdefault(record.engine, []).append(kept)
    return found


def times(records: Sequence[Record], passes: int) -> dict[str, Any]:
    """By pass: TBM of the instances that the engine accepts, TTFM of the schemas that it compiles; microseconds."""
    found: dict[str, Any] = {}
    for run in range(1, passes + 1):
        mine = [record for record in records if record.run == run and record.compiled]
        steps = [ns for record in mine for text in record.texts.values() for ns in text]
        if steps:
            compiling = [record.compile_ns for record in mine]
            first = [record.ttfm_ns for record in mine]
            parts = {"tbm": steps, "ttfm": first, "compile": compiling}
            found[str(run)] = {part: statistics(ns) for part, ns in parts.items()}
    return found


def pair(left: Sequence[Record], right: Sequence[Record], passes: int) -> dict[str, Any]:
    """Two engines on the schemas that both compile, and on the instances that both accept to their end."""
    ours, theirs = shared(left, right), shared(right, left)
    found: dict[str, Any] = {"schemas": len({r.id for r in ours}), "instances": count_texts(ours)}
    found |= {"left": times(ours, passes), "right": times(theirs, passes)}
    found["ratios"] = {
        run: {part: divided(found["left"][run][part], found["right"][run][part]) for part in found["left"][run]}
        for run in found["left"]
    }
    return found


def shared(records: Sequence[Record], others: Sequence[Record]) -> list[Record]:
    """The records of schemas that both compile, with the texts that both accept, in every pass."""
    mine = texts_in_every_pass(records)
    both = {id: mine[id] & texts for id, texts in texts_in_every_pass(others).items() if id in mine}
    return [
        Record(r.id, r.split, r.engine, r.run, compile_ns=r.compile_ns, first_ns=r.first_ns, texts=kept)
        for r in records
        if r.id in both
        for kept in [{number: steps for number, steps in r.texts.items() if number in both[r.id]}]
    ]


def texts_in_every_pass(records: Iterable[Record]) -> dict[str, set[int]]:
    """The instances that an engine accepts, of each schema that it compiles."""
    found: dict[str, set[int]] = {}
    bad = {record.id for record in records if not record.compiled}
    for record in records:
        if record.id not in bad:
            found[record.id] = found.get(record.id, set(record.texts)) & set(record.texts)
    return found


def count_texts(records: Iterable[Record]) -> int:
    """The instances of one pass."""
    return sum(len(record.texts) for record in records if record.run == 1)


def slowest(items: Iterable[Item], records: Sequence[Record], tokenizer_dir: Path) -> dict[str, Any]:
    """The schemas that are slowest to compile, and those with the slowest steps, in the first pass."""
    by_id = {item.id: item for item in items}
    records = [record for record in records if record.run == 1]
    compiling = sorted((r for r in records if r.ttfm_ns), key=lambda r: -r.ttfm_ns)[:SLOWEST]
    stepping = sorted((r for r in records if r.slowest[0]), key=lambda r: -r.slowest[0])[:SLOWEST]
    tokenizer = pretrained(tokenizer_dir)
    return {
        "compile": [
            {
                "id": r.id,
                "compile_ms": r.compile_ns / 1e6,
                "first_ms": r.first_ns / 1e6,
                "bytes": len(json.dumps(by_id[r.id].schema)),
            }
            for r in compiling
        ],
        "mask": [{"id": r.id, "us": r.slowest[0] / 1e3} | step(by_id[r.id], r, tokenizer) for r in stepping],
    }


def step(item: Item, record: Record, tokenizer: Any) -> dict[str, str]:
    """The slowest step in its place."""
    _, number, place = record.slowest
    return in_place(tokenizer, encode(tokenizer, written(item.tests[number]["data"])), place)


# Showing it


def tables(summary: dict[str, Any]) -> Iterator[Table]:
    """What goes into a README."""
    yield outcome_table(summary)
    yield split_table(summary)
    yield error_table(summary)
    if "times" in summary:
        yield time_table(summary)
        for name, found in summary["pairs"].items():
            yield pair_table(name, found)
        for name, found in summary["slowest"].items():
            yield compile_table(name, found["compile"])
            yield mask_table(name, found["mask"])


def outcome_table(summary: dict[str, Any]) -> Table:
    """How many schemas ended how."""
    rows = []
    for name, found in summary["rates"].items():
        passed = found["outcomes"]["pass"]
        rows.append((name, f"{passed / found['schemas']:.1%}", *(f"{found['outcomes'][o]:,}" for o in OUTCOMES)))
    some = next(iter(summary["rates"].values()))
    return Table(f"What became of {some['schemas']:,} schemas", ("engine", "rate", *OUTCOMES), rows)


def split_table(summary: dict[str, Any]) -> Table:
    """Pass rates by split."""
    names = list(summary["rates"])
    rows = []
    for split, (_, count) in summary["rates"][names[0]]["splits"].items():
        passed = [summary["rates"][name]["splits"][split][0] for name in names]
        rows.append((split, f"{count:,}", *(f"{n / count:.1%}" for n in passed)))
    return Table("Schemas that pass, by split", ("split", "schemas", *names), rows)


def error_table(summary: dict[str, Any]) -> Table:
    """The most frequent errors of each engine."""
    rows = []
    for name, found in summary["errors"].items():
        for error in found[:12]:
            rows.append((name, error["outcome"], error["kind"], cell(error["says"]), f"{error['count']:,}"))
    notes = []
    for name, found in summary["errors"].items():
        kinds: Counter[str] = Counter()
        for error in found:
            kinds[f"{error['outcome']}, {error['kind']}"] += error["count"]
        if kinds:
            notes.append(f"{name}: " + "; ".join(f"{count:,} {kind}" for kind, count in kinds.most_common()))
    return Table("Errors", ("engine", "outcome", "error", "says", "schemas"), rows, notes, left=4)


def time_table(summary: dict[str, Any]) -> Table:
    """Each engine on what it handles itself."""
    rows = [
        (name, run, part.upper() if part != "compile" else part, f"{us['count']:,}", *(figure(us[f]) for f in FIGURES))
        for name, found in summary["times"].items()
        for run, parts in found.items()
        for part, us in parts.items()
    ]
    header = ("engine", "pass", "time", "count", *FIGURES)
    return Table("Each engine on what it handles, microseconds", header, rows, left=3)


def pair_table(name: str, found: dict[str, Any]) -> Table:
    """Two engines on the same, and their ratios."""
    left, right = name.split("/")
    rows = []
    for run, ratios in found["ratios"].items():
        for part in ("tbm", "ttfm"):
            for engine, side in ((left, "left"), (right, "right")):
                rows.append((part.upper(), run, engine, *(figure(found[side][run][part][f]) for f in FIGURES)))
            shown = (f"x{ratios[part][f]:.3g}" if f in ratios[part] else "-" for f in FIGURES)
            rows.append((part.upper(), run, "ratio", *shown))
    title = f"{name}: {found['schemas']:,} schemas that both compile, {found['instances']:,} instances, microseconds"
    return Table(title, ("time", "pass", "engine", *FIGURES), rows, left=3)


def compile_table(name: str, found: Sequence[dict[str, Any]]) -> Table:
    """The schemas that are slowest to compile."""
    rows = [
        (entry["id"], figure(entry["compile_ms"]), figure(entry["first_ms"]), f"{entry['bytes']:,}") for entry in found
    ]
    return Table(f"Slowest to the first mask, {name}", ("schema", "compile, ms", "first mask, ms", "bytes"), rows)


def mask_table(name: str, found: Sequence[dict[str, Any]]) -> Table:
    """The slowest steps, one a schema."""
    rows = [(entry["id"], cell(entry["before"]), cell(entry["token"]), figure(entry["us"])) for entry in found]
    return Table(f"Slowest steps, {name}", ("schema", "after", "token", "us"), rows, left=3)


def failure_table(summary: dict[str, Any]) -> Table:
    """Schemas that do not pass with the first engine, the worst first."""
    name, schemas = next(iter(summary["rates"])), summary["schemas"]
    judged = [(id, max(runs[name], key=lambda run: badness(run["outcome"]))) for id, runs in schemas.items()]
    failed = [(id, found) for id, found in judged if found["outcome"] != "pass"]
    failed.sort(key=lambda entry: -badness(entry[1]["outcome"]))
    shown = [(id, found["outcome"], cell(found["faults"][0][:150])) for id, found in failed[:SHOWN]]
    notes = [f"and {len(failed) - SHOWN:,} more"] if len(failed) > SHOWN else []
    return Table(f"Schemas that do not pass, {name}", ("schema", "outcome", "first fault"), shown, notes, left=3)
