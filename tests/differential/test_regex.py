"""Patterns, read and run by the engine, against `re`, the `regex` module and interegular."""

from __future__ import annotations

import itertools
import random
import re
import unicodedata
import warnings
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import PATTERN_CHARS, Language, examples, flag_prefixes, mutated, patterns, texts_near

import constrain
from benchmarks.patterns import PATTERNS, Pattern, full_match
from constrain import Compiler, Limits, UnsupportedError, Vocabulary
from constrain.automata.dfa import DfaStore
from constrain.ir import expr as ir
from constrain.specs.regex import parse_regex

LIMITS = Limits(search=50_000)


def language(pattern: str, flags: int = 0) -> Language:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "possible nested set": `re` warns of it in its own name
        return Language(parse_regex(pattern, flags), limits=LIMITS)


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return re.compile(pattern, flags)
        except re.error:
            assume(False)
            raise


def other(pattern: str) -> Any:
    """A pattern as the `regex` module reads it."""
    regex_module = pytest.importorskip("regex")
    return regex_module.compile(pattern, regex_module.V0)


def bugs_of_re(pattern: str, text: str) -> bool:
    r"""Before Python 3.14, `re` refuses `\B` on the empty string."""
    return not text and r"\B" in pattern


def compare(pattern: str, engine: Language, oracle: Any, texts: set[str]) -> None:
    for text in sorted(texts):
        if not bugs_of_re(pattern, text):
            assert engine.accepts(text.encode()) == (oracle(text) is not None), (pattern, text)


def words_over(alphabet: str, longest: int) -> set[str]:
    return {"".join(word) for n in range(longest + 1) for word in itertools.product(alphabet, repeat=n)}


def same_language(engine: Language, oracle: Any, texts: set[str]) -> None:
    found = {text for text in texts if engine.accepts(text.encode())}
    assert found == {text for text in texts if oracle.fullmatch(text)}


seeds = st.integers(0, 2**32)

# ---- against `re`


@examples(700)
@given(st.builds(str.__add__, flag_prefixes, patterns()), seeds)
def test_whole_matches_are_those_of_re(pattern: str, seed: int) -> None:
    oracle = compiled(pattern)
    engine = language(pattern)  # nothing that `patterns` draws is unsupported
    compare(pattern, engine, oracle.fullmatch, texts_near(engine, random.Random(seed), PATTERN_CHARS))


FLAGS = [re.I, re.S, re.M, re.A, re.X, re.I | re.A, re.S | re.M]


@examples(100)
@given(patterns(depth=2, with_flags=False), st.sampled_from(FLAGS), seeds)
def test_flags_given_apart(pattern: str, flags: int, seed: int) -> None:
    oracle, engine = compiled(pattern, flags), language(pattern, flags)
    compare(pattern, engine, oracle.fullmatch, texts_near(engine, random.Random(seed), PATTERN_CHARS))


@pytest.mark.parametrize(
    "pattern",
    [
        "(?i:a)b",
        "(?i)a(?-i:b)c",
        "(?i:a(?-i:b(?i:c)))",
        "(?s:.)(?-s:.).",
        "(?s).(?-s:.)",
        "(?m:^a$)\n^b$",
        "(?m)^a$\n(?-m:^)?b",
        "(?a:\\w)\\w",
        "(?a)\\w(?u:\\w)",
        "(?a:\\w(?u:\\w))",
        "(?x: a b # comment\n )c d",
        "(?x)a\\ b[ ]c # (",
        "(?i)[^k]",
        "(?ia)k",
        "(?i)ſ|ß",
        "(?i)[à-ý]",
        "(?a:\\b)é",
        "\\bé\\b",
        "(?ai:[^\\W\\d])",
        "(?i)\\u0130|i",
        "(?s:(?-s:.)|b)\n?",
    ],
)
def test_flags_hold_where_they_are_written(pattern: str) -> None:
    oracle, engine = compiled(pattern), language(pattern)
    alphabet = "abcdABCD ékKſßẞSsàÀıİi\n"
    texts = {*words_over(alphabet, 2), *words_over("abcC\n", 3)}
    compare(pattern, engine, oracle.fullmatch, texts)
    for line in ("a\nb", "abcd", "a b c", "aB c", "abCD"):
        assert engine.accepts(line.encode()) == bool(oracle.fullmatch(line)), line


