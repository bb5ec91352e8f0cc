"""Tokens seen from inside of a terminal: those that stay in it, and those that cross its end.

In:  what is left of a terminal (a node of the store), a vocabulary.
Out: `TerminalSets`, from which the mask of "this terminal, then something else" follows for every something else:

    mask(terminal + rest) = inner, and the tokens of each remainder r after which something of `rest` is left

The inner tokens depend on the terminal alone and are worked out once for all places where it stands. Crossing tokens
are grouped by the bytes that they have beyond the end: many tokens, few remainders, which form a trie of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from constrain.automata.store import ANYTHING, ExpressionStore
from constrain.kernels.trie import TrieTables, build
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class TerminalSets:
    """What the tokens of a vocabulary do to a terminal in one state."""

    inner: Words
    """Bitmask of the tokens after which the terminal goes on, or has just ended."""
    remainders: TrieTables
    """What crossing tokens have beyond the end of the terminal; remainder i is "token" i of this trie."""
    first: npt.NDArray[np.int64]
    """Remainder i belongs to tokens[first[i] : first[i + 1]]."""
    tokens: npt.NDArray[np.int32]
    """Crossing tokens, by remainder. A token may cross at several places."""


def terminal_sets(store: ExpressionStore, node: int, vocabulary: Vocabulary, limits: Limits) -> TerminalSets:
    """Work out the sets of a terminal that has `node` left."""
    inner = np.zeros((vocabulary.size + 31) // 32, np.uint32)
    tries = (vocabulary.near_trie, vocabulary.far_trie)
    crossing = np.concatenate([store.cross(node, trie, inner, limits) for trie in tries])
    by_remainder: dict[bytes, list[int]] = {}
    for token, at in crossing.tolist():
        by_remainder.setdefault(vocabulary.token_bytes(token)[at:], []).append(token)
    lengths = [len(remainder) for remainder in by_remainder]
    data = np.frombuffer(b"".join(by_remainder), np.uint8)
    counts = [len(tokens) for tokens in by_remainder.values()]
    return TerminalSets(
        inner,
        build(data, np.cumsum([0, *lengths])),
        np.cumsum([0, *counts]),
        np.array([token for tokens in by_remainder.values() for token in tokens], np.int32),
    )


def mask_before(sets: TerminalSets, store: ExpressionStore, rest: int, limits: Limits) -> Words:
    """The mask of the terminal followed by `rest` (a node), which must not be empty."""
    mask = sets.inner.copy()
    count = len(sets.first) - 1
    viable = np.zeros((count + 31) // 32, np.uint32)
    store.walk(rest, ANYTHING, sets.remainders, viable, limits)
    bits = np.unpackbits(viable.view(np.uint8), bitorder="little")[:count]
    for i in np.flatnonzero(bits):
        tokens = sets.tokens[sets.first[i] : sets.first[i + 1]]
        np.bitwise_or.at(mask, tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32))
    return mask
