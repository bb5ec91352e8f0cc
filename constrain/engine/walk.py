# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Items before tries of tokens: which tokens can be read.

In: items on STACK, each before the tokens below a node of the vocabulary's trie, or of the trie of what follows a
terminal in the tokens that go past its end. Out: bits in a row, and the tokens that were set, in SET_TOKENS.

All items before one node are read together, equal ones once: the walk takes polynomial time however ambiguous the
grammar is.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, GOES_ON, MAP, MAPPED, READY, ROW, RUN, STATE, TARGET, step
from constrain.engine.continuations import merge_rows
from constrain.engine.counted_strings import count_step
from constrain.engine.earley import reach
from constrain.engine.excluded import MATCHED, step_excluded
from constrain.engine.records import length, scratch_full, want
from constrain.engine.subtree_sets import is_worth, known_below
from constrain.engine.tables import (
    AUTOMATA,
    BASE,
    BASE_COUNT,
    BELOW_NODE,
    BUCKET,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    CLEARED,
    CLEARED_COUNT,
    COUNTED_STRING,
    DENSE,
    DENSE_SET,
    DEPENDENT,
    DOUBT,
    EXCLUDED_MASK,
    FEW,
    FOUND,
    HEAP,
    ITEM,
    LEAF,
    LIST,
    LITERAL,
    MANY,
    NODE_OF,
    PAYLOAD,
    PAYLOAD_MASK,
    PLACED,
    SCRATCH,
    SCRATCH_BLOCK,
    SESSION,
    SET,
    SET_AT,
    SET_COUNT,
    SET_KIND,
    SET_SIZE,
    SET_SUFFIXES,
    SET_TOKENS,
    SPARSE,
    SPECIAL_ITEM,
    STACK,
    TOKEN_COUNT,
    TOKENS,
    TRACKED,
    TRIE,
    TRY,
    TRY_COUNT,
    VISITED,
    VOCABULARY,
    VOCABULARY_BLOCK,
    child,
)
from constrain.jit import halves, helper, i32, i64, size_of, u32_row, unit


@helper
def set_token(scratch, out, token, doubt):
    """Allow a token, or note it among those to be tried."""
    numbers = i64(scratch, SCRATCH)
    if (out[token >> 5] >> (token & 31)) & 1:
        return
    if doubt:
        i64(scratch, TRY)[numbers[TRY_COUNT]] = token
        numbers[TRY_COUNT] += 1
        return
    out[token >> 5] |= 1 << (token & 31)
    i64(scratch, SET_TOKENS)[numbers[SET_COUNT]] = token
    numbers[SET_COUNT] += 1


@helper
def set_tokens(vocabulary, scratch, out, payload, doubt):
    """Allow what ends at a node; 0, or a status."""
    numbers = i64(scratch, SCRATCH)
    n, most = 1, i64(vocabulary, VOCABULARY)[TOKEN_COUNT]
    at = 0
    if payload >= MANY:
        at = i32(vocabulary, LIST)[payload - MANY]
        n = i32(vocabulary, TOKENS)[at]
    if max(numbers[SET_COUNT], numbers[TRY_COUNT]) + n > size_of(scratch, SET_TOKENS):
        if numbers[TRY_COUNT] <= most:
            return scratch_full(SET_TOKENS)
    if numbers[TRY_COUNT] + n > size_of(scratch, TRY):
        return scratch_full(TRY)
    if payload < MANY:
        set_token(scratch, out, payload - 1, doubt)
    else:
        tokens = i32(vocabulary, TOKENS)
        for i in range(n):
            set_token(scratch, out, tokens[at + 1 + i], doubt)
    return 0


