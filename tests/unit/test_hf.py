"""Generation with Hugging Face models: every way to decode gives what a filter by trying every token gives.

The filter is the reference: for each prefix it matches each token of the vocabulary with the `regex` package, and acts
through `prefix_allowed_tokens_fn` of transformers. It shares no code with constrain.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
regex = pytest.importorskip("regex")

import constrain  # noqa: E402
from constrain.demo import load_model  # noqa: E402
from constrain.hf import LogitsProcessor, StoppingCriteria, generate, logits, vocabulary_of  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fast path is not available.*"),  # Mamba without its CUDA kernels
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
]

EOS, PAD, SIZE = 0, 1, 2000
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
WORDS = r"[a-z]{2,5}( [a-z]{2,5}){1,2}\.?"
MAIL = r"[a-z]+\.[a-z]+@example\.com"
EITHER = "positive|negative|neutral"
PROMPT, OTHER = "The meeting is on ", "Ada Lindqvist lives in Uppsala, Sweden. Her e-mail address is "


# ---- models, and the reference


@pytest.fixture(scope="module")
def model(demo: tuple[Any, Any]) -> Any:
    return demo[0]


@pytest.fixture(scope="module")
def tokenizer(demo: tuple[Any, Any]) -> Any:
    return demo[1]


@pytest.fixture(scope="module")
def compiler(demo: tuple[Any, Any]) -> constrain.Compiler:
    return constrain.Compiler(constrain.Vocabulary.from_transformers(demo[1]))


@pytest.fixture(autouse=True)
def seeded(one_thread: None) -> None:
    """The same numbers for each test."""
    torch.manual_seed(11)


def make(kind: str, **changes: Any) -> Any:
    """A small model with random weights over the vocabulary of the embedded tokenizer."""
    torch.manual_seed(5)
    ids = {"vocab_size": SIZE, "eos_token_id": EOS, "pad_token_id": PAD, "bos_token_id": EOS}
    small = {"d_model": 32, "decoder_start_token_id": PAD}
    t = transformers
    configs: dict[str, Callable[[], Any]] = {
        "gpt2": lambda: t.GPT2Config(n_layer=1, n_embd=32, n_head=2, n_positions=256, **(ids | changes)),
        "mamba": lambda: t.MambaConfig(hidden_size=32, num_hidden_layers=1, state_size=4, **(ids | changes)),
        "t5": lambda: t.T5Config(d_kv=16, d_ff=32, num_layers=1, num_heads=2, **(ids | small | changes)),
        "bart": lambda: t.BartConfig(
            encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2,
            decoder_attention_heads=2, max_position_embeddings=128, forced_eos_token_id=None, **(ids | small | changes)
        ),
    }  # fmt: skip
    classes = {
        "gpt2": "GPT2LMHeadModel",
        "mamba": "MambaForCausalLM",
        "t5": "T5ForConditionalGeneration",
        "bart": "BartForConditionalGeneration",
    }
    return getattr(transformers, classes[kind])(configs[kind]()).eval()


@cache
def spellings() -> list[bytes]:
    """The bytes of each token of the embedded tokenizer; byte-level BPE writes a byte as one printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    backend = json.loads(load_model()[1].backend_tokenizer.to_str())
    pieces = {token: piece for piece, token in backend["model"]["vocab"].items()}
    return [b"" if t in (EOS, PAD) else bytes(names[char] for char in pieces[t]) for t in range(SIZE)]


class Reference:
    """What may follow, by trying all tokens."""

    def __init__(self, pattern: str, eos: tuple[int, ...] = (EOS,), banned: tuple[int, ...] = ()) -> None:
        self.pattern, self.eos, self.banned = regex.compile(pattern.encode()), eos, banned
        self._known: dict[bytes, list[int]] = {}

    def allowed(self, tokens: list[int]) -> list[int] | None:
        """The tokens that may follow; None after the end, or where the tokens left the language."""
        if any(token in self.eos for token in tokens):
            return None
        text = b"".join(spellings()[token] for token in tokens)
        if not all(spellings()[token] for token in tokens) or not self.pattern.fullmatch(text, partial=True):
            return None
        if text not in self._known:
            ends = list(self.eos) if self.pattern.fullmatch(text) else []
            spelled = (t for t, data in enumerate(spellings()) if data and t not in self.eos)
            fits = [t for t in spelled if self.pattern.fullmatch(text + spellings()[t], partial=True)]
            self._known[text] = sorted(set(ends + fits) - set(self.banned))
        return self._known[text]


