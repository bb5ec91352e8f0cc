# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Which tokens can be read from a state of an intersection, and which of them lead to the same.

The items of an Earley set are read along the vocabulary's trie, all items before one node together, with the rest of
the regular constraint. Tokens are allowed if a text can be completed from one of the places that they lead to: that is
asked once for each place. Subtrees are not walked where both automata return to themselves on everything below. Where
`intersect_whole` has allowed all tokens that stay within a terminal, these are *covered*: the walk looks for others.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, GOES_ON, READY, STATE, step
from constrain.engine.counted_strings import count_step
from constrain.engine.earley import closure
from constrain.engine.excluded import MATCHED, step_excluded
from constrain.engine.intersect_alive import decide, is_alive
from constrain.engine.intersect_items import (
    KINDS_OF,
    MASK,
    ROW_OF_WALK,
    in_doubt_kind,
    kind_of,
    merge_items,
    push_items,
    settle,
    take,
    take_ended,
    take_payload,
    take_span,
)
from constrain.engine.intersect_tables import (
    CACHE,
    CONT,
    DATA,
    FRAME,
    GOAL,
    GROUP,
    HEAD,
    KIND,
    KIND_HASH,
    KINDS,
    OPEN_BY,
    OWN,
    SESSION_BLOCK,
    TRIES,
    VISITED,
    WALK,
    frame_of,
    normal,
    part_full,
    place_of,
)
from constrain.engine.intersect_whole import EVER, cover, keep_open
from constrain.engine.loops import find_loops
from constrain.engine.records import length
from constrain.engine.tables import (
    AUTOMATA,
    BELOW,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    COUNTED_STRING,
    DOUBT,
    EXCLUDED_MASK,
    HEAP,
    HEIGHT,
    ITEM,
    KEEPS,
    KEEPS_KNOWN,
    LITERAL,
    LONG_ROOT,
    LOOPS,
    MANY,
    PAYLOAD,
    PAYLOAD_MASK,
    ROOT,
    SESSION,
    SHORT_HORIZON,
    SHORT_ROOT,
    SPAN,
    SPECIAL_AT,
    SPECIAL_ID,
    SPECIAL_ITEM,
    TRACKED,
    TRIE,
    VOCABULARY,
    VOCABULARY_BLOCK,
    WIDTH,
    child,
)
from constrain.engine.token_tries import BROKEN, INSIDE, full
from constrain.jit import i32, i64, i64_at, size_of, u32_row, unit

_LOW = 0xFFFFFFFF
_SPAN = 16  # subtrees of fewer tokens are rather walked than looked at for long
# CACHE: columns
_KEY, _FRAME, _LOCAL, _PLACE, _LIVES, _KIND, _LOOPS, _BOTH = range(8)
_CACHED = 511


@unit
def loops_of(P, q):
    """Find the groups of bytes that lead from a DFA state to itself; or a status."""
    session = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)
    vocabulary, automata = session[VOCABULARY_BLOCK], session[AUTOMATA]
    if 4 * q + 4 > size_of(vocabulary, KEEPS):
        return full(KEEPS)
    keeps = i64(vocabulary, KEEPS)
    if not keeps[4 * q + KEEPS_KNOWN] & 1:
        status = make_ready(automata, q)
        if status == 0:
            status = find_loops(vocabulary, automata, q)
        if status < 0:
            return status
    return keeps[4 * q + LOOPS]


@unit
def stays(P, q, here, most):
    """Whether a DFA state is known to go on after everything below a node, of up to so many bytes: 1, 0 or a status."""
    vocabulary = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    below, height = i64(vocabulary, BELOW)[here], i32(vocabulary, HEIGHT)[here]
    if below & (BROKEN | INSIDE) or height > most:
        return 0
    status = keep_open(P, q)
    opens = i64(P, OPEN_BY)
    if status < 0:
        return status
    return 1 if height < opens[2 * q + 1] and below & ~opens[2 * q] == 0 else 0


@unit
def cached(P, q, local, frame, rest, mode):
    """Find the place of an item in CACHE, with what is known of it: its row there, or a status."""
    cache = i64(P, CACHE)
    key = q << 31 | rest
    c = 8 * ((q * 31 + rest * 7 + (local & 255)) & _CACHED)
    if cache[c + _KEY] == key and cache[c + _FRAME] == frame and cache[c + _LOCAL] == local:
        return c
    here = place_of(P, q, normal(local), frame, rest)
    lives = decide(P, here) if here > 0 else here
    if lives < 0:
        return lives
    kind = np.int64(0)
    if mode == KINDS_OF:
        kind = kind_of(P, here)
        if kind < 0:
            return kind
    cache[c + _KEY], cache[c + _FRAME], cache[c + _LOCAL], cache[c + _PLACE] = key, frame, local, here
    cache[c + _LIVES], cache[c + _KIND], cache[c + _LOOPS], cache[c + _BOTH] = lives, kind, -1, -1
    return c


