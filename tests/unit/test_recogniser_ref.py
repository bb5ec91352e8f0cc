"""The reference recogniser on what its definition says of registers, of what is ignored, and of longest match."""

from __future__ import annotations

import re
from collections.abc import Hashable
from itertools import permutations, product

import pytest
from reference.recogniser import cut, recognises

from constrain.ir.expr import Alt, Literal, Repeat
from constrain.ir.grammar import Bits, Body, Call, Count, Either, Grammar, Many, Rule, Seq, Special, Terminal
from constrain.specs.regex import parse_regex


def word(text: str, priority: int = 0) -> Terminal:
    return Terminal(text, Literal(text.encode()), priority)


def pattern(text: str, priority: int = 0) -> Terminal:
    return Terminal(text, parse_regex(text), priority)


def grammar(start: Body, ignore: Terminal | None = None, longest: bool = False, **rules: Rule) -> Grammar:
    named: dict[Hashable, Rule] = {"start": Rule(start), **rules}
    return Grammar(named, "start", ignore, longest)


A, B, C = word("a"), word("b"), word("c")
SPACES = Terminal("ignore", Repeat(Alt((Literal(b" "),)), 1, None))


def texts(alphabet: str, longest: int) -> list[str]:
    return ["".join(letters) for n in range(longest + 1) for letters in product(alphabet, repeat=n)]


@pytest.mark.parametrize(
    ("body", "equal"),
    [
        (Seq(()), ""),
        (Either(()), "(?!)"),
        (Seq((A, B)), "ab"),
        (Either((A, B, Seq(()))), "a|b|"),
        (Many(Either((A, Seq((B, A)))), 0, None), "(a|ba)*"),
        (Many(Either((A, Seq(()))), 2, 3), "a{0,3}"),
        (Many(Many(A, 2, 2), 1, None), "(aa)+"),
        (Many(A, 2, None), "a{2,}"),
        (Many(B, 0, 0), ""),
        (Seq((pattern("a+"), pattern("a+b"))), "a{2,}b"),
        (pattern("(?<=x)a"), "(?!)"),
    ],
)
def test_bodies_as_re(body: Body, equal: str) -> None:
    made = grammar(body)
    assert [t for t in texts("ab", 5) if recognises(made, t.encode()) != bool(re.fullmatch(equal, t))] == []