ANCHORED = ["^a$", "a$\n", "a$\n?", "a\\Z\n?", "^^a$$", "(a$|b)\n*", "(?m)(^a$\n?)*"]
ANCHORED += ["(?m)a$.?", "$", "^$", "\\b", "\\B", "\\Aa"]
ANCHORED += ["a(?!$)b?", "a(?=$)\n?", "a(?=\\Z)\n?", "(?<=^)a", "(?<!^)a"]
ANCHORED += ["(?m)\n(?<=^)a", "\\ba\\b b?", "a\\B.", ".\\b.\\B."]
ANCHORED += ["(?=.*a).*b", "(?!.*ab)[ab\n]*", "(?:(?!ab).)*", "(?<=a)b|b(?<=ab)", "(?<!a)b|a(?<!ba)b", "((?<=a)b|a)*"]
ANCHORED += ["(?=a|ab)a?b?", "(?!(?!a))a", "(?=(?!b)a)."]
ANCHORED += ["((?=a)a|b(?=b|$))*", "(?<=(?<!b)a)b|ab(?<=(?<!b)ab)", "(a|b)*(?<!aa)"]


@pytest.mark.parametrize("pattern", ANCHORED)
def test_anchors_and_assertions_on_every_short_text(pattern: str) -> None:
    engine = language(pattern)
    texts = words_over("ab\n", 5)
    oracle = other(pattern)
    for text in texts:
        expected = bool(oracle.fullmatch(text)) if pattern == "\\B" else bool(re.fullmatch(pattern, text))
        assert engine.accepts(text.encode()) == expected, text


def test_lookbehind_of_any_width() -> None:
    """`re` refuses these; the `regex` module has them."""
    wide = ["[ab]*(?<=a*b)a", "(?<!ab*)b|ab+(?<!aab*)", "[ab]+(?<=^a+b?)", "[ab]*(?<!(?:ab)+)", "a*(?<=a{2,4})b*"]
    for pattern in wide:
        same_language(language(pattern), other(pattern), words_over("ab", 7))


# ---- backreferences

GROUPS = ["(a|b)", "(ab|b|)", "([ab])", "(a{1,2})", "(?P<x>a|bb)"]
GROUPS += ["((a)b|a)", "(a?b?)", "(é|日)", "([a-c]x?)", "(a|b|ab)"]
REFERENCES = ["{g}\\1", "{g}.\\1", "{g}(?:\\1|c)+", "{g}\\1{{0,2}}c"]
REFERENCES += ["(?:{g}-\\1,?)*", "{g}(?=\\1)[ab]*", "{g}[abc]*(?<=\\1)"]
REFERENCES += ["{g}(?!\\1)[ab]?", "c{g}(a|b)\\2\\1", "(?:c|{g}\\1)", "(?i){g}\\1", "(?i:{g}\\1)"]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("reference", REFERENCES)
def test_bounded_backreferences(group: str, reference: str) -> None:
    pattern = reference.format(g=group)
    if "\\2" in pattern and group == "((a)b|a)":
        pattern = pattern.replace("\\2", "\\3")
    engine = language(pattern)
    try:
        oracle: Any = re.compile(pattern)
    except (
        re.error
    ):  # a reference in a lookbehind. (`regex` is the second choice: (a{1,2})\\1{0,2}c is not in it as aaac.)
        oracle = other(pattern)
    rng = random.Random(pattern)
    texts = words_over("abc", 5)
    texts |= {"".join(rng.choices("abcABé日x-,", k=rng.randint(1, 7))) for _ in range(600)}
    texts |= texts_near(engine, rng, "abcABx-,é日")
    for text in sorted(texts):
        assert engine.accepts(text.encode()) == bool(oracle.fullmatch(text)), (pattern, text)


CASELESS = ["(?i)(a)(?-i:\\1)", "(a)(?i:\\1)", "(?i)(s)\\1", "(?i)(k|ß)\\1", "(?i)([a-c])-(?-i:\\1)", "(?i:(a)\\1)a"]


@pytest.mark.parametrize("pattern", CASELESS)
def test_backreferences_that_ignore_case(pattern: str) -> None:
    """Exactly as `re`, which compares with what the group matched; or refused."""
    oracle = compiled(pattern)
    try:
        engine = language(pattern)
    except UnsupportedError:
        return
    same_language(engine, oracle, {*words_over("aAbsSſkKßẞ-", 3), *words_over("aA-b", 4)})


UNBOUNDED = ["(a*)\\1", "(.)\\1", "(\\w)-\\1", "(a)?\\1", "(?:(a)|b)\\1"]
UNBOUNDED += ["(a)*\\1", "([^a])\\1", "(\\d{4})\\1", "(?:(a)){2}\\1"]


@pytest.mark.parametrize("pattern", UNBOUNDED)
def test_unbounded_backreferences_are_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_regex(pattern)
    assert caught.value.position == pattern.index("\\1")


