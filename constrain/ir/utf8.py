"""Ranges of code points as a tree of byte ranges: how UTF-8 spells them.

>>> byte_tree(((0x41, 0x42), (0xE9, 0xE9)))
(((), ((65, 66),)), ((((), ((169, 169),)),), ((195, 195),)))
"""

from __future__ import annotations

from functools import lru_cache

from constrain.ir.expr import Ranges

ByteTree = tuple[tuple["ByteTree", Ranges], ...]
"""Branches: what follows, and the ranges of the byte that leads to it. The empty tree ends a character."""

# First and last code point of each length, and what the lead byte adds to its share of the bits.
_LENGTHS = ((0x0, 0x7F, 0x00), (0x80, 0x7FF, 0xC0), (0x800, 0xFFFF, 0xE0), (0x10000, 0x10FFFF, 0xF0))


def byte_tree(ranges: Ranges) -> ByteTree:
    """The tree for one character of `ranges`. Surrogates cannot be spelled in UTF-8 and are left out."""
    branches: ByteTree = ()
    for extra, (first, last, mark) in enumerate(_LENGTHS):
        within = _within(ranges, first, last)
        if extra == 2:
            within = _within(within, first, 0xD7FF) + _within(within, 0xE000, last)
        branches += _tree(within, 6 * extra, mark)
    return branches


def _within(ranges: Ranges, first: int, last: int) -> Ranges:
    return tuple((max(low, first), min(high, last)) for low, high in ranges if low <= last and high >= first)


@lru_cache(maxsize=4096)
def _tree(ranges: Ranges, scale: int, mark: int) -> ByteTree:
    """The tree for numbers in `ranges`, whose first byte is `mark` plus the bits from `scale` up."""
    if scale < 0:
        return ()
    branches: dict[ByteTree, list[tuple[int, int]]] = {}
    for low, high, rest in _split(ranges, scale):
        branches.setdefault(_tree(rest, scale - 6, 0x80), []).append((mark + low, mark + high))
    return tuple((subtree, tuple(leads)) for subtree, leads in branches.items())


def _split(ranges: Ranges, scale: int) -> list[tuple[int, int, Ranges]]:
    """Runs of leading parts (number >> scale) with what the ranges hold below each of them."""
    shared: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for low, high in ranges:
        for lead, rest in _pieces(low, high, scale):
            shared.setdefault(lead, []).append(rest)
    return [(first, last, tuple(rests)) for (first, last), rests in shared.items()]


def _pieces(low: int, high: int, scale: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """A range cut where the leading part is covered in part only: (run of leading parts, range of the rest)."""
    every = (1 << scale) - 1
    first, last = low >> scale, high >> scale
    if first == last:
        return [((first, last), (low & every, high & every))]
    pieces = []
    if low & every:
        pieces.append(((first, first), (low & every, every)))
        first += 1
    if high & every != every:
        pieces.append(((last, last), (0, high & every)))
        last -= 1
    return [*pieces, ((first, last), (0, every))] if first <= last else pieces
