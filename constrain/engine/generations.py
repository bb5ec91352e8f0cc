"""Forgetting: a session whose records have become too many begins anew, and states in use go on.

Records refer to older ones alone. A state of an earlier generation is copied, with all that it refers to, when it is
used again; what nothing refers to goes with the arrays of its generation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from constrain.engine import tables as t

if TYPE_CHECKING:
    from constrain.jit import Tables


class RecordGeneration:
    """The records of a session between two beginnings."""

    __slots__ = ("heap", "lexers")

    def __init__(self) -> None:
        self.heap: np.ndarray | None = None
        """Its records, once they have been left for new ones."""
        self.lexers: Tables | None = None
        """Of longest match: what its states refer to besides."""


def words_of(heap: np.ndarray, state: int) -> int:
    """Words of the records that an Earley set refers to, directly or not, with its own."""
    return sum(1 + (int(heap[record]) >> 8) for record in _reached(heap, state))


def copied(heap: np.ndarray, state: int, intern: Callable[[int, Sequence[int]], int]) -> int:
    """Copy an Earley set out of an old HEAP: its new offset. `intern` makes a record of a kind and content."""
    new: dict[int, int] = {0: 0}
    for record in sorted(_reached(heap, state)):
        kind, content = _content(heap, record)
        after = [value for value, _ in _translated(kind, content, new)]
        new[record] = intern(kind, sorted(after) if kind == t.UNION else after)
    return new[state]


def _content(heap: np.ndarray, record: int) -> tuple[int, list[int]]:
    head = int(heap[record])
    return head & 255, heap[record + 1 : record + 1 + (head >> 8)].tolist()


def _reached(heap: np.ndarray, state: int) -> set[int]:
    """The records that one refers to, directly or not, itself included."""
    seen, todo = {state}, [state]
    while todo:
        kind, content = _content(heap, todo.pop())
        for _, references in _translated(kind, content, None):
            for record in references:
                if record and record not in seen:
                    seen.add(record)
                    todo.append(record)
    return seen


def _translated(kind: int, content: list[int], new: dict[int, int] | None) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The words of a record with new offsets in place of old ones (as they are without `new`); the old ones in each."""

    def moved(record: int) -> int:
        return record if new is None else new[record]

    def data(value: int) -> tuple[int, tuple[int, ...]]:
        record = value if value >= 0 else -1 - value
        return (moved(record) if value >= 0 else -1 - moved(record)), (record,)

    def member(value: int) -> tuple[int, tuple[int, ...]]:
        after, references = data(value >> 32)
        return after << 32 | value & 0xFFFFFFFF, references

    for place, value in enumerate(content):
        column = (place - 2) % t.ITEM if kind == t.EARLEY and place >= 2 else -1
        if kind == t.EARLEY and column == t.X and content[place - 1] < t.SPECIAL_ITEM and value & t.TRACKED:
            text = value >> t.TEXT_SHIFT & t.TEXT_MASK
            yield value & ~(t.TEXT_MASK << t.TEXT_SHIFT) | moved(text) << t.TEXT_SHIFT, (text,)
        elif column == t.D or (kind == t.PAIRS and place % 3 == 1):
            yield data(value)
        elif (
            column == t.CONT
            or (kind == t.EARLEY and place == 1)
            or (kind == t.PAIRS and place % 3 == 2)
            or (kind == t.OUTER and place % 2 == 0)
            or (kind == t.LOOP and place == 0)
            or kind == t.UNION
            or (kind == t.READ and place == 0 and value >= 0)
        ):
            yield moved(value), (value,)
        elif (
            (kind == t.OUTER and place % 2 == 1)
            or (kind == t.LOOP and place == 1)
            or (kind == t.COMPONENT and place % 3 != 1)
        ):
            yield member(value)
        else:
            yield value, ()
