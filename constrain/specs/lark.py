r"""Grammars in Lark's syntax to grammars as values.

In:  a text as lark reads it (https://lark-parser.readthedocs.io/en/latest/grammar.html), imports included.
Out: a `constrain.ir.grammar.Grammar`.

What only shapes lark's trees (aliases, `?rule`, `!rule`, names that begin with `_`) and the priorities of rules change
nothing here: they do not touch which texts a grammar denotes. What differs from lark:
* a comment `// Reading: longest` or `// Reading: scannerless` (the default) at the head of a file says how text is cut
  into terminals; lark's `dynamic_complete` lexer is the scannerless one, its other lexers are forms of longest match;
* `<|name|>`, `<[1-5,9]>`, `%json {..}` and `%regex {..}` mean what they mean in llguidance;
* a regular expression is a group of its own: `/a|b/ "c"` is `(a|b)c`, where lark joins texts and reads `a|bc`;
* escapes in regular expressions are read by the regular expression alone: `/\x2b/` is a plus sign, not a repetition;
* `"select"i` ignores the case of ASCII letters only, if it holds no others: lark lets a long s stand for the s;
* `*?` is `*`. The terminals of lark's library that rely on it are replaced (`lark_text.CLOSED_FORMS`);
* assertions in a terminal see this terminal only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lark import Token

from constrain.errors import ConstrainError, LimitExceeded
from constrain.ir.expr import Words
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Rule, Seq, Terminal
from constrain.ir.join import Combined, Renamed, cost_of
from constrain.limits import Limits
from constrain.specs.json_value import json_value
from constrain.specs.lark_terminals import LarkTerminals, bounds, substrings, token_of
from constrain.specs.lark_text import (
    Definition,
    Definitions,
    Node,
    Scope,
    covered,
    load,
    references,
    start_of,
    undeclared,
)
from constrain.specs.source import SourceText
from constrain.specs.special import special

JsonRule = Callable[[Any], Grammar | None]
"""JSON Schema -> its grammar, None if it is not supported."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a grammar that works: where and what."""

    line: int
    column: int
    message: str


def parse_lark(
    text: str,
    start: str = "start",
    *,
    longest: bool | None = None,
    folder: Path | None = None,
    source: str = "<grammar>",
    limits: Limits | None = None,
    json_rule: JsonRule | None = None,
) -> Grammar:
    r"""The grammar of a text in Lark's syntax, from the rule `start` on.

    `longest` overrides what the head of the text says; `folder` is where `%import .file.name` looks; `source` is what
    errors call the text. Raises GrammarSyntaxError, UnsupportedError, LimitExceeded.

    >>> grammar = parse_lark('// Reading: longest\nstart: "a"+')
    >>> loop = grammar.rules["start"].body
    >>> grammar.longest, loop.body.name, loop.body.expr, loop.low, loop.high
    (True, '"a"', Literal(data=b'a'), 1, None)
    """
    written = SourceText(source, text)
    reading = _reading(written)
    try:
        definitions = load(written, folder)
        chosen = reading if longest is None else longest
        rules = _Rules(definitions, limits or Limits(), any_json if chosen or json_rule is None else json_rule)
        reachable = rules.reachable(start)
        rules.check_the_rest()
        ignore = rules.terminals.ignored()
    except RecursionError:
        raise written.error("the grammar is nested too deeply", 0) from None
    return Grammar(reachable, start, ignore, chosen, cost_of(rules.added) if rules.added else None)


def check_lark(text: str, start: str = "start", *, folder: Path | None = None, source: str = "<grammar>") -> list[Note]:
    r"""What in a grammar that parses is of no use or may surprise: unused rules and terminals, lazy quantifiers.

    Raises as `parse_lark` does.

    >>> check_lark('start: "a"\nB: "b"')
    [Note(line=2, column=1, message='terminal B is not used')]
    """
    parse_lark(text, start, folder=folder, source=source, json_rule=lambda schema: json_value())
    definitions = load(SourceText(source, text), folder)
    notes = _unused(definitions, start)
    for one in definitions.own():
        notes += [_lazy(scope.source, token) for scope, tree in one.parts for token in _regexes(tree)]
    notes += [_lazy(scope.source, token) for scope, tree in definitions.ignored for token in _regexes(tree)]
    return sorted(notes, key=lambda note: (note.line, note.column))


