"""The shortest way to end: a text that completes what has been begun, and the tokens that spell it.

In:  a state.
Out: bytes, or the ids of special tokens, in order; tokens.

Generation that must end within a budget of tokens steers by it. For regular constraints the text is the shortest there
is, or nearly. For grammars it follows the cheapest rules; under longest match such a text may read differently than
meant, so it is read again, and tried with ignored text between its terminals.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from constrain.automata.store import ExpressionStore
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Piece = bytes | int
"""Text, or a special token."""

_EXPLORED = 20_000
_PATIENCE = 500


def shortest(store: ExpressionStore, node: int, is_end: Callable[[int], bool], limits: Limits) -> bytes | None:
    """A short text from a node of the store to one that `is_end`; None if none was found among 20,000 nodes.

    It is the shortest there is, unless that takes looking at more than `_PATIENCE` nodes. An A* search: the length of
    the shortest string that a node denotes never says too much. For many phrases at once it says far too little; then
    what each of them needs is taken together, which may say too much.
    """
    found = _search(store, node, is_end, limits, store.shortest, min(_PATIENCE, _EXPLORED))
    return _search(store, node, is_end, limits, store.missing, _EXPLORED) if found is None else found


def _search(
    store: ExpressionStore,
    node: int,
    is_end: Callable[[int], bool],
    limits: Limits,
    left: Callable[[int], int],
    most: int,
) -> bytes | None:
    """Of texts that promise the same, the longest goes first, and a node is left for a while as soon as one of its
    bytes promises no more than it."""
    order = count()
    todo: list[tuple[int, int, int, int, bytes, list[tuple[int, int]] | None]] = [
        (left(node), 0, next(order), node, b"", None)
    ]
    reached = {node: 0}
    while todo and len(reached) < most:
        total, _, _, here, text, rest = heapq.heappop(todo)
        if rest is None:
            if is_end(here):
                return text
            rest = store.ways(here, limits)
        length = len(text) + 1
        for n, (b, after) in enumerate(rest, 1):
            if reached.get(after, length + 1) <= length:
                continue
            reached[after] = length
            promised = length + left(after)
            heapq.heappush(todo, (promised, -length, next(order), after, text + bytes([b]), None))
            if promised <= total:
                heapq.heappush(todo, (total, 1 - length, next(order), here, text, rest[n:]))
                break
    return None


def tokens_of(pieces: tuple[Piece, ...] | None, vocabulary: Vocabulary) -> tuple[int, ...] | None:
    """The fewest tokens that spell some pieces; None if there are none."""
    if pieces is None:
        return None
    tokens: list[int] = []
    for piece in pieces:
        spelled = [piece] if isinstance(piece, int) else vocabulary.spell(piece)
        if spelled is None:
            return None
        tokens += spelled
    return tuple(tokens)


def joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Pieces with neighbouring texts made one.

    >>> joined([b"a", b"b", 7, b"c"])
    (b'ab', 7, b'c')
    """
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            result[-1] = last + piece
        else:
            result.append(piece)
    return tuple(result)
