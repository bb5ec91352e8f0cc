# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Token sets: the tokens that a terminal can read from a state of its automaton.

*Inner* tokens are read whole without dying. A *boundary* token is not, but the terminal may end inside of it: what
remains from there is a suffix, read by what comes next. The suffixes of all boundary tokens are merged into one trie.

Subtrees of the vocabulary whose tokens are all inner are not walked: where a state returns to itself on every byte
below a node, or where no byte below leads to a dead state within as many bytes as the subtree is high. Whether
terminals may end there does not matter: nobody asks for the suffixes of inner tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from constrain.automata.clip import clipped
from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, CLASS, DEAD, FLAGS, GOES_ON, MAP, MAPPED, READY, ROW, RUN, STATE, TARGET
from constrain.engine.loops import find_loops, keep_alive
from constrain.engine.suffixes import merge_suffixes
from constrain.engine.tables import (
    ALIVE_BYTES,
    ALIVE_GROUPS,
    BELOW,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    DENSE,
    DENSE_SET,
    DENSE_USED,
    FEW,
    GROUP,
    HEIGHT,
    HORIZON,
    KEEPS,
    KEEPS_KNOWN,
    LIST,
    LONG_SET,
    LONG_STATE,
    LOOPS,
    MAKEUP,
    MANY,
    NO_TOKENS,
    NOT_MERGED,
    ORDER,
    PAYLOAD,
    PAYLOAD_MASK,
    ROOT,
    SAME,
    SAME_GROUPS,
    SAME_HEAD,
    SAME_SIZE,
    SAME_TRIE,
    SAME_USED,
    SET,
    SET_AT,
    SET_KIND,
    SET_OF,
    SET_SIZE,
    SET_SUFFIXES,
    SET_USED,
    SETS_SCRATCH,
    SHORT_HORIZON,
    SHORT_SET,
    SHORT_STATE,
    SPAN,
    SPARSE,
    SPARSE_USED,
    TOKENS,
    TRIE,
    VOCABULARY,
    WHOLE_SET,
    WIDTH,
)
from constrain.engine.token_tries import (
    BROKEN,
    INNER,
    INNER_COUNT,
    INSIDE,
    MADE_OF,
    PLACE_COUNT,
    PLACES,
    SCALAR,
    STACK,
    VISITED,
    full,
    full_scratch,
)
from constrain.jit import helper, i32, i64, size_of, u8, unit

Call: TypeAlias = Callable[..., int]
MOST_FEW = 400
"""The largest set that is kept as a list."""
_REMEMBERED = 80  # masks of tokens made of some groups of bytes
_WORTH_LOOPS, _WORTH_ALIVE = 8, 32  # tokens below a node, from which on it is asked what keeps a state alive
_LOW = 0xFFFFFFFF

# -------------------------------------------------------------------------------------------------------- inner tokens


@unit
def put_made_of(vocabulary, which, groups):
    """Make INNER the tokens that are made of some groups of bytes (0: none); or a status."""
    head = i64(vocabulary, VOCABULARY)
    scratch, width = head[SETS_SCRATCH], head[WIDTH]
    inner, same, makeup = i64(scratch, INNER), i64(vocabulary, SAME), i64(vocabulary, MAKEUP)
    scalar = i64(scratch, SCALAR)
    if groups == 0:
        scalar[INNER_COUNT] = 0
        for i in range(width):
            inner[i] = 0
        return 0
    stride = SAME_HEAD + width
    for n in range(head[SAME_USED]):
        at = n * stride
        if same[at + SAME_GROUPS] == groups and same[at + SAME_TRIE] == which:
            scalar[INNER_COUNT] = same[at + SAME_SIZE]
            for i in range(width):
                inner[i] = same[at + SAME_HEAD + i]
            return 0
    n = head[SAME_USED]
    if n < _REMEMBERED and (n + 1) * stride > size_of(vocabulary, SAME):
        return full(SAME)
    other, total = MADE_OF & ~groups, 0
    for i in range(width):
        at = 64 * (which * width + i)
        word = np.int64(0)
        for k in range(64):
            made = np.int64(makeup[at + k] & other == 0)
            word |= made << k
            total += made
        inner[i] = word
    scalar[INNER_COUNT] = total
    if n < _REMEMBERED:
        at = n * stride
        same[at + SAME_GROUPS], same[at + SAME_TRIE], same[at + SAME_SIZE] = groups, which, total
        for i in range(width):
            same[at + SAME_HEAD + i] = inner[i]
        head[SAME_USED] = n + 1
    return 0


@helper
def add(inner, token):
    """Add a token to a set; 1 if it is new."""
    bit = np.int64(1) << (token & 63)
    word = inner[token >> 6]
    inner[token >> 6] = word | bit
    return np.int64(word & bit == 0)