def any_json(schema: Any) -> Grammar | None:
    """The grammar for the schemas that allow every JSON value."""
    return json_value() if schema is True or schema == {} else None


# ---- the head of a file, and remarks

_HEAD = re.compile(r"(?:[ \t]*(?:(?://|#)[^\n]*)?\n)*[ \t]*(?:(?://|#)[^\n]*)?")
_READING = re.compile(r"(?://|#)[ \t]*Reading:[ \t]*([^\n]*?)[ \t\r]*$", re.MULTILINE)
_LAZY = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|([*+?}]\?)", re.DOTALL)


def _reading(source: SourceText) -> bool:
    """Whether the comments at the head choose longest match."""
    head = _HEAD.match(source.text)
    found = _READING.search(source.text, 0, head.end() if head else 0)
    if found is None:
        return False
    if found.group(1) not in ("longest", "scannerless"):
        raise source.error(f"unknown reading {found.group(1)!r}", found.start(1), ("longest", "scannerless"))
    return found.group(1) == "longest"


def _unused(definitions: Definitions, start: str) -> list[Note]:
    """Remarks on what a grammar defines and never comes to."""
    used = {name: _names_in(one.parts) for name, one in definitions.named.items()}
    reached = {start} | _names_in(definitions.ignored)
    waiting = list(reached)
    while waiting:
        more = used.get(waiting.pop(), set()) - reached
        reached |= more
        waiting += more
    notes = []
    for one in definitions.own():
        if one.name not in reached:
            elsewhere = any(one.name in names for name, names in used.items() if name != one.name)
            what = f"cannot be reached from {start}" if elsewhere else "is not used"
            kind = "terminal" if one.is_terminal else "rule"
            place = definitions.source.place(start_of(one.token))
            notes.append(Note(*place, f"{kind} {one.token} {what}"))
    return notes


def _lazy(source: SourceText, token: Token) -> Note:
    message = f"{token}: a lazy quantifier is read as a greedy one; say which characters may come before the end"
    return Note(*source.place(start_of(token)), message)


def _regexes(tree: Node) -> list[Token]:
    """The regular expressions with lazy quantifiers."""
    tokens = tree.scan_values(lambda value: isinstance(value, Token) and value.type == "REGEXP")
    return [token for token in tokens if any(found.group(1) for found in _LAZY.finditer(token))]


def _names_in(parts: Iterable[tuple[Scope, Node]]) -> set[str]:
    """Rules and terminals that trees refer to, under their names in the grammar."""
    return {scope.rename(str(node.children[0])) for scope, tree in parts for node in references(tree)}


# ---- rules


