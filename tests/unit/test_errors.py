"""Bad input: each error is of the right kind, says where and what, and leaves everything usable."""

from __future__ import annotations

import dataclasses
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import constrain
from constrain import (
    CheckerError,
    Compiler,
    ConflictError,
    ConstrainError,
    GrammarSyntaxError,
    LimitExceeded,
    Limits,
    SchemaError,
    Spec,
    SpecTypeError,
    TerminatedError,
    TokenError,
    UnsatisfiableError,
    UnsupportedError,
    Vocabulary,
    VocabularyError,
    choice,
    regex,
)

BYTES = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
LETTERS = Vocabulary.from_tokens([b"a", b"b", b"ab", None], eos_ids=[3])


def caret_column(error: Any) -> int:
    """The column under the caret of an error's excerpt, from 0."""
    line, under = error.excerpt.split("\n")[-2:]
    assert under.strip() == "^" and len(under) <= len(line) + 1 and line.startswith("    ")
    return len(under) - 5


# ---- patterns that do not parse

MALFORMED = {
    "(": (1, 1, "missing ), unterminated subpattern"),
    "ab(c": (1, 3, "missing ), unterminated subpattern"),
    "a)": (1, 2, "unbalanced parenthesis"),
    "[a": (1, 1, "unterminated character set"),
    "a[b-": (1, 2, "unterminated character set"),
    "*a": (1, 1, "nothing to repeat"),
    "a**": (1, 3, "multiple repeat"),
    "a{3,2}": (1, 3, "min repeat greater than max repeat"),
    "[z-a]": (1, 2, "bad character range z-a"),
    r"\q": (1, 1, r"bad escape \q"),
    "a\\": (1, 2, "bad escape (end of pattern)"),
    r"(?P<1>a)": (1, 5, "bad character in group name '1'"),
    r"(?P<a>x)(?P<a>y)": (1, 13, "redefinition of group name 'a'"),
    r"\1": (1, 2, "invalid group reference 1"),
    r"(?P=x)": (1, 5, "unknown group name 'x'"),
    r"(a\1)": (1, 3, "cannot refer to an open group"),
    "(?z)a": (1, 2, "unknown extension ?z"),
    "a(?i)b": (1, 2, "global flags not at the start of the expression"),
    "(?L)a": (1, 4, "bad inline flags"),
    "ab\ncd(\nef": (2, 3, "missing ), unterminated subpattern"),
    "(?x)\n  a\n  b)": (3, 4, "unbalanced parenthesis"),
    r"\p": (1, 1, r"\p needs a property"),
    r"a\p{}": (1, 2, r"\p needs a property"),
    r"\p{Nonsense}": (1, 1, "unknown Unicode property 'Nonsense'"),
    r"\p{L}(": (1, 6, "missing ), unterminated subpattern"),
    r"\p{L}\pN\q": (1, 9, r"bad escape \q"),
    r"\N{no such name}": (1, 1, "undefined character name"),
    r"\U00110000": (1, 1, "bad escape"),
    "\n\\p{Foo}": (2, 1, "unknown Unicode property 'Foo'"),
}


@pytest.mark.parametrize("pattern", MALFORMED)
def test_malformed_patterns(pattern: str) -> None:
    line, column, message = MALFORMED[pattern]
    with pytest.raises(GrammarSyntaxError) as caught:
        regex(pattern)
    error = caught.value
    assert str(error).startswith("regex: ") and message in str(error).split("\n")[0]
    assert (error.line, error.column) == (line, column)
    assert error.excerpt.split("\n")[0].strip() == pattern.split("\n")[line - 1].strip()
    assert caret_column(error) == column - 1


def test_an_excerpt_of_a_long_pattern_is_cut_around_the_place() -> None:
    with pytest.raises(GrammarSyntaxError) as caught:
        regex("a" * 500 + "(" + "b" * 500)
    line, under = caught.value.excerpt.split("\n")
    assert caught.value.column == 501
    assert len(line) < 90 and line[len(under) - 1] == "("


def test_near_names_are_suggested() -> None:
    with pytest.raises(GrammarSyntaxError, match="did you mean") as caught:
        regex(r"\p{Uppercase_Leter}")
    assert "Uppercase_Letter" in caught.value.expected


def test_a_huge_repetition_is_an_error_of_the_pattern() -> None:
    with pytest.raises(ConstrainError):
        Compiler(BYTES).compile(regex("a{99999999999999999999}"))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="nested too deeply"):
        regex("(" * 5000 + "a" + ")" * 5000)


