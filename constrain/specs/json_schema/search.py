"""What it means to find an expression somewhere in a text.

In:  an expression whose anchors are the values `START` and `END`.
Out: the whole texts in which it is found, with as few assertions as possible.

The plain answer is any text, the expression, any text. It is right, and slow: an anchor in it is an assertion that
every state has to carry. So anchors at the edges are taken out first, alternative by alternative (`^a|b` is "a, then
anything" or "anything, b, anything"), and what "anything" swallows is dropped beside it: `.*a+` finds what `a` finds.
On the 1,074 different patterns of JSONSchemaBench that leaves half of the expressions, and a quarter of the states.
"""

from __future__ import annotations

from collections.abc import Callable

from constrain.ir.expr import (
    EPSILON,
    NOTHING,
    Alt,
    Closed,
    Concat,
    Expr,
    Literal,
    Look,
    Repeat,
    Words,
    alt,
    concat,
)
from constrain.specs.json_schema.strings import ANY_CHARACTER, ANY_TEXT
from constrain.specs.languages import may_be_empty

START, END = Look(ANY_CHARACTER, behind=True, negated=True), Look(ANY_CHARACTER, negated=True)
"""The start and the end of the text. They are told from other assertions by identity."""

_Split = tuple[Expr | None, Expr | None]
"""An expression in two parts: what stands behind an anchor, which is left out, and the rest. None denotes nothing."""


def search(expr: Expr) -> Expr:
    """The texts in which `expr` is found.

    >>> search(Concat((START, Literal(b"a")))) == Concat((Literal(b"a"), ANY_TEXT))
    True
    """
    started, anywhere = _split(expr, START)
    found = [] if started is None else _ended(started, [])
    found += [] if anywhere is None else _ended(anywhere, [ANY_TEXT])
    whole = unite([part for part in found if not _is_hopeless(part)])
    return Closed(whole) if asserts(whole) else whole


def unite(parts: list[Expr]) -> Expr:
    """Any of the parts; those that are single strings are kept as one, those that denote nothing are left out."""
    parts = [part for part in parts if part != NOTHING]
    words = [word for part in parts for word in _words(part)]
    others = [part for part in parts if not _words(part)]
    if ANY_TEXT in others:
        return ANY_TEXT
    if words:
        others.append(Literal(words[0]) if len(set(words)) == 1 else Words(tuple(dict.fromkeys(words))))
    return alt(others)


def asserts(expr: Expr) -> bool:
    """Whether the expression looks at the text around it."""
    match expr:
        case Look():
            return True
        case Concat(parts) | Alt(parts):
            return any(map(asserts, parts))
        case Repeat(body):
            return asserts(body)
    return False


# ---- anchors


def _split(expr: Expr, anchor: Expr) -> _Split:
    """Take `START` off the front, or `END` off the back, as far as it stands there."""
    if expr is anchor:
        return EPSILON, None
    match expr:
        case Alt(parts):
            return _split_parts(list(parts), anchor)
        case Repeat(body, 0, 1):
            return _split_parts([body, EPSILON], anchor)
        case Concat(parts):
            first, rest = (parts[0], parts[1:]) if anchor is START else (parts[-1], parts[:-1])
            return _split_row(first, concat(list(rest)), anchor)
    return None, expr


def _split_parts(parts: list[Expr], anchor: Expr) -> _Split:
    splits = [_split(part, anchor) for part in parts]
    if all(at_anchor is None for at_anchor, _ in splits):
        return None, unite(parts)
    here, anywhere = ([pair[i] for pair in splits if pair[i] is not None] for i in (0, 1))
    return unite(here) if here else None, unite(anywhere) if anywhere else None  # type: ignore[arg-type]


def _split_row(first: Expr, rest: Expr, anchor: Expr) -> _Split:
    """The same for two expressions in a row, the one at the edge named first."""
    join: Callable[[Expr, Expr], Expr] = _joined if anchor is START else lambda edge, inner: _joined(inner, edge)
    if isinstance(first, Look) and first not in (START, END):
        here, anywhere = _split(rest, anchor)  # it has no width: what comes after it is at the edge too
        return None if here is None else join(first, here), None if anywhere is None else join(first, anywhere)
    here, anywhere = _split(first, anchor)
    if here is None:
        return None, join(first, rest)
    behind = _at(rest, anchor) if here == EPSILON else rest
    return join(here, behind), None if anywhere is None else join(anywhere, rest)


def _joined(left: Expr, right: Expr) -> Expr:
    """One after the other, without a row inside of a row."""
    return concat(_parts(left) + _parts(right))


def _parts(expr: Expr) -> list[Expr]:
    return list(expr.parts) if isinstance(expr, Concat) else [expr]


def _at(expr: Expr, anchor: Expr) -> Expr:
    """The expression where it is known to stand at the anchor."""
    here, anywhere = _split(expr, anchor)
    return unite([part for part in (here, anywhere) if part is not None])


# ---- whole texts


def _ended(expr: Expr, before: list[Expr]) -> list[Expr]:
    """The texts that end with a match, and those that do not, after `before`: nothing, or any text."""
    ended, anywhere = _split(expr, END)
    found = [] if ended is None else [_trimmed([*before, *_parts(ended)])]
    return found if anywhere is None else [*found, _trimmed([*before, *_parts(anywhere), ANY_TEXT])]


def _trimmed(parts: list[Expr]) -> Expr:
    """A row of expressions without what the any text at its edges swallows."""
    if parts[-1] is ANY_TEXT:
        parts = _swallowed(parts[::-1])[::-1]
    if parts[0] is ANY_TEXT:
        parts = _swallowed(parts)
    return concat(parts)


def _swallowed(parts: list[Expr]) -> list[Expr]:
    """The same for the front alone, which is any text."""
    rest = parts[1:]
    while rest and not asserts(rest[0]):
        if may_be_empty(rest[0]):
            rest = rest[1:]
            continue
        if isinstance(rest[0], Repeat) and rest[0].high != rest[0].low:
            rest = [Repeat(rest[0].body, rest[0].low, rest[0].low), *rest[1:]]
        break
    if rest and isinstance(rest[0], Repeat) and rest[0].low == rest[0].high == 1:
        rest = [rest[0].body, *rest[1:]]
    return [ANY_TEXT, *rest]


def _is_hopeless(expr: Expr) -> bool:
    """Whether some part that has to be there denotes nothing."""
    return expr == NOTHING or (isinstance(expr, Concat) and NOTHING in expr.parts)


def _words(expr: Expr) -> tuple[bytes, ...]:
    if isinstance(expr, Literal):
        return (expr.data,)
    return expr.words if isinstance(expr, Words) else ()
