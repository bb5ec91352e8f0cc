"""Which candidates become hypotheses: the sets A, B and C of dynamic beam allocation, and places in the beam.

In:  scores of the continuations of hypotheses, as lists of the best of each.
Out: candidates in the order of their scores; those that get a place.

Post and Vilar (2018) give each bank, the hypotheses that are equally far with their constraint, a share of the beam;
Hu et al. (2019) take one candidate of each bank in turn. All keys are compared as they are: nothing is packed into a
score.
"""

from __future__ import annotations

import numpy as np

from constrain.jit import kernel


@kernel
def gather(live, ids, logs, more, keep, out):
    """Write candidates to `out`, best first: how many there are.

    `live` (float32[n]) scores hypotheses, -inf if there is none. `ids` (int64[n, K]) and `logs` (float32[n, K]) are the
    best tokens of each and their log-probabilities, descending. The candidates are the best `keep` of all (set A), the
    best of each hypothesis (set C), and (set B) those of `more`: (int64[2, m] hypotheses, ascending, and tokens;
    float32[m] log-probabilities). Candidates of score -inf are left out, and none is there twice. `out` is
    (int64[2, n * K + m] hypotheses and tokens, float32[n * K + m] scores).
    """
    pairs, scores = out
    places, more_logs = more
    n, width = ids.shape
    taken = np.zeros(n, np.int64)
    count = 0
    for _ in range(keep):
        best, row = np.float32(-np.inf), -1
        for b in range(n):
            if taken[b] < width and live[b] + logs[b, taken[b]] > best:
                best, row = live[b] + logs[b, taken[b]], b
        if row < 0:
            break
        pairs[0, count], pairs[1, count], scores[count] = row, ids[row, taken[row]], best
        taken[row] += 1
        count += 1
    for b in range(n):
        if taken[b] == 0 and width > 0 and live[b] + logs[b, 0] > -np.inf:
            pairs[0, count], pairs[1, count], scores[count] = b, ids[b, 0], live[b] + logs[b, 0]
            taken[b] = 1
            count += 1
    begin = 0
    for m in range(places.shape[1]):
        row, token = places[0, m], places[1, m]
        if m > 0 and places[0, m - 1] != row:
            begin = m
        score = live[row] + more_logs[m]
        known = not score > -np.inf
        for i in range(taken[row]):
            known = known or ids[row, i] == token
        for i in range(begin, m):
            known = known or places[1, i] == token
        if not known:
            pairs[0, count], pairs[1, count], scores[count] = row, token, score
            count += 1
    order = np.argsort(-scores[:count], kind="mergesort")
    pairs[0, :count], pairs[1, :count] = pairs[0, :count][order], pairs[1, :count][order]
    scores[:count] = scores[:count][order]
    return count


@kernel
def rank(live, ids, logs, may_end, score):
    """How many continuations of the hypotheses that may end are better than `score`."""
    better = 0
    for b in range(ids.shape[0]):
        if may_end[b]:
            for i in range(ids.shape[1]):
                if not live[b] + logs[b, i] > score:
                    break
                better += 1
    return better


@kernel
def share(counts, places):
    """The places of each bank (int64[banks]): equal shares, what one cannot use to those nearest to it.

    `counts` says how many candidates a bank has. The sum of the shares is min(places, sum(counts)). What does not
    divide evenly goes to the last bank, where everything is met.
    """
    banks = counts.size
    shares = np.full(banks, places // banks, np.int64)
    shares[banks - 1] += places % banks
    for b in range(banks - 1, -1, -1):
        extra = shares[b] - counts[b]
        if extra <= 0:
            continue
        shares[b] = counts[b]
        for distance in range(1, banks):
            for near in (b + distance, b - distance):
                if 0 <= near < banks:
                    given = min(extra, max(0, counts[near] - shares[near]))
                    shares[near] += given
                    extra -= given
    return shares


@kernel
def take_shares(banks, shares, chosen):
    """Choose the first candidates of each bank, as many as its share; `chosen` (bool) says which."""
    left = shares.copy()
    for i in range(banks.size):
        chosen[i] = left[banks[i]] > 0
        left[banks[i]] -= chosen[i]


@kernel
def take_in_turn(banks, places, chosen):
    """Choose one candidate of each bank, the last bank first, then a second one of each, and so on."""
    ranks = np.zeros(banks.size, np.int64)
    seen = np.zeros(banks.max() + 1 if banks.size > 0 else 1, np.int64)
    for i in range(banks.size):
        ranks[i] = seen[banks[i]]
        seen[banks[i]] += 1
    chosen[:] = False
    chosen[np.argsort(ranks * seen.size - banks, kind="mergesort")[:places]] = True
