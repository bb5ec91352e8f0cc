# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Arrays of longest match (block L), one block for each session that reads that way.

* A *row* is an Earley set of the session: all terminals that may begin at a place of the text.
* A *lexer* is what is left of the terminals of a row after some bytes: pairs (label, DFA state), those alone that can
  read on. A *label* is a terminal as lexers know it: X of the items of a row, see `lower.Terminals.labels`.
* A *shun* is what must not be matched from a place on, since a terminal that has ended there would have been longer:
  a row of what each byte does to it. Whatever behaves alike over the next byte is one shun.

The state of a text is an Earley set of the session, too, whose items are *elements*: A a lexer, 0 if nothing has been
read since the row; X a shun; GOAL the row. Given the text, there is one way to cut it; the elements are the ways that
what follows can still decide between.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.jit import Column, Tables, helper, i64, mix, size_of, unit

HEAD = 0  # int64[32]: scalars, columns below
POOL = 1  # int64: records: length of the content << 8 | kind, the content, a slot that is filled later; 0, 1 are none
HASH = 2  # int64: their offsets, open addressing
RECORD = 3  # int64: scratch: a record before it is interned
LIST = 4  # int64: scratch: what a record is made of
LEXER = 5  # int64[10 n]: columns below; lexer 0 is none
CLASS = 6  # uint8[256 n]: interned maps from bytes to classes
STEP = 7  # int32[2 n]: by class: the lexer after it, the WINNERS that end with it; 0: none
LEFT = 8  # int32[256 n]: of a shun: what each byte leaves of it: NOTHING, MATCHED, or a LEFT_OVER record
AFTER = 9  # int32[256 n]: the same as a shun: NOTHING, MATCHED, a shun; -1: not asked yet
LABEL = 10  # int64: priorities, by label
SET = 11  # int64[8 n]: token sets, columns below; set 0 is none
DENSE = 12  # int64: bitmasks of token sets, `WIDTH` words each
SPARSE = 13  # int32: tokens of small token sets
CROSSING = 14  # int32[4 n]: columns below
UNSURE = 15  # int32[4 n]: columns below
# scratch of token sets
WALK = 16  # int64[4 n]: a lexer, a shun, a node (or -1 - offset of a group in POOL), the crossing that begins there
INNER = 17  # int64[WIDTH]: the set that is being made; all 0 between uses
ADDED = 18  # int64[FEW_TOKENS]: the first tokens in it
FOUND = 19  # int64: edges of the trie that crossings go on with: number of the crossing << 32 | node
PLACED = 20  # int64[4 n]: crossings of this set: winners, shun, edges, the first edge
CROSSED = 21  # int64[2 n]: hash table of these: generation << 32 | number, key
EDGE = 22  # int64: edges by crossing: byte << 32 | node
SORTED = 23  # int64: edges while they are sorted
COUNT = 24  # int64[2048]
# scratch of searches and masks
QUEUE = 25  # int64: ALIVE records of elements that a search has met
TODO = 26  # int64[4 n]: places of a mask: row, lexer, shun, tokens: VOCABULARY .., or a FOREST record, perhaps negated
TAKEN = 27  # int64: token sets of a mask
SINGLE = 28  # int64: tokens of a mask besides these
NEAR = 29  # int64[2 n]: lexers and shuns that a search has met
# what goes with the records of the session, see generations.py
ROW_POOL = 30  # int64: records that refer to rows, laid out as in POOL
ROW_HASH = 31  # int64: their offsets
ANSWER = 32  # int64: tokens that are asked about; then what is answered

# HEAD
SESSION_BLOCK = 0
POOL_USED, HASH_USED, LEXERS, SHUNS, LABELS, SETS, DENSE_USED, SPARSE_USED, CROSSINGS, UNSURES = range(1, 11)
SETS_MADE = 11  # generation of SET: token sets of earlier ones are forgotten
GENERATION = 12  # of CROSSED, and of searches
SEARCH_LIMIT = 13
IN_INNER = 14  # tokens in INNER; -1: nobody knows
VISITED = 15  # nodes of the trie visited ever, for measurements
WIDTH_OF = 16  # words of a dense set
MAPS, STEPS = 19, 20  # used of CLASS, STEP
ROW_POOL_USED, ROW_HASH_USED = 21, 22
TAKES, SINGLES = 17, 18  # entries in TAKEN, SINGLE