# ---- patterns that are well formed, but cannot be enforced

UNSUPPORTED = {
    r"(a*)\1": (4, "no regular language"),
    r"x(.)-\1": (5, "no regular language"),
    r"(a)?\1": (4, "does not always take part"),
    r"(?P<q>\w+)(?P=q)": (10, "no regular language"),
    r"(a)?(?(1)b|c)": (4, "conditional groups"),
    r"x(?>a|b)": (1, "atomic groups"),
    r"ab*+c": (2, "possessive quantifiers"),
    r"ab?+": (2, "possessive quantifiers"),
    r"a{1,2}+": (5, "possessive quantifiers"),
    r"[*+]+x++": (6, "possessive quantifiers"),
    r"\*\+a++": (5, "possessive quantifiers"),
    r"b(?<=a(?=b))": (1, "inside of a lookbehind"),
    r"b(?<!a$)": (1, "inside of a lookbehind"),
    r"(?<=\b)a": (0, "inside of a lookbehind"),
    r"\(?<=(?<=a\b)": (5, "inside of a lookbehind"),
    r"[a-\p{L}]": (3, "cannot bound a range"),
    "a\n(?>b)": (2, "atomic groups"),
}


@pytest.mark.parametrize("pattern", UNSUPPORTED)
def test_unsupported_constructs(pattern: str) -> None:
    position, message = UNSUPPORTED[pattern]
    with pytest.raises(UnsupportedError, match=message) as caught:
        regex(pattern)
    error = caught.value
    assert error.position == position
    before = pattern[:position]
    assert error.excerpt.split("\n")[0].strip() in pattern
    assert caret_column(error) == len(before) - (before.rfind("\n") + 1)


def test_each_of_several_constructs_is_found_at_its_own_place() -> None:
    """The position is that of the construct that is refused, not of one like it that is fine."""
    for pattern, position in {r"(a|b)\1(c*)\2": 11, r"(?<=a)b(?<=c$)": 7, r"(?P<x>a)(?P=x)(?P<y>.)(?P=y)": 22}.items():
        with pytest.raises(UnsupportedError) as caught:
            regex(pattern)
        assert caught.value.position == position, pattern


# ---- values of the wrong type

WRONG_TYPES: dict[str, Callable[[], object]] = {
    "regex(bytes)": lambda: regex(b"a"),  # type: ignore[arg-type]
    "regex(None)": lambda: regex(None),  # type: ignore[arg-type]
    "regex(int)": lambda: regex(3),  # type: ignore[arg-type]
    "regex(compiled bytes)": lambda: regex(re.compile(b"a")),  # type: ignore[arg-type]
    "regex(flags str)": lambda: regex("a", "i"),  # type: ignore[arg-type]
    "regex(flags None)": lambda: regex("a", None),  # type: ignore[arg-type]
    "choice(str)": lambda: choice("abc"),
    "choice(bytes)": lambda: choice(b"abc"),  # type: ignore[arg-type]
    "choice(int)": lambda: choice(5),  # type: ignore[arg-type]
    "choice(of bytes)": lambda: choice(["a", b"b"]),  # type: ignore[list-item]
    "choice(of lists)": lambda: choice([["a"]]),  # type: ignore[list-item]
    "choice(of None)": lambda: choice(["a", None]),  # type: ignore[list-item]
    "choice(surrogate)": lambda: choice(["a", "\ud800"]),
    "spec & str": lambda: regex("a") & "b",  # type: ignore[operator]
    "spec | None": lambda: regex("a") | None,  # type: ignore[operator]
    "spec + int": lambda: regex("a") + 5,  # type: ignore[operator]
    "compile(str)": lambda: Compiler(BYTES).compile("a"),  # type: ignore[arg-type]
    "compile(None)": lambda: Compiler(BYTES).compile(None),  # type: ignore[arg-type]
    "compile(list)": lambda: Compiler(BYTES).compile([]),  # type: ignore[arg-type]
    "compile(class)": lambda: Compiler(BYTES).compile(Spec),  # type: ignore[arg-type]
    "Compiler(str)": lambda: Compiler("gpt2"),  # type: ignore[arg-type]
    "Compiler(list)": lambda: Compiler([b"a"]),  # type: ignore[arg-type]
    "fill_bitmasks(too many)": lambda: constrain.fill_bitmasks([None, None], constrain.allocate_bitmask(1, 4)),
}