@unit
def find_inner(vocabulary, automata, first, root, made_of):
    """Walk a trie from a ready state: add to INNER, and fill PLACES with where the terminal may end; 0 or a status.

    `made_of` is 1 if INNER has the tokens already that are made of bytes by which the state returns to itself.
    """
    head = i64(vocabulary, VOCABULARY)
    scratch = head[SETS_SCRATCH]
    trie, below, span = i64(vocabulary, TRIE), i64(vocabulary, BELOW), i64(vocabulary, SPAN)
    height, order, keeps = i32(vocabulary, HEIGHT), i32(vocabulary, ORDER), i64(vocabulary, KEEPS)
    group, keeps_room = i64(vocabulary, GROUP), size_of(vocabulary, KEEPS)
    lists, tokens = i32(vocabulary, LIST), i32(vocabulary, TOKENS)
    state, targets, classes = i32(automata, STATE), i32(automata, TARGET), u8(automata, CLASS)
    mapped, runs = i32(automata, MAPPED), i32(automata, RUN)
    scalar, inner, places, stack = i64(scratch, SCALAR), i64(scratch, INNER), i32(scratch, PLACES), i64(scratch, STACK)
    room, most_places = size_of(scratch, STACK) - 3 * 256, size_of(scratch, PLACES) - 256
    if room < 3:
        return full_scratch(STACK)
    own = keeps[4 * first + LOOPS]
    # the stack: a state, a node, and whether the path to it is made of ASCII bytes of `own`
    count, found, visited = scalar[INNER_COUNT], 0, 0
    stack[0], stack[1], stack[2] = first, root, made_of
    top = 3
    while top > 0:
        if top > room:
            return full_scratch(STACK)
        if found > most_places:
            return full_scratch(PLACES)
        top -= 3
        q, word, pure = stack[top], trie[stack[top + 1]], stack[top + 2]
        if not state[8 * q + FLAGS] & READY:
            status = make_ready(automata, q)
            if status < 0:
                return status
        row, classes_at = np.int64(state[8 * q + ROW]), 256 * np.int64(state[8 * q + MAP])
        node, stop = (word >> CHILD) & CHILD_MASK, (word >> CHILD & CHILD_MASK) + ((word >> CHILDREN) & CHILDREN_MASK)
        # few children are looked up one by one; of many, those in runs of bytes that lead nowhere are jumped over
        run_end, run = 255, np.int64(mapped[classes_at >> 6])
        last_run = run + mapped[(classes_at >> 6) + 1] - 1
        if stop - node > 8:
            run_end = -1
        while node < stop:
            b = trie[node] & 255
            if b > run_end:
                while run < last_run and (runs[run + 1] & 255) <= b:
                    run += 1
                run_end = (np.int64(runs[run + 1]) & 255) - 1 if run < last_run else 255
                if targets[row + (runs[run] >> 8)] == DEAD:
                    if run_end == 255:
                        break
                    low, high = node + 1, stop
                    while low < high:
                        middle = (low + high) >> 1
                        if (trie[middle] & 255) <= run_end:
                            low = middle + 1
                        else:
                            high = middle
                    node, run_end = low, -1
                    continue
            here = node
            node += 1
            visited += 1
            led = np.int64(targets[row + classes[classes_at + b]])
            if led == DEAD:
                continue
            flags, word = state[8 * led + FLAGS], trie[here]
            leaf = (word >> CHILDREN) & CHILDREN_MASK == 0
            stays = pure if led == first and b < 128 and group[b] & own != 0 else 0
            if flags & GOES_ON != 0 and not leaf:
                tokens_at, tokens_end = span[here] & _LOW, span[here] >> 32
                if 4 * led + 4 > keeps_room:
                    return full(KEEPS)
                met, known, size = below[here], keeps[4 * led + KEEPS_KNOWN], tokens_end - tokens_at
                if known & 1 == 0 and size > _WORTH_LOOPS:
                    status = make_ready(automata, led)
                    if status >= 0:
                        status = find_loops(vocabulary, automata, led)
                    if status < 0:
                        return status
                skip = met & ~keeps[4 * led + LOOPS] == 0
                if skip and stays:
                    continue  # in INNER already
                if not skip and met & (BROKEN | INSIDE) == 0:
                    if known & 2 == 0 and size > _WORTH_ALIVE:
                        status = keep_alive(vocabulary, automata, led)
                        if status < 0:
                            return status
                    skip = met & ~keeps[4 * led + ALIVE_GROUPS] == 0 and height[here] <= keeps[4 * led + ALIVE_BYTES]
                if skip:
                    for i in range(tokens_at, tokens_end):
                        count += add(inner, order[i])
                    continue
            payload = (word >> PAYLOAD) & PAYLOAD_MASK
            if payload >= MANY:
                at = lists[payload - MANY]
                for i in range(at + 1, at + 1 + tokens[at]):
                    count += add(inner, tokens[i])
            elif payload:
                count += add(inner, payload - 1)
            if leaf:
                continue
            if flags & ACCEPTS:
                places[found] = here
                found += 1
            if flags & GOES_ON:
                stack[top], stack[top + 1], stack[top + 2] = led, here, stays
                top += 3
    scalar[PLACE_COUNT], scalar[INNER_COUNT], scalar[VISITED] = found, count, visited
    return 0


