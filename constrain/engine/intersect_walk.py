# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Which tokens can be read from a state of an intersection, and which of them lead to the same.

The items of an Earley set are read along the vocabulary's trie, all items before one node together, with the rest of
the regular constraint. Tokens are allowed if a text can be completed from one of the places that they lead to: that is
asked once for each place. Subtrees are not walked where both automata return to themselves on everything below, or
where a text can be completed from all places below.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, GOES_ON, STATE, step
from constrain.engine.earley import closure
from constrain.engine.intersect_alive import decide, is_alive
from constrain.engine.intersect_tables import (
    CONT,
    DATA,
    FRAME,
    GOAL,
    GROUP,
    HEAD,
    KIND,
    KIND_HASH,
    KINDS,
    SESSION_BLOCK,
    TRIES,
    TRY,
    VISITED,
    WALK,
    frame_of,
    normal,
    part_full,
    place_of,
)
from constrain.engine.intersect_whole import KINDS_OF, is_whole
from constrain.engine.records import length, unite
from constrain.engine.tables import (
    AUTOMATA,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    DOUBT,
    EXCLUDED_MASK,
    HEAP,
    ITEM,
    LEAF,
    LIST,
    LITERAL,
    MANY,
    ORDER,
    PAYLOAD,
    PAYLOAD_MASK,
    ROOT,
    SESSION,
    SPAN,
    SPECIAL_AT,
    SPECIAL_ID,
    SPECIAL_ITEM,
    TOKENS,
    TRACKED,
    TRIE,
    VOCABULARY,
    VOCABULARY_BLOCK,
    child,
)
from constrain.jit import helper, i32, i64, mix, size_of, u32_row, unit

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
    """Allow a token, or write down what kind it is of."""
    if kind:
        kinds[token] = kind
    else:
        out[token >> 5] |= 1 << (token & 31)