@unit
def is_last(P, frame):
    """Whether nothing follows a terminal: 1, 0 or a status."""
    frames, o = i64(P, FRAME), 4 * frame
    S = i64(P, HEAD)[SESSION_BLOCK]
    earley = closure(S, frames[o + GOAL], frames[o + DATA], frames[o + CONT])
    return np.int64(length(i64(S, HEAP), earley) == 2) if earley > 0 else earley


@unit
def read_singles(P, out_address, words, sp, mode):
    """Read items on WALK from the top down, as long as each is an automaton and stands alone before its node.

    What is left before longer tokens is put on WALK. Returns the new number, or a status.
    """
    head, walked, cache = i64(P, HEAD), i64(P, WALK), i64(P, CACHE)
    session = i64(head[SESSION_BLOCK], SESSION)
    automata, vocabulary = session[AUTOMATA], session[VOCABULARY_BLOCK]
    state, trie, out, kinds = i32(automata, STATE), i64(vocabulary, TRIE), u32_row(out_address, words), i32(P, KIND)
    span, below, height = i64(vocabulary, SPAN), i64(vocabulary, BELOW), i32(vocabulary, HEIGHT)
    last, last_of, visited = np.int64(0), np.int64(-1), 0
    while sp > 0:
        o = ROW_OF_WALK * (sp - 1)
        node, rest, a, x = walked[o], walked[o + 1], walked[o + 2], walked[o + 3]
        frame, covered = walked[o + 4], walked[o + 6]
        if a < 0 or (sp > 1 and walked[o - ROW_OF_WALK] == node):
            break
        e = x & EXCLUDED_MASK if x & TRACKED else np.int64(0)
        if not state[8 * rest + FLAGS] & state[8 * a + FLAGS] & READY:
            status = make_ready(automata, rest)
            if status == 0:
                status = make_ready(automata, a)
            if status < 0:
                return status
        if frame != last_of:
            last, last_of = is_last(P, frame), frame
            if last < 0:
                return last
        sp -= 1
        word = trie[node]
        first, children = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
        if ROW_OF_WALK * (sp + children + 2) > size_of(P, WALK):
            return part_full(WALK)
        visited += children
        for here in range(first, first + children):
            word = trie[here]
            q = np.int64(step(automata, a, word & 255))
            if q == 0:
                continue
            after = np.int64(step(automata, rest, word & 255))
            if after == 0:
                continue
            local, avoided = x, np.int64(0)
            if e:
                avoided = step_excluded(head[SESSION_BLOCK], e, word & 255)
                if avoided < 0:
                    return avoided
                if avoided == MATCHED:
                    if covered:
                        take_span(P, out_address, words, here, -2)
                    continue
                local = (x & ~EXCLUDED_MASK) | avoided
            elif x & COUNTED_STRING:
                local = count_step(vocabulary, a, q, x)
                if local < 0:
                    continue
            c = 8 * ((q * 31 + after * 7 + (local & 255)) & _CACHED)
            if cache[c + _KEY] != q << 31 | after or cache[c + _FRAME] != frame or cache[c + _LOCAL] != local:
                c = cached(P, q, local, frame, after, mode)
                if c < 0:
                    return c
            if cache[c + _LIVES] == 0:
                if covered:
                    take_span(P, out_address, words, here, -2)
                continue
            flags = np.int64(state[8 * q + FLAGS])
            left = covered - 1 if covered else np.int64(0)  # bytes below this node that are covered, plus 1
            payload = (word >> PAYLOAD) & PAYLOAD_MASK
            in_doubt = x & DOUBT != 0 or (x & TRACKED != 0 and flags & ACCEPTS != 0)
            if payload:
                if in_doubt:
                    if left:
                        take_payload(P, out_address, words, payload, -2)
                    kind = in_doubt_kind(P, q, local, frame, after, payload, mode)
                    status = kind if kind < -1 else take_payload(P, out_address, words, payload, kind)
                    if status < 0:
                        return status
                elif left:
                    pass
                elif payload < MANY:
                    take(out, kinds, payload - 1, cache[c + _KIND])
                else:
                    take_payload(P, out_address, words, payload, cache[c + _KIND])
            if not (word >> CHILDREN) & CHILDREN_MASK:
                continue
            if avoided == 0 and not in_doubt:
                if left:
                    if cache[c + _LOOPS] < 0:
                        loops = loops_of(P, q)
                        if loops < 0:
                            return loops
                        cache[c + _LOOPS] = loops
                    whole = np.int64(below[here] & ~cache[c + _LOOPS] == 0 and height[here] < left)
                    if not whole and not x & TRACKED and (span[here] >> 32) - (span[here] & _LOW) > _SPAN:
                        whole = stays(P, q, here, left - 1)
                        if whole < 0:
                            return whole
                    if whole:
                        continue
                if (mode == MASK or not flags & ACCEPTS or last) and not x & COUNTED_STRING:
                    if cache[c + _BOTH] < 0:
                        loops = loops_of(P, q)
                        more = loops_of(P, after) if loops > 0 else loops
                        if more < 0:
                            return more
                        cache[c + _BOTH] = loops & more
                    if below[here] & ~cache[c + _BOTH] == 0:
                        take_span(P, out_address, words, here, cache[c + _KIND])
                        continue
            if flags & GOES_ON or (flags & ACCEPTS and not last):
                o = ROW_OF_WALK * sp
                walked[o], walked[o + 1], walked[o + 2], walked[o + 3] = here, after, q, local
                walked[o + 4], walked[o + 5], walked[o + 6] = frame, 0, left
                sp += 1
                if flags & ACCEPTS and not last:
                    sp = take_ended(P, sp - 1, sp)
                    if sp < 0:
                        return sp
                    if ROW_OF_WALK * (sp + first + children - here + 2) > size_of(P, WALK):
                        return part_full(WALK)
    head[VISITED] += visited
    return sp


