"""Context-free grammars: in the syntaxes of Lark and of llama.cpp, by their text, a file, or a name in the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from constrain.errors import SpecTypeError
from constrain.ir.grammar import Grammar
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.base import Spec, check_limit, kind_of
from constrain.specs.library import library_file
from constrain.specs.schema import json_schema


@dataclass(frozen=True, slots=True)
class LarkGrammar(Spec):
    """Texts of a context-free grammar in Lark's syntax; see `constrain.specs.lark`."""

    text: str
    start: str = "start"
    longest: bool | None = None
    folder: str | None = None

    def lower(self, limits: Limits, languages: Languages | None = None) -> Grammar:
        """See `Spec.lower`."""
        check_limit("pattern_chars", len(self.text), limits.pattern_chars, "the grammar")
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

        check_limit("pattern_chars", len(self.text), limits.pattern_chars, "the grammar")
        return parse_gbnf(self.text, self.start)


def _parse_lark(text: str, start: str, **options: Any) -> Grammar:
    from constrain.specs.lark import parse_lark  # lark takes longer to import than all of this package

    return parse_lark(text, start, json_rule=_json, **options)


def _json(schema: Any) -> Grammar:
    """The grammar of what `%json` holds."""
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
        raise SpecTypeError(f"grammar() takes the text of a grammar, not {kind_of(text)}")
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
