"""Constrained generation with a Hugging Face model, in one call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from constrain.automaton import TokenAutomaton
from constrain.compiler import Compiler
from constrain.engine.states import State
from constrain.errors import UnsupportedError
from constrain.hf.batch import encode, is_json, one_each, pad_id, parsed
from constrain.hf.forced import ForcedDecoding
from constrain.hf.generated import Generation, vocabulary_of
from constrain.hf.logits import LogitsProcessor, StoppingCriteria, is_complete
from constrain.vocab.vocabulary import Vocabulary


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
