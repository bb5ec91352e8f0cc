# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Many tokens at once: those that stay within a terminal, where a text can be completed from wherever they lead.

If from all places that are reached from one by up to so many bytes a text can be completed, then tokens of up to so
many bytes are allowed that the terminal can read, and the regular constraint. Both are sets of tokens that are made
once for a DFA state. A conjunction has the tokens that all of its parts have, as long as it dies with one of them.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.clip import clipped
from constrain.automata.derive import make_ready
from constrain.automata.tables import (
    ALL,
    AND,
    FIRST,
    FLAGS,
    GOES_ON,
    KIND,
    MAP,
    MAPPED,
    ROW,
    RUN,
    SIZE,
    STATE,
    TARGET,
    TOWARDS,
    step,
)
from constrain.engine.counted_strings import count_step, known_counted
from constrain.engine.intersect_alive import decide
from constrain.engine.intersect_tables import (
    FEW,
    FRAME_OF,
    GENERATION,
    HEAD,
    INNER_BITS,
    INNER_HASH,
    INNERS,
    KEEPS,
    LENGTHS,
    NEAR,
    OPEN_BY,
    OWN,
    PARTS,
    PLACE,
    REST,
    SESSION_BLOCK,
    X,
    part_full,
    place_of,
)
from constrain.engine.loops import find_loops
from constrain.engine.tables import (
    ARGUMENT,
    AUTOMATA,
    COUNTED_STRING,
    DENSE,
    DENSE_SET,
    GROUP,
    HORIZON,
    MAKEUP,
    NEED_COUNTED,
    SESSION,
    SET,
    SET_AT,
    SET_KIND,
    SETS_SCRATCH,
    SHORT_HORIZON,
    TOKEN_COUNT,
    UNBOUNDED,
    VOCABULARY,
    VOCABULARY_BLOCK,
    WIDTH,
)
from constrain.engine.tables import KEEPS as KEEPS_OF_STATE
from constrain.engine.token_sets import find_all
from constrain.engine.token_tries import (
    INNER,
    INNER_COUNT,
    LENGTH,
    LOST,
    MOST_BYTES,
    SCALAR,
    START,
    WHOLE,
    full,
    place_after,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

EVERY, SHORT = 0, 1
"""Tries of the vocabulary: of all tokens, of short ones."""
EVER = 1 << 20
"""Bytes, where nothing that is dead is ever reached."""
_MOST_PARTS = 16
_NEAR = 2
"""Bytes: where something is dead nearer than that, all tokens are walked."""
_MOST_NEAR = 3000
"""Places that `reach` looks at."""
_MOST_FAR = 400
"""Places at which it stops beyond the bytes of a short token."""
_MOST_OPEN = 200
"""States that `keep_open` looks at, so many bytes ahead:"""
_FAR = 24
_NEAR_BY = 3
"""A group of bytes that leads to a state that does not go on within so many bytes is given up."""


@helper
def note_open(near, n, q, place, far, led_by):
    """Add a state and a place in a character to NEAR, unless it is there; how many there are then."""
    for k in range(n):
        if near[4 * k] == q and near[4 * k + 1] == place:
            return n
    near[4 * n], near[4 * n + 1], near[4 * n + 2], near[4 * n + 3] = q, place, far, led_by
    return n + 1


@unit
def list_parts(P, q):
    """Write the DFA states that a state is the conjunction of to PARTS; how many, 0 if they are too many."""
    state = i32(i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[AUTOMATA], STATE)
    parts = i64(P, PARTS)
    parts[0] = q
    i, n = 0, 1
    while i < n:
        part = parts[i]
        if part > ALL and (state[8 * part + KIND] == AND or state[8 * part + KIND] == TOWARDS):
            if n >= _MOST_PARTS:
                return 0
            parts[i], parts[n] = state[8 * part + FIRST], state[8 * part + SIZE]
            n += 1
        else:
            i += 1
    return n


@unit
def is_explained(P, rest, first, last):
    """Whether by each of bytes first .. last - 1, by which a rest dies, one of its parts dies: 1, 0 or a status."""
    automata = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[AUTOMATA]
    n = list_parts(P, rest)
    parts = i64(P, PARTS)
    for i in range(n):
        status = make_ready(automata, parts[i])
        if status < 0:
            return status
    for b in range(first, last):
        dies = False
        for i in range(n):
            dies = dies or step(automata, parts[i], b) == 0
        if not dies:
            return 0
    return 1


@unit
def reach(P, start):
    """Find up to how many bytes lead from a live place to none that is dead, as long as a terminal goes on; or a
    status. EVER if none is ever reached, else at most the bytes of a short token.
    """
    head, place, keeps, near = i64(P, HEAD), i64(P, PLACE), i64(P, KEEPS), i64(P, NEAR)
    session = i64(head[SESSION_BLOCK], SESSION)
    automata, most = session[AUTOMATA], i64(session[VOCABULARY_BLOCK], VOCABULARY)[SHORT_HORIZON]
    if keeps[2 * start]:
        return keeps[2 * start] - 1
    state, target = i32(automata, STATE), i32(automata, TARGET)
    mapped, run = i32(automata, MAPPED), i32(automata, RUN)
    vocabulary, frame = session[VOCABULARY_BLOCK], place[8 * start + FRAME_OF]
    head[GENERATION] += 1
    now = head[GENERATION]
    if size_of(P, NEAR) < 2 * (_MOST_NEAR + 512):
        return part_full(NEAR)
    near[0], near[1] = start, 0
    keeps[2 * start + 1] = now
    n, i, distance = 1, 0, np.int64(EVER)
    while i < n and distance == EVER:
        here, far = near[2 * i], near[2 * i + 1]
        i += 1
        q, r, x = place[8 * here], place[8 * here + REST], place[8 * here + X]
        if n > (_MOST_NEAR if far < most else _MOST_FAR):
            distance = min(far, most)
            break
        status = make_ready(automata, q)
        if status == 0:
            status = make_ready(automata, r)
        if status < 0:
            return status
        row, row_of_rest = np.int64(state[8 * q + ROW]), np.int64(state[8 * r + ROW])
        m, m_of_rest = 4 * np.int64(state[8 * q + MAP]), 4 * np.int64(state[8 * r + MAP])
        j, k = np.int64(mapped[m]), np.int64(mapped[m_of_rest])
        end_j, end_k = j + mapped[m + 1], k + mapped[m_of_rest + 1]
        low = np.int64(0)
        while low < 256:
            to, after = np.int64(target[row + (run[j] >> 8)]), np.int64(target[row_of_rest + (run[k] >> 8)])
            next_j = np.int64(run[j + 1] & 255) if j + 1 < end_j else np.int64(256)
            next_k = np.int64(run[k + 1] & 255) if k + 1 < end_k else np.int64(256)
            stop = min(next_j, next_k)
            local = count_step(vocabulary, q, to, x) if x & COUNTED_STRING and to else x
            if local < 0 or (to and after and not state[8 * to + FLAGS] & GOES_ON):
                pass  # tokens that end there are looked at one by one
            elif to and after:
                there = place_of(P, to, local, frame, after)
                alive = decide(P, there) if there > 0 else there
                if alive < 0:
                    return alive
                if alive == 0:
                    distance = min(far, most)
                    break
                if keeps[2 * there + 1] != now:
                    keeps[2 * there + 1] = now
                    near[2 * n], near[2 * n + 1] = there, far + 1
                    n += 1
            elif to:
                explained = is_explained(P, r, low, stop)
                if explained < 0:
                    return explained
                if explained == 0:
                    distance = min(far, most)
                    break
            if next_j == stop:
                j += 1
            if next_k == stop:
                k += 1
            low = stop
    keeps[2 * start] = distance + 1
    if distance == EVER:
        for k in range(n):
            keeps[2 * near[2 * k]] = EVER + 1
    return distance


@unit
def inner_of(P, q, which):
    """Find or make the set of the tokens of a trie that a DFA state reads without dying.

    Its offset in INNER_BITS plus 1, 0 if it is small; or a status.
    """
    head, table = i64(P, HEAD), i64(P, INNER_HASH)
    session = i64(head[SESSION_BLOCK], SESSION)
    vocabulary, automata = session[VOCABULARY_BLOCK], session[AUTOMATA]
    about = i64(vocabulary, VOCABULARY)
    q = clipped(automata, q, about[HORIZON] if which == EVERY else about[SHORT_HORIZON])
    if q < 0:
        return q
    mask = (size_of(P, INNER_HASH) >> 1) - 1
    key = q << 2 | which
    k = mix(9, key) & mask
    while table[2 * k]:
        if table[2 * k] == key:
            return table[2 * k + 1]
        k = (k + 1) & mask
    if 4 * head[INNERS] > mask:
        return part_full(INNER_HASH)
    width, at = about[WIDTH], head[INNERS] * about[WIDTH]
    if at + width > size_of(P, INNER_BITS):
        return part_full(INNER_BITS)
    if 4 * q + 4 > size_of(vocabulary, KEEPS_OF_STATE):
        return full(KEEPS_OF_STATE)
    status = make_ready(automata, q)
    if status == 0:
        status = find_loops(vocabulary, automata, q)
    if status == 0:
        status = find_all(vocabulary, automata, q, which)
    if status < 0:
        return status
    found = np.int64(0)
    if i64(about[SETS_SCRATCH], SCALAR)[INNER_COUNT] > head[FEW]:
        bits, inner = i64(P, INNER_BITS), i64(about[SETS_SCRATCH], INNER)
        for i in range(width):
            bits[at + i] = inner[i]
        found = at + 1
    table[2 * k], table[2 * k + 1] = key, found
    head[INNERS] += 1
    return found


@unit
def keep_open(P, first):
    """Note groups of bytes and a number: so many bytes of these lead from a DFA state to none that does not go on.

    As `loops.keep_alive`, which is content with states that are not dead; 0 or a status.
    """
    session = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)
    automata, group = session[AUTOMATA], i64(session[VOCABULARY_BLOCK], GROUP)
    opens, near = i64(P, OPEN_BY), i64(P, NEAR)
    state, target = i32(automata, STATE), i32(automata, TARGET)
    mapped, run = i32(automata, MAPPED), i32(automata, RUN)
    if 2 * first + 2 > size_of(P, OPEN_BY):
        return part_full(OPEN_BY)
    if opens[2 * first + 1]:
        return 0
    if size_of(P, NEAR) < 4 * (_MOST_OPEN + 512):
        return part_full(NEAR)
    groups, distance = np.int64((1 << LENGTH) - 1 | WHOLE), np.int64(0)
    while groups:
        n, i, failed = note_open(near, 0, first, START, 0, 0), 0, np.int64(0)
        distance = np.int64(_FAR)
        while i < n and failed == 0:
            q, place, far, led_by = near[4 * i], near[4 * i + 1], near[4 * i + 2], near[4 * i + 3]
            i += 1
            if far >= _FAR or n > _MOST_OPEN:
                distance = far
                break
            status = make_ready(automata, q)
            if status < 0:
                return status
            failing, row, m = np.int64(0), np.int64(state[8 * q + ROW]), 4 * np.int64(state[8 * q + MAP])
            begin, count = np.int64(mapped[m]), np.int64(mapped[m + 1])
            for r in range(begin, begin + count):
                low, to = np.int64(run[r] & 255), np.int64(target[row + (run[r] >> 8)])
                high = np.int64(run[r + 1] & 255) if r + 1 < begin + count else np.int64(256)
                goes_on = to != 0 and state[8 * to + FLAGS] & GOES_ON != 0
                if place == START and low < 128:
                    met = np.int64(0)
                    for b in range(low, min(high, 128)):
                        met |= group[b]
                    met &= groups
                    if not goes_on:
                        failing |= met
                    elif met and n <= _MOST_OPEN:
                        n = note_open(near, n, to, START, far + 1, met)
                if groups & WHOLE:
                    last = LOST
                    for b in range(max(low, 0xC2 if place == START else 0x80), min(high, 0xF5)):
                        p = place_after(place, b)
                        if p == LOST or p == last:
                            continue
                        last = p
                        if not goes_on:
                            failing |= WHOLE
                            break
                        if n <= _MOST_OPEN:
                            n = note_open(near, n, to, p, far + 1, WHOLE)
            if failing and far >= _NEAR_BY:
                distance = far
                break
            if failing:
                failed = failing
                if far > 0:  # blame the way here, if more than half of the groups fail
                    fail, all_ = 0, 0
                    for bit in range(61):
                        all_ += (groups >> bit) & 1
                        fail += (failing >> bit) & 1
                    if 2 * fail > all_ or place != START:
                        failed = led_by
        if failed == 0:
            break
        groups &= ~failed
    opens[2 * first], opens[2 * first + 1] = groups, distance + 1
    return 0


