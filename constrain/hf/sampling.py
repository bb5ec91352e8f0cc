"""`generate(sampler="awrs" | "smc")`: prompts in, weighted texts out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from constrain.automaton import Matcher, TokenAutomaton
from constrain.errors import ConstrainError
from constrain.hf import batch
from constrain.hf.generated import Generation, vocabulary_of
from constrain.hf.particles import SMCDecoding
from constrain.hf.weighted import AWRSLogitsProcessor, Row, generator
from constrain.sampling.checkers import Product
from constrain.sampling.posterior import Particle, Posterior
from constrain.sampling.ready.json import Json, is_validator
from constrain.sampling.rejection import Step, awrs


def generate_weighted(
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str],
    checker: Any,
    *,
    sampler: str,
    max_new_tokens: int,
    checks: int = 1,
    max_rejects: int | None = None,
    rng: np.random.Generator | None = None,
    **options: Any,
) -> list[Generation]:
    """What `constrain.hf.generate` does for the samplers "awrs" and "smc".

    `checks` and `max_rejects` are those of `constrain.sampling.awrs`; `particles` (8), `ess` and `critic` those of
    `constrain.sampling.smc`; other options go to `model.generate`. The target is the distribution from which
    `do_sample=True` draws, without top-k unless that is asked for.
    """
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    checkers = batch.one_each(checker, len(texts))
    if max_new_tokens < 1:
        raise ConstrainError(f"max_new_tokens={max_new_tokens}: a text has room for its end at least")
    vocabulary = vocabulary_of(model, tokenizer, eos_token_id=options.get("eos_token_id"))
    if not texts:
        return []
    options = {"do_sample": True, **options}
    if model.generation_config.top_k is None:
        options.setdefault("top_k", 0)  # else transformers cuts the distribution to 50 tokens
    pad = options.setdefault("pad_token_id", batch.pad_id(model, tokenizer))
    inputs = batch.encode(model, tokenizer, texts, pad or 0)
    run: Callable[..., list[Generation]] = {"awrs": _awrs, "smc": _smc}[sampler]
    step = partial(awrs, checks=checks, max_rejects=max_rejects)
    return run(model, tokenizer, inputs, checkers, vocabulary, step, rng, max_new_tokens, options)


def _awrs(
    model: Any, tokenizer: Any, inputs: Any, checkers: list[Any], vocabulary: Any, step: Step, rng: Any, budget: int,
    options: dict[str, Any],
) -> list[Generation]:  # fmt: skip
    processor = AWRSLogitsProcessor(
        checkers, vocabulary, per_prompt=True, max_new_tokens=budget, step=step, rng=rng or generator()
    )
    options["logits_processor"] = [*(options.get("logits_processor") or ()), processor]
    if options.get("stop_strings"):
        options["tokenizer"] = tokenizer
    begin = time.perf_counter()
    model.generate(**inputs, max_new_tokens=budget, **options)
    seconds = time.perf_counter() - begin
    share = len(processor.rows) // len(checkers)
    return [_of_row(tokenizer, checkers[i // share], row, seconds) for i, row in enumerate(processor.rows)]


def _smc(
    model: Any, tokenizer: Any, inputs: Any, checkers: list[Any], vocabulary: Any, step: Step, rng: Any, budget: int,
    options: dict[str, Any],
) -> list[Generation]:  # fmt: skip
    rng = rng or generator()
    own = {name: options.pop(name) for name in ("ess", "critic") if name in options}
    several = options.pop("num_return_sequences", None) or 1
    decoding = SMCDecoding(
        checkers, vocabulary, particles=options.pop("particles", 8), per_prompt=True, step=step, rng=rng, **own
    )
    begin = time.perf_counter()
    model.generate(**inputs, custom_generate=decoding, max_new_tokens=budget, **options)
    stats = {"seconds": time.perf_counter() - begin, "steps": float(decoding.steps)}
    return [
        _of_posterior(tokenizer, checker, posterior, rng, stats)
        for checker, posterior in zip(checkers, decoding.posteriors)
        for _ in range(several)
    ]


def _of_row(tokenizer: Any, checker: Any, row: Row, seconds: float) -> Generation:
    """A row: its text, even if it was cut short; none if nothing more was accepted."""
    tokens = row.position.tokens if row.position is not None else ()
    reason = row.finish_reason or "length"
    stats = {"seconds": seconds, "log_weight": row.log_weight, "evaluations": row.evaluations}
    if reason not in ("complete", "closed"):
        stats["log_weight"] = -np.inf
    if reason == "dead":
        return Generation("", "dead", (), None, stats)
    return _generation(tokenizer, checker, tokens, reason, stats)


def _of_posterior(
    tokenizer: Any, checker: Any, posterior: Posterior, rng: np.random.Generator, stats: dict[str, float]
) -> Generation:
    """A text drawn by weight; none if no particle is left."""
    stats = stats | {
        "log_normalizer": posterior.log_normalizer,
        "ess": posterior.ess,
        "evaluations": posterior.evaluations,
    }
    chosen: Particle | None = posterior.draw(rng)
    if chosen is None:
        return Generation("", posterior.finish_reason, (), None, stats, posterior)
    return _generation(tokenizer, checker, chosen.token_ids, chosen.finish_reason, stats, posterior)


def _generation(
    tokenizer: Any,
    checker: Any,
    tokens: tuple[int, ...],
    reason: str,
    stats: dict[str, float],
    posterior: Posterior | None = None,
) -> Generation:
    text = tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    parsed = batch.parsed(text) if reason != "length" and _is_json(checker) else None
    return Generation(text, reason, tokens, parsed, stats, posterior)


def _is_json(checker: Any) -> bool:
    """Whether a text that the checker accepts stands for a value."""
    match checker:
        case Json():
            return True
        case Product():
            return any(map(_is_json, checker.checkers))
        case TokenAutomaton():
            return batch.is_json(checker.spec)
        case Matcher():
            return batch.is_json(checker.automaton.spec)
    return batch.is_json(checker) or is_validator(checker)
