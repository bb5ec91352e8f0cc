# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Items of a walk along the trie of a vocabulary: what they allow, what follows where terminals end, equal ones."""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import ACCEPTS, FLAGS, GOES_ON, STATE
from constrain.engine.continuations import unite
from constrain.engine.earley import closure
from constrain.engine.intersect_alive import decide, is_surely_alive
from constrain.engine.intersect_tables import (
    CONT,
    DATA,
    FRAME,
    GOAL,
    HEAD,
    KIND,
    KIND_HASH,
    KINDS,
    SESSION_BLOCK,
    TRIES,
    TRY,
    WALK,
    frame_of,
    normal,
    part_full,
    place_of,
)
from constrain.engine.records import length
from constrain.engine.tables import (
    AUTOMATA,
    CHILDREN,
    CHILDREN_MASK,
    DOUBT,
    HEAP,
    ITEM,
    LEAF,
    LIST,
    LITERAL,
    MANY,
    ORDER,
    PAYLOAD,
    PAYLOAD_MASK,
    SESSION,
    SPAN,
    SPECIAL_ITEM,
    TOKENS,
    TRACKED,
    TRIE,
    VOCABULARY_BLOCK,
)
from constrain.jit import helper, i32, i64, mix, size_of, u32_row, unit

MASK, KINDS_OF = 0, 1
"""Modes: tokens are allowed, or put together by what they lead to."""
ROW_OF_WALK = 7
_LOW = 0xFFFFFFFF

# -------------------------------------------------------------------------------------------------------------- tokens


@unit
def kind_of(P, key):
    """Find the number of a group of tokens; or a status."""
    head, table = i64(P, HEAD), i64(P, KIND_HASH)
    mask = (size_of(P, KIND_HASH) >> 1) - 1
    k = mix(8, key) & mask
    while table[2 * k + 1]:
        if table[2 * k] == key:
            return table[2 * k + 1]
        k = (k + 1) & mask
    if 2 * head[KINDS] > mask:
        return part_full(KIND_HASH)
    head[KINDS] += 1
    table[2 * k], table[2 * k + 1] = key, head[KINDS]
    return head[KINDS]


@helper
def take(out, kinds, token, kind):
    """Allow a token (kind 0), take that back (kind -2), or write down what kind it is of."""
    if kind > 0:
        kinds[token] = kind
    elif kind == 0:
        out[token >> 5] |= 1 << (token & 31)
    else:
        out[token >> 5] &= 0xFFFFFFFF ^ (1 << (token & 31))


