"""Where the masks of two engines differ, at a sample of states, special tokens left out; nothing is timed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.patterns import Pattern
from benchmarks.peers import Engine

COMPARED_STATES = 8
"""Masks compared for each text; spread evenly over its tokens."""


def compare_all(
    left: Engine, right: Engine, texts: Iterable[tuple[Pattern, Sequence[Sequence[int]]]], tokenizer: Any
) -> dict[str, Any]:
    """Where the masks of two engines differ, on patterns with the tokens of their texts; the causes are for a human."""
    special = np.array(sorted({*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}), np.int64)
    total: dict[str, Any] = {"engines": [left.name, right.name], "states": 0, "differing": 0, "forced": 0}
    total["patterns"] = {}
    for pattern, tokenised in texts:
        found = [compare(left, right, pattern.pattern, tokens, special) for tokens in tokenised]
        total["states"] += sum(len(states) for states in found)
        differing = [state for states in found for state in states if state.only_left.size or state.only_right.size]
        total["differing"] += len(differing)
        total["forced"] += sum(state.forced for state in differing)
        if differing:
            total["patterns"][pattern.name] = difference(differing, tokenizer)
    return total


@dataclass(frozen=True)
class State:
    """Two masks at one state: the ids that only one of them has, and whether one has but a single token."""

    only_left: NDArray[Any]
    only_right: NDArray[Any]
    forced: bool


def compare(left: Engine, right: Engine, pattern: str, tokens: Sequence[int], special: NDArray[Any]) -> list[State]:
    """The masks of two engines at some states of one text, the first and the last among them."""
    sampled = set(np.linspace(0, len(tokens), COMPARED_STATES).round().astype(int).tolist())
    matchers = left.compile(pattern), right.compile(pattern)
    states: list[State] = []
    for step in range(len(tokens) + 1):
        if step in sampled:
            left.fill(matchers[0])
            right.fill(matchers[1])
            states.append(compare_masks(left.allowed(), right.allowed(), special))
        if step < len(tokens):
            left.commit(matchers[0], tokens[step])
            right.commit(matchers[1], tokens[step])
    return states


def compare_masks(left: NDArray[np.bool_], right: NDArray[np.bool_], special: NDArray[Any]) -> State:
    """Two masks as far as both reach, special tokens left out."""
    size = min(left.size, right.size)
    left, right = left[:size].copy(), right[:size].copy()
    ignored = special[special < size]
    left[ignored] = right[ignored] = False
    forced = min(int(left.sum()), int(right.sum())) == 1
    return State(np.flatnonzero(left & ~right), np.flatnonzero(right & ~left), forced)


def difference(states: Sequence[State], tokenizer: Any) -> dict[str, Any]:
    """In how many states and tokens the masks of one pattern differ, with the spellings of a few.

    `forced` counts states where one engine allows a single token: llguidance does so where the next bytes are forced,
    and then allows only the tokens that the tokenizer itself would choose for them.
    """
    sides = {
        "only_left": np.unique(np.concatenate([state.only_left for state in states])),
        "only_right": np.unique(np.concatenate([state.only_right for state in states])),
    }
    shown = {f"{side}_examples": tokenizer.convert_ids_to_tokens(some[:6].tolist()) for side, some in sides.items()}
    counts = {"states": len(states), "forced": sum(state.forced for state in states)}
    return counts | {side: int(some.size) for side, some in sides.items()} | shown