# Kinds of records. In POOL:
PARTS = 1  # [label << 32 | DFA state, ..] ascending; slot: lexer
LEFT_OVER = 2  # [DFA states], ascending; slot: the shun, plus 1
SHUN_ROW = 3  # [byte << 32 | what is left from this byte on, ..]; slot: shun
WINNERS = 4  # [labels], ascending: terminals that end together, of those of highest priority
SHUNNED = 6  # [shun, lexer]; slot: the shun of either, plus 1
ESCAPES = 7  # [lexer, shun]; slot: NEVER, ALWAYS, DEPENDS
TOKENS = 8  # [lexer, shun, FOREST record or VOCABULARY ..]; slot: SETS_MADE << 32 | token set
FOREST = 9  # edges of the vocabulary's trie: [a byte, how many nodes it leads to, these, the next byte, ..]
CLASSES = 10  # a map: [the first byte of a run << 32 | its class, ..]; slot: its number, plus 1
# In ROW_POOL, from BEGUN on:
BEGUN = 16  # [row]; slot: its lexer; -1: it expects no text
GOTO = 17  # [row, winners]; slot: the row after these terminals
ALIVE = 18  # [row, lexer, shun]; slot: NEVER, ALWAYS, or search << 4 while that has met it
MASK = 19  # [SETS_MADE, token sets, tokens, these ..]: never interned

# LEXER
PARTS_OF = 0  # its record
KNOWN = 1  # READY | KEPT
SHUNS_WHAT = 2  # the shun of what it may still match, plus 1; 0: not asked
CLIPPED = 3  # the lexer with counts that no token reaches made equal; 0: not asked
LOOPS, ALIVE_GROUPS, ALIVE_BYTES = 4, 5, 6  # of the part that most bytes keep alive, as in KEEPS of the vocabulary
MAP = 7  # the map of its row
ROW = 8  # the first of its classes in STEP
ROW_READY = 1  # MAP and ROW stand
KEPT = 2  # LOOPS and so on stand

# SET
KIND = 0  # NO_TOKENS, FEW, DENSE_SET as in block V
AT, SIZE = 1, 2  # offset in SPARSE or DENSE, number of tokens
CROSSING_AT, CROSSING_COUNT = 3, 4
UNSURE_AT, UNSURE_COUNT = 5, 6

# CROSSING: tokens that go past the end of terminals
WINNERS_OF, SHUN_OF, FOREST_OF = 0, 1, 2

# UNSURE: a token after which it depends on the row whether something can follow
LEXER_AFTER, WINNERS_AFTER, SHUN_AFTER, TOKEN = 0, 1, 2, 3

NOTHING, MATCHED = 0, 1  # shuns: nothing is shunned; it has been matched
NEVER, ALWAYS, DEPENDS = 1, 2, 3  # whether text can follow that leads out of a shun
VOCABULARY = 0  # in place of a FOREST: all tokens
CLIPPED_VOCABULARY = 1  # all tokens, and the lexer is a clipped one
FEW_TOKENS = 400
LOW = 0xFFFFFFFF

# Status, besides those of the session
LEXERS_TABLE = 320  # `what` of FULL for these tables
SEARCHED = 1  # `what` of EXCEEDED: a search for a way out of a shun
NEED_LABELS = 13  # LABEL lacks some


def make(session_block: int, width: int, search: int) -> Tables:
    """Make the tables for a session; they grow. Memory that nobody has written to is not there yet."""
    made = Tables(
        [
            Column("head", np.int64, 32),
            Column("pool", np.int64, 1 << 16),
            Column("hash", np.int64, 1 << 13),
            Column("record", np.int64, 1 << 14),
            Column("list", np.int64, 1 << 12),
            Column("lexer", np.int64, 10 << 8),
            Column("class", np.uint8, 256 << 6),
            Column("step", np.int32, 2 << 12),
            Column("left", np.int32, 256 << 5),
            Column("after", np.int32, 256 << 5),
            Column("label", np.int64, 1),
            Column("set", np.int64, 8 << 8),
            Column("dense", np.int64, 4 * width),
            Column("sparse", np.int32, 1 << 14),
            Column("crossing", np.int32, 4 << 10),
            Column("unsure", np.int32, 4 << 8),
            Column("walk", np.int64, 4 << 12),
            Column("inner", np.int64, width + 1),
            Column("added", np.int64, FEW_TOKENS + 1),
            Column("found", np.int64, 1 << 16),
            Column("placed", np.int64, 4 << 10),
            Column("crossed", np.int64, 2 << 11),
            Column("edge", np.int64, 1 << 16),
            Column("sorted", np.int64, 1 << 16),
            Column("count", np.int64, 1 << 11),
            Column("queue", np.int64, 1 << 9),
            Column("todo", np.int64, 4 << 8),
            Column("taken", np.int64, 1 << 8),
            Column("single", np.int64, 1 << 12),
            Column("near", np.int64, 2 << 7),
            Column("row_pool", np.int64, 1 << 16),
            Column("row_hash", np.int64, 1 << 12),
            Column("answer", np.int64, 1),
        ]
    )
    head = made["head"]
    head[[SESSION_BLOCK, WIDTH_OF, SEARCH_LIMIT]] = session_block, width, search
    head[[LEXERS, SETS, SETS_MADE]] = 1
    head[[POOL_USED, ROW_POOL_USED, SHUNS]] = 2
    return made