@cache
def reference(pattern: str, eos: tuple[int, ...] = (EOS,)) -> Reference:
    return Reference(pattern, eos)


def prefix_filter(references: list[Reference], start: int, width: int) -> Callable[[int, Any], list[int]]:
    """For `prefix_allowed_tokens_fn`, at the width of the logits."""

    def allowed(batch: int, ids: Any) -> list[int]:
        which = references[batch if len(references) > 1 else 0]
        found = which.allowed(ids[start:].tolist())
        return list(range(width)) if found is None else found

    return allowed


def encoded(tokenizer: Any, *texts: str) -> dict[str, Any]:
    """A batch, padded on the left."""
    rows = [tokenizer(text)["input_ids"] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([[PAD] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def assert_same(
    model: Any, inputs: Any, processor: Any, references: list[Reference], start: int, **options: Any
) -> Any:
    """Generate with the reference, then twice with the processor: the same sequences and scores, which are returned."""
    options = {"max_new_tokens": 24, "return_dict_in_generate": True, "output_scores": True} | options
    outputs = []
    filtered = prefix_filter(references, start, model.config.vocab_size)
    constrained = {"logits_processor": [processor]}
    for how in ({"prefix_allowed_tokens_fn": filtered}, constrained, constrained):
        torch.manual_seed(3)
        outputs.append(model.generate(**inputs, **how, **options))
    expected = outputs[0]
    for found in outputs[1:]:
        assert found.sequences.tolist() == expected.sequences.tolist()
        for name in ("sequences_scores", "beam_indices"):
            assert name not in expected or torch.equal(found[name], expected[name]), name
        assert len(found.scores) == len(expected.scores)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(found.scores, expected.scores))
    return expected.sequences


def texts_of(sequences: Any, start: int) -> list[str]:
    """What was generated before the end."""
    texts = []
    for row in sequences[:, start:].tolist():
        end = row.index(EOS) if EOS in row else len(row)
        texts.append(b"".join(spellings()[token] for token in row[:end]).decode())
    return texts


# ---- every way to decode

DECODING: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "temperature": 1.3, "top_p": 0.95},
    "sampling several": {"do_sample": True, "top_k": 7, "num_return_sequences": 3},
    "beams": {"do_sample": False, "num_beams": 4, "num_return_sequences": 3},
    "beams to the end": {"do_sample": False, "num_beams": 3, "early_stopping": "never", "length_penalty": 2.0},
    "beam sampling": {"do_sample": True, "num_beams": 3, "num_return_sequences": 2, "temperature": 1.5},
    "few choices, many beams": {"do_sample": False, "num_beams": 8, "num_return_sequences": 3},
    "prompt lookup": {"do_sample": False, "prompt_lookup_num_tokens": 4},
    "prompt lookup, sampling": {"do_sample": True, "prompt_lookup_num_tokens": 4},
}


@pytest.mark.parametrize("how", DECODING)
@pytest.mark.parametrize(("prompt", "pattern"), [(PROMPT, DATE), (OTHER, MAIL), (OTHER, WORDS), (PROMPT, EITHER)])
def test_decoding(model: Any, tokenizer: Any, compiler: Any, how: str, prompt: str, pattern: str) -> None:
    inputs = encoded(tokenizer, prompt)
    start = inputs["input_ids"].shape[1]
    processor = compiler.compile(constrain.regex(pattern)).logits_processor()
    sequences = assert_same(model, inputs, processor, [reference(pattern)], start, **DECODING[how])
    complete = [text for text, row in zip(texts_of(sequences, start), sequences.tolist()) if EOS in row[start:]]
    assert complete
    assert all(regex.fullmatch(pattern, text) for text in complete)


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("pattern", [DATE, MAIL, WORDS])
def test_assisted(model: Any, tokenizer: Any, compiler: Any, sample: bool, pattern: str) -> None:
    inputs = encoded(tokenizer, OTHER)
    start = inputs["input_ids"].shape[1]
    processor = compiler.compile(constrain.regex(pattern)).logits_processor()
    for assistant in (make("gpt2"), model):
        options = {"assistant_model": assistant, "do_sample": sample}
        assert_same(model, inputs, processor, [reference(pattern)], start, **options)


