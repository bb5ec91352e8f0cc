"""Tokens one by one, without replacement, and the mass that is left.

In:  log-masses of a vocabulary, a generator of random numbers.
Out: tokens in a random order: each in proportion to its mass among those that did not come before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from constrain.errors import ConstrainError, SpecTypeError
from constrain.kernels.draw import BLOCK, Leaders, RaceTables, add_up, fill_keys, lead, take_out

Floats = npt.NDArray[np.float64]

_LEADERS = 32
"""Tokens put in order at first; more are seldom drawn. All others are sorted when they run out."""
_LOW = 1e-200
"""Relative mass below which what is left is weighed anew, before it underflows."""


class Order:
    """A random order of the tokens that have mass.

    >>> order = Order(np.array([-1.0, -1.0, -math.inf]), np.random.default_rng(0))
    >>> sorted([order.draw(), order.draw()]), order.draw()
    ([0, 1], None)
    """

    def __init__(self, logp: Floats, rng: np.random.Generator) -> None:
        """`logp`: float64[V], logarithms of masses that need not sum to 1. Raises ConstrainError for NaN or +inf."""
        with np.errstate(invalid="ignore"):
            if not logp.sum() < np.inf:
                raise not_numbers(logp)
        self._logp = logp
        running = logp > -np.inf
        count = int(np.count_nonzero(running))
        self._tokens = np.flatnonzero(running) if 2 * count < len(logp) else None  # what is pruned costs no noise
        own = logp if self._tokens is None else logp[self._tokens]
        blocks = -(-len(own) // BLOCK)
        self._race = RaceTables(own, rng.random(len(own)), np.empty(len(own)), np.empty(blocks))
        self._taken: list[int] = []
        self._weigh()
        leaders = Leaders(np.empty(_LEADERS), np.empty(_LEADERS, np.int64))
        self._queue = leaders.token[: lead(self._race, leaders, self._top)][::-1].tolist()
        self._sorted = count <= _LEADERS

    log_mass: float
    """Log of the mass of all tokens not drawn yet; -inf if there are none."""

    def draw(self) -> int | None:
        """The next token; None if all were drawn."""
        if not self._queue and not self._sorted:
            self._queue, self._sorted = self._rest(), True
        if not self._queue:
            return None
        place = self._queue.pop()
        self._taken.append(place)
        mass = take_out(self._race, place)
        if mass > _LOW:
            self.log_mass = self._top + math.log(mass)
        else:
            self._weigh()
        return place if self._tokens is None else int(self._tokens[place])

    def logp(self, token: int) -> float:
        """The log-mass of a token, drawn or not."""
        return float(self._logp[token])

    def _rest(self) -> list[int]:
        """All places after the leaders, the next one last."""
        keys = np.empty_like(self._race.logp)
        fill_keys(self._race, keys)
        count = int(np.count_nonzero(keys > -np.inf))
        places: list[int] = np.argsort(-keys, kind="stable")[_LEADERS:count][::-1].tolist()
        return places

    def _weigh(self) -> None:
        """Weigh what is left relative to its largest. (numpy's exp takes a fifth of the time of one in a kernel.)"""
        race, taken = self._race, self._taken
        logp = race.logp
        if taken:
            logp = logp.copy()
            logp[taken] = -np.inf
        self._top = float(logp.max(initial=-np.inf))
        self.log_mass = -math.inf
        if self._top > -math.inf:
            np.exp(np.subtract(logp, self._top, out=race.mass), out=race.mass)
            self.log_mass = self._top + math.log(add_up(race))


def as_log_masses(logp: Any) -> Floats:
    """An array of log-masses as float64. Raises SpecTypeError if it is none."""
    array = np.asarray(logp)
    if array.ndim != 1 or array.dtype.kind != "f":
        raise SpecTypeError(f"logp is a vector of floats, not {array.dtype} of shape {array.shape}")
    return np.require(array, np.float64, ("C", "A", "W"))  # one flavour, so that the kernels compile once


def not_numbers(logp: Floats) -> ConstrainError:
    bad = np.flatnonzero(~(logp < np.inf))
    return ConstrainError(
        f"logp is {logp[bad[0]]} for token {bad[0]} ({len(bad)} such values), which is no distribution; what the model "
        "computes is broken, or what a processor makes of it"
    )