@unit
def take_payload(P, out_address, words, payload, kind):
    """Allow what ends at a node of the trie, or write down what kind it is of; kind -1: it is to be tried. 0, or a
    status."""
    head = i64(P, HEAD)
    vocabulary = i64(head[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    out, kinds, tokens, tried = u32_row(out_address, words), i64(P, KIND), i32(vocabulary, TOKENS), i32(P, TRY)
    at, n = np.int64(0), np.int64(1)
    if payload >= MANY:
        at = np.int64(i32(vocabulary, LIST)[payload - MANY])
        n = np.int64(tokens[at])
    if kind < 0 and head[TRIES] + n > size_of(P, TRY):
        return part_full(TRY)
    for i in range(n):
        token = payload - 1 if payload < MANY else np.int64(tokens[at + 1 + i])
        if kind < 0:
            tried[head[TRIES]] = token
            head[TRIES] += 1
        else:
            take(out, kinds, token, kind)
    return 0


@unit
def take_span(P, out_address, words, node, kind):
    """Allow all tokens below a node of the trie, and at it, or write down what kind they are of."""
    vocabulary = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    out, kinds, order = u32_row(out_address, words), i64(P, KIND), i32(vocabulary, ORDER)
    span = i64(vocabulary, SPAN)[node]
    for i in range(span & _LOW, span >> 32):
        take(out, kinds, np.int64(order[i]), kind)
    return 0


# ---------------------------------------------------------------------------------------------------------------- walks


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
        if 6 * sp + 12 > size_of(P, WALK):
            return part_full(WALK)
        x = heap[o + 1]
        p = 6 * sp
        walked[p], walked[p + 1], walked[p + 2], walked[p + 3] = node, rest, heap[o], x | doubt
        walked[p + 4], walked[p + 5] = frame, 0
        sp += 1
    return sp


@unit
def merge_items(P, first, sp):
    """Make one of items on WALK from `first` on that differ in continuations alone; the new number, or a status."""
    walked, frames = i64(P, WALK), i64(P, FRAME)
    S = i64(P, HEAD)[SESSION_BLOCK]
    m = first
    for i in range(first, sp):
        o = 6 * i
        f = 4 * walked[o + 4]
        found = False
        for j in range(first, m):
            p = 6 * j
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
                    walked[p + 4], walked[p + 5] = frame, 0
                found = True
                break
        if not found:
            for k in range(6):
                walked[6 * m + k] = walked[o + k]
            m += 1
    return m


@unit
def take_ended(P, first, sp):
    """Put what may follow terminals that end at a node on WALK, behind items `first` .. `sp`; leave out of these what
    does not go on. The new number, or a status."""
    walked, frames = i64(P, WALK), i64(P, FRAME)
    S = i64(P, HEAD)[SESSION_BLOCK]
    state, literal, leaf = i32(i64(S, SESSION)[AUTOMATA], STATE), i64(S, LITERAL), i32(S, LEAF)
    n = sp
    for i in range(first, sp):
        o = 6 * i
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
        o = 6 * i
        a = walked[o + 2]
        if i < sp:
            if a < 0:
                goes_on = (literal[-a] >> CHILDREN) & CHILDREN_MASK != 0
            else:
                goes_on = state[8 * a + FLAGS] & GOES_ON != 0
            if not goes_on:
                continue
        if m != i:
            for k in range(6):
                walked[6 * m + k] = walked[o + k]
        m += 1
    return merge_items(P, first, m) if m - first > 1 and n > sp else m


@unit
def place_on_walk(P, i):
    """The place of an item on WALK; or a status."""
    walked, o = i64(P, WALK), 6 * i
    if walked[o + 5] == 0:
        found = place_of(P, walked[o + 2], normal(walked[o + 3]), walked[o + 4], walked[o + 1])
        if found < 0:
            return found
        walked[o + 5] = found
    return walked[o + 5]


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
        here = place_on_walk(P, i)
        alive = decide(P, here) if here > 0 else here
        if alive < 0:
            return alive
        if alive == 0:
            continue
        o = 6 * i
        a, x = walked[o + 2], walked[o + 3]
        if x & DOUBT or (x & TRACKED and a > 0 and state[8 * a + FLAGS] & ACCEPTS):
            doubtful = True
        else:
            certain = True
        key = here if m == first else mix(key, here) | 1 << 62
        if m != i:
            for k in range(6):
                walked[6 * m + k] = walked[o + k]
        m += 1
    if m == first:
        return m
    kind = np.int64(0)
    if mode == KINDS_OF:
        if doubtful:
            key = -payload
        kind = kind_of(P, key)
        if kind < 0:
            return kind
    elif not certain:
        kind = np.int64(-1)
    status = take_payload(P, out_address, words, payload, kind)
    return status if status < 0 else m


@unit
def read_group(P, out_address, words, node, rest, n, sp, mode):
    """Read the n items in GROUP, all before one node, and put what is left before longer tokens on WALK."""
    head, walked, group = i64(P, HEAD), i64(P, WALK), i64(P, GROUP)
    S = head[SESSION_BLOCK]
    session = i64(S, SESSION)
    automata, vocabulary = session[AUTOMATA], session[VOCABULARY_BLOCK]
    state, literal, trie = i32(automata, STATE), i64(S, LITERAL), i64(vocabulary, TRIE)
    span = i64(vocabulary, SPAN)
    status = make_ready(automata, rest)
    for k in range(n):
        if group[3 * k] > 0 and status == 0:
            status = make_ready(automata, group[3 * k])
            e = group[3 * k + 1] & EXCLUDED_MASK if group[3 * k + 1] & TRACKED else 0
            if e and status == 0:
                status = make_ready(automata, e)
    if status < 0:
        return status
    word = trie[node]
    first, stop = (word >> CHILD) & CHILD_MASK, ((word >> CHILD) & CHILD_MASK) + ((word >> CHILDREN) & CHILDREN_MASK)
    visited = 0
    below = first
    while below < stop:
        here = below
        below += 1
        word = trie[here]
        byte = word & 255
        visited += 1
        after = np.int64(step(automata, rest, byte))
        if after == 0:
            continue
        begin = sp
        for k in range(n):
            a, x = group[3 * k], group[3 * k + 1]
            if a < 0:
                q = -child(literal, literal[-a], byte)
                if q > 0:
                    continue
            else:
                q = np.int64(step(automata, a, byte))
                if q == 0:
                    continue
                if x & TRACKED and x & EXCLUDED_MASK:
                    e = np.int64(step(automata, x & EXCLUDED_MASK, byte))
                    if e and state[8 * e + FLAGS] & ACCEPTS:
                        continue
                    x = (x & ~EXCLUDED_MASK) | e
            if 6 * sp + 12 > size_of(P, WALK):
                return part_full(WALK)
            o = 6 * sp
            walked[o], walked[o + 1], walked[o + 2], walked[o + 3] = here, after, q, x
            walked[o + 4], walked[o + 5] = group[3 * k + 2], 0
            sp += 1
        if sp == begin:
            continue
        if sp - begin > 1:
            sp = merge_items(P, begin, sp)
            if sp < 0:
                return sp
        leaf = (word >> CHILDREN) & CHILDREN_MASK == 0
        if not leaf and sp - begin == 1 and (span[here] >> 32) - (span[here] & _LOW) > 8:
            o = 6 * begin
            q, x = walked[o + 2], walked[o + 3]
            if (
                q > 0
                and state[8 * q + FLAGS] & GOES_ON
                and not x & DOUBT
                and not (x & TRACKED and (x & EXCLUDED_MASK or state[8 * q + FLAGS] & ACCEPTS))
                and not (mode == KINDS_OF and state[8 * q + FLAGS] & ACCEPTS)
            ):
                there = place_on_walk(P, begin)
                alive = decide(P, there) if there > 0 else there
                if alive < 0:
                    return alive
                whole = is_whole(P, there, here, mode) if alive else 0
                if whole < 0:
                    return whole
                if whole:
                    kind = kind_of(P, there) if mode == KINDS_OF else 0
                    if kind < 0:
                        return kind
                    take_span(P, out_address, words, here, kind)
                if whole or not alive:
                    sp = begin
                    continue
        if (word >> PAYLOAD) & PAYLOAD_MASK:
            sp = settle(P, out_address, words, here, begin, sp, mode)
            if sp < 0:
                return sp
        if leaf:
            sp = begin
        elif sp > begin:
            sp = take_ended(P, begin, sp)
            if sp < 0:
                return sp
    head[VISITED] += visited
    return sp


@unit
def walk(P, earley, rest, out_address, words, mode):
    """Find the tokens that can be read from an Earley set and a rest: bits in a row, or their kinds; 0, or a status.

    Tokens in TRY have to be tried, those that bits are not set for.
    """
    head, walked, group = i64(P, HEAD), i64(P, WALK), i64(P, GROUP)
    S = head[SESSION_BLOCK]
    session, heap = i64(S, SESSION), i64(S, HEAP)
    out = u32_row(out_address, words)
    head[TRIES], head[KINDS], head[VISITED] = 0, 0, 0
    if mode == KINDS_OF:
        kinds, table = i64(P, KIND), i64(P, KIND_HASH)
        for i in range(size_of(P, KIND)):
            kinds[i] = 0
        for i in range(size_of(P, KIND_HASH)):
            table[i] = 0
    else:
        for i in range(words):
            out[i] = 0
    sp = push_items(P, earley, i64(session[VOCABULARY_BLOCK], VOCABULARY)[ROOT], rest, 0, 0)
    while sp > 0:
        node, r = walked[6 * sp - 6], walked[6 * sp - 5]
        first = sp - 1
        while first > 0 and walked[6 * first - 6] == node:
            first -= 1
        n = sp - first
        if 3 * n + 3 > size_of(P, GROUP):
            return part_full(GROUP)
        for k in range(n):
            o = 6 * (first + k)
            group[3 * k], group[3 * k + 1], group[3 * k + 2] = walked[o + 2], walked[o + 3], walked[o + 4]
        sp = read_group(P, out_address, words, node, r, n, first, mode)
    if sp < 0:
        return sp
    ids, at = i32(S, SPECIAL_ID), i32(S, SPECIAL_AT)
    for o in range(earley + 3, earley + 1 + length(heap, earley), ITEM):
        if heap[o] < SPECIAL_ITEM:
            continue
        after = closure(S, heap[o + 2], heap[o + 3], heap[o + 4])
        alive = is_alive(P, after, rest) if after > 0 else after
        if alive < 0:
            return alive
        symbol = heap[o] - SPECIAL_ITEM
        for k in range(at[symbol], at[symbol + 1] if alive else at[symbol]):
            token = np.int64(ids[k])
            kind = np.int64(0)
            if mode == KINDS_OF:
                kind = kind_of(P, -(1 << 40) - token)
                if kind < 0:
                    return kind
            take(out, i64(P, KIND), token, kind)
    return 0
