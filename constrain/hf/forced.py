"""Decoding that does not ask the model for tokens that the constraint forces.

In:  what `model.generate` hands to a decoding loop.
Out: the same, in fewer calls of the model: forced tokens are read together with the token before them, into the same
     KV cache.
"""

from __future__ import annotations

from typing import Any

import torch

from constrain.automaton import Matcher
from constrain.hf.logits import LogitsProcessor

_ELSEWHERE = (
    "assistant_early_exit",
    "assistant_model",
    "custom_generate",
    "dola_layers",
    "force_words_ids",
    "penalty_alpha",
    "prompt_lookup_num_tokens",
    "return_dict_in_generate",
    "stop_strings",
    "streamer",
    "use_mtp",
)
"""Options of `generate` that need the loops of transformers."""


class ForcedDecoding:
    """For `model.generate(custom_generate=...)`: one sequence, a decoder-only model, greedy or sampled.

    The forced tokens are those of `Matcher.forced_tokens`: the tokenizer's own. (Left to itself a model could also
    spell the same bytes with other tokens.)
    """

    def __init__(self, processor: LogitsProcessor, max_new_tokens: int) -> None:
        self._processor, self._budget = processor, max_new_tokens
        self.saved = 0
        """Tokens for which the model was not asked."""
        self.calls = 0
        """Calls of the model."""

    @staticmethod
    def fits(model: Any, rows: int, options: dict[str, Any]) -> bool:
        """Whether this loop can stand in for the one of transformers.

        Models with a state that is no cache of keys and values read one token at a time; criteria of the caller may
        want to see each token.
        """
        config = options.get("generation_config") or model.generation_config

        def option(name: str) -> Any:
            given = options.get(name)
            return getattr(config, name, None) if given is None else given

        several = rows != 1 or (option("num_beams") or 1) != 1 or (option("num_return_sequences") or 1) != 1
        stateless = not model.config.is_encoder_decoder and not getattr(model, "_is_stateful", True)
        plain = hasattr(model, "_prefill") and stateless and len(options.get("stopping_criteria") or ()) <= 1
        return plain and not several and not any(option(name) for name in _ELSEWHERE)

    def __call__(
        self,
        model: Any,
        input_ids: torch.LongTensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> torch.LongTensor:
        """The loop. Returns the sequence, prompt included."""
        start, ids = input_ids.shape[1], input_ids
        outputs = model._prefill(ids, generation_config, model_kwargs, is_first_iteration=True)
        self.calls = 1
        while True:
            scores = logits_processor(ids, outputs.logits[:, -1].to(torch.float32))
            ids = torch.cat([ids, _choose(scores, generation_config.do_sample)], dim=-1)
            forced = self._forced(ids, self._budget - (ids.shape[1] - start))
            ids = torch.cat([ids, torch.tensor([forced], dtype=ids.dtype, device=ids.device)], dim=-1)
            self.saved += len(forced)
            self._processor.follow(ids)
            if bool(stopping_criteria(ids, scores).all()):
                return ids  # type: ignore[return-value]
            model_kwargs = model._update_model_kwargs_for_generation(
                outputs, model_kwargs, is_encoder_decoder=False, num_new_tokens=1 + len(forced)
            )
            length = 1 + len(forced) if model_kwargs.get("use_cache") else None
            inputs = model.prepare_inputs_for_generation(ids, next_sequence_length=length, **model_kwargs)
            outputs = model(**inputs, return_dict=True)
            self.calls += 1

    def _forced(self, ids: torch.Tensor, room: int) -> list[int]:
        """The tokens that must follow; none if the output could not be completed within the budget after them."""
        (state,) = self._processor.states(ids)  # type: ignore[arg-type]
        if state is None or state.terminated:
            return []
        matcher = Matcher(self._processor.automata[0], state)
        forced = matcher.forced_tokens()
        matcher.accept_tokens(forced)
        rest = matcher.completion()
        return forced if len(forced) + len(rest or ()) <= room else []


def _choose(scores: torch.Tensor, do_sample: bool) -> torch.Tensor:
    if do_sample:
        return torch.multinomial(torch.softmax(scores, dim=-1), num_samples=1)
    return torch.argmax(scores, dim=-1, keepdim=True)
