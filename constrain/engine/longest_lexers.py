# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Lexers and shuns: what is left of the terminals of a row, and of what must not be matched, byte by byte.

Both are automata that are made as they are met, over the states of the process's automata: a lexer is a list of them,
each with its label; a shun is what each byte leaves of a list of them. Which terminals of a lexer end with a byte
stands with the byte, so that lexers are one that go on alike.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.clip import clipped
from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, GOES_ON, STATE, TARGET
from constrain.automata.tables import CLASS as DFA_CLASS
from constrain.automata.tables import MAP as DFA_MAP
from constrain.automata.tables import ROW as DFA_ROW
from constrain.engine.advance import add_set
from constrain.engine.earley import closure, finish
from constrain.engine.longest_tables import (
    AFTER,
    BEGUN,
    CLASS,
    CLASSES,
    CLIPPED,
    GOTO,
    HEAD,
    KNOWN,
    LABEL,
    LABELS,
    LEFT,
    LEFT_OVER,
    LEXER,
    LEXERS,
    LIST,
    LOW,
    MAP,
    MAPS,
    MATCHED,
    NEED_LABELS,
    NOTHING,
    PARTS,
    PARTS_OF,
    POOL,
    RECORD,
    ROW,
    ROW_POOL,
    ROW_READY,
    SESSION_BLOCK,
    SHUN_ROW,
    SHUNNED,
    SHUNS,
    SHUNS_WHAT,
    STEP,
    STEPS,
    WINNERS,
    keep,
    keep_one,
    keep_two,
    no_room,
    size,
    slot_of,
)
from constrain.engine.records import length
from constrain.engine.tables import (
    AUTOMATA,
    CONT,
    GOAL,
    HEAP,
    HORIZON,
    ITEM,
    SESSION,
    SPECIAL_ITEM,
    VOCABULARY,
    VOCABULARY_BLOCK,
    A,
    D,
    X,
)
from constrain.engine.tables import STACK as JOINED
from constrain.jit import helper, i32, i64, size_of, u8, unit


@helper
def automata_of(L):
    """The block of the automata."""
    return i64(i64(L, HEAD)[SESSION_BLOCK], SESSION)[AUTOMATA]


@unit
def lexer_of(L, n):
    """The lexer of the first n words of RECORD, ascending: label << 32 | DFA state; 0 if there are none."""
    head, pool, lexers = i64(L, HEAD), i64(L, POOL), i64(L, LEXER)
    if n == 0:
        return 0
    record = keep(L, PARTS, n)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known:
        return known
    new = head[LEXERS]
    if 10 * new + 10 > size_of(L, LEXER):
        return no_room(LEXER)
    for k in range(10):
        lexers[10 * new + k] = 0
    lexers[10 * new + PARTS_OF] = record
    head[LEXERS] = new + 1
    pool[slot_of(pool, record)] = new
    return new


@unit
def keep_row(L, lexer, classes):
    """Keep the row of a lexer, whose steps stand behind the last ones: as many as there are classes, of the bytes in
    LIST. 0, or a status."""
    head, pool, lexers, by_byte, content = i64(L, HEAD), i64(L, POOL), i64(L, LEXER), i64(L, LIST), i64(L, RECORD)
    if size_of(L, RECORD) < 256:
        return no_room(RECORD)
    runs = 0
    for byte in range(256):
        if byte == 0 or by_byte[byte] != by_byte[byte - 1]:
            content[runs] = byte << 32 | by_byte[byte]
            runs += 1
    record = keep(L, CLASSES, runs)
    if record < 0:
        return record
    number = pool[slot_of(pool, record)] - 1
    if number < 0:
        number = head[MAPS]
        if 256 * number + 256 > size_of(L, CLASS):
            return no_room(CLASS)
        byte_class = u8(L, CLASS)
        for byte in range(256):
            byte_class[256 * number + byte] = by_byte[byte]
        head[MAPS] = number + 1
        pool[slot_of(pool, record)] = number + 1
    lexers[10 * lexer + MAP], lexers[10 * lexer + ROW] = number, head[STEPS]
    lexers[10 * lexer + KNOWN] |= ROW_READY
    head[STEPS] += classes
    return 0


