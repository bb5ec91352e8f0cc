"""Weighted sampling with Hugging Face models. The reference reads every sequence anew, without a cache, and forbids
tokens by trying all of them with the `regex` package."""

from __future__ import annotations

import codecs
import json
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from amounts import slow

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
regex = pytest.importorskip("regex")

from test_hf import EOS, PAD, encoded, make, reference, spellings  # noqa: E402

import constrain  # noqa: E402
from constrain.errors import CheckerError, ConstrainError, SpecTypeError, UnsupportedError  # noqa: E402
from constrain.hf import AWRSLogitsProcessor, SMCDecoding, generate, vocabulary_of  # noqa: E402
from constrain.sampling import Banned, Language, Population, awrs, geometric_awrs  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fast path is not available.*"),  # Mamba without its CUDA kernels
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
]

PROMPT, OTHER = "The meeting is on ", "Ada Lindqvist lives in Uppsala, Sweden. Her e-mail address is "
WORDS = r"[a-z]{2,5}( [a-z]{2,5}){1,2}\.?"


@pytest.fixture(scope="module")
def model(demo: tuple[Any, Any]) -> Any:
    return demo[0]


@pytest.fixture(scope="module")
def tokenizer(demo: tuple[Any, Any]) -> Any:
    return demo[1]


@pytest.fixture(scope="module")
def vocabulary(demo: tuple[Any, Any]) -> constrain.Vocabulary:
    return vocabulary_of(*demo)


@pytest.fixture(autouse=True)
def seeded(one_thread: None) -> None:
    torch.manual_seed(11)


def log_probabilities(model: Any, inputs: dict[str, Any], row: int, tokens: list[int]) -> np.ndarray:
    """Of the next token after each beginning of `tokens`, from one pass without a cache: float64[len(tokens) + 1,
    width]."""
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            begin = model.config.decoder_start_token_id
            own = {name: value[row : row + 1] for name, value in inputs.items()}
            logits = model(**own, decoder_input_ids=torch.tensor([[begin, *tokens]])).logits[0]
        else:
            prompt = inputs["input_ids"][row][inputs["attention_mask"][row] == 1].tolist()
            logits = model(torch.tensor([prompt + tokens]), use_cache=False).logits[0, len(prompt) - 1 :]
    return torch.log_softmax(logits.double(), -1).numpy()


def exact_weight(logp: np.ndarray, tokens: list[int], pattern: str) -> float:
    """The sum of the logs of what the pattern allows along the tokens, EOS last."""
    total = 0.0
    for end in range(len(tokens) + 1):
        allowed = reference(pattern).allowed(tokens[:end])
        total += float(np.logaddexp.reduce(logp[end][allowed]))
    return total


def begins_a_character(spelled: bytes) -> bool:
    """Whether bytes are the beginning of one character, of which nothing can be said yet."""
    return spelled != b"" and codecs.getincrementaldecoder("utf-8")("replace").decode(spelled) == ""


# ---- the logits processor


