# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""What keeps a state of an automaton alive: groups of bytes after which it stands where it stood, or is not dead yet.

Groups of bytes are bits as in BELOW. Both facts let `token_sets` pass over subtrees of the vocabulary.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import CLASS, CLASSES, DEAD, MAP, MAPPED, ROW, RUN, STATE, TARGET
from constrain.engine.tables import (
    ALIVE_BYTES,
    ALIVE_GROUPS,
    GROUP,
    KEEPS,
    KEEPS_KNOWN,
    LOOPS,
    SETS_SCRATCH,
    VOCABULARY,
)
from constrain.engine.token_tries import LENGTH, LOST, PAIRS, START, WHOLE, place_after
from constrain.jit import helper, i32, i64, u8, unit

_PAIRS = 64  # the most that `keep_alive` looks at
_FAR = 20  # bytes that it looks ahead
_NEAR_BY = 3  # a group of bytes that leads to a dead state within so many bytes is given up
# PAIRS: a state, the place in a character, the distance from the first, the group of the byte that led there


@helper
def after(automata, q, byte):
    """The state after a byte in a ready state."""
    state = i32(automata, STATE)
    mapped = np.int64(u8(automata, CLASS)[256 * np.int64(state[8 * q + MAP]) + byte])
    return np.int64(i32(automata, TARGET)[state[8 * q + ROW] + mapped])


@unit
def find_loops(vocabulary, automata, q):
    """Note the groups of bytes that lead from a ready state to itself, whole characters among them; 0 or a status."""
    keeps, group = i64(vocabulary, KEEPS), i64(vocabulary, GROUP)
    state, targets = i32(automata, STATE), i32(automata, TARGET)
    if keeps[4 * q + KEEPS_KNOWN] & 1:
        return 0
    row, classes, loops = np.int64(state[8 * q + ROW]), np.int64(state[8 * q + CLASSES]), 0
    some = False
    for c in range(row, row + classes):
        some = some or targets[c] == q
    if some:
        others = 0
        for b in range(128):
            if after(automata, q, b) == q:
                loops |= group[b]
            else:
                others |= group[b]
        loops &= ~others
        # all ways through a character must come to one state at each place in it, and back to q at its end
        reached = i64(i64(vocabulary, VOCABULARY)[SETS_SCRATCH], PAIRS)
        for place in range(LOST):
            reached[place] = q if place == START else DEAD
        whole, first, last = True, 0xC2, 0xF4
        for k in range(LOST):
            place = LOST - k if k > 0 else START
            x = reached[place]
            status = make_ready(automata, x)
            if status < 0:
                return status
            for b in range(first, last + 1):
                p = place_after(place, b)
                if p != LOST:
                    led = after(automata, x, b)
                    if reached[p] == DEAD:
                        reached[p] = led
                    whole = whole and led != DEAD and led == reached[p]
            if not whole:
                break
            first, last = 0x80, 0xBF
        if whole:
            loops |= WHOLE
    keeps[4 * q + LOOPS] = loops
    keeps[4 * q + KEEPS_KNOWN] |= 1
    return 0


@helper
def note_pair(pairs, n, q, place, far, led_by):
    """Add a state and a place to the pairs, unless they are known; returns how many there are then."""
    for k in range(n):
        if pairs[4 * k] == q and pairs[4 * k + 1] == place:
            return n
    pairs[4 * n], pairs[4 * n + 1], pairs[4 * n + 2], pairs[4 * n + 3] = q, place, far, led_by
    return n + 1


@unit
def keep_alive(vocabulary, automata, first):
    """Note groups of bytes and a number: so many bytes of these lead from a state to no dead one; 0 or a status.

    A breadth-first search over states and places in characters. A group that leads to a dead state near by is given
    up, or the one that led to a state which few groups keep alive; farther away, the number ends there.
    """
    scratch = i64(vocabulary, VOCABULARY)[SETS_SCRATCH]
    keeps, group, pairs = i64(vocabulary, KEEPS), i64(vocabulary, GROUP), i64(scratch, PAIRS)
    state, targets = i32(automata, STATE), i32(automata, TARGET)
    mapped, runs = i32(automata, MAPPED), i32(automata, RUN)
    if keeps[4 * first + KEEPS_KNOWN] & 2:
        return 0
    groups, distance = (1 << LENGTH) - 1 | WHOLE, 0
    while groups:
        n, i, failed, distance = note_pair(pairs, 0, first, START, 0, 0), 0, 0, 1 << 20
        while i < n and failed == 0:
            q, place, far, led_by = pairs[4 * i], pairs[4 * i + 1], pairs[4 * i + 2], pairs[4 * i + 3]
            i += 1
            if far >= _FAR or n > _PAIRS:
                distance = far
                break
            status = make_ready(automata, q)
            if status < 0:
                return status
            failing, row, m = 0, np.int64(state[8 * q + ROW]), 4 * np.int64(state[8 * q + MAP])
            begin, count = np.int64(mapped[m]), np.int64(mapped[m + 1])
            for r in range(begin, begin + count):
                low, led = np.int64(runs[r] & 255), np.int64(targets[row + (runs[r] >> 8)])
                high = np.int64(runs[r + 1] & 255) - 1 if r + 1 < begin + count else 255
                if place == START and low < 128:
                    met = 0
                    for b in range(low, min(high, 127) + 1):
                        met |= group[b]
                    met &= groups
                    if led == DEAD:
                        failing |= met
                    elif met and n <= _PAIRS:
                        n = note_pair(pairs, n, led, START, far + 1, met)
                if groups & WHOLE:
                    last = LOST
                    for b in range(max(low, 0xC2 if place == START else 0x80), min(high, 0xF4) + 1):
                        p = place_after(place, b)
                        if p == LOST or p == last:
                            continue
                        last = p
                        if led == DEAD:
                            failing |= WHOLE
                            break
                        if n <= _PAIRS:
                            n = note_pair(pairs, n, led, p, far + 1, WHOLE)
            if failing:
                if far >= _NEAR_BY:
                    distance = far
                    break
                failed = failing
                if far > 0:  # blame the way here, if more than half of the groups fail
                    fail, all_ = 0, 0
                    for k in range(61):
                        all_ += (groups >> k) & 1
                        fail += (failing >> k) & 1
                    if 2 * fail > all_ or place != START:
                        failed = led_by
        if failed == 0:
            break
        groups &= ~failed
    keeps[4 * first + ALIVE_GROUPS], keeps[4 * first + ALIVE_BYTES] = groups, distance
    keeps[4 * first + KEEPS_KNOWN] |= 2
    return 0