@pytest.mark.parametrize("pattern", [r"(\p{Zs})\1", r"([\p{Nd}])-\1", r"(?P<x>\p{Lu}|a)(?P=x)", r"(\P{L}{2})\1"])
def test_backreferences_to_a_property_are_exact_or_refused(pattern: str) -> None:
    oracle = other(pattern)
    try:
        engine = language(pattern)
    except UnsupportedError:
        return
    alphabet = " \u00a0\u2003123٣AB-a"
    same_language(engine, oracle, words_over(alphabet, 4))


# ---- against the `regex` module

PROPERTIES = ["L", "Lu", "Ll", "N", "Nd", "P", "Po", "S"]
PROPERTIES += ["Sc", "Z", "Zs", "M", "Greek", "Han", "Script=Cyrillic", "Latin"]
PROPERTIES += ["Alphabetic", "White_Space", "Uppercase", "ASCII", "InBasicLatin", "InGreek_and_Coptic", "Any"]
PROPERTY_CHARS = "aAzZ09_ -\n.,;€$+éßÿΩωдЖ日本ー١५Ⅷ²½\u0301\u00a0\u2003\u200b😀𝒳"


def old_characters() -> str:
    """One character in 97, of those that have been assigned for long: tables of different Unicode versions agree."""
    return "".join(c for c in map(chr, range(0, 0x30000, 97)) if not 0xD800 <= ord(c) <= 0xDFFF)


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize(
    "form", [r"\p{{{}}}", r"\P{{{}}}", r"[\p{{{}}}]", r"[^\p{{{}}}]", r"[a\P{{{}}}]", r"\p{{^{}}}"]
)
def test_properties_one_character_at_a_time(name: str, form: str) -> None:
    pattern = form.format(name)
    engine, oracle = language(pattern), other(pattern)
    for char in PROPERTY_CHARS + old_characters()[::7]:
        if unicodedata.category(char) != "Cn":
            assert engine.accepts(char.encode()) == bool(oracle.fullmatch(char)), hex(ord(char))


@pytest.mark.parametrize(
    "pattern",
    [
        r"\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)*",
        r"[\p{L}\p{Nd}_-]+",
        r"[^\p{L}\s]*\P{N}",
        r"(?:(?!\p{Lu})\p{L}){2,}",
        r"\p{Han}+|\p{Greek}+",
        r"(?i)\p{Lu}a",
        "(?x) \\p{L} # a comment\n \\d",
        "(?x) \\p{L} # a comment with \\p\n \\d",
        r"\pL\PL",
        r"\\p\{L}",
        "\\p{L}\\U0010FFFD",
        "[\\p{Nd}\\U0010FFF0-\\U0010FFFF]",
        "\\p{L}[\\U00100000-\\U0010FFFD]",
        "\\p{L}\U0010fffd",
    ],
)
def test_properties_in_patterns(pattern: str) -> None:
    engine, oracle = language(pattern), other(pattern)
    rng = random.Random(pattern)
    alphabet = PROPERTY_CHARS + "\\p{L}\U0010fffd\U0010fffe"
    for text in sorted(texts_near(engine, rng, alphabet) | {a + b for a in "aéΩ1" for b in alphabet}):
        assert engine.accepts(text.encode()) == bool(oracle.fullmatch(text)), text


_PLAIN_ATOMS = ["a", "b", "ab", "B", "é", "日", "1", "_", "-"]
_PLAIN_ATOMS += [" ", ".", r"\.", r"\n", "[ab]", "[^a]", "[a-c1-3]", "[^b-é]", r"\d"]


def plain_patterns() -> st.SearchStrategy[str]:
    """Without assertions, which `regex` gives up on at the end of a partial text."""
    return patterns(depth=3, looks=False, atoms=_PLAIN_ATOMS, with_flags=False).filter(lambda p: "\\W" not in p)


@examples(300)
@given(plain_patterns(), seeds)
def test_viable_prefixes_are_partial_matches(pattern: str, seed: int) -> None:
    pattern = re.sub(r"([*+?}])\?", r"\1", pattern)  # lazy: `regex` finds a partial match of (?:a)*?a in "a1"
    assume(_is_ascii_class(pattern) and compiled(pattern))
    engine, oracle = language(pattern), other(pattern)
    texts = texts_near(engine, random.Random(seed), "abcB1_- \n.é日")
    for text in sorted(texts | {whole[:n] for whole in texts for n in range(len(whole))}):
        expected = oracle.fullmatch(text, partial=True) is not None
        assert engine.viable(text.encode()) == expected, (pattern, text)


