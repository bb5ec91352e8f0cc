"""Outputs that have ended, the best first: what meets the constraint before what does not, then by score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Finished(NamedTuple):
    """An output."""

    order: tuple[bool, int, float]
    """Whether it meets the constraint; minus the tokens that it lacks; its score, normalised by length."""
    raw: float
    """The sum of its log-probabilities."""
    length: int
    tokens: npt.NDArray[np.int64]
    history: npt.NDArray[np.int32]
    """The rows of the model that each token came from."""

    @property
    def satisfied(self) -> bool:
        """Whether it meets the constraint."""
        return self.order[0]

    @property
    def score(self) -> float:
        """Its score, normalised by length."""
        return self.order[2]


class Pool:
    """The best outputs so far.

    >>> pool = Pool(1)
    >>> pool.add((False, -2, -1.0), -1.0, 1, np.zeros(1, np.int64), np.zeros(1, np.int32))
    >>> pool.add((True, 0, -9.0), -9.0, 1, np.zeros(1, np.int64), np.zeros(1, np.int32))
    >>> pool.outputs[0].score, pool.is_full
    (-9.0, True)
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self.outputs: list[Finished] = []

    @property
    def is_full(self) -> bool:
        """Whether there are as many outputs that meet the constraint as there are places."""
        return len(self.outputs) == self._places and self.outputs[-1].satisfied

    @property
    def worst(self) -> float:
        """The score of the last output."""
        return self.outputs[-1].score

    @property
    def best_raw(self) -> float | None:
        """The best sum of log-probabilities of an output that meets the constraint."""
        return max((one.raw for one in self.outputs if one.satisfied), default=None)

    def add(
        self,
        order: tuple[bool, int, float],
        raw: float,
        length: int,
        tokens: npt.NDArray[np.int64],
        history: npt.NDArray[np.int32],
    ) -> None:
        """Take an output in, if it is good enough."""
        place = next((i for i, other in enumerate(self.outputs) if other.order < order), len(self.outputs))
        self.outputs.insert(place, Finished(order, raw, length, tokens, history))
        del self.outputs[self._places :]