def used_words(made: Tables) -> int:
    """Words that lexers and shuns take."""
    head = made["head"]
    return int(head[POOL_USED] + 10 * head[LEXERS] + head[STEPS] + 256 * head[SHUNS] + 32 * head[MAPS])


def used_bytes(made: Tables) -> int:
    """Memory that all of it takes."""
    head = made["head"]
    words = head[ROW_POOL_USED] + 8 * head[SETS] + head[DENSE_USED] + 2 * (head[CROSSINGS] + head[UNSURES])
    return int(8 * (used_words(made) + words + head[SPARSE_USED] // 2 + len(made["hash"]) + len(made["row_hash"])))


def forget_rows(made: Tables) -> None:
    """Forget what refers to rows."""
    made["row_hash"][:] = 0
    made["head"][[ROW_POOL_USED, ROW_HASH_USED]] = 2, 0


@helper
def no_room(table):
    """The status for a table without room."""
    return -((LEXERS_TABLE + table) << 4 | FULL)


@helper
def size(pool, record):
    """Words of the content of a record."""
    return pool[record] >> 8


@helper
def slot_of(pool, record):
    """Where the slot of a record is."""
    return record + 1 + (pool[record] >> 8)


@unit
def keep(L, kind, n):
    """Find or make the record with the first n words of RECORD as content. Its slot begins as 0."""
    which, hashes, used = (ROW_POOL, ROW_HASH, ROW_POOL_USED) if kind >= BEGUN else (POOL, HASH, POOL_USED)
    head, pool, table, content = i64(L, HEAD), i64(L, which), i64(L, hashes), i64(L, RECORD)
    first = (n << 8) | kind
    h = mix(11, first)
    for i in range(n):
        h = mix(h, content[i])
    mask = size_of(L, hashes) - 1
    k = h & mask
    while table[k]:
        record = table[k]
        if pool[record] == first:
            same = True
            for i in range(n):
                if pool[record + 1 + i] != content[i]:
                    same = False
                    break
            if same:
                return record
        k = (k + 1) & mask
    record = head[used]
    if record + n + 2 > size_of(L, which):
        return no_room(which)
    if 2 * head[used + 1] > mask:
        return no_room(hashes)
    pool[record] = first
    for i in range(n):
        pool[record + 1 + i] = content[i]
    pool[record + 1 + n] = 0
    head[used] = record + 2 + n
    table[k] = record
    head[used + 1] += 1
    return record


@unit
def keep_one(L, kind, a):
    """The record of one word."""
    i64(L, RECORD)[0] = a
    return keep(L, kind, 1)


@unit
def keep_two(L, kind, a, b):
    """The record of two words."""
    content = i64(L, RECORD)
    content[0], content[1] = a, b
    return keep(L, kind, 2)


@unit
def keep_three(L, kind, a, b, c):
    """The record of three words."""
    content = i64(L, RECORD)
    content[0], content[1], content[2] = a, b, c
    return keep(L, kind, 3)


@unit
def rehash(L, which):
    """Enter all records of POOL or ROW_POOL into their hash table, which is empty."""
    hashes, used = (ROW_HASH, ROW_POOL_USED) if which == ROW_POOL else (HASH, POOL_USED)
    head, pool, table = i64(L, HEAD), i64(L, which), i64(L, hashes)
    mask = size_of(L, hashes) - 1
    record = 2
    head[used + 1] = 0
    while record < head[used]:
        first = pool[record]
        n = first >> 8
        if first & 255 != MASK:
            h = mix(11, first)
            for i in range(n):
                h = mix(h, pool[record + 1 + i])
            k = h & mask
            while table[k]:
                k = (k + 1) & mask
            table[k] = record
            head[used + 1] += 1
        record += 2 + n
    return 0
