"""What generation returns, and the vocabulary that it is bound to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

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
