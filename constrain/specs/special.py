"""Special tokens in the text of a grammar.

In:  `<|name|>`, or `<[1-5,9]>`, `<[^1-5,9]>`, `<[*]>` with ids of tokens (all but these; all).
Out: a `constrain.ir.grammar.Special`.
"""

from __future__ import annotations

import re

from constrain.ir.grammar import Special
from constrain.specs.source import SourceText

PATTERN = r"<[^<>\s]+>"
LAST_TOKEN = 2**31 - 1
"""Largest id in ranges that have no end of their own."""

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def special(source: SourceText, written: str, position: int) -> Special:
    """The token, or the range of tokens, that is `written` at a position of the source.

    >>> special(SourceText("s", "<[^3]>"), "<[^3]>", 0).ids
    ((0, 2), (4, 2147483647))
    """
    inner = re.fullmatch(r"<\[(\^?)(.*)\]>", written)
    if inner is None:
        return Special(written)
    if inner.group(2) == "*" and not inner.group(1):
        return Special(written, ((0, LAST_TOKEN),))
    ranges = []
    for part in inner.group(2).split(","):
        found = _RANGE.fullmatch(part)
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not low <= high <= LAST_TOKEN:
            message = f"{part!r} in {written} is not an id of a token or a range of them"
            raise source.error(message, position, ("<[1-5,9]>", "<[^1-5,9]>", "<[*]>"))
        ranges.append((low, high))
    return Special(written, complement(_union(ranges)) if inner.group(1) else _union(ranges))


def complement(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """All other ids."""
    edges = [-1, *(edge for pair in ranges for edge in pair), LAST_TOKEN + 1]
    return tuple((low + 1, high - 1) for low, high in zip(edges[::2], edges[1::2]) if low + 1 < high)


def _union(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted and apart."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
