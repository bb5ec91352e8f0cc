"""Random grammars, written in GBNF and read again, denote what they did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from reference.recogniser import recognises
from strategies import as_gbnf, examples, grammars, texts_for

from constrain.ir.grammar import Grammar
from constrain.specs.gbnf import parse_gbnf


@examples(60)
@given(st.data())
def test_reading_a_written_grammar_gives_it_back(data: st.DataObject) -> None:
    grammar: Grammar = data.draw(grammars(longest=False, ignore=False))
    text = as_gbnf(grammar)
    read = parse_gbnf(text, "start")
    for candidate in data.draw(texts_for(grammar)):
        assert recognises(read, candidate) == recognises(grammar, candidate), (text, candidate)
