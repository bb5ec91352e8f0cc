"""The terminals of JSON texts: names, scalars, and what stands between them, in one layout."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from constrain.ir import schema_rows as r
from constrain.ir.expr import And, Chars, Concat, Expr, Literal, Repeat, Words, alt, concat
from constrain.ir.grammar import Once, Terminal
from constrain.specs.json_schema import numbers, strings
from constrain.specs.json_schema.endings import name_before_colon, scalar_before_end
from constrain.specs.json_schema.formats import FORMATS
from constrain.specs.json_schema.number_texts import expression
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.text import LAYOUTS, Layout, Speller, spelled_text
from constrain.specs.json_schema.values import Values

_REMEMBERED = 50_000
"""Terminals of one layout."""
_PLAIN = Repeat(Chars(((0x2D, 0x2E), (0x30, 0x39))), 0, None)
_DIGITS = Repeat(Chars(((0x2D, 0x2D), (0x30, 0x39))), 0, None)


class Texts:
    """The terminals of one layout. Terminals of the same texts are the same, whatever schema they are for."""

    def __init__(self, layout: Layout, every_way: bool, plain_integers: bool) -> None:
        self._layout, self._plain_integers = layout, plain_integers
        self._speller = Speller(every_way)
        self.open_array = Terminal('"["', concat([Literal(b"["), layout.inside]))
        self.close_array = Terminal('"]"', concat([layout.inside, Literal(b"]")]))
        self.open_object = Terminal('"{"', concat([Literal(b"{"), layout.inside]))
        self.close_object = Terminal('"}"', concat([layout.inside, Literal(b"}")]))
        self.comma = Terminal('","', concat([layout.before, Literal(b","), layout.inside]))
        self._colon = concat([layout.before, Literal(b":"), layout.after_colon])
        self._different: dict[Hashable, Terminal] = {}
        self._once_name = Once(name_before_colon, spelled_name, meaning=_meaning)
        self._once_item = Once(scalar_before_end, partial(_spelled_item, alt([self.close_array.expr, self.comma.expr])))
        self._null = _fixed("null")
        self._truths = {
            frozenset((True,)): _fixed("true"),
            frozenset((False,)): _fixed("false"),
            frozenset((True, False)): Terminal("true or false", Words((b"false", b"true"))),
        }
        self._names: dict[Hashable, Terminal] = {}
        self._strings: dict[Hashable, tuple[StringSet, Terminal]] = {}
        self._numbers: dict[Hashable, Terminal] = {}
        self._exprs: dict[Hashable, Expr] = {}
        true, false = (self._truths[frozenset((truth,))] for truth in (True, False))
        self._fixed = {
            r.OPEN_OBJECT: self.open_object,
            r.CLOSE_OBJECT: self.close_object,
            r.OPEN_ARRAY: self.open_array,
            r.CLOSE_ARRAY: self.close_array,
            r.COMMA: self.comma,
            r.COLON: Terminal('":"', self._colon),
            r.NULL_TEXT: self._null,
            r.FALSE_TEXT: false,
            r.TRUE_TEXT: true,
            r.ANY_STRING: self.string(strings.ALL),
            r.ANY_NUMBER: self.number(numbers.ALL),
            r.ANY_INTEGER: self.number(numbers.INTEGERS),
            r.BOOLEAN_TEXT: self._truths[frozenset((True, False))],
        }

    def scalars(self, meant: Values) -> list[Terminal]:
        """The terminals of the values that are no arrays or objects."""
        found = []
        if meant.null:
            found.append(self._null)
        if meant.booleans:
            found.append(self._truths[meant.booleans])
        if meant.numbers:
            found.append(self.number(meant.numbers))
        if meant.strings.only != frozenset():
            found.append(self.string(meant.strings))
        return found

    def different(self, scalar: Terminal, end: Terminal) -> Terminal:
        """An item that must differ from earlier ones, and its end. (Numbers without exponents, as 1 has no end of forms
        with them.)"""
        key = (id(scalar), id(end))
        known = self._different.get(key)
        if known is None:
            expr = And((scalar.expr, _PLAIN)) if scalar.name == "number" else scalar.expr
            known = Terminal(f"{scalar.name}, not twice", Concat((expr, end.expr)), once=self._once_item)
            self._different[key] = known
        return known

    def names(self, names: StringSet) -> Terminal:
        """The name of a member, with its colon; any of some names, each at most once."""
        self._make_room()
        only, key = names.only, names.key
        terminal = self._names.get(key)
        if terminal is None:
            if only is not None and len(only) == 1:
                (name,) = only
                terminal = Terminal(
                    json.dumps(name, ensure_ascii=False),
                    concat([_QUOTE, self._speller.text(name), _QUOTE, self._colon]),
                )
            else:
                text = self._speller.string(StringSet(only, parts=names.parts).expr())
                never = names.but
                once = replace(self._once_name, never=never) if never else self._once_name
                terminal = Terminal("property name", self._ended_name(names, text), once=once)
            self._names[key] = terminal
            self._kept(names)
        return terminal

    def _make_room(self) -> None:
        """Forget all terminals of names, strings and numbers: what is made anew is only not shared with what was."""
        known: tuple[dict[Any, Any], ...] = self._names, self._strings, self._numbers, self._exprs, self._different
        if sum(map(len, known)) > _REMEMBERED:
            for each in known:
                each.clear()

    def _kept(self, names: StringSet) -> None:
        self._strings[names.key] = self._strings.get(names.key, (names, self._null))  # identities stay their own

    def fixed(self, spec: int) -> Terminal:
        """The terminal of a SPEC that is always there, see `constrain.ir.schema_rows`."""
        return self._fixed[spec]

    def string(self, texts: StringSet) -> Terminal:
        """Strings of a set, in quotes."""
        known = self._strings.get(("value", texts.key))
        if known is None:
            name = "string" if texts.is_all else "one of the strings" if texts.only is not None else "such a string"
            terminal = Terminal(name, self._speller.string(texts.expr()))
            known = self._strings["value", texts.key] = texts, terminal
        return known[1]

    def number(self, known: numbers.NumberSet) -> Terminal:
        """Numbers of a set."""
        terminal = self._numbers.get(known)
        if terminal is None:
            expr = self._plain(known) if self._plain_integers else expression(known)
            terminal = self._numbers[known] = Terminal("number", expr)
        return terminal

    @staticmethod
    def _plain(known: numbers.NumberSet) -> Expr:
        """The texts of numbers, without fraction and exponent where a set of them has integers only."""
        whole = tuple([part for part in known if numbers.is_whole(part)])
        rest = tuple([part for part in known if not numbers.is_whole(part)])
        plain = And((expression(whole), _DIGITS))
        return alt([plain, expression(rest)]) if rest else plain

    def _ended_name(self, names: StringSet, text: Expr) -> Expr:
        """A property name and its colon: one value for equal sets, so that what is worked out for it is shared."""
        key = ("name", StringSet(names.only, parts=names.parts).key)
        known = self._exprs.get(key)
        if known is None:
            known = self._exprs[key] = concat([text, self._colon])
        return known


@lru_cache(maxsize=50_000)
def spelled_name(name: str) -> Expr:
    """The spellings of a property name, in quotes."""
    return concat([_QUOTE, spelled_text(name), _QUOTE])


def _meaning(name: Hashable) -> bytes:
    """What the string of a property name means."""
    assert isinstance(name, str)
    return name.encode()


@lru_cache(maxsize=50_000)
def _spelled_item(end: Expr, value: tuple[type, Any]) -> Expr:
    """The texts of an item, and its end."""
    kind, item = value
    if kind is str:
        return spelled_name(item)
    if kind is Decimal:
        return Concat((expression(numbers.exactly(item)), end))
    return Concat((Literal(json.dumps(item).encode()), end))


_QUOTE = Literal(b'"')


def _fixed(text: str) -> Terminal:
    return Terminal(text, Literal(text.encode()))


@lru_cache(maxsize=32)
def texts_of(layout: Layout, every_way: bool, plain_integers: bool = False) -> Texts:
    """The terminals of a layout; with listed strings spelled in every way, or plainly; with integers that must not
    have a fraction or an exponent, not even an empty one, or may."""
    return Texts(layout, every_way, plain_integers)


@lru_cache(maxsize=1)
def common_terminals() -> tuple[Expr, ...]:
    """The terminals that most schemas have, by the default settings: what they allow is worth storing."""
    texts = texts_of(LAYOUTS["bounded"], False)
    string = texts.string(strings.ALL).expr
    found = [string, concat([string, texts._colon]), *[texts.number(known).expr for known in _COMMON_NUMBERS]]
    found += [texts._speller.string(FORMATS[name]()) for name in _COMMON_FORMATS]
    ends = (texts.open_array, texts.close_array, texts.open_object, texts.close_object, texts.comma)
    return (*found, *[end.expr for end in ends])


_COMMON_NUMBERS = (numbers.ALL, numbers.multiples_of(1), numbers.bounded(0, True, False))
_COMMON_FORMATS = ("date", "time", "date-time", "uuid", "ipv4")
