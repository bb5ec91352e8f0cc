# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Arrays of an intersection: places in a grammar and a regular constraint, and what is known of them.

A *place* is an item of the grammar, less its continuation and data, which make its *frame*, and the DFA state of what
the regular constraint still asks for, its *rest*. A text can be completed from an Earley set and a rest if it can from
one of the places of its items. Everything here is worked out, and may be forgotten between two questions.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.engine.tables import DOUBT, EXCLUDED_MASK, TRACKED
from constrain.jit import Column, Tables, helper, i64, mix, size_of, unit

HEAD = 0  # int64[40]: scalars, columns below
PLACE = 1  # int64[8 n]: columns below; place 0 is none
PLACE_HASH = 2  # int64: open addressing, a power of two; 0 is free, else place
FRAME = 3  # int64[4 n]: columns below; frame 0 is none
FRAME_HASH = 4  # int64: the same for frames
COST = 5  # int32: of a state of the network: bytes at least left to the end of its rule, plus 1; 0: not asked
LITERAL_COST = 6  # int32: the same of a node of LITERAL
COST_BEHIND = 7  # int64[2 n]: hash table: continuation, bytes at least left behind it plus 1
PATH = 8  # int64: scratch of costs: what still has to be looked at
QUEUE = 9  # int64: heap of places that a search has not looked at: promise 19 | less bytes read 12 | place 32
MET = 10  # int32: places that a search has met
KEEPS = 11  # int64[2 n]: of places: bytes that lead to none that is dead plus 1, 0: not asked; generation of `reach`
NEAR = 12  # int64[2 n]: scratch of `reach`: place, bytes read
# summaries
ENTRY = 13  # int64[4 n]: a rule begun at a rest, columns below; entry 0 is none
ENTRY_HASH = 14
EDGE = 15  # int64[3 n]: an entry, and a state of the network and a rest that it leads to; state -1: the rule ends
EDGE_HASH = 16
LINK = 17  # int64[3 n]: lists: two values, the next link
OUTCOME = 18  # int64[5 n]: an automaton or node, its local state if it counts, a rest, the first in LISTED, how many
OUTCOME_HASH = 19
LISTED = 20  # int64[2 n]: where terminals may end: state of the network (0: that of the item), rest
SPREAD = 21  # int64[3 n]: scratch of `outcomes`: automaton or node, its local state, rest
SPREAD_HASH = 22  # int64: generation << 32 | place in SPREAD plus 1, or ENDED | place among the new of LISTED plus 1
FOLLOW = 23  # int64[4 n]: a continuation, a rest, whether a text can be completed, generation; 0 is none
FOLLOW_HASH = 24
TODO = 25  # int64: scratch of `follows`
# masks
WALK = (
    26  # int64[7 n]: stack of items before nodes of the vocabulary: node, rest, a, x, frame, its place, bytes covered
)
GROUP = 27  # int64[4 n]: the items before one node: a, x, frame, bytes covered
KIND = 28  # int32: the kind of each token, 0: it cannot be read; see `walk`
KIND_HASH = 29  # int64[2 n]: key, number of the group plus 1
TRY = 30  # int32: tokens that have to be tried
INNER_BITS = 31  # int64: sets of tokens, as bits
INNER_HASH = 32  # int64[2 n]: hash table: DFA state << 2 | trie, offset in INNER_BITS plus 1
PARTS = 33  # int64[32]: scratch: the parts of a conjunction
CACHE = 34  # int64[8 n]: places that a walk has met, columns in intersect_walk.py
OPEN_BY = 35  # int64[2 n]: of DFA states: groups of bytes, up to how many of these lead to states that go on, plus 1
LENGTHS = (
    36  # int64: sets of tokens of at most 0, 1, 2, .. bytes, as bits; the first word of all: whether they are made
)
OWN = 37  # int64: bits of the tokens of one item

