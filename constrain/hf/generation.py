"""Text under a constraint in one call: prompts in, checked texts out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from constrain.automaton import TokenAutomaton
from constrain.compiler import Compiler
from constrain.engine.states import State
from constrain.errors import UnsupportedError
from constrain.hf.batch import encode, is_json, one_each, pad_id, parsed
from constrain.hf.forced import ForcedDecoding
from constrain.hf.logits import LogitsProcessor, StoppingCriteria, is_complete
from constrain.sampling.posterior import Posterior
from constrain.vocab.vocabulary import Vocabulary

_vocabularies: WeakKeyDictionary[Any, dict[tuple[int, int, tuple[int, ...]], Vocabulary]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Generation:
    """One generated text."""

    text: str
    """What was generated, without the prompt and without special tokens."""
    finish_reason: str
    """"complete": the text meets the constraint; "closed": it does, and ended, or had to be steered to its end,
    because of `max_new_tokens`; "length": `max_new_tokens` cut it short, and it does not; "dead" (samplers with
    weights): nothing that meets the constraint was found, and there is no text."""
    token_ids: tuple[int, ...]
    """The tokens of the text."""
    parsed: Any = None
    """The value that the text stands for, if the constraint is a schema that the text meets; else None."""
    stats: dict[str, float] = field(default_factory=dict)
    """`seconds` of the call, `steps` of the model, `mask_seconds` in all and `mask_seconds_max` of one step;
    `forced_tokens`: tokens for which the model was not asked. Of samplers with weights: `evaluations` of the checker,
    `log_weight` (awrs), `log_normalizer` and `ess` (smc)."""
    posterior: Posterior | None = None
    """All particles with their weights, of which this is one drawn by weight (smc)."""


def generate(
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str],
    spec: Any,
    *,
    sampler: str = "mask",
    max_new_tokens: int = 256,
    **options: Any,
) -> list[Generation]:
    """Generate one text for each prompt (or `num_return_sequences` of them) that meets `spec`.

    `spec` is one constraint for all prompts, or one for each. `options` go to `model.generate` (do_sample,
    temperature, num_beams ...). Texts are decoded without clean-up, so that what was enforced is what you get.

    `sampler="awrs"` draws with weights and asks the constraint of few tokens, `"smc"` writes `particles` side by side
    and returns one of them by weight (`constrain.sampling`). For both, `spec` can be any checker, functions of text
    included; the end of the output counts as one of the `max_new_tokens`; and a text without a constraint met is never
    an answer.

    `sampler="beam"` is beam search (`num_beams`, `length_penalty`, `early_stopping` ...) that looks for phrases to be
    present, and keeps to everything else; see `constrain.hf.lexical_beam_search`.

    When few of the `max_new_tokens` are left, outputs are steered to their end. For one sequence of a decoder-only
    model, tokens that the constraint forces are not asked of the model.

        generate(model, tokenizer, "The date is ", constrain.regex(r"\\d{4}-\\d{2}-\\d{2}"))[0].text
    """
    if sampler in ("awrs", "smc"):
        from constrain.hf.sampling import generate_weighted

        weighted: dict[str, Any] = {"sampler": sampler, "max_new_tokens": max_new_tokens, **options}
        return generate_weighted(model, tokenizer, prompts, spec, **weighted)
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if sampler == "beam":
        from constrain.hf.beams import generate_with_beams

        return generate_with_beams(model, tokenizer, texts, spec, max_new_tokens, **options)
    if sampler != "mask":
        raise UnsupportedError(f"generate(sampler={sampler!r}): there are 'mask', 'beam', 'awrs' and 'smc'")
    vocabulary = vocabulary_of(model, tokenizer, eos_token_id=options.get("eos_token_id"))
    automata = _automata(vocabulary, spec, len(texts))
    if not texts:
        return []
    processor = LogitsProcessor(automata, max_new_tokens)
    options["logits_processor"] = [*(options.get("logits_processor") or ()), processor]
    options["stopping_criteria"] = [*(options.get("stopping_criteria") or ()), StoppingCriteria(processor)]
    pad = options.setdefault("pad_token_id", pad_id(model, tokenizer))
    if options.get("stop_strings"):
        options["tokenizer"] = tokenizer
    inputs = encode(model, tokenizer, texts, pad or 0)
    forced = ForcedDecoding(processor, max_new_tokens)
    if forced.fits(model, len(texts), options):
        options["custom_generate"] = forced
    begin = time.perf_counter()
    output = model.generate(**inputs, max_new_tokens=max_new_tokens, **options)
    seconds = time.perf_counter() - begin
    sequences = getattr(output, "sequences", output)
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    stats = _stats(seconds, processor) | {"forced_tokens": forced.saved}
    share = len(sequences) // len(automata)
    return [
        _generation(automata[row // share], tokenizer, ids, stats, processor.has_steered(row // share, ids))
        for row, ids in enumerate(sequences[:, start:].tolist())
    ]


def vocabulary_of(model: Any, tokenizer: Any, *, eos_token_id: int | Sequence[int] | None = None) -> Vocabulary:
    """The vocabulary of a tokenizer at the width of a model's logits, with the EOS ids that end its output."""
    width = model.config.get_text_config().vocab_size
    candidates = (eos_token_id, model.generation_config.eos_token_id, tokenizer.eos_token_id)
    eos = next((candidate for candidate in candidates if candidate is not None), ())
    eos_ids = (eos,) if isinstance(eos, int) else tuple(eos)
    known = _vocabularies.setdefault(tokenizer, {})
    key = (width, len(tokenizer), eos_ids)
    if key not in known:
        known[key] = Vocabulary.from_transformers(tokenizer, vocab_size=width, eos_ids=eos_ids)
    return known[key]


def _automata(vocabulary: Vocabulary, spec: Any, count: int) -> list[TokenAutomaton]:
    compiler = Compiler(vocabulary)
    return [one if isinstance(one, TokenAutomaton) else compiler.compile(one) for one in one_each(spec, count)]


def _generation(
    automaton: TokenAutomaton, tokenizer: Any, ids: list[int], stats: dict[str, float], steered: bool
) -> Generation:
    """Read the generated ids once more: what comes after the end is padding."""
    state: State = automaton.start
    tokens: list[int] = []
    for token in ids:
        following = None if is_complete(automaton, state) else automaton.space.step(state, token)
        if following is None:
            break
        state = following
        if state.terminated:
            break
        tokens.append(token)
    text = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    closed = state.accepting and (steered or not is_complete(automaton, state))
    reason = "closed" if closed else "complete" if state.accepting else "length"
    value = parsed(text) if state.accepting and is_json(automaton.spec) else None
    return Generation(text, reason, tuple(tokens), value, stats)


def _stats(seconds: float, processor: LogitsProcessor) -> dict[str, float]:
    masks = processor.mask_seconds or [0.0]
    return {
        "seconds": seconds,
        "steps": len(processor.mask_seconds),
        "mask_seconds": sum(masks),
        "mask_seconds_max": max(masks),
    }