@pytest.mark.parametrize("kind", ["demo", "gpt2", "t5", "bart", "mamba"])
def test_weights_of_a_mask_are_exact(kind: str, demo: Any, tokenizer: Any, vocabulary: Any) -> None:
    """In a padded batch with several sequences a prompt: each log-weight is what a pass without a cache gives."""
    model = demo[0] if kind == "demo" else make(kind)
    inputs = encoded(tokenizer, PROMPT, PROMPT) if kind == "mamba" else encoded(tokenizer, PROMPT, OTHER)
    processor = AWRSLogitsProcessor(constrain.regex(WORDS), vocabulary)
    output = model.generate(
        **inputs, logits_processor=[processor], do_sample=True, top_k=0, num_return_sequences=3, max_new_tokens=20
    )
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    assert len(processor.rows) == 6
    for i, row in enumerate(processor.rows):
        tokens = list(row.position.tokens)  # type: ignore[union-attr]
        assert output[i, start : start + len(tokens)].tolist() == tokens
        if row.finish_reason == "complete":
            assert output[i, start + len(tokens)] == EOS
            assert regex.fullmatch(WORDS, row.position.text)  # type: ignore[union-attr]
            logp = log_probabilities(model, inputs, i // 3, tokens)
            assert row.log_weight == pytest.approx(exact_weight(logp, tokens, WORDS), abs=2e-3)
    assert processor.log_weights.shape == (6,)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": True, "top_k": 0},
        {"do_sample": True, "temperature": 1.7, "top_k": 0},
        {"do_sample": True, "temperature": 0.7, "top_k": 40},
        {"do_sample": True, "top_p": 0.8, "min_p": 0.001},
        {"do_sample": False},
        {"do_sample": True, "top_k": 0, "renormalize_logits": True, "repetition_penalty": 1.3},
    ],
)
@pytest.mark.parametrize("step", [awrs, geometric_awrs, *slow(partial(awrs, checks=3))])
def test_tokens_and_weights_follow_the_settings(
    settings: dict[str, Any], step: Any, model: Any, tokenizer: Any, vocabulary: Any
) -> None:
    """One step of many rows, against what transformers itself samples from: scores before the draw are recorded."""
    count, inputs = 800, encoded(tokenizer, PROMPT)
    plain = model.generate(**inputs, **settings, max_new_tokens=1, return_dict_in_generate=True, output_scores=True)
    p = torch.softmax(plain.scores[0][0].double(), -1).numpy()
    good = np.array([b"2" in spelled or b"th" in spelled or begins_a_character(spelled) for spelled in spellings()])
    checker = lambda text, complete: not complete and ("2" in text or "th" in text or text == "")  # noqa: E731
    processor = AWRSLogitsProcessor(checker, vocabulary, step=step)
    if settings["do_sample"]:
        more = {"num_return_sequences": count}
    else:  # greedy decoding takes what was drawn
        inputs, more = encoded(tokenizer, *[PROMPT] * count), {}
    output = model.generate(**inputs, **settings, **more, logits_processor=[processor], max_new_tokens=1)
    drawn = output[:, -1].numpy()
    weights = np.exp(processor.log_weights)
    target = p * good
    assert good[drawn].all() and len(weights) == count
    error = weights.std() / math.sqrt(count)
    assert abs(weights.mean() - target.sum()) < 4.5 * error + 1e-4
    shares = np.bincount(drawn, minlength=len(p)) / count
    law = target / target.sum()
    assert (np.abs(shares - law) < 5 * np.sqrt(law * (1 - law) / count) + 1.5 / count).all()