@helper
def find_all(vocabulary, automata, q, which):
    """Make INNER the tokens of a trie that can be read from a ready state, and fill PLACES; 0 or a status."""
    status = put_made_of(vocabulary, which, i64(vocabulary, KEEPS)[4 * q + LOOPS])
    return status if status < 0 else find_inner(vocabulary, automata, q, i64(vocabulary, VOCABULARY)[ROOT + which], 1)


# ----------------------------------------------------------------------------------------------------------- whole sets


@unit
def keep_set(vocabulary, suffixes):
    """Keep INNER and the root of a trie of suffixes as a set: its index, or a status."""
    head = i64(vocabulary, VOCABULARY)
    scratch, width = head[SETS_SCRATCH], head[WIDTH]
    inner, n = i64(scratch, INNER), i64(scratch, SCALAR)[INNER_COUNT]
    sets, sparse, dense = i32(vocabulary, SET), i32(vocabulary, SPARSE), i64(vocabulary, DENSE)
    index, at, kind = head[SET_USED], 0, NO_TOKENS
    if 4 * index + 4 > size_of(vocabulary, SET):
        return full(SET)
    if n > MOST_FEW:
        kind, at = DENSE_SET, head[DENSE_USED]
        if at + width > size_of(vocabulary, DENSE):
            return full(DENSE)
        for i in range(width):
            dense[at + i] = inner[i]
        head[DENSE_USED] = at + width
    elif n > 0:
        kind, at = FEW, head[SPARSE_USED]
        if at + n > size_of(vocabulary, SPARSE):
            return full(SPARSE)
        to = at
        for i in range(width):
            if inner[i]:
                for k in range(64):
                    if (inner[i] >> k) & 1:
                        sparse[to] = 64 * i + k
                        to += 1
        head[SPARSE_USED] = to
    sets[4 * index + SET_KIND], sets[4 * index + SET_AT] = kind, at
    sets[4 * index + SET_SIZE], sets[4 * index + SET_SUFFIXES] = n, suffixes
    head[SET_USED] = index + 1
    return index


@unit(nogil=True)
def token_set(vocabulary, automata, q, which, follows):
    """Make the set of the tokens (0 all, 1 short, 2 long) that can be read from a state, unless it stands.

    Suffixes are merged if something `follows`. Returns its index, or a status.
    """
    column = WHOLE_SET if which == 0 else SHORT_SET if which == 1 else LONG_SET
    if 8 * q + 8 > size_of(vocabulary, SET_OF):
        return full(SET_OF)
    if 4 * q + 4 > size_of(vocabulary, KEEPS):
        return full(KEEPS)
    set_of, sets = i32(vocabulary, SET_OF), i32(vocabulary, SET)
    known = np.int64(set_of[8 * q + column])
    if known and (follows == 0 or sets[4 * known + SET_SUFFIXES] != NOT_MERGED):
        return known
    status = make_ready(automata, q)
    if status < 0:
        return status
    status = find_loops(vocabulary, automata, q)
    if status < 0:
        return status
    status = find_all(vocabulary, automata, q, which)
    if status < 0:
        return status
    places = i64(i64(vocabulary, VOCABULARY)[SETS_SCRATCH], SCALAR)[PLACE_COUNT]
    suffixes = np.int64(NOT_MERGED)
    if follows or places == 0:
        suffixes = merge_suffixes(vocabulary, places)
        if suffixes < 0:
            return suffixes
    if known:
        sets[4 * known + SET_SUFFIXES] = suffixes
        return known
    index = keep_set(vocabulary, suffixes)
    if index > 0:
        set_of[8 * q + column] = index
    return index


@unit(nogil=True)
def ready_sets(vocabulary, automata, q, follows):
    """Make the token sets that masks take from a state, unless they stand; 0 or a status."""
    if 8 * q + 8 > size_of(vocabulary, SET_OF):
        return full(SET_OF)
    set_of, head = i32(vocabulary, SET_OF), i64(vocabulary, VOCABULARY)
    long = np.int64(set_of[8 * q + LONG_STATE])
    if long == 0:
        long = clipped(automata, q, head[HORIZON])
        short = clipped(automata, q, head[SHORT_HORIZON]) if long >= 0 else long
        if short < 0:
            return short
        set_of[8 * q + SHORT_STATE], set_of[8 * q + LONG_STATE] = (-1, -1) if short == q else (short, long)
        long = -1 if short == q else long
    if long < 0:
        return min(0, token_set(vocabulary, automata, q, 0, follows))
    status = token_set(vocabulary, automata, np.int64(set_of[8 * q + SHORT_STATE]), 1, follows)
    return min(0, token_set(vocabulary, automata, long, 2, follows)) if status > 0 else status
