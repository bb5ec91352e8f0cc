"""Expressions as front ends put them together, and what can be seen of their languages without automata."""

from __future__ import annotations

from constrain.ir.expr import NOTHING, Alt, Chars, Closed, Concat, Expr, Literal, Repeat, Words, alt, concat


def alternatives(parts: list[Expr]) -> Expr:
    """Unite; literals become one list of words, and without parts it denotes nothing.

    >>> alternatives([Literal(b"a"), Literal(b"bc")])
    Words(words=(b'a', b'bc'))
    """
    words = [part.data for part in parts if isinstance(part, Literal)]
    return Words(tuple(dict.fromkeys(words))) if len(words) == len(parts) > 1 else alt(parts)


def may_be_empty(expr: Expr) -> bool:
    """Whether the empty string is in the language. False also if only a search can tell: complements, assertions.

    >>> may_be_empty(Repeat(Literal(b"a"), 0, None)), may_be_empty(Repeat(Literal(b"a"), 1, None))
    (True, False)
    """
    match expr:
        case Literal(data):
            return not data
        case Words(words):
            return b"" in words
        case Concat(parts):
            return all(map(may_be_empty, parts))
        case Alt(parts):
            return any(map(may_be_empty, parts))
        case Repeat(body, low, _):
            return low == 0 or may_be_empty(body)
        case Closed(body):
            return may_be_empty(body)
    return False


def denotes_nothing(expr: Expr) -> bool:
    """Whether no string is in the language. False also if only a search can tell."""
    match expr:
        case Words(words):
            return not words
        case Chars(ranges):
            return not ranges
        case Concat(parts):
            return any(map(denotes_nothing, parts))
        case Alt(parts):
            return all(map(denotes_nothing, parts))
        case Repeat(body, low, _):
            return low > 0 and denotes_nothing(body)
        case Closed(body):
            return denotes_nothing(body)
    return False


def without_empty(expr: Expr) -> Expr:
    """The language without the empty string, for expressions in which `may_be_empty` is exact.

    >>> without_empty(Repeat(Literal(b"a"), 0, None))
    Repeat(body=Literal(data=b'a'), low=1, high=None)
    """
    if not may_be_empty(expr):
        return expr
    match expr:
        case Words(words):
            return Words(tuple(word for word in words if word)) if any(words) else NOTHING
        case Concat(parts):  # the first part that is not empty, and all after it
            firsts = [(without_empty(part), list(parts[i + 1 :])) for i, part in enumerate(parts)]
            return alternatives([concat([first, *rest]) for first, rest in firsts if first != NOTHING])
        case Alt(parts):
            return alternatives([rest for part in parts if (rest := without_empty(part)) != NOTHING])
        case Repeat(body, _, high) if high != 0:
            rest = without_empty(body)
            return rest if rest == NOTHING or high == 1 else Repeat(rest, 1, high)
    return NOTHING
