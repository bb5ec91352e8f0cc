"""The tables of all regular languages of the process: expressions, points, DFA states and their rows.

One state space for the process, everything interned: equal expressions are one *node*, equal remainders one *point*,
equal sets of points one *state*. A point is (node, continuation): read the node, then go on at the point behind it
(partial derivatives, Antimirov 1996, with the continuation kept apart so that suffixes are shared).
"""

from __future__ import annotations

import numpy as np

from constrain.jit import Column, Tables, helper, i32, u8

# Tables. Strides in entries; index 0 of each stands for "none" unless said otherwise.
COUNT = 0  # int64[32]: how much of each table is used, columns below
NODE = 1  # int32[6 n]: expressions
PART = 2  # int32: parts of ALT nodes, ascending
POINT = 3  # int32[6 n]: (node, continuation); point 0 is the end of the text
EDGE = 4  # int64: what a point reads: first byte | last byte << 8 | point << 16
STATE = 5  # int32[8 n]: DFA states
MEMBER = 6  # int32: points of SET states, ascending
TARGET = 7  # int32: rows: the state by class of the byte
CLASS = 8  # uint8[256 n]: interned maps from bytes to classes
RUN = 9  # int32: the same maps as runs: first byte | class << 8
MAPPED = 10  # int32[4 n]: of each map: offset in RUN, runs, classes
NODE_HASH = 11  # int32: open addressing, power of two; 0 is free, else node
POINT_HASH = 12  # int32
STATE_HASH = 13  # int32
MAP_HASH = 14  # int32: map + 1
STAMP = 15  # int32[n points]: scratch
WORK = 16  # int64: scratch

# COUNT
NODES, PARTS, POINTS, EDGES, STATES, MEMBERS, TARGETS, MAPS, RUNS, GENERATION, WORK_DONE, WORK_LIMIT = range(12)

# STATE
KIND = 0  # SET, AND, NOT, ...
FIRST = 1  # SET: offset in MEMBER; AND, NOT: the first part
SIZE = 2  # SET: number of members; AND: the second part
FLAGS = 3  # ACCEPTS ...
ROW = 4  # offset in TARGET; -1: no row yet
MAP = 5  # the class map of the row
CLASSES = 6  # classes of the row
LIVE = 7  # 1: a text can be completed from here; 0: none can; -1: not known yet
DEAD, ALL = 0, 1  # the states of nothing, and of all byte strings

# FLAGS
ACCEPTS = 1  # the text may end here
GOES_ON = 2  # some byte leads to a live state; exact for ready states and the targets of ready states
READY = 4  # the row stands, and has DEAD for all targets from which nothing can be completed

# Status of units, all below zero; the rest of the word names what is missing: -(what << 4 | status)
FULL = 1  # table `what` is full: grow it and call again
EXCEEDED = 2  # the budget of work is used up


@helper
def full(table):
    """The status for a table without room."""
    return -(table << 4 | FULL)


@helper
def step(automata, q, byte):
    """The state after a byte in a ready state, DEAD if it cannot follow."""
    state = i32(automata, STATE)
    return i32(automata, TARGET)[state[8 * q + ROW] + u8(automata, CLASS)[256 * state[8 * q + MAP] + byte]]


def make() -> Tables:
    """Make empty tables, small ones: they grow."""
    return Tables(
        [
            Column("count", np.int64, 32),
            Column("node", np.int32, 6 << 12),
            Column("part", np.int32, 1 << 12),
            Column("point", np.int32, 6 << 12),
            Column("edge", np.int64, 1 << 13),
            Column("state", np.int32, 8 << 12),
            Column("member", np.int32, 1 << 13),
            Column("target", np.int32, 1 << 14),
            Column("class", np.uint8, 256 << 6),
            Column("run", np.int32, 1 << 10),
            Column("mapped", np.int32, 4 << 6),
            Column("node_hash", np.int32, 1 << 13),
            Column("point_hash", np.int32, 1 << 13),
            Column("state_hash", np.int32, 1 << 13),
            Column("map_hash", np.int32, 1 << 8),
            Column("stamp", np.int32, 1 << 12),
            Column("work", np.int64, 1 << 16),
        ]
    )