@unit
def read_group(P, out_address, words, node, rest, n, sp, mode):
    """Read the n items in GROUP, all before one node, and put what is left before longer tokens on WALK."""
    head, walked, group = i64(P, HEAD), i64(P, WALK), i64(P, GROUP)
    S = head[SESSION_BLOCK]
    session = i64(S, SESSION)
    automata, vocabulary = session[AUTOMATA], session[VOCABULARY_BLOCK]
    literal, trie = i64(S, LITERAL), i64(vocabulary, TRIE)
    status = make_ready(automata, rest)
    for k in range(n):
        if group[4 * k] > 0 and status == 0:
            status = make_ready(automata, group[4 * k])
    if status < 0:
        return status
    word = trie[node]
    first, children = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
    head[VISITED] += children
    for here in range(first, first + children):
        word = trie[here]
        byte = word & 255
        after = np.int64(step(automata, rest, byte))
        if after == 0:
            continue
        begin = sp
        for k in range(n):
            a, x = group[4 * k], group[4 * k + 1]
            if a < 0:
                q = -np.int64(child(literal, literal[-a], byte))
                if q > 0:
                    continue
            else:
                q = np.int64(step(automata, a, byte))
                if q == 0:
                    continue
                if x & TRACKED and x & EXCLUDED_MASK:
                    e = step_excluded(S, x & EXCLUDED_MASK, byte)
                    if e < 0:
                        return e
                    if e == MATCHED:
                        if group[4 * k + 3]:
                            take_span(P, out_address, words, here, -2)
                        continue
                    x = (x & ~EXCLUDED_MASK) | e
                elif x & COUNTED_STRING:
                    x = count_step(vocabulary, a, q, x)
                    if x < 0:
                        continue
            if ROW_OF_WALK * (sp + 2) > size_of(P, WALK):
                return part_full(WALK)
            o = ROW_OF_WALK * sp
            walked[o], walked[o + 1], walked[o + 2], walked[o + 3] = here, after, q, x
            walked[o + 4], walked[o + 5], walked[o + 6] = group[4 * k + 2], 0, max(group[4 * k + 3] - 1, 0)
            sp += 1
        if sp - begin > 1:
            sp = merge_items(P, begin, sp)
        if sp > begin and (word >> PAYLOAD) & PAYLOAD_MASK:
            sp = settle(P, out_address, words, here, begin, sp, mode)
        if not (word >> CHILDREN) & CHILDREN_MASK:
            sp = min(sp, begin)
        elif sp > begin:
            sp = take_ended(P, begin, sp)
        if sp < 0:
            return sp
    return sp


@unit
def read_all(P, out_address, words, sp, mode):
    """Read the first `sp` items on WALK to the end; 0, or a status."""
    walked, group = i64(P, WALK), i64(P, GROUP)
    while sp > 0:
        o = ROW_OF_WALK * (sp - 1)
        node, rest = walked[o], walked[o + 1]
        first = sp - 1
        while first > 0 and walked[ROW_OF_WALK * (first - 1)] == node:
            first -= 1
        n = sp - first
        if n == 1 and walked[o + 2] > 0:
            sp = read_singles(P, out_address, words, sp, mode)
            continue
        if 4 * n + 4 > size_of(P, GROUP):
            return part_full(GROUP)
        for k in range(n):
            o = ROW_OF_WALK * (first + k)
            group[4 * k], group[4 * k + 1] = walked[o + 2], walked[o + 3]
            group[4 * k + 2], group[4 * k + 3] = walked[o + 4], walked[o + 6]
        sp = read_group(P, out_address, words, node, rest, n, first, mode)
    return sp


