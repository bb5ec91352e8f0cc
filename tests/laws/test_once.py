"""Terminals that match once: the engine against a definition by hand, and the laws of a matcher among such terminals.

Two families of grammars: lists of distinct words, and objects with distinct names, whose values may be objects. Letters
can be spelled in two ways, so that equal words need not look alike.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matchers import accepted, mask_of
from strategies import examples, mutated

import constrain
from constrain import Compiler, Limits, Matcher, Spec, TokenAutomaton, Vocabulary
from constrain.ir.expr import Chars, Concat, Expr, Literal, Repeat, concat
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Once, Rule, Seq, Terminal
from constrain.ir.languages import Languages

SPELLINGS = {"a": "aA", "b": "b", "é": "éE"}
"""Each letter in every way to write it."""
WORDS = ["a", "b", "é", "ab", "ba", "aa", "aé", "abé"]
PLAIN = {char: letter for letter, chars in SPELLINGS.items() for char in chars}
ALPHABET = "".join(PLAIN)
_WORD = rf"([{ALPHABET}]+)"

# ---- grammars


def characters(chars: str) -> Expr:
    """One of some characters."""
    return Chars(tuple((ord(char), ord(char)) for char in sorted(chars)))


def fixed(text: str) -> Terminal:
    """A terminal that is this text."""
    return Terminal(text, Literal(text.encode()))


def canonical(word: str) -> str:
    """What a word stands for, however it is spelled."""
    return "".join(PLAIN[char] for char in word)


def value(text: bytes) -> Hashable:
    """What a match stands for, by any text that ends with it: a word, and what shows that it has ended."""
    found = re.search(_WORD + r"[],:]\Z", text.decode())
    assert found is not None
    return canonical(found[1])


@cache
def spell(word: Hashable) -> Expr:
    """The texts that only matches of a word begin with."""
    return Concat((*(characters(SPELLINGS[letter]) for letter in str(word)), characters("],:")))


def once(end: str, never: frozenset[str] = frozenset()) -> Terminal:
    """A word and its end, never twice."""
    word = Repeat(characters(ALPHABET), 1, None)
    return Terminal(f"word{end}", concat([word, Literal(end.encode())]), once=Once(value, spell, never))


def lists(recursive: bool) -> Grammar:
    """Lists of distinct words: by a loop, or by a rule that goes on with itself."""
    item, last = once(","), once("]")
    if not recursive:
        return Grammar(
            {"start": Rule(Seq((fixed("["), Either((fixed("]"), Seq((Many(item, 0, None), last)))))))}, "start"
        )
    more: Body = Either((Seq((item, Call("more", lazy=True))), last))
    first: Body = Seq((fixed("["), Either((fixed("]"), Call("more", lazy=True)))))
    return Grammar({"start": Rule(first), "more": Rule(more)}, "start", cost=lambda rule: 1.0)


def objects(number: frozenset[str], letter: frozenset[str], recursive: bool) -> Grammar:
    """Objects with distinct names. Names but those of `number` have `1` or an object for a value, all but those of
    `letter` may have `x`."""
    names = once(":", number), once(":", letter)
    either = Either((fixed("1"), Call("start"))), fixed("x")
    open_, close, comma = fixed("{"), fixed("}"), fixed(",")
    if not recursive:
        member = Either(tuple(Seq(pair) for pair in zip(names, either)))
        members = Seq((member, Many(Seq((comma, member)), 0, None), close))
        return Grammar({"start": Rule(Seq((open_, Either((close, members)))))}, "start")
    lazily = Either((fixed("1"), Call("start", lazy=True))), fixed("x")
    rest = Call("rest", lazy=True)
    rules: dict[Hashable, Rule] = {
        "start": Rule(Seq((open_, Either((close, Call("members", lazy=True)))))),
        "members": Rule(Either(tuple(Seq((*pair, rest)) for pair in zip(names, lazily)))),
        "rest": Rule(Either((close, Seq((comma, Call("members", lazy=True)))))),
    }
    return Grammar(rules, "start", cost=lambda rule: 1.0)


@dataclass(frozen=True)
class Family:
    """A grammar, by what it is made of, and the definition of what it denotes."""

    kind: str
    recursive: bool
    number: frozenset[str] = frozenset()
    letter: frozenset[str] = frozenset()

    def grammar(self) -> Grammar:
        if self.kind == "list":
            return lists(self.recursive)
        return objects(self.number, self.letter, self.recursive)

    def denotes(self, text: str) -> bool:
        """Whether a text is in the language."""
        if self.kind == "list":
            words = [canonical(word) for word in re.findall(_WORD, text)]
            whole = re.fullmatch(rf"\[({_WORD}(,{_WORD})*)?\]", text)
            return whole is not None and len(words) == len(set(words))
        return self.object_end(text, 0) == len(text)

    def object_end(self, text: str, at: int) -> int | None:
        """Where the object ends that begins at a place; None if there is none."""
        if not text.startswith("{", at):
            return None
        if text.startswith("}", at + 1):
            return at + 2
        used: set[str] = set()
        while found := re.compile(rf"[{{,]{_WORD}:").match(text, at):
            if (found[0][0] == ",") != bool(used) or (name := canonical(found[1])) in used:
                return None
            used.add(name)
            end = self.value_end(name, text, found.end())
            if end is None:
                return None
            at = end
        return at + 1 if text.startswith("}", at) and used else None

    def value_end(self, name: str, text: str, at: int) -> int | None:
        """Where the value ends that a name has."""
        if text.startswith("x", at):
            return None if name in self.letter else at + 1
        if name in self.number:
            return None
        return at + 1 if text.startswith("1", at) else self.object_end(text, at)

    @property
    def punctuation(self) -> str:
        """All characters of texts but letters."""
        return "[]," if self.kind == "list" else "{}:,1x"


_some_words = st.frozensets(st.sampled_from(WORDS), max_size=3)
families = st.one_of(
    st.builds(Family, st.just("list"), st.booleans()),
    st.builds(Family, st.just("object"), st.booleans(), _some_words, _some_words),
)
seeds = st.integers(0, 2**32)


# ---- texts and vocabularies


def spelled(rng: random.Random, word: str) -> str:
    """A word in one of its spellings."""
    return "".join(rng.choice(SPELLINGS[letter]) for letter in word)


def text_of(rng: random.Random, family: Family, depth: int = 2) -> str:
    """A text that is in the language unless a word comes twice, or one has a value that it never has."""
    words = rng.sample(WORDS, rng.randrange(5)) if rng.random() < 0.6 else rng.choices(WORDS[:5], k=rng.randrange(5))
    if family.kind == "list":
        return f"[{','.join(spelled(rng, word) for word in words)}]"
    return f"{{{','.join(f'{spelled(rng, word)}:{value_of(rng, family, word, depth)}' for word in words)}}}"


def value_of(rng: random.Random, family: Family, word: str, depth: int) -> str:
    choices = ["1"] * (word not in family.number) + ["x"] * (word not in family.letter) or ["1", "x"]
    nested = depth > 0 and "1" in choices and rng.random() < 0.5
    return text_of(rng, family, depth - 1) if nested else rng.choice(choices)


@st.composite
def drawn_vocabularies(draw: st.DrawFn, family: Family) -> Vocabulary:
    """All bytes of the alphabet, and tokens cut out of texts at random, across words and punctuation."""
    rng = draw(st.randoms(use_true_random=False))
    alphabet = (ALPHABET + family.punctuation).encode()
    tokens = [bytes([b]) for b in sorted(set(alphabet))]
    for _ in range(draw(st.integers(5, 30))):
        text = text_of(rng, family).encode()
        start = rng.randrange(len(text))
        tokens.append(text[start : start + rng.randint(2, 7)])
    return Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)])


with_vocabularies = families.flatmap(lambda family: st.tuples(st.just(family), drawn_vocabularies(family)))


@dataclass(frozen=True)
class Deriving(Spec):
    """The constraint of a family."""

    family: Family

    def lower(self, limits: Limits, languages: Languages | None = None) -> Grammar:
        return self.family.grammar()


def bind(family: Family, vocabulary: Vocabulary) -> TokenAutomaton:
    return Compiler(vocabulary).compile(Deriving(family))


def cut(rng: random.Random, text: bytes, vocabulary: Vocabulary) -> list[int]:
    """A text in tokens, at random. Every byte of the alphabet is one."""
    tokens = []
    while text:
        fitting = [token for token in range(vocabulary.size - 1) if text.startswith(vocabulary.token_bytes(token))]
        tokens.append(rng.choice(fitting))
        text = text[len(vocabulary.token_bytes(tokens[-1])) :]
    return tokens


def walk(matcher: Matcher, rng: random.Random, steps: int) -> list[int]:
    """Up to some number of allowed tokens, accepted. Those that close are taken less often."""
    path: list[int] = []
    for _ in range(steps):
        allowed = sorted(mask_of(matcher) - set(matcher.automaton.vocabulary.eos_ids))
        if not allowed:
            break
        data = [matcher.automaton.vocabulary.token_bytes(token) for token in allowed]
        open_ = [token for token, spelled in zip(allowed, data) if not spelled.endswith((b"]", b"}"))]
        path.append(rng.choice(open_ if open_ and rng.random() < 0.9 else allowed))
        assert matcher.accept_token(path[-1])
    return path


# ---- the definition


@examples(150)
@given(with_vocabularies, seeds)
def test_accepts_what_the_definition_says(drawn: tuple[Family, Vocabulary], seed: int) -> None:
    family, vocabulary = drawn
    rng, automaton = random.Random(seed), bind(*drawn)
    texts = {text_of(rng, family) for _ in range(12)}
    texts |= {mutated(rng, text, ALPHABET + family.punctuation) for text in sorted(texts)}
    for text in sorted(texts):
        tokens = cut(rng, text.encode(), vocabulary)
        assert automaton.accepts(tokens) == family.denotes(text), (text, tokens)


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize(
    ("kind", "alphabet", "most"), [("list", "[],aA", 7), ("list", "[],bé", 7), ("object", "{}:,aA1x", 7)]
)
def test_accepts_all_short_texts_that_the_definition_does(kind: str, alphabet: str, most: int, recursive: bool) -> None:
    """Breadth first along what may follow, and the masks say what that is."""
    family = Family(kind, recursive, frozenset({"a", "ab"}), frozenset({"b"}))
    tokens = [*dict.fromkeys(bytes([b]) for char in alphabet for b in char.encode()), None]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=[len(tokens) - 1])
    found: set[bytes] = set()
    places = [(b"", bind(family, vocabulary).matcher())]
    for _ in range(most + 1):
        following = []
        for text, matcher in places:
            found |= {text} if matcher.is_accepting() else set()
            for token in mask_of(matcher) - set(vocabulary.eos_ids):
                twin = matcher.copy()
                assert twin.accept_token(token)
                following.append((text + vocabulary.token_bytes(token), twin))
        places = following
    assert found == {text for text in all_texts(family, alphabet, most) if len(text) <= most}


def all_texts(family: Family, alphabet: str, most: int) -> set[bytes]:
    """All texts of the language of at most so many characters."""
    first = family.punctuation[0]
    texts = (first + "".join(rest) for n in range(most) for rest in itertools.product(alphabet, repeat=n))
    return {text.encode() for text in texts if text[-1] in "]}" and family.denotes(text)}


def test_the_definition() -> None:
    """The judge itself, on texts by hand."""
    some = Family("list", False)
    assert [
        some.denotes(text) for text in ("[]", "[a]", "[a,b]", "[a,A]", "[a,aa]", "[aé,AE]", "[a,]", "[,]", "[a", "")
    ]
    assert [text for text in ("[]", "[a]", "[a,b]", "[a,aa]") if not some.denotes(text)] == []
    assert [text for text in ("[a,A]", "[aé,AE]", "[a,]", "[,]", "[a", "", "[a]]") if some.denotes(text)] == []
    each = Family("object", False, frozenset({"a"}), frozenset({"b"}))
    right = ("{}", "{a:x}", "{b:1}", "{b:{b:1}}", "{é:x,b:{é:x},a:x}", "{aa:{},E:1}")
    wrong = ("{a:1}", "{b:x}", "{aa:x,AA:x}", "{é:{é:1},E:1}", "{a:x,}", "{,a:x}", "{a:x", "{a:}", "{}}", "{a:x}{")
    assert [text for text in right if not each.denotes(text)] == []
    assert [text for text in wrong if each.denotes(text)] == []


# ---- masks


@examples(150)
@given(with_vocabularies, seeds)
def test_mask_is_what_is_accepted(drawn: tuple[Family, Vocabulary], seed: int) -> None:
    """At every place of a walk; a token is allowed if its bytes are, and something may always follow."""
    vocabulary = drawn[1]
    matcher, rng = bind(*drawn).matcher(), random.Random(seed)
    single = {vocabulary.token_bytes(token): token for token in range(vocabulary.size)}
    for _ in range(12):
        mask = mask_of(matcher)
        assert mask == accepted(matcher) == set(matcher.allowed_token_ids().tolist())
        assert (vocabulary.size - 1 in mask) == matcher.is_accepting()
        for token in range(vocabulary.size - 1):
            alone = [single[bytes([b])] for b in vocabulary.token_bytes(token)]
            assert (token in mask) == (matcher.validate_tokens(alone) == len(alone)), vocabulary.token_bytes(token)
        assert mask, "no prefix is a dead end"
        if not walk(matcher, rng, 1):
            break


@examples(100)
@given(with_vocabularies, seeds)
def test_what_completes_a_place(drawn: tuple[Family, Vocabulary], seed: int) -> None:
    """If a way to end is found it is one; see below for where none is."""
    family, vocabulary = drawn
    matcher, rng = bind(*drawn).matcher(), random.Random(seed)
    path = walk(matcher, rng, rng.randrange(14))
    rest = matcher.completion()
    if rest is not None:
        assert matcher.accept_tokens(rest) == len(rest) and matcher.is_accepting()
        assert family.denotes(b"".join(map(vocabulary.token_bytes, path + rest)).decode())


@pytest.mark.parametrize(
    ("kind", "text"), [("list", "[A,"), ("list", "[a,"), ("list", "[a,b,é,"), ("object", "{a:x,A")]
)
def test_a_place_where_the_shortest_word_is_taken_can_be_completed(kind: str, text: str) -> None:
    alphabet = sorted(set((ALPHABET + "{}:,1x[]").encode()))
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in alphabet), None], eos_ids=[len(alphabet)])
    matcher = bind(Family(kind, False), vocabulary).matcher()
    assert matcher.accept_tokens([alphabet.index(b) for b in text.encode()]) == len(text.encode())
    assert matcher.completion() is not None


# ---- a place does not depend on how it was reached


@examples(100)
@given(with_vocabularies, seeds)
def test_copies_and_rollback(drawn: tuple[Family, Vocabulary], seed: int) -> None:
    """What is matched in a copy, or taken back, bars nothing."""
    rng, matcher = random.Random(seed), bind(*drawn).matcher()
    walk(matcher, rng, rng.randrange(8))
    mask, accepting = mask_of(matcher), matcher.is_accepting()
    twins = [matcher.copy() for _ in range(3)]
    for twin in twins:
        walk(twin, rng, 6)
    assert mask_of(matcher) == mask and matcher.is_accepting() == accepting
    steps = len(walk(matcher, rng, 6))
    masks = [mask_of(twin) for twin in twins]
    matcher.rollback(steps)
    assert mask_of(matcher) == mask == accepted(matcher) and matcher.is_accepting() == accepting
    assert [mask_of(twin) for twin in twins] == masks == [accepted(twin) for twin in twins]


@examples(80)
@given(with_vocabularies, seeds)
def test_a_cached_mask_is_the_one_made_afresh(drawn: tuple[Family, Vocabulary], seed: int) -> None:
    """Whatever else has been matched with the same automaton, in whatever order."""
    rng, automaton = random.Random(seed), bind(*drawn)
    known: list[tuple[list[int], set[int]]] = []
    for _ in range(5):
        matcher = automaton.matcher()
        path = walk(matcher, rng, rng.randrange(10))
        known.append((path, mask_of(matcher)))
    for path, mask in known:
        constrain.clear_caches()
        fresh = bind(*drawn).matcher()
        assert fresh.accept_tokens(path) == len(path) and mask_of(fresh) == mask
        again = automaton.matcher()
        assert again.accept_tokens(path) == len(path) and mask_of(again) == mask, "automata in use keep working"


@examples(60)
@given(families, seeds)
def test_order_and_spelling_of_words_do_not_matter(family: Family, seed: int) -> None:
    """After the same words, in any order and however spelled, the same may follow."""
    rng = random.Random(seed)
    data = sorted(set((ALPHABET + family.punctuation).encode()))
    crossing = [b",a", b"a,b"] if family.kind == "list" else [b"b:x,a", b"x,a:"]
    tokens = [*(bytes([b]) for b in data), *crossing]
    automaton = bind(family, Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)]))
    words = [word for word in rng.sample(WORDS, 4) if word not in family.number & family.letter]
    masks = []
    for _ in range(3):
        rng.shuffle(words)
        matcher = automaton.matcher()
        text = family.punctuation[0] + "".join(f"{spelled(rng, word)}{value_after(family, word)}," for word in words)
        tokens_of_text = cut(rng, text.encode(), automaton.vocabulary)
        assert matcher.accept_tokens(tokens_of_text) == len(tokens_of_text), text
        masks.append(mask_of(matcher))
    assert masks[1:] == masks[:-1]


def value_after(family: Family, word: str) -> str:
    """What stands behind a word."""
    return "" if family.kind == "list" else ":1" if word not in family.number else ":x"
