"""Regular expressions as values: what front ends write and what the automata are built from.

An expression denotes a set of byte strings. Characters are Unicode code points and are spelled in UTF-8. Assertions
(`Look`) have no width; they see the text around them up to the nearest enclosing `Closed`, or the whole text.
`constrain.ir.semantics` is the executable definition of every node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, inclusive ranges of code points."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly these bytes. `Literal(b"")` is the empty string."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of `ranges`."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Words:
    """One of these byte strings."""

    words: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """Any bytes at all, valid UTF-8 or not."""


@dataclass(frozen=True, slots=True)
class Divisible:
    """Digits and points, "0" to "9" and ".", whose digits alone are a multiple of `divisor` in decimal notation.

    No digits are 0. `And` with the numbers that are meant: `1.50` for a divisor of 25, `150` and `.1.5.0.` look alike.
    The divisor is at least 1 and at most `LARGEST_DIVISOR`.
    """

    divisor: int


@dataclass(frozen=True, slots=True)
class Concat:
    """One part after the other."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One of the parts. Without parts it denotes nothing."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` times the body; `high=None` is without bound."""

    body: Expr
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts at once. A part is read as if `Closed`."""

    parts: tuple[Expr, ...]
    within: bool = False
    """Whether there are two parts, of which the second is `Repeat(unit, 0, n)`, and all strings of the first are made
    of such units: only their number matters. The promise is not checked."""


@dataclass(frozen=True, slots=True)
class Towards:
    """`And((frame, goal))`, by one who promises that it has no dead ends of its own.

    Every prefix of a text of `frame` is a prefix of a text that is in `goal`, too. The promise is not checked: an
    engine that believes it need not look for such a text, nor tell prefixes apart that differ in the goal alone.
    """

    frame: Expr
    goal: Expr


@dataclass(frozen=True, slots=True)
class Not:
    """Any bytes that the body does not denote. The body is read as if `Closed`."""

    body: Expr


@dataclass(frozen=True, slots=True)
class Look:
    """An assertion: the text ahead begins with the body, or the text behind ends with it; or, negated, does not."""

    body: Expr
    behind: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The body as a language of its own: its assertions see nothing outside of it."""

    body: Expr


Expr = Literal | Chars | Words | Anything | Divisible | Concat | Alt | Repeat | And | Towards | Not | Look | Closed

EPSILON = Literal(b"")
NOTHING = Alt(())
LARGEST_DIVISOR = 10**17
"""Ten times a remainder and a digit fit into 64 bits."""


def concat(parts: list[Expr]) -> Expr:
    """Concatenate, joining neighbouring literals.

    >>> concat([Literal(b"a"), Literal(b"b")])
    Literal(data=b'ab')
    """
    joined: list[Expr] = []
    for part in parts:
        if isinstance(part, Literal) and joined and isinstance(joined[-1], Literal):
            joined[-1] = Literal(joined[-1].data + part.data)
        elif part != EPSILON:
            joined.append(part)
    if len(joined) == 1:
        return joined[0]
    return Concat(tuple(joined)) if joined else EPSILON


def alt(parts: Sequence[Expr]) -> Expr:
    """Unite; one part stands for itself."""
    return parts[0] if len(parts) == 1 else Alt(tuple(parts))


def optional(body: Expr) -> Expr:
    """The body or nothing."""
    return Repeat(body, 0, 1)
