"""Forced text: its bytes, its tokens as a tokenizer cuts them, and decoding that does not ask the model for them."""

from __future__ import annotations

import itertools
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from amounts import slow
from hypothesis import given
from hypothesis import strategies as st
from reference.trie import spell_ref
from strategies import examples, patterns

import constrain
from constrain import Compiler, LimitExceeded, Matcher, UnsatisfiableError, Vocabulary, regex

ALPHABET = "ab-"
PIECES = [b"a", b"b", b"-", b"ab", b"ba", b"aba", b"-a", b"b-", b"aa", b"bb-"]
EOS = len(PIECES)


def greedy(text: str) -> list[int]:
    """A tokenizer that takes the longest token."""
    data, tokens = text.encode(), []
    while data:
        token = max((t for t, piece in enumerate(PIECES) if data.startswith(piece)), key=lambda t: len(PIECES[t]))
        tokens.append(token)
        data = data[len(PIECES[token]) :]
    return tokens


PLAIN = Vocabulary.from_tokens([*PIECES, None], eos_ids=[EOS])
ENCODING = Vocabulary(PLAIN.data, PLAIN.offsets, PLAIN.eos_ids, encode=greedy)
letters = st.text(ALPHABET, min_size=1, max_size=4)
forcing = st.one_of(
    st.lists(letters, min_size=1, max_size=4, unique=True).map("|".join),
    st.tuples(letters, patterns(), letters).map(lambda parts: f"{parts[0]}(?:{parts[1]}){parts[2]}"),
    st.tuples(letters, letters, letters, letters).map(lambda p: f"{p[0]}(?:{p[1]}|{p[2]}){p[3]}{{1,2}}"),
)


def compiled(pattern: str, vocabulary: Vocabulary) -> Matcher | None:
    try:
        return Compiler(vocabulary).compile(regex(pattern)).matcher()
    except (UnsatisfiableError, LimitExceeded, constrain.ConstrainError):
        return None


def completions(matcher: Matcher, most: int = 6) -> list[bytes]:
    """The completions of up to some bytes over the alphabet, by trying all."""
    space, found = matcher._space, []
    for n in range(most + 1):
        for letters in itertools.product(ALPHABET.encode(), repeat=n):
            state, read = space.read(matcher._state, bytes(letters))
            if read == n and state.accepting:
                found.append(bytes(letters))
    return found


def walk(matcher: Matcher, rng: random.Random, steps: int) -> None:
    for _ in range(steps):
        allowed = [
            int(token) for token in matcher.allowed_token_ids() if token not in matcher._space.vocabulary.eos_ids
        ]
        if not allowed:
            return
        matcher.accept_token(rng.choice(allowed))


@examples(120)
@given(forcing, st.integers(0, 3), st.randoms(use_true_random=False), st.sampled_from([PLAIN, ENCODING]))
def test_forced_text_begins_every_completion(
    pattern: str, steps: int, rng: random.Random, vocabulary: Vocabulary
) -> None:
    matcher = compiled(pattern, vocabulary)
    if matcher is None:
        return
    walk(matcher, rng, steps)
    forced, found = matcher.forced_bytes(), completions(matcher)
    assert all(text.startswith(forced) for text in found)
    tokens = matcher.forced_tokens()
    text = b"".join(map(vocabulary.token_bytes, tokens))
    assert all(one.startswith(text) for one in found)
    if vocabulary is ENCODING:
        assert forced.startswith(text)
        probe = matcher.copy()
        for token in tokens:  # no token that goes beyond what is forced is left out at any cut
            longer = [t for t, piece in enumerate(PIECES) if piece.startswith(forced) and piece != forced]
            assert not set(longer) & set(probe.allowed_token_ids().tolist())
            assert probe.accept_token(token)
            forced = forced[len(PIECES[token]) :]
    else:
        for token in tokens:
            assert matcher.allowed_token_ids().tolist() == [token]
            assert matcher.accept_token(token)


def test_a_special_token_may_come_instead() -> None:
    """The one byte that may come next is not forced where a special token may stand in its place."""
    tokens = [b"a", b"b", None, None]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=[3], special_tokens={"<|x|>": 2})
    matcher = Compiler(vocabulary).compile(constrain.grammar('start: "a" "b" | <|x|> "b"')).matcher()
    assert matcher.forced_bytes() == b"" and matcher.forced_tokens() == []
    assert matcher.accept_token(2)
    assert matcher.forced_bytes() == b"b" and matcher.forced_tokens() == [1]
    only = Compiler(vocabulary).compile(constrain.grammar('start: <|x|> "b"')).matcher()
    assert only.forced_bytes() == b"" and only.forced_tokens() == [2, 1]


def test_text_that_goes_on_for_ever_and_ends() -> None:
    matcher = Compiler(PLAIN).compile(regex("ab")).matcher()
    assert matcher.forced_tokens() == []  # "a" and "ab" are both allowed, and no tokenizer says which
    matcher.accept_token(3)
    assert matcher.forced_bytes() == b"" and matcher.forced_tokens() == []
    matcher.accept_token(EOS)
    assert matcher.forced_bytes() == b"" and matcher.forced_tokens() == []
    with_encode = Compiler(ENCODING).compile(regex("abab")).matcher()
    assert [PIECES[t] for t in with_encode.forced_tokens()] == [b"aba", b"b"]


