# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Predict and complete: the Earley set at a place, from the state of a rule and what that returns to.

`closure` lists all terminals that may begin where a rule stands in some state. Rules that end return to their
callers (complete), calls begin rules (predict), and rules that denote the empty text are stepped over (Aycock and
Horspool 2002). What called rules return to is worked out in `activations`.
"""

from __future__ import annotations

import numpy as np

from constrain.engine.activations import continue_all
from constrain.engine.continuations import leaf_of, leaves_of, merge_rows, pairs_of, reduced
from constrain.engine.records import intern, intern_two, length, scratch_full, slot
from constrain.engine.row_states import ready_state
from constrain.engine.tables import (
    ACTIVATION,
    ARC,
    ARGUMENT,
    BACK_TO,
    CALL,
    CALLED,
    CALLER,
    CALLS_IN,
    CALLS_OUT,
    CLOSURE,
    CONT,
    CONTEXT,
    DOUBT,
    EARLEY,
    ENDS,
    EXCLUDED,
    EXPANDED,
    GENERATION_OF_SEEN,
    GROUP_OF,
    HEAP,
    INNER_CALL,
    ITEM,
    NEED_EXCLUDED,
    NEED_NET,
    NET,
    NET_ARC,
    NET_ARCS,
    NET_CALL,
    NET_CALLS,
    NET_FLAGS,
    NET_LITERALS,
    NET_SPECIAL,
    NET_SPECIALS,
    NEW_ITEM,
    NEXT_IN,
    NEXT_OUT,
    NO_ITEMS,
    NULLABLE,
    OF_CONT,
    OF_DATA,
    PURE,
    READ,
    RECORD,
    ROW_TERMINAL,
    RULE,
    SCRATCH,
    SCRATCH_BLOCK,
    SEEN,
    SESSION,
    SPECIAL,
    SPECIAL_ITEM,
    TEXT_SHIFT,
    TRACKED,
    WANTED_COUNT,
)
from constrain.engine.values import lay_excluded
from constrain.jit import helper, i32, i64, mix, size_of, unit


@helper
def place_of(scratch, key):
    """Find the place of a key in SEEN: where it stands, or a free one (whose generation is not the present one)."""
    table = i64(scratch, SEEN)
    now = i64(scratch, SCRATCH)[GENERATION_OF_SEEN]
    mask = (size_of(scratch, SEEN) >> 1) - 1
    k = mix(3, key) & mask
    while table[2 * k + 1] >> 32 == now and table[2 * k] != key:
        k = (k + 1) & mask
    return k


@unit
def add_context(S, state, activation, contexts):
    """Append (state, activation) to CONTEXT unless it is there; the new number, or a status."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    table = i64(scratch, SEEN)
    now = i64(scratch, SCRATCH)[GENERATION_OF_SEEN]
    key = state << 24 | activation
    k = place_of(scratch, key)
    if table[2 * k + 1] >> 32 == now:
        return contexts
    if 8 * contexts + 8 > size_of(scratch, SEEN):
        return scratch_full(SEEN)
    if 2 * contexts + 2 > size_of(scratch, CONTEXT):
        return scratch_full(CONTEXT)
    table[2 * k], table[2 * k + 1] = key, now << 32
    context = i64(scratch, CONTEXT)
    context[2 * contexts], context[2 * contexts + 1] = state, activation
    return contexts + 1


@helper
def new_activation(activation, n, rule, data, continuation):
    """Write activation n."""
    o = 8 * n
    activation[o + RULE], activation[o + OF_DATA], activation[o + OF_CONT] = rule, data, continuation
    for k in range(CALLS_OUT, GROUP_OF + 1):
        activation[o + k] = 0


@helper
def some_missing(scratch):
    """The status if something is missing, else 0."""
    return -np.int64(NEED_NET) if i64(scratch, SCRATCH)[WANTED_COUNT] else np.int64(0)


