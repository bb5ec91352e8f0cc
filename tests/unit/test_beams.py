"""Beam search in Hugging Face models: that of transformers where nothing is asked, and what is asked where it is."""

from __future__ import annotations

import logging
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from amounts import slow

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import constrain  # noqa: E402
from constrain.errors import SpecTypeError, UnsatisfiableError, UnsupportedError, VocabularyError  # noqa: E402
from constrain.hf import generate, lexical_beam_search  # noqa: E402
from constrain.specs.lexical import Clause, Lexical, Phrase  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")]

EOS, PAD, SIZE = 0, 1, 60


@pytest.fixture(autouse=True)
def seeded(one_thread: None) -> None:
    """The same numbers for each test."""


def make(kind: str, seed: int = 5, size: int = SIZE, **changes: Any) -> Any:
    """A small model with random weights, so uneven that no two scores are the same."""
    torch.manual_seed(seed)
    ids = {"vocab_size": size, "eos_token_id": EOS, "pad_token_id": PAD, "bos_token_id": EOS} | changes
    t = transformers
    if kind == "gpt2":
        model = t.GPT2LMHeadModel(t.GPT2Config(n_layer=2, n_embd=32, n_head=2, n_positions=128, **ids))
    elif kind == "t5":
        model = t.T5ForConditionalGeneration(
            t.T5Config(d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=PAD, **ids)
        )
    else:
        sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in SIDES.items()}
        model = t.BartForConditionalGeneration(
            t.BartConfig(d_model=32, decoder_start_token_id=PAD, forced_eos_token_id=None, **sizes, **ids)
        )
    for parameter in model.parameters():
        parameter.data *= 4
    return model.eval()


SIDES = {"layers": 1, "ffn_dim": 32, "attention_heads": 2}


def prompts(count: int, length: int = 4, seed: int = 1) -> Any:
    return torch.randint(2, SIZE, (count, length), generator=torch.Generator().manual_seed(seed))


def run(model: Any, ids: Any, **options: Any) -> Any:
    kept = {"max_new_tokens": 8, "num_beams": 4, "do_sample": False, "pad_token_id": PAD} | options
    return model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        custom_generate=lexical_beam_search,
        return_dict_in_generate=True,
        output_scores=True,
        **kept,
    )


def written(model: Any, ids: Any, output: Any) -> list[list[int]]:
    """The tokens generated, without the end."""
    start = 1 if model.config.is_encoder_decoder else ids.shape[1]
    rows = output.sequences[:, start:].tolist()
    return [row[: next((i for i, token in enumerate(row) if token in (EOS, PAD)), len(row))] for row in rows]


def holds(row: list[int], phrase: list[int]) -> int:
    return sum(row[i : i + len(phrase)] == phrase for i in range(len(row)))


# ---- the same as transformers


@pytest.mark.parametrize("kind", ["gpt2", "t5", "bart"])
@pytest.mark.parametrize("penalty", [1.0, -0.7, *slow(0.0, 2.0)])
@pytest.mark.parametrize("early", [False, True, "never"])
def test_without_constraints_it_is_the_search_of_transformers(kind: str, penalty: float, early: bool | str) -> None:
    for seed, beams, share in ((1, 4, 1), (2, 4, 4), (3, 2, 1), (4, 7, 3)):
        model = make(kind, seed)
        model.generation_config.eos_token_id = [EOS, 5, 6]
        ids = prompts(3, seed=seed)
        options = {
            "num_beams": beams,
            "num_return_sequences": share,
            "length_penalty": penalty,
            "early_stopping": early,
            "max_new_tokens": 12,
        }
        ours = run(model, ids, **options)
        theirs = model.generate(
            ids, return_dict_in_generate=True, output_scores=True, do_sample=False, pad_token_id=PAD, **options
        )
        assert torch.equal(ours.sequences, theirs.sequences)
        assert torch.equal(ours.sequences_scores, theirs.sequences_scores)
        assert torch.equal(ours.beam_indices[theirs.beam_indices >= 0], theirs.beam_indices[theirs.beam_indices >= 0])
        assert ours.constraint_satisfied.all()


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_processors_and_padding_of_the_caller_are_kept(kind: str) -> None:
    """Left padding, bans, repetition penalty, minimum length, no cache: as in transformers."""
    model, ids = make(kind), prompts(2, 6)
    attention = torch.ones_like(ids)
    attention[1, :3] = 0
    for extra in (
        {"no_repeat_ngram_size": 2, "bad_words_ids": [[7], [8, 9]]},
        {"repetition_penalty": 1.3, "min_new_tokens": 4},
        {"use_cache": False, "output_attentions": True, "output_hidden_states": True, "output_logits": True},
    ):
        options = {"num_beams": 5, "max_new_tokens": 9, "do_sample": False, "pad_token_id": PAD, **extra}
        both = [
            model.generate(
                ids, attention_mask=attention, return_dict_in_generate=True, output_scores=True, **options, **ours
            )
            for ours in ({}, {"custom_generate": lexical_beam_search})
        ]
        assert torch.equal(both[0].sequences, both[1].sequences)
        assert torch.equal(both[0].sequences_scores, both[1].sequences_scores)
        for one, other in zip(both[0].scores, both[1].scores):
            assert torch.equal(one.isneginf(), other.isneginf())
        for name in ("attentions", "decoder_attentions", "cross_attentions", "encoder_attentions", "logits"):
            found = [getattr(output, name, None) for output in both]
            assert (found[0] is None) == (found[1] is None), name
            assert found[0] is None or len(found[0]) == len(found[1])


