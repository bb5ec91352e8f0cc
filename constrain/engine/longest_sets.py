# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Token sets of lexers: which tokens stay within the terminals that are being read, and which go on behind them.

*Inner* tokens can be read whole, and text can follow that leads out of what is shunned. Tokens that pass the end of
terminals are followed from there on: a *crossing* says which terminals have ended, what must not be matched behind
them, and what is left of the tokens, as edges of the vocabulary's trie (a FOREST), which have token sets of their own.
Tokens after which it depends on the row whether anything can follow are *unsure*.

Where counts are clipped, everything after a token that is still shunned is unsure: what tokens cannot count may matter
later. So are forests below 0, which go on behind such a set.

Subtrees all of whose tokens are inner, by what keeps a part of the lexer alive, are not walked (as in token_sets.py).
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.engine.longest_alive import escapes
from constrain.engine.longest_lexers import automata_of, make_row, shunned, step_shun
from constrain.engine.longest_tables import (
    ADDED,
    AFTER,
    ALIVE_BYTES,
    ALIVE_GROUPS,
    ALWAYS,
    AT,
    CLASS,
    CLIPPED_VOCABULARY,
    COUNT,
    CROSSED,
    CROSSING,
    CROSSING_AT,
    CROSSING_COUNT,
    CROSSINGS,
    DENSE,
    DENSE_USED,
    EDGE,
    FEW_TOKENS,
    FOREST,
    FOREST_OF,
    FOUND,
    GENERATION,
    HEAD,
    IN_INNER,
    INNER,
    KEPT,
    KIND,
    KNOWN,
    LEFT,
    LEXER,
    LOOPS,
    LOW,
    MAP,
    MATCHED,
    NEVER,
    NOTHING,
    PARTS_OF,
    PLACED,
    POOL,
    RECORD,
    ROW,
    ROW_READY,
    SESSION_BLOCK,
    SET,
    SETS,
    SETS_MADE,
    SHUN_OF,
    SIZE,
    SORTED,
    SPARSE,
    SPARSE_USED,
    STEP,
    TOKENS,
    UNSURE,
    UNSURE_AT,
    UNSURE_COUNT,
    UNSURES,
    VISITED,
    WALK,
    WIDTH_OF,
    WINNERS_OF,
    keep,
    keep_three,
    no_room,
    size,
    slot_of,
)
from constrain.engine.loops import find_loops, keep_alive
from constrain.engine.tables import ALIVE_BYTES as KEEPS_BYTES
from constrain.engine.tables import ALIVE_GROUPS as KEEPS_GROUPS
from constrain.engine.tables import (
    BELOW,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    DENSE_SET,
    FEW,
    HEIGHT,
    KEEPS,
    LIST,
    MANY,
    NO_TOKENS,
    ORDER,
    PAYLOAD,
    PAYLOAD_MASK,
    ROOT,
    SESSION,
    SPAN,
    TRIE,
    VOCABULARY,
    VOCABULARY_BLOCK,
)
from constrain.engine.tables import LOOPS as KEEPS_LOOPS
from constrain.engine.tables import TOKENS as LISTED
from constrain.engine.token_tries import BROKEN, INSIDE
from constrain.engine.token_tries import full as vocabulary_full
from constrain.jit import helper, i32, i64, mix, size_of, u8, unit

_WORTH_KEEPING = 8  # tokens below a node, from which on it is asked what keeps a lexer alive
_FEW_EDGES = 48  # up to so many are sorted by insertion