@pytest.mark.parametrize("what", WRONG_TYPES)
def test_wrong_types(what: str) -> None:
    with pytest.raises(SpecTypeError) as caught:
        WRONG_TYPES[what]()
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, ConstrainError)
    assert len(str(caught.value)) > 20


@pytest.mark.parametrize("flags", [re.LOCALE, re.ASCII | re.UNICODE])
def test_flags_that_text_cannot_have(flags: int) -> None:
    with pytest.raises(ConstrainError):
        regex("a", flags)


@pytest.mark.parametrize("token", [1.0, "a", None, [0], {}, b"a", 0.5])
def test_a_token_is_an_integer(token: Any) -> None:
    matcher = Compiler(LETTERS).compile(regex("[ab]*")).matcher()
    assert matcher.accept_tokens([0, 1]) == 2  # remembered steps must not make a difference
    matcher.rollback(2)
    for call in (matcher.accept_token, matcher.explain, lambda t: matcher.validate_tokens([t])):
        with pytest.raises(SpecTypeError, match=r"int"):
            call(token)
    assert matcher.num_accepted == 0


@pytest.mark.parametrize("token", [np.int64(1), np.int32(1), np.uint8(1), np.array(1), True])
def test_what_counts_as_an_integer(token: Any) -> None:
    matcher = Compiler(LETTERS).compile(regex("b")).matcher()
    assert matcher.validate_tokens([token]) == 1 and matcher.accept_token(token)


# ---- nothing to generate

UNSATISFIABLE: dict[str, Callable[[], Spec]] = {
    "a & b": lambda: regex("a") & regex("b"),
    "assertions": lambda: regex("a(?!b)(?=b).*"),
    "(?=a)b": lambda: regex("(?=a)b"),
    "a word boundary inside a word": lambda: regex(r"a\bb"),
    "lookbehind": lambda: regex("(?<=a)b"),
    "empty class": lambda: regex(r"[^\s\S]"),
    "surrogates": lambda: regex("[\ud800-\udfff]"),
    "lengths": lambda: regex("(ab){3}") & regex(".{5}"),
    "and, of three": lambda: regex("[ab]+") & regex("[bc]+") & regex("[ac]+"),
    "end in front": lambda: regex("$a"),
    "concatenated": lambda: regex("a") + (regex("a") & regex("b")),
    "choice and regex": lambda: choice(["yes", "no"]) & regex("[A-Z]+"),
}


@pytest.mark.parametrize("what", UNSATISFIABLE)
def test_unsatisfiable(what: str) -> None:
    spec = UNSATISFIABLE[what]()
    compiler = Compiler(BYTES)
    for _ in range(2):
        with pytest.raises(UnsatisfiableError, match="no text at all") as caught:
            compiler.compile(spec)
    assert repr(spec)[:40] in str(caught.value)
    assert compiler.compile(spec | regex("z")).accepts([ord("z")]), "an empty alternative is no error"


def test_choice_of_nothing() -> None:
    for options in ([], (), iter([])):
        with pytest.raises(UnsatisfiableError, match="no options"):
            choice(options)
    assert Compiler(BYTES).compile(choice([""])).accepts([])


@pytest.mark.parametrize("pattern", ["c", "a{3}c", "é", "[^ab]+"])
def test_what_no_tokens_spell(pattern: str) -> None:
    compiler = Compiler(LETTERS)
    for _ in range(2):
        with pytest.raises(VocabularyError, match="no sequence of tokens") as caught:
            compiler.compile(regex(pattern))
    assert "bytes in no token" in str(caught.value) and "'c'" in str(caught.value).replace("'c'-", "'c'")
    assert compiler.compile(regex(f"(?:{pattern})|ab")).accepts([2])


def test_what_no_tokens_spell_although_each_byte_occurs() -> None:
    vocabulary = Vocabulary.from_tokens([b"ab", b"cd"])
    with pytest.raises(VocabularyError):
        Compiler(vocabulary).compile(regex("ac"))
    assert Compiler(vocabulary).compile(regex("abcd")).accepts([0, 1])


# ---- matchers


