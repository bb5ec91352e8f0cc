"""Sequential Monte Carlo inside `model.generate(custom_generate=...)`: prompts are read once, particles share the
cache.

In:  what `model.generate` hands to a decoding loop.
Out: the sequences of all particles, and a `Posterior` for each prompt.

When particles are resampled, the rows of the model's cache are reordered: keys and values of decoders and of
encoder-decoders, and the states of state-space models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from constrain.errors import ConstrainError, SpecTypeError, UnsupportedError
from constrain.hf.weighted import generator, log_softmax
from constrain.sampling.oracle import Oracle
from constrain.sampling.particles import Critic, Population, Settings
from constrain.sampling.posterior import Posterior
from constrain.sampling.rejection import Step, awrs

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary


class SMCDecoding:
    """For `model.generate(custom_generate=...)`: particles for each prompt, under a checker.

    The arguments are those of `constrain.sampling.smc`; `checker` is one for all prompts, or with `per_prompt` a list.
    The budget is `max_new_tokens` of `generate`. What `generate` returns has a row for each particle, padded;
    `posteriors` has their weights. Pass `do_sample=True` for temperature and the like to be part of the model's
    distribution.

        decoding = SMCDecoding(checker, vocabulary, particles=16)
        model.generate(**inputs, custom_generate=decoding, do_sample=True, top_k=0, max_new_tokens=64)
        decoding.posteriors[0].answers
    """

    def __init__(
        self,
        checker: Any,
        vocabulary: Vocabulary,
        *,
        particles: int,
        per_prompt: bool = False,
        ess: float = 0.5,
        critic: Critic | None = None,
        step: Step = awrs,
        rng: np.random.Generator | None = None,
    ) -> None:
        if particles < 1:
            raise ConstrainError(f"particles={particles}: at least 1")
        Settings(1, ess, critic, step)  # what is wrong with them is said here
        self._checkers = list(checker) if per_prompt else None
        self._checker, self._vocabulary = checker, vocabulary
        self._particles, self._ess, self._critic, self._step, self._rng = particles, ess, critic, step, rng
        self.posteriors: list[Posterior] = []
        """One for each prompt of the latest call."""
        self.steps = 0
        """Calls of the model in it."""

    def __call__(
        self,
        model: Any,
        input_ids: torch.LongTensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> torch.LongTensor:
        """The loop. Returns the sequences of all particles, those of one prompt together: LongTensor[rows, length]."""
        if (generation_config.num_return_sequences or 1) > 1 or (generation_config.num_beams or 1) > 1:
            raise UnsupportedError(
                "SMCDecoding: every particle comes back; leave out num_return_sequences and num_beams"
            )
        populations = self._populations(len(input_ids), generation_config.max_length - input_ids.shape[1])
        logits, cache_name, model_kwargs, ids = _prefilled(
            model, input_ids, generation_config, model_kwargs, self._particles
        )
        self.steps = 1
        pad = int(generation_config._pad_token_tensor) if generation_config._pad_token_tensor is not None else 0
        while True:
            logp = log_softmax(logits_processor(ids, logits.to(torch.float32, copy=True)))
            moved = [one.advance(rows) for one, rows in zip(populations, np.split(logp, len(populations)))]
            tokens = [pad if token is None else token for drawn, _ in moved for token in drawn]
            ids = torch.cat([ids, torch.tensor(tokens, dtype=ids.dtype, device=ids.device)[:, None]], dim=-1)
            ancestors = np.concatenate([rows + i * self._particles for i, (_, rows) in enumerate(moved)])
            places = torch.from_numpy(ancestors).to(ids.device)
            ids = ids[places]
            if all(one.done for one in populations) or bool(stopping_criteria(ids, None).all()):
                break
            if (ancestors != np.arange(len(ancestors))).any():
                model_kwargs[cache_name] = _reordered(model, model_kwargs[cache_name], places)
            length = 1 if model_kwargs.get("use_cache") else None
            inputs = model.prepare_inputs_for_generation(ids, next_sequence_length=length, **model_kwargs)
            outputs = model(**inputs, return_dict=True)
            model_kwargs = _updated(model, outputs, model_kwargs)
            logits = outputs.logits[:, -1]
            self.steps += 1
        for population in populations:
            population.stop()
        self.posteriors = [population.result() for population in populations]
        return ids  # type: ignore[return-value]

    def _populations(self, prompts: int, budget: int) -> list[Population]:
        checkers = [self._checker] * prompts if self._checkers is None else self._checkers
        if len(checkers) != prompts:
            raise SpecTypeError(f"SMCDecoding: {len(checkers)} checkers for {prompts} prompts")
        settings = Settings(budget, self._ess, self._critic, self._step)
        rng = self._rng or generator()
        oracles = [Oracle(checker, self._vocabulary) for checker in checkers]
        return [Population(oracle, self._particles, settings, rng) for oracle in oracles]


def _prefilled(model: Any, input_ids: Any, generation_config: Any, model_kwargs: Any, share: int) -> tuple[Any, ...]:
    """The prompts read once, and everything as many times as there are particles."""
    from transformers.generation.utils import ALL_CACHE_NAMES

    if not model_kwargs.get("use_cache", True):
        raise UnsupportedError("SMCDecoding: particles share what the model has read; leave out use_cache=False")
    outputs = model._prefill(input_ids, generation_config, model_kwargs, is_first_iteration=True)
    model_kwargs = _updated(model, outputs, model_kwargs)
    name = next((name for name in ALL_CACHE_NAMES if model_kwargs.get(name) is not None), None)
    if name is None:
        raise UnsupportedError(f"SMCDecoding: {type(model).__name__} keeps no cache that could be reordered")
    rows = torch.arange(len(input_ids), device=input_ids.device).repeat_interleave(share)
    cache = _reordered(model, model_kwargs.pop(name), rows)
    ids, model_kwargs = model._expand_inputs_for_generation(
        expand_size=share, is_encoder_decoder=model.config.is_encoder_decoder, input_ids=input_ids, **model_kwargs
    )
    return outputs.logits[:, -1].repeat_interleave(share, 0), name, {**model_kwargs, name: cache}, ids


def _updated(model: Any, outputs: Any, model_kwargs: Any) -> dict[str, Any]:
    updated: dict[str, Any] = model._update_model_kwargs_for_generation(
        outputs, model_kwargs, is_encoder_decoder=model.config.is_encoder_decoder
    )
    return updated


def _reordered(model: Any, cache: Any, places: torch.Tensor) -> Any:
    """The cache with its rows taken from these places. (A few models have a way of their own.)"""
    if hasattr(model, "_reorder_cache"):
        return model._reorder_cache(cache, places)
    cache.reorder_cache(places)
    return cache
