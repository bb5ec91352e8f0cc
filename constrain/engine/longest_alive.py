# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Whether text can follow that leads out of what is shunned.

A terminal that has ended, where it could have gone on, counts only if it does not go on to a longer match. So what
follows must lead out of what it could go on with, before that ends. First the terminals that are being read are looked
at alone (`escapes`), which many rows share; where that does not decide, all of the text that may follow (`alive`).
"""

from __future__ import annotations

from constrain.automata.tables import EXCEEDED
from constrain.engine.longest_lexers import begin, goto, make_row, shunned, step_shun
from constrain.engine.longest_tables import (
    ALIVE,
    ALWAYS,
    CLASS,
    DEPENDS,
    ESCAPES,
    GENERATION,
    HEAD,
    KNOWN,
    LEXER,
    MAP,
    MATCHED,
    NEAR,
    NEVER,
    NOTHING,
    POOL,
    QUEUE,
    ROW,
    ROW_POOL,
    ROW_READY,
    SEARCH_LIMIT,
    SEARCHED,
    SESSION_BLOCK,
    STEP,
    keep_three,
    keep_two,
    no_room,
    slot_of,
)
from constrain.engine.records import length
from constrain.engine.tables import HEAP, ITEM, SPECIAL_ITEM
from constrain.jit import helper, i32, i64, size_of, u8, unit

_NEAR_BY = 128  # pairs that `escapes` looks at


@helper
def expects_special(heap, row):
    """Whether a special token may come next in a row. They are its last items."""
    n = length(heap, row)
    return n > 2 and heap[row + 1 + n - ITEM] >= SPECIAL_ITEM


@unit
def escapes(L, lexer, shun):
    """Whether the terminals of a lexer lead out of a shun: ALWAYS if they do, NEVER if not, and none ends before
    that; or DEPENDS, on what follows them or on more than is near by. Or a status.

    A breadth-first search over pairs.
    """
    pool, lexers, queue = i64(L, POOL), i64(L, LEXER), i64(L, NEAR)
    byte_class, steps = u8(L, CLASS), i32(L, STEP)
    record = keep_two(L, ESCAPES, lexer, shun)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known:
        return known
    queue[0], queue[1] = lexer, shun
    n, i, found = 1, 0, NEVER
    while i < n and found != ALWAYS:
        here, away = queue[2 * i], queue[2 * i + 1]
        i += 1
        if not lexers[10 * here + KNOWN] & ROW_READY:
            status = make_row(L, here)
            if status < 0:
                return status
        last, last_shun = -1, -1
        row, map_at = lexers[10 * here + ROW], 256 * lexers[10 * here + MAP]
        for byte in range(256):
            o = 2 * (row + byte_class[map_at + byte])
            to, winners = steps[o], steps[o + 1]
            if to == 0 and winners == 0:
                continue
            left = step_shun(L, away, byte)
            if left < 0:
                return left
            if left == MATCHED:
                continue
            if left == NOTHING:
                found = ALWAYS
                break
            if winners:
                found = DEPENDS
            if to == 0 or (to == last and left == last_shun):
                continue
            last, last_shun = to, left
            new = True
            for k in range(n):
                if queue[2 * k] == to and queue[2 * k + 1] == left:
                    new = False
                    break
            if new and n == _NEAR_BY:
                found = DEPENDS
            elif new:
                queue[2 * n], queue[2 * n + 1] = to, left
                n += 1
    pool[slot_of(pool, record)] = found
    return found


@unit
def is_free(L, row, lexer, shun):
    """What `escapes` says of an element; ALWAYS if the text may end in it, or a special token follow."""
    if lexer == 0:
        heap = i64(i64(L, HEAD)[SESSION_BLOCK], HEAP)
        if heap[row + 1] or expects_special(heap, row):
            return ALWAYS
        lexer = begin(L, row)
        if lexer <= 0:
            return lexer if lexer < 0 else NEVER
    return escapes(L, lexer, shun) if shun else ALWAYS


@unit
def meet(L, row, lexer, shun, n):
    """Note an element that a search has met, behind n others in QUEUE: the new number; 0 if it leads out; or a
    status."""
    head, pool, queue = i64(L, HEAD), i64(L, ROW_POOL), i64(L, QUEUE)
    if shun == NOTHING:
        return 0
    record = keep_three(L, ALIVE, row, lexer, shun)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known == ALWAYS:
        return 0
    if known == NEVER or known == head[GENERATION] << 4:
        return n
    free = is_free(L, row, lexer, shun)
    if free < 0:
        return free
    if free != DEPENDS:
        pool[slot_of(pool, record)] = free
        return 0 if free == ALWAYS else n
    if n >= size_of(L, QUEUE):
        return no_room(QUEUE)
    if n > head[SEARCH_LIMIT]:
        return -(SEARCHED << 4 | EXCEEDED)
    pool[slot_of(pool, record)] = head[GENERATION] << 4
    queue[n] = record
    return n + 1


@unit
def alive(L, row, lexer, shun):
    """Whether a text that leads out of a shun can follow where a row was reached, and a lexer since: 1 or 0.

    A breadth-first search over elements; or a status.
    """
    head, pool, lexers, queue = i64(L, HEAD), i64(L, ROW_POOL), i64(L, LEXER), i64(L, QUEUE)
    byte_class, steps = u8(L, CLASS), i32(L, STEP)
    if shun == NOTHING:
        return 1
    asked = keep_three(L, ALIVE, row, lexer, shun)
    if asked < 0:
        return asked
    known = pool[slot_of(pool, asked)]
    if known == NEVER or known == ALWAYS:
        return known - NEVER
    head[GENERATION] += 1
    n = meet(L, row, lexer, shun, 0)
    if n < 0:
        return n
    if n == 0:
        return pool[slot_of(pool, asked)] - NEVER
    i = 0
    while i < n:
        o = queue[i] + 1
        row, lexer, shun = pool[o], pool[o + 1], pool[o + 2]
        i += 1
        if lexer == 0:
            lexer = begin(L, row)
            if lexer < 0:
                return lexer
        if not lexers[10 * lexer + KNOWN] & ROW_READY:
            status = make_row(L, lexer)
            if status < 0:
                return status
        last, last_won, last_shun = -1, -1, -1
        steps_at, map_at = lexers[10 * lexer + ROW], 256 * lexers[10 * lexer + MAP]
        for byte in range(256):
            o = 2 * (steps_at + byte_class[map_at + byte])
            to, winners = steps[o], steps[o + 1]
            if to == 0 and winners == 0:
                continue
            left = step_shun(L, shun, byte)
            if left < 0:
                return left
            if left == MATCHED or (to == last and winners == last_won and left == last_shun):
                continue
            last, last_won, last_shun = to, winners, left
            met = n
            if to:
                met = meet(L, row, to, left, n)
            if met > 0 and winners:
                n = met
                reached = goto(L, row, winners)
                away = shunned(L, left, to) if reached > 0 else reached
                met = meet(L, reached, 0, away, n) if away >= 0 else away
            if met < 0:
                return met
            if met == 0:
                pool[slot_of(pool, asked)] = ALWAYS
                return 1
            n = met
    for i in range(n):
        pool[slot_of(pool, queue[i])] = NEVER
    return 0