@unit
def expand(S, state, data, continuation):
    """Find the contexts of a closure: complete, predict, step over.

    Returns contexts << 32 | activations << 1 | whether the text may end; or a status. The calls are in INNER_CALL.
    """
    session, heap, net, call = i64(S, SESSION), i64(S, HEAP), i32(S, NET), i32(S, CALL)
    scratch = session[SCRATCH_BLOCK]
    numbers = i64(scratch, SCRATCH)
    numbers[GENERATION_OF_SEEN] += 1
    now = numbers[GENERATION_OF_SEEN]
    activation, context, inner = i64(scratch, ACTIVATION), i64(scratch, CONTEXT), i64(scratch, INNER_CALL)
    table = i64(scratch, SEEN)
    most = size_of(scratch, ACTIVATION) // 8 - 1
    new_activation(activation, 0, -1, data, continuation)
    acts, calls, ended, accepting, missing = 1, 0, 0, 0, 0
    key = (1 << 61) ^ (data << 31 | continuation)
    place = place_of(scratch, key)
    table[2 * place], table[2 * place + 1] = key, now << 32
    n = add_context(S, state, 0, 0)
    i = 0
    while i < n:
        s, act = context[2 * i], context[2 * i + 1]
        i += 1
        flags = net[8 * s + NET_FLAGS]
        if not flags & EXPANDED:
            status = ready_state(S, s)
            if status < -1:
                return status
            if status:
                missing = 1
                continue
            flags = net[8 * s + NET_FLAGS]
        if flags & ENDS and activation[8 * act + RULE] < 0:
            ending = activation[8 * act + OF_CONT]
            ends = leaves_of(heap, ending)
            for j in range(ends):
                leaf = leaf_of(heap, ending, j)
                if ends > 1:
                    key = (1 << 60) ^ leaf
                    place = place_of(scratch, key)
                    if table[2 * place + 1] >> 32 == now:
                        continue
                    ended += 1
                    if 8 * (n + acts + ended) + 16 > size_of(scratch, SEEN):
                        return scratch_full(SEEN)
                    table[2 * place], table[2 * place + 1] = key, now << 32
                pairs = pairs_of(S, leaf)
                if pairs < 0:
                    return pairs
                for k in range(length(heap, pairs) // 3):
                    o = pairs + 1 + 3 * k
                    if heap[o] < 0:
                        accepting = 1
                        continue
                    c = reduced(S, heap[o + 2])
                    if c < 0:
                        return c
                    key = (1 << 61) ^ (heap[o + 1] << 31 | c)
                    place = place_of(scratch, key)
                    if table[2 * place + 1] >> 32 == now:
                        kernel = table[2 * place + 1] & 0xFFFFFFFF
                    else:
                        kernel = acts
                        if acts >= most:
                            return scratch_full(ACTIVATION)
                        if 8 * (n + acts + ended) + 16 > size_of(scratch, SEEN):
                            return scratch_full(SEEN)
                        table[2 * place], table[2 * place + 1] = key, now << 32 | acts
                        new_activation(activation, acts, -1, heap[o + 1], c)
                        acts += 1
                    n = add_context(S, heap[o], kernel, n)
                    if n < 0:
                        return n
        first = net[8 * s + NET_CALL]
        for k in range(first, first + net[8 * s + NET_CALLS]):
            rule, back = call[2 * k], call[2 * k + 1]
            # a call at the very end of a rule goes on with its data
            handed = activation[8 * act + OF_DATA] if net[8 * back + NET_FLAGS] & PURE else np.int64(0)
            key = (1 << 62) ^ (handed << 31 | rule)
            place = place_of(scratch, key)
            if table[2 * place + 1] >> 32 == now:
                called = table[2 * place + 1] & 0xFFFFFFFF
            else:
                called = acts
                if acts >= most:
                    return scratch_full(ACTIVATION)
                if 8 * (n + acts + ended) + 16 > size_of(scratch, SEEN):
                    return scratch_full(SEEN)
                table[2 * place], table[2 * place + 1] = key, now << 32 | acts
                new_activation(activation, acts, rule, handed, 0)
                acts += 1
                n = add_context(S, rule, called, n)
                if n < 0:
                    return n
            if 5 * calls + 5 > size_of(scratch, INNER_CALL):
                return scratch_full(INNER_CALL)
            o = 5 * calls
            inner[o + CALLER], inner[o + BACK_TO], inner[o + CALLED] = act, back, called
            inner[o + NEXT_OUT] = activation[8 * act + CALLS_OUT]
            inner[o + NEXT_IN] = activation[8 * called + CALLS_IN]
            calls += 1
            activation[8 * act + CALLS_OUT] = calls
            activation[8 * called + CALLS_IN] = calls
            if net[8 * rule + NET_FLAGS] & NULLABLE:
                n = add_context(S, back, act, n)
                if n < 0:
                    return n
    return n << 32 | acts << 1 | accepting if missing == 0 else -np.int64(NEED_NET)


@helper
def begin_tracked(S, terminal, data):
    """The local state of a tracked terminal at its start, or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    content = i64(session[SCRATCH_BLOCK], RECORD)
    text = intern_two(S, content, READ, -1 - terminal, 0)
    if text < 0:
        return text
    if data < 0:
        return TRACKED | DOUBT | text << TEXT_SHIFT
    record = intern_two(S, content, EXCLUDED, terminal, data)
    if record < 0:
        return record
    if not heap[slot(heap, record)] and terminal >= ROW_TERMINAL:
        names = lay_excluded(S, terminal, data)
        if names < 0:
            return names
        heap[slot(heap, record)] = names + 1
    if not heap[slot(heap, record)]:
        session[ARGUMENT], session[ARGUMENT + 1] = terminal, data
        return -NEED_EXCLUDED
    return TRACKED | text << TEXT_SHIFT | (heap[slot(heap, record)] - 1)


@unit(quick=True)
def finish(S, table, n, accepting, text):
    """Intern the n items in a table of X as an Earley set; items that differ in their continuations alone are one."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    m = merge_rows(S, table, 0, n, ITEM)
    if m < 0:
        return m
    item, content = i64(scratch, table), i64(scratch, RECORD)
    if ITEM * m + 2 > size_of(scratch, RECORD):
        return scratch_full(RECORD)
    content[0], content[1] = accepting, text
    for k in range(ITEM * m):
        content[2 + k] = item[k]
    return intern(S, EARLEY, 2 + ITEM * m)


@helper
def put_item(item, n, a, x, goal, data, c):
    """Write item n of a table; n + 1."""
    o = ITEM * n
    item[o], item[o + 1], item[o + 2], item[o + 3], item[o + CONT] = a, x, goal, data, c
    return n + 1


@unit
def list_items(S, contexts):
    """Write the terminals that begin in the contexts to NEW_ITEM; their number, or a status."""
    session, net, arc, special = i64(S, SESSION), i32(S, NET), i64(S, ARC), i32(S, SPECIAL)
    scratch = session[SCRATCH_BLOCK]
    activation, context, item = i64(scratch, ACTIVATION), i64(scratch, CONTEXT), i64(scratch, NEW_ITEM)
    room = size_of(scratch, NEW_ITEM) // ITEM
    n = 0
    for i in range(contexts):
        o, act = 8 * context[2 * i], 8 * context[2 * i + 1]
        data, c = activation[act + OF_DATA], activation[act + OF_CONT]
        if n + 1 + net[o + NET_ARCS] + net[o + NET_SPECIALS] > room:
            return scratch_full(NEW_ITEM)
        if net[o + NET_LITERALS]:
            n = put_item(item, n, -net[o + NET_LITERALS], 0, 0, data, c)
        for k in range(net[o + NET_ARC], net[o + NET_ARC] + net[o + NET_ARCS]):
            x = arc[3 * k + 1]
            if x & TRACKED:
                x = begin_tracked(S, x & 0xFFFFFFFF, data)
                if x < 0:
                    return x
            n = put_item(item, n, arc[3 * k], x, arc[3 * k + 2], data, c)
        for k in range(net[o + NET_SPECIAL], net[o + NET_SPECIAL] + net[o + NET_SPECIALS]):
            n = put_item(item, n, SPECIAL_ITEM + np.int64(special[2 * k]), 0, special[2 * k + 1], data, c)
    return n


@unit(quick=True)
def closure(S, state, data, continuation):
    """The Earley set where a rule stands in `state`, with the data of its activation and what it returns to."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    content = i64(session[SCRATCH_BLOCK], RECORD)
    content[0], content[1], content[2] = state, data, continuation
    memo = intern(S, CLOSURE, 3)
    if memo < 0:
        return memo
    known = heap[memo + 4]
    if known:
        return known
    found = expand(S, state, data, continuation)
    if found < 0:
        return found
    contexts, acts, accepting = found >> 32, (found & 0xFFFFFFFF) >> 1, found & 1
    if acts > 1:
        status = continue_all(S, acts)
        if status < 0:
            return status
    n = list_items(S, contexts)
    if n < 0:
        return n
    made = finish(S, NEW_ITEM, n, accepting, 0)
    if made > 0:
        heap[memo + 4] = made
    return made


@unit
def reach(S, state, data, continuation):
    """The same, but nothing where states of the network are missing: all of these that a walk meets are in WANTED.

    What is made of such sets is to be thrown away.
    """
    found = closure(S, state, data, continuation)
    return i64(S, SESSION)[NO_ITEMS] if found < 0 and -found & 15 == NEED_NET else found