@pytest.mark.parametrize("token", [-1, -4, 4, 5, 2**31, 2**70, -(2**70)])
def test_token_ids_outside_the_vocabulary(token: int) -> None:
    matcher = Compiler(LETTERS).compile(regex("[ab]{0,5}")).matcher()
    assert matcher.accept_token(0)
    for call in (matcher.accept_token, matcher.explain, lambda t: matcher.validate_tokens([t])):
        with pytest.raises(TokenError, match="outside the vocabulary of 4 ids") as caught:
            call(token)
        assert isinstance(caught.value, IndexError)
    assert matcher.num_accepted == 1 and matcher.accept_token(1)


def test_accept_tokens_that_raises_leaves_the_matcher_where_it_was() -> None:
    """The promise of `constrain.errors`."""
    matcher = Compiler(LETTERS).compile(regex("[ab]{0,5}")).matcher()
    assert matcher.accept_token(0)
    with pytest.raises(TokenError):
        matcher.accept_tokens([1, 1, 99])
    assert matcher.num_accepted == 1


def test_nothing_follows_the_end() -> None:
    matcher = Compiler(LETTERS).compile(regex("a*")).matcher()
    assert matcher.accept_tokens([0, 3]) == 2 and matcher.is_terminated()
    for token in (0, 3):
        with pytest.raises(TerminatedError, match=r"reset\(\) or rollback"):
            matcher.accept_token(token)
    assert matcher.num_accepted == 2 and matcher.accept_tokens([0]) == 0 and matcher.forced_tokens() == []
    matcher.rollback(1)
    assert not matcher.is_terminated() and matcher.accept_token(0)


@pytest.mark.parametrize("count", [3, -1, 10**9])
def test_rollback_of_more_than_there_is(count: int) -> None:
    matcher = Compiler(LETTERS).compile(regex("a*")).matcher()
    assert matcher.accept_tokens([0, 0]) == 2
    with pytest.raises(ConstrainError, match="has accepted 2 tokens"):
        matcher.rollback(count)
    assert matcher.num_accepted == 2
    matcher.rollback(2)
    matcher.rollback(0)
    assert matcher.num_accepted == 0


WIDTH = (BYTES.size + 31) // 32
BAD_MASKS: dict[str, tuple[Any, Any]] = {
    "too wide": (np.zeros((1, WIDTH + 1), np.int32), 0),
    "too narrow": (np.zeros((1, WIDTH - 1), np.int32), 0),
    "one word, which would be repeated": (np.zeros((1, 1), np.int32), 0),
    "no words": (np.zeros((1, 0), np.int32), 0),
    "int64": (np.zeros((1, WIDTH), np.int64), 0),
    "uint8": (np.zeros((1, WIDTH), np.uint8), 0),
    "float32": (np.zeros((1, WIDTH), np.float32), 0),
    "bool": (np.zeros((1, WIDTH), np.bool_), 0),
    "one dimension": (np.zeros(WIDTH, np.int32), 0),
    "three dimensions": (np.zeros((1, 1, WIDTH), np.int32), 0),
    "no such row": (np.zeros((2, WIDTH), np.int32), 2),
    "no rows": (np.zeros((0, WIDTH), np.int32), 0),
    "row is no number": (np.zeros((1, WIDTH), np.int32), "0"),
    "no array": ([[0] * WIDTH], 0),
    "None": (None, 0),
}


@pytest.mark.parametrize("what", BAD_MASKS)
@pytest.mark.parametrize("pattern", ["a", "(?s).*"])
def test_masks_that_do_not_fit(what: str, pattern: str) -> None:
    mask, row = BAD_MASKS[what]
    matcher = Compiler(BYTES).compile(regex(pattern)).matcher()
    for _ in range(2):
        with pytest.raises(ConstrainError, match=r"allocate_bitmask\(batch, vocab\.size\)"):
            matcher.fill_bitmask(mask, row)
    assert not np.any(mask), "nothing is written"
    good = constrain.allocate_bitmask(1, BYTES.size)
    matcher.fill_bitmask(good)
    assert good.any()


@pytest.mark.parametrize("size", [3, 40, 1000])
def test_a_mask_for_another_vocabulary(size: int) -> None:
    """Also for small vocabularies and sparse masks, whose words would fit anywhere."""
    vocabulary = Vocabulary.from_tokens([b"a", b"b", b"c"], vocab_size=size)
    matcher = Compiler(vocabulary).compile(regex("a+")).matcher()
    for other in (size + 32, size + 320, max(1, size - 32)):
        mask = constrain.allocate_bitmask(1, other)
        if mask.shape[1] != (size + 31) // 32:
            with pytest.raises(ConstrainError):
                matcher.fill_bitmask(mask)
            assert not mask.any()


