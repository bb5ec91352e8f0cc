"""JSON by a schema, which a mask enforces, and by a condition in Python, which is asked about proposed tokens only."""

from __future__ import annotations

from typing import Any

import torch

import constrain
from constrain.demo import load_model
from constrain.hf import generate
from constrain.sampling import Json, Product

SCHEMA = {
    "type": "object",
    "properties": {"room": {"type": "integer", "minimum": 1}, "floor": {"type": "integer", "minimum": 0}},
    "required": ["room", "floor"],
    "additionalProperties": False,
}


def is_consistent(value: Any) -> bool:
    """Room 305 is on floor 3."""
    return bool(value["room"] // 100 == value["floor"])


def main() -> None:
    model, tokenizer = load_model()
    torch.manual_seed(2)
    checker = Product([constrain.json_schema(SCHEMA, whitespace="compact"), Json(is_consistent)])
    prompt = "The meeting is in room 305. As JSON: "
    (result,) = generate(model, tokenizer, prompt, checker, sampler="smc", particles=64, max_new_tokens=24)
    print(f"{result.finish_reason}: {result.parsed}")
    assert result.posterior is not None
    for answer in result.posterior.answers[:3]:
        print(f"{answer.probability:.3f} {answer.text}")
    print(f"{result.posterior.evaluations} tokens asked about, of {64 * int(result.stats['steps'])} drawn")


if __name__ == "__main__":
    main()
