# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Tries of the words that a state of the network may begin with, made from words in scratch."""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.engine.records import scratch_full
from constrain.engine.tables import (
    CHILD,
    CHILDREN,
    LEAF,
    LEAF_OF,
    LEAF_USED,
    LEVEL,
    LITERAL,
    LITERAL_USED,
    PAYLOAD,
    SCRATCH_BLOCK,
    SESSION,
    SESSION_TABLE,
    WORD,
    WORD_BYTE,
)
from constrain.jit import helper, i32, i64, size_of, u8, unit

_WORD = 4  # columns of WORD: first byte, end, the state it leads to, what it is


@helper
def word_order(word, data, a, b):
    """Compare two words."""
    x, y, end_x, end_y = word[_WORD * a], word[_WORD * b], word[_WORD * a + 1], word[_WORD * b + 1]
    while x < end_x and y < end_y and data[x] == data[y]:
        x, y = x + 1, y + 1
    if x == end_x:
        return 0 if y == end_y else -1
    if y == end_y:
        return 1
    return -1 if data[x] < data[y] else 1


@helper
def swap_words(word, a, b):
    """Exchange two words."""
    for k in range(_WORD):
        word[_WORD * a + k], word[_WORD * b + k] = word[_WORD * b + k], word[_WORD * a + k]


@unit
def sort_words(S, n):
    """Sort n words (heap sort), unless they are sorted; drop those that are there twice. Returns how many are left."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    word, data = i64(scratch, WORD), u8(scratch, WORD_BYTE)
    i = 1
    while i < n and word_order(word, data, i - 1, i) < 0:
        i += 1
    if i == n:
        return n
    top, end = n >> 1, n
    while end > 1:
        if top > 0:
            top -= 1
        else:
            end -= 1
            swap_words(word, 0, end)
        at = top
        while True:
            below = 2 * at + 1
            if below >= end:
                break
            if below + 1 < end and word_order(word, data, below, below + 1) < 0:
                below += 1
            if word_order(word, data, at, below) >= 0:
                break
            swap_words(word, at, below)
            at = below
    kept = 1
    for i in range(1, n):
        if word_order(word, data, kept - 1, i) != 0:
            if kept != i:
                swap_words(word, kept, i)
            kept += 1
    return kept


@unit
def lay_leaf(S, word):
    """Write where a word leads, and what it is: the place in LEAF, or a status."""
    head, leaf = i64(S, SESSION), i32(S, LEAF)
    row = i64(head[SCRATCH_BLOCK], WORD)
    at = head[LEAF_USED]
    goal, spec = row[_WORD * word + 2], row[_WORD * word + 3]
    if goal >= size_of(S, LEAF_OF):
        return -((SESSION_TABLE + LEAF_OF) << 4 | FULL)
    known = np.int64(i32(S, LEAF_OF)[goal])
    if known and leaf[known + 2] == spec:
        return known
    if at + 3 > size_of(S, LEAF):
        return -((SESSION_TABLE + LEAF) << 4 | FULL)
    leaf[at], leaf[at + 1], leaf[at + 2] = 1, goal, spec
    i32(S, LEAF_OF)[goal] = at
    head[LEAF_USED] = at + 3
    return at


@unit
def lay_words(S, n, leads):
    """Append a trie of n words in scratch to LITERAL, level by level; its root, or a status.

    Unless they `leads` to states the payload of words is 1.
    """
    head = i64(S, SESSION)
    scratch = head[SCRATCH_BLOCK]
    n = sort_words(S, n)
    word, data = i64(scratch, WORD), u8(scratch, WORD_BYTE)
    most = 1
    for i in range(n):
        most += word[_WORD * i + 1] - word[_WORD * i]
    base = head[LITERAL_USED]
    if base + most > size_of(S, LITERAL):
        return -((SESSION_TABLE + LITERAL) << 4 | FULL)
    if 6 * n + 6 > size_of(scratch, LEVEL):
        return scratch_full(LEVEL)
    literal, level = i64(S, LITERAL), i64(scratch, LEVEL)
    # a node is a run of words that begin alike: first word, the one after the last, the byte
    now, following, nodes, depth, placed = 0, 3 * n + 3, 1, 0, base + 1
    level[0], level[1], level[2] = 0, n, 0
    while nodes:
        below = 0
        for i in range(nodes):
            first, last, byte = level[now + 3 * i], level[now + 3 * i + 1], level[now + 3 * i + 2]
            payload, children = 0, 0
            if word[_WORD * first + 1] - word[_WORD * first] == depth:
                payload = lay_leaf(S, first) if leads else np.int64(1)
                if payload < 0:
                    return payload
                first += 1
            begin = placed + below
            while first < last:
                c = data[word[_WORD * first] + depth]
                end = first + 1
                while end < last and data[word[_WORD * end] + depth] == c:
                    end += 1
                o = following + 3 * below
                level[o], level[o + 1], level[o + 2] = first, end, c
                below, children, first = below + 1, children + 1, end
            at = placed - nodes + i
            literal[at] = byte | begin << CHILD | children << CHILDREN | payload << PAYLOAD
        placed += below
        now, following, nodes, depth = following, now, below, depth + 1
    head[LITERAL_USED] = placed
    return base