@helper
def groups_in(bits):
    """How many groups of bytes there are."""
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@unit
def note_keeps(L, lexer):
    """Note what keeps a lexer alive: groups of bytes that lead a part of it to itself, or to no dead state."""
    pool, lexers = i64(L, POOL), i64(L, LEXER)
    session = i64(i64(L, HEAD)[SESSION_BLOCK], SESSION)
    vocabulary, automata = session[VOCABULARY_BLOCK], automata_of(L)
    keeps = i64(vocabulary, KEEPS)
    parts, o = lexers[10 * lexer + PARTS_OF], 10 * lexer
    lexers[o + LOOPS], lexers[o + ALIVE_GROUPS], lexers[o + ALIVE_BYTES] = 0, 0, 0
    for k in range(size(pool, parts)):
        q = pool[parts + 1 + k] & LOW
        if 4 * q + 4 > size_of(vocabulary, KEEPS):
            return vocabulary_full(KEEPS)
        status = make_ready(automata, q)
        if status == 0:
            status = find_loops(vocabulary, automata, q)
        if status == 0:
            status = keep_alive(vocabulary, automata, q)
        if status < 0:
            return status
        if groups_in(keeps[4 * q + KEEPS_LOOPS]) > groups_in(lexers[o + LOOPS]):
            lexers[o + LOOPS] = keeps[4 * q + KEEPS_LOOPS]
        if groups_in(keeps[4 * q + KEEPS_GROUPS]) > groups_in(lexers[o + ALIVE_GROUPS]):
            lexers[o + ALIVE_GROUPS] = keeps[4 * q + KEEPS_GROUPS]
            lexers[o + ALIVE_BYTES] = keeps[4 * q + KEEPS_BYTES]
    lexers[o + KNOWN] |= KEPT
    return 0


@helper
def put_inner(head, inner, added, token):
    """Add a token to the set that is being made."""
    bit = np.int64(1) << (token & 63)
    word = inner[token >> 6]
    if not word & bit:
        inner[token >> 6] = word | bit
        if head[IN_INNER] < FEW_TOKENS:
            added[head[IN_INNER]] = token
        head[IN_INNER] += 1


@helper
def clear_inner(L):
    """Empty the set that is being made."""
    head, inner = i64(L, HEAD), i64(L, INNER)
    if 0 <= head[IN_INNER] <= FEW_TOKENS:
        added = i64(L, ADDED)
        for k in range(head[IN_INNER]):
            inner[added[k] >> 6] = 0
    else:
        for k in range(head[WIDTH_OF]):
            inner[k] = 0
    head[IN_INNER] = 0


@helper
def tokens_at(vocabulary, payload):
    """How many tokens end at a node, and where they stand in TOKENS if they are several."""
    if payload < MANY:
        return np.int64(1), np.int64(0)
    at = np.int64(i32(vocabulary, LIST)[payload - MANY])
    return np.int64(i32(vocabulary, LISTED)[at]), at + 1


@unit
def crossing_of(L, winners, shun, n):
    """The number of a crossing of this set, of which there are n; n if it is new, and then it is noted; or a
    status."""
    head, placed, table = i64(L, HEAD), i64(L, PLACED), i64(L, CROSSED)
    now, key = head[GENERATION], winners << 31 | shun
    mask = (size_of(L, CROSSED) >> 1) - 1
    k = mix(5, key) & mask
    while table[2 * k] >> 32 == now:
        number = table[2 * k] & LOW
        if table[2 * k + 1] == key:
            return number
        k = (k + 1) & mask
    if 2 * n > mask:
        return no_room(CROSSED)
    if 4 * n + 4 > size_of(L, PLACED):
        return no_room(PLACED)
    table[2 * k], table[2 * k + 1] = now << 32 | n, key
    placed[4 * n], placed[4 * n + 1], placed[4 * n + 2], placed[4 * n + 3] = winners, shun, 0, 0
    return n


@helper
def start_walk(L, lexer, shun, forest, root):
    """Put what is to be walked on WALK: the root of the trie, or the groups of a forest; how many, or a status."""
    pool, walk = i64(L, POOL), i64(L, WALK)
    if forest <= CLIPPED_VOCABULARY:
        walk[0], walk[1], walk[2], walk[3] = lexer, shun, root, -1
        return 1
    n, o = 0, forest + 1
    last = o + size(pool, forest)
    while o < last:
        if 4 * n + 4 > size_of(L, WALK):
            return no_room(WALK)
        walk[4 * n], walk[4 * n + 1], walk[4 * n + 2], walk[4 * n + 3] = lexer, shun, -1 - o, -1
        n += 1
        o += 2 + pool[o + 1]
    return n