@unit
def make_row(L, lexer):
    """Write what each byte does to a lexer; 0, or a status."""
    head, pool, lexers, labels = i64(L, HEAD), i64(L, POOL), i64(L, LEXER), i64(L, LABEL)
    content, by_byte, steps = i64(L, RECORD), i64(L, LIST), i32(L, STEP)
    if lexers[10 * lexer + KNOWN] & ROW_READY:
        return 0
    automata = automata_of(L)
    state, targets, classes = i32(automata, STATE), i32(automata, TARGET), u8(automata, DFA_CLASS)
    parts, row = lexers[10 * lexer + PARTS_OF], 2 * head[STEPS]
    n = size(pool, parts)
    if n > size_of(L, RECORD):
        return no_room(RECORD)
    if n + 256 > size_of(L, LIST):
        return no_room(LIST)
    if row + 512 > size_of(L, STEP):
        return no_room(STEP)
    for k in range(n):
        status = make_ready(automata, pool[parts + 1 + k] & LOW)
        if status < 0:
            return status
        if pool[parts + 1 + k] >> 32 >= head[LABELS]:
            return -NEED_LABELS
    known, here = 0, 0
    for byte in range(256):
        same, k = byte > 0, 0
        while same and k < n:
            at = 256 * state[8 * (pool[parts + 1 + k] & LOW) + DFA_MAP] + byte
            same = classes[at] == classes[at - 1]
            k += 1
        if not same:
            going, ends, best = 0, 0, 0
            for k in range(n):
                word = pool[parts + 1 + k]
                o = 8 * (word & LOW)
                reached = targets[state[o + DFA_ROW] + classes[256 * state[o + DFA_MAP] + byte]]
                if reached == 0:
                    continue
                flags = state[8 * reached + FLAGS]
                if flags & GOES_ON:
                    content[going] = (word >> 32 << 32) | reached
                    going += 1
                if flags & ACCEPTS:
                    priority = labels[word >> 32]
                    if ends == 0 or priority > best:
                        ends, best = 0, priority
                    if priority == best:
                        by_byte[256 + ends] = word >> 32
                        ends += 1
            after = lexer_of(L, going)
            if after < 0:
                return after
            winners = 0
            if ends:
                for k in range(ends):
                    content[k] = by_byte[256 + k]
                winners = keep(L, WINNERS, ends)
                if winners < 0:
                    return winners
            here = 0
            while here < known and not (steps[row + 2 * here] == after and steps[row + 2 * here + 1] == winners):
                here += 1
            if here == known:
                steps[row + 2 * here], steps[row + 2 * here + 1] = after, winners
                known += 1
        by_byte[byte] = here
    return keep_row(L, lexer, known)


@unit(quick=True)
def begin(L, row):
    """The lexer of the terminals that may begin in a row; 0 if no text may follow."""
    pool, content, parts = i64(L, ROW_POOL), i64(L, RECORD), i64(L, LIST)
    heap = i64(i64(L, HEAD)[SESSION_BLOCK], HEAP)
    record = keep_one(L, BEGUN, row)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known:
        return max(known, 0)
    last = row + 1 + length(heap, row)
    if last - row > size_of(L, LIST):
        return no_room(LIST)
    if last - row > size_of(L, RECORD):
        return no_room(RECORD)
    n = 0
    for o in range(row + 3, last, ITEM):
        if heap[o + A] >= SPECIAL_ITEM:
            continue
        word = heap[o + X] << 32 | heap[o + A]
        k = n
        while k > 0 and parts[k - 1] > word:
            k -= 1
        if k > 0 and parts[k - 1] == word:
            continue
        for j in range(n, k, -1):
            parts[j] = parts[j - 1]
        parts[k] = word
        n += 1
    for k in range(n):
        content[k] = parts[k]
    found = lexer_of(L, n)
    if found >= 0:
        pool[slot_of(pool, record)] = found if found else -1
    return found


