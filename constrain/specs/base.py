"""What to enforce: frozen, hashable, picklable values that know nothing of tokens.

>>> regex("b.+") & regex(".{3}") | choice(["yes"])
Or(parts=(Conjunction(parts=(Regex(pattern='b.+', flags=0), Regex(pattern='.{3}', flags=0))), Choice(options=('yes',))))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard

from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError, UnsupportedError
from constrain.ir import expr as ir
from constrain.ir.grammar import Either, Grammar, Restricted, Seq
from constrain.ir.join import join
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.library import library_file
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
        _check("pattern_chars", len(self.pattern), limits.pattern_chars, "the pattern")
        return parse_regex(self.pattern, self.flags)


@dataclass(frozen=True, slots=True)
class Choice(Spec):
    """One of a list of strings."""

    options: tuple[str, ...]

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        """See `Spec.lower`."""
        _check("choices", len(self.options), limits.choices, "the list of options")
        return ir.Words(tuple(option.encode() for option in self.options))


@dataclass(frozen=True, slots=True)
class LarkGrammar(Spec):
    """Texts of a context-free grammar in Lark's syntax; see `constrain.specs.lark`."""

    text: str
    start: str = "start"
    longest: bool | None = None
    folder: str | None = None

    def lower(self, limits: Limits, languages: Languages | None = None) -> Grammar:
        """See `Spec.lower`."""
        _check("pattern_chars", len(self.text), limits.pattern_chars, "the grammar")
        folder = None if self.folder is None else Path(self.folder)
        return _parsed(_parse_lark, self.text, self.start, self.longest, folder, limits)


@dataclass(frozen=True, slots=True)
class GBNF(Spec):
    """Texts of a context-free grammar in the syntax of llama.cpp; see `constrain.specs.gbnf`."""

    text: str
    start: str = "root"

    def lower(self, limits: Limits, languages: Languages | None = None) -> Grammar:
        """See `Spec.lower`."""
        from constrain.specs.gbnf import parse_gbnf

        _check("pattern_chars", len(self.text), limits.pattern_chars, "the grammar")
        return parse_gbnf(self.text, self.start)


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


def _parse_lark(text: str, start: str, **options: Any) -> Grammar:
    from constrain.specs.lark import parse_lark  # lark takes longer to import than all of this package

    return parse_lark(text, start, json_rule=_json, **options)


def _json(schema: Any) -> Grammar:
    """The grammar of what `%json` holds."""
    from constrain.specs.schema import json_schema

    return json_schema(schema).lower(Limits())


@lru_cache(maxsize=32)
def _parsed(
    parse: Callable[..., Grammar], text: str, start: str, longest: bool | None, folder: Path | None, limits: Limits
) -> Grammar:
    """Remembered, since a grammar is read when it is written down, and again when it is compiled."""
    return parse(text, start, longest=longest, folder=folder, limits=limits)


def forget() -> None:
    """Forget the grammars read so far."""
    _parsed.cache_clear()


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


def grammar(text: str, start: str | None = None, *, syntax: str = "lark", longest: bool | None = None) -> Spec:
    """The whole output is a text of a context-free grammar.

    `syntax` is "lark" (start rule "start") or "gbnf" (llama.cpp, start rule "root"). `longest=True` cuts text into
    terminals by longest match, as compilers do; False reads it in every possible way; None (the default) does what a
    comment `// Reading: longest` in the grammar says, else the latter.

    Raises GrammarSyntaxError or UnsupportedError (with the position), SpecTypeError.

    >>> grammar('start: "(" start ")" | "x"').start
    'start'
    """
    if not isinstance(text, str):
        raise SpecTypeError(f"grammar() takes the text of a grammar, not {_kind(text)}")
    if syntax not in ("lark", "gbnf"):
        raise SpecTypeError(f"grammar(syntax=..) is 'lark' or 'gbnf', not {syntax!r:.40}")
    if syntax == "gbnf" and longest:
        raise SpecTypeError("grammar(syntax='gbnf', longest=True): GBNF has no terminals, it is read in every way")
    spec = LarkGrammar(text, start or "start", longest) if syntax == "lark" else GBNF(text, start or "root")
    if len(text) <= Limits().pattern_chars:
        spec.lower(Limits())
    return spec


def grammar_file(name: str | PathLike[str], start: str = "start", *, longest: bool | None = None) -> LarkGrammar:
    """The whole output is a text of a grammar of the library (`constrain grammars` lists them), or of a `.lark` file.

    >>> grammar_file("json").longest is None
    True
    """
    path = library_file(name)
    spec = LarkGrammar(path.read_text("utf-8"), start, longest, str(path.parent))
    spec.lower(Limits())
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


def _parts(kind: type[Conjunction] | type[Or] | type[Chain], operator: str, *specs: Spec) -> tuple[Spec, ...]:
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