@pytest.mark.parametrize("how", ["greedy", "sampling", "beams", "beam sampling"])
def test_left_padded_batch(model: Any, tokenizer: Any, compiler: Any, how: str) -> None:
    inputs = encoded(tokenizer, PROMPT, OTHER, "x")
    processor = compiler.compile(constrain.regex(WORDS)).logits_processor()
    start = inputs["input_ids"].shape[1]
    sequences = assert_same(model, inputs, processor, [reference(WORDS)], start, **DECODING[how])
    assert all(regex.fullmatch(WORDS, text, partial=True) for text in texts_of(sequences, start))


@pytest.mark.parametrize("how", ["greedy", "beams", "beam sampling"])
def test_one_constraint_a_row(model: Any, tokenizer: Any, compiler: Any, how: str) -> None:
    inputs = encoded(tokenizer, PROMPT, OTHER, "The review says: rude service. Sentiment: ")
    patterns = [DATE, MAIL, EITHER]  # they end at different lengths: finished rows stand beside others
    processor = LogitsProcessor([compiler.compile(constrain.regex(pattern)) for pattern in patterns])
    start, options = inputs["input_ids"].shape[1], DECODING[how]
    references = [reference(pattern) for pattern in patterns]
    sequences = assert_same(model, inputs, processor, references, start, **options)
    texts = texts_of(sequences, start)
    share = len(texts) // len(patterns)
    for row, text in enumerate(texts):
        assert regex.fullmatch(patterns[row // share], text, partial=True)


@pytest.mark.parametrize("kind", ["t5", "bart"])
@pytest.mark.parametrize("how", ["greedy", "sampling several", "beams", "prompt lookup"])
def test_encoder_decoder(tokenizer: Any, compiler: Any, kind: str, how: str) -> None:
    inputs = encoded(tokenizer, PROMPT) if "lookup" in how else encoded(tokenizer, PROMPT, OTHER)
    processor = compiler.compile(constrain.regex(WORDS)).logits_processor()
    assert_same(make(kind), inputs, processor, [reference(WORDS)], 1, **DECODING[how])


@pytest.mark.parametrize("how", ["greedy", "sampling", "beams"])
def test_mamba(tokenizer: Any, compiler: Any, how: str) -> None:
    inputs = encoded(tokenizer, PROMPT)
    processor = compiler.compile(constrain.regex(WORDS)).logits_processor()
    start = inputs["input_ids"].shape[1]
    assert_same(make("mamba"), inputs, processor, [reference(WORDS)], start, **DECODING[how])


@pytest.mark.parametrize("how", ["greedy", "beams"])
def test_embeddings_only(model: Any, tokenizer: Any, compiler: Any, how: str) -> None:
    inputs = encoded(tokenizer, PROMPT, OTHER)
    embedded = model.get_input_embeddings()(inputs.pop("input_ids")).detach()
    processor = compiler.compile(constrain.regex(WORDS)).logits_processor()
    assert_same(model, inputs | {"inputs_embeds": embedded}, processor, [reference(WORDS)], 0, **DECODING[how])


def test_greedy_token_by_token(model: Any, tokenizer: Any, compiler: Any) -> None:
    for prompt, pattern in ((PROMPT, DATE), (OTHER, MAIL), (OTHER, WORDS)):
        ids = tokenizer(prompt)["input_ids"]
        tokens: list[int] = []
        while not tokens or tokens[-1] != EOS:
            with torch.no_grad():
                scores = model(torch.tensor([ids + tokens])).logits[0, -1]
            tokens.append(max(reference(pattern).allowed(tokens) or (), key=lambda t: float(scores[t])))
        automaton = compiler.compile(constrain.regex(pattern))
        output = model.generate(
            **encoded(tokenizer, prompt), logits_processor=[automaton.logits_processor()], max_new_tokens=64
        )
        assert output[0, len(ids) :].tolist() == tokens


def test_several_eos(model: Any, tokenizer: Any) -> None:
    newline = spellings().index(b"\n")
    vocab = constrain.Vocabulary.from_transformers(tokenizer, eos_ids=[EOS, newline])
    processor = constrain.Compiler(vocab).compile(constrain.regex(WORDS)).logits_processor()
    inputs = encoded(tokenizer, PROMPT, OTHER)
    start = inputs["input_ids"].shape[1]
    for how in ("sampling several", "beams"):
        options = {**DECODING[how], "eos_token_id": [EOS, newline]}
        assert_same(model, inputs, processor, [reference(WORDS, (EOS, newline))], start, **options)


# ---- one processor, many calls


def test_calls_one_after_the_other(model: Any, tokenizer: Any, compiler: Any) -> None:
    processor = compiler.compile(constrain.regex(WORDS)).logits_processor()

    def check(inputs: dict[str, Any], **options: Any) -> Any:
        start = inputs["input_ids"].shape[1]
        inputs = {**inputs, "attention_mask": torch.ones_like(inputs["input_ids"])}
        return assert_same(model, inputs, processor, [reference(WORDS)], start, **options)

    first = check(encoded(tokenizer, PROMPT))
    assert first[0, -1] == EOS
    check(encoded(tokenizer, PROMPT), do_sample=True)
    check(encoded(tokenizer, OTHER))
    check(encoded(tokenizer, PROMPT))
    check({"input_ids": first})  # the prompt is the earlier output, EOS and all
    check({"input_ids": torch.cat([first, torch.tensor([[spellings().index(b"\n")]])], 1)})
    check({"input_ids": torch.cat([first, first], 1)})
    check(encoded(tokenizer, PROMPT, OTHER))
    check(encoded(tokenizer, PROMPT, PROMPT, OTHER), num_beams=3)
    uneven = check(encoded(tokenizer, "x", "y"), do_sample=True, temperature=3.0)
    assert (uneven == EOS).sum(1).min() == 1 and (uneven == PAD).any()  # the rows ended at different lengths
    check({"input_ids": uneven})
    check({"input_ids": first[:, :3]})


def test_extended_by_one_token_after_a_stop(model: Any, tokenizer: Any, compiler: Any) -> None:
    """A stopping criterion looks at rows; that does not make them rows that were seen."""
    automaton = compiler.compile(constrain.regex(DATE))
    processor = automaton.logits_processor()
    inputs = encoded(tokenizer, PROMPT)
    options = {"logits_processor": [processor], "max_new_tokens": 24}
    output = model.generate(**inputs, stopping_criteria=[StoppingCriteria(processor)], **options)
    longer = torch.cat([output, torch.tensor([[77]])], 1)
    again = model.generate(longer, attention_mask=torch.ones_like(longer), **options)
    assert regex.fullmatch(DATE, texts_of(again, longer.shape[1])[0])


def test_reset_begins_anew(model: Any, tokenizer: Any, compiler: Any) -> None:
    processor = compiler.compile(constrain.regex(DATE)).logits_processor()
    cut = model.generate(**encoded(tokenizer, PROMPT), logits_processor=[processor], max_new_tokens=2)
    options = {"attention_mask": torch.ones_like(cut), "logits_processor": [processor], "max_new_tokens": 24}
    joined = model.generate(cut, **options)
    start = encoded(tokenizer, PROMPT)["input_ids"].shape[1]
    assert regex.fullmatch(DATE, texts_of(joined, start)[0])  # goes on with the unfinished output
    processor.reset()
    anew = model.generate(cut, **options)
    assert regex.fullmatch(DATE, texts_of(anew, cut.shape[1])[0])


@pytest.mark.parametrize("seed", range(6))
def test_rows_in_any_order(compiler: Any, seed: int) -> None:
    """Rows are reordered, taken back, led astray and ended at random; a matcher that starts anew is right."""
    draw = random.Random(seed)
    patterns = [WORDS, DATE, r"(ab|abc|b)*"]
    automata = [compiler.compile(constrain.regex(pattern)) for pattern in patterns]
    processor = LogitsProcessor(automata)
    share, prompt = 3, [[5, 6, 7 + which] for which in range(len(automata)) for _ in range(3)]
    rows: list[list[int]] = [[] for _ in prompt]
    for _ in range(60):
        ids = torch.tensor([begin + row for begin, row in zip(prompt, rows)])
        before = torch.randn(len(rows), SIZE)
        after = processor(ids, before.clone())
        allowed = [follow(automata[i // share], row) for i, row in enumerate(rows)]
        for was, now, tokens in zip(before, after, allowed):
            expected = was if tokens is None else torch.full_like(was, -torch.inf).index_copy(0, tokens, was[tokens])
            assert torch.equal(now, expected)
        length = draw.choice([len(rows[0])] * 5 + [draw.randint(0, len(rows[0]))])  # a draft is taken back
        parents = [i // share * share + draw.randrange(share) for i in range(len(rows))]
        parents[-1] = len(rows) - 1  # one row goes on for ever: rows that have all ended begin a new call
        last = [*rows[-1][:length], spellings().index(b"ab")]
        rows = [[*rows[i][:length], grow(draw, automata[i // share], rows[i][:length])] for i in parents]
        rows[-1] = last


def follow(automaton: Any, tokens: list[int]) -> Any:
    matcher = automaton.matcher()
    if matcher.accept_tokens(tokens) < len(tokens) or matcher.is_terminated():
        return None
    return torch.from_numpy(matcher.allowed_token_ids())


def grow(draw: random.Random, automaton: Any, tokens: list[int]) -> int:
    allowed = follow(automaton, tokens)
    astray = allowed is None or draw.random() < 0.05
    return draw.randrange(SIZE) if astray else int(allowed[draw.randrange(len(allowed))])


def test_automata_with_states_of_their_own(compiler: Any) -> None:
    """Limits, and clearing the caches, keep automata apart: a state means something to its own automaton only."""
    patterns = [DATE, "x(yz)?"]
    limits = (constrain.Limits(repeat=99), constrain.Limits(repeat=98))
    automata = [
        constrain.Compiler(compiler.vocabulary, limits=limit).compile(constrain.regex(pattern))
        for limit, pattern in zip(limits, patterns)
    ]
    constrain.clear_caches()
    automata.append(constrain.Compiler(compiler.vocabulary).compile(constrain.regex("[^a-z]{2}")))
    processor, x = LogitsProcessor(automata), spellings().index(b"x")
    result = processor(torch.tensor([[4]] * 3), torch.zeros(3, SIZE))
    for row, pattern in enumerate([*patterns, "[\\x00-`{-\\x7f]{2}"]):
        found = torch.isfinite(result[row]).nonzero().flatten().tolist()
        ascii_only = [token for token in found if spellings()[token].isascii()]
        assert ascii_only == [t for t in reference(pattern).allowed([]) or () if spellings()[t].isascii()]
    stop = StoppingCriteria(processor)(torch.tensor([[4, x]] * 3), None)
    assert stop.tolist() == [True, False, True]  # outside, open, outside


# ---- scores


def open_ids(processor: Any) -> Any:
    """Rows of a new call, none of them ended."""
    processor.reset()
    return torch.tensor([[9, 8], [9, 7]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_types_of_scores(compiler: Any, dtype: Any) -> None:
    processor = compiler.compile(constrain.regex(DATE)).logits_processor()
    scores = torch.randn(2, SIZE).to(dtype)
    scores[0, :4] = torch.tensor([torch.nan, torch.inf, -torch.inf, -0.0])
    before = scores.clone()
    result = processor(open_ids(processor), scores)
    assert result.dtype == dtype and result.device == scores.device and result.shape == scores.shape
    assert torch.equal(bits(scores), bits(before))  # not changed in place
    allowed = torch.zeros(SIZE, dtype=torch.bool)
    allowed[reference(DATE).allowed([])] = True
    assert torch.isneginf(result[:, ~allowed]).all()
    assert torch.equal(bits(result[:, allowed]), bits(before[:, allowed]))


def bits(scores: Any) -> Any:
    return scores.contiguous().view(torch.uint8)


@pytest.mark.parametrize("width", [1, 31, 32, 33, 100, 2000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_memory_as_on_a_device(width: int, dtype: Any) -> None:
    """Both ways to apply a mask; each runs anywhere."""
    draw = np.random.default_rng(width)
    for chance in (0.0, 0.03, 0.5, 1.0):
        allowed = draw.random((5, width)) < chance
        allowed[2] = True
        padded = np.zeros((5, -(-width // 32) * 32), np.uint8)
        padded[:, :width] = allowed
        mask = np.packbits(padded, axis=1, bitorder="little").view(np.int32)
        scores = torch.randn(5, width).to(dtype)
        scores[0, 0] = -torch.inf
        expected = torch.where(torch.from_numpy(allowed), scores, torch.tensor(-torch.inf, dtype=dtype))
        for forbid in (logits._forbid_in_memory, logits._forbid_on_device):
            result, wiped = forbid(scores, mask)
            assert torch.equal(result, expected)
            assert wiped == torch.isneginf(expected).all(1).any()


def test_ended_and_foreign_rows_stay(compiler: Any) -> None:
    processor = compiler.compile(constrain.regex("[0-9]{2}")).logits_processor()
    one, two = spellings().index(b"1"), spellings().index(b"2")
    rows = [
        [],
        [one],
        [one, two],
        [one, two, EOS],
        [one, two, EOS, PAD],
        [one, PAD],
        [EOS],
        [one, two, one],
        [-1],
        [SIZE],
    ]
    width = max(map(len, rows))
    for step in range(width + 1):
        ids = torch.tensor([[4, *(row + [PAD] * width)[:step]] for row in rows])
        scores = torch.randn(len(rows), SIZE)
        result = processor(ids, scores)
        assert not torch.isneginf(result).all(1).any()
        for row, tokens in enumerate(ids[:, 1:].tolist()):
            allowed = reference("[0-9]{2}").allowed(tokens) if all(0 <= t < SIZE for t in tokens) else None
            if allowed is None:
                assert torch.equal(result[row], scores[row])
            else:
                assert torch.isfinite(result[row]).nonzero().flatten().tolist() == allowed


def test_a_state_that_allows_nothing_stays() -> None:
    """Without EOS ids nothing may follow a complete output; a row of -inf would break sampling."""
    vocab = constrain.Vocabulary.from_tokens([b"a", b"b"])
    processor = constrain.Compiler(vocab).compile(constrain.regex("a")).logits_processor()
    scores = torch.zeros(1, 2)
    assert processor(torch.tensor([[1]]), scores).tolist() == [[0.0, -torch.inf]]
    assert processor(torch.tensor([[1, 0]]), scores).tolist() == [[0.0, 0.0]]


def test_logits_wider_than_the_vocabulary(tokenizer: Any, compiler: Any) -> None:
    inputs = encoded(tokenizer, PROMPT)
    for width in (2016, 2017, 2304):
        wide = make("gpt2", vocab_size=width)
        automaton = compiler.compile(constrain.regex(WORDS))
        for how in ("greedy", "beams"):
            sequences = assert_same(
                wide, inputs, automaton.logits_processor(), [reference(WORDS)], inputs["input_ids"].shape[1],
                **DECODING[how],
            )  # fmt: skip
            assert int(sequences.max()) < SIZE


def test_logits_narrower_than_the_vocabulary(tokenizer: Any, compiler: Any) -> None:
    processor = compiler.compile(constrain.regex(WORDS)).logits_processor()
    narrow = make("gpt2", vocab_size=1990)
    with pytest.raises(constrain.VocabularyError, match=r"logits are 1990 wide.*2000 ids.*vocab_size=1990"):
        narrow.generate(torch.tensor([[4, 5]]), logits_processor=[processor], max_new_tokens=2)


def test_logits_that_end_before_ids_without_text() -> None:
    tokens = [b"a", b"b", None, *[None] * 60]
    vocab = constrain.Vocabulary.from_tokens(tokens, eos_ids=[2])
    processor = constrain.Compiler(vocab).compile(constrain.regex("a+")).logits_processor()
    for width in (3, 4, 33):
        result = processor(torch.tensor([[1, 0]]), torch.zeros(1, width))
        assert torch.isfinite(result)[0].nonzero().flatten().tolist() == [0]
        processor.reset()


# ---- conflicts and mistakes


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"bad_words_ids": "tokens"}, "NoBadWordsLogitsProcessor"),
        ({"suppress_tokens": "flat"}, "SuppressTokensLogitsProcessor"),
        ({"min_new_tokens": 20}, "MinNewTokensLengthLogitsProcessor"),
        ({"no_repeat_ngram_size": 1}, "NoRepeatNGramLogitsProcessor"),
        ({"forced_eos_token_id": EOS, "max_new_tokens": 3}, "ForcedEOSTokenLogitsProcessor"),
    ],
)
def test_conflicts_name_the_processor(model: Any, tokenizer: Any, compiler: Any, options: Any, name: str) -> None:
    pattern = "(?:11){4}"
    first = [t for t in reference(pattern).allowed([]) or ()]
    fill = {"tokens": [[t] for t in first], "flat": first}
    options = {key: fill.get(value, value) if isinstance(value, str) else value for key, value in options.items()}
    processor = compiler.compile(constrain.regex(pattern)).logits_processor()
    inputs = encoded(tokenizer, PROMPT)
    with pytest.raises(constrain.ConflictError, match=name) as raised:
        model.generate(**inputs, logits_processor=[processor], do_sample=False, **{"max_new_tokens": 24} | options)
    assert name in raised.value.processors
    output = model.generate(**inputs, logits_processor=[processor], max_new_tokens=24)
    assert texts_of(output, inputs["input_ids"].shape[1]) == ["11111111"]


def test_conflict_without_a_list(compiler: Any) -> None:
    processor = compiler.compile(constrain.regex(DATE)).logits_processor()
    with pytest.raises(constrain.ConflictError, match=r"row 1: .*the model or a processor that is not in the list"):
        processor(open_ids(processor), torch.stack([torch.zeros(SIZE), torch.full((SIZE,), -torch.inf)]))


def test_mistakes(compiler: Any) -> None:
    automaton = compiler.compile(constrain.regex(DATE))
    with pytest.raises(constrain.SpecTypeError, match="TokenAutomaton"):
        LogitsProcessor(constrain.regex(DATE))
    with pytest.raises(constrain.SpecTypeError, match="TokenAutomaton"):
        LogitsProcessor([])
    other = constrain.Vocabulary.from_tokens([b"%d" % i for i in range(10)] + [b"-", None], eos_ids=[11])
    with pytest.raises(constrain.VocabularyError, match="different vocabularies"):
        LogitsProcessor([automaton, constrain.Compiler(other).compile(constrain.regex(DATE))])
    with pytest.raises(constrain.SpecTypeError, match="2 automata do not divide the 3 rows"):
        LogitsProcessor([automaton, automaton])(torch.zeros(3, 1, dtype=torch.long), torch.zeros(3, SIZE))
    with pytest.raises(constrain.ConstrainError, match="not been called"):
        automaton.logits_processor().states(torch.tensor([[1]]))


# ---- the stopping criterion


@pytest.mark.parametrize("how", ["greedy", "sampling several", "beams", "prompt lookup"])
def test_stops_where_nothing_may_follow(model: Any, tokenizer: Any, compiler: Any, how: str) -> None:
    processor = compiler.compile(constrain.regex(DATE)).logits_processor()
    inputs = encoded(tokenizer, PROMPT)
    start = inputs["input_ids"].shape[1]
    options = {"logits_processor": [processor], "max_new_tokens": 24, **DECODING[how]}
    output = model.generate(**inputs, stopping_criteria=[StoppingCriteria(processor)], **options)
    assert all(regex.fullmatch(DATE, text) for text in texts_of(output, start))
    assert EOS not in output[:, start:].tolist()[0]


def test_stopping_rows(compiler: Any) -> None:
    processor = compiler.compile(constrain.regex("1{2,3}")).logits_processor()
    one = spellings().index(b"1")
    ids = torch.tensor([[4, one, one, one], [4, one, one, EOS], [4, one, one, 5], [4, one, EOS, PAD]])
    for length in (1, 2, 3):
        processor(ids[:, :length], torch.zeros(4, SIZE))
    assert StoppingCriteria(processor)(ids, None).tolist() == [True, True, True, True]
    assert StoppingCriteria(processor)(ids[:, :3], None).tolist() == [False, False, False, True]


# ---- generate


def test_generate(model: Any, tokenizer: Any) -> None:
    (found,) = generate(model, tokenizer, PROMPT, constrain.regex(DATE), do_sample=False)
    assert regex.fullmatch(DATE, found.text)
    assert found.finish_reason == "complete"
    assert tokenizer.decode(list(found.token_ids)) == found.text
    assert found.stats["steps"] + found.stats["forced_tokens"] == len(found.token_ids)  # no step for EOS
    assert 0 < found.stats["mask_seconds_max"] <= found.stats["mask_seconds"] < found.stats["seconds"]
    (cut,) = generate(model, tokenizer, PROMPT, constrain.regex(DATE), max_new_tokens=2)
    assert cut.finish_reason == "length"
    assert len(cut.token_ids) == 2
    assert found.text.startswith(cut.text)


def test_generate_many(model: Any, tokenizer: Any) -> None:
    patterns = [DATE, MAIL]
    specs = [constrain.regex(pattern) for pattern in patterns]
    for options in ({"do_sample": True, "num_return_sequences": 3}, {"num_beams": 3, "num_return_sequences": 3}):
        found = generate(model, tokenizer, [PROMPT, OTHER], specs, **options)
        assert len(found) == 6
        for row, one in enumerate(found):
            assert regex.fullmatch(patterns[row // 3], one.text, partial=one.finish_reason == "length")
    vocab = vocabulary_of(model, tokenizer)
    compiled = constrain.Compiler(vocab).compile(specs[0])
    assert [one.finish_reason for one in generate(model, tokenizer, [PROMPT, OTHER], compiled)] == ["complete"] * 2
    assert generate(model, tokenizer, [], specs[0]) == []


def test_a_batch_is_as_its_rows(model: Any, tokenizer: Any) -> None:
    """Padding changes nothing, for decoders (on the left) and encoders (on the right)."""
    for one in (model, make("t5"), make("bart")):
        spec = constrain.regex(WORDS)
        together = generate(one, tokenizer, [PROMPT, OTHER], spec, do_sample=False)
        alone = [generate(one, tokenizer, prompt, spec, do_sample=False)[0] for prompt in (PROMPT, OTHER)]
        assert [found.text for found in together] == [found.text for found in alone]


def test_generate_mistakes(model: Any, tokenizer: Any) -> None:
    spec = constrain.regex(DATE)
    with pytest.raises(constrain.SpecTypeError, match="1 constraints for 2 prompts"):
        generate(model, tokenizer, [PROMPT, OTHER], [spec])
    with pytest.raises(constrain.SpecTypeError, match="not str"):
        generate(model, tokenizer, PROMPT, DATE)  # type: ignore[arg-type]
    with pytest.raises(constrain.UnsupportedError, match="sampler='other'"):
        generate(model, tokenizer, PROMPT, spec, sampler="other")


def test_generate_leaves_its_arguments(model: Any, demo: tuple[Any, Any]) -> None:
    from transformers import AutoTokenizer

    from constrain.demo import MODEL_PATH

    tokenizer = AutoTokenizer.from_pretrained(MODEL_PATH, pad_token=None)
    tokenizer.pad_token = None
    tokenizer.padding_side = "right"
    criteria: list[Any] = []
    spec = constrain.regex(DATE)
    found = generate(model, tokenizer, [PROMPT, OTHER], spec, do_sample=False, stopping_criteria=criteria)
    assert tokenizer.pad_token is None and tokenizer.padding_side == "right"
    assert criteria == []
    expected = generate(model, demo[1], [PROMPT, OTHER], spec, do_sample=False)
    assert [one.text for one in found] == [one.text for one in expected]


def test_empty_prompts(model: Any, tokenizer: Any) -> None:
    for prompts in ([""], ["", PROMPT]):
        for found in generate(model, tokenizer, prompts, constrain.regex(DATE), do_sample=False):
            assert regex.fullmatch(DATE, found.text)


def test_eos_of_the_call(model: Any, tokenizer: Any) -> None:
    newline = spellings().index(b"\n")
    spec = constrain.regex(r"[a-z ]{2,6}\n?")
    (found,) = generate(model, tokenizer, PROMPT, spec, eos_token_id=newline, max_new_tokens=12, do_sample=False)
    assert regex.fullmatch(r"[a-z ]{2,6}", found.text)
    assert vocabulary_of(model, tokenizer, eos_token_id=newline).eos_ids == (newline,)
    assert vocabulary_of(model, tokenizer) is vocabulary_of(model, tokenizer)


def test_added_tokens_are_seen(model: Any) -> None:
    _, tokenizer = load_model()
    wide = make("gpt2", vocab_size=2100)
    before = vocabulary_of(wide, tokenizer)
    tokenizer.add_tokens(["<new>"])
    assert before.token_bytes(SIZE) == b""
    assert vocabulary_of(wide, tokenizer).token_bytes(SIZE) == b"<new>"


def test_mask_seconds_are_those_of_one_call(model: Any, tokenizer: Any, compiler: Any) -> None:
    processor = compiler.compile(constrain.regex(DATE)).logits_processor()
    for prompt in (PROMPT, PROMPT, OTHER):
        inputs = encoded(tokenizer, prompt)
        output = model.generate(**inputs, logits_processor=[processor], max_new_tokens=20)
        assert len(processor.mask_seconds) == output.shape[1] - inputs["input_ids"].shape[1]
