"""Sessions: what they make of the statuses of units."""

from __future__ import annotations

import json

import pytest

from constrain import Compiler, LimitExceeded, Vocabulary, allocate_bitmask, choice, grammar, json_schema
from constrain.automata import tables as automata
from constrain.engine import intersect_tables, longest_tables
from constrain.engine import tables as engine


def test_no_two_statuses_are_one_number() -> None:
    """A session would mend the wrong thing, and ask again for ever."""
    of_automata = [automata.FULL, automata.EXCEEDED, automata.TOO_MANY, automata.UNSUPPORTED]
    needs = [
        value
        for module in (engine, longest_tables)
        for name, value in vars(module).items()
        if name.startswith("NEED_") and isinstance(value, int)
    ]
    others = [intersect_tables.NEED_COST, intersect_tables.AGAIN, intersect_tables.TOO_MUCH]
    assert len(needs) == len(set(needs)) >= 7
    assert len({*of_automata, *needs, *others}) == len(of_automata) + len(needs) + len(others)
    assert max(of_automata + needs + others) < 16


def test_a_language_beyond_the_limits_is_said() -> None:
    host = r"^(?!.*://)(?=.{1,255}$)((.{1,63}\.){1,127}(?![0-9]*$)[a-z0-9-]+\.?)$"
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    schema = {"type": "object", "properties": {"host": {"type": "string", "pattern": host}}, "required": ["host"]}
    matcher = Compiler(vocabulary).compile(json_schema(schema)).matcher()
    mask = allocate_bitmask(1, vocabulary.size)
    with pytest.raises(LimitExceeded, match="repetitions that begin and end in many ways"):
        for byte in json.dumps({"host": "a." * 60 + "a"}).encode():
            matcher.fill_bitmask(mask)
            assert matcher.accept_token(byte)


MUTUAL = """
start: a | b
a: a b | b "x" | "a"
b: b a | a "y" | "b" | a
"""


def test_rules_that_begin_with_each_other_come_to_an_end() -> None:
    """The union of two continuations, each of a left-recursive rule, may need itself."""
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), b"ab", b"xy", b"bax", None], eos_ids=[259])
    both = grammar(MUTUAL) + grammar(MUTUAL) | grammar('start: (a | c)+\na: c a | "a"\nc: a c | "b" | "x" | "y"')
    matcher = Compiler(vocabulary).compile(both).matcher()
    mask = allocate_bitmask(1, vocabulary.size)
    for byte in b"abxyabb":
        matcher.fill_bitmask(mask)
        allowed = set(matcher.allowed_token_ids().tolist())
        assert allowed == {token for token in range(vocabulary.size) if matcher.copy().accept_token(token)}
        if not matcher.accept_token(byte):
            break
    assert matcher.num_accepted > 3


AMBIGUOUS = {
    "sum": ('start: e\ne: e "+" e | e "*" e | "-" e | "(" e ")" | e "(" e ")" | "n"', b"n+n*-n(n)+(n*n)+"),
    "row": ('start: e\ne: e e | "a"', b"aaaaa"),
    "else": ('start: s+\ns: "i" s | "i" s "e" s | "x" | "{" s* "}"', b"{iixexix}"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_rules_come_back_to_the_same_places(name: str) -> None:
    """A continuation that another one includes is dropped: a long text needs no more records than a short one."""
    source, text = AMBIGUOUS[name]
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    automaton = Compiler(vocabulary).compile(grammar(source))
    session, used = automaton.space.session, []
    for times in (20, 21, 60):
        matcher = automaton.matcher()
        for byte in text * times:
            assert len(matcher.allowed_token_ids()) and matcher.accept_token(byte)
        used.append(int(session.tables["session"][engine.HEAP_USED]))
    assert used[1] == used[2] < 5000


@pytest.mark.parametrize("times", [1, 2, 3])
def test_ambiguity_is_polynomial(times: int) -> None:
    """Rules that begin with each other, several such grammars in a row: records grow about linearly with the text."""
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    spec = grammar(MUTUAL)
    for _ in range(times - 1):
        spec = spec + grammar(MUTUAL)
    automaton = Compiler(vocabulary).compile(spec)
    session, matcher, used = automaton.space.session, automaton.matcher(), [0]
    for _ in range(3):
        for byte in b"abxyabbaxyab" * 2:
            assert len(matcher.allowed_token_ids()) and matcher.accept_token(byte)
        used.append(int(session.tables["session"][engine.HEAP_USED]))
    assert used[3] - used[2] < 4 * (used[1] - used[0]) and used[3] < 60_000 * times


@pytest.mark.slow
def test_a_choice_of_a_million_strings() -> None:
    """It compiles within the limits that hold by default."""
    words = [f"{n:x}-{n * 2654435761 % (1 << 32):x}" for n in range(1_000_000)]
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    automaton = Compiler(vocabulary).compile(choice(words))
    for word in (words[0], words[123_456], words[-1]):
        assert automaton.accepts([*word.encode(), 256]) and not automaton.accepts([*word.encode(), 45])
