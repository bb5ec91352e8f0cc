"""From records to figures, modes `generate` and `quality`: what became of texts that a model wrote.

* declared coverage: items whose schema the engine takes. empirical coverage: items whose text is valid. compliance:
  the valid ones among the declared ones.
* GCT: grammar compilation. TTFT: time to the first token, compilation included. TPOT: time per token after the first.
  total: the whole text; plain total: the same without skipping tokens that are forced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.jsonschemabench.bootstrap import Resampling, Values, interval_of_mean
from benchmarks.jsonschemabench.metrics import by_engine, compared, coverage, figures, peak_rss_mb
from benchmarks.jsonschemabench.records import Record

TIMES = {"gct": "gct_ms", "ttft": "ttft_ms", "tpot": "tpot_ms", "total": "total_ms", "plain_total": "plain_total_ms"}


def generate(records: Sequence[Record], how: Resampling) -> dict[str, Any]:
    """All figures of mode `generate`; durations in microseconds."""
    by = by_engine(records)
    return {
        "engines": {
            name: {
                "peak_rss_mb": peak_rss_mb(passes.values()),
                "passes": {str(run): _generated(mine, how) for run, mine in passes.items()},
            }
            for name, passes in by.items()
        },
        "ratios": {
            f"{a}/{b}": {str(run): _both(by[a][run], by[b][run], how) for run in by[a] if run in by[b]}
            for a, b in combinations(by, 2)
        },
    }


def timed(records: Iterable[Record], time: str) -> Values:
    """One of `TIMES`, of the items that were declared and have it."""
    return {
        r.id: np.array([round(r.generated[TIMES[time]] * 1e6)], np.int64)
        for r in records
        if r.generated and r.generated.get("declared") and (r.generated.get(TIMES[time]) or 0) > 0
    }


def _generated(records: Sequence[Record], how: Resampling) -> dict[str, Any]:
    texts = [record.generated or {} for record in records]
    declared = [text for text in texts if text.get("declared")]
    valid = sum(bool(text.get("empirical")) for text in declared)
    tokens = sum(text.get("tokens") or 0 for text in declared)
    forced = sum(text.get("forced_tokens") or 0 for text in declared)
    return {
        "coverage": coverage(records),
        "declared_coverage": _share(len(declared), len(texts)),
        "empirical_coverage": _share(sum(bool(text.get("empirical")) for text in texts), len(texts)),
        "compliance": _share(valid, len(declared)),
        "unjudged": sum("unjudged" in text for text in texts),
        "tokens": tokens,
        "forced_share": _share(forced, tokens),
        "skipping": _common(timed(records, "total"), timed(records, "plain_total"), how),
    } | {time: figures(timed(records, time)) for time in TIMES}


def _both(ours: Sequence[Record], theirs: Sequence[Record], how: Resampling) -> dict[str, Any]:
    return {time: _common(timed(ours, time), timed(theirs, time), how) for time in TIMES}


def _common(ours: Values, theirs: Values, how: Resampling) -> dict[str, Any] | None:
    """Ratios over the items that are in both."""
    common = ours.keys() & theirs.keys()
    kept = [{id: ns for id, ns in side.items() if id in common} for side in (ours, theirs)]
    return compared(kept[0], kept[1], how)


def quality(records: Sequence[Record], how: Resampling) -> dict[str, Any]:
    """All figures of mode `quality`: right answers by task, decoding and engine, a row each."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    decodings = {str(record.task["decoding"]) for record in records if record.task}
    for record in records:
        found.setdefault((*_asked(record, decodings), record.engine), []).append(record)
    return {
        "answers": [
            {"task": task, "decoding": decoding, "engine": engine} | _answered(mine, how)
            for (task, decoding, engine), mine in sorted(found.items())
        ],
        "engines": {name: {"peak_rss_mb": peak_rss_mb(passes.values())} for name, passes in by_engine(records).items()},
    }


def _asked(record: Record, decodings: Collection[str]) -> tuple[str, str]:
    """Task and decoding. Where no text came of it, they stand in the split and at the end of the id."""
    if record.task:
        return str(record.task["name"]), str(record.task["decoding"])
    decoding = record.id.rpartition(" ")[2]
    return record.split, decoding if decoding in decodings else "unknown"


def _answered(records: Sequence[Record], how: Resampling) -> dict[str, Any]:
    """Accuracy with its interval; a question without an answer counts as a wrong one. Several passes are averaged."""
    right: dict[str, list[float]] = {}
    for record in records:
        right.setdefault(record.id, []).append(float(bool((record.task or {}).get("correct"))))
    shares = [sum(mine) / len(mine) for mine in right.values()]
    low, high = interval_of_mean(shares, how)
    tasks = [record.task for record in records if record.task]
    return {
        "questions": len(shares),
        "accuracy": round(sum(shares) / len(shares), 6),
        "low": low,
        "high": high,
        "failed": sum(record.outcome != "pass" for record in records),
        "tokens": _mean([task.get("tokens") or 0 for task in tasks]),
        "seconds": _mean([task.get("seconds") or 0.0 for task in tasks]),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
