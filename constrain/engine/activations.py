# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Activations of rules at one place: what each returns to.

A rule that is called from several items has one activation, whose continuation is made of all its callers. Rules that
call themselves before reading anything, directly or not, are a strongly connected component of these calls: their
continuations are LOOP records, so that a left-recursive list comes back to the same Earley set after every element.
"""

from __future__ import annotations

from constrain.engine.continuations import add_pairs, leaf_of, leaves_of, pack, pairs_of
from constrain.engine.records import intern, intern_two, length, scratch_full, sort_triples
from constrain.engine.tables import (
    ACTIVATION,
    BACK_TO,
    CALLED,
    CALLER,
    CALLS_IN,
    CALLS_OUT,
    COMPONENT,
    GATHER,
    GROUP_OF,
    HEAP,
    HOLD,
    INDEX,
    INNER_CALL,
    LOOP,
    LOW,
    NET,
    NET_FLAGS,
    NEXT_IN,
    NEXT_OUT,
    OF_CONT,
    OF_DATA,
    ORDERED,
    OUTER,
    PURE,
    RECORD,
    RULE,
    SCRATCH_BLOCK,
    SESSION,
)
from constrain.jit import helper, i32, i64, size_of, unit


@helper
def order(scratch, acts):
    """Write the activations to ORDERED, those of one strongly connected component side by side, callees first.

    Tarjan 1972, without recursion: ORDERED is the result up to `done`, then, from `acts` on, the stack of open
    activations, and from 2 `acts` on the path, with the next call to follow in LOW's place of a second column.
    """
    activation, inner, ordered = i64(scratch, ACTIVATION), i64(scratch, INNER_CALL), i64(scratch, ORDERED)
    done, opened, visited, groups = 0, 0, 0, 0
    for root in range(acts):
        if activation[8 * root + INDEX]:
            continue
        path = 1
        visited += 1
        activation[8 * root + INDEX] = activation[8 * root + LOW] = visited
        ordered[acts + opened] = root
        opened += 1
        ordered[2 * acts], ordered[3 * acts] = root, activation[8 * root + CALLS_OUT]
        while path > 0:
            act, at = ordered[2 * acts + path - 1], ordered[3 * acts + path - 1]
            if at:
                ordered[3 * acts + path - 1] = inner[5 * (at - 1) + NEXT_OUT]
                called = inner[5 * (at - 1) + CALLED]
                if not activation[8 * called + INDEX]:
                    visited += 1
                    activation[8 * called + INDEX] = activation[8 * called + LOW] = visited
                    ordered[acts + opened] = called
                    opened += 1
                    ordered[2 * acts + path], ordered[3 * acts + path] = called, activation[8 * called + CALLS_OUT]
                    path += 1
                elif not activation[8 * called + GROUP_OF]:
                    activation[8 * act + LOW] = min(activation[8 * act + LOW], activation[8 * called + INDEX])
                continue
            path -= 1
            if path > 0:
                above = ordered[2 * acts + path - 1]
                activation[8 * above + LOW] = min(activation[8 * above + LOW], activation[8 * act + LOW])
            if activation[8 * act + LOW] == activation[8 * act + INDEX]:
                groups += 1
                while True:
                    opened -= 1
                    closed = ordered[acts + opened]
                    activation[8 * closed + GROUP_OF] = groups
                    ordered[done] = closed
                    done += 1
                    if closed == act:
                        break


@helper
def member(activation, act):
    """The number of an activation in a component: its data and its rule."""
    return activation[8 * act + OF_DATA] << 32 | activation[8 * act + RULE]


@helper
def gather(S, act, group):
    """Write what activation `act` returns to from outside of a component to GATHER; how many triples, or a status."""
    session, heap, net = i64(S, SESSION), i64(S, HEAP), i32(S, NET)
    scratch = session[SCRATCH_BLOCK]
    activation, inner, triples = i64(scratch, ACTIVATION), i64(scratch, INNER_CALL), i64(scratch, GATHER)
    room = size_of(scratch, GATHER) // 3
    n = 0
    at = activation[8 * act + CALLS_IN]
    while at:
        o = 5 * (at - 1)
        at = inner[o + NEXT_IN]
        caller, back = inner[o + CALLER], inner[o + BACK_TO]
        if activation[8 * caller + GROUP_OF] == group:
            continue
        if net[8 * back + NET_FLAGS] & PURE:
            c = activation[8 * caller + OF_CONT]
            for i in range(leaves_of(heap, c)):
                pairs = pairs_of(S, leaf_of(heap, c, i))
                if pairs < 0:
                    return pairs
                if n + length(heap, pairs) // 3 > room:
                    return scratch_full(GATHER)
                n = add_pairs(heap, pairs, triples, n)
        else:
            if n >= room:
                return scratch_full(GATHER)
            triples[3 * n], triples[3 * n + 1] = back, activation[8 * caller + OF_DATA]
            triples[3 * n + 2] = activation[8 * caller + OF_CONT]
            n += 1
    return n


@unit
def left_recursive(S, first, last):
    """Give the activations ORDERED[first : last], one component, their continuations: LOOP records."""
    session = i64(S, SESSION)
    scratch = session[SCRATCH_BLOCK]
    activation, inner, ordered = i64(scratch, ACTIVATION), i64(scratch, INNER_CALL), i64(scratch, ORDERED)
    content, triples, hold = i64(scratch, RECORD), i64(scratch, GATHER), i64(scratch, HOLD)
    for i in range(first + 1, last):  # by rule, so that equal components are equal records
        act = ordered[i]
        j = i - 1
        while j >= first and member(activation, ordered[j]) > member(activation, act):
            ordered[j + 1] = ordered[j]
            j -= 1
        ordered[j + 1] = act
    group = activation[8 * ordered[first] + GROUP_OF]
    held = 0
    for i in range(first, last):
        n = gather(S, ordered[i], group)
        if n > 0:
            n = pack(S, n)
            if 2 * held + 2 > size_of(scratch, HOLD):
                return scratch_full(HOLD)
            hold[2 * held], hold[2 * held + 1] = member(activation, ordered[i]), n
            held += 1
        if n < 0:
            return n
    n = 0
    for i in range(first, last):
        at = activation[8 * ordered[i] + CALLS_IN]
        while at:
            o = 5 * (at - 1)
            at = inner[o + NEXT_IN]
            if activation[8 * inner[o + CALLER] + GROUP_OF] != group:
                continue
            if 3 * n + 3 > size_of(scratch, GATHER):
                return scratch_full(GATHER)
            triples[3 * n], triples[3 * n + 1] = member(activation, inner[o + CALLER]), inner[o + BACK_TO]
            triples[3 * n + 2] = member(activation, ordered[i])
            n += 1
    n = sort_triples(scratch, GATHER, n)
    if 3 * n + 2 * held + 2 > size_of(scratch, RECORD):
        return scratch_full(RECORD)
    for k in range(3 * n):
        content[k] = triples[k]
    component = intern(S, COMPONENT, 3 * n)
    if component < 0:
        return component
    content[0] = component
    for k in range(2 * held):
        content[1 + k] = hold[k]
    outer = intern(S, OUTER, 1 + 2 * held)
    if outer < 0:
        return outer
    for i in range(first, last):
        made = intern_two(S, content, LOOP, outer, member(activation, ordered[i]))
        if made < 0:
            return made
        activation[8 * ordered[i] + OF_CONT] = made
    return 0


@unit
def continue_all(S, acts):
    """Give each predicted activation its continuation, callers first."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    activation, inner, ordered = i64(scratch, ACTIVATION), i64(scratch, INNER_CALL), i64(scratch, ORDERED)
    if 4 * acts > size_of(scratch, ORDERED):
        return scratch_full(ORDERED)
    order(scratch, acts)
    last = acts
    while last > 0:
        act = ordered[last - 1]
        group = activation[8 * act + GROUP_OF]
        first = last - 1
        while first > 0 and activation[8 * ordered[first - 1] + GROUP_OF] == group:
            first -= 1
        if activation[8 * act + RULE] >= 0:
            loops = last - first > 1
            at = activation[8 * act + CALLS_OUT]
            while at and not loops:
                loops = inner[5 * (at - 1) + CALLED] == act
                at = inner[5 * (at - 1) + NEXT_OUT]
            if loops:
                made = left_recursive(S, first, last)
                if made < 0:
                    return made
            else:
                n = gather(S, act, 0)
                made = pack(S, n) if n >= 0 else n
                if made < 0:
                    return made
                activation[8 * act + OF_CONT] = made
        last = first
    return 0