@unit
def goto(L, row, winners):
    """The row after some terminals of a row have ended together."""
    pool, S = i64(L, ROW_POOL), i64(L, HEAD)[SESSION_BLOCK]
    heap = i64(S, HEAP)
    record = keep_two(L, GOTO, row, winners)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known:
        return known
    n, accepting = 0, 0
    won = i64(L, POOL)
    first, last = winners + 1, winners + 1 + size(won, winners)
    for o in range(row + 3, row + 1 + length(heap, row), ITEM):
        if heap[o + A] >= SPECIAL_ITEM:
            continue
        for k in range(first, last):
            if won[k] == heap[o + X]:
                reached = closure(S, heap[o + GOAL], heap[o + D], heap[o + CONT])
                n = add_set(S, reached, JOINED, n) if reached > 0 else reached
                if n < 0:
                    return n
                accepting |= heap[reached + 1]
                break
    reached = finish(S, JOINED, n, accepting, 0)
    if reached > 0:
        pool[slot_of(pool, record)] = reached
    return reached


# ----------------------------------------------------------------------------------------------------------- shuns


@helper
def put_sorted(content, n, q):
    """Insert a DFA state into the first n words of RECORD; how many there are then."""
    k = n
    while k > 0 and content[k - 1] > q:
        k -= 1
    if k > 0 and content[k - 1] == q:
        return n
    for j in range(n, k, -1):
        content[j] = content[j - 1]
    content[k] = q
    return n + 1


@unit
def keep_shun(L):
    """The shun whose row stands in LEFT, and in AFTER as far as it is known, behind the last one."""
    head, pool, content, left = i64(L, HEAD), i64(L, POOL), i64(L, RECORD), i32(L, LEFT)
    new, runs, rest = head[SHUNS], 0, np.int64(NOTHING)
    if size_of(L, RECORD) < 256:
        return no_room(RECORD)
    for byte in range(256):
        rest = np.int64(left[256 * new + byte])
        if byte == 0 or rest != left[256 * new + byte - 1]:
            content[runs] = byte << 32 | rest
            runs += 1
    if runs == 1 and rest == NOTHING:
        return NOTHING
    record = keep(L, SHUN_ROW, runs)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known:
        return known
    head[SHUNS] = new + 1
    pool[slot_of(pool, record)] = new
    return new


@unit
def settle(L, shun, n):
    """The shun of what a shun and the first n DFA states of LIST may still match; NOTHING if they cannot."""
    head, pool, parts, content = i64(L, HEAD), i64(L, POOL), i64(L, LIST), i64(L, RECORD)
    left, after = i32(L, LEFT), i32(L, AFTER)
    automata = automata_of(L)
    state, targets, classes = i32(automata, STATE), i32(automata, TARGET), u8(automata, DFA_CLASS)
    new = head[SHUNS]
    if 256 * new + 256 > size_of(L, LEFT):
        return no_room(LEFT)
    if 256 * new + 256 > size_of(L, AFTER):
        return no_room(AFTER)
    for k in range(n):
        status = make_ready(automata, parts[k])
        if status < 0:
            return status
    rest = 0
    for byte in range(256):  # the row is written behind the last one, and counted if it is new
        before = 0
        same = byte > 0
        if shun:
            before = np.int64(left[256 * shun + byte])
            same = same and before == left[256 * shun + byte - 1]
        k = 0
        while same and k < n:
            at = 256 * state[8 * parts[k] + DFA_MAP] + byte
            same = classes[at] == classes[at - 1]
            k += 1
        if not same:
            m = 0
            matched = before == MATCHED
            if before > MATCHED:
                m = size(pool, before)
            if m + n + 1 > size_of(L, RECORD):
                return no_room(RECORD)
            for k in range(m):
                content[k] = pool[before + 1 + k]
            for k in range(n):
                reached = targets[state[8 * parts[k] + DFA_ROW] + classes[256 * state[8 * parts[k] + DFA_MAP] + byte]]
                if reached == 0:
                    continue
                if state[8 * reached + FLAGS] & ACCEPTS:
                    matched = True
                    break
                m = put_sorted(content, m, reached)
            rest = MATCHED if matched else NOTHING
            if m > 0 and not matched:
                rest = keep(L, LEFT_OVER, m)
                if rest < 0:
                    return rest
        left[256 * new + byte] = rest
        after[256 * new + byte] = -1 if rest > MATCHED else rest
    return keep_shun(L)