@helper
def allow_set(vocabulary, scratch, out, words, index):
    """Allow the tokens of a token set; the root of the trie of its suffixes, 0 if it has none, or a status."""
    numbers, record, o = i64(scratch, SCRATCH), i32(vocabulary, SET), 4 * index
    kind, at, n = record[o + SET_KIND], record[o + SET_AT], record[o + SET_SIZE]
    if kind == FEW:
        if numbers[SET_COUNT] + n > size_of(scratch, SET_TOKENS):
            return scratch_full(SET_TOKENS)
        tokens = i32(vocabulary, SPARSE)
        for i in range(n):
            set_token(scratch, out, tokens[at + i], 0)
    elif kind == DENSE_SET:
        dense, base = halves(vocabulary, DENSE), i64(scratch, BASE)
        if numbers[BASE_COUNT] >= size_of(scratch, BASE):
            return scratch_full(BASE)
        for i in range(words):
            out[i] |= dense[2 * at + i]
        base[numbers[BASE_COUNT]] = at
        numbers[BASE_COUNT] += 1
    return np.int64(record[o + SET_SUFFIXES])


@unit
def push_set(S, earley, node, doubt, table, n):
    """Append the items of an Earley set before a node to STACK or FOUND; the new number, or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    placed = i64(scratch, table)
    items = (length(heap, earley) - 2) // ITEM
    if PLACED * (n + items + 2) > size_of(scratch, table):
        return scratch_full(table)
    for i in range(items):
        o, p = earley + 3 + ITEM * i, PLACED * n
        if heap[o] >= SPECIAL_ITEM:
            continue
        for k in range(ITEM):
            placed[p + k] = heap[o + k]
        placed[p + 1] |= DOUBT if heap[o] > 0 and heap[o + 1] & DEPENDENT else doubt
        placed[p + NODE_OF] = node
        n += 1
    return n


@helper
def try_below(vocabulary, scratch, out, node):
    """Note all tokens below a node among those to be tried; 0, or a status. Uses CLEARED as its stack."""
    trie, todo, room = i64(vocabulary, TRIE), i64(scratch, CLEARED), size_of(scratch, CLEARED)
    cleared = i64(scratch, SCRATCH)[CLEARED_COUNT]
    sp = cleared
    if sp >= room:
        return scratch_full(CLEARED)
    todo[sp] = node
    sp += 1
    while sp > cleared:
        sp -= 1
        word = trie[todo[sp]]
        first, children = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
        if sp + children > room:
            return scratch_full(CLEARED)
        for below in range(first, first + children):
            payload = (trie[below] >> PAYLOAD) & PAYLOAD_MASK
            if payload:
                status = set_tokens(vocabulary, scratch, out, payload, 1)
                if status < 0:
                    return status
            todo[sp] = below
            sp += 1
    return 0


FEW_CHILDREN = 8
"""Up to so many children are read one by one."""


@helper
def first_from(trie, first, children, byte):
    """The place of the first child with this byte or a higher one."""
    if children == 256:
        return byte
    low, high = 0, children
    while low < high:
        middle = (low + high) >> 1
        if (trie[first + middle] & 255) < byte:
            low = middle + 1
        else:
            high = middle
    return low


@unit
def read_item(S, out_address, words, at, table, n):
    """Read one item, `at` entries up in STACK, before the children of its node.

    Sets the tokens that end there and appends what is left before longer ones to `table`; the new number, or a status.
    The children come in ascending order, the items before one child side by side.
    """
    session = i64(S, SESSION)
    scratch, vocabulary, automata = session[SCRATCH_BLOCK], session[VOCABULARY_BLOCK], session[AUTOMATA]
    stack, placed, trie = i64(scratch, STACK), i64(scratch, table), i64(vocabulary, TRIE)
    out = u32_row(out_address, words)
    o = PLACED * at
    a, x, goal, data, c, node = stack[o], stack[o + 1], stack[o + 2], stack[o + 3], stack[o + 4], stack[o + NODE_OF]
    word = trie[node]
    first, children = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
    room = size_of(scratch, table) // PLACED - 2
    doubt = x & DOUBT
    if a < 0:
        literal, leaf = i64(S, LITERAL), i32(S, LEAF)
        here = literal[-a]
        first_here, ways = (here >> CHILD) & CHILD_MASK, (here >> CHILDREN) & CHILDREN_MASK
        by_trie = children < ways
        for i in range(children if by_trie else ways):
            if by_trie:
                below = first + i
                reached = child(literal, here, trie[below] & 255)
                if reached < 0:
                    continue
            else:
                reached = first_here + i
                below = child(trie, word, literal[reached] & 255)
                if below < 0:
                    continue
            word_below, there = trie[below], literal[reached]
            payload = (word_below >> PAYLOAD) & PAYLOAD_MASK
            if payload:
                status = set_tokens(vocabulary, scratch, out, payload, doubt)
                if status < 0:
                    return status
            if not (word_below >> CHILDREN) & CHILDREN_MASK:
                continue
            ended = (there >> PAYLOAD) & PAYLOAD_MASK
            if ended:
                for k in range(leaf[ended]):
                    earley = reach(S, leaf[ended + 1 + k], data, c)
                    n = push_set(S, earley, below, doubt, table, n) if earley > 0 else earley
                    if n < 0:
                        return n
            if (there >> CHILDREN) & CHILDREN_MASK:
                if n >= room:
                    return scratch_full(table)
                p = PLACED * n
                placed[p], placed[p + 1], placed[p + 2], placed[p + 3] = -reached, x, 0, data
                placed[p + 4], placed[p + NODE_OF] = c, below
                n += 1
        return n
    state = i32(automata, STATE)
    if not state[8 * a + FLAGS] & READY:
        status = make_ready(automata, a)
        if status < 0:
            return status
    excluded = x & EXCLUDED_MASK if x & TRACKED else 0
    after = data
    if x & TRACKED and data >= 0:
        after = -1 - data
    target, run, mapped = i32(automata, TARGET), i32(automata, RUN), i32(automata, MAPPED)
    row, runs = state[8 * a + ROW], mapped[4 * state[8 * a + MAP] + 1]
    next_run, last_run = mapped[4 * state[8 * a + MAP]], mapped[4 * state[8 * a + MAP]] + runs
    i, last = -1, 255
    if children > FEW_CHILDREN:  # look at those bytes alone that can follow
        last = -1
    while i + 1 < children:
        i += 1
        below = first + i
        word_below = trie[below]
        byte = word_below & 255
        if byte > last:
            while next_run < last_run and target[row + (run[next_run] >> 8)] == 0:
                next_run += 1
            if next_run == last_run:
                break
            last = 255 if next_run + 1 == last_run else (run[next_run + 1] & 255) - 1
            low = run[next_run] & 255
            next_run += 1
            i = (i if byte >= low else first_from(trie, first, children, low)) - 1
            continue
        q = step(automata, a, byte)
        if q == 0:
            continue
        local = x
        if excluded:
            e = step_excluded(S, excluded, byte)
            if e < 0:
                return e
            if e == MATCHED:
                continue
            local = (x & ~EXCLUDED_MASK) | e
        elif x & COUNTED_STRING:
            local = count_step(vocabulary, a, q, x)
            if local < 0:
                continue
        payload = (word_below >> PAYLOAD) & PAYLOAD_MASK
        if payload:
            status = set_tokens(vocabulary, scratch, out, payload, doubt)
            if status < 0:
                return status
        if not (word_below >> CHILDREN) & CHILDREN_MASK:
            continue
        flags = state[8 * q + FLAGS]
        if flags & ACCEPTS and x & DEPENDENT:
            status = try_below(vocabulary, scratch, out, below)
            if status < 0:
                return status
        elif flags & ACCEPTS:
            earley = reach(S, goal, after, c)
            n = push_set(S, earley, below, doubt, table, n) if earley > 0 else earley
            if n < 0:
                return n
        if flags & GOES_ON:
            if n >= room:
                return scratch_full(table)
            p = PLACED * n
            placed[p], placed[p + 1], placed[p + 2], placed[p + 3] = q, local, goal, data
            placed[p + 4], placed[p + NODE_OF] = c, below
            n += 1
    return n


@unit
def sort_found(S, found, sp):
    """Put the items in FOUND on STACK, those before one child side by side; the new number, or a status."""
    session = i64(S, SESSION)
    scratch = session[SCRATCH_BLOCK]
    stack, placed, bucket = i64(scratch, STACK), i64(scratch, FOUND), i64(scratch, BUCKET)
    if PLACED * (sp + found + 2) > size_of(scratch, STACK):
        return scratch_full(STACK)
    low = placed[NODE_OF]
    for i in range(found):
        low = min(low, placed[PLACED * i + NODE_OF])
    for k in range(258):
        bucket[k] = 0
    for i in range(found):
        bucket[placed[PLACED * i + NODE_OF] - low + 1] += 1
    for k in range(1, 258):
        bucket[k] += bucket[k - 1]
    for i in range(found):
        k = placed[PLACED * i + NODE_OF] - low
        p = PLACED * (sp + bucket[k])
        bucket[k] += 1
        for j in range(PLACED):
            stack[p + j] = placed[PLACED * i + j]
    return sp + found


@unit
def take_below(S, out_address, words, first, sp):
    """Take what items on STACK from `first` on, all before one node, can read from token sets below the node.

    Items to which this does not apply stay. Returns the new number of items, or a status.
    """
    session = i64(S, SESSION)
    scratch, vocabulary = session[SCRATCH_BLOCK], session[VOCABULARY_BLOCK]
    stack, follow = i64(scratch, STACK), i64(scratch, FOUND)
    out = u32_row(out_address, words)
    node, kept, behind = stack[PLACED * first + NODE_OF], first, 0
    for i in range(first, sp):
        o = PLACED * i
        a, x, goal, data, c = stack[o], stack[o + 1], stack[o + 2], stack[o + 3], stack[o + 4]
        if a <= 0 or x:
            for k in range(PLACED):
                stack[PLACED * kept + k] = stack[o + k]
            kept += 1
            continue
        index = known_below(vocabulary, a, node)
        if index == 0:
            status = want(scratch, BELOW_NODE | a << 26 | node)
            if status < -1:
                return status
            continue
        suffixes = allow_set(vocabulary, scratch, out, words, index)
        if suffixes > 0:
            earley = reach(S, goal, data, c)
            suffixes = push_set(S, earley, suffixes, 0, FOUND, behind) if earley > 0 else earley
            behind = suffixes
        if suffixes < 0:
            return suffixes
    if PLACED * (kept + behind + 2) > size_of(scratch, STACK):
        return scratch_full(STACK)
    for i in range(PLACED * behind):
        stack[PLACED * kept + i] = follow[i]
    return np.int64(kept + behind)


@unit
def walk(S, out_address, words, sp):
    """Read the first `sp` items on STACK to the end; 0, or a status. Items before one node stand side by side."""
    session = i64(S, SESSION)
    scratch = session[SCRATCH_BLOCK]
    vocabulary, stack = session[VOCABULARY_BLOCK], i64(scratch, STACK)
    visited = i64(scratch, SCRATCH)
    while sp > 0:
        node = stack[PLACED * (sp - 1) + NODE_OF]
        first = sp - 1
        while first > 0 and stack[PLACED * (first - 1) + NODE_OF] == node:
            first -= 1
        visited[VISITED] += 1
        if sp - first > 1:
            sp = merge_rows(S, STACK, first, sp, PLACED)
            if sp < 0:
                return sp
        if is_worth(vocabulary, node):
            below = take_below(S, out_address, words, first, sp)
            if below < 0:
                return below
            if below != sp or stack[PLACED * (sp - 1) + NODE_OF] != node:
                sp = below
                continue
        if sp - first == 1:
            sp = read_item(S, out_address, words, first, STACK, first)  # what is left takes its place
            if sp < 0:
                return sp
            continue
        found = 0
        for i in range(first, sp):
            found = read_item(S, out_address, words, i, FOUND, found)
            if found < 0:
                return found
        sp = first
        if found > 0:
            sp = sort_found(S, found, sp)
            if sp < 0:
                return sp
    return 0
