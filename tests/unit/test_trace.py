"""Traces: what was open at each byte, against the automaton itself and against grammars whose answers are known."""

from __future__ import annotations

import itertools

import pytest

import constrain
from constrain import Vocabulary
from constrain.automaton import TokenAutomaton
from constrain.contextfree import GrammarSpace
from constrain.errors import UnsupportedError
from constrain.frontends.library import library
from constrain.trace import Open, Trace, _Chart, rule_name, trace

BYTES = Vocabulary.from_tokens([bytes([b]) for b in range(256)])


def compiled(spec: constrain.Spec) -> TokenAutomaton:
    return constrain.Compiler(BYTES).compile(spec)


def traced(grammar: str, text: str, **options: bool) -> Trace:
    return trace(compiled(constrain.grammar(grammar, **options)), text.encode())


def opened(found: Trace) -> list[set[tuple[str, str, str]]]:
    """Rules, terminals that go on, terminals that may end; for each byte."""
    return [{(" ".join(one.rules), " ".join(one.reading), " ".join(one.ended)) for one in s.open} for s in found.steps]


def test_rules_and_terminals() -> None:
    found = traced('start: "(" item ("," item)* ")"\nitem: NAME | start\nNAME: /[a-z]+/', "(a,(b")
    assert opened(found) == [
        {("start", "", '"("')},
        {("start item", "NAME", "NAME")},
        {("start", "", '","')},
        {("start item start", "", '"("')},
        {("start item start item", "NAME", "NAME")},
    ]
    assert found.terminals == ('")"', '","', "NAME")
    assert (found.follow, found.may_end) == (b"),abcdefghijklmnopqrstuvwxyz", False)


def test_it_stops_where_nothing_can_follow() -> None:
    found = traced('start: "(" start? ")"', "(()x")
    assert len(found.steps) == 3
    assert (found.follow, found.terminals) == (b")", ('")"',))


def test_left_and_right_recursion() -> None:
    left = traced('start: list\nlist: list "," X | X\nX: "x"', "x,x")
    assert opened(left)[-1] == {("start list", "", "X")}
    right = traced('start: list\nlist: X "," list | X\nX: "x"', "x,x,x")
    assert opened(right)[-1] == {("start list list list", "", "X")}


def test_rules_that_may_be_empty() -> None:
    found = traced('start: a b "z"\na: "x"?\nb: a a', "xz")
    assert ("start a", "", '"x"') in opened(found)[0]
    assert opened(found)[1] == {("start", "", '"z"')}
    assert traced('start: a b "z"\na: "x"?\nb: a a', "z").may_end


def test_several_ways() -> None:
    found = traced('start: a | b\na: X "1"\nb: X "2"\nX: "x"', "x1")
    assert opened(found) == [{("start a", "", "X"), ("start b", "", "X")}, {("start a", "", '"1"')}]


def test_longest_match() -> None:
    grammar = 'start: (A | AB | B)+\nA: "a"\nAB: "ab"\nB: "b"'
    assert len(opened(traced(grammar, "ab", longest=False))[1]) == 1
    assert opened(traced(grammar, "ab", longest=False))[1] == {("start", "", "AB B")}
    assert opened(traced(grammar, "ab", longest=True))[1] == {("start", "", "AB")}


def test_ignored_text_stands_in_the_rules_around_it() -> None:
    found = traced('start: "(" item ")"\nitem: "x"+\n%ignore " "', "( x x")
    rules = [next(iter(step))[0] for step in opened(found)]
    assert rules == ["start", "start", "start item", "start item", "start item"]


def test_regular_constraints_have_no_rules() -> None:
    found = trace(compiled(constrain.regex("a[bc]+")), b"abx")
    assert [(step.byte, step.open, step.follow, step.may_end) for step in found.steps] == [
        (ord("a"), (), b"bc", False),
        (ord("b"), (), b"bc", True),
    ]
    assert (found.terminals, found.places) == ((), ())


