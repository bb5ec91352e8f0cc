"""What to enforce: frozen, hashable, picklable values that know nothing of tokens.

>>> regex(r"[a-z]+") & regex(r".{3}") | choice(["yes", "no"])
Or(parts=(And(parts=(Regex(pattern='[a-z]+', flags=0), Regex(pattern='.{3}', flags=0))), Choice(options=('yes', 'no'))))
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError
from constrain.frontends.regex import parse_regex
from constrain.ir import expr as ir
from constrain.limits import Limits


class Spec:
    """A constraint on the whole output. Combine with `&` (both), `|` (either) and `+` (one after the other)."""

    __slots__ = ()

    def __and__(self, other: Spec) -> Spec:
        return And(_parts(And, "&", self, other))

    def __or__(self, other: Spec) -> Spec:
        return Or(_parts(Or, "|", self, other))

    def __add__(self, other: Spec) -> Spec:
        return Concat(_parts(Concat, "+", self, other))

    def to_expr(self, limits: Limits) -> ir.Expr:
        """The expression that denotes the allowed outputs. Raises LimitExceeded."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Regex(Spec):
    """Outputs that a regular expression matches as a whole; see `constrain.frontends.regex` for the syntax."""

    pattern: str
    flags: int = 0

    def to_expr(self, limits: Limits) -> ir.Expr:
        """See `Spec.to_expr`."""
        _check("pattern_chars", len(self.pattern), limits.pattern_chars, "the pattern")
        return parse_regex(self.pattern, self.flags)


@dataclass(frozen=True, slots=True)
class Choice(Spec):
    """One of a list of strings."""

    options: tuple[str, ...]

    def to_expr(self, limits: Limits) -> ir.Expr:
        """See `Spec.to_expr`."""
        _check("choices", len(self.options), limits.choices, "the list of options")
        return ir.Words(tuple(option.encode() for option in self.options))


@dataclass(frozen=True, slots=True)
class And(Spec):
    """Outputs that meet every part."""

    parts: tuple[Spec, ...]

    def to_expr(self, limits: Limits) -> ir.Expr:
        """See `Spec.to_expr`."""
        return ir.And(tuple(ir.Closed(part.to_expr(limits)) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Or(Spec):
    """Outputs that meet one of the parts."""

    parts: tuple[Spec, ...]

    def to_expr(self, limits: Limits) -> ir.Expr:
        """See `Spec.to_expr`."""
        return ir.Alt(tuple(ir.Closed(part.to_expr(limits)) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Concat(Spec):
    """Outputs that are cut into one piece for each part. Assertions see only their own piece."""

    parts: tuple[Spec, ...]

    def to_expr(self, limits: Limits) -> ir.Expr:
        """See `Spec.to_expr`."""
        return ir.Concat(tuple(ir.Closed(part.to_expr(limits)) for part in self.parts))


def regex(pattern: str | re.Pattern[str], flags: int = 0) -> Regex:
    r"""The whole output matches `pattern` (Python syntax, and `\p{..}`), under `re` flags.

    Raises GrammarSyntaxError, UnsupportedError (with the position) or SpecTypeError.

    >>> regex(r"\d{4}-\d{2}-\d{2}")
    Regex(pattern='\\d{4}-\\d{2}-\\d{2}', flags=0)
    """
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        flags |= pattern.flags & ~re.UNICODE
        pattern = pattern.pattern
    if not isinstance(pattern, str):
        raise SpecTypeError(f"regex() takes a str or a compiled str pattern, not {_kind(pattern)}")
    if not isinstance(flags, int):
        raise SpecTypeError(f"regex() takes re flags such as re.IGNORECASE, not {_kind(flags)}")
    spec = Regex(pattern, int(flags))
    if len(pattern) <= Limits().pattern_chars:  # a longer one is read when a compiler allows it
        parse_regex(pattern, int(flags))
    return spec


def choice(options: Iterable[str]) -> Choice:
    """The whole output is one of `options`.

    Raises UnsatisfiableError if there is none, SpecTypeError if one is not a string.

    >>> choice(["yes", "no", "yes"])
    Choice(options=('yes', 'no'))
    """
    if isinstance(options, str | bytes) or not isinstance(options, Iterable):
        raise SpecTypeError(f"choice() takes a list of strings, not {_kind(options)}")
    listed = list(options)
    if not listed:
        raise UnsatisfiableError("choice() of no options: no output can be one of them; pass at least one string")
    for i, option in enumerate(listed):
        if not isinstance(option, str):
            raise SpecTypeError(f"choice() takes strings; option {i} is {_kind(option)}")
        if not option.isascii() and any("\ud800" <= char <= "\udfff" for char in option):
            raise SpecTypeError(f"choice() option {i} holds a lone surrogate, which cannot be written in UTF-8")
    return Choice(tuple(dict.fromkeys(listed)))


def _parts(kind: type[And] | type[Or] | type[Concat], operator: str, *specs: Spec) -> tuple[Spec, ...]:
    """Operands with nested uses of the same operator made flat."""
    flat: list[Spec] = []
    for spec in specs:
        if not isinstance(spec, Spec):
            raise SpecTypeError(
                f"'{operator}' takes constraints on both sides, such as constrain.regex(..), not {_kind(spec)}"
            )
        flat += spec.parts if isinstance(spec, kind) else (spec,)
    return tuple(flat)


def _check(limit: str, given: int, allowed: int, what: str) -> None:
    if given > allowed:
        raise LimitExceeded(limit, given, allowed, what)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r:.40}"
