"""Objects out of a language model: a pydantic model is the constraint, and what comes back is an instance of it."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field

import constrain
from constrain.demo import load_model
from constrain.hf import generate


class Genre(Enum):
    CRIME = "crime"
    POETRY = "poetry"
    TRAVEL = "travel"


class Copy(BaseModel):
    model_config = ConfigDict(extra="forbid")  # additionalProperties: false

    shelf: Annotated[str, Field(pattern="^[A-Z][0-9]{2}$")]
    bought: date


class Book(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=40)]
    year: Annotated[int, Field(ge=1450, lt=2030)]
    genre: Genre
    copies: Annotated[list[Copy], Field(min_length=1, max_length=2)]


def main() -> None:
    model, tokenizer = load_model()  # or AutoModelForCausalLM and AutoTokenizer, of any model
    torch.manual_seed(0)
    spec = constrain.json_schema(Book, whitespace="compact")
    prompt = "Text: The Silent River by Ruth Kowalski was published in 1978.\nJSON: "
    # Also when sampled by a small model: outputs are steered to their end within max_new_tokens.
    for result in generate(model, tokenizer, prompt, spec, do_sample=True, num_return_sequences=2, max_new_tokens=120):
        print(f"{result.finish_reason}: {Book.model_validate(result.parsed)!r}")


if __name__ == "__main__":
    main()
