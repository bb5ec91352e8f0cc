# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Token sets below a node of the vocabulary: what a terminal can read that begins inside of tokens.

`" " WORD`, say, is read by all tokens that begin with a space. The walk comes to their node once, and takes from there
the set of the tokens below that WORD can read, instead of reading tens of thousands of them in each Earley set anew.
"""

from __future__ import annotations

from constrain.automata.clip import clipped
from constrain.automata.derive import make_ready
from constrain.engine.loops import find_loops
from constrain.engine.suffixes import merge_suffixes
from constrain.engine.tables import HEIGHT, KEEPS, SET_BELOW, SETS_BELOW, SETS_SCRATCH, SPAN, VOCABULARY
from constrain.engine.token_sets import find_inner, keep_set, put_made_of
from constrain.engine.token_tries import PLACE_COUNT, SCALAR, full, slot_of
from constrain.jit import helper, i32, i64, size_of, unit

WORTH = 32
"""Tokens below a node from which on their set is made."""


@helper
def is_worth(vocabulary, node):
    """Whether many tokens are below a node."""
    span = i64(vocabulary, SPAN)[node]
    return (span >> 32) - (span & 0xFFFFFFFF) >= WORTH


@helper
def known_below(vocabulary, q, node):
    """The set of the tokens below a node that can be read from a state before it; 0 if it is not made."""
    return i64(vocabulary, SET_BELOW)[2 * slot_of(vocabulary, SET_BELOW, q << 26 | node) + 1]


@unit
def remember_below(vocabulary, key, index):
    """Write an entry of SET_BELOW; there is room for it."""
    table, slot = i64(vocabulary, SET_BELOW), slot_of(vocabulary, SET_BELOW, key)
    table[2 * slot], table[2 * slot + 1] = key, index
    return 0


@unit(nogil=True)
def set_below(vocabulary, automata, q, node):
    """Make the set of the tokens below a node that a state can read, unless it stands: its index, or a status."""
    head = i64(vocabulary, VOCABULARY)
    index = known_below(vocabulary, q, node)
    if index:
        return index
    if 4 * head[SETS_BELOW] + 8 > size_of(vocabulary, SET_BELOW):  # at most half full, two entries for each set
        return full(SET_BELOW)
    near = clipped(automata, q, i32(vocabulary, HEIGHT)[node])
    if near < 0:
        return near
    index = known_below(vocabulary, near, node)
    if index == 0:
        if 4 * max(q, near) + 4 > size_of(vocabulary, KEEPS):
            return full(KEEPS)
        status = make_ready(automata, near)
        if status >= 0:
            status = find_loops(vocabulary, automata, near)
        if status >= 0:
            status = put_made_of(vocabulary, 0, 0)
        if status >= 0:
            status = find_inner(vocabulary, automata, near, node, 0)
        if status >= 0:
            status = merge_suffixes(vocabulary, i64(head[SETS_SCRATCH], SCALAR)[PLACE_COUNT])
        index = keep_set(vocabulary, status) if status >= 0 else status
        if index < 0:
            return index
        remember_below(vocabulary, near << 26 | node, index)
        head[SETS_BELOW] += 1
    if near != q:
        remember_below(vocabulary, q << 26 | node, index)
        head[SETS_BELOW] += 1
    return index
