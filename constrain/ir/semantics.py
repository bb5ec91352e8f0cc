"""The meaning of expressions, executable: slow, obvious, and the oracle for everything else.

`ends(expr, text, start)` is the set of positions at which a match of `expr` that begins at `start` may end.
Nothing here is shared with the automata.
"""

from __future__ import annotations

from collections.abc import Set
from functools import cache

from constrain.ir.expr import (
    Alt,
    And,
    Anything,
    Chars,
    Closed,
    Concat,
    Divisible,
    Expr,
    Literal,
    Look,
    Not,
    Repeat,
    Towards,
    Words,
)


def accepts(expr: Expr, text: bytes) -> bool:
    """Whether `expr` denotes `text`.

    >>> accepts(Repeat(Literal(b"ab"), 2, None), b"ababab")
    True
    """
    return len(text) in ends(expr, text, 0)


def ends(expr: Expr, text: bytes, start: int) -> Set[int]:
    """Positions at which a match of `expr` in `text` from `start` may end."""

    @cache
    def at(node: Expr, i: int) -> frozenset[int]:
        match node:
            case Literal(data):
                return frozenset({i + len(data)} if text.startswith(data, i) else ())
            case Words(words):
                return frozenset(i + len(word) for word in words if text.startswith(word, i))
            case Chars(ranges):
                return frozenset(_one_char(ranges, text, i))
            case Anything():
                return frozenset(range(i, len(text) + 1))
            case Divisible(divisor):
                return frozenset(_multiples(divisor, text, i))
            case Concat(parts):
                here = frozenset({i})
                for part in parts:
                    here = frozenset(k for j in here for k in at(part, j))
                return here
            case Alt(parts):
                return frozenset(k for part in parts for k in at(part, i))
            case Repeat(body, low, high):
                return repeated(body, low, high, i)
            case And(parts):
                return frozenset(range(i, len(text) + 1)).intersection(*(closed(part, i) for part in parts))
            case Towards(frame, goal):
                return closed(frame, i) & closed(goal, i)
            case Not(body):
                return frozenset(range(i, len(text) + 1)) - closed(body, i)
            case Closed(body):
                return closed(body, i)
            case Look(body, behind, negated):
                seen = any(i in at(body, j) for j in range(i + 1)) if behind else bool(at(body, i))
                return frozenset({i} if seen != negated else ())

    def repeated(body: Expr, low: int, high: int | None, i: int) -> frozenset[int]:
        """Round by round; a round that adds no new (position, count up to low) changes nothing any more."""
        here = frozenset({i})
        result: set[int] = set()
        seen: set[tuple[int, frozenset[int]]] = set()
        count = 0
        while here and (high is None or count <= high):
            if count >= low:
                result |= here
            if (min(count, low), here) in seen and count > low + len(text):
                break
            seen.add((min(count, low), here))
            here = frozenset(k for j in here for k in at(body, j))
            count += 1
        return frozenset(result)

    def closed(body: Expr, i: int) -> frozenset[int]:
        return frozenset(j for j in range(i, len(text) + 1) if accepts(body, text[i:j]))

    return at(expr, start)


def _multiples(divisor: int, text: bytes, i: int) -> list[int]:
    found = [i]
    for j in range(i, len(text)):
        if text[j] not in b"0123456789.":
            break
        digits = text[i : j + 1].replace(b".", b"")
        if int(digits or b"0") % divisor == 0:
            found.append(j + 1)
    return found


def _one_char(ranges: tuple[tuple[int, int], ...], text: bytes, i: int) -> list[int]:
    for width in range(1, 5):
        try:
            char = text[i : i + width].decode("utf-8")
        except UnicodeDecodeError:
            continue
        if len(char) == 1 and any(low <= ord(char) <= high for low, high in ranges):
            return [i + width]
    return []