@unit
def take_payload(P, out_address, words, payload, kind):
    """Take what ends at a node of the trie, see `take`; kind -1: it is to be tried. 0, or a status."""
    head = i64(P, HEAD)
    vocabulary = i64(head[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    out, kinds, tokens, tried = u32_row(out_address, words), i32(P, KIND), i32(vocabulary, TOKENS), i32(P, TRY)
    at, n = np.int64(0), np.int64(1)
    if payload >= MANY:
        at = np.int64(i32(vocabulary, LIST)[payload - MANY])
        n = np.int64(tokens[at])
    if kind == -1 and head[TRIES] + n > size_of(P, TRY):
        return part_full(TRY)
    for i in range(n):
        token = payload - 1 if payload < MANY else np.int64(tokens[at + 1 + i])
        if kind == -1:
            tried[head[TRIES]] = token
            head[TRIES] += 1
        else:
            take(out, kinds, token, kind)
    return 0


@unit
def take_span(P, out_address, words, node, kind):
    """Take all tokens at a node of the trie and below it, see `take`."""
    vocabulary = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    out, kinds, order = u32_row(out_address, words), i32(P, KIND), i32(vocabulary, ORDER)
    span = i64(vocabulary, SPAN)[node]
    for i in range(span & _LOW, span >> 32):
        take(out, kinds, np.int64(order[i]), kind)
    return 0


# ---------------------------------------------------------------------------------------------------------------- items


@unit
def push_items(P, earley, node, rest, doubt, sp):
    """Put the items of an Earley set before a node on WALK; the new number, or a status."""
    if earley < 0:
        return earley
    heap, walked = i64(i64(P, HEAD)[SESSION_BLOCK], HEAP), i64(P, WALK)
    for o in range(earley + 3, earley + 1 + length(heap, earley), ITEM):
        if heap[o] >= SPECIAL_ITEM:
            continue
        frame = frame_of(P, heap[o + 2], heap[o + 3], heap[o + 4])
        if frame < 0:
            return frame
        if ROW_OF_WALK * (sp + 2) > size_of(P, WALK):
            return part_full(WALK)
        p = ROW_OF_WALK * sp
        walked[p], walked[p + 1], walked[p + 2], walked[p + 3] = node, rest, heap[o], heap[o + 1] | doubt
        walked[p + 4], walked[p + 5], walked[p + 6] = frame, 0, 0
        sp += 1
    return sp


@unit
def merge_items(P, first, sp):
    """Make one of items on WALK from `first` on that differ in continuations alone; the new number, or a status."""
    walked, frames = i64(P, WALK), i64(P, FRAME)
    S = i64(P, HEAD)[SESSION_BLOCK]
    m = first
    for i in range(first, sp):
        o = ROW_OF_WALK * i
        f = 4 * walked[o + 4]
        found = False
        for j in range(first, m):
            p = ROW_OF_WALK * j
            g = 4 * walked[p + 4]
            if (
                walked[p + 2] == walked[o + 2]
                and walked[p + 3] == walked[o + 3]
                and frames[g + GOAL] == frames[f + GOAL]
                and frames[g + DATA] == frames[f + DATA]
            ):
                if g != f:
                    both = unite(S, frames[g + CONT], frames[f + CONT])
                    frame = frame_of(P, frames[f + GOAL], frames[f + DATA], both) if both > 0 else both
                    if frame < 0:
                        return frame
                    walked[p + 4], walked[p + 5], walked[p + 6] = frame, 0, 0
                walked[p + 6] = min(walked[p + 6], walked[o + 6])
                found = True
                break
        if not found:
            for k in range(ROW_OF_WALK):
                walked[ROW_OF_WALK * m + k] = walked[o + k]
            m += 1
    return m


@unit
def take_ended(P, first, sp):
    """Put what may follow terminals that end at a node on WALK, behind items `first` .. `sp`, and leave out of these
    what does not go on. The new number, or a status."""
    walked, frames = i64(P, WALK), i64(P, FRAME)
    S = i64(P, HEAD)[SESSION_BLOCK]
    state, literal, leaf = i32(i64(S, SESSION)[AUTOMATA], STATE), i64(S, LITERAL), i32(S, LEAF)
    n = sp
    for i in range(first, sp):
        o = ROW_OF_WALK * i
        node, rest, a, x, f = walked[o], walked[o + 1], walked[o + 2], walked[o + 3], 4 * walked[o + 4]
        data, c = frames[f + DATA], frames[f + CONT]
        if a < 0:
            ended = (literal[-a] >> PAYLOAD) & PAYLOAD_MASK
            for k in range(leaf[ended] if ended else 0):
                earley = closure(S, np.int64(leaf[ended + 1 + k]), data, c)
                n = push_items(P, earley, node, rest, x & DOUBT, n)
                if n < 0:
                    return n
        elif state[8 * a + FLAGS] & ACCEPTS:
            doubt = x & DOUBT
            if x & TRACKED:
                doubt = np.int64(DOUBT)
                data = -1 - data if data >= 0 else data
            n = push_items(P, closure(S, frames[f + GOAL], data, c), node, rest, doubt, n)
            if n < 0:
                return n
    m = first
    for i in range(first, n):
        o = ROW_OF_WALK * i
        a = walked[o + 2]
        if i < sp:
            if a < 0:
                goes_on = (literal[-a] >> CHILDREN) & CHILDREN_MASK != 0
            else:
                goes_on = state[8 * a + FLAGS] & GOES_ON != 0
            if not goes_on:
                continue
        if m != i:
            for k in range(ROW_OF_WALK):
                walked[ROW_OF_WALK * m + k] = walked[o + k]
        m += 1
    return merge_items(P, first, m) if m - first > 1 and n > sp else m


@unit
def in_doubt_kind(P, a, x, frame, rest, payload, mode):
    """What to take the tokens for that lead to a live place where some values are not known: see `take_payload`.

    They are allowed if some text follows in which no such terminal begins; else they are to be tried.
    """
    if mode == KINDS_OF:
        i64(P, HEAD)[TRIES] = 1
        return kind_of(P, -payload)
    if x & TRACKED and x & DOUBT:
        return -1
    surely = is_surely_alive(P, a, x, frame, rest)
    return min(surely, 0) if surely != 0 else -1


@unit
def settle(P, out_address, words, below, first, sp, mode):
    """Take the tokens at a node before which items `first` .. `sp` stand, and leave out dead ones. The new number, or
    a status."""
    head, walked = i64(P, HEAD), i64(P, WALK)
    S = head[SESSION_BLOCK]
    session = i64(S, SESSION)
    state = i32(session[AUTOMATA], STATE)
    payload = (i64(session[VOCABULARY_BLOCK], TRIE)[below] >> PAYLOAD) & PAYLOAD_MASK
    m, certain, doubtful, key = first, False, False, np.int64(0)
    for i in range(first, sp):
        o = ROW_OF_WALK * i
        a, x = walked[o + 2], walked[o + 3]
        if walked[o + 6] and x & TRACKED:
            take_payload(P, out_address, words, payload, -2)
        here = place_of(P, a, normal(x), walked[o + 4], walked[o + 1])
        alive = decide(P, here) if here > 0 else here
        if alive < 0:
            return alive
        if alive == 0:
            continue
        if x & DOUBT or (x & TRACKED and a > 0 and state[8 * a + FLAGS] & ACCEPTS):
            kind = in_doubt_kind(P, a, x, walked[o + 4], walked[o + 1], payload, mode)
            if kind < -1:
                return kind
            certain = certain or kind == 0
            doubtful = True
        else:
            certain = True
        key = here if m == first else mix(key, here) | 1 << 62
        if m != i:
            for k in range(ROW_OF_WALK):
                walked[ROW_OF_WALK * m + k] = walked[o + k]
        m += 1
    if m == first:
        return m
    kind = np.int64(0)
    if mode == KINDS_OF:
        kind = kind_of(P, -payload if doubtful else key)
        if kind < 0:
            return kind
    elif not certain:
        kind = np.int64(-1)
    status = take_payload(P, out_address, words, payload, kind)
    return status if status < 0 else m