@unit
def lengths(P):
    """Make the sets of tokens of at most so many bytes, unless they stand; 0 or a status."""
    about = i64(i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK], VOCABULARY)
    makeup = i64(i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK], MAKEUP)
    width, most = about[WIDTH], about[SHORT_HORIZON]
    if 1 + width * (most + 1) > size_of(P, LENGTHS):
        return part_full(LENGTHS)
    bits = i64(P, LENGTHS)
    if bits[0]:
        return 0
    for i in range(1, 1 + width * (most + 1)):
        bits[i] = 0
    for token in range(about[TOKEN_COUNT]):
        size = (makeup[token] >> LENGTH) & MOST_BYTES if makeup[token] != -1 else np.int64(MOST_BYTES)
        for n in range(size, most + 1):
            bits[1 + width * n + (token >> 6)] |= np.int64(1) << (token & 63)
    bits[0] = 1
    return 0


@unit
def counted_inner(P, q, x):
    """Find the set of the tokens that a counted string reads: its offset in DENSE plus 1, 0 if it is small; or a
    status."""
    session = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)
    vocabulary, fewest, most = session[VOCABULARY_BLOCK], (x >> 24) & UNBOUNDED, x & UNBOUNDED
    index = known_counted(vocabulary, q, fewest, most)
    if index <= 0:
        session[ARGUMENT], session[ARGUMENT + 1] = fewest, most
        return -(q << 4 | NEED_COUNTED)
    sets = i32(vocabulary, SET)
    return np.int64(sets[4 * index + SET_AT]) + 1 if sets[4 * index + SET_KIND] == DENSE_SET else np.int64(0)


