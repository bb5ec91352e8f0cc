# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""What keeps a state of an automaton alive: groups of bytes after which it stands where it stood, or is not dead yet.

Groups of bytes are bits as in BELOW. Both facts let `token_sets` pass over subtrees of the vocabulary.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import CLASS, DEAD, MAP, ROW, STATE, TARGET
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
def all_to(automata, q, low, high, target):
    """Whether all of some bytes lead from a ready state to one state."""
    state, targets, classes = i32(automata, STATE), i32(automata, TARGET), u8(automata, CLASS)
    row, classes_at = state[8 * q + ROW], 256 * np.int64(state[8 * q + MAP])
    for b in range(low, high + 1):
        if targets[row + classes[classes_at + b]] != target:
            return False
    return True


@helper
def after(automata, q, byte):
    """The state after a byte in a ready state."""
    state = i32(automata, STATE)
    return np.int64(
        i32(automata, TARGET)[
            state[8 * q + ROW] + np.int64(u8(automata, CLASS)[256 * np.int64(state[8 * q + MAP]) + byte])
        ]
    )


@unit
def find_loops(vocabulary, automata, q):
    """Note the groups of bytes that lead from a ready state to itself, whole characters among them; 0 or a status."""
    keeps, group = i64(vocabulary, KEEPS), i64(vocabulary, GROUP)
    if keeps[4 * q + KEEPS_KNOWN] & 1:
        return 0
    loops, others = 0, 0
    for b in range(128):
        if after(automata, q, b) == q:
            loops |= group[b]
        else:
            others |= group[b]
    loops &= ~others
    two, three, four = after(automata, q, 0xC2), after(automata, q, 0xE1), after(automata, q, 0xF1)
    whole = (
        two != DEAD
        and three != DEAD
        and four != DEAD
        and all_to(automata, q, 0xC2, 0xDF, two)
        and all_to(automata, q, 0xE1, 0xEC, three)
        and all_to(automata, q, 0xEE, 0xEF, three)
        and all_to(automata, q, 0xF1, 0xF3, four)
    )
    if whole:
        for b in range(0xE0, 0xF5):
            if b == 0xE0 or b == 0xED or b == 0xF0 or b == 0xF4:
                led = after(automata, q, b)
                if led == DEAD:
                    whole = False
                    break
                status = make_ready(automata, led)
                if status < 0:
                    return status
    if whole:
        status = min(min(make_ready(automata, two), make_ready(automata, three)), make_ready(automata, four))
        if status < 0:
            return status
        whole = (
            all_to(automata, two, 0x80, 0xBF, q)
            and all_to(automata, three, 0x80, 0xBF, two)
            and all_to(automata, four, 0x80, 0xBF, three)
            and all_to(automata, after(automata, q, 0xE0), 0xA0, 0xBF, two)
            and all_to(automata, after(automata, q, 0xED), 0x80, 0x9F, two)
            and all_to(automata, after(automata, q, 0xF0), 0x90, 0xBF, three)
            and all_to(automata, after(automata, q, 0xF4), 0x80, 0x8F, three)
        )
    keeps[4 * q + LOOPS] = loops | WHOLE if whole else loops
    keeps[4 * q + KEEPS_KNOWN] |= 1
    return 0


@unit
def keep_alive(vocabulary, automata, first):
    """Note groups of bytes and a number: so many bytes of these lead from a state to no dead one; 0 or a status.

    A breadth-first search over states and places in characters. A group that leads to a dead state near by is given
    up, or the one that led to a state which few groups keep alive; farther away, the number ends there.
    """
    scratch = i64(vocabulary, VOCABULARY)[SETS_SCRATCH]
    keeps, group, pairs = i64(vocabulary, KEEPS), i64(vocabulary, GROUP), i64(scratch, PAIRS)
    if keeps[4 * first + KEEPS_KNOWN] & 2:
        return 0
    groups, distance = (1 << LENGTH) - 1 | WHOLE, 0
    while groups:
        pairs[0], pairs[1], pairs[2], pairs[3] = first, START, 0, 0
        n, i, failed, distance = 1, 0, 0, 1 << 20
        while i < n and failed == 0:
            q, place, far, led_by = pairs[4 * i], pairs[4 * i + 1], pairs[4 * i + 2], pairs[4 * i + 3]
            i += 1
            if far >= _FAR or n > _PAIRS:
                distance = far
                break
            status = make_ready(automata, q)
            if status < 0:
                return status
            failing, last = 0, -1
            for b in range(256):
                g = group[b] if b < 128 else WHOLE
                if not g & groups or g & failing or (place != START and b < 128):
                    continue
                p = place_after(place, b)
                if p == LOST:
                    continue
                led = after(automata, q, b)
                if led == DEAD:
                    failing |= g
                    continue
                key = led << 4 | p
                if key == last:
                    continue
                last = key
                known = False
                for k in range(n):
                    if pairs[4 * k] == led and pairs[4 * k + 1] == p:
                        known = True
                        break
                if not known and n <= _PAIRS:
                    pairs[4 * n], pairs[4 * n + 1], pairs[4 * n + 2], pairs[4 * n + 3] = led, p, far + 1, g
                    n += 1
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
