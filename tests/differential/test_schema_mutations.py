"""Real schemas in which something has been changed: each is accepted, or refused with an error of this package.

What is understood as rows is well-formed, and whether it has values the algebra says, too.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import constrain
from constrain.errors import ConstrainError, LimitExceeded
from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.drafts import DRAFTS
from constrain.specs.json_schema.keywords import KEYWORDS
from constrain.specs.json_schema.rows import read_rows

DATA = Path(os.environ.get("CONSTRAIN_DATA", "../shared")) / "jsonschemabench" / "dev.jsonl.gz"
LIMITS = constrain.Limits()
VALUES: list[Any] = [None, True, False, 0, 1, -1, 1.5, "", "a", "string", "object", "#", "#/definitions/a", "^a", "("]
VALUES += [[], {}, [1], ["a"], {"type": "null"}, [{"type": "string"}], {"a": {}}, 10**30]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All places in a value."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from paths(part, (*path, step))


def mutated(rng: random.Random, schema: Any) -> Any:
    """A schema with one value replaced, moved to another keyword, given a keyword, or dropped."""
    schema = copy.deepcopy(schema)
    *way, last = rng.choice(list(paths(schema))) or (None,)
    holder = schema
    for step in way:
        holder = holder[step]
    if last is None:
        if isinstance(schema, dict):
            schema[rng.choice(KEYWORDS)] = copy.deepcopy(rng.choice(VALUES))
        return schema
    kind = rng.choice(["replace", "replace", "rename", "extend", "drop"])
    if kind == "rename" and isinstance(holder, dict):
        holder[rng.choice(KEYWORDS)] = holder.pop(last)
    elif kind == "extend" and isinstance(holder[last], dict):
        holder[last][rng.choice(KEYWORDS)] = copy.deepcopy(rng.choice(VALUES))
    elif kind == "drop":
        holder.pop(last)
    else:
        holder[last] = copy.deepcopy(rng.choice(VALUES))
    return schema


def outcome(lower: Any) -> str:
    """What becomes of lowering a schema."""
    try:
        lower(LIMITS)
    except LimitExceeded:
        return "limit"
    except ConstrainError as error:
        return type(error).__name__
    return "lowered"


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="no data under CONSTRAIN_DATA")
@pytest.mark.parametrize("seed", range(4))
def test_mutated_schemas(seed: int) -> None:
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        schemas = [json.loads(line)["schema"] for line in file]
    rng = random.Random(seed)
    schemas = [schema for schema in schemas if len(json.dumps(schema)) < 1500]
    for _ in range(3000):
        schema, draft = rng.choice(schemas), rng.choice(list(DRAFTS))
        for _ in range(rng.randint(1, 3)):
            schema = mutated(rng, schema)
        rows = read_rows(json.dumps(schema, ensure_ascii=False), DRAFTS[draft])
        if rows is not None:
            document = Document(schema, DRAFTS[draft], None)
            document.syntax.check(document.root)
        try:
            spec = constrain.json_schema(schema, draft=draft)
        except ConstrainError:
            assert rows is None, schema
            continue
        found = outcome(spec.lower)
        if rows is not None and rng.random() < 0.2:
            expected = outcome(spec.lower_by_algebra)
            assert "limit" in (found, expected) or found == expected, schema
