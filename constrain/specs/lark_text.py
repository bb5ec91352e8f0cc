r"""Grammar files in Lark's syntax to definitions: parsing, imports and names.

In:  a text, and the folder that relative imports start from.
Out: `Definitions`: a tree for every rule and terminal, under one name each.

The parser is lark's own (`lark.load_grammar`): it *is* the definition of the syntax. It is not public, so that only
this file touches it; `constraints.txt` pins the version. Two things are added to it, as in the dialect of llguidance:
special tokens (`<|name|>`, `<[1-5,9]>`), and JSON after `%json` and `%regex`. No regular expression matches JSON text,
so that it is found beforehand and covered up with one private character, which keeps every position.

Names follow lark: what a file imports and does not rename is called `file__NAME` inside of the grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lark import Token, Tree
from lark import load_grammar as loader
from lark.common import LexerConf, ParserConf
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.grammar import NonTerminal, Rule, RuleOptions
from lark.lexer import PatternRE, TerminalDef
from lark.parse_tree_builder import ParseTreeBuilder
from lark.parser_frontends import ParsingFrontend

from constrain.errors import GrammarSyntaxError
from constrain.specs.source import SourceText, near
from constrain.specs.special import PATTERN

Node = Tree[Token]

COVER = "\ue000"
"""Stands for a character of JSON text while lark reads the rest."""

MAX_NESTING = 100
"""Brackets inside of brackets, terminals inside of terminals: everything down to the automata recurses along them."""

CLOSED_FORMS = {
    "common": r"""
%override ESCAPED_STRING: /"([^"\\\n]|\\.)*"/
%override C_COMMENT: /\/\*([^*]|\*+[^*\/])*\*+\//
""",
    "python": r"""
