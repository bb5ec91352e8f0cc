"""The characters of JSON strings, in every way to write them (RFC 8259): as themselves or as an escape.

Characters beyond U+FFFF may be pairs of `\\uXXXX`. Surrogates that stand alone have no UTF-8 form and are left out.
"""

from __future__ import annotations

from functools import lru_cache

from constrain.ir.expr import EPSILON, Chars, Expr, Literal, Ranges, Repeat, alt, concat

SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""The letters of short escapes."""
_HIGHEST = 0xFFFF


@lru_cache(maxsize=10_000)
def spelled_characters(ranges: Ranges) -> Expr:
    """Characters of some ranges, in every way to write them."""
    found: list[Expr] = []
    plain = _without(ranges, ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)))
    if plain:
        found.append(Chars(plain))
    short = sorted(ord(name) for char, name in SHORT.items() if _has(ranges, ord(char)))
    escapes: list[Expr] = [Chars(tuple((code, code) for code in short))] if short else []
    units = [_hex(max(low, 0), min(high, _HIGHEST)) for low, high in ranges if low <= _HIGHEST]
    pairs = [_pairs(max(low, 0x10000), high) for low, high in ranges if high > _HIGHEST]
    coded = [part for parts in (units, pairs) for part in parts]
    if coded:
        escapes.append(concat([Literal(b"u"), alt(coded)]))
    found.append(concat([Literal(b"\\"), alt(escapes)]))
    return alt(found)


def _hex(low: int, high: int) -> Expr:
    """Four hexadecimal digits from `low` to `high`, surrogates left out."""
    parts = [(low, min(high, 0xD7FF)), (max(low, 0xE000), high)]
    return alt([_digits(a, b, 4) for a, b in parts if a <= b])


def _pairs(low: int, high: int) -> Expr:
    """The surrogate pairs of characters beyond U+FFFF."""
    low, high = low - 0x10000, high - 0x10000
    first, last = low >> 10, high >> 10
    if first == last:
        return _pair(first, first, low & 0x3FF, high & 0x3FF)
    parts = [_pair(first, first, low & 0x3FF, 0x3FF), _pair(last, last, 0, high & 0x3FF)]
    return alt([*parts, _pair(first + 1, last - 1, 0, 0x3FF)] if first + 1 < last else parts)


def _pair(first: int, last: int, low: int, high: int) -> Expr:
    return concat([_digits(0xD800 + first, 0xD800 + last, 4), Literal(b"\\u"), _digits(0xDC00 + low, 0xDC00 + high, 4)])


@lru_cache(maxsize=50_000)
def _digits(low: int, high: int, width: int) -> Expr:
    """Hexadecimal numbers of `width` digits from `low` to `high`, in either case."""
    if width == 0:
        return EPSILON
    unit = 16 ** (width - 1)
    first, last = low // unit, high // unit
    if first == last:
        return concat([_nibbles(first, first), _digits(low - first * unit, high - first * unit, width - 1)])
    full = _digits(0, unit - 1, width - 1)
    if low % unit == 0 and high % unit == unit - 1:
        return concat([_nibbles(first, last), full if width > 1 else EPSILON])
    parts = [
        concat([_nibbles(first, first), _digits(low % unit, unit - 1, width - 1)]),
        concat([_nibbles(last, last), _digits(0, high % unit, width - 1)]),
    ]
    if first + 1 < last:
        parts.append(concat([_nibbles(first + 1, last - 1), full]))
    return alt(parts)


def _nibbles(first: int, last: int) -> Expr:
    """One hexadecimal digit of these values."""
    codes = sorted({ord(char) for value in range(first, last + 1) for char in f"{value:x}{value:X}"})
    return Chars(_ranges(codes))


def _ranges(codes: list[int]) -> Ranges:
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return tuple(found)


def _has(ranges: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)


def _without(ranges: Ranges, others: Ranges) -> Ranges:
    left = list(ranges)
    for first, last in others:
        left = [
            (low, high) for a, b in left for low, high in ((a, min(b, first - 1)), (max(a, last + 1), b)) if low <= high
        ]
    return tuple(left)


CHARACTER = spelled_characters(((0, 0xD7FF), (0xE000, 0x10FFFF)))
"""Any character of a JSON string. The engine knows strings of so many of these by its identity."""
BODY = Repeat(CHARACTER, 0, None)
"""What may stand between the quotes of a JSON string."""
