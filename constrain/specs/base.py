"""What to enforce: frozen, hashable, picklable values that know nothing of tokens.

>>> regex("b.+") & regex(".{3}") | choice(["yes"])
Or(parts=(Conjunction(parts=(Regex(pattern='b.+', flags=0), Regex(pattern='.{3}', flags=0))), Choice(options=('yes',))))
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError, UnsupportedError
from constrain.ir import expr as ir
from constrain.ir.grammar import Either, Grammar, Restricted, Seq
from constrain.ir.join import join
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.regex import parse_regex

Lowered = ir.Expr | Grammar | Restricted


class Spec:
    """A constraint on the whole output. Combine with `&` (both), `|` (either) and `+` (one after the other)."""

    __slots__ = ()

    def __and__(self, other: Spec) -> Spec:
        return Conjunction(_parts(Conjunction, "&", self, other))

    def __or__(self, other: Spec) -> Spec:
        return Or(_parts(Or, "|", self, other))

    def __add__(self, other: Spec) -> Spec:
        return Chain(_parts(Chain, "+", self, other))

    def lower(self, limits: Limits, languages: Languages | None = None) -> Lowered:
        """What denotes the allowed outputs: an expression if they are regular, else a grammar, perhaps with an
        expression beside it. Raises LimitExceeded."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Regex(Spec):
    """Outputs that a regular expression matches as a whole; see `constrain.specs.regex` for the syntax."""

    pattern: str
    flags: int = 0

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        """See `Spec.lower`."""
        check_limit("pattern_chars", len(self.pattern), limits.pattern_chars, "the pattern")
        return parse_regex(self.pattern, self.flags)


@dataclass(frozen=True, slots=True)
class Choice(Spec):
    """One of a list of strings."""

    options: tuple[str, ...]

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        """See `Spec.lower`."""
        check_limit("choices", len(self.options), limits.choices, "the list of options")
        return ir.Words(tuple(option.encode() for option in self.options))


@dataclass(frozen=True, slots=True)
class Conjunction(Spec):
    """Outputs that meet every part."""

    parts: tuple[Spec, ...]

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr | Restricted:
        """See `Spec.lower`."""
        lowered = [part.lower(limits, languages) for part in self.parts]
        grammars = [part if isinstance(part, Grammar) else part.grammar for part in lowered if _is_grammar(part)]
        if len(grammars) > 1:
            raise UnsupportedError(
                "'&' of two grammars is not supported: whether any text meets both is undecidable. "
                "Make one of them a regular expression, or write both as one grammar; JSON Schemas have allOf"
            )
        regular = [
            part.expr if isinstance(part, Restricted) else part for part in lowered if not isinstance(part, Grammar)
        ]
        both = ir.And(tuple(ir.Closed(part) for part in regular))
        return Restricted(grammars[0], both) if grammars else both


@dataclass(frozen=True, slots=True)
class Or(Spec):
    """Outputs that meet one of the parts."""

    parts: tuple[Spec, ...]

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr | Grammar:
        """See `Spec.lower`."""
        lowered = _without_restricted([part.lower(limits, languages) for part in self.parts])
        regular = [ir.Closed(part) for part in lowered if not isinstance(part, Grammar)]
        return ir.Alt(tuple(regular)) if len(regular) == len(lowered) else join(lowered, Either)


@dataclass(frozen=True, slots=True)
class Chain(Spec):
    """Outputs that are cut into one piece for each part. Assertions see only their own piece."""

    parts: tuple[Spec, ...]

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr | Grammar:
        """See `Spec.lower`."""
        lowered = _without_restricted([part.lower(limits, languages) for part in self.parts])
        regular = [ir.Closed(part) for part in lowered if not isinstance(part, Grammar)]
        return ir.Concat(tuple(regular)) if len(regular) == len(lowered) else join(lowered, Seq)


def _is_grammar(lowered: Lowered) -> TypeGuard[Grammar | Restricted]:
    return isinstance(lowered, Grammar | Restricted)


def _without_restricted(lowered: list[Lowered]) -> list[ir.Expr | Grammar]:
    if any(isinstance(part, Restricted) for part in lowered):
        raise UnsupportedError(
            "'|' and '+' with a part that is a grammar '&' something else are not supported: put the '&' outside, "
            "around all of it, or write what it demands into the grammar"
        )
    return [part for part in lowered if not isinstance(part, Restricted)]


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
        raise SpecTypeError(f"regex() takes a str or a compiled str pattern, not {kind_of(pattern)}")
    if not isinstance(flags, int):
        raise SpecTypeError(f"regex() takes re flags such as re.IGNORECASE, not {kind_of(flags)}")
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
        raise SpecTypeError(f"choice() takes a list of strings, not {kind_of(options)}")
    listed = list(options)
    if not listed:
        raise UnsatisfiableError("choice() of no options: no output can be one of them; pass at least one string")
    for i, option in enumerate(listed):
        if not isinstance(option, str):
            raise SpecTypeError(f"choice() takes strings; option {i} is {kind_of(option)}")
        if not option.isascii() and any("\ud800" <= char <= "\udfff" for char in option):
            raise SpecTypeError(f"choice() option {i} holds a lone surrogate, which cannot be written in UTF-8")
    return Choice(tuple(dict.fromkeys(listed)))


def _parts(kind: type[Conjunction] | type[Or] | type[Chain], operator: str, *specs: Spec) -> tuple[Spec, ...]:
    """Operands with nested uses of the same operator made flat."""
    flat: list[Spec] = []
    for spec in specs:
        if not isinstance(spec, Spec):
            raise SpecTypeError(
                f"'{operator}' takes constraints on both sides, such as constrain.regex(..), not {kind_of(spec)}"
            )
        flat += spec.parts if isinstance(spec, kind) else (spec,)
    return tuple(flat)


def check_limit(limit: str, given: int, allowed: int, what: str) -> None:
    """Raise LimitExceeded if more is given than a limit allows."""
    if given > allowed:
        raise LimitExceeded(limit, given, allowed, what)


def kind_of(value: object) -> str:
    """A value and its type, for messages."""
    return f"{type(value).__name__} {value!r:.40}"