@dataclass(slots=True)
class _Rules:
    """Rules of a grammar, made when first called."""

    definitions: Definitions
    limits: Limits
    json_rule: JsonRule
    terminals: LarkTerminals = field(init=False)
    _made: dict[Hashable, Rule] = field(default_factory=dict)
    _waiting: list[tuple[Hashable, Definition, Mapping[str, Body]]] = field(default_factory=list)
    _instances: dict[Hashable, Hashable] = field(default_factory=dict)
    added: dict[Hashable, Renamed] = field(default_factory=dict)
    """The grammars of JSON Schemas."""

    def __post_init__(self) -> None:
        self.terminals = LarkTerminals(self.definitions, self.limits)

    def reachable(self, start: str) -> Mapping[Hashable, Rule]:
        """The rules that `start` leads to."""
        made = self.definitions.named.get(start)
        if made is None or made.is_terminal or made.params:
            names = [str(one.token) for one in self.definitions.own() if not one.is_terminal and not one.params]
            message = f"there is no rule {start} to start with; the rules are {', '.join(names) or 'none'}"
            raise self.definitions.source.error(message, 0)
        self._instance(made, ())
        self._lower_all()
        rules = dict(self._made)
        return Combined(rules, self.added) if self.added else rules

    def check_the_rest(self) -> None:
        """Raise for what is wrong in rules and terminals of the text that are not used."""
        for one in self.definitions.own():
            if one.is_terminal:
                self.terminals.check(one)
            else:
                self._instance(one, (Seq(()),) * len(one.params))
        self._lower_all()

    def _lower_all(self) -> None:
        while self._waiting:
            name, made, arguments = self._waiting.pop()
            if not made.parts:
                raise undeclared(made)
            self._made[name] = Rule(_either([self._body(scope, tree, arguments) for scope, tree in made.parts]))

    def _instance(self, made: Definition, arguments: tuple[Body, ...]) -> Call:
        """A call of the rule, or of the template with these arguments."""
        key = (made.name, arguments)
        if key not in self._instances:
            self._instances[key] = made.name if not arguments else (made.name, len(self._instances))
            if len(self._instances) > self.limits.rules:
                what = f"template {made.name}, whose arguments may grow when it calls itself" if arguments else "rules"
                raise LimitExceeded("rules", len(self._instances), self.limits.rules, what)
            self._waiting.append((self._instances[key], made, dict(zip(made.params, arguments))))
        return Call(self._instances[key])

    def _body(self, scope: Scope, node: Node, arguments: Mapping[str, Body]) -> Body:
        children: list[Any] = node.children
        match node.data:
            case "expansions":
                return _either([self._body(scope, child, arguments) for child in children])
            case "expansion":
                parts = [self._body(scope, child, arguments) for child in children]
                return parts[0] if len(parts) == 1 else Seq(tuple(parts))
            case "alias":
                return self._body(scope, children[0], arguments)
            case "expr" | "maybe":
                return Many(self._body(scope, children[0], arguments), *bounds(scope.source, node, self.limits))
        return self._value(scope, children[0], arguments)

    def _value(self, scope: Scope, node: Node, arguments: Mapping[str, Body]) -> Body:
        match node.data:
            case "terminal":
                return self.terminals.named(scope, token_of(node))
            case "nonterminal":
                return self._call(scope, token_of(node), [], arguments)
            case "template_usage":
                name, *values = node.children
                given = [self._value(scope, value.children[0], arguments) for value in values]  # type: ignore
                return self._call(scope, token_of(name), given, arguments)
            case "special":
                return special(scope.source, str(token_of(node)), start_of(node))
            case "covered":
                return self._covered(scope, node)
        return self.terminals.anonymous(scope, node)

    def _call(self, scope: Scope, token: Token, given: list[Body], arguments: Mapping[str, Body]) -> Body:
        if token in arguments:
            if given:
                raise scope.source.error(f"parameter {token} cannot take arguments of its own", start_of(token))
            return arguments[token]
        made = self.definitions.named.get(scope.rename(str(token)))
        if made is None:
            raise self.definitions.unknown(scope, token, arguments)
        if len(made.params) != len(given):
            message = f"{token} takes {len(made.params)} arguments, not {len(given)}"
            raise scope.source.error(message, start_of(token))
        return self._instance(made, tuple(given))

    def _covered(self, scope: Scope, node: Node) -> Body:
        """`%json ..` and `%regex ..`."""
        token = token_of(node)
        keyword, value = covered(scope.source, token)
        if keyword == "%regex":
            words = tuple(word for word in substrings(scope.source, token, self.limits) if word)
            name = scope.source.text[start_of(token) : token.end_pos]
            return Many(Terminal(name, Words(words)), 0, 1) if words else Seq(())
        key = ("json", json.dumps(value))
        if key not in self.added:
            try:
                grammar = self.json_rule(value)
                made = None if grammar is None else Renamed(key, grammar)
            except ConstrainError as error:
                raise scope.source.unsupported(f"%json: {error}", start_of(token)) from None
            if made is None:
                message = (
                    "%json: only true and {}, which allow any value, are supported under longest match; read the "
                    "grammar in every way (// Reading: scannerless), or write the structure as rules"
                )
                raise scope.source.unsupported(message, start_of(token))
            self.added[key] = made
        return self.added[key].start


def _either(parts: list[Body]) -> Body:
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
