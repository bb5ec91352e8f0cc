# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""The tables of all regular languages of the process: expressions, points, DFA states and their rows.

One state space for the process, everything interned: equal expressions are one *node*, equal remainders one *point*,
equal sets of points one *state*. A point is (node, continuation): read the node, then go on at the point behind it
(partial derivatives, Antimirov 1996, with the continuation kept apart so that suffixes are shared).
"""

from __future__ import annotations

import numpy as np

from constrain.jit import Column, Tables, helper, i32, u8, unit

# Tables. Strides in entries; index 0 of each stands for "none" unless said otherwise.
COUNT = 0  # int64[32]: how much of each table is used, columns below
NODE = 1  # int32[6 n]: expressions, columns below
PART = 2  # int32: parts of ALT nodes, ascending
POINT = 3  # int32[6 n]: columns below; point 0 is the end of the text
EDGE = 4  # int64: what a point reads: first byte | last byte << 8 | point << 16
STATE = 5  # int32[8 n]: DFA states, columns below
MEMBER = 6  # int32: points of SET states, ascending; the words of REST and LOOK states
TARGET = 7  # int32: rows: the state by class of the byte
CLASS = 8  # uint8[256 n]: interned maps from bytes to classes
RUN = 9  # int32: the same maps as runs: first byte | class << 8
MAPPED = 10  # int32[4 n]: of each map: offset in RUN, runs, classes
NODE_HASH = 11  # int32: open addressing, power of two; 0 is free, else node
POINT_HASH = 12  # int32: the same for points
STATE_HASH = 13  # int32: the same for states
MAP_HASH = 14  # int32: the same for maps, but map + 1
STAMP = 15  # int32[n points]: scratch: the generation that met a point
WORK = 16  # int64: scratch of the units that make rows and alternatives, offsets below; LISTED + 257 at least
PLACE = 17  # int32[n points]: scratch: what the generation of STAMP says of a point
SPINE = 18  # int32: scratch: parts of a concatenation that still have to become points
STACK = 19  # int32: scratch: what is still to be visited
TODO = 20  # int32: scratch: states whose rows are to be made
GOAL = 21  # int64[8 n]: scratch: questions to be answered, the innermost last
ENTRY = 22  # int32[3 n]: scratch: states met by searches: state, the entry it was met from, bytes read
HEAP = 23  # int64: scratch: entries that searches have not looked at, by priority
SEEN = 24  # int32[n states]: scratch: the search that met a state
DISTANCE = 25  # int32[n states]: at least so many bytes are missing to the end
CODE = 26  # int32: a program for `build`
TEXT = 27  # uint8: the bytes of its literals and words, one after the other
VALUE = 28  # int32: scratch of `build`: its stack
MARK = 29  # int32: what `build` was told to keep
LOOKED = 30  # int32: scratch: the next LOOK state, see looks.py
FRAME = 31  # int32: scratch: conjunctions that are being unfolded, see unfold.py
UNFOLDED = 32  # int32: scratch: conjunctions that are unfolded: states n, edges m, n states, m times (bytes, point)
VISIT = 33  # int32[n nodes]: scratch: the generation that met a node
BOUND = 34  # int32[n states]: no state reached from here needs a longer text than so many bytes, plus 1; 0: not known
MET = 35  # int32[n states]: scratch: the generation that met a state
QUEUE = 36  # int32: scratch: states met
MISSING = 37  # int32[n states]: about so many bytes are missing to the end: what both of AND ask for comes in turn

# COUNT
NODES, PARTS, POINTS, EDGES, STATES, MEMBERS, TARGETS, MAPS, RUNS = range(9)
GENERATION = 9  # of STAMP
WORK_DONE = 10  # states met by searches and edges gone through, ever
WORK_LIMIT = 11  # the most states that one search may meet
SEARCH = 12  # the last search, see SEEN
MEETING = 13  # generation of MET
SIZE_LIMIT = 14  # the most points or conjunctions that one state may have

# NODE
N_KIND = 0  # EMPTY ...
N_A, N_B, N_C = 1, 2, 3  # see the kinds
N_FLAGS = 4  # NULLABLE ...
N_SHORTEST = 5  # bytes of its shortest string, at most FAR
# kinds of nodes
EMPTY, EPSILON = 0, 1  # nothing, the empty string: the nodes of these numbers and no others
RANGE = 2  # a byte from A to B
CAT = 3  # A, then B
ALT = 4  # one of B nodes, listed in PART from A
REPEAT = 5  # A, B to C times
AUTOMATON = 6  # what the state A accepts. A text can be completed from there, and it is not just the empty one
AHEAD = 7  # the text ahead begins with A; with B = 1: does not
BEHIND = 8  # the text behind is accepted from state A; with B = 1: is not
ANY_BYTE, ANY = 2, 3  # two nodes: any byte, any bytes
NO_END = -1  # C of a REPEAT without bound
FAR = 1 << 28
# flags of nodes and points
NULLABLE = 1  # holds the empty string; of nodes with assertions: if they hold
LOOKS_AHEAD, LOOKS_BEHIND = 2, 4  # holds assertions
LOOKS = 6
INHERITED = 2 | 4 | 32  # what a node or a point has from any of its parts
COUNTED = 8  # of points: a REPEAT with a bound comes first
COUNTS = 16  # of points: a REPEAT that counts comes first or later
GUESSED = 32  # N_SHORTEST, P_SHORTEST are less than exact

# POINT
P_NODE, P_NEXT = 0, 1  # what is read, and the point from which to go on
P_EDGES, P_COUNT = 2, 3  # offset in EDGE and number of edges; -1: not listed yet
P_FLAGS = 4
P_SHORTEST = 5
END, ANYTHING = 0, 1  # two points: the end, and any bytes up to the end

# STATE
KIND = 0  # SET, AND, NOT, ...
FIRST = 1  # SET, REST, LOOK: offset in MEMBER; AND, TOWARDS, NOT: the first part
SIZE = 2  # SET, REST, LOOK: number of members; AND, TOWARDS: the second part
FLAGS = 3  # ACCEPTS ...
ROW = 4  # offset in TARGET; -1: no row yet
MAP = 5  # the class map of the row
CLASSES = 6  # classes of the row
LIVE = 7  # 1: a text can be completed from here; 0: none can; -1: not known yet
DEAD, ALL = 0, 1  # the states of nothing, and of all byte strings
# kinds of states
SET = 0  # what one of its points reads
AND = 1  # what both of two states accept
NOT = 2  # what a state does not accept
TOWARDS = 3  # AND, by one who promises that a text can be completed as long as one can from the first part
REST = 4  # digits and points that make a remainder 0; members: divisor and remainder, each as two words of 30 bits
LOOK = 5  # conjunctions of points and states, see looks.py
WITHIN = 6  # AND, by one who promises that the second part only counts units that all texts of the first are made of

# FLAGS
ACCEPTS = 1  # the text may end here
GOES_ON = 2  # some byte leads to a live state; exact for ready states and the targets of ready states
READY = 4  # the row stands, and has DEAD for all targets from which nothing can be completed
SETTLED = 8  # LIVE and GOES_ON are exact
EXACT = 16  # DISTANCE is exact

# Status of units, all below zero; the rest of the word names what is missing: -(what << 4 | status)
FULL = 1  # table `what` is full: grow it and call again
EXCEEDED = 2  # the budget of work is used up
TOO_MANY = 14  # a state of too many points
UNSUPPORTED = 15  # an expression that no automaton is made for

# WORK, as `row_of_set` and its like use it
BOUNDS = 0  # int64[8]: 256 bits: the bytes at which something begins
SPOTS = 8  # [257]: the interval that begins at a byte
CUTS = 272  # [257]: the first byte of an interval
GROUPS = 536  # [257]: an interval for each class
RUNS_AT = 800  # [257]: the runs of a new row: first byte | class << 8
LISTED = 1064  # targets of edges, then for each interval the bits of its targets, 32 a word


@unit
def full(table):
    """The status for a table without room."""
    return -(table << 4 | FULL)


@helper
def step(automata, q, byte):
    """The state after a byte in a ready state, DEAD if it cannot follow."""
    state = i32(automata, STATE)
    return i32(automata, TARGET)[state[8 * q + ROW] + u8(automata, CLASS)[256 * state[8 * q + MAP] + byte]]


def make() -> Tables:
    """Make the tables, small ones: they grow. They hold what has a number of its own; `rehash` comes next."""
    n = 1 << 12
    hashes = [Column(name, np.int32, 2 * n) for name in ("node_hash", "point_hash", "state_hash")]
    made = Tables(
        [
            Column("count", np.int64, 32),
            Column("node", np.int32, 6 * n),
            Column("part", np.int32, n),
            Column("point", np.int32, 6 * n),
            Column("edge", np.int64, 2 * n),
            Column("state", np.int32, 8 * n),
            Column("member", np.int32, 2 * n),
            Column("target", np.int32, 4 * n),
            Column("class", np.uint8, 256 << 9),
            Column("run", np.int32, 1 << 13),
            Column("mapped", np.int32, 4 << 9),
            *hashes,
            Column("map_hash", np.int32, 1 << 11),
            Column("stamp", np.int32, n),
            Column("work", np.int64, 1 << 14),
            Column("place", np.int32, n),
            Column("spine", np.int32, 1 << 8),
            Column("stack", np.int32, 1 << 10),
            Column("todo", np.int32, 1 << 8),
            Column("goal", np.int64, 8 << 6),
            Column("entry", np.int32, 3 << 10),
            Column("heap", np.int64, 1 << 10),
            Column("seen", np.int32, n),
            Column("distance", np.int32, n),
            Column("code", np.int32, 1 << 14),
            Column("text", np.uint8, 1 << 13),
            Column("value", np.int32, 1 << 10),
            Column("mark", np.int32, 1 << 8),
            Column("looked", np.int32, 1 << 8),
            Column("frame", np.int32, 1 << 8),
            Column("unfolded", np.int32, 1 << 8),
            Column("visit", np.int32, n),
            Column("bound", np.int32, n),
            Column("met", np.int32, n),
            Column("queue", np.int32, 1 << 8),
            Column("missing", np.int32, n),
        ]
    )
    begin(made)
    return made


def begin(made: Tables) -> None:
    """Write down the nodes, points, states and the map that have numbers of their own."""
    made["node"][:24] = [
        *(EMPTY, 0, 0, 0, 0, FAR),
        *(EPSILON, 0, 0, 0, NULLABLE, 0),
        *(RANGE, 0, 255, 0, 0, 1),
        *(REPEAT, ANY_BYTE, 0, NO_END, NULLABLE, 0),
    ]
    made["point"][:12] = [EPSILON, END, 0, 0, NULLABLE, 0, ANY, END, 0, -1, NULLABLE, 0]
    flags = READY | SETTLED | EXACT
    made["state"][:16] = [SET, 0, 0, flags, 0, 0, 1, 0, SET, 0, 1, flags | ACCEPTS | GOES_ON, 1, 0, 1, 1]
    made["member"][0] = ANYTHING
    made["target"][:2] = DEAD, ALL
    made["mapped"][:4] = 0, 1, 1, 0
    made["distance"][DEAD] = made["missing"][DEAD] = FAR
    count = made["count"]
    count[[NODES, POINTS, STATES, MEMBERS, TARGETS, MAPS, RUNS]] = 4, 2, 2, 1, 2, 1, 1
    count[WORK_LIMIT], count[SIZE_LIMIT] = 50_000, 100_000
