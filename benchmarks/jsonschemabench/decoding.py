"""One loop for all engines: the model reads what is new into its KV cache, a mask is applied, a token is chosen.

Clocks start before the prompt is read, and every choice waits for the device, so that times are what a user waits. The
end token is no part of the text: it is not counted, and not asked for where nothing but the end is allowed.
"""

from __future__ import annotations

import inspect
import zlib
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.jsonschemabench.guides import Guide, Stuck
from benchmarks.jsonschemabench.models import Loaded

TAIL = 24
"""Tokens in which a stop text is looked for: it is shorter."""


@dataclass(frozen=True)
class Plan:
    """How to decode."""

    max_new_tokens: int
    temperature: float = 0.0
    """0 takes the likeliest token."""
    seed: str = "0"
    """Of the draws, if there are any."""
    stops: tuple[str, ...] = ()
    """Texts that end the output, for models that nothing else ends; they are cut off."""


@dataclass
class Decoded:
    """What was written; durations in seconds, from the start of decoding."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: str = "length"
    """"complete": the model or the constraint ended it; "closed": it was ended, or may end, where the budget ran out;
    "stop": by the stop text; "length": the budget cut it; "stuck": the engine had nothing more."""
    trouble: str = ""
    """What the engine said where it was stuck."""
    forced: int = 0
    calls: int = 0
    """Of the model."""
    first_s: float = 0.0
    """To the first token; 0 if there is none."""
    last_s: float = 0.0
    """To the last token."""
    total_s: float = 0.0


def decode(loaded: Loaded, prompt: list[int], guide: Guide, plan: Plan) -> Decoded:
    """Write at most `plan.max_new_tokens` tokens after a prompt."""
    import torch

    begin, result = perf_counter(), Decoded()
    with torch.inference_mode():
        try:
            _write(loaded, prompt, guide, plan, result, begin)
        except Stuck as error:
            result.finish_reason, result.trouble = "stuck", str(error)
    result.total_s = perf_counter() - begin
    result.forced = guide.forced
    result.text = loaded.decode(result.tokens)
    if result.finish_reason == "stop":
        result.text = min((result.text.partition(stop)[0] for stop in plan.stops), key=len)
    return result


def _write(loaded: Loaded, prompt: list[int], guide: Guide, plan: Plan, result: Decoded, begin: float) -> None:
    reader, chooser = Reader(loaded.model), Chooser(loaded, plan)
    new = prompt
    while len(result.tokens) < plan.max_new_tokens:
        mask = guide.mask()
        if guide.standing(mask) == "complete":
            result.finish_reason = "complete"
            return
        token = chooser.choose(reader.read(new), mask)
        result.calls = reader.calls
        if token in loaded.eos_ids:
            result.finish_reason = "complete"
            return
        new = guide.take(token, plan.max_new_tokens - len(result.tokens))
        result.tokens += new
        result.last_s = perf_counter() - begin
        result.first_s = result.first_s or result.last_s
        if guide.closed:
            result.finish_reason = "closed"
            return
        if plan.stops and _has(loaded.decode(result.tokens[-TAIL - len(new) :]), plan.stops):
            result.finish_reason = "stop"
            return
    standing = guide.standing(guide.mask())
    result.finish_reason = {"complete": "complete", "done": "closed", "open": "length"}[standing]


def _has(text: str, stops: tuple[str, ...]) -> bool:
    return any(stop in text for stop in stops)


class Reader:
    """Calls a model with the tokens that it has not read yet.

    Models with a state that is no cache of keys and values read everything again at each step: slow, but right.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._cache = model, None
        self._cached = not getattr(model, "_is_stateful", False)
        self._all: list[int] = []
        knows = inspect.signature(model.forward).parameters
        self._options: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in knows else {}
        self.calls = 0

    def read(self, new: list[int]) -> Any:
        """The logits after the new tokens, which come after all those before: float32[width], on the device."""
        import torch

        self._all += new
        ids = torch.tensor([new if self._cached else self._all], device=self._model.device)
        cache = {"past_key_values": self._cache} if self._cached else {}
        out = self._model(input_ids=ids, use_cache=self._cached, return_dict=True, **cache, **self._options)
        self._cache = getattr(out, "past_key_values", None) if self._cached else None
        self._cached = self._cache is not None
        self.calls += 1
        return out.logits[0, -1].to(torch.float32)


class Chooser:
    """Takes the likeliest of the allowed tokens, or draws one."""

    def __init__(self, loaded: Loaded, plan: Plan) -> None:
        import torch

        device = loaded.model.device
        self._temperature, self._shifts = plan.temperature, torch.arange(32, dtype=torch.int32, device=device)
        self._draws = torch.Generator(device).manual_seed(zlib.crc32(plan.seed.encode()))

    def choose(self, scores: Any, mask: NDArray[np.int32] | None) -> int:
        """One token; waits for the device."""
        import torch

        if mask is not None:
            scores = self._restricted(scores, mask)
        if self._temperature == 0:
            return int(torch.argmax(scores))
        chances = torch.softmax(scores / self._temperature, dim=-1)
        return int(torch.multinomial(chances, 1, generator=self._draws))

    def _restricted(self, scores: Any, mask: NDArray[np.int32]) -> Any:
        """The scores, with -inf where the mask has no bit. The mask travels packed."""
        import torch

        packed = torch.from_numpy(mask).to(scores.device)
        bits = ((packed.unsqueeze(-1) >> self._shifts) & 1).flatten()[: len(scores)]
        bits = torch.nn.functional.pad(bits, (0, len(scores) - len(bits)))  # logits can be wider than a vocabulary
        return scores.masked_fill(bits == 0, -torch.inf)
