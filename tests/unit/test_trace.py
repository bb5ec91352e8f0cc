"""Traces: what was open at each byte, against the automaton itself and against grammars whose answers are known."""

from __future__ import annotations

import itertools

import pytest

import constrain
from constrain import Vocabulary
from constrain.automaton import TokenAutomaton
from constrain.debug.chart import Chart
from constrain.debug.trace import OpenRule, Trace, rules_of, trace
from constrain.engine import tables as t
from constrain.engine.longest_session import LongestSession
from constrain.engine.network import rule_name
from constrain.engine.space import EarleySpace
from constrain.errors import UnsupportedError
from constrain.specs.library import library

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
    assert found.steps[0].open == (OpenRule(("start", "_pair"), (), ("X",)),)


# ---- JSON Schema


def schema_rules(schema: object, text: str, **options: str) -> list[tuple[str, str, str]]:
    """Rules, terminals that go on, terminals that may end, of the last byte: one way for each."""
    found = trace(compiled(constrain.json_schema(schema, whitespace="compact", **options)), text.encode())
    assert len(found.steps) == len(text.encode()) and all(step.open for step in found.steps)
    return [(" > ".join(one.rules), ", ".join(one.reading), ", ".join(one.ended)) for one in found.steps[-1].open]


def test_rules_of_schemas() -> None:
    schema = {
        "properties": {"name": {"type": "string", "maxLength": 5000}, "tags": {"items": {"type": ["integer", "array"]}}}
    }
    assert schema_rules(schema, "1") == [("value", "number", "number")]
    assert schema_rules(schema, "{") == [("value", "", '"{"')]
    assert schema_rules(schema, '{"') == [("object", '"name", "tags", property name', "")]
    assert schema_rules(schema, '{"name":"A') == [("object", "such a string", "")]
    assert schema_rules(schema, '{"name":"A","tags":[1') == [("object > array > value", "number", "number")]
    assert schema_rules(schema, '{"name":"A","tags":[1,[') == [("object > array > value", "", '"["')]
    assert schema_rules(schema, '{"name":"A","tags":[1,[[],{"a"') == [
        ("object > array > array > object", "property name", "")
    ]
    assert schema_rules(schema, '{"name":"A","tags":[1,[[],{"a":1}]]') == [("object > array", "", '"]"')]


def test_rules_of_long_arrays() -> None:
    """A rule for each item ends by calling the next one; they are one array."""
    text = "[" + ",".join(map(str, range(300)))
    assert schema_rules({"items": {"type": "integer"}}, text) == [("array", "number", "number")]
    nested = schema_rules({"items": {"$ref": "#"}, "type": ["array", "null"]}, "[" * 40 + "nul")
    assert nested == [(" > ".join(["array"] * 40 + ["value"]), "null", "")]


def test_values_that_may_not_come_twice() -> None:
    """Names that are listed, or have been written, are no longer read as any other name."""
    schema = {"type": "object", "properties": {"ab": {}}, "additionalProperties": {"type": "null"}}
    assert schema_rules(schema, '{"ab') == [("object", '"ab", property name', "")]
    assert schema_rules(schema, '{"ab"') == [("object", '"ab"', "")]
    assert schema_rules(schema, '{"abc"') == [("object", "property name", "")]
    automaton = compiled(constrain.json_schema(schema, whitespace="compact"))
    assert len(trace(automaton, b'{"c":null,"c":').steps) == len('{"c":null,"c')
    unique = {"items": {"type": "integer"}, "uniqueItems": True}
    assert schema_rules(unique, "[1,2,1") == [("array", "number, not twice", "")]
    assert len(trace(compiled(constrain.json_schema(unique, whitespace="compact")), b"[1,2,1,").steps) == 6


def test_arrays_compared_as_a_whole() -> None:
    """What comes after a comma depends on all of the text."""
    schema = {
        "type": "array",
        "items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 1},
        "uniqueItems": True,
    }
    assert schema_rules(schema, "[[],[true],[false") == [("array > array", "", "false")]
    assert schema_rules(schema, "[[],[true]") == [("array > array", "", '"]"')]
    assert schema_rules(schema, "[[],[true],") == [("array", "", '","')]
    assert (
        len(trace(compiled(constrain.json_schema(schema, whitespace="compact")), b"[[],[true],[false],[").steps) == 18
    )


# ---- the chart and the automaton


def check_chart(automaton: TokenAutomaton, text: bytes) -> None:
    """The chart holds what the states hold, no less and no more."""
    space, state, lowering = automaton.space, automaton.start, rules_of(automaton)
    assert isinstance(space, EarleySpace) and lowering is not None
    session = space.session
    chart = Chart(session, lowering)
    for b in text:
        reached, read = space.read(state, bytes([b]))
        if not read:
            break
        assert chart.read(b, reached.place)
        assert {terminal for _, _, terminal, _ in chart.places()} <= set(space.expected_names(reached))
        if isinstance(session, LongestSession):
            found = {chart._as_in_sessions(element) for element in chart.elements}
            assert len(found) == len(session.elements(reached.place))
        else:
            parts = [part for element in chart.elements for part in element.parts]
            spelled = [(part.state, lowering.terminals.spelled(part.symbol)) for part in parts]
            left = {q for q, (words, _, local) in spelled if words is None and not local & t.COUNTED_STRING}
            items = session.items(reached.place).tolist()
            assert left == {a for a, x, *_ in items if 0 < a < t.SPECIAL_ITEM and not x & t.COUNTED_STRING}
            assert (len(spelled) > len(left)) == any(a < 0 or x & t.COUNTED_STRING for a, x, *_ in items)
        state = reached


@pytest.mark.parametrize("name", [grammar.name for grammar in library()])
def test_the_chart_agrees_with_the_automaton(name: str) -> None:
    grammar = next(one for one in library() if one.name == name)
    automaton = compiled(constrain.grammar_file(name))
    for example in itertools.islice((one for one in grammar.examples() if len(one["text"]) < 80), 25):
        check_chart(automaton, example["text"].encode())


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": ["object", "array", "null"], "additionalProperties": {"$ref": "#"}}, '{"a":{"b":[1,null]},"c":null}'),
        ({"items": {"type": ["string", "number"]}, "uniqueItems": True}, '["a",1,"b",2.5,"ab"]'),
        ({"properties": {"aa": {"minLength": 2}}, "patternProperties": {"^a": {}}}, '{"aa":"xy","ab":[],"a":{}}'),
        ({"items": {"properties": {"a": {"enum": [1, 2]}}}, "uniqueItems": True}, '[{"a":1},{"a":2},{"b":1},3]'),
    ],
)
@pytest.mark.parametrize("order", ["schema", "any"])
def test_the_chart_agrees_with_the_automaton_of_a_schema(schema: object, text: str, order: str) -> None:
    check_chart(compiled(constrain.json_schema(schema, whitespace="compact", property_order=order)), text.encode())


def test_what_has_ended_is_let_go() -> None:
    """The states of a list are one state, its columns are not."""
    automaton = compiled(constrain.grammar('start: "[" (item ",")* "]"\nitem: /[0-9]/'))
    space, state, lowering = automaton.space, automaton.start, rules_of(automaton)
    assert isinstance(space, EarleySpace) and lowering is not None
    chart = Chart(space.session, lowering)
    for b in b"[" + b"1," * 20:
        state, _ = space.read(state, bytes([b]))
        chart.read(b, state.place)
        assert len(chart.elements) == 1


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
