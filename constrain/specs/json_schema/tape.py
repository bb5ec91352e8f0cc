# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""The tape of a schema: its JSON values and names in the order of the text, each with where it ends.

Texts are JSON already; what is no JSON is noticed, but not everything is.
"""

from __future__ import annotations

import numpy as np

from constrain.ir.schema_rows import (
    ARRAY_VALUE,
    CODE,
    COUNT,
    DEPTH,
    DICTIONARY,
    ESCAPED,
    FALSE_VALUE,
    FROM,
    HEAD,
    KIND,
    LETTER,
    NAME,
    NEXT,
    NULL_VALUE,
    NUMBER_VALUE,
    OBJECT_VALUE,
    ROW_OF,
    STACK,
    STRING_VALUE,
    TAPE,
    TEXT,
    TO,
    TRUE_VALUE,
    UNUSUAL,
    VALUE,
    VALUES,
    WORD_AT,
)
from constrain.jit import helper, i32, i64, u8, unit

NOT_UNDERSTOOD = 0
"""What units return that leave a schema to the algebra of values, or to the checks that word errors."""
NESTED = 1000


@helper
def word_hash(text, begin, end):
    """Where to look for a word in DICTIONARY first."""
    n = end - begin
    first, last, middle = np.int64(text[begin]), np.int64(text[end - 1]), np.int64(text[begin + (n >> 1)])
    return (7 * n + 31 * first + 13 * last + 61 * middle + 5 * np.int64(text[begin + (n >> 2)])) & 511


@unit
def add_words(R, n):
    """Put the first n words into the dictionary."""
    table, at, letters = i32(R, DICTIONARY), i32(R, WORD_AT), u8(R, LETTER)
    for word in range(n):
        k = word_hash(letters, at[word], at[word + 1])
        while table[k]:
            k = (k + 1) & 511
        table[k] = word + 1
    return n


@unit
def word_number(R, begin, end):
    """The number of a word of TEXT in the dictionary, plus 1; 0 if it is not there."""
    n = end - begin
    if n == 0 or n > 24:
        return 0
    text, table, at, letters = u8(R, TEXT), i32(R, DICTIONARY), i32(R, WORD_AT), u8(R, LETTER)
    k = word_hash(text, begin, end)
    while table[k]:
        word = table[k] - 1
        first = at[word]
        if at[word + 1] - first == n:
            i = 0
            while i < n and letters[first + i] == text[begin + i]:
                i += 1
            if i == n:
                return word + 1
        k = (k + 1) & 511
    return 0


@helper
def past_space(text, i, n):
    """The next place that is no white space."""
    while i < n and (text[i] == 32 or text[i] == 10 or text[i] == 13 or text[i] == 9):
        i += 1
    return i


@unit
def lay_string(R, i, n, t):
    """Lay a string that begins behind place `i` - 1; the place of its closing quote, or n."""
    text, tape = u8(R, TEXT), i32(R, TAPE)
    begin, kinds = i, 0
    while i < n and text[i] != 34:
        c = text[i]
        if c == 92:
            kinds |= ESCAPED
            i += 1
        elif c < 32 or c > 126:
            kinds |= UNUSUAL
        i += 1
    o = VALUE * t
    tape[o + FROM], tape[o + TO] = begin, i
    tape[o + COUNT] = kinds | (UNUSUAL if kinds else 0)
    tape[o + NEXT] = t + 1
    tape[o + DEPTH] = tape[o + ROW_OF] = tape[o + CODE] = 0
    return min(i, n)


@helper
def scalar_end(text, i, n):
    """Where a number or a word ends."""
    while i < n and text[i] != 44 and text[i] != 93 and text[i] != 125 and text[i] > 32:
        i += 1
    return i


@unit
def lay_tape(R, n):
    """Lay the tape of the n bytes of TEXT; the number of values, or NOT_UNDERSTOOD."""
    text, tape, stack = u8(R, TEXT), i32(R, TAPE), i32(R, STACK)
    i, t, depth, named = 0, 0, 0, 0
    while True:
        i = past_space(text, i, n)
        if i >= n:
            return NOT_UNDERSTOOD
        c, o = text[i], VALUE * t
        if named:
            if c != 34:
                return NOT_UNDERSTOOD
            i = lay_string(R, i + 1, n, t)
            tape[o + KIND] = NAME
            tape[o + CODE] = word_number(R, tape[o + FROM], tape[o + TO])
            i = past_space(text, i + 1, n)
            if i >= n or text[i] != 58:
                return NOT_UNDERSTOOD
            i, t, named = i + 1, t + 1, 0
            continue
        opened = 0
        if c == 34:
            i = lay_string(R, i + 1, n, t) + 1
            tape[o + KIND] = STRING_VALUE
        else:
            tape[o + FROM] = i
            tape[o + COUNT] = tape[o + DEPTH] = tape[o + ROW_OF] = tape[o + CODE] = 0
            if c == 123 or c == 91:
                if depth == NESTED:
                    return NOT_UNDERSTOOD
                tape[o + KIND] = OBJECT_VALUE if c == 123 else ARRAY_VALUE
                stack[depth] = t
                i = past_space(text, i + 1, n)
                depth += 1
                if i < n and text[i] != 125 and text[i] != 93:
                    opened, named = 1, 1 if c == 123 else 0
                    tape[o + COUNT] = 1
            else:
                tape[o + KIND] = (
                    TRUE_VALUE if c == 116 else FALSE_VALUE if c == 102 else NULL_VALUE if c == 110 else NUMBER_VALUE
                )
                i = scalar_end(text, i, n)
                tape[o + TO], tape[o + NEXT] = i, t + 1
        t += 1
        while not opened:  # what ends here
            i = past_space(text, i, n)
            if depth == 0:
                i64(R, HEAD)[VALUES] = t
                return t if i >= n else NOT_UNDERSTOOD
            if i >= n:
                return NOT_UNDERSTOOD
            o = VALUE * stack[depth - 1]
            if text[i] == 44:
                i += 1
                tape[o + COUNT] += 1
                named = 1 if tape[o + KIND] == OBJECT_VALUE else 0
                break
            if text[i] != (125 if tape[o + KIND] == OBJECT_VALUE else 93):
                return NOT_UNDERSTOOD
            i += 1
            tape[o + TO], tape[o + NEXT] = i, t
            depth -= 1


@helper
def compare(text, a, end_a, b, end_b):
    """Compare two strings of the text as they stand between quotes: below 0, 0, above 0."""
    while a < end_a and b < end_b and text[a] == text[b]:
        a, b = a + 1, b + 1
    x = 34 if a == end_a else np.int64(text[a])
    y = 34 if b == end_b else np.int64(text[b])
    return x - y if a < end_a or b < end_b else 0


@helper
def small_number(text, begin, end):
    """A number of up to nine digits, or -1."""
    if end - begin > 9 or end == begin:
        return -1
    found = 0
    for i in range(begin, end):
        if text[i] < 48 or text[i] > 57:
            return -1
        found = 10 * found + np.int64(text[i]) - 48
    return found


@unit
def follow(R, begin, end):
    """The value that a JSON Pointer in TEXT leads to, plus 1; 0 if it leads nowhere, or has escapes."""
    text, tape, at, i = u8(R, TEXT), i32(R, TAPE), 0, begin
    while i < end:
        if text[i] != 47:
            return 0
        i += 1
        step = i
        while i < end and text[i] != 47:
            if text[i] == 126 or text[i] == 37 or text[i] == 92 or text[i] > 126:
                return 0
            i += 1
        o, found = VALUE * at, -1
        if tape[o + KIND] == OBJECT_VALUE:
            k = at + 1
            while k < tape[o + NEXT]:
                if compare(text, tape[VALUE * k + FROM], tape[VALUE * k + TO], step, i) == 0:
                    found = k + 1
                k = tape[VALUE * (k + 1) + NEXT]
        elif tape[o + KIND] == ARRAY_VALUE:
            which = small_number(text, step, i)
            if 0 <= which < tape[o + COUNT]:
                found = at + 1
                for _ in range(which):
                    found = tape[VALUE * found + NEXT]
        if found < 0:
            return 0
        at = found
    return at + 1