def test_a_vocabulary_that_drops_a_space_is_refused() -> None:
    vocabulary = Vocabulary.from_tokens([bytes([b]) for b in range(256)], strips_leading_space=True)
    automaton = constrain.Compiler(vocabulary).compile(constrain.grammar('start: "a"'))
    with pytest.raises(UnsupportedError, match="spells texts as they are"):
        trace(automaton, b"a")


def test_names_of_rules() -> None:
    assert rule_name(("_list", 3)) == "_list"
    assert rule_name((1, ("item", 2))) == "item"
    assert rule_name(7) == "7"
    found = traced('start: _pair{X}\n_pair{part}: part "," part\nX: "x"', "x")
    assert found.steps[0].open == (Open(("start", "_pair"), (), ("X",)),)


@pytest.mark.parametrize("name", [grammar.name for grammar in library()])
def test_the_chart_agrees_with_the_automaton(name: str) -> None:
    """The chart is filtered by the state, so that the other direction remains: everything in the state is in it."""
    grammar = next(one for one in library() if one.name == name)
    automaton = compiled(constrain.grammar_file(name))
    space = automaton.space
    assert isinstance(space, GrammarSpace)
    for example in itertools.islice((one for one in grammar.examples() if len(one["text"]) < 80), 25):
        chart, state = _Chart(space, automaton.start), automaton.start
        for b in example["text"].encode():
            reached, read = space.read(state, bytes([b]))
            if not read:
                break
            assert chart.read(bytes([b]), reached)
            assert {(column.row, node, shun, b"") for column, node, shun in chart._elements} == reached.place
            assert {place.terminal for place in chart.places()} <= set(space.expected_names(reached))
            state = reached


def test_what_has_ended_is_let_go() -> None:
    """The rows of a list are one row, its columns are not."""
    automaton = compiled(constrain.grammar('start: "[" (item ",")* "]"\nitem: /[0-9]/'))
    space, state = automaton.space, automaton.start
    assert isinstance(space, GrammarSpace)
    chart = _Chart(space, state)
    for b in b"[" + b"1," * 20:
        state, _ = space.read(state, bytes([b]))
        chart.read(bytes([b]), state)
        assert len(chart._elements) == len(state.place) == 1


# ---- names in explanations


def test_explanations_name_terminals() -> None:
    matcher = compiled(constrain.grammar('start: "(" item ")"\nitem: NAME | NUMBER\nNAME: /[a-z]+/\nNUMBER: /[0-9]+/'))
    here = matcher.matcher()
    found = here.explain(ord("x"))
    assert found.terminals == ('"("',)
    assert (
        found.reason
        == """token 120 b'x' is not allowed: byte 0 ('x') cannot stand there; it could be '('; \
expected: "(\""""
    )
    here.accept_token(ord("("))
    assert here.explain(ord(")")).terminals == ("NAME", "NUMBER")
    here.accept_token(ord("a"))
    assert here.explain(ord("1")).terminals == ('")"', "NAME")
    assert here.explain(ord(")")).allowed and here.explain(ord(")")).terminals == ()


def test_explanations_name_eight_terminals_at_most() -> None:
    names = [f"T{n}" for n in range(12)]
    grammar = f"start: {' | '.join(names)}\n" + "".join(f'{name}: "{name}"\n' for name in names)
    found = compiled(constrain.grammar(grammar)).matcher().explain(ord("x"))
    assert found.terminals == tuple(sorted(names))
    assert found.reason.endswith("expected: T0, T1, T10, T11, T2, T3, T4, T5, …")


def test_explanations_name_special_tokens() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", None, None], eos_ids=[2], special_tokens={"<|call|>": 1})
    here = constrain.Compiler(vocabulary).compile(constrain.grammar('start: <|call|> "a"')).matcher()
    assert here.explain(0).terminals == ("<|call|>",)
    assert here.explain(0).reason.endswith("cannot stand there; expected: <|call|>")
    assert here.explain(1).allowed
    here.accept_token(1)
    assert here.explain(1).reason.endswith('expected: "a"')
    assert here.explain(2).reason.endswith("next could be 'a'; expected: \"a\"")


def test_explanations_of_regular_constraints_name_none() -> None:
    assert compiled(constrain.regex("a")).matcher().explain(ord("b")).terminals == ()
