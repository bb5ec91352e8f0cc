"""Any JSON value, as a grammar.

Out: a `Grammar` for RFC 8259 with one space or none after `,` and `:`, and no other whitespace. Its rules are named
("json", ..), as no rule of a text is. Escaped surrogates come in pairs only, so that every string has a UTF-8 form.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache

from constrain.ir.expr import Literal
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Rule, Seq, Terminal
from constrain.specs.regex import parse_regex

_SCALAR = r"(?:[0-9a-ce-fA-CE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})"
_PAIR = r"[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_STRING = rf'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u(?:{_SCALAR}|{_PAIR})))*"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"


@cache
def json_value() -> Grammar:
    """The grammar of every JSON value."""
    value = ("json", "value")
    string = Terminal("JSON string", parse_regex(_STRING))
    number = Terminal("JSON number", parse_regex(_NUMBER))
    comma, colon = Terminal("JSON comma", parse_regex(", ?")), Terminal("JSON colon", parse_regex(": ?"))
    words = tuple(_literal(word) for word in ("true", "false", "null"))
    composed = (Call(("json", "object")), Call(("json", "array")))
    member = Seq((string, colon, Call(value)))
    rules: dict[Hashable, Rule] = {
        value: Rule(Either((string, number, *words, *composed))),
        ("json", "object"): Rule(_listed("{", member, comma, "}")),
        ("json", "array"): Rule(_listed("[", Call(value), comma, "]")),
    }
    return Grammar(rules, value)


def _listed(opening: str, item: Body, comma: Body, closing: str) -> Body:
    items = Seq((item, Many(Seq((comma, item)), 0, None)))
    return Seq((_literal(opening), Many(items, 0, 1), _literal(closing)))


def _literal(text: str) -> Terminal:
    return Terminal(f'"{text}"', Literal(text.encode()), 1)
