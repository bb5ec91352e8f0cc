"""Prompts of our own: worked examples and a request, as a conversation or as plain text."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.jsonschemabench.models import Loaded, Unavailable

Turn = tuple[str, str]
"""What is asked, and what is answered."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as a model reads it."""

    ids: list[int]
    text: str
    shots: int
    """Examples that fitted."""
    cut: int = 0
    """Tokens that were cut off at its beginning."""


@dataclass(frozen=True)
class Style:
    """How plain text marks who speaks; `stop` is what a model without end would go on with."""

    ask: str
    answer: str

    @property
    def stop(self) -> str:
        """What comes before the next request."""
        return f"\n\n{self.ask}"


def fit(loaded: Loaded, direction: str, turns: Sequence[Turn], request: str, style: Style, room: int) -> Prompt:
    """A prompt of which at least `room` tokens of the model's context are left.

    Examples are left out one by one until it fits; if it does not fit without any, its beginning is cut off, for all
    engines alike. Raises Unavailable if the context is too small for any prompt.
    """
    most = None if loaded.context is None else loaded.context - room
    if most is not None and most < 1:
        raise Unavailable(f"{loaded.name} reads {loaded.context} tokens; ask for fewer than {room} new ones")
    for shots in range(len(turns), -1, -1):
        text = rendered(loaded, direction, turns[:shots], request, style)
        ids = loaded.encode(text, rendered=loaded.is_chat)
        if most is None or len(ids) <= most:
            return Prompt(ids, text, shots)
    assert most is not None
    return Prompt(ids[-most:], text, 0, len(ids) - most)


def rendered(loaded: Loaded, direction: str, turns: Sequence[Turn], request: str, style: Style) -> str:
    """The text of a prompt. The direction stands in the first request, because not every template has a system role."""
    if loaded.is_chat:
        messages = [
            {"role": role, "content": content}
            for turn in (*turns, (request, ""))
            for role, content in zip(("user", "assistant"), turn)
        ][:-1]
        messages[0]["content"] = f"{direction}\n\n{messages[0]['content']}"
        text: str = loaded.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text
    parts = [f"{style.ask} {asked}\n{style.answer}\n{answered}" for asked, answered in turns]
    return "\n\n".join([direction, *parts, f"{style.ask} {request}\n{style.answer}\n"])


# Instances of schemas

SCHEMA_STYLE = Style("Schema:", "JSON:")
SCHEMA_DIRECTION = (
    "For each JSON Schema, write one JSON value that is valid under it and looks like real data. "
    "Write the JSON alone: no explanation, no code fence."
)
EXAMPLES: tuple[tuple[dict[str, Any], Any], ...] = (
    (
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "population": {"type": "integer", "minimum": 0}},
            "required": ["city", "population"],
        },
        {"city": "Uppsala", "population": 177074},
    ),
    (
        {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 2, "uniqueItems": True},
        ["green", "red"],
    ),
    (
        {
            "type": "object",
            "properties": {
                "order": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
                "paid": {"type": "boolean"},
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "price": {"type": "number", "exclusiveMinimum": 0}},
                        "required": ["name", "price"],
                        "additionalProperties": False,
                    },
                },
            },
            "required": ["order", "items"],
            "additionalProperties": False,
        },
        {"order": "SE-2041", "paid": True, "items": [{"name": "kettle", "price": 34.5}, {"name": "cup", "price": 6}]},
    ),
    (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": {"point": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}},
            "type": "object",
            "properties": {"from": {"$ref": "#/definitions/point"}, "to": {"$ref": "#/definitions/point"}},
            "required": ["from", "to"],
        },
        {"from": [59.86, 17.64], "to": [59.33, 18.07]},
    ),
    (
        {
            "oneOf": [
                {"type": "object", "properties": {"mail": {"type": "string", "format": "email"}}, "required": ["mail"]},
                {"type": "object", "properties": {"phone": {"type": "string"}}, "required": ["phone"]},
            ]
        },
        {"mail": "nora.berg@example.com"},
    ),
    (
        {"type": "object", "additionalProperties": {"type": "integer", "maximum": 5}, "minProperties": 1},
        {"service": 4, "room": 5},
    ),
)


def schema_prompt(loaded: Loaded, schema: Any, shots: int, seed: int, room: int) -> Prompt:
    """Examples drawn with the seed, the same ones for every schema, and a schema."""
    drawn = random.Random(seed).sample(EXAMPLES, shots)
    turns = [(json.dumps(one), json.dumps(instance)) for one, instance in drawn]
    asked = json.dumps(schema, ensure_ascii=False)
    if loaded.is_chat:
        turns = [(f"{SCHEMA_STYLE.ask} {one}", instance) for one, instance in turns]
        asked = f"{SCHEMA_STYLE.ask} {asked}"
    return fit(loaded, SCHEMA_DIRECTION, turns, asked, SCHEMA_STYLE, room)


def problem_with_shots(shots: int) -> str:
    """Why there cannot be so many examples, or nothing.

    >>> problem_with_shots(2), problem_with_shots(99)
    ('', 'there are 6 worked examples, not 99')
    """
    return "" if 0 <= shots <= len(EXAMPLES) else f"there are {len(EXAMPLES)} worked examples, not {shots}"
