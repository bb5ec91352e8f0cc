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
* `*?` is `*`. The terminals of lark's library that rely on it are replaced (`lark_text.CLOSED_FORMS`);
* assertions in a terminal see this terminal only.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from lark import Token

from constrain.errors import ConstrainError, LimitExceeded
from constrain.frontends.json_value import json_value
from constrain.frontends.lark_text import (
    MAX_NESTING,
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
from constrain.frontends.regex import parse_regex
from constrain.frontends.source import Source
from constrain.frontends.special import special
from constrain.ir.expr import Alt, Chars, Closed, Concat, Expr, Literal, Repeat, Words, alt, concat
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Rule, Seq, Terminal
from constrain.limits import Limits

JsonRule = Callable[[Any], Grammar | None]
"""JSON schema -> its grammar, None if it is not supported. Rules are not named by strings, and equal names denote equal
rules in all that it returns."""


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
    >>> grammar.longest, grammar.rules["start"].body
    (True, Many(body=Terminal(name='"a"', expr=Literal(data=b'a'), priority=1), low=1, high=None))
    """
    written = Source(source, text)
    reading = _reading(written)
    try:
        definitions = load(written, folder)
        rules = _Rules(definitions, limits or Limits(), json_rule or any_json)
        reachable = rules.reachable(start)
        rules.check_the_rest()
        ignore = rules.terminals.ignored()
    except RecursionError:
        raise written.error("the grammar is nested too deeply", 0) from None
    return Grammar(reachable, start, ignore, reading if longest is None else longest)


def check_lark(text: str, start: str = "start", *, folder: Path | None = None, source: str = "<grammar>") -> list[Note]:
    r"""What in a grammar that parses is of no use or may surprise: unused rules and terminals, lazy quantifiers.

    Raises as `parse_lark` does.

    >>> check_lark('start: "a"\nB: "b"')
    [Note(line=2, column=1, message='terminal B is not used')]
    """
    parse_lark(text, start, folder=folder, source=source)
    definitions = load(Source(source, text), folder)
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


def _reading(source: Source) -> bool:
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


def _lazy(source: Source, token: Token) -> Note:
    message = f"{token}: a lazy quantifier is read as a greedy one; say which characters may come before the end"
    return Note(*source.place(start_of(token)), message)


def _regexes(tree: Node) -> list[Token]:
    """The regular expressions with lazy quantifiers."""
    tokens = tree.scan_values(lambda value: isinstance(value, Token) and value.type == "REGEXP")
    return [token for token in tokens if any(found.group(1) for found in _LAZY.finditer(token))]


def _names_in(parts: Iterable[tuple[Scope, Node]]) -> set[str]:
    """Rules and terminals that trees refer to, under their names in the grammar."""
    return {scope.rename(str(node.children[0])) for scope, tree in parts for node in references(tree)}


# ---- terminals


@dataclass(frozen=True, slots=True)
class _Sized:
    """An expression, how many nodes it has and how deep they are nested; shared ones count every time."""

    expr: Expr
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class _Terminals:
    """Terminals of a grammar, made when first used."""

    definitions: Definitions
    limits: Limits
    _named: dict[str, tuple[Terminal, _Sized]] = field(default_factory=dict)
    _anonymous: dict[str, Terminal] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _spellings: dict[str, Token] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Remember which literals have a name: in a rule they stand for that terminal, as in lark."""
        for one in self.definitions.own():
            only = _only(one.parts[0][1]) if one.is_terminal and len(one.parts) == 1 else None
            if only is not None and only.data == "literal":
                self._spellings[str(only.children[0])] = one.token

    def named(self, scope: Scope, token: Token) -> Terminal:
        """The terminal that a name in a rule stands for; one that others are made of may match the empty string."""
        made = self._made(scope, token)[0]
        definition = self.definitions.named[made.name]
        return _checked(definition.scope.source, made, start_of(definition.token))

    def check(self, one: Definition) -> None:
        """Raise if a terminal is wrong in itself."""
        self._made(Scope(one.scope.source, str), one.token)

    def anonymous(self, scope: Scope, node: Node) -> Terminal:
        """The terminal that a string, a regular expression or a range in a rule stands for."""
        begin, end = start_of(node), _end_of(node)
        spelled = scope.source.text[begin:end]
        if spelled in self._spellings:
            return self.named(Scope(self.definitions.source, str), self._spellings[spelled])
        if spelled not in self._anonymous:
            expr = self._value(scope, node).expr
            plain = node.data == "literal" and spelled.startswith('"')
            self._anonymous[spelled] = _checked(scope.source, _terminal(spelled, expr, int(plain)), begin)
        return self._anonymous[spelled]

    def ignored(self) -> Terminal | None:
        """All that is ignored, as one terminal."""
        made: list[Terminal] = []
        for scope, tree in self.definitions.ignored:
            only = _only(tree)
            if only.data == "terminal":
                made.append(self.named(scope, _token(only)))
            else:
                plain = only.data == "literal" and _token(only).type == "STRING"
                expr = self._expr(scope, tree).expr
                made.append(_checked(scope.source, _terminal("%ignore", expr, int(plain)), start_of(tree)))
        if not made:
            return None
        every = Repeat(Alt(tuple(one.expr for one in made)), 1, None)
        return Terminal("ignore", every, max(one.priority for one in made))

    def _made(self, scope: Scope, token: Token) -> tuple[Terminal, _Sized]:
        name = scope.rename(str(token))
        if name in self._open:
            message = f"terminal {token} contains itself; only rules, which have lower-case names, may do so"
            raise scope.source.error(message, start_of(token))
        if name not in self._named:
            if name not in self.definitions.named:
                names = self.definitions.names(scope)
                raise scope.source.unknown("terminal", str(token), names, start_of(token))
            self._open.append(name)
            self._named[name] = self._lower(self.definitions.named[name])
            self._open.pop()
        return self._named[name]

    def _lower(self, made: Definition) -> tuple[Terminal, _Sized]:
        if not made.parts:
            raise undeclared(made)
        whole = _joined(_alt, [self._expr(scope, tree) for scope, tree in made.parts])
        source, position = made.scope.source, start_of(made.token)
        if whole.height > MAX_NESTING:
            raise source.error(f"terminal {made.token} is nested more than {MAX_NESTING} deep", position)
        if whole.size > self.limits.expressions:
            raise LimitExceeded("expressions", whole.size, self.limits.expressions, f"terminal {made.token}")
        only = _only(made.parts[0][1])
        plain = only.data == "literal" and _token(only).type == "STRING"
        if only.data == "terminal":
            plain = bool(self._made(made.parts[0][0], _token(only))[0].priority % 2)
        level = 2 * made.priority + (plain and len(made.parts) == 1)
        return _terminal(made.name, whole.expr, level), whole

    def _expr(self, scope: Scope, node: Node) -> _Sized:
        children: list[Any] = node.children
        match node.data:
            case "expansions":
                return _joined(_alt, [self._expr(scope, child) for child in children])
            case "expansion":
                return _joined(concat, [self._expr(scope, child) for child in children])
            case "expr" | "maybe":
                low, high = _bounds(scope.source, node, self.limits)
                return _joined(lambda parts: Repeat(parts[0], low, high), [self._expr(scope, children[0])], always=True)
            case "alias":
                message = "-> names a rule's alternative; there are none in a terminal"
                raise scope.source.error(message, start_of(children[1]))
        return self._value(scope, children[0])

    def _value(self, scope: Scope, node: Node) -> _Sized:
        match node.data:
            case "terminal":
                return self._made(scope, _token(node))[1]
            case "literal":
                token = _token(node)
                expr = _string(scope.source, token) if token.type == "STRING" else _regex(scope.source, token)
                return _Sized(expr, len(token))
            case "range":
                return _Sized(_range(scope.source, node))
            case "covered" if _token(node).startswith("%regex"):
                words = Words(_substrings(scope.source, _token(node), self.limits))
                return _Sized(words, len(words.words))
        position = start_of(node)
        what = scope.source.text[position : _end_of(node)]
        message = f"{what} is no part of a terminal; use it in a rule, which has a lower-case name"
        raise scope.source.error(message, position)


def _joined(build: Callable[[list[Expr]], Expr], parts: list[_Sized], always: bool = False) -> _Sized:
    """Parts built together; one part stands for itself, if not `always`."""
    if len(parts) == 1 and not always:
        return parts[0]
    size, height = sum(part.size for part in parts), max((part.height for part in parts), default=0)
    return _Sized(build([part.expr for part in parts]), size + 1, height + 1)


def _alt(parts: list[Expr]) -> Expr:
    """Alternatives; literals as one list of words."""
    words = [part.data for part in parts if isinstance(part, Literal)]
    return Words(tuple(dict.fromkeys(words))) if len(words) == len(parts) > 1 else alt(parts)


def _terminal(name: str, expr: Expr, priority: int) -> Terminal:
    """A terminal, whose assertions see only itself."""
    return Terminal(name, expr if isinstance(expr, Literal | Words | Chars) else Closed(expr), priority)


def _checked(source: Source, terminal: Terminal, position: int) -> Terminal:
    """The terminal. Raises if it plainly denotes the empty string, or nothing."""
    if may_be_empty(terminal.expr):
        message = (
            f"terminal {terminal.name} matches the empty string; make it match at least one character "
            "(+ instead of *), and write ? after it where it may be missing"
        )
        raise source.error(message, position)
    if denotes_nothing(terminal.expr):
        raise source.error(f"terminal {terminal.name} matches nothing at all", position)
    return terminal


def may_be_empty(expr: Expr) -> bool:
    """Whether the empty string is in the language, as far as that can be seen without search.

    >>> may_be_empty(parse_regex("a*")), may_be_empty(parse_regex("a+"))
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
    """Whether no string is in the language, as far as that can be seen without search."""
    match expr:
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


# ---- literals

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.UNICODE, "l": re.LOCALE}
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "\\": "\\", '"': '"'}


def _unescaped(source: Source, token: Token) -> str:
    """What a quoted string spells. As in lark, a backslash that begins no escape is a backslash."""

    def char(found: re.Match[str]) -> str:
        escape, position = found.group(), start_of(token) + found.start()
        if len(escape) == 2:
            if escape[1] in "xuU":
                raise source.error(f"{escape} needs {dict(x=2, u=4, U=8)[escape[1]]} hexadecimal digits", position)
            return _ESCAPED.get(escape[1], escape)
        code = int(escape[2:], 16)
        if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            raise source.error(f"{escape} is not a character", position)
        return chr(code)

    spelled = _ESCAPE.sub(char, str(token))
    return spelled[1 : spelled.rindex('"')]


def _string(source: Source, token: Token) -> Expr:
    spelled = _unescaped(source, token)
    if not spelled:
        message = 'the empty string "" is not a terminal; leave it out, or write ? after what may be missing'
        raise source.error(message, start_of(token))
    if token.endswith("i"):
        return _open(parse_regex(re.escape(spelled), re.IGNORECASE))
    return Literal(spelled.encode())


def _regex(source: Source, token: Token) -> Expr:
    end = token.rindex("/")
    pattern, letters = token[1:end], token[end + 1 :]
    if "\n" in pattern and "x" not in letters:
        raise source.error("a regular expression without the flag x ends on its line", start_of(token))
    flags = 0
    for letter in letters:
        flags |= _FLAGS[letter]
    try:
        return _open(parse_regex(pattern, flags))
    except ConstrainError as error:
        raise source.moved(error, pattern, start_of(token) + 1) from None


def _range(source: Source, node: Node) -> Expr:
    """`"a".."z"`."""
    ends = []
    for token in node.children:
        assert isinstance(token, Token)
        spelled = _unescaped(source, token)
        if len(spelled) != 1 or not token.endswith('"'):
            raise source.error(f"a range goes from one character to another, not to {token}", start_of(token))
        ends.append(spelled)
    if ends[0] > ends[1]:
        raise source.error(f"the range {node.children[0]}..{node.children[1]} is empty", start_of(node))
    return _open(parse_regex(f"[{re.escape(ends[0])}-{re.escape(ends[1])}]"))


def _open(expr: Expr) -> Expr:
    """A part of a terminal: what is around it in the terminal is seen by its assertions."""
    return expr.body if isinstance(expr, Closed) else expr


def _substrings(source: Source, token: Token, limits: Limits) -> tuple[bytes, ...]:
    """All that some chunks in a row spell, the empty string included."""
    value = covered(source, token)[1]
    keys = ("substring_chunks", "substring_words", "substring_chars")
    key, given = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
    chunks = isinstance(given, list) and all(isinstance(chunk, str) for chunk in given)
    if key not in keys or not (chunks if key == "substring_chunks" else isinstance(given, str)):
        wanted = '{"substring_chunks": [..]}, {"substring_words": ".."} or {"substring_chars": ".."}'
        raise source.error(f"%regex takes {wanted}", start_of(token))
    assert given is not None
    pieces = re.findall(r"\w+|\s+|[^\w\s]+", given) if key == "substring_words" else list(given)
    bounds = list(accumulate(map(len, pieces), initial=0))
    total = sum((i + 1) * (len(pieces) - i) * len(piece) for i, piece in enumerate(pieces))
    if total > limits.pattern_chars:
        raise LimitExceeded("pattern_chars", total, limits.pattern_chars, "the substrings of %regex")
    text = "".join(pieces)
    spans = ((low, high) for i, low in enumerate(bounds) for high in bounds[i + 1 :])
    return tuple(dict.fromkeys([b"", *(text[low:high].encode() for low, high in spans)]))


# ---- rules


@dataclass(slots=True)
class _Rules:
    """Rules of a grammar, made when first called."""

    definitions: Definitions
    limits: Limits
    json_rule: JsonRule
    terminals: _Terminals = field(init=False)
    _made: dict[Hashable, Rule] = field(default_factory=dict)
    _waiting: list[tuple[Hashable, Definition, Mapping[str, Body]]] = field(default_factory=list)
    _instances: dict[Hashable, Hashable] = field(default_factory=dict)
    _added: list[Mapping[Hashable, Rule]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.terminals = _Terminals(self.definitions, self.limits)

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
        return ChainMap(rules, *map(dict, self._added)) if self._added else rules

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
                return Many(self._body(scope, children[0], arguments), *_bounds(scope.source, node, self.limits))
        return self._value(scope, children[0], arguments)

    def _value(self, scope: Scope, node: Node, arguments: Mapping[str, Body]) -> Body:
        match node.data:
            case "terminal":
                return self.terminals.named(scope, _token(node))
            case "nonterminal":
                return self._call(scope, _token(node), [], arguments)
            case "template_usage":
                name, *values = node.children
                given = [self._value(scope, value.children[0], arguments) for value in values]  # type: ignore
                return self._call(scope, _token(name), given, arguments)
            case "special":
                return special(scope.source, str(_token(node)), start_of(node))
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
            names = self.definitions.names(scope)
            raise scope.source.unknown("rule", str(token), [*names, *arguments], start_of(token))
        if len(made.params) != len(given):
            message = f"{token} takes {len(made.params)} arguments, not {len(given)}"
            raise scope.source.error(message, start_of(token))
        return self._instance(made, tuple(given))

    def _covered(self, scope: Scope, node: Node) -> Body:
        """`%json ..` and `%regex ..`."""
        token = _token(node)
        keyword, value = covered(scope.source, token)
        if keyword == "%regex":
            words = tuple(word for word in _substrings(scope.source, token, self.limits) if word)
            name = scope.source.text[start_of(token) : token.end_pos]
            return Many(Terminal(name, Words(words)), 0, 1) if words else Seq(())
        grammar = self.json_rule(value)
        if grammar is None:
            message = (
                "%json: JSON Schema inside of grammars is not supported yet, but for true and {}, which allow any "
                "value; write the structure as rules"
            )
            raise scope.source.unsupported(message, start_of(token))
        if not any(grammar.rules is rules for rules in self._added):
            self._added.append(grammar.rules)
        return Call(grammar.start)


def _either(parts: list[Body]) -> Body:
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


# ---- trees


def _token(node: Any) -> Token:
    """The token that a leaf of the tree is made of."""
    token = node.children[0]
    assert isinstance(token, Token)
    return token


def _only(node: Any) -> Node:
    """What a tree comes down to while it has a single part."""
    while node.data in ("expansions", "expansion", "value") and len(node.children) == 1:
        node = node.children[0]
    return node  # type: ignore[no-any-return]


def _end_of(node: Node) -> int:
    last = node.children[-1]
    return (last.end_pos or 0) if isinstance(last, Token) else _end_of(last)


def _bounds(source: Source, node: Node, limits: Limits) -> tuple[int, int | None]:
    """Least and greatest count of a repetition or an option."""
    if node.data == "maybe":
        return 0, 1
    operator, *numbers = node.children[1:]
    assert isinstance(operator, Token)
    if operator != "~":
        return (1 if operator == "+" else 0), (1 if operator == "?" else None)
    low, high = int(str(numbers[0])), int(str(numbers[-1]))
    if not 0 <= low <= high:
        raise source.error(f"~ {low}..{high} is not a range of counts", start_of(operator))
    if high > limits.repeat:
        raise LimitExceeded("repeat", high, limits.repeat, f"~ {high} in {source.name}")
    return low, high