def test_the_last_token_is_the_end(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    """With a budget the weight of a text that had to end has the probability of EOS; one that may not end is dead."""
    processor = AWRSLogitsProcessor(constrain.regex("[a-z ]*"), vocabulary, max_new_tokens=3)
    inputs = encoded(tokenizer, PROMPT)
    output = model.generate(
        **inputs, logits_processor=[processor], num_return_sequences=20, do_sample=True, top_k=0, max_new_tokens=3
    )
    closed = 0
    for row, ids in zip(processor.rows, output[:, -1].tolist()):
        tokens = list(row.position.tokens)  # type: ignore[union-attr]
        if row.finish_reason == "closed":
            closed += 1
            logp = log_probabilities(model, inputs, 0, tokens)
            expected = exact_weight(logp[:2], tokens[:1], "[a-z ]*") + logp[2][EOS]
            assert ids == EOS and row.log_weight == pytest.approx(expected, abs=2e-3)
    assert closed > 0
    processor = AWRSLogitsProcessor(constrain.regex("[a-z]{30}"), vocabulary, max_new_tokens=3)
    model.generate(**inputs, logits_processor=[processor], max_new_tokens=3)
    assert [row.finish_reason for row in processor.rows] == ["length"] and processor.log_weights[0] == -math.inf


def test_one_checker_a_prompt_and_calls_one_after_the_other(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    checkers = [constrain.regex("[0-9]+"), Banned(["the"]), lambda text: text.isupper() or not text]
    processor = AWRSLogitsProcessor(checkers, vocabulary, per_prompt=True)
    inputs = encoded(tokenizer, PROMPT, OTHER, "x")
    for _ in range(2):
        output = model.generate(
            **inputs, logits_processor=[processor], do_sample=True, num_return_sequences=2, max_new_tokens=6, top_k=0
        )
        texts = [row.position.text for row in processor.rows]  # type: ignore[union-attr]
        assert all(text.isdigit() for text in texts[:2])
        assert all(text.isupper() or not text for text in texts[4:])
    again = {"input_ids": output, "attention_mask": torch.ones_like(output)}
    single = AWRSLogitsProcessor(constrain.choice(["yes"]), vocabulary)
    for _ in range(2):
        model.generate(**again, logits_processor=[single], max_new_tokens=6)
        assert all(row.position.text == "yes" for row in single.rows)  # type: ignore[union-attr]
        end = model.generate(**again, logits_processor=[single], max_new_tokens=6)
        model.generate(end, attention_mask=torch.ones_like(end), logits_processor=[single], max_new_tokens=6)
        assert all(row.position.text == "yes" for row in single.rows)  # type: ignore[union-attr]
    with pytest.raises(SpecTypeError, match="3 checkers do not divide"):
        model.generate(**encoded(tokenizer, "x", "y"), logits_processor=[processor], max_new_tokens=2)


def test_others_must_not_choose(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    processor = AWRSLogitsProcessor(lambda text: "q" not in text, vocabulary)
    with pytest.raises(UnsupportedError, match="draws the tokens"):
        options = {"assistant_model": make("gpt2"), "logits_processor": [processor]}
        model.generate(**encoded(tokenizer, PROMPT), **options, max_new_tokens=24, do_sample=False)
    for change in (lambda ids: ids.flip(0), lambda ids: torch.cat([ids[:, :-1], ids[:, -1:] + 1], 1)):
        processor = AWRSLogitsProcessor(lambda text: "q" not in text, vocabulary)
        ids = torch.tensor([[7, 8], [9, 10]])
        token = processor(ids, torch.zeros(2, 2000)).argmax(-1)
        with pytest.raises(UnsupportedError, match="rows were reordered"):
            processor(change(torch.cat([ids, token[:, None]], 1)), torch.zeros(2, 2000))


def test_rows_without_a_way_on_end(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    """They weigh nothing, others go on, and nothing hangs."""
    checker = lambda text, complete: len(text) < 3 and not complete  # noqa: E731
    processor = AWRSLogitsProcessor([checker, lambda text: True], vocabulary, per_prompt=True)
    output = model.generate(**encoded(tokenizer, PROMPT, OTHER), logits_processor=[processor], max_new_tokens=12)
    dead, other = processor.rows
    assert dead.finish_reason == "dead" and dead.log_weight == -math.inf and other.log_weight > -math.inf
    assert EOS in output[0].tolist() and len(other.position.tokens) > len(dead.position.tokens)  # type: ignore[union-attr]
    processor = AWRSLogitsProcessor(lambda text, complete: False, vocabulary)
    model.generate(**encoded(tokenizer, PROMPT), logits_processor=[processor], max_new_tokens=12)
    assert processor.log_weights.tolist() == [-math.inf] and processor.rows[0].evaluations == 0


def test_a_processor_that_raises_stays_as_it_was(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    def broken(text: str, complete: bool) -> bool:
        if len(text) > 4:
            raise OSError("gone")
        return not complete

    processor = AWRSLogitsProcessor(broken, vocabulary)
    ids = torch.tensor([[5, 6]])
    scores = torch.zeros(1, 2000)
    for _ in range(30):
        before, expected = processor.rows, processor._expected
        try:
            token = processor(ids, scores).argmax(-1)
        except CheckerError as error:
            assert isinstance(error.__cause__, OSError)
            assert processor.rows is before and processor._expected is expected
            return
        assert scores.tolist() == [[0.0] * 2000]
        ids = torch.cat([ids, token[:, None]], 1)
    pytest.fail("it should have raised")


def test_scores_that_are_no_distribution(vocabulary: Any) -> None:
    processor = AWRSLogitsProcessor(lambda text: True, vocabulary)
    with pytest.raises(ConstrainError, match="logp is nan"):
        processor(torch.tensor([[1]]), torch.full((1, 2000), torch.nan))
    processor(torch.tensor([[1]]), torch.full((1, 2000), -torch.inf))
    assert [row.finish_reason for row in processor.rows] == ["dead"]
    with pytest.raises(ConstrainError, match="wide"):
        AWRSLogitsProcessor(lambda text: True, vocabulary)(torch.tensor([[1]]), torch.zeros(1, 1999))


# ---- particles


@pytest.mark.parametrize("kind", ["demo", "gpt2", "t5", "bart", "mamba"])
@pytest.mark.parametrize("ess", [0.0, 1.0])
def test_particles_share_the_cache(
    kind: str, ess: float, demo: Any, tokenizer: Any, vocabulary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the model says of each particle is what it says of its tokens alone: prompts padded, rows reordered."""
    model = demo[0] if kind == "demo" else make(kind)
    inputs = encoded(tokenizer, PROMPT, PROMPT) if kind == "mamba" else encoded(tokenizer, PROMPT, OTHER)
    seen: list[tuple[Any, np.ndarray]] = []
    advance = Population.advance

    def recorded(self: Population, logp: Any) -> Any:
        here = [position.tokens if active else None for position, active in zip(self.positions, self.active)]  # type: ignore[union-attr]
        seen.append((here, np.array(logp)))
        return advance(self, logp)

    monkeypatch.setattr(Population, "advance", recorded)
    decoding = SMCDecoding(constrain.regex(WORDS), vocabulary, particles=4, ess=ess)
    output = model.generate(**inputs, custom_generate=decoding, do_sample=True, top_k=0, max_new_tokens=10)
    assert len(seen) == 2 * decoding.steps
    moved = 0
    for i, (here, logp) in enumerate(seen):
        for tokens, row in zip(here, logp):
            if tokens is not None:
                expected = log_probabilities(model, inputs, i % 2, list(tokens))[-1]
                assert np.abs(np.exp(row) - np.exp(expected)).max() < 2e-4
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    assert len(output) == 8 and len(decoding.posteriors) == 2
    for p, posterior in enumerate(decoding.posteriors):
        moved += sum(step.ancestors != tuple(range(4)) for step in posterior.history)
        for i, particle in enumerate(posterior.particles):
            count = len(particle.token_ids)
            assert output[4 * p + i, start : start + count].tolist() == list(particle.token_ids)
            if particle.log_weight > -math.inf:
                assert regex.fullmatch(WORDS, particle.text)
            if ess == 0 and particle.finish_reason == "complete":
                logp = log_probabilities(model, inputs, p, list(particle.token_ids))
                assert particle.log_weight == pytest.approx(
                    exact_weight(logp, list(particle.token_ids), WORDS), abs=2e-3
                )
    assert (moved > 0) == (ess > 0)


def test_prompts_are_read_once(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    """The first call of the model has a row for each prompt, the others one token for each particle."""
    shapes: list[tuple[int, ...]] = []
    hook = model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    inputs = encoded(tokenizer, PROMPT, OTHER)
    decoding = SMCDecoding(constrain.regex(r"\d{4}-\d{2}-\d{2}"), vocabulary, particles=5)
    try:
        model.generate(**inputs, custom_generate=decoding, max_new_tokens=16)
    finally:
        hook.remove()
    assert shapes[0] == tuple(inputs["input_ids"].shape)
    assert set(shapes[1:]) == {(10, 1)} and len(shapes) == decoding.steps


def test_normaliser_of_a_model_is_that_of_its_texts(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    """Three words, all of their spellings in at most four tokens, summed."""
    words = ["positive", "negative", "neutral"]
    inputs = encoded(tokenizer, "The review says: rude service. Sentiment: ")
    budget, total = 4, 0.0
    todo: list[list[int]] = [[]]
    while todo:
        tokens = todo.pop()
        text = b"".join(spellings()[token] for token in tokens).decode()
        logp = log_probabilities(model, inputs, 0, tokens)
        if text in words:
            total += math.exp(sum(logp[i][token] for i, token in enumerate(tokens)) + logp[-1][EOS])
        if len(tokens) < budget - 1:
            rests = [word[len(text) :] for word in words if word.startswith(text)]
            todo += [
                [*tokens, t] for t, s in enumerate(spellings()) if s and any(r.encode().startswith(s) for r in rests)
            ]
    for checker in (
        constrain.choice(words),
        Language(constrain.Compiler(vocabulary).compile(constrain.choice(words)), prune=False),
    ):
        decoding = SMCDecoding(checker, vocabulary, particles=400, rng=np.random.default_rng(2))
        model.generate(**inputs, custom_generate=decoding, max_new_tokens=budget)
        (posterior,) = decoding.posteriors
        assert posterior.log_normalizer == pytest.approx(math.log(total), abs=0.35)
        assert {answer.text for answer in posterior.answers} <= set(words)


def test_others_must_not_multiply_rows(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    decoding = SMCDecoding(lambda text: True, vocabulary, particles=2)
    with pytest.raises(UnsupportedError, match="every particle comes back"):
        model.generate(
            **encoded(tokenizer, PROMPT),
            custom_generate=decoding,
            num_return_sequences=2,
            do_sample=True,
            max_new_tokens=3,
        )
    with pytest.raises(UnsupportedError, match="use_cache"):
        model.generate(**encoded(tokenizer, PROMPT), custom_generate=decoding, use_cache=False, max_new_tokens=3)
    with pytest.raises(ConstrainError, match="particles=0"):
        SMCDecoding(lambda text: True, vocabulary, particles=0)
    with pytest.raises(ConstrainError, match="ess=2"):
        SMCDecoding(lambda text: True, vocabulary, particles=1, ess=2)
    with pytest.raises(SpecTypeError, match="1 checkers for 2 prompts"):
        each = SMCDecoding([len], vocabulary, particles=1, per_prompt=True)
        model.generate(**encoded(tokenizer, PROMPT, OTHER), custom_generate=each, max_new_tokens=3)


def test_time_is_up(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    """Other stopping criteria are heeded; what has not ended by then does not count."""
    decoding = SMCDecoding(lambda text: True, vocabulary, particles=3)
    model.generate(**encoded(tokenizer, PROMPT), custom_generate=decoding, max_time=1e-6, max_new_tokens=50)
    (posterior,) = decoding.posteriors
    assert decoding.steps == 1 and posterior.finish_reason in ("length", "complete")
    assert all(p.log_weight == -math.inf for p in posterior.particles if p.finish_reason == "length")


# ---- generate


def test_generate(model: Any, tokenizer: Any) -> None:
    spec = constrain.regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    for sampler, more in (("awrs", {}), ("smc", {"particles": 5})):
        results = generate(model, tokenizer, [PROMPT, OTHER], spec, sampler=sampler, num_return_sequences=2, **more)
        assert len(results) == 4
        for result in results:
            assert regex.fullmatch(spec.pattern, result.text) and result.finish_reason == "complete"
            assert (result.posterior is not None) == (sampler == "smc")
            assert result.stats["evaluations"] == 0
        assert ("log_weight" if sampler == "awrs" else "log_normalizer") in results[0].stats
    assert generate(model, tokenizer, [], spec, sampler="smc") == []


def test_generate_follows_the_seed(model: Any, tokenizer: Any) -> None:
    def texts(seed: int, sampler: str) -> list[str]:
        torch.manual_seed(seed)
        return [
            r.text for r in generate(model, tokenizer, [PROMPT], Banned(["the"]), sampler=sampler, max_new_tokens=12)
        ]

    for sampler in ("awrs", "smc"):
        assert texts(1, sampler) == texts(1, sampler) and len({texts(seed, sampler)[0] for seed in range(4)}) > 1


def test_generate_parses_values(model: Any, tokenizer: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = {"type": "integer", "minimum": 1}
    validator = jsonschema.Draft202012Validator(schema)
    for checker in (constrain.json_schema(schema), validator, Banned(["one"]) & validator):
        for sampler in ("awrs", "smc"):
            options = {"sampler": sampler, "num_return_sequences": 8, "max_new_tokens": 3}
            options |= {"particles": 32} if sampler == "smc" else {}
            results = generate(model, tokenizer, "The meeting is in room ", checker, **options)
            complete = [result for result in results if result.finish_reason in ("complete", "closed")]
            assert complete and all(result.parsed is None for result in results if result not in complete)
            for result in complete:
                assert result.parsed == json.loads(result.text) == int(result.parsed) >= 1


def test_generate_when_there_is_no_answer(model: Any, tokenizer: Any) -> None:
    cases = {"dead": lambda text, complete: False, "length": lambda text, complete: not complete and "q" not in text}
    for reason, checker in cases.items():
        for sampler in ("awrs", "smc"):
            result = generate(model, tokenizer, PROMPT, checker, sampler=sampler, max_new_tokens=5)[0]
            assert result.finish_reason == reason and result.parsed is None
            if sampler == "smc" or reason == "dead":
                assert result.text == "" and result.token_ids == ()
            weight = result.stats["log_weight" if sampler == "awrs" else "log_normalizer"]
            assert weight == -math.inf


def test_generate_arguments(model: Any, tokenizer: Any) -> None:
    with pytest.raises(SpecTypeError, match="2 constraints for 1 prompts"):
        generate(model, tokenizer, PROMPT, [len, len], sampler="smc")
    with pytest.raises(ConstrainError, match="max_new_tokens=0"):
        generate(model, tokenizer, PROMPT, len, sampler="awrs", max_new_tokens=0)
    with pytest.raises(SpecTypeError, match="is no checker"):
        generate(model, tokenizer, PROMPT, 3, sampler="awrs")
    with pytest.raises(UnsupportedError, match="'awrs'"):
        generate(model, tokenizer, PROMPT, constrain.regex("a"), sampler="magic")


def test_encoder_decoder_in_one_call(tokenizer: Any) -> None:
    for sampler in ("awrs", "smc"):
        results = generate(make("t5"), tokenizer, [PROMPT, OTHER], constrain.choice(["yes", "no"]), sampler=sampler)
        assert {result.text for result in results} <= {"yes", "no"}


def test_padding_of_the_result(model: Any, tokenizer: Any, vocabulary: Any) -> None:
    decoding = SMCDecoding(constrain.choice(["yes", "a long answer"]), vocabulary, particles=12, ess=0)
    output = model.generate(**encoded(tokenizer, PROMPT), custom_generate=decoding, max_new_tokens=20)
    ends = [
        row.index(EOS) for row in output[:, encoded(tokenizer, PROMPT)["input_ids"].shape[1] :].tolist() if EOS in row
    ]
    assert len(ends) == 12
    assert all(set(row[row.index(EOS) + 1 :]) <= {PAD} for row in output.tolist())
