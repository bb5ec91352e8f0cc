"""Beam search with constraints, for `model.generate(custom_generate=lexical_beam_search)` and for `generate`.

In:  what `generate` hands to a decoding loop, and constraints.
Out: sequences; with `return_dict_in_generate` their scores, beams, and whether each meets its constraint.

The search itself is `constrain.beam.search`; here are the model, its cache, and tensors. Without constraints tokens and
scores are those of the beam search of transformers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria
from transformers.generation.utils import (
    ALL_CACHE_NAMES,
    GenerateBeamDecoderOnlyOutput,
    GenerateBeamEncoderDecoderOutput,
)
from transformers.utils import ModelOutput

from constrain.automaton import TokenAutomaton
from constrain.beam.pool import Finished
from constrain.beam.search import Advice, BeamSettings, Sentence
from constrain.errors import SpecTypeError, UnsupportedError
from constrain.hf.batch import encode, is_json, one_each, pad_id, parsed
from constrain.hf.generated import Generation, vocabulary_of
from constrain.hf.legacy import read
from constrain.specs.base import Spec
from constrain.vocab.vocabulary import Vocabulary

Array: TypeAlias = "np.ndarray[Any, Any]"

_log = logging.getLogger("constrain")


@dataclass
class LexicalBeamDecoderOnlyOutput(GenerateBeamDecoderOnlyOutput):  # type: ignore[misc]
    """What transformers returns, and for each sequence whether it meets its constraint: BoolTensor[sequences]."""

    constraint_satisfied: torch.BoolTensor | None = None


@dataclass
class LexicalBeamEncoderDecoderOutput(GenerateBeamEncoderDecoderOutput):  # type: ignore[misc]
    """What transformers returns, and for each sequence whether it meets its constraint: BoolTensor[sequences]."""

    constraint_satisfied: torch.BoolTensor | None = None


def lexical_beam_search(
    model: Any,
    input_ids: torch.LongTensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    force_words_ids: Any = None,
    constraints: Any = None,
    vocabulary: Any = None,
    allocation: str = "shares",
    forced: int = 2,
    prune: float | None = None,
    **model_kwargs: Any,
) -> Any:
    """Beam search under constraints; pass it as `custom_generate=` to `model.generate`, with `num_beams`.

    `force_words_ids` is what transformers 4 took: lists of token ids, or lists of alternatives. `constraints` is a list
    of its objects or of strings, a constraint (`constrain.lexical(...)`, a pattern, a grammar, `&` of these), a
    `TokenAutomaton`, or a list with one constraint for each sentence. Text needs `vocabulary`: a tokenizer, or a
    `constrain.Vocabulary`. `allocation`, `forced` and `prune` are those of `BeamSettings`. The prompt does not count.

    If the phrases fit into the output one after the other, and nothing else forbids them, they are in it. Where a
    sentence cannot meet its constraint, the best there is comes back, `constraint_satisfied` is False, and the others
    are not touched. Raises UnsatisfiableError, VocabularyError, UnsupportedError, SpecTypeError before the search.

        model.generate(**inputs, custom_generate=lexical_beam_search, num_beams=5, force_words_ids=[[7, 8]])
    """
    if generation_config.do_sample:
        raise UnsupportedError("beam search with constraints does not sample; pass do_sample=False")
    beams = generation_config.num_beams
    count, length = len(input_ids) // beams, input_ids.shape[1]
    ends = generation_config._eos_token_tensor
    eos_ids = () if ends is None else tuple(sorted(ends.tolist()))
    width = model.config.get_text_config().vocab_size
    asked = read(force_words_ids, constraints, count, _vocabulary(model, vocabulary, eos_ids), (width, eos_ids))
    settings = BeamSettings(
        num_beams=beams,
        max_new_tokens=generation_config.max_length - length,
        length_penalty=generation_config.length_penalty,
        early_stopping=generation_config.early_stopping,
        allocation=allocation,
        forced=forced,
        prune=prune,
    )
    sentences = [Sentence(settings, eos_ids, one.tracker, one.automaton) for one in asked]
    loop = _Loop(model, sentences, generation_config, logits_processor, stopping_criteria)
    loop.run(input_ids, model_kwargs)
    return loop.output(input_ids[::beams])


class _Loop:
    """The model under the hypotheses of all sentences, each of which has the same number of rows."""

    def __init__(self, model: Any, sentences: list[Sentence], config: Any, processor: Any, criteria: Any) -> None:
        self._model, self._sentences, self._config, self._processor = model, sentences, config, processor
        own = (MaxLengthCriteria, EosTokenCriteria)  # the search sees to these itself
        self._criteria = [one for one in criteria if not isinstance(one, own)]
        self._width = max(sentence.width for sentence in sentences)
        self._kept: dict[str, list[Any]] = {}
        self._kwargs: dict[str, Any] = {}

    def run(self, ids: torch.LongTensor, kwargs: dict[str, Any]) -> None:
        """Search until nothing better can come."""
        model, encodes = self._model, self._model.config.is_encoder_decoder
        if self._width != self._config.num_beams:
            rows = np.repeat(np.arange(len(self._sentences)) * self._config.num_beams, self._width)
            kwargs = _taken(kwargs, torch.from_numpy(rows).to(ids.device), len(ids))
            ids = ids[rows]
        outputs = model._prefill(ids, self._config, kwargs)
        while True:
            kwargs = model._update_model_kwargs_for_generation(outputs, kwargs, is_encoder_decoder=encodes)
            ids, parents = self._step(ids, outputs)
            del outputs
            self._kwargs = kwargs
            if all(sentence.closed for sentence in self._sentences):
                return
            self._reorder(kwargs, parents)
            length = 1 if kwargs.get("use_cache") else None
            inputs = model.prepare_inputs_for_generation(ids, next_sequence_length=length, **kwargs)
            outputs = model(**inputs, return_dict=True)

    def _step(self, ids: torch.LongTensor, outputs: Any) -> tuple[torch.LongTensor, torch.Tensor]:
        """One step of all sentences: the rows that go on, and the rows that they come from."""
        logits = outputs.logits[:, -1].to(copy=True, dtype=torch.float32, device=ids.device)
        logs = self._processor(ids, torch.log_softmax(logits, dim=-1))
        open_ones = [(b, one) for b, one in enumerate(self._sentences) if not one.closed]
        advice = {b: sentence.advise() for b, sentence in open_ones}
        rows = {b: np.arange(sentence.live) + b * self._width for b, sentence in open_ones}
        forbid(logs, advice, rows)
        self._keep(outputs, logits, logs)
        best = top(logs, np.concatenate(list(rows.values())), max(sentence.keep for _, sentence in open_ones))
        places = [rows[b][advice[b].places[0]] for b, _ in open_ones]
        tokens = [advice[b].places[1] for b, _ in open_ones]
        more = picked(logs, np.concatenate(places), np.concatenate(tokens))
        parents = np.repeat(np.arange(len(self._sentences)) * self._width, self._width)
        chosen = np.full(len(parents), self._filler(), np.int64)
        at, begin = 0, 0
        for b, sentence in open_ones:
            end, to = at + sentence.live, begin + len(advice[b].phrases)
            stops = self._stops(ids, b * self._width) if self._criteria else None
            lists = (best[0][at:end], best[1][at:end], more[begin:to])
            before, after = sentence.step(advice[b], *lists, stops)
            first = b * self._width
            parents[first : first + len(before)] = before + b * self._width
            chosen[first : first + len(after)] = after
            at, begin = end, to
        origin = torch.from_numpy(parents).to(ids.device)
        following = torch.from_numpy(chosen).to(ids.device)
        return torch.cat([ids[origin], following[:, None]], dim=-1), origin  # type: ignore[return-value]

    def _stops(self, ids: torch.LongTensor, first: int) -> Callable[[Any, Any], Any]:
        """Asks the criteria of the caller about candidates of a sentence."""

        def stops(parents: Any, tokens: Any) -> Any:
            origin = torch.from_numpy(parents + first).to(ids.device)
            following = torch.from_numpy(np.ascontiguousarray(tokens)).to(ids.device)
            rows = torch.cat([ids[origin], following[:, None]], dim=-1)
            done = torch.zeros(len(rows), dtype=torch.bool, device=ids.device)
            for criterion in self._criteria if len(rows) else ():
                done = done | criterion(rows, None)
            return done.cpu().numpy()

        return stops

    def _reorder(self, kwargs: dict[str, Any], parents: torch.Tensor) -> None:
        """Move the rows of the cache, in place."""
        name = next((name for name in ALL_CACHE_NAMES if kwargs.get(name) is not None), None)
        if name is None:
            return
        if hasattr(self._model, "_reorder_cache"):
            kwargs[name] = self._model._reorder_cache(kwargs[name], parents)
        elif hasattr(kwargs[name], "reorder_cache"):
            kwargs[name].reorder_cache(parents)
        else:
            raise UnsupportedError(
                f"the cache of {type(self._model).__name__} cannot be reordered; pass use_cache=False"
            )

    def _keep(self, outputs: Any, logits: torch.Tensor, logs: torch.Tensor) -> None:
        """Note what the caller asked to see."""
        config, decoder = self._config, "decoder_" if self._model.config.is_encoder_decoder else ""
        if not config.return_dict_in_generate:
            return
        shown = {
            "scores": (config.output_scores, logs),
            "logits": (config.output_logits, logits),
            f"{decoder}attentions": (config.output_attentions, getattr(outputs, f"{decoder}attentions", None)),
            f"{decoder}hidden_states": (config.output_hidden_states, getattr(outputs, f"{decoder}hidden_states", None)),
        }
        if decoder:
            shown["cross_attentions"] = (config.output_attentions, getattr(outputs, "cross_attentions", None))
        for name, (wanted, value) in shown.items():
            if wanted:
                self._kept.setdefault(name, []).append(value.clone() if torch.is_tensor(value) else value)

    def _filler(self) -> int:
        """What stands behind the end of a sequence, as in transformers."""
        pad, ends = self._config._pad_token_tensor, self._config._eos_token_tensor
        if ends is None:
            return -1 if pad is None else int(pad)
        return int(pad) if pad is not None and int(pad) else int(ends[0])

    def output(self, prompts: torch.LongTensor) -> Any:
        """The best sequences of each sentence, as the caller asked for them."""
        share = self._config.num_return_sequences
        found = [_filled(one.pool.outputs, share, one.settings.max_new_tokens) for one in self._sentences]
        flat = [output for outputs in found for output in outputs]
        longest = max(output.length for output in flat)
        tokens = np.full((len(flat), longest), self._filler(), np.int64)
        beam_indices = np.full((len(flat), longest), -1, np.int32)
        for row, output in enumerate(flat):
            tokens[row, : output.length] = output.tokens[: output.length]
            beam_indices[row, : output.length] = output.history[: output.length] + (row // share) * self._width
        device = prompts.device
        sequences = torch.cat([prompts.repeat_interleave(share, 0), torch.from_numpy(tokens).to(device)], dim=-1)
        unmet = sum(not output.satisfied for output in flat)
        if not self._config.return_dict_in_generate:
            if unmet:
                _log.warning("%d of %d outputs of beam search do not meet their constraint", unmet, len(flat))
            return sequences
        kept = {name: tuple(values) for name, values in self._kept.items()}
        name = next((name for name in ALL_CACHE_NAMES if name in self._kwargs), None)
        kind: Any = LexicalBeamDecoderOnlyOutput
        if self._model.config.is_encoder_decoder:
            kind, encoder = LexicalBeamEncoderDecoderOutput, self._kwargs["encoder_outputs"]
            for part in ("attentions", "hidden_states"):
                if getattr(self._config, f"output_{part}"):
                    kept[f"encoder_{part}"] = encoder.get(part)
        return kind(
            sequences=sequences,
            sequences_scores=torch.tensor([output.score for output in flat], dtype=torch.float32, device=device),
            beam_indices=torch.from_numpy(beam_indices).to(device),
            past_key_values=self._kwargs.get(name) if name else None,
            constraint_satisfied=torch.tensor([output.satisfied for output in flat], device=device),
            **kept,
        )


def _filled(outputs: list[Finished], share: int, room: int) -> list[Finished]:
    """As many outputs as were asked for; empty ones where there are no more."""
    none = Finished((False, 0, -float("inf")), -float("inf"), 0, np.zeros(room, np.int64), np.zeros(room, np.int32))
    return [*outputs[:share], *[none] * (share - len(outputs))]


def _taken(kwargs: dict[str, Any], rows: torch.Tensor, count: int) -> dict[str, Any]:
    """What the model is told about its `count` rows, for other rows taken from these; the cache is empty still."""

    def taken(value: Any) -> Any:
        if torch.is_tensor(value) and value.ndim and len(value) == count:
            return value[rows]
        if isinstance(value, ModelOutput):
            return type(value)(**{name: taken(part) for name, part in value.items()})
        return value

    return {name: value if name in ALL_CACHE_NAMES else taken(value) for name, value in kwargs.items()}


def _vocabulary(model: Any, given: Any, eos_ids: tuple[int, ...]) -> Vocabulary | None:
    if given is None or isinstance(given, Vocabulary):
        return given
    if not hasattr(given, "get_vocab"):
        raise SpecTypeError(f"vocabulary is a tokenizer or a constrain.Vocabulary, not {type(given).__name__}")
    return vocabulary_of(model, given, eos_token_id=eos_ids or None)


# ---- tensors


def forbid(logs: torch.Tensor, advice: dict[int, Advice], rows: dict[int, Array]) -> None:
    """Write -inf where something may not come next, in place."""
    which, tokens = [], []
    for b, one in advice.items():
        for row, forbidden in zip(rows[b].tolist(), one.forbidden):
            which.append(np.full(len(forbidden), row))
            tokens.append(forbidden)
        if one.masks is not None:
            bits = np.unpackbits(one.masks.view(np.uint8), axis=1, count=None, bitorder="little")
            allowed = np.zeros((len(bits), logs.shape[-1]), np.bool_)
            allowed[:, : min(bits.shape[1], logs.shape[-1])] = bits[:, : logs.shape[-1]]
            place = slice(int(rows[b][0]), int(rows[b][-1]) + 1)
            logs[place].masked_fill_(~torch.from_numpy(allowed).to(logs.device), -torch.inf)
    flat = [torch.from_numpy(np.concatenate(part)).to(logs.device) for part in (which, tokens)]
    if len(flat[0]):
        logs[flat[0], flat[1]] = -torch.inf


def top(logs: torch.Tensor, rows: Array, keep: int) -> tuple[Any, Any]:
    """The best tokens of some rows, best first: int64[rows, keep] and their log-probabilities."""
    chosen = logs if len(rows) == len(logs) else logs[torch.from_numpy(rows).to(logs.device)]
    values, ids = chosen.topk(min(keep, logs.shape[-1]), dim=-1)
    return ids.cpu().numpy(), values.cpu().numpy()


def picked(logs: torch.Tensor, rows: Array, tokens: Array) -> Any:
    """The log-probabilities at some places: float32[n]."""
    where = [torch.from_numpy(part).to(logs.device) for part in (rows, tokens)]
    return logs[where[0], where[1]].cpu().numpy()


# ---- text


def generate_with_beams(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    spec: Spec | TokenAutomaton | Sequence[Spec | TokenAutomaton],
    max_new_tokens: int,
    **options: Any,
) -> list[Generation]:
    """`constrain.hf.generate(sampler="beam")`: one text for each prompt, or `num_return_sequences` of them."""
    if not texts:
        return []
    vocabulary = vocabulary_of(model, tokenizer, eos_token_id=options.get("eos_token_id"))
    specs = one_each(spec, len(texts))
    options = {"num_beams": 5, "do_sample": False, "pad_token_id": pad_id(model, tokenizer)} | options
    inputs = encode(model, tokenizer, texts, options["pad_token_id"] or 0)
    begin = time.perf_counter()
    output = model.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        custom_generate=lexical_beam_search,
        constraints=specs,
        vocabulary=vocabulary,
        return_dict_in_generate=True,
        **options,
    )
    stats = {"seconds": time.perf_counter() - begin}
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    rows = zip(output.sequences[:, start:].tolist(), output.beam_indices, output.sequences_scores.tolist())
    share = len(output.sequences) // len(texts)
    return [
        _generation(
            specs[i // share], tokenizer, vocabulary, row[: int((beams >= 0).sum())], met, stats | {"score": score}
        )
        for i, ((row, beams, score), met) in enumerate(zip(rows, output.constraint_satisfied.tolist()))
    ]


def _generation(
    spec: Spec | TokenAutomaton,
    tokenizer: Any,
    vocabulary: Vocabulary,
    ids: list[int],
    met: bool,
    stats: dict[str, float],
) -> Generation:
    ended = bool(ids) and ids[-1] in vocabulary.eos_ids
    tokens = ids[:-1] if ended else ids
    text = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    reason = "length" if not met else "complete" if ended else "closed"
    plain = spec.spec if isinstance(spec, TokenAutomaton) else spec
    return Generation(text, reason, tuple(tokens), parsed(text) if met and is_json(plain) else None, stats)
