"""Language models of a few tokens, and all of their outputs: what a search is measured against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from constrain.beam.pool import Finished
from constrain.beam.search import Sentence

Logs = npt.NDArray[np.float32]
Prefix = tuple[int, ...]


class ToyModel:
    """Log-probabilities of the next token, drawn for each prefix from its hash."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self._seed = size, seed
        self._known: dict[Prefix, Logs] = {}

    def logs(self, prefix: Prefix) -> Logs:
        """float32[size]."""
        if prefix not in self._known:
            logits = np.random.default_rng([self._seed, 7, *prefix]).normal(size=self.size) * 2
            self._known[prefix] = (logits - np.log(np.exp(logits).sum())).astype(np.float32)
        return self._known[prefix]

    def score(self, tokens: Prefix) -> float:
        """The sum over a sequence."""
        return sum((float(self.logs(tokens[:i])[token]) for i, token in enumerate(tokens)), 0.0)


def all_outputs(size: int, eos: int, length: int) -> Iterator[Prefix]:
    """Everything that ends with `eos`, or has `length` tokens without it."""
    others = [token for token in range(size) if token != eos]
    for n in range(length):
        for tokens in product(others, repeat=n):
            yield (*tokens, eos)
    yield from product(others, repeat=length)


def best_output(
    model: ToyModel, eos: int, length: int, penalty: float, meets: Callable[[Prefix], bool]
) -> tuple[float, Prefix] | None:
    """The best of all outputs that meet a constraint, by the score of beam search."""
    found = [
        (model.score(tokens) / len(tokens) ** penalty, tokens)
        for tokens in all_outputs(model.size, eos, length)
        if meets(tuple(token for token in tokens if token != eos))
    ]
    return max(found, default=None)


def run(sentence: Sentence, model: ToyModel) -> list[Finished]:
    """The outputs that a search finds with a model."""
    prefixes: list[Prefix] = [()]
    while not sentence.closed:
        advice = sentence.advise()
        logs = np.stack([model.logs(prefix) for prefix in prefixes])
        for row, forbidden in zip(logs, advice.forbidden):
            row[forbidden] = -np.inf
        if advice.masks is not None:
            bits = np.unpackbits(advice.masks.view(np.uint8), axis=1, bitorder="little")[:, : model.size]
            logs[bits == 0] = -np.inf
        ids = np.argsort(-logs, axis=1, kind="stable")[:, : sentence.keep].copy()
        best = np.take_along_axis(logs, ids, axis=1)
        parents, tokens = sentence.step(advice, ids, best, logs[advice.places[0], advice.places[1]])
        prefixes = [(*prefixes[b], t) for b, t in zip(parents.tolist(), tokens.tolist())]
    return sentence.pool.outputs


def tokens_of(output: Finished, eos: int) -> Prefix:
    """Without the end."""
    tokens = tuple(output.tokens[: output.length].tolist())
    return tokens[:-1] if tokens and tokens[-1] == eos else tokens
