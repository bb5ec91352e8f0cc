# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""What a tracked terminal must not match, as far as it has been read.

A set of JSON strings is a trie of what they mean, in LITERAL, and is read escape by escape; other texts are a DFA
state. EXCLUDED_MASK of a local state is 0 (nothing to fear any more) or one of

* a DFA state;
* NAMES | node: in a string, the characters so far lead to the node; NAMES | BEFORE_QUOTE | root before the string;
* WITHIN_ESCAPE | n: in an escape, row n of ESCAPE.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, FULL, STATE, step
from constrain.engine.tables import (
    AUTOMATA,
    ESCAPE,
    ESCAPE_HASH,
    ESCAPE_USED,
    LITERAL,
    SESSION,
    SESSION_TABLE,
    child,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

NAMES = 1 << 27
BEFORE_QUOTE = 1 << 26
WITHIN_ESCAPE = 1 << 26  # without NAMES
NODE_MASK = (1 << 26) - 1
MATCHED = 1 << 40
"""What `step_excluded` returns once the text is one that is excluded."""
END_OF_NAME = 0xFF
"""The byte behind each string in a trie; no string has it."""

# ESCAPE: node << 32 | phase << 28 | value
_STARTED, _DIGITS, _HIGH, _HIGH_STARTED, _LOW = range(1, 6)  # \, \u and digits, a high surrogate, its \, its \u
_PHASE, _VALUE = 28, (1 << 28) - 1


@unit
def within_escape(S, node, phase, value):
    """The number of a place within an escape, or a status."""
    head, rows, table = i64(S, SESSION), i64(S, ESCAPE), i32(S, ESCAPE_HASH)
    key = node << 32 | phase << _PHASE | value
    mask = size_of(S, ESCAPE_HASH) - 1
    k = mix(11, key) & mask
    while table[k]:
        if rows[table[k]] == key:
            return np.int64(table[k]) | WITHIN_ESCAPE
        k = (k + 1) & mask
    n = head[ESCAPE_USED]
    if n + 1 > size_of(S, ESCAPE):
        return -((SESSION_TABLE + ESCAPE) << 4 | FULL)
    if 2 * n > mask:
        return -((SESSION_TABLE + ESCAPE_HASH) << 4 | FULL)
    head[ESCAPE_USED] = n + 1
    rows[n], table[k] = key, n
    return n | WITHIN_ESCAPE


@unit
def rehash_escapes(S):
    """Fill ESCAPE_HASH anew."""
    rows, table = i64(S, ESCAPE), i32(S, ESCAPE_HASH)
    mask = size_of(S, ESCAPE_HASH) - 1
    for n in range(1, i64(S, SESSION)[ESCAPE_USED]):
        k = mix(11, rows[n]) & mask
        while table[k]:
            k = (k + 1) & mask
        table[k] = n
    return 0


@helper
def below(literal, node, byte):
    """The child of a node by a byte, or 0."""
    return max(np.int64(child(literal, literal[node], byte)), 0)


@unit
def read_character(S, node, character):
    """The state behind a character, 0 if no name goes on with it."""
    literal = i64(S, LITERAL)
    if character < 0x80:
        node = below(literal, node, character)
    elif character < 0x800:
        node = below(literal, node, 0xC0 | character >> 6)
        node = below(literal, node, 0x80 | (character & 63)) if node else 0
    else:
        if character < 0x10000:
            node = below(literal, node, 0xE0 | character >> 12)
        else:
            node = below(literal, node, 0xF0 | character >> 18)
            node = below(literal, node, 0x80 | (character >> 12 & 63)) if node else 0
        node = below(literal, node, 0x80 | (character >> 6 & 63)) if node else 0
        node = below(literal, node, 0x80 | (character & 63)) if node else 0
    return NAMES | node if node else 0


@helper
def escaped(byte):
    """The character that a letter behind a backslash stands for; 0 for others."""
    if byte == 34 or byte == 92 or byte == 47:
        return byte
    if byte == 98:
        return np.int64(8)
    if byte == 102:
        return np.int64(12)
    if byte == 110:
        return np.int64(10)
    if byte == 114:
        return np.int64(13)
    return np.int64(9) if byte == 116 else np.int64(0)


@helper
def digit(byte):
    """The value of a hexadecimal digit, or -1."""
    if 48 <= byte <= 57:
        return byte - 48
    byte |= 32
    return byte - 87 if 97 <= byte <= 102 else np.int64(-1)


@unit
def step_escape(S, place, byte):
    """Read a byte within an escape: see `step_excluded`."""
    key = i64(S, ESCAPE)[place]
    node, phase, value = key >> 32, key >> _PHASE & 15, key & _VALUE
    if phase == _STARTED:
        if byte == 117:
            return within_escape(S, node, _DIGITS, 1)
        found = escaped(byte)
        return read_character(S, node, found) if found else 0
    if phase == _HIGH:
        return within_escape(S, node, _HIGH_STARTED, value) if byte == 92 else 0
    if phase == _HIGH_STARTED:
        return within_escape(S, node, _LOW, value << 17 | 1) if byte == 117 else 0
    read = digit(byte)
    if read < 0:
        return 0
    high, value = value >> 17, (value & 0x1FFFF) << 4 | read
    if value < 0x10000:
        return within_escape(S, node, phase, high << 17 | value)
    unit_ = value & 0xFFFF
    if phase == _DIGITS:
        if unit_ >> 10 == 0x36:
            return within_escape(S, node, _HIGH, unit_ & 0x3FF)
        return read_character(S, node, unit_) if unit_ >> 10 != 0x37 else 0
    return read_character(S, node, 0x10000 + (high << 10) + (unit_ & 0x3FF)) if unit_ >> 10 == 0x37 else 0


@unit
def step_names(S, e, byte):
    """Read a byte of a string: see `step_excluded`."""
    literal, node = i64(S, LITERAL), e & NODE_MASK
    if e & BEFORE_QUOTE:
        return NAMES | node if byte == 34 else 0
    if byte == 34:
        return MATCHED if below(literal, node, END_OF_NAME) else 0
    if byte == 92:
        return within_escape(S, node, _STARTED, 0)
    found = below(literal, node, byte) if byte >= 32 else np.int64(0)
    return NAMES | found if found else np.int64(0)


@unit
def step_excluded(S, e, byte):
    """Read a byte: what is to be excluded then, 0 for nothing more, MATCHED, or a status."""
    if e & NAMES:
        return step_names(S, e, byte)
    if e & WITHIN_ESCAPE:
        return step_escape(S, e & NODE_MASK, byte)
    automata = i64(S, SESSION)[AUTOMATA]
    status = make_ready(automata, e)
    if status < 0:
        return status
    reached = np.int64(step(automata, e, byte))
    return MATCHED if reached and i32(automata, STATE)[8 * reached + FLAGS] & ACCEPTS else reached
