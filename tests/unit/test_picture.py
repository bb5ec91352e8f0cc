"""Pictures of grammars: every edge of the network is there, quoted so that the languages can read it."""

from __future__ import annotations

import re

import pytest

import constrain
from constrain import Vocabulary
from constrain.automaton import TokenAutomaton
from constrain.debug.picture import FORMATS, MOST, _escaped, _quoted, picture
from constrain.debug.trace import rules_of, trace
from constrain.errors import SpecTypeError, UnsupportedError
from constrain.specs.library import library

BYTES = Vocabulary.from_tokens([bytes([b]) for b in range(256)])
LIST = 'start: "[" item ("," item)* "]"\nitem: NAME | start\nNAME: /[a-z]+/'

DOT_STRING = r'"(?:[^"\\]|\\.)*"'
DOT_LINES = (
    r"digraph grammar \{",
    r"  rankdir=.*;",
    r"  node \[.*\]; edge \[.*\];",
    rf"  label={DOT_STRING}; labelloc=t;",
    r"  subgraph cluster_\d+ \{",
    rf"    label={DOT_STRING};",
    r"    begin_\d+ \[shape=point, width=0.05\];",
    r"    begin_\d+ -> r\d+_\d+;",
    rf"    r\d+_\d+(?: \[(?:\w+=(?:\w+|{DOT_STRING})(?:, )?)+\])?;",
    rf"    r\d+_\d+ -> r\d+_\d+ \[label={DOT_STRING}(?:, style=dashed)?\];",
    r"  \}",
    r"\}",
)
MERMAID_STRING = r'"[^"`\[\]{}<>|]*"'
MERMAID_LINES = (
    r"flowchart LR",
    rf"  caption\[{MERMAID_STRING}\]",
    rf"  subgraph g\d+ \[{MERMAID_STRING}\]",
    r"    direction LR",
    rf"    b\d+\[{MERMAID_STRING}\] --> r\d+_\d+",
    rf"    r\d+_\d+\(\({MERMAID_STRING}\)\)",
    rf"    r\d+_\d+\(\(\({MERMAID_STRING}\)\)\)",
    rf"    r\d+_\d+ -- {MERMAID_STRING} --> r\d+_\d+",
    rf"    r\d+_\d+ -\. {MERMAID_STRING} \.-> r\d+_\d+",
    r"  end",
    r"  classDef here fill:gold",
    r"  class r\d+_\d+(?:,r\d+_\d+)* here",
)
LINES = {"dot": DOT_LINES, "mermaid": MERMAID_LINES}


def compiled(spec: constrain.Spec) -> TokenAutomaton:
    return constrain.Compiler(BYTES).compile(spec)


def drawn(grammar: str, form: str, text: str | None = None) -> str:
    automaton = compiled(constrain.grammar(grammar))
    return picture(automaton, form, None if text is None else trace(automaton, text.encode()))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", [grammar.name for grammar in library()])
def test_every_line_is_of_the_language(form: str, name: str) -> None:
    automaton = compiled(constrain.grammar_file(name))
    text = picture(automaton, form, trace(automaton, b'{"a'))
    unknown = [line for line in text.splitlines() if not any(re.fullmatch(known, line) for known in LINES[form])]
    assert unknown == []
    lowering = rules_of(automaton)
    assert lowering is not None and 1 <= text.count("subgraph ") <= len(lowering.grammar.rules)  # some become terminals


def test_rules_and_edges() -> None:
    text = drawn(LIST, "dot")
    assert re.findall(r'^    label="(\w+)";', text, re.MULTILINE) == ["start", "item"]
    edges = re.findall(r'\[label="(.*?)"(, style=dashed)?\];', text)
    dashed = ", style=dashed"
    assert sum(style == dashed for _, style in edges) == 2  # the two places of item, after "[" and ",", are one state
    assert {label for label, style in edges if style == dashed} == {"item", "start"}
    assert {label.replace("\\", "") for label, style in edges if not style} == {'"["', '"]"', '","', "NAME"}
    assert "gold" not in text


def test_what_comes_next_is_marked() -> None:
    text = drawn(LIST, "dot", "[a")
    assert r'label="after ' in text
    marked = re.findall(r'^    (r\d+)_\d+ \[.*xlabel="(.*)"\];', text, re.MULTILINE)
    assert {(rule, names.replace("\\", "")) for rule, names in marked} == {("r1", '",", "]"'), ("r2", "NAME …")}
    assert "class r" in drawn(LIST, "mermaid", "[a")


def test_the_end_is_named() -> None:
    assert "after 'a': nothing, or the end" in drawn('start: "a"', "dot", "a")


def test_long_repetitions_are_cut_short() -> None:
    text = drawn('start: ("a" x)~1000\nx: "b"', "dot")
    assert "start (cut short)" in text
    assert len(re.findall(r"^    r1_\d+(?: \[.*\])?;", text, re.MULTILINE)) == MOST


def test_quotes() -> None:
    assert _quoted('a"\\\n') == r'"a\"\\\\n"'
    assert _escaped("a`[\n") == '"a#96;#91;#92;n"'


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UnsupportedError, match="rules of a grammar"):
        picture(compiled(constrain.regex("a")))
    with pytest.raises(SpecTypeError, match="one of dot, mermaid"):
        picture(compiled(constrain.grammar('start: "a"')), "svg")