# ---- what is asked is met


PHRASES = [[[7, 8]], [[9], [10, 11, 12]], [[13, 14], [14, 13], [15]], [[20, 21, 20, 22]]]


@pytest.mark.parametrize("kind, allocation", list(product(["gpt2", "t5", "bart"], ["shares", "turns", "sets", "grid"])))
def test_forced_ids_are_in_the_output(kind: str, allocation: str) -> None:
    model, ids = make(kind), prompts(3)
    for forced in PHRASES:
        output = run(model, ids, force_words_ids=forced, num_return_sequences=2, allocation=allocation)
        rows = written(model, ids, output)
        assert all(holds(row, phrase) for row in rows for phrase in forced)
        assert output.constraint_satisfied.all()
        scores = output.sequences_scores.view(3, 2)
        assert (scores[:, 0] >= scores[:, 1]).all()
        recomputed = model.compute_transition_scores(output.sequences, output.scores, output.beam_indices)
        lengths = (output.beam_indices >= 0).sum(1)
        assert torch.allclose(recomputed.sum(1) / lengths, output.sequences_scores, atol=1e-4)


def test_objects_of_earlier_versions_are_understood() -> None:
    model, ids = make("gpt2"), prompts(2)
    phrase, either = SimpleNamespace(token_ids=[7, 8]), SimpleNamespace(token_ids=[[9, 10], [11]])
    output = run(model, ids, constraints=[phrase, either])
    for row in written(model, ids, output):
        assert holds(row, [7, 8]) and (holds(row, [9, 10]) or holds(row, [11]))
    nested = run(model, ids, force_words_ids=[[7, 8], [[9, 10], [11]]])
    assert torch.equal(output.sequences, nested.sequences)


def test_alternatives_may_be_prefixes_of_each_other() -> None:
    model, ids = make("gpt2"), prompts(1)
    for row in written(model, ids, run(model, ids, force_words_ids=[[[7], [7, 8]]])):
        assert holds(row, [7])


def lexical(*texts: str, absent: tuple[str, ...] = (), **modes: bool) -> Lexical:
    return Lexical(
        tuple(Clause((Phrase(text),)) for text in texts) + tuple(Clause(absent=(Phrase(text),)) for text in absent),
        **modes,
    )


@pytest.fixture(scope="module")
def model(demo: tuple[Any, Any]) -> Any:
    return demo[0]


@pytest.fixture(scope="module")
def tokenizer(demo: tuple[Any, Any]) -> Any:
    return demo[1]


PROMPT = "Ada Lindqvist lives in Uppsala, Sweden. "


def test_text_in_one_call(model: Any, tokenizer: Any) -> None:
    spec = lexical("bicycle", "red")
    found = generate(
        model, tokenizer, [PROMPT, "The review says: "], spec, sampler="beam", num_beams=6, max_new_tokens=24
    )
    for one in found:
        assert "bicycle" in one.text and "red" in one.text and one.finish_reason in ("complete", "closed")
        assert one.stats["score"] < 0
    assert generate(model, tokenizer, [], spec, sampler="beam") == []


