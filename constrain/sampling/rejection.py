"""Adaptive weighted rejection sampling: a token that a constraint accepts, and the weight that makes it count right.

In:  log-probabilities of the next token, a predicate on tokens that is asked of few of them.
Out: a token drawn from the distribution given that the predicate holds, and the log of a random weight.

With p the distribution, A the accepted tokens and w the weight, E[w 1(x = t)] = p(t) 1[t in A] for every token t: the
draw is *properly weighted*. Its tokens have the law that a mask gives, p renormalised on A, without A being known; its
weights are unbiased estimates of p(A), which a mask drops. Lipkin et al., "Fast Controlled Generation from Language
Models with Adaptive Weighted Rejection Sampling" (COLM 2025).

Tokens are proposed without replacement. After the first accepted one, x, further ones tell how much of the mass that is
left is accepted, too: their Des Raj estimates are averaged. With one of them this is the recursive estimator: the mass
M from which x came if it is accepted, p(x) if not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from constrain.errors import ConstrainError, SpecTypeError
from constrain.sampling.order import Order, as_log_masses, not_numbers


class Draw(NamedTuple):
    """A token and the log of its weight. A weight of -inf says that no token was found; `token` is then one that was
    rejected, or None if there was none to propose."""

    token: int | None
    log_weight: float


Accept = Callable[[int], bool]
Step = Callable[[Any, Accept, np.random.Generator], Draw]
"""What `awrs`, `geometric_awrs` and `masked` have in common."""

DEAD = -math.inf


def awrs(
    logp: Any,
    accept: Accept,
    rng: np.random.Generator,
    *,
    checks: int = 1,
    max_rejects: int | None = None,
    survival: float | None = None,
) -> Draw:
    """Draw a token that `accept` accepts, with its log-weight.

    `logp` is float[V]: natural logarithms of p; where tokens were ruled out before (-inf), the mass that they lack
    is part of the weight. `accept(token) -> bool` is asked of each proposed token once. `checks` more tokens are
    proposed after the first accepted one, for the weight alone: 1 where `accept` is dear, 2 or 3 where it is cheap.

    At most `max_rejects` tokens are rejected before the first accepted one; then there is none, and the weight is 0.
    (The last one tried has no checks, so that nothing is biased.) With `survival`, a probability, each rejection from
    that one on ends the draw only with probability 1 - survival, and weights make up for it.

    Raises ConstrainError for NaN or +inf, SpecTypeError for an answer that is neither True nor False.

    >>> rng = np.random.default_rng(0)
    >>> awrs(np.log([0.5, 0.3, 0.2]), lambda token: token == 2, rng)
    Draw(token=2, log_weight=-1.6094379124341003)
    """
    _check_bounds(checks, max_rejects, survival)
    order = Order(as_log_masses(logp), rng)
    whole, bonus, rejects, token = order.log_mass, 0.0, 0, None
    while True:
        mass = order.log_mass
        proposed = order.draw()
        if proposed is None:
            return Draw(token, DEAD)
        token = proposed
        last = survival is None and max_rejects is not None and rejects == max_rejects - 1
        if ask(accept, token):
            log_weight = mass if last else _checked(order, token, accept, checks)
            return Draw(token, min(log_weight, whole) + bonus)
        rejects += 1
        if last:
            return Draw(token, DEAD)
        if survival is not None and max_rejects is not None and rejects >= max_rejects:
            if not _happens(survival, rng):
                return Draw(token, DEAD)
            bonus -= math.log(survival)


def _checked(order: Order, token: int, accept: Accept, checks: int) -> float:
    """The mean of the estimates that further tokens give, in logarithms."""
    accepted = order.logp(token)
    estimates: list[float] = []
    while len(estimates) < checks:
        mass = order.log_mass
        other = order.draw()
        if other is None:
            break
        good = ask(accept, other)
        estimates.append(log_add(accepted, mass) if good else accepted)
        if good:
            accepted = log_add(accepted, order.logp(other))
    return log_mean(estimates) if estimates else accepted


def geometric_awrs(
    logp: Any,
    accept: Accept,
    rng: np.random.Generator,
    *,
    accepts: int = 2,
    max_rejects: int | None = None,
) -> Draw:
    """The same with the estimator that counts: draws with replacement until `accepts` are accepted, or `max_rejects`
    rejected.

    Only the first draw of each token asks `accept`; the number of repeated ones in between is geometric. The weight is
    (m - 1) / (m + n - 1) after the m-th acceptance and n rejections, a / (a + r - 1) after the r-th rejection and a < m
    acceptances. Its variance is mostly larger than that of `awrs`, which see for the arguments.

    >>> geometric_awrs(np.log([0.5, 0.5]), lambda token: True, np.random.default_rng(0)).log_weight
    0.0
    """
    if accepts < 2:
        raise ConstrainError(f"geometric_awrs: accepts={accepts}; the estimator needs at least 2")
    _check_bounds(1, max_rejects, None)
    order = Order(as_log_masses(logp), rng)
    whole, limit = order.log_mass, math.inf if max_rejects is None else max_rejects
    first, token, accepted, good, bad = None, None, DEAD, 0, 0.0  # `accepted`: log-mass of the tokens accepted so far
    while True:
        alive = log_add(accepted, order.log_mass)  # of what has not been rejected
        if alive == DEAD:
            break
        bad += _repeats(alive - whole, rng)
        if bad >= limit:
            break
        repeated = _happens(math.exp(accepted - alive), rng)
        if not repeated and (proposed := order.draw()) is not None:
            token = proposed
            if not ask(accept, token):
                bad += 1
                if bad >= limit:
                    break
                continue
            accepted = log_add(accepted, order.logp(token))
            first = token if first is None else first
        good += 1
        if good == accepts:
            return Draw(first, whole + math.log(good - 1) - math.log(good + bad - 1))
    if first is None:
        return Draw(token, DEAD)
    return Draw(first, whole + math.log(good) - math.log(good + limit - 1))


_MOST = 1e300


def _repeats(log_success: float, rng: np.random.Generator) -> float:
    """How many tokens rejected before come up again before another one: geometric from 0, a float without overflow."""
    if log_success >= 0:
        return 0.0
    near_one = log_success > -0.5
    log_failure = math.log(-math.expm1(log_success)) if near_one else math.log1p(-math.exp(log_success))
    if log_failure == 0:  # success underflows
        return _MOST
    return min(math.log(1.0 - rng.random()) / log_failure, _MOST) // 1.0


def _happens(probability: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < probability)


def masked(logp: Any, allowed: npt.NDArray[np.intp], rng: np.random.Generator) -> Draw:
    """One of the allowed tokens (ids, ascending), with the exact weight: what a mask that decides everything gives.

    >>> masked(np.log([0.25, 0.75]), np.array([0]), np.random.default_rng(0))
    Draw(token=0, log_weight=-1.3862943611198906)
    """
    own = np.asarray(logp)[allowed].astype(np.float64)
    top = float(own.max(initial=-np.inf))
    if top == DEAD:
        return Draw(None, DEAD)
    if not top < math.inf:
        raise not_numbers(as_log_masses(logp))
    ends = np.cumsum(np.exp(own - top))
    place = min(int(np.searchsorted(ends, rng.random() * ends[-1], side="right")), int(np.argmax(ends == ends[-1])))
    return Draw(int(allowed[place]), top + math.log(ends[-1]))


def ask(accept: Accept, token: int) -> bool:
    """What a predicate answers, if it is an answer."""
    answer = accept(token)
    if answer is True or answer is False or isinstance(answer, np.bool_):
        return bool(answer)
    raise SpecTypeError(f"accept({token}) answered {answer!r:.40} ({type(answer).__name__}), not True or False")


def log_add(a: float, b: float) -> float:
    """log(exp(a) + exp(b)).

    >>> log_add(-math.inf, 0.0)
    0.0
    """
    high, low = (a, b) if a >= b else (b, a)
    return high if low == DEAD else high + math.log1p(math.exp(low - high))


def log_mean(values: Sequence[float]) -> float:
    """The log of the mean of exp(values).

    >>> log_mean([0.0, 0.0])
    0.0
    """
    top = max(values)
    return DEAD if top == DEAD else top + math.log(math.fsum(math.exp(v - top) for v in values) / len(values))


def _check_bounds(checks: int, max_rejects: int | None, survival: float | None) -> None:
    if checks < 1:
        raise ConstrainError(f"checks={checks}: at least one token is checked for the weight")
    if max_rejects is not None and max_rejects < 1:
        raise ConstrainError(f"max_rejects={max_rejects}: at least 1, or None for no limit")
    if survival is not None and (max_rejects is None or not 0 < survival < 1):
        raise ConstrainError(f"survival={survival} with max_rejects={max_rejects}: a probability, beyond a limit")
