# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""The values that tracked terminals have matched, where these are what JSON strings mean: property names.

Equal strings have one number, however they are spelled.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.engine.excluded import BEFORE_QUOTE, NAMES, digit, escaped
from constrain.engine.records import intern, intern_two, length, scratch_full, slot
from constrain.engine.row_states import add_excluded, list_names
from constrain.engine.tables import (
    ARGUMENT,
    DATA,
    HEAP,
    MEANING,
    MEANING_AT,
    MEANING_HASH,
    MEANINGS,
    NAME_TERMINAL,
    NEED_VALUE,
    RECORD,
    ROW_TERMINAL,
    SCRATCH,
    SCRATCH_BLOCK,
    SESSION,
    SESSION_TABLE,
    VALUE,
    WORD_BYTE,
    WORD_BYTES,
    WORDS,
)
from constrain.engine.words import lay_words
from constrain.jit import helper, i32, i64, mix, size_of, u8, unit


@helper
def is_name(terminal):
    """Whether the matches of a tracked terminal begin with a JSON string, by which alone they differ."""
    return terminal >= ROW_TERMINAL or terminal & NAME_TERMINAL != 0


@helper
def hash_of(data, begin, end):
    """Hash some bytes."""
    h = mix(13, end - begin)
    for i in range(begin, end):
        h = mix(h, np.int64(data[i]))
    return h


@unit
def intern_meaning(S, size):
    """The number of the string that stands behind all that are known, `size` bytes of MEANING; or a status."""
    head, data, at, table = i64(S, SESSION), u8(S, MEANING), i32(S, MEANING_AT), i32(S, MEANING_HASH)
    n = head[MEANINGS]
    begin, mask = np.int64(at[n]), size_of(S, MEANING_HASH) - 1
    k = hash_of(data, begin, begin + size) & mask
    while table[k]:
        known = np.int64(table[k])
        first = np.int64(at[known])
        if at[known + 1] - first == size:
            i = 0
            while i < size and data[first + i] == data[begin + i]:
                i += 1
            if i == size:
                return known
        k = (k + 1) & mask
    if n + 2 > size_of(S, MEANING_AT):
        return -((SESSION_TABLE + MEANING_AT) << 4 | FULL)
    if 2 * n > mask:
        return -((SESSION_TABLE + MEANING_HASH) << 4 | FULL)
    at[n + 1], table[k], head[MEANINGS] = begin + size, n, n + 1
    return n


@unit
def rehash_meanings(S):
    """Fill MEANING_HASH anew."""
    data, at, table = u8(S, MEANING), i32(S, MEANING_AT), i32(S, MEANING_HASH)
    mask = size_of(S, MEANING_HASH) - 1
    for n in range(1, i64(S, SESSION)[MEANINGS]):
        k = hash_of(data, np.int64(at[n]), np.int64(at[n + 1])) & mask
        while table[k]:
            k = (k + 1) & mask
        table[k] = n
    return 0


@helper
def put_character(data, at, character):
    """Write a character in UTF-8; the place behind it."""
    if character < 0x80:
        data[at] = character
        return at + 1
    if character < 0x800:
        data[at], data[at + 1] = 0xC0 | character >> 6, 0x80 | (character & 63)
        return at + 2
    if character < 0x10000:
        data[at], data[at + 1] = 0xE0 | character >> 12, 0x80 | (character >> 6 & 63)
        data[at + 2] = 0x80 | (character & 63)
        return at + 3
    data[at], data[at + 1] = 0xF0 | character >> 18, 0x80 | (character >> 12 & 63)
    data[at + 2], data[at + 3] = 0x80 | (character >> 6 & 63), 0x80 | (character & 63)
    return at + 4


@helper
def four_digits(data, i):
    """The number that four hexadecimal digits are."""
    found = 0
    for k in range(4):
        found = found << 4 | digit(np.int64(data[i + k]))
    return found


@unit
def write_meaning(S, text):
    """Write what the string that a text (READ) begins with means behind all that are known; its size, or a status."""
    heap, scratch = i64(S, HEAP), i64(S, SESSION)[SCRATCH_BLOCK]
    n, record = 0, text
    while heap[record + 1] >= 0:
        n, record = n + 1, heap[record + 1]
    begin = np.int64(i32(S, MEANING_AT)[i64(S, SESSION)[MEANINGS]])
    if begin + n > size_of(S, MEANING):
        return -((SESSION_TABLE + MEANING) << 4 | FULL)
    if n > size_of(scratch, WORD_BYTE):
        return scratch_full(WORD_BYTE)
    read, data, record = u8(scratch, WORD_BYTE), u8(S, MEANING), text
    for i in range(n - 1, -1, -1):
        read[i] = heap[record + 2]
        record = heap[record + 1]
    i, at = 1, begin
    while i < n and read[i] != 34:
        if read[i] != 92:
            data[at] = read[i]
            i, at = i + 1, at + 1
            continue
        letter = np.int64(read[i + 1])
        i += 2
        character = escaped(letter)
        if letter == 117:
            character = four_digits(read, i)
            i += 4
            if character >> 10 == 0x36:
                character = 0x10000 + ((character & 0x3FF) << 10) + (four_digits(read, i + 2) & 0x3FF)
                i += 6
        at = put_character(data, at, character)
    return at - begin


@unit
def data_with(S, text, data):
    """The DATA record after one more string has been matched; or a status."""
    heap = i64(S, HEAP)
    size = write_meaning(S, text)
    if size < 0:
        return size
    number = intern_meaning(S, size)
    if number < 0:
        return number
    content, n = i64(i64(S, SESSION)[SCRATCH_BLOCK], RECORD), length(heap, data) if data else 0
    if n + 1 > size_of(i64(S, SESSION)[SCRATCH_BLOCK], RECORD):
        return scratch_full(RECORD)
    placed = 0
    for i in range(n):
        known = heap[data + 1 + i]
        if known == number:
            return data
        if not placed and known > number:
            content[i], placed = number, 1
        content[i + placed] = known
    if not placed:
        content[n] = number
    return intern(S, DATA, n + 1)


@unit
def value_of(S, text, data):
    """The DATA record after a tracked terminal has matched a text (READ); or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    record = intern_two(S, i64(session[SCRATCH_BLOCK], RECORD), VALUE, text, data)
    if record < 0:
        return record
    known = heap[slot(heap, record)]
    if known == 0:
        first = text
        while heap[first + 1] >= 0:
            first = heap[first + 1]
        if not is_name(-1 - heap[first + 1]):
            session[ARGUMENT], session[ARGUMENT + 1] = text, data
            return -NEED_VALUE
        found = data_with(S, text, data)
        if found < 0:
            return found
        heap[slot(heap, record)] = known = found + 1
    return known - 1


@unit
def lay_excluded(S, terminal, data):
    """What the other names of an object of rows must not be: those that it lists, and those of a DATA record."""
    heap, scratch = i64(S, HEAP), i64(S, SESSION)[SCRATCH_BLOCK]
    numbers, at = i64(scratch, SCRATCH), i32(S, MEANING_AT)
    numbers[WORDS] = numbers[WORD_BYTES] = 0
    status = list_names(S, terminal - ROW_TERMINAL)
    if status < 0:
        return status
    for i in range(length(heap, data) if data else 0):
        number = heap[data + 1 + i]
        status = add_excluded(S, S, MEANING, at[number], at[number + 1])
        if status < 0:
            return status
    if numbers[WORDS] == 0:
        return np.int64(0)
    root = lay_words(S, numbers[WORDS], 0)
    return root | NAMES | BEFORE_QUOTE if root >= 0 else root