def _is_ascii_class(pattern: str) -> bool:
    r"""Whether the pattern is free of the classes in which the Unicode versions of `regex` and Python may differ."""
    return not re.search(r"\\[WwSsD]|\\N", pattern)


# ---- against interegular

_FSM_ATOMS = ["a", "b", "c", "ab", "1", "_", "-", " ", "."]
_FSM_ATOMS += [r"\.", r"\n", "[ab]", "[^a]", "[a-c1-3]", r"[^b-d\n]", r"\d", r"\s"]


@st.composite
def fsm_patterns(draw: st.DrawFn, depth: int = 3) -> str:
    """What interegular reads: no flags, no anchors, ASCII classes."""
    if depth == 0:
        return draw(st.sampled_from(_FSM_ATOMS))
    inner = fsm_patterns(depth - 1)
    kind = draw(st.integers(0, 5))
    if kind < 2:
        return "".join(draw(st.lists(inner, min_size=1, max_size=3)))
    if kind < 4:
        return f"(?:{draw(inner)}){draw(st.sampled_from(['*', '+', '?', '{2}', '{0,2}', '{1,3}', '{2,}']))}"
    return f"({draw(inner)}|{draw(inner)})"


@examples(120)
@given(fsm_patterns(), seeds)
def test_languages_are_those_of_interegular(pattern: str, seed: int) -> None:
    interegular = pytest.importorskip("interegular")
    fsm = interegular.parse_pattern(pattern).to_fsm()
    engine = language(pattern, re.ASCII)
    alphabet = "abcd1_- .\nZ"
    for text in texts_near(engine, random.Random(seed), alphabet):
        assert engine.accepts(text.encode()) == fsm.accepts(text), (pattern, text)


@examples(60)
@given(fsm_patterns(2), fsm_patterns(2))
def test_intersections_and_differences_are_those_of_interegular(a: str, b: str) -> None:
    interegular = pytest.importorskip("interegular")
    one, two = (interegular.parse_pattern(p).to_fsm() for p in (a, b))
    first, second = parse_regex(a, re.ASCII), parse_regex(b, re.ASCII)
    store = DfaStore()
    everything = parse_regex("(?s).*")
    for fsm, expr in (
        (one & two, ir.And((first, second))),
        (one | two, ir.Alt((first, second))),
        (one - two, ir.And((first, ir.Not(second)))),
        (one ^ two, ir.Alt((ir.And((first, ir.Not(second))), ir.And((second, ir.Not(first)))))),
    ):
        engine = Language(ir.And((everything, expr)), store, LIMITS)
        assert engine.viable(b"") != fsm.empty()
        for found in itertools.islice(fsm.strings(max_iterations=2000), 30) if not fsm.empty() else ():
            word = "".join("Z" if char is interegular.fsm.anything_else else str(char) for char in found)
            assert engine.accepts(word.encode())
        rng = random.Random(a + b)
        for text in texts_near(engine, rng, "abc1 .Z\n"):
            assert engine.accepts(text.encode()) == fsm.accepts(text)


# ---- the benchmark's patterns


@lru_cache(maxsize=1)
def words_and_bytes() -> Vocabulary:
    """All bytes, and what is frequent in the texts: pieces of one to six characters, many of them in several ways."""
    rng = random.Random(2)
    text = "".join(text for pattern in PATTERNS for text in pattern.texts)
    pieces = {text[i : i + rng.randint(1, 6)].encode() for i in (rng.randrange(len(text)) for _ in range(3000))}
    tokens = [*(bytes([b]) for b in range(256)), *sorted(pieces)]
    return Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)])


@lru_cache(maxsize=1)
def token_numbers() -> dict[bytes, int]:
    vocabulary = words_and_bytes()
    return {vocabulary.token_bytes(token): token for token in reversed(range(vocabulary.size))}


def cut(rng: random.Random, data: bytes) -> list[int]:
    """The data as tokens, cut at random."""
    tokens, at, known = [], 0, token_numbers()
    while at < len(data):
        fitting = [n for n in range(1, 13) if data[at : at + n] in known and at + n <= len(data)]
        size = rng.choice(fitting)
        tokens.append(known[data[at : at + size]])
        at += size
    return tokens


