"""Grammars in Lark's syntax, read by the front end and decided by the reference recogniser, against lark."""

from __future__ import annotations

from typing import Any

import lark
from hypothesis import assume, given
from hypothesis import strategies as st
from lark.exceptions import GrammarError, UnexpectedInput
from reference.recogniser import recognises
from strategies import as_lark, examples, grammars, texts_for

from constrain.ir.grammar import Grammar
from constrain.specs.lark import parse_lark


def accepts(parser: lark.Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except UnexpectedInput:
        return False
    return True


def larks(text: str, **options: Any) -> lark.Lark:
    """Lark's parser; a grammar that it cannot take (alternatives that turn out the same) is drawn again."""
    try:
        return lark.Lark(text, parser="earley", lexer="dynamic_complete", ambiguity="forest", **options)
    except GrammarError as error:
        assume("defined twice" not in str(error))
        raise


@examples(60)
@given(st.data())
def test_scannerless_as_lark(data: st.DataObject) -> None:
    grammar: Grammar = data.draw(grammars(longest=False))
    if grammar.ignore is not None:
        assume(b"a" not in repr(grammar.ignore.expr).encode())  # lark skips the longest run of it and no shorter one
    text = as_lark(grammar)
    parser, read = larks(text), parse_lark(text)
    for candidate in data.draw(texts_for(grammar)):
        assert recognises(read, candidate) == accepts(parser, candidate.decode()), (text, candidate)


@examples(60)
@given(st.data())
def test_reading_a_written_grammar_gives_it_back(data: st.DataObject) -> None:
    grammar: Grammar = data.draw(grammars())
    read = parse_lark(as_lark(grammar))
    assert (read.longest, read.start, read.ignore) == (grammar.longest, grammar.start, grammar.ignore)
    for candidate in data.draw(texts_for(grammar, 6)):
        assert recognises(read, candidate) == recognises(grammar, candidate), as_lark(grammar)