@unit
def cover(P, here, a, x, rest):
    """Make OWN the tokens that stay within the terminal of a place, as far as can be told at once.

    Returns up to how many bytes they have, plus 1; 0 if it cannot be told; or a status.
    """
    vocabulary = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    about = i64(vocabulary, VOCABULARY)
    inner = inner_of(P, a, SHORT)
    if inner <= 0:
        return inner
    far = reach(P, here)
    if far < min(_NEAR, about[SHORT_HORIZON]):
        return min(far, 0)
    which, width = EVERY if far == EVER else SHORT, about[WIDTH]
    parts, n, m = i64(P, PARTS), list_parts(P, rest), 0
    for k in range(n):
        if which == EVERY or parts[k] != ALL:
            found = inner_of(P, parts[k], which)
            if found <= 0:
                return found
            parts[m] = found - 1
            m += 1
    inner = counted_inner(P, a, x) if x & COUNTED_STRING else inner_of(P, a, which)
    status = lengths(P)
    if inner <= 0 or status < 0 or n == 0:
        return min(inner, status)
    bits, own, short = i64(P, INNER_BITS), i64(P, OWN), i64(P, LENGTHS)
    inners = i64(vocabulary, DENSE) if x & COUNTED_STRING else bits
    for i in range(width):
        word = inners[inner - 1 + i]
        for k in range(m):
            word &= bits[parts[k] + i]
        own[i] = word if far == EVER else word & short[1 + width * far + i]
    return far + 1
