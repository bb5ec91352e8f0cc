"""Drawing tokens without replacement: an exponential race, of which only the leaders are put in order.

In:  log-masses of tokens, and a uniform number for each.
Out: the tokens in decreasing order of their Gumbel keys, logp - log(-log(1 - u)); the mass of what is left.

Visiting tokens by decreasing key is drawing without replacement, each in proportion to its mass among those not drawn
before (Gumbel-max; Vieira 2014, Kool et al. 2019). The masses are summed in blocks, so that the mass of what is left is
a sum after each token, and never a difference, which would cancel once most of it is gone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from constrain.jit import helper, kernel

BLOCK = 256
"""Tokens whose masses are summed together: about the root of a large vocabulary."""
LEAST = 2.0**-54
"""What a noise of 0 stands for: half of the next number."""


class RaceTables(NamedTuple):
    """The tokens of one race."""

    logp: np.ndarray  # float64[V]  log-masses; -inf for a token that does not run
    noise: np.ndarray  # float64[V]  uniform in [0, 1)
    mass: np.ndarray  # float64[V]  exp(logp - top) for a `top` that the caller chooses; 0 once taken out
    sums: np.ndarray  # float64[ceil(V / BLOCK)]  masses of the blocks


class Leaders(NamedTuple):
    """The best tokens, in decreasing order of their keys."""

    key: np.ndarray  # float64[B]
    token: np.ndarray  # int64[B]


@helper
def _key_of(logp, noise):
    return logp - math.log(-math.log1p(-max(noise, LEAST)))


@helper
def _sum_block(race, block):
    total = 0.0
    for i in range(block * BLOCK, min((block + 1) * BLOCK, race.mass.size)):
        total += race.mass[i]
    race.sums[block] = total


@helper
def _total(race):
    mass = 0.0
    for block in range(race.sums.size):
        mass += race.sums[block]
    return mass


@kernel
def add_up(race):
    """Fill in the sums of the masses: the total."""
    for block in range(race.sums.size):
        _sum_block(race, block)
    return _total(race)


@kernel
def take_out(race, token):
    """Let a token run no more: the mass of the others, relative as before."""
    race.mass[token] = 0.0
    _sum_block(race, token // BLOCK)
    return _total(race)


@kernel
def lead(race, leaders, top):
    """Write the best tokens in order, equal keys by token: how many there are. Masses must be relative to exp(top)."""
    n, size = 0, leaders.key.size
    scale = np.inf  # exp(top - key to beat)
    for i in range(race.logp.size):
        # -log(1 - u) >= u, so that most tokens are out without a logarithm. Those without mass here (which may be
        # underflow) and a NaN bound do not end up in this branch.
        if race.mass[i] > 0.0 and race.noise[i] >= race.mass[i] * scale * (1.0 + 1e-9):
            continue
        if race.logp[i] == -np.inf:
            continue
        key = _key_of(race.logp[i], race.noise[i])
        if n == size and key <= leaders.key[n - 1]:
            continue
        at = n if n < size else n - 1
        while at > 0 and leaders.key[at - 1] < key:
            leaders.key[at], leaders.token[at] = leaders.key[at - 1], leaders.token[at - 1]
            at -= 1
        leaders.key[at], leaders.token[at] = key, i
        n = min(n + 1, size)
        if n == size:
            scale = math.exp(min(top - leaders.key[n - 1], 709.0))
    return n


@kernel
def fill_keys(race, keys):
    """Write the keys of all tokens (float64[V]); -inf for those that do not run."""
    for i in range(race.logp.size):
        keys[i] = -np.inf if race.logp[i] == -np.inf else _key_of(race.logp[i], race.noise[i])