@unit
def walk_tokens(L, lexer, shun, forest):
    """Fill INNER, note crossings in PLACED, their edges in FOUND, and tokens that are unsure.

    Returns crossings << 32 | edges, or a status.
    """
    head, pool, lexers, walk = i64(L, HEAD), i64(L, POOL), i64(L, LEXER), i64(L, WALK)
    byte_class, steps, left, after = u8(L, CLASS), i32(L, STEP), i32(L, LEFT), i32(L, AFTER)
    inner, added, found, placed, unsure = i64(L, INNER), i64(L, ADDED), i64(L, FOUND), i64(L, PLACED), i32(L, UNSURE)
    vocabulary = i64(head[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    trie, below, span = i64(vocabulary, TRIE), i64(vocabulary, BELOW), i64(vocabulary, SPAN)
    height, order, listed_tokens = i32(vocabulary, HEIGHT), i32(vocabulary, ORDER), i32(vocabulary, LISTED)
    clipped = forest == CLIPPED_VOCABULARY or forest < 0
    sp = start_walk(L, lexer, shun, abs(forest), i64(vocabulary, VOCABULARY)[ROOT])
    if sp < 0:
        return sp
    head[GENERATION] += 1
    crossings, edges, unsures, visited = 0, 0, head[UNSURES], 0
    most_edges, most_unsures = size_of(L, FOUND), size_of(L, UNSURE) // 4
    while sp > 0:
        sp -= 1
        here, away, at, crossing = walk[4 * sp], walk[4 * sp + 1], walk[4 * sp + 2], walk[4 * sp + 3]
        if here and not lexers[10 * here + KNOWN] & ROW_READY:
            status = make_row(L, here)
            if status < 0:
                return status
        if at >= 0:
            first, n = (trie[at] >> CHILD) & CHILD_MASK, (trie[at] >> CHILDREN) & CHILDREN_MASK
        else:
            first, n = 1 - at, pool[-at]
        if 4 * (sp + n) + 4 > size_of(L, WALK):
            return no_room(WALK)
        row, map_at = lexers[10 * here + ROW], 256 * lexers[10 * here + MAP]
        behind = 256 * placed[4 * crossing + 1] if crossing >= 0 else 0
        visited += n
        for i in range(n):
            node = first + i if at >= 0 else pool[first + i]
            word = trie[node]
            byte = word & 255
            if crossing >= 0 and (behind == 0 or left[behind + byte] != MATCHED):
                if edges >= most_edges:
                    return no_room(FOUND)
                found[edges] = crossing << 32 | node
                edges += 1
                placed[4 * crossing + 2] += 1
            if here == 0:
                continue
            o = 2 * (row + byte_class[map_at + byte])
            to, winners = np.int64(steps[o]), np.int64(steps[o + 1])
            rest = np.int64(NOTHING)
            if (to or winners) and away:
                rest = np.int64(after[256 * away + byte])
                if rest < 0:
                    rest = step_shun(L, away, byte)
                    if rest < 0:
                        return rest
            if (to == 0 and winners == 0) or rest == MATCHED:
                if at < 0:
                    break  # all of these begin with the same byte
                continue
            leaf = (word >> CHILDREN) & CHILDREN_MASK == 0
            if to and rest == NOTHING and not leaf:
                begin, end = span[node] & LOW, span[node] >> 32
                if end - begin > _WORTH_KEEPING:
                    if not lexers[10 * to + KNOWN] & KEPT:
                        status = note_keeps(L, to)
                        if status < 0:
                            return status
                    met, o = below[node], 10 * to
                    if met & ~lexers[o + LOOPS] == 0 or (
                        met & (BROKEN | INSIDE) == 0
                        and met & ~lexers[o + ALIVE_GROUPS] == 0
                        and height[node] <= lexers[o + ALIVE_BYTES]
                    ):
                        for k in range(begin, end):
                            put_inner(head, inner, added, np.int64(order[k]))
                        continue
            payload = (word >> PAYLOAD) & PAYLOAD_MASK
            if payload:
                verdict = ALWAYS
                if rest:
                    verdict = escapes(L, to, rest) if to else NEVER
                    if verdict < 0:
                        return verdict
                    if clipped or (winners and verdict != ALWAYS):
                        verdict = 0
                if verdict != NEVER:
                    several, token_at = tokens_at(vocabulary, payload)
                    for k in range(several):
                        token = payload - 1 if payload < MANY else np.int64(listed_tokens[token_at + k])
                        if verdict == ALWAYS:
                            put_inner(head, inner, added, token)
                            continue
                        if unsures >= most_unsures:
                            return no_room(UNSURE)
                        o = 4 * unsures
                        unsure[o], unsure[o + 1], unsure[o + 2], unsure[o + 3] = to, winners, rest, token
                        unsures += 1
            if leaf:
                continue
            ending = np.int64(-1)
            if winners:
                behind_it = shunned(L, rest, to)
                ending = crossing_of(L, winners, behind_it, crossings) if behind_it >= 0 else behind_it
                if ending < 0:
                    return ending
                crossings = max(crossings, ending + 1)
            walk[4 * sp], walk[4 * sp + 1], walk[4 * sp + 2], walk[4 * sp + 3] = to, rest, node, ending
            sp += 1
    head[VISITED] += visited
    head[UNSURES] = unsures
    return crossings << 32 | edges


@helper
def has(inner, token):
    """Whether a token is in a set."""
    return (inner[token >> 6] >> (token & 63)) & 1


@unit
def sort_edges(L, first, n):
    """Sort EDGE[first : first + n]: by byte, then by node."""
    edge, other, count = i64(L, EDGE), i64(L, SORTED), i64(L, COUNT)
    if n <= _FEW_EDGES:
        for i in range(first + 1, first + n):
            x = edge[i]
            j = i - 1
            while j >= first and edge[j] > x:
                edge[j + 1] = edge[j]
                j -= 1
            edge[j + 1] = x
        return 0
    if n > size_of(L, SORTED):
        return no_room(SORTED)
    for digit in range(4):  # the node, 11 bits at a time, then the byte
        shift = 11 * digit if digit < 3 else 32
        for k in range(2048):
            count[k] = 0
        for i in range(n):
            count[(edge[first + i] >> shift) & 2047] += 1
        total = 0
        for k in range(2048):
            here = count[k]
            count[k] = total
            total += here
        for i in range(n):
            k = (edge[first + i] >> shift) & 2047
            other[count[k]] = edge[first + i]
            count[k] += 1
        for i in range(n):
            edge[first + i] = other[i]
    return 0


@unit
def keep_crossings(L, crossings, edges):
    """Write the crossings of a set, each with its forest, to CROSSING; how many are left, or a status.

    Edges below which all tokens are inner are left out.
    """
    head, found, placed, edge = i64(L, HEAD), i64(L, FOUND), i64(L, PLACED), i64(L, EDGE)
    crossing, content, inner = i32(L, CROSSING), i64(L, RECORD), i64(L, INNER)
    vocabulary = i64(head[SESSION_BLOCK], SESSION)[VOCABULARY_BLOCK]
    trie, span, order = i64(vocabulary, TRIE), i64(vocabulary, SPAN), i32(vocabulary, ORDER)
    if edges > size_of(L, EDGE):
        return no_room(EDGE)
    if 4 * (head[CROSSINGS] + crossings) > size_of(L, CROSSING):
        return no_room(CROSSING)
    total = 0
    for k in range(crossings):
        placed[4 * k + 3] = total
        total += placed[4 * k + 2]
        placed[4 * k + 2] = placed[4 * k + 3]
    for i in range(edges):
        node, k = found[i] & LOW, found[i] >> 32
        outside = not head[IN_INNER]
        for j in range(span[node] & LOW, span[node] >> 32):
            if outside:
                break
            outside = not has(inner, np.int64(order[j]))
        if outside:
            edge[placed[4 * k + 2]] = (trie[node] & 255) << 32 | node
            placed[4 * k + 2] += 1
    kept = 0
    for k in range(crossings):
        first, n = placed[4 * k + 3], placed[4 * k + 2] - placed[4 * k + 3]
        if n == 0:
            continue
        status = sort_edges(L, first, n)
        if status < 0:
            return status
        if 3 * n > size_of(L, RECORD):
            return no_room(RECORD)
        m, i = 0, first
        while i < first + n:
            byte, j = edge[i] >> 32, i
            while j < first + n and edge[j] >> 32 == byte:
                content[m + 2 + j - i] = edge[j] & LOW
                j += 1
            content[m], content[m + 1] = byte, j - i
            m += 2 + j - i
            i = j
        forest = keep(L, FOREST, m)
        if forest < 0:
            return forest
        o = 4 * (head[CROSSINGS] + kept)
        crossing[o + WINNERS_OF], crossing[o + SHUN_OF] = placed[4 * k], placed[4 * k + 1]
        crossing[o + FOREST_OF] = forest
        kept += 1
    return kept


@unit
def keep_inner(L, index):
    """Write the tokens of INNER down as those of a set; 0, or a status."""
    head, sets, inner, added = i64(L, HEAD), i64(L, SET), i64(L, INNER), i64(L, ADDED)
    n, width, o = head[IN_INNER], head[WIDTH_OF], 8 * index
    sets[o + KIND], sets[o + AT], sets[o + SIZE] = NO_TOKENS, 0, n
    if n > FEW_TOKENS:
        dense, at = i64(L, DENSE), head[DENSE_USED]
        if at + width > size_of(L, DENSE):
            return no_room(DENSE)
        for k in range(width):
            dense[at + k] = inner[k]
        sets[o + KIND], sets[o + AT] = DENSE_SET, at
        head[DENSE_USED] = at + width
    elif n > 0:
        sparse, at = i32(L, SPARSE), head[SPARSE_USED]
        if at + n > size_of(L, SPARSE):
            return no_room(SPARSE)
        for k in range(n):
            sparse[at + k] = added[k]
        sets[o + KIND], sets[o + AT] = FEW, at
        head[SPARSE_USED] = at + n
    return 0


@unit
def make_set(L, lexer, shun, forest):
    """Make the token set of a lexer and a shun over all tokens, or over a forest; its index, or a status."""
    head, pool, sets = i64(L, HEAD), i64(L, POOL), i64(L, SET)
    index, before = head[SETS], head[UNSURES]
    if 8 * index + 8 > size_of(L, SET):
        return no_room(SET)
    clear_inner(L)
    found = walk_tokens(L, lexer, shun, forest)
    if found < 0:
        head[UNSURES] = before
        return found
    kept = keep_crossings(L, found >> 32, found & LOW)
    status = keep_inner(L, index) if kept >= 0 else kept
    record = keep_three(L, TOKENS, lexer, shun, forest) if status == 0 else status
    if record < 0:
        head[UNSURES] = before
        return record
    o = 8 * index
    sets[o + CROSSING_AT], sets[o + CROSSING_COUNT] = head[CROSSINGS], kept
    sets[o + UNSURE_AT], sets[o + UNSURE_COUNT] = before, head[UNSURES] - before
    head[CROSSINGS] += kept
    head[SETS] = index + 1
    pool[slot_of(pool, record)] = head[SETS_MADE] << 32 | index
    return index


@helper
def set_of(L, lexer, shun, forest):
    """The token set of a lexer and a shun over all tokens, or over a forest; or a status."""
    head, pool = i64(L, HEAD), i64(L, POOL)
    record = keep_three(L, TOKENS, lexer, shun, forest)
    if record < 0:
        return record
    known = pool[slot_of(pool, record)]
    if known >> 32 == head[SETS_MADE]:
        return known & LOW
    return make_set(L, lexer, shun, forest)