@unit
def walk_wide(P, out_address, words, o, rest):
    """Allow the tokens of an item at HEAP[o] if many of them can be told at once: 1, 0 if not; or a status."""
    head, walked, own, out = i64(P, HEAD), i64(P, WALK), i64(P, OWN), u32_row(out_address, words)
    S = head[SESSION_BLOCK]
    heap, about = i64(S, HEAP), i64(i64(S, SESSION)[VOCABULARY_BLOCK], VOCABULARY)
    a, x = heap[o], heap[o + 1]
    if a <= 0 or a >= SPECIAL_ITEM or x & DOUBT:
        return 0
    frame = frame_of(P, heap[o + 2], heap[o + 3], heap[o + 4])
    here = place_of(P, a, TRACKED if x & TRACKED else x, frame, rest) if frame > 0 else frame
    alive = decide(P, here) if here > 0 else here
    if alive <= 0:
        return alive
    covered = cover(P, here, a, x, rest)
    if covered <= 0:
        return covered
    by_length = about[SHORT_HORIZON] < covered <= EVER  # short tokens are covered, long ones are not
    for turn in range(2 if by_length else 1):
        root = about[(SHORT_ROOT if turn == 0 else LONG_ROOT) if by_length else ROOT]
        walked[0], walked[1], walked[2], walked[3] = root, rest, a, x
        walked[4], walked[5], walked[6] = frame, 0, 0 if turn else EVER if by_length else covered
        status = read_all(P, i64_at(P, 2 * OWN), 2 * about[WIDTH], 1, MASK)
        if status < 0:
            return status
    for i in range(about[WIDTH]):
        out[2 * i] |= own[i] & _LOW
        if 2 * i + 1 < words:
            out[2 * i + 1] |= (own[i] >> 32) & _LOW
    return 1


@unit(quick=True)
def walk(P, earley, rest, out_address, words, mode):
    """Find the tokens that can be read from an Earley set and a rest: bits in a row, or their kinds; 0, or a status.

    Tokens in TRY have to be tried, those that bits are not set for.
    """
    head, walked, cache = i64(P, HEAD), i64(P, WALK), i64(P, CACHE)
    S = head[SESSION_BLOCK]
    session, heap = i64(S, SESSION), i64(S, HEAP)
    out, kinds, table = u32_row(out_address, words), i32(P, KIND), i64(P, KIND_HASH)
    head[TRIES], head[KINDS], head[VISITED] = 0, 0, 0
    for i in range(8 * (_CACHED + 1)):
        cache[i] = 0
    for i in range(size_of(P, KIND) if mode == KINDS_OF else 0):
        kinds[i] = 0
    for i in range(size_of(P, KIND_HASH) if mode == KINDS_OF else 0):
        table[i] = 0
    for i in range(words if mode == MASK else 0):
        out[i] = 0
    items, wide = (length(heap, earley) - 2) // ITEM, np.int64(0)
    for i in range(min(items, 60) if mode == MASK else 0):
        found = walk_wide(P, out_address, words, earley + 3 + ITEM * i, rest)
        if found < 0:
            return found
        wide |= found << i
    sp = push_items(P, earley, i64(session[VOCABULARY_BLOCK], VOCABULARY)[ROOT], rest, 0, 0)
    if sp < 0:
        return sp
    n = 0
    for i in range(sp):
        # items come in the order of the Earley set, special ones, which are left out, last
        if i >= 60 or not (wide >> i) & 1:
            for k in range(ROW_OF_WALK):
                walked[ROW_OF_WALK * n + k] = walked[ROW_OF_WALK * i + k]
            n += 1
    status = read_all(P, out_address, words, n, mode)
    if status < 0:
        return status
    ids, at = i32(S, SPECIAL_ID), i32(S, SPECIAL_AT)
    for i in range(items):
        o = earley + 3 + ITEM * i
        if heap[o] < SPECIAL_ITEM:
            continue
        after = closure(S, heap[o + 2], heap[o + 3], heap[o + 4])
        alive = is_alive(P, after, rest) if after > 0 else after
        if alive < 0:
            return alive
        symbol = heap[o] - SPECIAL_ITEM
        for k in range(at[symbol], at[symbol + 1] if alive else at[symbol]):
            token = np.int64(ids[k])
            kind = kind_of(P, -(1 << 40) - token) if mode == KINDS_OF else np.int64(0)
            if kind < 0:
                return kind
            take(out, kinds, token, kind)
    return 0
