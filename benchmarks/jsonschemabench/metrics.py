"""From records to figures, mode `masks`: coverage, times beside it, ratios of engines. Durations in microseconds.

* TBM: mask and commit for one token, the mask at the end included, over the texts that were accepted to their end.
* TTFM: compile and first mask, over the schemas that compile.
* *both*: the texts that both engines accept, or the schemas that both compile. The only fair ratio: an engine that
  refuses what is slow looks fast on the rest. *all*: each engine on what it handles itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.jsonschemabench.bootstrap import Resampling, Values, ratios
from benchmarks.jsonschemabench.records import OUTCOMES, Record, Run
from benchmarks.report import statistics

NOTHING = "nothing"
"""The engine that does nothing: its times are those of the runner."""
OWN = "constrain"
SIZES = 4
"""A class of schema sizes ends at this many times its beginning."""

TextKey = tuple[str, int]
"""An item and the number of a text of it."""


@dataclass(frozen=True)
class Group:
    """Records that may be compared with each other: one mode, one tokenizer or model."""

    mode: str
    tokenizer: str
    runs: tuple[Run, ...]
    records: tuple[Record, ...]

    @property
    def vocabulary(self) -> int:
        """Tokens, as most records have it: a process that died left none, and engines may pad."""
        found = Counter(record.vocabulary for record in self.records if record.vocabulary)
        return found.most_common(1)[0][0] if found else 0


def masks(records: Sequence[Record], how: Resampling) -> dict[str, Any]:
    """All figures of mode `masks`."""
    by = by_engine(records)
    overhead = by.pop(NOTHING, {})
    return {
        "engines": {name: _engine(passes) for name, passes in by.items()},
        "overhead": {str(run): figures(tbm(mine)) for run, mine in overhead.items()},
        "ratios": {f"{a}/{b}": _passes_compared(by[a], by[b], how) for a, b in combinations(by, 2)},
    }


def by_engine(records: Iterable[Record]) -> dict[str, dict[int, list[Record]]]:
    """The records of each engine by pass, in order; this package first, whoever had the first turn."""
    found: dict[str, dict[int, list[Record]]] = {}
    for record in records:
        found.setdefault(record.engine, {}).setdefault(record.run, []).append(record)
    return {name: dict(sorted(found[name].items())) for name in sorted(found, key=lambda name: (name != OWN, name))}


# What was measured


def tbm(records: Iterable[Record], only: Collection[TextKey] | None = None) -> Values:
    """Mask and commit, token by token, of the texts that were accepted to their end; of those in `only` if given."""
    found = {}
    for record in records:
        kept = [
            np.asarray(text.steps_ns, np.int64)
            for number, text in enumerate(record.texts)
            if text.accepted and text.steps_ns and (only is None or (record.id, number) in only)
        ]
        if kept:
            found[record.id] = np.concatenate(kept)
    return found


def ttfm(records: Iterable[Record], only: Collection[str] | None = None) -> Values:
    """Compile and first mask of the schemas that compile; of those in `only` if given."""
    return {r.id: np.array([r.ttfm_ns], np.int64) for r in records if r.ttfm_ns and (only is None or r.id in only)}


def compiling(records: Iterable[Record]) -> Values:
    """Compile alone, of the schemas that compile."""
    return {r.id: np.array([r.compile_ns], np.int64) for r in records if r.ttfm_ns}


def accepted(records: Iterable[Record]) -> set[TextKey]:
    """The texts that are accepted to their end."""
    return {(r.id, number) for r in records for number, text in enumerate(r.texts) if text.accepted and text.steps_ns}


def compiled(records: Iterable[Record]) -> set[str]:
    """The items whose schema compiles."""
    return {record.id for record in records if record.ttfm_ns}


# Figures of one engine


def figures(values: Values) -> dict[str, Any] | None:
    """How many items and values there are, average, percentiles, maximum; None of nothing."""
    if not values:
        return None
    together: Any = np.concatenate(list(values.values()))
    return {"items": len(values), **statistics(together)}


def coverage(records: Sequence[Record]) -> dict[str, Any]:
    """What became of the items."""
    outcomes = dict.fromkeys(OUTCOMES, 0) | Counter(record.outcome for record in records)
    rate = outcomes["pass"] / len(records) if records else 0.0
    return {"items": len(records), "pass_rate": round(rate, 6), "outcomes": outcomes}


def by_split(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each split, splits by name."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.split, []).append(record)
    return dict(sorted(found.items()))


def peak_rss_mb(passes: Iterable[Iterable[Record]]) -> float:
    """The most memory that a process of an engine has held."""
    return round(max((record.rss_mb for records in passes for record in records), default=0.0), 1)


def _engine(passes: dict[int, list[Record]]) -> dict[str, Any]:
    return {
        "peak_rss_mb": peak_rss_mb(passes.values()),
        "passes": {
            str(run): _judged_and_timed(mine)
            | {
                "compile": figures(compiling(mine)),
                "splits": {split: _judged_and_timed(part) for split, part in by_split(mine).items()},
                "sizes": _sizes(mine),
            }
            for run, mine in passes.items()
        },
    }


def _judged_and_timed(records: Sequence[Record]) -> dict[str, Any]:
    return {"coverage": coverage(records), "tbm": figures(tbm(records)), "ttfm": figures(ttfm(records))}


def _sizes(records: Iterable[Record]) -> list[dict[str, Any]]:
    """TTFM by the size of the schema."""
    found: dict[int, list[Record]] = {}
    for record in records:
        if record.schema_bytes:
            found.setdefault(int(np.log(record.schema_bytes) / np.log(SIZES) + 1e-9), []).append(record)
    return [
        {"from_bytes": SIZES**power, "below_bytes": SIZES ** (power + 1), "coverage": coverage(mine)}
        | {"ttfm": figures(ttfm(mine))}
        for power, mine in sorted(found.items())
    ]


# Two engines


def compared(ours: Values, theirs: Values, how: Resampling) -> dict[str, Any] | None:
    """Ratios of what was measured; how many items and values they rest on, for each engine. None if one has nothing."""
    if not ours or not theirs:
        return None
    sizes = [[len(side), sum(map(len, side.values()))] for side in (ours, theirs)]
    return {"items": [n for n, _ in sizes], "values": [n for _, n in sizes], "figures": ratios(ours, theirs, how)}


def _passes_compared(
    ours: dict[int, list[Record]], theirs: dict[int, list[Record]], how: Resampling
) -> dict[str, dict[str, Any]]:
    return {
        str(run): {
            "both": both(ours[run], theirs[run], how),
            "all": {
                "tbm": compared(tbm(ours[run]), tbm(theirs[run]), how),
                "ttfm": compared(ttfm(ours[run]), ttfm(theirs[run]), how),
            },
            "splits": in_both_splits(ours[run], theirs[run], lambda left, right: both(left, right, how)),
        }
        for run in ours
        if run in theirs
    }


def both(ours: Sequence[Record], theirs: Sequence[Record], how: Resampling) -> dict[str, Any]:
    """TBM on the texts that both accept, TTFM on the schemas that both compile."""
    texts, schemas = accepted(ours) & accepted(theirs), compiled(ours) & compiled(theirs)
    return {
        "texts": len(texts),
        "tbm": compared(tbm(ours, texts), tbm(theirs, texts), how),
        "ttfm": compared(ttfm(ours, schemas), ttfm(theirs, schemas), how),
    }


def in_both_splits(
    ours: Iterable[Record], theirs: Iterable[Record], compare: Callable[[list[Record], list[Record]], Any]
) -> dict[str, Any]:
    """What comes of a comparison in each split that both have."""
    left, right = by_split(ours), by_split(theirs)
    return {split: compare(left[split], right[split]) for split in left if split in right}


# Several vocabularies


def vocabularies(groups: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """TBM against the size of the vocabulary: of each engine and pass, by the figures of groups of mode `masks`."""
    return [
        {"vocabulary": group["vocabulary"], "tokenizer": group["tokenizer"], "engine": name, "pass": run}
        | {"pass_rate": found["coverage"]["pass_rate"]}
        | {f"tbm_{figure}": found["tbm"][figure] for figure in ("avg", "p50", "p99")}
        for group in sorted(groups, key=lambda group: group["vocabulary"])
        for name, engine in group["engines"].items()
        for run, found in engine["passes"].items()
        if found["tbm"]
    ]
