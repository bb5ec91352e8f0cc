"""What all ways to generate share: prompts as a batch, a constraint for each, and the values that texts stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch

from constrain.errors import SpecTypeError
from constrain.specs.base import Conjunction
from constrain.specs.schema import JsonSchema


def one_each(given: Any, count: int) -> list[Any]:
    """A constraint for each of some prompts. Raises SpecTypeError if a list has another length."""
    each = list(given) if isinstance(given, list | tuple) else [given] * count
    if len(each) != count:
        raise SpecTypeError(f"generate: {len(each)} constraints for {count} prompts; pass one, or one for each")
    return each


def encode(model: Any, tokenizer: Any, texts: Sequence[str], pad: int) -> dict[str, torch.Tensor]:
    """The prompts as a batch. A decoder continues what is at the right end, so it is padded on the left."""
    begins = (tokenizer.bos_token_id, tokenizer.eos_token_id, pad)
    begin = next(token for token in begins if token is not None)
    rows = [row or [begin] for row in tokenizer(list(texts))["input_ids"]]  # a model continues at least one token
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    attention = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(len(row)) if model.config.is_encoder_decoder else slice(width - len(row), width)
        ids[i, place] = torch.tensor(row, dtype=ids.dtype)
        attention[i, place] = 1
    return {"input_ids": ids.to(model.device), "attention_mask": attention.to(model.device)}


def pad_id(model: Any, tokenizer: Any) -> int | None:
    """A padding id; any will do, because it comes after the end. None if there is none at all."""
    for candidate in (model.generation_config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id):
        if candidate is not None:
            return int(candidate)
    return None


def is_json(spec: Any) -> bool:
    """Whether a constraint is a schema, perhaps beside others."""
    return isinstance(spec, JsonSchema) or (isinstance(spec, Conjunction) and any(map(is_json, spec.parts)))


def parsed(text: str) -> Any:
    """The value of a JSON text; None if it has numbers or a nesting that Python does not read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