def test_each_sentence_has_its_own(model: Any, tokenizer: Any) -> None:
    specs = [lexical("bicycle"), constrain.regex(r"[a-z]{3} \d{2}"), lexical("blue", absent=("e b",))]
    found = generate(model, tokenizer, [PROMPT] * 3, specs, sampler="beam", num_beams=4, max_new_tokens=16)
    assert "bicycle" in found[0].text and found[1].text[3] == " " and found[1].finish_reason == "complete"
    assert "blue" in found[2].text and "e b" not in found[2].text


def test_phrases_under_a_mask(model: Any, tokenizer: Any) -> None:
    """A grammar decides what may come, the phrases where the beam looks."""
    spec = constrain.regex(r"[a-z ]{10,40}\.") & lexical("lazy", "dog", ordered=True)
    (found,) = generate(model, tokenizer, PROMPT, spec, sampler="beam", num_beams=6, max_new_tokens=30)
    assert found.finish_reason == "complete" and found.text.index("lazy") < found.text.rindex("dog")
    assert found.text.endswith(".")


def test_a_mask_alone_is_plain_beam_search(model: Any, tokenizer: Any) -> None:
    spec = constrain.regex(r"\d{4}-\d{2}-\d{2}")
    beams = generate(model, tokenizer, "The meeting is on ", spec, sampler="beam", num_beams=4, max_new_tokens=12)
    masked = generate(model, tokenizer, "The meeting is on ", spec, num_beams=4, do_sample=False, max_new_tokens=12)
    assert beams[0].text == masked[0].text


def test_a_dead_end_is_told_and_spoils_nothing_else(model: Any, tokenizer: Any) -> None:
    """The pattern leaves no place for the phrase of the first sentence."""
    specs = [constrain.regex(r"[a-c]{2}") & lexical("xyz"), lexical("bicycle")]
    found = generate(model, tokenizer, [PROMPT] * 2, specs, sampler="beam", num_beams=3, max_new_tokens=12)
    assert found[0].finish_reason == "length" and "bicycle" in found[1].text
    alone = generate(model, tokenizer, PROMPT, specs[1], sampler="beam", num_beams=3, max_new_tokens=12)
    assert alone[0].text == found[1].text


def test_what_is_not_met_is_logged_where_it_cannot_be_returned(caplog: pytest.LogCaptureFixture) -> None:
    model, ids = make("gpt2"), prompts(1)
    banned = [[7]]
    with caplog.at_level(logging.WARNING, "constrain"):
        model.generate(
            ids, custom_generate=lexical_beam_search, force_words_ids=[[7]], bad_words_ids=banned, num_beams=2,
            max_new_tokens=3, pad_token_id=PAD, attention_mask=torch.ones_like(ids), do_sample=False,
        )  # fmt: skip
    assert "1 of 1 outputs of beam search do not meet their constraint" in caplog.text


def test_criteria_of_the_caller_end_outputs(model: Any, tokenizer: Any) -> None:
    """`stop_strings` cannot pass through transformers here; other criteria do."""

    class After(transformers.StoppingCriteria):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
            texts = tokenizer.batch_decode(input_ids[:, start:])
            return torch.tensor(["bicycle" in text for text in texts])

    inputs = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
    start = inputs["input_ids"].shape[1]
    output = model.generate(
        **inputs, custom_generate=lexical_beam_search, constraints=["bicycle"], vocabulary=tokenizer, num_beams=3,
        max_new_tokens=20, do_sample=False, stopping_criteria=[After()], return_dict_in_generate=True,
    )  # fmt: skip
    text = tokenizer.decode(output.sequences[0, start:], skip_special_tokens=True)
    assert text.rstrip().endswith("bicycle") and output.constraint_satisfied.all()


# ---- bad input

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"force_words_ids": [[7]], "do_sample": True}, UnsupportedError, "does not sample"),
    ({"force_words_ids": [[7, 8, 9]], "max_new_tokens": 2}, UnsatisfiableError, "at least 3 tokens"),
    ({"force_words_ids": [[]]}, SpecTypeError, "force_words_ids"),
    ({"force_words_ids": [[SIZE]]}, SpecTypeError, "not the id of a token"),
    ({"force_words_ids": [[7, EOS]]}, SpecTypeError, "not the id of a token"),
    ({"force_words_ids": 7}, SpecTypeError, "is a list"),
    ({"constraints": ["text"]}, VocabularyError, "vocabulary=tokenizer"),
    ({"constraints": constrain.regex("a")}, VocabularyError, "vocabulary=tokenizer"),
    ({"constraints": [constrain.regex("a")] * 3}, SpecTypeError, "3 constraints for 2 sentences"),
    ({"constraints": [None, lexical("a", absent=("a",))]}, UnsatisfiableError, "sentence 1: 'a' is required and excl"),
    ({"constraints": 7}, SpecTypeError, "a constraint or a list"),
    ({"allocation": "fair"}, SpecTypeError, "allocation is one of"),
    ({"vocabulary": 7}, SpecTypeError, "a tokenizer or"),
]