def test_a_tokenizer_that_changes_the_text_forces_nothing() -> None:
    for encode in (lambda text: [], lambda text: greedy(text.strip().replace("a", "b")), lambda text: [EOS]):
        vocabulary = Vocabulary(PLAIN.data, PLAIN.offsets, PLAIN.eos_ids, encode=encode)
        assert Compiler(vocabulary).compile(regex("abab")).matcher().forced_tokens() == []


def test_equal_vocabularies_keep_their_own_tokenizer() -> None:
    """They share states and masks, whichever came first."""
    spec = regex("abab-")
    plain, encoding = (Compiler(vocabulary).compile(spec) for vocabulary in (PLAIN, ENCODING))
    assert plain.space is encoding.space
    assert plain.matcher().forced_tokens() == []
    assert [PIECES[t] for t in encoding.matcher().forced_tokens()] == [b"aba", b"b-"]


# ---- what the vocabulary answers

words = st.lists(st.text("ab", min_size=1, max_size=3).map(str.encode), min_size=1, max_size=8)


@examples(150)
@given(words, st.text("ab", max_size=9).map(str.encode))
def test_spell_is_the_fewest_tokens(tokens: list[bytes], data: bytes) -> None:
    listed = Vocabulary.from_tokens(tokens).spell(data)
    assert spell_ref(tokens, data) == (-1 if listed is None else len(listed))
    if listed is not None:
        assert b"".join(tokens[t] for t in listed) == data


@examples(100)
@given(words, st.text("ab", max_size=3).map(str.encode), st.sampled_from([0, 20]))
def test_longer_tokens(tokens: list[bytes], prefix: bytes, stretch: int) -> None:
    tokens = [*tokens, *(token + b"b" * stretch for token in tokens)]
    longer = [t for t, token in enumerate(tokens) if token.startswith(prefix) and token != prefix]
    assert sorted(Vocabulary.from_tokens(tokens).longer_tokens(prefix).tolist()) == longer


# ---- real tokenizers

TEXTS = {
    r'\{"name": "[A-Za-z ]{1,20}", "age": [0-9]{1,3}, "email": "[a-z]+@example\.com"\}': [
        '{"name": "Ada Lindqvist", "age": 41, "email": "ada@example.com"}',
        '{"name": " x", "age": 7, "email": "q@example.com"}',
    ],
    r"The year is 20[0-9]{2}, and the month is (January|March)\.": ["The year is 2026, and the month is March."],
    r"a  [0-9]+ b   [a-z]+": ["a  1 b   xyz", "a  42 b   the"],
    r"def [a-z]+\(self\) -> (int|None):\n    return [a-z]+\n\n\n": ["def run(self) -> int:\n    return value\n\n\n"],
    r"it's [a-z]+, I'(m|ll|d) [a-z]+": ["it's good, I'll see", "it's bad, I'm here"],
    r"É[a-zé]+ naïve (é|è|ê)té 日本(語|人)です😀[😀-😂]": ["Été naïve été 日本語です😀😂"],
    r"https://www\.example\.(com|org)/[a-z]+/index\.html": ["https://www.example.com/path/index.html"],
    r"(un|in)?believabl(e|y)": ["believable", "unbelievably"],
}