@pytest.mark.parametrize("pattern", PATTERNS, ids=[pattern.name for pattern in PATTERNS])
def test_benchmark_patterns(pattern: Pattern) -> None:
    """Their texts are accepted token by token, however they are cut; mutated texts are judged as by `re` or `regex`."""
    rng = random.Random(pattern.name)
    vocabulary = words_and_bytes()
    automaton = Compiler(vocabulary).compile(constrain.regex(pattern.pattern))
    mask = constrain.allocate_bitmask(1, vocabulary.size)
    end = vocabulary.eos_ids[0]
    for text in pattern.texts:
        matcher = automaton.matcher()
        for token in cut(rng, text.encode()):
            matcher.fill_bitmask(mask)
            assert mask[0, token >> 5] >> (token & 31) & 1, (text, vocabulary.token_bytes(token))
            assert matcher.accept_token(token)
        assert matcher.is_accepting() and matcher.accept_token(end)
        for _ in range(15):
            other = mutated(rng, text, 'aZ0 .-é日\n"\\,:/' + text[:200])
            verdict = full_match(pattern, other)
            assert automaton.accepts(cut(rng, other.encode())) == verdict, other


# ---- UTF-8

EDGES = [0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0x10FFFF]
AROUND = sorted({edge + step for edge in EDGES for step in (-1, 0, 1)} - {-1, 0x110000} - set(range(0xD800, 0xE000)))
SPELLED = {code: chr(code).encode() for code in AROUND}


def test_ranges_between_the_lengths_of_utf8() -> None:
    store = DfaStore()
    for low, high in itertools.combinations_with_replacement(EDGES, 2):
        engine = Language(ir.Chars(((low, high),)), store)
        assert {code for code in AROUND if engine.accepts(SPELLED[code])} == {c for c in AROUND if low <= c <= high}


def test_ranges_in_patterns_between_the_lengths_of_utf8() -> None:
    for low, high in itertools.pairwise(EDGES):
        bounds = f"\\U{low:08X}-\\U{high:08X}"
        inside, outside = language(f"[{bounds}]"), language(f"[^{bounds}]")
        for code in AROUND:
            assert inside.accepts(SPELLED[code]) == (low <= code <= high)
            assert inside.accepts(SPELLED[code]) != outside.accepts(SPELLED[code])


TAILS = [b"", *(bytes([first] + [0x80] * more) for more in range(3) for first in (0x80, 0x90, 0xA0))]


def begins_utf8(data: bytes) -> bool:
    """Whether something can make it UTF-8. (The incremental decoder would wait for a third byte after ED A0.)"""
    return any(is_utf8(data + tail) for tail in TAILS)


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


ANY = language("(?s).*")


def test_every_pair_of_bytes() -> None:
    for data in map(bytes, itertools.product(range(256), repeat=2)):
        assert (ANY.viable(data), ANY.accepts(data)) == (begins_utf8(data), is_utf8(data)), data


@pytest.mark.parametrize("lead", [0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5])
def test_every_character_near_the_limits(lead: int) -> None:
    """Overlong forms, surrogates and numbers beyond U+10FFFF are never viable."""
    near = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    for rest in itertools.chain.from_iterable(itertools.product(near, repeat=n) for n in range(4)):
        data = bytes([lead, *rest])
        assert (ANY.viable(data), ANY.accepts(data)) == (begins_utf8(data), is_utf8(data)), data


@examples(200)
@given(st.lists(st.one_of(st.text(max_size=2).map(str.encode), st.binary(max_size=3)), max_size=4).map(b"".join))
def test_any_bytes(data: bytes) -> None:
    assert (ANY.viable(data), ANY.accepts(data)) == (begins_utf8(data), is_utf8(data))


def test_surrogates_are_never_viable() -> None:
    for pattern in ("[\ud800-\udfff]", "\udc00", "[\ud7ff-\ue000]", "[^a]", "(?s).", r"\W", r"[\ud800-\uffff]"):
        engine = language(pattern)
        for code in range(0xD800, 0xE000, 37):
            assert not engine.viable(chr(code).encode("utf-8", "surrogatepass"))
    assert not language("\udc00").viable(b"") and language("[\ud7ff-\ue000]").accepts("\ue000".encode())


@pytest.mark.parametrize("category", [r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", ".", "[^a-z]"])
@pytest.mark.parametrize("flags", [0, re.ASCII, re.IGNORECASE, re.DOTALL])
def test_every_character_around_each_bound_of_a_class(category: str, flags: int) -> None:
    """The bounds are those of the expression itself; `re` says whether they are right."""
    engine, oracle = language(category, flags), re.compile(category, flags)
    chars = parse_regex(category, flags)
    assert isinstance(chars, ir.Closed) and isinstance(chars.body, ir.Chars)
    bounds = {bound + step for pair in chars.body.ranges for bound in pair for step in (-1, 0, 1)}
    for code in sorted(bounds - {-1, 0x110000} - set(range(0xD800, 0xE000))):
        assert engine.accepts(chr(code).encode()) == bool(oracle.fullmatch(chr(code))), hex(code)