def test_recursion() -> None:
    left = grammar(Either((Seq((Call("start"), A)), B)))
    right = grammar(Either((Seq((A, Call("start"))), B)))
    middle = grammar(Many(Seq((A, Call("start"), B)), 0, 1))
    hidden = grammar(Either((Seq((Many(B, 0, 1), Call("start"), A)), C)))
    endless = grammar(Call("start"))
    for text in texts("abc", 4):
        data = text.encode()
        assert recognises(left, data) == bool(re.fullmatch("ba*", text))
        assert recognises(right, data) == bool(re.fullmatch("a*b", text))
        assert recognises(middle, data) == (text == "a" * (len(text) // 2) + "b" * (len(text) // 2))
        assert recognises(hidden, data) == any(
            re.fullmatch(f"b{{0,{n}}}ca{{{n}}}", text) is not None for n in range(len(text) + 1)
        )
        assert not recognises(endless, data)


def test_every_letter_at_most_once_and_two_of_them_required() -> None:
    letters = (A, B, C)
    once = Either(tuple(Seq((Bits(mask=1 << i, put=1 << i), letter)) for i, letter in enumerate(letters)))
    made = grammar(Seq((Many(once, 0, None), Bits(mask=0b011, value=0b011))))
    wanted = {"".join(chosen) for n in (2, 3) for chosen in permutations("abc", n) if {"a", "b"} <= set(chosen)}
    assert {text for text in texts("abc", 4) if recognises(made, text.encode())} == wanted


def test_counters_stay_at_their_largest_value() -> None:
    made = grammar(Seq((Many(Seq((Count(1, 2, add=1), A)), 0, None), Count(1, 2, low=2, high=3))))
    assert [n for n in range(8) if recognises(made, b"a" * n)] == [2, 3, 4, 5, 6, 7]
    exact = grammar(Seq((Many(Seq((Count(0, 2, high=1, add=1), A)), 0, None), Count(0, 2, low=2))))
    assert [n for n in range(8) if recognises(exact, b"a" * n)] == [2]


def test_an_activation_has_a_register_of_its_own() -> None:
    marked = Rule(Seq((Bits(mask=1, value=1, put=2), A, Many(Call("r"), 0, 1), Bits(mask=3, value=3))), register=1)
    made = grammar(Seq((Bits(put=4), Call("r"), Bits(mask=7, value=4))), r=marked)
    assert [n for n in range(4) if recognises(made, b"a" * n)] == [1, 2, 3]


def test_what_is_ignored() -> None:
    pair = grammar(Seq((A, B)), SPACES)
    once = grammar(Seq((A, B)), word(" "))
    nothing = grammar(Seq(()), word(" "))
    assert all(recognises(pair, text) for text in (b"ab", b" a  b   ", b"a b", b"ab "))
    assert [recognises(once, text) for text in (b" a b ", b"a  b", b"  ab")] == [True, False, False]
    assert [recognises(nothing, text) for text in (b"", b" ", b"  ")] == [True, True, False]
    assert not recognises(grammar(pattern("ab"), SPACES), b"a b")


def test_special_tokens_spell_no_text() -> None:
    assert not recognises(grammar(Special("<|end|>")), b"")
    assert recognises(grammar(Either((Special("<|end|>"), A))), b"a")


def names(made: Grammar, text: bytes) -> list[str] | None:
    pieces = cut(made, text)
    return None if pieces is None else ["/".join(sorted(one.name for one in piece)) for piece in pieces]


def test_longest_match() -> None:
    name, keyword, number = pattern("[a-z]+"), word("if", 1), pattern("[0-9]+")
    made = grammar(Many(Either((name, keyword, number)), 0, None), SPACES, longest=True)
    assert names(made, b"if iff 12if") == ["if", "ignore", "[a-z]+", "ignore", "[0-9]+", "if"]
    assert names(made, b"if!") is None
    assert recognises(made, b"a b1 ")


def test_longest_match_looks_at_what_may_come_next_only() -> None:
    made = grammar(Seq((A, B, pattern("ab+c*"))), longest=True)
    assert names(made, b"ababc") == ["a", "b", "ab+c*"] and recognises(made, b"ababc")


def test_longest_match_does_not_look_ahead() -> None:
    made = grammar(Seq((pattern("a+"), word("ab"))), longest=True)
    assert names(made, b"aab") is None and not recognises(made, b"aab")
    assert recognises(grammar(Seq((pattern("a+"), word("ab")))), b"aab")


def test_equal_priorities_are_all_kept() -> None:
    one, other = pattern("[ab]"), pattern("[bc]")
    made = grammar(Either((Seq((one, A)), Seq((other, C)))), longest=True)
    assert names(made, b"ba") == ["[ab]/[bc]", "a"] and names(made, b"bc") == ["[ab]/[bc]", "c"]
    assert [recognises(made, text) for text in (b"ba", b"bc", b"ac", b"cc")] == [True, True, False, True]


def test_the_highest_priority_wins_even_where_it_leads_nowhere() -> None:
    made = grammar(Either((Seq((word("b", 1), A)), Seq((pattern("[bc]"), C)))), longest=True)
    assert [recognises(made, text) for text in (b"ba", b"bc", b"cc")] == [True, False, True]


def test_terminals_that_lead_to_no_sentence_do_not_count() -> None:
    """What is expected is what a sentence can go on with: neither dead ends, nor what a register forbids."""
    dead = grammar(Either((Seq((pattern("ab"), Call("never"))), Seq((A, B)))), longest=True, never=Rule(Either(())))
    assert names(dead, b"ab") == ["a", "b"]
    forbidden = grammar(Either((Seq((Bits(mask=1, value=1), pattern("ab"))), Seq((A, B)))), longest=True)
    assert names(forbidden, b"ab") == ["a", "b"]


def test_ignored_text_competes_with_terminals() -> None:
    made = grammar(Seq((A, Many(pattern(" "), 0, 1), B)), SPACES, longest=True)
    assert names(made, b"a  b") == ["a", "ignore", "b"]
    assert names(made, b"a b") == ["a", " /ignore", "b"] and recognises(made, b"a b")
