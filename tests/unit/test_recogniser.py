"""The recogniser: how many rows texts take, very long texts, limits, special tokens, and grammars that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from amounts import runs

from constrain import (
    Compiler,
    GrammarSyntaxError,
    LimitExceeded,
    Limits,
    Matcher,
    UnsatisfiableError,
    Vocabulary,
    VocabularyError,
    grammar,
)
from constrain.engine import tables
from constrain.engine.space import EarleySpace

BYTES = Vocabulary.from_tokens([*[bytes([b]) for b in range(256)], None], eos_ids=[256])
ARRAY = 'start: value\nvalue: "[" [value ("," value)*] "]" | NUMBER\nNUMBER: /[0-9]+/'


def matcher(text: str, vocabulary: Vocabulary = BYTES, limits: Limits | None = None) -> Matcher:
    return Compiler(vocabulary, limits=limits).compile(grammar(text)).matcher()


def rows(one: Matcher) -> int:
    """Earley sets held by the session of a matcher."""
    space = one.automaton.space
    assert isinstance(space, EarleySpace)
    heap, used = space.session.tables["heap"], int(space.session.tables["session"][tables.HEAP_USED])
    slots = {tables.EARLEY, tables.CLOSURE, tables.LOOP, tables.UNION, tables.EXCLUDED, tables.VALUE, tables.NEXT_RULE}
    at, found = 1, 0
    while at < used:
        size, kind = int(heap[at]) >> 8, int(heap[at]) & 255
        found += kind == tables.EARLEY
        at += 1 + size + (kind in slots)
    return found


def spell(one: Matcher, text: bytes) -> Matcher:
    assert one.accept_tokens(list(text)) == len(text)
    return one


def allowed(one: Matcher) -> list[int]:
    return [int(token) for token in one.allowed_token_ids()]


# ---- rows are shared


def test_elements_of_a_list_come_back_to_the_same_rows() -> None:
    few, many = (spell(matcher(ARRAY), b"[" + b"1," * n + b"1]") for n in (5, 3000))
    assert few.is_accepting() and many.is_accepting()
    assert rows(many) == rows(few) < 40


@pytest.mark.parametrize(
    "text",
    [
        'start: "a" start | "b"',
        'start: "a" start | start2\nstart2: "b"',
        'start: "a" other?\nother: "b"? start',
        'start: empty "a" empty start | "b"\nempty: "c"?',
        "start: X start | X\nX: /a/",
    ],
)
def test_right_recursion_takes_few_rows(text: str) -> None:
    few, many = (spell(matcher(text), b"a" * n) for n in (20, 4000))
    assert rows(many) == rows(few) < 40
    assert many.is_accepting() == few.is_accepting()


@pytest.mark.parametrize(
    "text",
    [
        'start: start "a" | "a"',
        'start: other "a" | "a"\nother: start',
        'start: empty start "a" | "a"\nempty: "c"?',
    ],
)
def test_left_recursion_takes_few_rows(text: str) -> None:
    few, many = (spell(matcher(text), b"a" * n) for n in (20, 4000))
    assert rows(many) == rows(few) < 40
    assert many.is_accepting() and few.is_accepting()


@pytest.mark.parametrize("text", ['start: start start | "a"', 'start: start start start? | "a" | '])
def test_recursion_on_both_sides_takes_a_row_for_each_byte(text: str) -> None:
    """A text of n bytes has exponentially many derivations."""
    few, many = (spell(matcher(text), b"a" * n) for n in (20, 4000))
    assert rows(few) < 20 + 20 and rows(many) < 4000 + 20
    assert many.is_accepting() and few.is_accepting()


@pytest.mark.parametrize("operators", ['("+" | "*")', "operator"])
def test_ambiguous_operators_take_a_row_for_each_byte(operators: str) -> None:
    """A sum of n terms has exponentially many derivations."""
    text = f'start: start {operators} start | "-" start | /[0-9]/ | "(" start ")"\noperator: "+" | "*"'
    few, many = (spell(matcher(text), b"1+-2*3+" * n + b"4") for n in (5, 500))
    assert rows(few) < 7 * 5 + 40 and rows(many) < 7 * 500 + 40
    assert many.is_accepting() == few.is_accepting()


def test_nested_brackets_take_rows_by_depth() -> None:
    one, two = (spell(matcher(ARRAY), b"[" * n) for n in (500, 1000))
    assert 400 < rows(two) - rows(one) <= 4 * 500
    wide = spell(matcher(ARRAY), b"[" * 500 + b"1,[2]," * 300)
    assert rows(wide) < rows(one) + 20


# ---- long texts


def test_deep_nesting_and_the_way_back() -> None:
    """Up to 50,000 brackets opened and closed; no recursion in Python on the way."""
    one = matcher(ARRAY)
    start = allowed(one)
    depth = runs(50_000)
    spell(one, b"[" * depth)
    inner = allowed(one)
    spell(one, b"7" + b"]" * depth)
    assert one.is_accepting() and allowed(one) == [256]
    one.rollback(depth + 1)
    assert allowed(one) == inner and not one.is_accepting()
    spell(one, b"]" * depth)
    assert one.is_accepting()
    one.rollback(2 * depth)
    assert allowed(one) == start and one.num_accepted == 0
    spell(one, b"[[]]")
    assert one.is_accepting()


@pytest.mark.parametrize("text", ['start: "a" start | "b"', 'start: start "a" | "a"', 'start: ("a" | "b")*'])
def test_a_hundred_thousand_bytes(text: str) -> None:
    one = matcher(text)
    before, count = allowed(one), 100_000
    spell(one, b"a" * count)
    assert rows(one) < 40
    assert ord("a") in allowed(one)
    one.rollback(count)
    assert allowed(one) == before and one.num_accepted == 0


# ---- limits


def test_too_many_rows() -> None:
    """The limit is named; what was read stands, and can be taken back."""
    one = matcher(ARRAY, limits=Limits(rows=200))
    with pytest.raises(LimitExceeded, match="rows") as caught:
        for _ in range(2000):
            assert one.accept_token(ord("["))
    assert caught.value.limit == "rows" and caught.value.allowed == 200
    depth = one.num_accepted
    assert 50 <= depth < 500
    one.rollback(depth - 3)
    assert allowed(one) == [ord(c) for c in "0123456789[]"]
    spell(one, b"1],[2]]]")
    assert one.is_accepting()
    one.reset()
    spell(one, b"[" + b"[1]," * 1000 + b"2]")
    assert one.is_accepting(), "rows that nothing needs make room"


def test_long_texts_within_few_rows() -> None:
    one = matcher(ARRAY, limits=Limits(rows=60, transition_cache=50))
    for n in (1, 3, 8):
        spell(one, b"[" * n + b"1,[2]," * 200 + b"3" + b"]" * n)
        assert one.is_accepting()
        one.reset()


# ---- rules that lead nowhere


def test_rules_that_cannot_be_completed_are_left_out() -> None:
    one = matcher('start: "a" never | "b"\nnever: "c" never')
    assert allowed(one) == [ord("b")]


def test_rules_that_nothing_calls_do_no_harm() -> None:
    one = matcher('start: "a"\nother: "b" other\nthird: other "c" | start')
    assert allowed(one) == [ord("a")]
    assert spell(one, b"a").is_accepting()


@pytest.mark.parametrize("text", ['start: "a" start', "start: start", 'start: one\none: two "a"\ntwo: "b" one'])
def test_a_grammar_without_finite_texts(text: str) -> None:
    with pytest.raises(UnsatisfiableError, match="start"):
        matcher(text)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("a*", "matches the empty"), ("(a|b?)", "matches the empty"), (r"a(?!a)(?=a)", "nothing at all")],
)
def test_terminals_that_cannot_stand_for_anything(pattern: str, said: str) -> None:
    with pytest.raises(GrammarSyntaxError, match=said) as caught:
        matcher(f'start: "x" BAD\nBAD: /{pattern}/')
    assert "BAD" in str(caught.value)


def test_a_grammar_of_the_empty_text() -> None:
    one = matcher("start: ")
    assert one.is_accepting() and allowed(one) == [256]


# ---- special tokens

WORDS = [b"a", b"b", b"ab"]
SPECIAL = Vocabulary.from_tokens(
    [*WORDS, None, None, None, None], eos_ids=[5], special_tokens={"<|x|>": 3, "<|y|>": 4, "<|end|>": 5}, vocab_size=9
)


def test_special_tokens_where_they_are_expected() -> None:
    one = matcher('start: "a" <|x|> "b" | "ab" <|y|>?', SPECIAL)
    assert allowed(one) == [0, 2]
    assert one.accept_token(0) and allowed(one) == [1, 3], "a, or the first half of ab"
    assert not one.accept_token(4)
    assert one.accept_token(3) and allowed(one) == [1]
    assert one.accept_token(1) and one.is_accepting() and allowed(one) == [5]
    one.rollback(3)
    assert one.accept_token(2) and allowed(one) == [4, 5]
    assert one.accept_token(4) and allowed(one) == [5]
    one.rollback(2)
    assert allowed(one) == [0, 2]


def test_special_tokens_first_last_and_again() -> None:
    one = matcher("start: (<|x|> | <|y|>)+", SPECIAL)
    for n in range(50):
        assert allowed(one) == ([3, 4, 5] if n else [3, 4])
        assert one.accept_token(3 + n % 2)


@pytest.mark.parametrize("ids", ["<[3]>", "<[3-3]>", "<[3,6]>"])
def test_special_tokens_by_number(ids: str) -> None:
    one = matcher(f'start: "a" {ids} "b"', SPECIAL)
    assert one.accept_token(0)
    assert allowed(one) == ([3, 6] if "6" in ids else [3])
    assert one.accept_token(3) and allowed(one) == [1]


def test_special_tokens_under_longest_match() -> None:
    one = matcher("// Reading: longest\nstart: WORD <|x|> WORD\nWORD: /[ab]+/", SPECIAL)
    assert allowed(one) == [0, 1, 2]
    assert one.accept_token(2) and allowed(one) == [0, 1, 2, 3]
    assert one.accept_token(3) and allowed(one) == [0, 1, 2]


def test_the_end_of_the_output_is_implied() -> None:
    with pytest.raises(GrammarSyntaxError, match=r"<\|end\|>.*EOS"):
        matcher('start: "a" <|end|>', SPECIAL)


def test_a_special_token_that_the_vocabulary_has_not() -> None:
    with pytest.raises(VocabularyError, match=r"<\|z\|>.*<\|x\|>"):
        matcher('start: "a" <|z|>', SPECIAL)


# ---- what tokens cannot spell


def test_terminals_that_cannot_be_spelled_are_left_out() -> None:
    one = matcher('start: "a" ("b" | "c" "a" | "ac")', SPECIAL)
    assert one.accept_token(0)
    assert allowed(one) == [1]


def test_nothing_can_be_spelled() -> None:
    with pytest.raises(VocabularyError, match="cannot be spelled"):
        matcher('start: "a" "c"', SPECIAL)


def test_a_terminal_is_cut_to_what_can_be_spelled() -> None:
    one = matcher("start: /[a-z]{2}/", SPECIAL)
    assert allowed(one) == [0, 1, 2]
    assert one.accept_token(0) and allowed(one) == [0, 1]


@pytest.mark.parametrize("tokens", [[b"a", "é日".encode()], [b"a", "é".encode(), "é".encode()[:1]]])
def test_characters_must_be_spelled_alone(tokens: list[bytes]) -> None:
    """Else a token could lead to where no token goes on."""
    vocabulary = Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)])
    with pytest.raises(VocabularyError, match="a grammar needs a vocabulary"):
        matcher('start: "a" | "é日"', vocabulary)


def test_masks_have_no_bits_beyond_the_vocabulary() -> None:
    one = matcher('start: "a" <|x|>', SPECIAL)
    mask = np.full((1, 1), -1, np.int32)
    one.fill_bitmask(mask)
    assert mask.tolist() == [[1]]