%override STRING: /([ubf]?r?|r[ubf])("([^"\\\n]|\\.)*"|'([^'\\\n]|\\.)*')/i
%override LONG_STRING: /([ubf]?r?|r[ubf])("{3}("{0,2}([^"\\]|\\.))*"{3}|'{3}('{0,2}([^'\\]|\\.))*'{3})/is
""",
}
"""What the lazy quantifiers of lark's library are there for, said without them: such a text ends at the first end."""

_EXPECTED = {
    "_NL": "end of line",
    "_NL_OR": "'|'",
    "RULE": "a rule name",
    "TERMINAL": "a terminal name",
    "STRING": "a string",
    "REGEXP": "a /regular expression/",
    "NUMBER": "a number",
    "OP": "'*', '+' or '?'",
    "VALUE": "a name, a string or a /regular expression/",
    "RULE_MODIFIERS": "'!' or '?'",
}
_ONE_CASE = "names of rules are all lower case, of terminals all upper case"
_VALUES = {"RULE", "TERMINAL", "STRING", "REGEXP", "SPECIAL", "COVERED"}


@dataclass(frozen=True, slots=True)
class Scope:
    """A file, and what its names are called in the grammar."""

    source: SourceText
    rename: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Definition:
    """A rule, a template (a rule with parameters) or a terminal: all of `parts` are alternatives. None: `%declare`."""

    name: str
    token: Token
    scope: Scope
    parts: tuple[tuple[Scope, Node], ...]
    params: tuple[str, ...] = ()
    priority: int = 0

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal, which lark tells from the case of a name."""
        return self.token.type == "TERMINAL"


@dataclass(frozen=True, slots=True)
class Definitions:
    """All of a grammar, imports included. `ignored`: what stands after each `%ignore`."""

    source: SourceText
    named: Mapping[str, Definition]
    ignored: tuple[tuple[Scope, Node], ...]

    def own(self) -> Iterator[Definition]:
        """Those that the text itself defines."""
        return (one for one in self.named.values() if one.scope.source is self.source)

    def unknown(self, scope: Scope, token: Token, others: Iterable[str] = ()) -> GrammarSyntaxError:
        """The error for a name in a file that is neither defined there nor one of `others`."""
        source, position = scope.source, start_of(token)
        word = source.word(position)
        if word != str(token) and not (word.islower() or word.isupper()):
            return source.error(f"{word}: {_ONE_CASE}", position)
        there = [str(one.token) for one in self.named.values() if one.scope.source is source]
        names = [*there, *others, *(name for name in self.named if "__" not in name)]
        return source.unknown("terminal" if token.type == "TERMINAL" else "rule", str(token), names, position)


def load(source: SourceText, folder: Path | None = None) -> Definitions:
    """Read a grammar and all that it imports. Raises GrammarSyntaxError, UnsupportedError."""
    loading = _Loading()
    scope = Scope(source, lambda name: name)
    loading.read(scope, parse(source), folder, ())
    return Definitions(source, loading.named, tuple(loading.ignored))


def start_of(node: Node | Token) -> int:
    """Offset of the first token in a tree."""
    waiting: list[Node | Token] = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Token):
            return node.start_pos or 0
        waiting += reversed(node.children)
    return 0


def references(tree: Node) -> list[Node]:
    """The names in a tree, without those that only label an alternative."""
    labels = {id(node.children[1]) for node in tree.find_data("alias")}
    return [
        node for node in tree.iter_subtrees() if node.data in ("terminal", "nonterminal") and id(node) not in labels
    ]


def covered(source: SourceText, token: Token) -> tuple[str, Any]:
    """The keyword and the value of `%json ..` or `%regex ..`."""
    written = source.text[token.start_pos : token.end_pos]
    keyword, body = re.match(r"(%\w+)\s*(.*)", written, re.DOTALL).groups()  # type: ignore[union-attr]
    return keyword, json.loads(body)


# ---- one text


def parse(source: SourceText) -> Node:
    """The tree of a grammar text. Raises GrammarSyntaxError."""
    try:
        tree: Node = _parser().parse(_cover_json(source) + "\n", "start")
    except UnexpectedInput as error:
        raise _syntax_error(source, error) from None
    _check_nesting(source, tree)
    return tree


def _check_nesting(source: SourceText, tree: Node) -> None:
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise source.error(f"brackets are nested more than {MAX_NESTING} deep", start_of(node))
        inside = depth + (node.data in ("expansions", "maybe", "template_usage"))
        waiting += [(child, inside) for child in node.children if isinstance(child, Tree)]


@cache
def _parser() -> Any:
    """Lark's parser of grammars, for this dialect."""
    terminals = {
        **loader.TERMINALS,
        "SPECIAL": PATTERN,
        "COVERED": rf"%(json|regex)\s*{COVER}([{COVER}\n]*{COVER})?",
    }
    rules = {**loader.RULES, "value": [*loader.RULES["value"], "special", "covered"]}
    rules |= {"special": ["SPECIAL"], "covered": ["COVERED"]}
    symbol: Callable[[str], Any] = loader.symbol_from_strcase
    made = [
        Rule(
            NonTerminal(name.lstrip("?")),
            [symbol(name) for name in expansion.split()],
            order,
            None,
            RuleOptions(expand1=name.startswith("?")),
        )
        for name, expansions in rules.items()
        for order, expansion in enumerate(expansions)
    ]
    builder: Any = ParseTreeBuilder
    callbacks = builder(made, Tree).create_callback()
    patterns = [TerminalDef(name, PatternRE(pattern)) for name, pattern in terminals.items()]
    lexer = LexerConf(patterns, re, ["WS", "COMMENT", "BACKSLASH"])
    lexer.lexer_type = "basic"
    parser = ParserConf(made, callbacks, ["start"])  # type: ignore[arg-type]
    parser.parser_type = "lalr"
    return ParsingFrontend(lexer, parser, None)  # type: ignore[arg-type]


_SKIPPED = "|".join(loader.TERMINALS[name] for name in ("COMMENT", "STRING", "REGEXP"))
_JSON = re.compile(rf"(%(?:json|regex)(?![\w]))\s*|{_SKIPPED}")


def _cover_json(source: SourceText) -> str:
    """The text with `COVER` for every character, but line breaks, of JSON after %json and %regex."""
    text, done, pieces = source.text, 0, []
    while found := _JSON.search(text, done):
        pieces.append(text[done : found.end()])
        done = found.end()
        if found.group(1):
            done = _end_of_json(source, found.group(1), done)
            pieces.append(re.sub(".", COVER, text[found.end() : done]))
    return "".join([*pieces, text[done:]])


def _end_of_json(source: SourceText, keyword: str, start: int) -> int:
    try:
        return json.JSONDecoder().raw_decode(source.text, start)[1]
    except json.JSONDecodeError as error:
        raise source.error(f"the JSON after {keyword} does not parse: {error.msg.lower()}", error.pos) from None
    except RecursionError:
        raise source.error(f"the JSON after {keyword} is nested too deeply", start) from None


def _syntax_error(source: SourceText, error: UnexpectedInput) -> GrammarSyntaxError:
    """Lark's error in this package's words."""
    position = min(error.pos_in_stream or 0, len(source.text))
    if isinstance(error, UnexpectedCharacters):
        char = source.text[position]
        what = {'"': "a string that does not end on its line", "/": "a regular expression that does not end"}
        return source.error(what.get(char, f"unexpected character {char!r}"), position)
    if not isinstance(error, UnexpectedToken):
        return source.error("unexpected end of the text", len(source.text))
    accepted = sorted(error.accepts or error.expected)
    if error.token.type in ("_NL", "$END"):
        closing = [bracket for name, bracket in (("_RPAR", "( )"), ("_RBRA", "[ ]")) if name in accepted]
        what_ended = f"unclosed {closing[0]}, the line ends" if closing else "the line ends too early"
        return source.error(what_ended, position, _in_words(accepted))
    word = source.word(position)
    if error.token.type in ("RULE", "TERMINAL") and word != str(error.token):
        return source.error(f"{word}: {_ONE_CASE}", position)
    return source.error(f"unexpected {str(error.token)!r}", position, _in_words(accepted))


def _in_words(names: list[str]) -> list[str]:
    def word(name: str) -> str:
        literal = loader.TERMINALS.get(name, name).replace("\\", "")
        return _EXPECTED.get(name) or repr(literal.split("(?!")[0])

    if _VALUES <= set(names):
        names = ["VALUE", *(name for name in names if name not in _VALUES)]
    return list(dict.fromkeys(word(name) for name in names if name != "$END"))


# ---- definitions and imports


@dataclass(slots=True)
class _Loading:
    """Collects the definitions of a grammar and of what it imports."""

    named: dict[str, Definition] = field(default_factory=dict)
    ignored: list[tuple[Scope, Node]] = field(default_factory=list)

    def read(self, scope: Scope, tree: Node, folder: Path | None, importing: tuple[str, ...]) -> None:
        """Add what a file defines. `importing` are the files that are being read."""
        for paths, aliases, token in _imports(scope.source, tree):
            self._import(scope, paths, aliases, token, folder, importing)
        for statement in tree.children:
            assert isinstance(statement, Tree)
            kind = statement.data
            if kind in ("rule", "term"):
                self._define(_definition(scope, statement))
            elif kind in ("override", "extend"):
                self._redefine(str(kind), _definition(scope, statement.children[0]))
            elif kind == "ignore" and not importing:
                self.ignored.append((scope, statement.children[0]))  # type: ignore[arg-type]
            elif kind == "declare":
                self._declare(scope, statement, imported=bool(importing))

    def _define(self, made: Definition) -> None:
        if made.name in self.named:
            raise made.scope.source.error(f"{made.token} is defined twice", start_of(made.token))
        self.named[made.name] = made

    def _redefine(self, kind: str, made: Definition) -> None:
        old = self.named.get(made.name)
        if old is None:
            raise made.scope.source.error(f"%{kind} of {made.token}, which is not defined before", start_of(made.token))
        if kind == "extend":
            if old.params != made.params:
                raise made.scope.source.error(f"%extend of {made.token} with other parameters", start_of(made.token))
            made = Definition(old.name, old.token, old.scope, (*made.parts, *old.parts), old.params, old.priority)
        self.named[made.name] = made

    def _declare(self, scope: Scope, statement: Node, imported: bool) -> None:
        for symbol in statement.children:
            assert isinstance(symbol, Tree) and isinstance(symbol.children[0], Token)
            token = symbol.children[0]
            made = Definition(scope.rename(str(token)), token, scope, ())
            if not imported:
                raise undeclared(made)
            self._define(made)

    def _import(
        self,
        scope: Scope,
        path: tuple[str, ...],
        aliases: Mapping[str, str],
        token: Token,
        folder: Path | None,
        importing: tuple[str, ...],
    ) -> None:
        """Read the file at `path`; a relative one begins with an empty name."""
        relative, parts = path[0] == "", path[1:] if path[0] == "" else path
        if relative:
            inner, tree, below = _relative(scope.source, parts, token, folder)
        else:
            inner, tree = _library(scope.source, parts, token)
            below = None
        if inner.name in importing:
            raise scope.source.error(f"{inner.name} imports itself", start_of(token))
        prefix = "__".join(parts)

        def rename(name: str) -> str:
            hidden = f"_{prefix}__{name[1:]}" if name.startswith("_") else f"{prefix}__{name}"
            return scope.rename(aliases.get(name, hidden))

        self.read(Scope(inner, rename), tree, below, (*importing, inner.name))
        known = [str(one.token) for one in self.named.values() if one.scope.source is inner]
        for name in aliases:
            if rename(name) not in self.named:
                close = near(name, known)
                hint = f"; did you mean {' or '.join(close)}?" if close else ""
                raise scope.source.error(f"{inner.name} defines no {name}{hint}", start_of(token))


def undeclared(made: Definition) -> Exception:
    """The error for a name that is only declared."""
    message = (
        f"%declare {made.token}: not supported, because what it stands for is decided by code outside of the grammar; "
        f"define {made.token} in the grammar instead"
    )
    return made.scope.source.unsupported(message, start_of(made.token))


def _definition(scope: Scope, tree: Any) -> Definition:
    """A `rule` or a `term` of lark's tree."""
    if tree.data == "term":
        token, *priority, body = tree.children
        level = int(priority[0]) if priority else 0
        return Definition(scope.rename(str(token)), token, scope, ((scope, body),), (), level)
    _, token, params, _, body = tree.children
    names = tuple(map(str, params.children))
    for i, name in enumerate(params.children):
        if name in names[:i]:
            raise scope.source.error(f"parameter {name} of {token} is there twice", start_of(name))
    return Definition(scope.rename(str(token)), token, scope, ((scope, body),), names)


def _imports(source: SourceText, tree: Node) -> list[tuple[tuple[str, ...], dict[str, str], Token]]:
    """For every file that is imported: its path, name -> name here, and where."""
    found: dict[tuple[str, ...], tuple[dict[str, str], Token]] = {}
    for statement in tree.children:
        if not isinstance(statement, Tree) or statement.data != "import":
            continue
        where: Any = statement.children[0]
        last: Any = statement.children[1] if len(statement.children) > 1 else None
        path = [str(name) for name in where.children]
        if isinstance(last, Tree):
            aliases = {str(name): str(name) for name in last.children}
        elif len(path) == 1:
            raise source.error(f"%import of nothing: write %import {path[0]}.NAME", start_of(where))
        else:
            name = path.pop()
            aliases = {name: str(last or name)}
        key = ("", *path) if where.data == "import_rel" else tuple(path)
        found.setdefault(key, ({}, where.children[0]))[0].update(aliases)
    return [(path, aliases, token) for path, (aliases, token) in found.items()]


def _relative(
    source: SourceText, parts: tuple[str, ...], token: Token, folder: Path | None
) -> tuple[SourceText, Node, Path]:
    if folder is None:
        message = f"%import .{'.'.join(parts)}: a relative import, and the grammar has no folder; give folder="
        raise source.error(message, start_of(token))
    path = folder.joinpath(*parts).with_suffix(".lark")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise source.error(f"%import: cannot read {path}: {reason}", start_of(token)) from None
    inner = SourceText(str(path), text)
    return inner, parse(inner), path.parent


def _library(source: SourceText, parts: tuple[str, ...], token: Token) -> tuple[SourceText, Node]:
    found = _library_files()
    if len(parts) != 1 or parts[0] not in found:
        name = ".".join(parts)
        message = (
            f"%import {name}: lark's library has {', '.join(found)}; for a file of your own, write %import .{name}"
        )
        raise source.error(message, start_of(token))
    return _library_file(parts[0])


@cache
def _library_files() -> list[str]:
    return sorted(Path(one.name).stem for one in files("lark.grammars").iterdir() if one.name.endswith(".lark"))


@cache
def _library_file(name: str) -> tuple[SourceText, Node]:
    text = files("lark.grammars").joinpath(f"{name}.lark").read_text("utf-8") + CLOSED_FORMS.get(name, "")
    source = SourceText(name, text)
    return source, parse(source)