# HEAD
SESSION_BLOCK = 0
PLACES, FRAMES = 1, 2  # numbers of these, those of none included
SEARCH = 3  # the last search
UNDER_WAY = 4  # the search that is not over yet: start << 3 | mode, plus 1
QUEUED, METS, LOOKED = 5, 6, 7
OPEN = 8  # the place that it looks at; 0: none
LAST_STEP = 9  # by which it has come to the end
MOST = 10  # Limits.search
PREFERS = 11  # 1: summaries are tried before searches; -1: they are too large
ENTRIES, EDGES, DONE, LINKS, OUTCOMES, LISTS = range(12, 18)
DOUBTFUL = 18  # whether summaries have taken a terminal that remembers for one that does not
FOLLOWS = 19
GENERATION = 20  # of SPREAD_HASH, FOLLOW
LISTS_NOW = 34  # used in LISTED by what `outcomes` is about
WORK = 21  # pairs of states that summaries have met
TRIES = 22  # tokens in TRY
KINDS = 23  # groups
REST_AFTER = 24  # the rest that a token has led to
COSTS_BEHIND = 25  # used in COST_BEHIND
VISITED = 26  # nodes visited by the last walk, for measurements
ASKED, STAGE = 28, 29  # the place that is being asked about; 0: glance, 1: summaries, 2: a long search
INNERS = 31  # sets in INNER_BITS
GLANCE = 32  # places that a search looks at before summaries are made
FEW = 33  # sets of up to so many tokens are better found by a walk
WORK_BEFORE = 30  # WORK when the question was asked
LOOKED_AT = 27  # places looked at, ever, for measurements

# PLACE
A = 0  # as in items
X = 1  # as in items, without the text of tracked terminals unless a search is exact. DOUBT: none may begin from here on
FRAME_OF = 2
REST = 3
ALIVE = 4  # 0: not known, DEAD_PLACE, LIVE_PLACE
MET_BY = 5  # the last search that met it
FROM = 6  # the place it was met from
STEP = 7  # bytes read since the start of the search << 24 | the last step: a byte, NO_STEP or SPECIAL_STEP + symbol
DEAD_PLACE, LIVE_PLACE = 1, 2
STEP_BITS = 24
NO_STEP = 256
SPECIAL_STEP = 512

# FRAME
GOAL, DATA, CONT = 0, 1, 2  # as in items
COST_OF = 3  # bytes at least left behind the terminal, plus 1; 0: not asked

# ENTRY
BEGUN, BEGUN_REST = 0, 1  # state of the network, rest
ENDS_AT, CALLED_BY = 2, 3  # lists in LINK: (rest, 0), (entry, state to return to)

# Modes of a search
TO_END = 1  # a whole text is wanted, not a place from which one is known to follow
EXACTLY = 2  # the texts of tracked terminals count

# Status, besides those of the session: -(what << 4 | status)
PLACES_TABLE = 256  # `what` of FULL for these tables
NEED_COST = 10  # some states of the network have no COST
AGAIN = 12  # call again
TOO_MUCH = 11  # a question takes more than Limits.search

ENDED = 1 << 31  # in SPREAD_HASH
FAR = 1000
"""What is said of costs that nobody knows."""