@pytest.mark.parametrize("batch, size", [(-1, 5), (2, 0), (0, -3)])
def test_masks_of_no_size(batch: int, size: int) -> None:
    with pytest.raises(ConstrainError, match="no mask for"):
        constrain.allocate_bitmask(batch, size)
    assert constrain.allocate_bitmask(0, 1).shape == (0, 1)


# ---- limits

HARD = "(?=[ab]*a[ab]{12}c)(?=[ab]*b[ab]{12}c)[ab]*c"

CROSSED = {"type": "object", "allOf": [{"anyOf": [{"required": [f"{a}{b}"]} for b in "xyz"]} for a in "abc"]}
"""27 kinds of objects."""

LIMITED: dict[str, tuple[Limits, Callable[[], Spec], int | None]] = {
    "pattern_chars": (Limits(pattern_chars=10), lambda: regex("a" * 11), 11),
    "repeat": (Limits(repeat=10), lambda: regex("a{2,11}"), 11),
    "choices": (Limits(choices=2), lambda: choice(["a", "b", "c"]), 3),
    "expressions": (Limits(expressions=4000), lambda: choice([f"{n * 7919:010}" for n in range(30_000)]), None),
    "search": (Limits(search=30), lambda: regex(HARD) & regex("[ab]*c"), None),
    "rules": (Limits(rules=20), lambda: constrain.json_schema(CROSSED), None),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_limits_of_compiling(limit: str) -> None:
    limits, make, given = LIMITED[limit]
    compiler = Compiler(BYTES, limits=limits)
    for _ in range(2):
        with pytest.raises(LimitExceeded) as caught:
            compiler.compile(make())
    error = caught.value
    assert error.limit == limit and error.allowed == getattr(limits, limit) and error.given > error.allowed
    assert given is None or error.given == given
    assert f"Limits.{limit} = {error.allowed:,}" in str(error) and f"Limits({limit}=...)" in str(error)
    assert compiler.compile(regex("a{2}")).accepts(b"aa"), "the compiler is usable"
    assert Compiler(BYTES).compile(regex("ab|cd")).accepts(b"cd"), "and so is what compilers share"


def test_limits_hold_at_the_bound() -> None:
    limits = Limits(pattern_chars=7, repeat=10, choices=2)
    compiler = Compiler(BYTES, limits=limits)
    assert compiler.compile(regex("a{2,10}")).accepts(b"aaa")
    assert compiler.compile(choice(["a", "b"])).accepts(b"b")
    for pattern in ("(?:(?:a{11})?)*", "b|a{11}", "(?=a{11})a", "(?!a{11,})", "(?<=a{11})a", "[^a]{11,}"):
        with pytest.raises(LimitExceeded) as caught:
            Compiler(BYTES, limits=Limits(repeat=10)).compile(regex(pattern))
        assert (caught.value.limit, caught.value.given) == ("repeat", 11)


def test_limits_hold_inside_of_combinations() -> None:
    compiler = Compiler(BYTES, limits=Limits(repeat=10, choices=2, pattern_chars=20))
    long, many, counted = regex("a" * 21), choice(["a", "b", "c"]), regex("a{11}")
    for limit, spec in (("pattern_chars", long), ("choices", many), ("repeat", counted)):
        for combined in (spec | regex("b"), regex("b") + spec, spec & regex("a*")):
            with pytest.raises(LimitExceeded) as caught:
                compiler.compile(combined)
            assert caught.value.limit == limit


def test_a_pattern_over_the_default_length_is_read_when_a_compiler_allows_it() -> None:
    spec = regex("[a]" + "b" * 1_000_000)
    with pytest.raises(LimitExceeded) as caught:
        Compiler(BYTES).compile(spec)
    assert (caught.value.limit, caught.value.given) == ("pattern_chars", 1_000_003)


def test_a_limit_reached_while_matching_leaves_the_matcher_usable() -> None:
    compiler = Compiler(BYTES, limits=Limits(search=30))
    matcher = compiler.compile(regex(f"x|y(k|{HARD})|abc")).matcher()
    assert matcher.accept_token(ord("y"))
    mask = np.full((1, WIDTH), 7, np.int32)
    calls: list[Callable[[], object]] = [
        lambda: matcher.fill_bitmask(mask),
        lambda: matcher.allowed_token_ids(),
        lambda: matcher.accept_token(ord("k")),
        lambda: matcher.accept_tokens(b"k"),
        lambda: matcher.validate_tokens(b"k"),
        lambda: matcher.explain(ord("k")),
        lambda: matcher.forced_tokens(),
    ]
    for call in calls:
        with pytest.raises(LimitExceeded) as caught:
            call()
        assert caught.value.limit == "search"
        assert matcher.num_accepted == 1
    assert (mask == 7).all(), "a mask that cannot be made is not half written"
    matcher.rollback(1)
    assert matcher.accept_token(ord("x")) and matcher.is_accepting()
    matcher.rollback(1)
    assert matcher.accept_tokens(b"abc") == 3 and matcher.is_accepting()
    assert compiler.compile(regex("a*")).accepts(b"aaa")


# ---- values

ERRORS = [
    ConstrainError("a"),
    SpecTypeError("b"),
    GrammarSyntaxError("c", line=3, column=4, excerpt="    x\n    ^", expected=["d"]),
    SchemaError("e", pointer="/a/0", keyword="type", hint="f"),
    UnsupportedError("g", position=5, excerpt="    y\n    ^"),
    UnsatisfiableError("h"),
    VocabularyError("i"),
    LimitExceeded("repeat", 5, 4, "the bound"),
    TokenError("j"),
    TerminatedError("k"),
    ConflictError("l", processors=["m", "n"]),
    CheckerError("o"),
]


@pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_pickle(error: ConstrainError, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_every_error_is_in_that_list() -> None:
    kinds = {
        value for value in vars(constrain.errors).values() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert {type(error) for error in ERRORS} == kinds
    assert all(issubclass(kind, ConstrainError) and issubclass(kind, ValueError) for kind in kinds)
    assert kinds <= {getattr(constrain, name) for name in constrain.__all__}


SPECS = [
    regex("a+"),
    regex("a+", re.I),
    regex(re.compile("a+", re.S)),
    choice(["a", "b"]),
    choice(["b", "a"]),
    regex("a") & regex("[ab]"),
    regex("a") | regex("b"),
    regex("a") + regex("b"),
    regex("b") + regex("a"),
    (regex("a") | choice(["x"])) & regex(".") & (regex("a") + regex("")),
]


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_specs_are_values(spec: Spec) -> None:
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec and hash(again) == hash(spec) and repr(again) == repr(spec)
    assert [other for other in SPECS if other == spec] == [spec]
    compiler = Compiler(BYTES)
    assert compiler.compile(again) is compiler.compile(spec)
    with pytest.raises(AttributeError):
        setattr(spec, dataclasses.fields(spec)[0].name, "c")  # type: ignore[arg-type]


def test_equal_specs() -> None:
    assert regex("a") == regex("a", 0) == regex(re.compile("a")) and regex("a", re.I) == regex(re.compile("a", re.I))
    assert choice(["a", "b", "a"]) == choice(("a", "b")) == choice(iter(["a", "b"])) == choice({"a": 1, "b": 2})
    assert (regex("a") & regex("b")) & regex("c") == regex("a") & (regex("b") & regex("c"))
    assert (regex("a") | regex("b")) | regex("c") == regex("a") | (regex("b") | regex("c"))
    assert (regex("a") + regex("b")) + regex("c") == regex("a") + (regex("b") + regex("c"))
    assert regex("a") != choice(["a"]) and regex("a") & regex("b") != regex("a") | regex("b")


def test_automata_pickle() -> None:
    compiler = Compiler(LETTERS, limits=Limits(repeat=77))
    automaton = compiler.compile(regex("(?:ab)+"))
    again = pickle.loads(pickle.dumps(automaton))
    assert again.spec == automaton.spec and again.vocabulary == LETTERS and again.space.limits == Limits(repeat=77)
    assert again.accepts([2, 0, 1]) and not again.accepts([0])
    assert again.matcher().allowed_token_ids().tolist() == automaton.matcher().allowed_token_ids().tolist() == [0, 2]


def test_messages_name_the_constraint() -> None:
    matcher = Compiler(LETTERS).compile(regex("ab")).matcher()
    assert repr(matcher) == "<Matcher after 0 tokens, open, of Regex(pattern='ab', flags=0)>"
    assert matcher.accept_token(2) and "accepting" in repr(matcher)
    assert matcher.accept_token(3) and "ended" in repr(matcher)
    assert matcher.explain(0).constraint == "Regex(pattern='ab', flags=0)"