@lru_cache(maxsize=4)
def load(folder: Path) -> tuple[Vocabulary, Any]:
    tokenizer = pytest.importorskip("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Vocabulary.from_transformers(tokenizer), tokenizer


@pytest.mark.data
@pytest.mark.parametrize("name", ["gpt2", *slow("llama2", "llama3", "qwen2")])
def test_forced_tokens_are_those_of_the_tokenizer(data_dir: Path, name: str) -> None:
    vocabulary, tokenizer = load(data_dir / "tokenizers" / name)
    jumped = 0
    for pattern, texts in TEXTS.items():
        automaton = Compiler(vocabulary).compile(regex(pattern))
        for text in texts:
            tokens: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
            matcher = automaton.matcher()
            for n in range(len(tokens) + 1):
                forced = matcher.forced_tokens()
                assert forced == tokens[n : n + len(forced)], (text, n, [vocabulary.token_bytes(t) for t in forced])
                jumped += bool(forced)
                assert n == len(tokens) or matcher.accept_token(tokens[n])
            assert matcher.is_accepting()
    assert jumped > 50


# ---- decoding

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from constrain.hf import LogitsProcessor, generate  # noqa: E402
from constrain.hf.forced import ForcedDecoding  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPT = "The meeting is on "
FORCING = r'\{"date": "[0-9]{4}-[0-9]{2}-[0-9]{2}", "place": "(Uppsala|Lund)", "confirmed": (true|false)\}'


class OnlyForced(LogitsProcessor):
    """Leaves one token where tokens are forced, as the ordinary loop would need it to agree."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = super().__call__(input_ids, scores)
        (state,) = self.states(input_ids)
        generated = input_ids.shape[1] - self._calls[-1].start
        forced = Matcher(self.automata[0], state).forced_tokens() if state is not None and generated else []
        if forced:
            kept = torch.full_like(scores, -torch.inf)
            kept[:, forced[0]] = scores[:, forced[0]]
            return kept
        return scores


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("prompt", [PROMPT, "x", "Ada Lindqvist lives in Uppsala, Sweden. Her e-mail address is "])
def test_same_tokens_as_the_ordinary_loop(demo: Any, prompt: str, sample: bool) -> None:
    model, tokenizer = demo
    automaton = Compiler(Vocabulary.from_transformers(tokenizer)).compile(regex(FORCING))
    inputs = tokenizer(prompt, return_tensors="pt")
    options = {"max_new_tokens": 80, "do_sample": sample, "pad_token_id": 1, "top_k": 1 if sample else 50}
    if not sample:
        options.pop("top_k")
    plain = model.generate(**inputs, logits_processor=[OnlyForced(automaton)], **options)
    processor = LogitsProcessor(automaton)
    loop = ForcedDecoding(processor, 80)
    found = model.generate(**inputs, logits_processor=[processor], custom_generate=loop, **options)
    assert found.tolist() == plain.tolist()
    written = found.shape[1] - inputs["input_ids"].shape[1]
    assert loop.saved > 5 and loop.calls + loop.saved == written == len(processor.mask_seconds) + loop.saved


@pytest.mark.parametrize("cached", [True, False])
def test_logits_after_a_jump(demo: Any, cached: bool) -> None:
    """What the model says after forced tokens is what it says of the whole sequence."""
    model, tokenizer = demo
    automaton = Compiler(Vocabulary.from_transformers(tokenizer)).compile(regex(FORCING))
    seen: list[tuple[Any, Any]] = []

    class Recording(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            seen.append((input_ids.clone(), scores.clone()))
            return super().__call__(input_ids, scores)

    processor = Recording(automaton)
    loop = ForcedDecoding(processor, 80)
    inputs = tokenizer(PROMPT, return_tensors="pt")
    model.generate(
        **inputs, logits_processor=[processor], custom_generate=loop, max_new_tokens=80, do_sample=False,
        pad_token_id=1, use_cache=cached,
    )  # fmt: skip
    assert loop.saved and len(seen) == loop.calls
    with torch.no_grad():
        for ids, scores in seen:
            assert torch.allclose(model(ids).logits[:, -1], scores, atol=1e-4)


def test_generate_counts_what_it_saved(demo: Any) -> None:
    model, tokenizer = demo
    (found,) = generate(model, tokenizer, PROMPT, regex(FORCING), do_sample=False)
    assert found.finish_reason == "complete"
    assert found.stats["forced_tokens"] > 5
    assert found.stats["forced_tokens"] + found.stats["steps"] == len(found.token_ids)
    two = generate(model, tokenizer, [PROMPT, PROMPT], regex(FORCING), do_sample=False)
    assert [one.stats["forced_tokens"] for one in two] == [0, 0]


class Counting(transformers.StoppingCriteria):  # type: ignore[misc]
    """Sees each token."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        self.lengths.append(input_ids.shape[1])
        return torch.zeros(len(input_ids), dtype=torch.bool)


def test_settings_that_need_another_loop(demo: Any) -> None:
    model, tokenizer = demo
    spec = regex(FORCING)
    counting = Counting()
    several = transformers.GenerationConfig(num_beams=3, num_return_sequences=2, pad_token_id=1, eos_token_id=0)
    for options, count in (
        ({"generation_config": several}, 2),
        ({"num_beams": 2}, 1),
        ({"num_return_sequences": 2, "do_sample": True}, 2),
        ({"return_dict_in_generate": True}, 1),
        ({"prompt_lookup_num_tokens": 3}, 1),
        ({"stop_strings": ['"place"']}, 1),
        ({"stopping_criteria": [counting]}, 1),
    ):
        found = generate(model, tokenizer, PROMPT, spec, **options)
        assert len(found) == count and all(one.stats["forced_tokens"] == 0 for one in found)
        assert all(one.finish_reason == "complete" or "stop_strings" in options for one in found)
    assert len(counting.lengths) == counting.lengths[-1] - counting.lengths[0] + 1


@pytest.mark.filterwarnings("ignore:.*fast path is not available.*")
def test_a_model_whose_state_is_no_cache(demo: Any) -> None:
    """Mamba reads one token a step."""
    config = transformers.MambaConfig(
        hidden_size=32, num_hidden_layers=1, state_size=4, vocab_size=2000, eos_token_id=0, pad_token_id=1
    )
    torch.manual_seed(5)
    model = transformers.MambaForCausalLM(config).eval()
    (found,) = generate(model, demo[1], PROMPT, regex(FORCING), do_sample=False)
    assert found.stats["forced_tokens"] == 0 and found.finish_reason == "complete"