@unit
def ask_shun(L, shun, byte):
    """What a byte that neither ends nor matches what is shunned leaves of it, where AFTER does not say it yet."""
    pool, parts = i64(L, POOL), i64(L, LIST)
    rest = i32(L, LEFT)[256 * shun + byte]
    found = pool[slot_of(pool, rest)]
    if found == 0:
        n = size(pool, rest)
        if n > size_of(L, LIST):
            return no_room(LIST)
        for k in range(n):
            parts[k] = pool[rest + 1 + k]
        found = settle(L, 0, n)
        if found < 0:
            return found
        found += 1
        pool[slot_of(pool, rest)] = found
    i32(L, AFTER)[256 * shun + byte] = found - 1
    return found - 1


@helper
def step_shun(L, shun, byte):
    """What is left of a shun after a byte: NOTHING, MATCHED, a shun; or a status."""
    found = i32(L, AFTER)[256 * shun + byte]
    return found if found >= 0 else ask_shun(L, shun, byte)


@unit
def shunned(L, shun, lexer):
    """The shun of what a shun or a lexer may still match; lexer 0 matches nothing."""
    pool, lexers, parts = i64(L, POOL), i64(L, LEXER), i64(L, LIST)
    if lexer == 0:
        return shun
    if shun == NOTHING:
        known = lexers[10 * lexer + SHUNS_WHAT]
        if known:
            return known - 1
    else:
        record = keep_two(L, SHUNNED, shun, lexer)
        if record < 0:
            return record
        known = pool[slot_of(pool, record)]
        if known:
            return known - 1
    at = lexers[10 * lexer + PARTS_OF]
    n = size(pool, at)
    if n > size_of(L, LIST):
        return no_room(LIST)
    for k in range(n):
        parts[k] = pool[at + 1 + k] & LOW
    found = settle(L, shun, n)
    if found < 0:
        return found
    if shun == NOTHING:
        lexers[10 * lexer + SHUNS_WHAT] = found + 1
    else:
        pool[slot_of(pool, keep_two(L, SHUNNED, shun, lexer))] = found + 1
    return found


@unit
def clip(L, lexer):
    """The lexer that reads tokens as one does, with counts that no token reaches made equal."""
    pool, lexers, content, parts = i64(L, POOL), i64(L, LEXER), i64(L, RECORD), i64(L, LIST)
    known = lexers[10 * lexer + CLIPPED]
    if known:
        return known
    session = i64(i64(L, HEAD)[SESSION_BLOCK], SESSION)
    horizon = i64(session[VOCABULARY_BLOCK], VOCABULARY)[HORIZON]
    at = lexers[10 * lexer + PARTS_OF]
    n = size(pool, at)
    if n > size_of(L, LIST):
        return no_room(LIST)
    if n > size_of(L, RECORD):
        return no_room(RECORD)
    for k in range(n):
        q = clipped(session[AUTOMATA], pool[at + 1 + k] & LOW, horizon)
        if q < 0:
            return q
        parts[k] = (pool[at + 1 + k] >> 32 << 32) | q
    for k in range(n):
        content[k] = parts[k]
    found = lexer_of(L, n)
    if found > 0:
        lexers[10 * lexer + CLIPPED] = found
    return found
