"""Intervals by resampling: how far a figure would move if other items of the same kind had been measured.

Items are drawn with replacement, not tokens: tokens of one item go through the same automaton, so that their times
depend on each other, and an interval over tokens would be far too narrow. Two engines are given the same draws, so that
what makes an item slow for both cancels out in their ratio.

Values are counted in classes a hundredth wide, which is narrower than any interval here. For a draw the counts of an
item are multiplied by how often it was drawn: seconds where sorting millions of times anew for every draw takes hours.
A product of dense matrices would do the same, but its threads wait for each other where other work is going on: 25 s
instead of 2 s on two busy cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import PERCENTILES

Values = Mapping[str, NDArray[np.int64]]
"""What was measured of each item, in nanoseconds."""
Floats = NDArray[np.float64]

WITH_INTERVAL = ("avg", "p50", "p99")
"""Figures that have an interval. One of the maximum would say nothing: a draw cannot exceed it."""
WIDTH = 0.01
"""Relative width of a class of values."""
TAILS = (2.5, 97.5)
"""Percent: between them lie 95 % of the draws."""
_CHUNK = 1 << 20
"""Counts that are multiplied at once: all draws of a few items together, draws of many items one by one."""


@dataclass(frozen=True)
class Resampling:
    """How often is drawn, and from which seed: the same numbers come out of the same records."""

    seed: int = 0
    number: int = 1000


@dataclass(frozen=True)
class Counts:
    """How often the values of each class occur in each item, class by class; only where they do."""

    values: Floats
    """The mean of each class, ascending."""
    first: NDArray[np.int64]
    """Where the counts of a class begin."""
    item: NDArray[np.int64]
    """The item of each count."""
    count: NDArray[np.float32]


def ratios(ours: Values, theirs: Values, how: Resampling) -> dict[str, dict[str, float | None]]:
    """Ratios of the averages, percentiles and maxima, those of `WITH_INTERVAL` with `low` and `high`.

    Below 1 the left one is faster. With fewer than two items there is nothing to draw from: `low` and `high` are None.
    """
    left, right = exact(ours), exact(theirs)
    found: dict[str, dict[str, float | None]] = {
        name: {"ratio": significant(left[name] / right[name])} for name in left if right.get(name)
    }
    shown = [name for name in WITH_INTERVAL if name in found]
    items = sorted(ours.keys() | theirs.keys())
    bounds: Floats | list[tuple[None, None]] = [(None, None)] * len(WITH_INTERVAL)
    if shown and len(items) > 1:
        bounds = _bounds(counted(ours, items), counted(theirs, items), len(items), how)
    for name, (low, high) in zip(WITH_INTERVAL, bounds):
        if name in found:
            found[name] |= {"low": significant(low), "high": significant(high)}
    return found


def exact(values: Values) -> dict[str, float]:
    """Average, percentiles and maximum, not rounded; nothing of nothing."""
    if not values:
        return {}
    together = np.concatenate(list(values.values())).astype(np.float64)
    ranked = np.percentile(together, list(PERCENTILES.values())).tolist()
    return {"avg": float(together.mean()), **dict(zip(PERCENTILES, ranked)), "max": float(together.max())}


def significant(value: float | None) -> float | None:
    """Four significant digits, or None if there is no number.

    >>> significant(0.0123456), significant(float("nan")), significant(None)
    (0.01235, None, None)
    """
    return None if value is None or not np.isfinite(value) else float(f"{value:.4g}")


def interval_of_mean(values: Sequence[float], how: Resampling) -> tuple[float | None, float | None]:
    """The interval of an average, such as a share of right answers."""
    array = np.asarray(values, np.float64)
    if array.size < 2:
        return None, None
    means = np.concatenate([(weights * array).sum(axis=1) for weights in draws(array.size, how)]) / array.size
    low, high = np.percentile(means, TAILS)
    return significant(low), significant(high)


def draws(items: int, how: Resampling, counts: int = 0) -> Iterator[NDArray[np.float32]]:
    """Chunks of draws × items: how often an item is in a draw. Every row sums to the number of items.

    `counts` is how many numbers each draw is multiplied with, if they are more than the items.
    """
    rng = np.random.default_rng(how.seed)
    chunk = max(1, _CHUNK // max(items, counts))
    for first in range(0, how.number, chunk):
        rows = min(chunk, how.number - first)
        drawn = rng.integers(items, size=(rows, items)) + np.arange(rows)[:, None] * items
        yield np.bincount(drawn.ravel(), minlength=rows * items).reshape(rows, items).astype(np.float32)


def counted(values: Values, items: Sequence[str]) -> Counts:
    """The values of items, by their places in `items`; there must be one value at least."""
    place = {item: number for number, item in enumerate(items)}
    ns = np.concatenate(list(values.values())).astype(np.float64)
    owner = np.repeat([place[item] for item in values], [len(each) for each in values.values()])
    rounded = np.rint(np.log(np.maximum(ns, 1.0)) / WIDTH).astype(np.int64)
    classes, number = np.unique(rounded, return_inverse=True)
    entries, count = np.unique(number * len(items) + owner, return_counts=True)
    means = np.bincount(number, weights=ns) / np.bincount(number)
    first = np.searchsorted(entries, np.arange(len(classes)) * len(items))
    return Counts(means, first, entries % len(items), count.astype(np.float32))


def resampled(counts: Counts, weights: NDArray[np.float32]) -> Floats:
    """draws × `WITH_INTERVAL`: the figures of each draw; NaN where a draw holds no value."""
    drawn = np.add.reduceat(weights[:, counts.item] * counts.count, counts.first, axis=1).astype(np.float64)
    cumulated = np.cumsum(drawn, axis=1)
    with np.errstate(invalid="ignore"):
        average = (drawn * counts.values).sum(axis=1) / cumulated[:, -1]
    percentiles = [percentile(counts.values, cumulated, PERCENTILES[name] / 100) for name in WITH_INTERVAL[1:]]
    return np.column_stack([average, *percentiles])


def percentile(values: Floats, cumulated: Floats, share: float) -> Floats:
    """By rows: what `numpy.percentile` says of values that are repeated, given how many there are up to each."""
    total = cumulated[:, -1]
    rank = np.maximum(share * (total - 1), 0.0)
    below, above = (
        values[np.minimum((cumulated <= place[:, None]).sum(axis=1), len(values) - 1)]
        for place in (np.floor(rank), np.ceil(rank))
    )
    return np.where(total > 0, below + (above - below) * (rank - np.floor(rank)), np.nan)


def _bounds(left: Counts, right: Counts, items: int, how: Resampling) -> Floats:
    """The interval of the ratio of each figure. Draws that hold nothing of one engine say nothing and are left out."""
    chunks = draws(items, how, max(len(left.item), len(right.item)))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.concatenate([resampled(left, weights) / resampled(right, weights) for weights in chunks])
    found = found[np.isfinite(found).all(axis=1)]
    return np.percentile(found, TAILS, axis=0).T if len(found) else np.full((len(WITH_INTERVAL), 2), np.nan)
