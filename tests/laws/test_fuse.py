"""Fused loops denote the same texts as before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.recogniser import recognises

from constrain.ir.expr import Repeat
from constrain.ir.fuse import fuse
from constrain.ir.grammar import Body, Either, Grammar, Many, Seq, Terminal
from constrain.specs.lark import parse_lark

GRAMMARS = {
    "letters": "start: LETTER+\nLETTER: /[a-h]/",
    "letters and groups": 'start: (LETTER | group)+\ngroup: "(" start ")"\nLETTER: /[a-h]/',
    "perhaps none": 'start: (LETTER | group)*\ngroup: "(" start ")"\nLETTER: /[a-h]/',
    "with a suffix": 'start: item+\nitem: (LETTER | group) "*"?\ngroup: "(" start ")"\nLETTER: /[a-h]/',
    "rounds that may be empty": 'start: (LETTER* | group)+\ngroup: "(" start ")"\nLETTER: /[a-h]/',
    "a tail that may be empty": 'start: (LETTER "b"? group?)* "a"\ngroup: "(" start ")"\nLETTER: /[a-h]/',
    "loops in loops": 'start: (word | group)+\nword: LETTER+ " "?\ngroup: "(" (start | LETTER)* ")"\nLETTER: /[a-h]/',
}


def terminals(body: Body) -> list[Terminal]:
    """All terminals of a body."""
    match body:
        case Terminal():
            return [body]
        case Seq(parts) | Either(parts):
            return [terminal for part in parts for terminal in terminals(part)]
        case Many(inner):
            return terminals(inner)
        case _:
            return []


@pytest.mark.parametrize("name", GRAMMARS)
def test_loops_are_runs(name: str) -> None:
    """Every one of these grammars has a loop that is worth it."""
    grammar = fuse(parse_lark(GRAMMARS[name]))
    runs = [one for rule in grammar.rules for one in terminals(grammar.rules[rule].body) if one.name.startswith("run")]
    assert runs and all(isinstance(run.expr, Repeat) for run in runs)


@pytest.mark.parametrize("name", GRAMMARS)
@given(text=st.text("ab(*) ", max_size=7))
def test_texts_stay(name: str, text: str) -> None:
    """The same texts are recognised before and after."""
    grammar = parse_lark(GRAMMARS[name])
    assert recognises(fuse(grammar), text.encode()) == recognises(grammar, text.encode())


@pytest.mark.parametrize("reading", ["longest", "ignored text"])
def test_other_grammars_are_left_alone(reading: str) -> None:
    """What is cut where can be seen under longest match, and where text may be ignored."""
    ignore = "" if reading == "longest" else '%ignore " "'
    grammar: Grammar = parse_lark(f"start: LETTER+\nLETTER: /[a-h]/\n{ignore}", longest=reading == "longest")
    assert fuse(grammar) is grammar