@pytest.mark.parametrize("options, kind, words", WRONG)
def test_what_cannot_be_is_refused(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    if "sentence 1" in words:
        options = options | {"vocabulary": constrain.Vocabulary.from_tokens([b"a"] * SIZE)}
    with pytest.raises(kind, match=words):
        run(make("gpt2"), prompts(2), **options)


# ---- faults of earlier implementations


def test_19070_phrases_stand_where_they_fit_not_at_the_start_or_the_end(model: Any, tokenizer: Any) -> None:
    """Hypotheses that have met their constraint go on, and are not forced again and again until the last token."""
    words = ("lives", "years", "works", "meeting", "bicycle", "review")
    found = [
        generate(model, tokenizer, PROMPT, lexical(word, "the"), sampler="beam", num_beams=5, max_new_tokens=30)[0].text
        for word in words
    ]
    assert [text.count(word) for word, text in zip(words, found)] == [1] * len(words)
    assert not any(text.startswith(word) for word, text in zip(words, found))
    assert sum(text.rstrip(" .").endswith(word) for word, text in zip(words, found)) <= 1


def test_17812_no_output_twice() -> None:
    model, ids = make("gpt2"), prompts(2)
    output = run(model, ids, force_words_ids=[[7, 8], [9]], num_beams=8, num_return_sequences=8)
    for rows in torch.chunk(output.sequences, 2):
        assert len({tuple(row) for row in rows.tolist()}) == 8


def test_31281_the_prompt_does_not_count() -> None:
    model = make("gpt2")
    ids = torch.tensor([[7, 8, 7, 8]])
    for row in written(model, ids, run(model, ids, force_words_ids=[[7, 8]])):
        assert holds(row, [7, 8])


def test_minus_infinity_is_never_chosen() -> None:
    """Forced tokens that a processor forbids: the beam is filled with others, and the output says what it lacks."""
    model, ids = make("gpt2"), prompts(2)
    output = run(model, ids, force_words_ids=[[7]], bad_words_ids=[[7]], num_return_sequences=4)
    assert not output.constraint_satisfied.any() and torch.isfinite(output.sequences_scores).all()
    assert not any(7 in row for row in written(model, ids, output))


def test_banks_that_have_too_few_candidates_leave_no_place_empty() -> None:
    """Six hypotheses at every step from the second on, though hardly any has begun its phrase."""
    model, ids = make("gpt2"), prompts(1)
    output = run(model, ids, force_words_ids=[[7, 8, 9]], num_beams=6, num_return_sequences=6)
    assert torch.isfinite(output.sequences_scores).all() and output.constraint_satisfied.all()


def test_banned_phrases_of_several_tokens_fire_behind_beams_that_moved(model: Any, tokenizer: Any) -> None:
    free = generate(model, tokenizer, PROMPT, lexical("the"), sampler="beam", num_beams=5, max_new_tokens=20)[0].text
    words = free.split()
    phrase = f"{words[1]} {words[2]}"
    (found,) = generate(
        model, tokenizer, PROMPT, lexical("the", absent=(phrase,)), sampler="beam", num_beams=5, max_new_tokens=20
    )
    assert phrase in free and phrase not in found.text and "the" in found.text


def test_words_in_order_are_not_forgotten(model: Any, tokenizer: Any) -> None:
    spec = lexical("red", "old", "blue", ordered=True, words=True)
    (found,) = generate(model, tokenizer, PROMPT, spec, sampler="beam", num_beams=5, max_new_tokens=30)
    places = [
        f" {found.text} ".replace(".", " ").replace(",", " ").find(f" {word} ") for word in ("red", "old", "blue")
    ]
    assert -1 not in places


def test_the_value_of_a_schema_beside_phrases(model: Any, tokenizer: Any) -> None:
    spec = constrain.json_schema({"enum": ["Ada", "Bo"]}) & lexical("Ada")
    (found,) = generate(model, tokenizer, PROMPT, spec, sampler="beam", num_beams=3, max_new_tokens=12)
    assert (found.parsed, found.finish_reason) == ("Ada", "complete")