def make(tokens: int) -> Tables:
    """Make the tables for a vocabulary, small ones: they grow. `begin` comes next."""
    return Tables(
        [
            Column("head", np.int64, 40),
            Column("place", np.int64, 8 << 10),
            Column("place_hash", np.int64, 1 << 11),
            Column("frame", np.int64, 4 << 7),
            Column("frame_hash", np.int64, 1 << 8),
            Column("cost", np.int32, 1 << 6),
            Column("literal_cost", np.int32, 1 << 8),
            Column("cost_behind", np.int64, 2 << 7),
            Column("path", np.int64, 1 << 8),
            Column("queue", np.int64, 1 << 10),
            Column("met", np.int32, 1 << 10),
            Column("keeps", np.int64, 2 << 10),
            Column("near", np.int64, 2 << 9),
            Column("entry", np.int64, 4 << 6),
            Column("entry_hash", np.int64, 1 << 7),
            Column("edge", np.int64, 3 << 8),
            Column("edge_hash", np.int64, 1 << 9),
            Column("link", np.int64, 3 << 8),
            Column("outcome", np.int64, 5 << 6),
            Column("outcome_hash", np.int64, 1 << 7),
            Column("listed", np.int64, 2 << 8),
            Column("spread", np.int64, 3 << 8),
            Column("spread_hash", np.int64, 1 << 10),
            Column("follow", np.int64, 4 << 6),
            Column("follow_hash", np.int64, 1 << 7),
            Column("todo", np.int64, 1 << 8),
            Column("walk", np.int64, 7 << 10),
            Column("group", np.int64, 4 << 6),
            Column("kind", np.int32, tokens + 1),
            Column("kind_hash", np.int64, 2 << 10),
            Column("try", np.int32, 1 << 8),
            Column("inner_bits", np.int64, 4 * (-(-tokens // 64))),
            Column("inner_hash", np.int64, 2 << 7),
            Column("parts", np.int64, 32),
            Column("cache", np.int64, 8 << 9),
            Column("open_by", np.int64, 2 << 10),
            Column("lengths", np.int64, 1),
            Column("own", np.int64, -(-tokens // 64)),
        ]
    )


def begin(made: Tables, session_block: int, most: int, glance: int, few: int) -> None:
    """Forget everything."""
    hashes = ("place_hash", "frame_hash", "entry_hash", "edge_hash", "outcome_hash", "spread_hash", "follow_hash")
    for name in (*hashes, "cost", "literal_cost", "cost_behind", "inner_hash", "open_by", "head"):
        made[name][:] = 0
    head = made["head"]
    head[[SESSION_BLOCK, MOST, GLANCE, FEW]] = session_block, most, glance, few
    head[[PLACES, FRAMES, ENTRIES, LINKS, OUTCOMES, FOLLOWS]] = 1


@helper
def part_full(table):
    """The status for a table without room."""
    return -((PLACES_TABLE + table) << 4 | FULL)


@helper
def normal(x):
    """The local state of an item without the text that it has read, and without doubts."""
    return TRACKED | (x & EXCLUDED_MASK) if x & TRACKED else x & ~DOUBT


@unit
def place_of(P, a, x, frame, rest):
    """Find or make a place."""
    head, place, table = i64(P, HEAD), i64(P, PLACE), i64(P, PLACE_HASH)
    mask = size_of(P, PLACE_HASH) - 1
    k = mix(mix(mix(mix(1, a), x), frame), rest) & mask
    while table[k]:
        o = 8 * table[k]
        if place[o] == a and place[o + REST] == rest and place[o + FRAME_OF] == frame and place[o + X] == x:
            return table[k]
        k = (k + 1) & mask
    new = head[PLACES]
    if 8 * new + 8 > size_of(P, PLACE):
        return part_full(PLACE)
    if 2 * new + 2 > size_of(P, KEEPS):
        return part_full(KEEPS)
    if 2 * new > mask:
        return part_full(PLACE_HASH)
    o = 8 * new
    place[o], place[o + X], place[o + FRAME_OF], place[o + REST] = a, x, frame, rest
    place[o + ALIVE], place[o + MET_BY], place[o + FROM], place[o + STEP] = 0, 0, 0, 0
    i64(P, KEEPS)[2 * new], i64(P, KEEPS)[2 * new + 1] = 0, 0
    table[k] = new
    head[PLACES] = new + 1
    return new


@unit
def frame_of(P, goal, data, continuation):
    """Find or make a frame."""
    head, frame, table = i64(P, HEAD), i64(P, FRAME), i64(P, FRAME_HASH)
    mask = size_of(P, FRAME_HASH) - 1
    k = mix(mix(mix(2, goal), data), continuation) & mask
    while table[k]:
        o = 4 * table[k]
        if frame[o] == goal and frame[o + DATA] == data and frame[o + CONT] == continuation:
            return table[k]
        k = (k + 1) & mask
    new = head[FRAMES]
    if 4 * new + 4 > size_of(P, FRAME):
        return part_full(FRAME)
    if 2 * new > mask:
        return part_full(FRAME_HASH)
    o = 4 * new
    frame[o], frame[o + DATA], frame[o + CONT], frame[o + COST_OF] = goal, data, continuation, 0
    table[k] = new
    head[FRAMES] = new + 1
    return new


@unit
def rehash(P, table):
    """Enter everything into a hash table that is all zero: PLACE_HASH, FRAME_HASH, ENTRY_HASH, and so on."""
    head, hashes = i64(P, HEAD), i64(P, table)
    mask = size_of(P, table) - 1
    rows, stride, keys, first, end, seed = i64(P, PLACE), 8, 4, 1, head[PLACES], 1
    if table == FRAME_HASH:
        rows, stride, keys, end, seed = i64(P, FRAME), 4, 3, head[FRAMES], 2
    elif table == ENTRY_HASH:
        rows, stride, keys, end, seed = i64(P, ENTRY), 4, 2, head[ENTRIES], 3
    elif table == EDGE_HASH:
        rows, stride, keys, first, end, seed = i64(P, EDGE), 3, 3, 0, head[EDGES], 4
    elif table == OUTCOME_HASH:
        rows, stride, keys, end, seed = i64(P, OUTCOME), 5, 3, head[OUTCOMES], 5
    elif table == FOLLOW_HASH:
        rows, stride, keys, end, seed = i64(P, FOLLOW), 4, 2, head[FOLLOWS], 6
    for n in range(first, end):
        h = np.int64(seed)
        for i in range(keys):
            h = mix(h, rows[stride * n + i])
        k = h & mask
        while hashes[k]:
            k = (k + 1) & mask
        hashes[k] = n + 1 if table == EDGE_HASH else n
    return 0
