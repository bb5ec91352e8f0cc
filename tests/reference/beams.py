"""What `constrain.kernels.beams` does, on lists and without numba."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import inf

Candidate = tuple[int, int]
"""A hypothesis and a token."""


def gather_ref(
    live: Sequence[float], logs: Sequence[Mapping[int, float]], more: Mapping[Candidate, float], keep: int
) -> set[Candidate]:
    """The sets A, C and B: `logs` has the log-probabilities of the best tokens of each hypothesis.

    >>> sorted(gather_ref([0.0, -9.0], [{1: -1.0, 2: -2.0}, {1: -1.0}], {(1, 5): -3.0}, keep=2))
    [(0, 1), (0, 2), (1, 1), (1, 5)]
    """
    total = {(b, token): live[b] + log for b, row in enumerate(logs) for token, log in row.items()}
    best = sorted(total, key=lambda one: -total[one])[:keep]
    of_each = [max(row, key=lambda token: row[token]) for row in logs if row]
    own = {(b, token) for b, token in zip([b for b, row in enumerate(logs) if row], of_each)}
    total |= {(b, token): live[b] + log for (b, token), log in more.items()}
    return {one for one in {*best, *own, *more} if total[one] > -inf}


def rank_ref(totals: Sequence[float], score: float) -> int:
    """How many are better."""
    return sum(one > score for one in totals)


def share_ref(counts: Sequence[int], places: int) -> list[int]:
    """Places one by one: each goes where a bank has more than it needs to the nearest that lacks some.

    >>> share_ref([0, 10, 0], 6)
    [0, 6, 0]
    """
    banks = len(counts)
    shares = [places // banks + (places % banks) * (b == banks - 1) for b in range(banks)]
    for b in reversed(range(banks)):
        while shares[b] > counts[b]:
            shares[b] -= 1
            poor = [other for other in range(banks) if shares[other] < counts[other]]
            if poor:
                shares[min(poor, key=lambda other: (abs(other - b), -other))] += 1
    return shares


def take_shares_ref(banks: Sequence[int], shares: Sequence[int]) -> list[bool]:
    """The first candidates of each bank."""
    return [banks[:i].count(bank) < shares[bank] for i, bank in enumerate(banks)]


def take_in_turn_ref(banks: Sequence[int], places: int) -> list[bool]:
    """Round robin over the banks, the last first.

    >>> take_in_turn_ref([0, 0, 2, 0], 3)
    [True, True, True, False]
    """
    piles = [[i for i, other in enumerate(banks) if other == bank] for bank in sorted(set(banks), reverse=True)]
    order = [i for turn in zip_longest(*piles) for i in turn if i is not None]
    return [i in order[:places] for i in range(len(banks))]
