"""Completions: accepted, short, found for every grammar of the library; outputs that end within their budget."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from amounts import slow
from hypothesis import given
from hypothesis import strategies as st
from strategies import Deriving, examples, grammars, patterns, vocabularies

import constrain
from constrain import Compiler, LimitExceeded, Matcher, Spec, UnsatisfiableError, Vocabulary, VocabularyError, regex
from constrain.engine.segments import joined
from constrain.ir.grammar import Grammar
from constrain.specs.library import library

BYTES = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), b"ab", b"ba", b"a b", None], eos_ids=[259])


def start(spec: Spec, vocabulary: Vocabulary) -> Matcher | None:
    """A matcher; None if the constraint denotes nothing that tokens spell, or is too large."""
    try:
        return Compiler(vocabulary).compile(spec).matcher()
    except (UnsatisfiableError, VocabularyError, LimitExceeded, constrain.ConstrainError):
        return None


def walk(matcher: Matcher, rng: random.Random, steps: int) -> Iterator[Matcher]:
    yield matcher
    for _ in range(steps):
        ends = matcher.automaton.vocabulary.eos_ids
        allowed = [int(token) for token in matcher.allowed_token_ids() if token not in ends]
        if not allowed:
            return
        matcher.accept_token(rng.choice(allowed))
        yield matcher


def assert_completes(matcher: Matcher) -> bytes:
    """The completion is accepted, token by token, and ends where the output may end. Its bytes."""
    tokens = matcher.completion()
    assert tokens is not None, matcher
    probe = matcher.copy()
    assert probe.accept_tokens(tokens) == len(tokens) and probe.is_accepting()
    return b"".join(map(matcher.automaton.vocabulary.token_bytes, tokens))


def is_shorter_found(matcher: Matcher, length: int, most: int = 4) -> bool:
    """Whether fewer bytes complete the text, by trying all there are up to some."""
    space, states = matcher._space, {matcher._state}
    for _ in range(min(length, most + 1)):
        if any(state.accepting for state in states):
            return True
        states = {space.read(state, bytes([b]))[0] for state in states for b in space.viable_bytes(state)}
    return False


@examples(120)
@given(patterns(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_regular_completions_are_the_shortest(pattern: str, steps: int, rng: random.Random) -> None:
    matcher = start(regex(pattern), BYTES)
    for here in walk(matcher, rng, steps) if matcher is not None else ():
        assert not is_shorter_found(here, len(assert_completes(here)), 2)


@examples(100)
@given(st.from_regex(r"(?:[ab](?:[*+?]|\{[12]\})?|\((?:[ab]\|[ab][ab]|b*a)\)[*+?]?){1,5}", fullmatch=True), st.data())
def test_shortest_by_trying_all(pattern: str, data: st.DataObject) -> None:
    matcher = start(regex(pattern), BYTES)
    assert matcher is not None
    for here in walk(matcher, random.Random(data.draw(st.integers(0, 99))), 3):
        assert not is_shorter_found(here, len(assert_completes(here)), 12)


@examples(80)
@given(vocabularies(complete=False), patterns(), st.randoms(use_true_random=False))
def test_only_what_tokens_spell(vocabulary: Vocabulary, pattern: str, rng: random.Random) -> None:
    matcher = start(regex(pattern), vocabulary)
    for here in walk(matcher, rng, 4) if matcher is not None else ():
        assert_completes(here)


@examples(60)
@given(grammars(), st.integers(0, 8), st.randoms(use_true_random=False))
def test_completions_of_grammars_are_accepted(grammar: Grammar, steps: int, rng: random.Random) -> None:
    """Not each one is found (longest match may stand in the way), but what is found is right."""
    matcher = start(Deriving(grammar), BYTES)
    for here in walk(matcher, rng, steps) if matcher is not None else ():
        assert grammar.longest or here.completion() is not None
        if here.completion() is not None:
            assert_completes(here)


@pytest.mark.parametrize("name", [grammar.name for grammar in library()])
def test_library(name: str) -> None:
    (grammar,) = (one for one in library() if one.name == name)
    automaton = Compiler(BYTES).compile(constrain.grammar_file(name))
    rng = random.Random(5)
    accepted = [example["text"].encode() for example in grammar.examples() if example["accepted"]]
    for text in rng.sample(accepted, min(14, len(accepted))):
        matcher = automaton.matcher()
        cuts = {0, len(text), *(rng.randrange(len(text) + 1) for _ in range(4))}
        for n in range(len(text) + 1):
            if n in cuts:
                assert_completes(matcher)
            assert n == len(text) or matcher.accept_token(text[n])


def test_a_comment_is_ended_first() -> None:
    """Ignored text that swallows what comes next has to end, here with the line."""
    text = 'start: "a" "b"\n%ignore /#[^\\n]*/\n%ignore /[ \\n]/'
    matcher = Compiler(BYTES).compile(constrain.grammar(text, longest=True)).matcher()
    matcher.accept_tokens(list(b"a #b b"))
    assert assert_completes(matcher) == b"\nb"


def test_special_tokens_are_part_of_it() -> None:
    tokens = [b"a", b"b", None, None, b"ab"]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=[3], special_tokens={"<|x|>": 2})
    matcher = Compiler(vocabulary).compile(constrain.grammar('start: "a" "b" <|x|> "b" <|x|>')).matcher()
    assert matcher.completion() == [4, 2, 1, 2]
    matcher.accept_tokens([0, 1, 2])
    assert matcher.completion() == [1, 2]
    matcher.accept_tokens([1, 2])
    assert matcher.completion() == []
    matcher.accept_token(3)
    assert matcher.completion() == []


@pytest.mark.parametrize(
    ("pattern", "length"),
    [(r"(a|b)*a(a|b){20}", 21), (r'[^"]{2000}', 2000), (r"(?!.*ab)[a-c]{300}", 300), (r"(?s:.{1,9}x){40}", 80)],
)
def test_long_ways_are_found_soon(pattern: str, length: int) -> None:
    matcher = start(regex(pattern), BYTES)
    assert matcher is not None
    assert len(assert_completes(matcher)) == length


def test_none_where_the_way_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("constrain.engine.completion.LONGEST", 100)
    matcher = start(regex("[0-9]{200}x"), Vocabulary.from_tokens(BYTES_AND_MORE, eos_ids=[256]))
    assert matcher is not None
    assert matcher.completion() is None


BYTES_AND_MORE = [*(bytes([b]) for b in range(256)), None, b"0x"]


@given(st.lists(st.binary(max_size=2) | st.integers(0, 9), max_size=8))
def test_joined(pieces: list[bytes | int]) -> None:
    result = joined(pieces)
    assert all(isinstance(a, int) or isinstance(b, int) for a, b in itertools.pairwise(result))

    def units(pieces: Sequence[bytes | int]) -> list[object]:
        return [unit for piece in pieces for unit in ([(piece,)] if isinstance(piece, int) else piece)]

    assert units(result) == units(pieces)


# ---- outputs that end within their budget

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from constrain.demo import load_model  # noqa: E402
from constrain.hf import LogitsProcessor, generate  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPT = "The answer is "
SPECS: dict[str, Any] = {
    "mail": lambda: regex(r"[a-z]+\.[a-z]+@example\.com"),
    "tail": lambda: regex(r"[a-z ]*( \(see the appendix of this document for more details\))?"),
    "nothing": lambda: regex(r"([a-z ]+ and so on, as was said before)?"),
    "long ways": lambda: regex(r"(The quick brown fox jumps over|x{17}y|[0-9]{9}z)+!"),
    "json": lambda: constrain.grammar_file("json"),
    "sql": lambda: constrain.grammar_file("sql"),
    "graphql": lambda: constrain.grammar_file("graphql"),
}
HOW: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampled": {"do_sample": True, "temperature": 1.5},
    "several": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"do_sample": False, "num_beams": 3, "num_return_sequences": 2},
    "rows": {"do_sample": False, "prompts": [PROMPT, "x", "SELECT "]},
}


@cache
def vocabulary() -> Vocabulary:
    return Vocabulary.from_transformers(load_model()[1])


@cache
def automaton_of(name: str) -> constrain.TokenAutomaton:
    return Compiler(vocabulary()).compile(SPECS[name]())


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("how", ["sampled", "beams", "rows", *slow("greedy", "several")])
def test_outputs_end_within_their_budget(demo: Any, name: str, how: str) -> None:
    automaton = automaton_of(name)
    least = len(automaton.matcher().completion() or ())
    options = dict(HOW[how])
    prompts = options.pop("prompts", PROMPT)
    step = 8 if how in ("greedy", "sampled") else 16
    for budget in [max(1, least), *range(max(1, least) + 1, 41, step)]:
        for found in generate(*demo, prompts, automaton, max_new_tokens=budget, **options):
            assert found.finish_reason in ("complete", "closed"), (budget, found)
            assert automaton.accepts(found.token_ids) and len(found.token_ids) <= budget


def test_finish_reasons(demo: Any) -> None:
    date = regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    (free,) = generate(*demo, PROMPT, date, do_sample=False)
    assert free.finish_reason == "complete"
    (cut,) = generate(*demo, PROMPT, date, max_new_tokens=2)
    assert cut.finish_reason == "length"
    words = regex("[a-z]+( [a-z]+)*")
    (short,) = generate(*demo, PROMPT, words, max_new_tokens=3, do_sample=False)
    assert short.finish_reason == "closed"
    assert Compiler(vocabulary()).compile(words).accepts(short.token_ids)


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_where_nothing_likely_ends_in_time(demo: Any, budget: int) -> None:
    """The end of the output is tried, however unlikely."""
    automaton = automaton_of("nothing")
    (found,) = generate(*demo, PROMPT, automaton, max_new_tokens=budget, do_sample=False)
    assert (found.text, found.finish_reason) == ("", "closed")


def test_other_processors_may_close_the_way(demo: Any) -> None:
    """Then the budget is missed, and nothing else happens."""
    (found,) = generate(*demo, PROMPT, automaton_of("nothing"), max_new_tokens=2, min_new_tokens=2, do_sample=False)
    assert found.finish_reason == "length" and len(found.token_ids) == 2


def test_far_from_the_end_nothing_changes(demo: Any) -> None:
    automaton = automaton_of("json")
    inputs = demo[1](PROMPT, return_tensors="pt")
    for budget in (None, 500):
        processor = LogitsProcessor(automaton, budget)
        result = processor(inputs["input_ids"], torch.zeros(1, 2000))
        allowed = torch.isfinite(result)[0].nonzero().flatten().tolist()
        assert allowed == automaton.matcher().allowed_token_ids().tolist()
        assert not processor.has_steered(0, [])


def test_steering_belongs_to_the_output_not_to_the_row(demo: Any) -> None:
    """Beams change places: an output was steered if one of its prefixes was."""
    automaton = automaton_of("mail")
    processor = LogitsProcessor([automaton, automaton], len(automaton.matcher().completion() or ()))
    first = automaton.matcher().allowed_token_ids()
    for length in (1, 2):
        ids = torch.tensor([[4, int(first[0])][:length], [5, int(first[1])][:length]])
        processor(ids, torch.zeros(2, 2000))
    assert processor.has_steered(0, [int(first[0])]) and processor.has_steered(1, [int(first[1]), 9])
    later = LogitsProcessor([automaton], 200)
    later(torch.tensor([[4]]), torch.zeros(1, 2000))
    assert not later.has_steered(0, [int(first[0])])
