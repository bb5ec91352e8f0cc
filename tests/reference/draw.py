"""What `constrain.kernels.draw` must give, from the definition: on lists and without numba."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence


def order_ref(logp: Sequence[float], noise: Sequence[float]) -> list[int]:
    """The tokens that have mass, by decreasing Gumbel key, equal keys by token.

    >>> order_ref([0.0, -math.inf, 0.0], [0.9, 0.1, 0.2])
    [2, 0]
    """
    running = [token for token, value in enumerate(logp) if value > -math.inf]
    wait = [-math.log1p(-max(u, 2.0**-54)) for u in noise]  # exponential
    return sorted(running, key=lambda token: (-(logp[token] - math.log(wait[token])), token))


def log_mass_ref(logp: Sequence[float], taken: Collection[int]) -> float:
    """The log of the mass of the tokens that were not taken out; -inf if there is none.

    >>> log_mass_ref([math.log(0.25), math.log(0.75)], [1]) == math.log(0.25)
    True
    """
    rest = [value for token, value in enumerate(logp) if token not in taken and value > -math.inf]
    top = max(rest, default=-math.inf)
    return top + math.log(math.fsum(math.exp(value - top) for value in rest)) if rest else -math.inf
