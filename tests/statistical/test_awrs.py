"""Weighted draws: the defining identity E[w 1(x = t)] = p(t) 1[t accepted], exactly and by sampling.

Exactly: all orders in which few tokens can come, each with its probability from the definition of drawing without
replacement. By sampling: seeds are fixed, and bounds are quantiles of the law of what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from amounts import examples, runs
from hypothesis import given
from hypothesis import strategies as st
from reference.draw import log_mass_ref, order_ref

from constrain.errors import ConstrainError, SpecTypeError
from constrain.sampling import rejection as module
from constrain.sampling.order import Order
from constrain.sampling.rejection import Draw, awrs, geometric_awrs, masked

TOLERANCE = 1e-12
Sampler = Callable[..., Draw]


# ---- the order of tokens


@given(
    st.lists(st.floats(-60, 5) | st.just(-math.inf), min_size=1, max_size=120),
    st.integers(0, 2**32),
    st.integers(0, 120),
)
@examples(200)
def test_order_and_masses_are_those_of_the_definition(logp: list[float], seed: int, count: int) -> None:
    order = Order(np.array(logp), np.random.default_rng(seed))
    running = [token for token, value in enumerate(logp) if value > -math.inf]
    noise = np.random.default_rng(seed).random(len(running) if 2 * len(running) < len(logp) else len(logp))
    if 2 * len(running) < len(logp):
        expected = [running[place] for place in order_ref([logp[token] for token in running], noise.tolist())]
    else:
        expected = order_ref(logp, noise.tolist())
    taken: list[int] = []
    for token in expected[:count]:
        assert order.log_mass == pytest.approx(log_mass_ref(logp, taken), abs=1e-9)
        assert order.draw() == token
        taken.append(token)
    assert order.log_mass == pytest.approx(log_mass_ref(logp, taken), abs=1e-9)
    if count >= len(expected):
        assert order.draw() is None and order.log_mass == -math.inf


def test_noise_of_zero_and_equal_keys() -> None:
    """A noise of 0 is a very good one, not an infinite one; equal keys come by token."""

    class Zeros:
        def random(self, count: int) -> Any:
            return np.zeros(count)

    order = Order(np.array([-1.0, 0.0, -1.0, 0.0] * 20), Zeros())  # type: ignore[arg-type]
    drawn = [order.draw() for _ in range(80)]
    assert drawn == [*range(1, 80, 2), *range(0, 80, 2)]


def test_mass_that_is_left_does_not_cancel() -> None:
    """What is left after nearly everything: to full precision, also far below the smallest float."""
    logp = np.array([math.log1p(-1e-16), math.log(1e-16), -800.0, -801.0])
    order = Order(logp, np.random.default_rng(0))
    assert [order.draw(), order.draw()] == [0, 1]
    assert order.log_mass == pytest.approx(-800 + math.log1p(math.exp(-1)), rel=1e-14)
    assert order.draw() is not None
    assert order.log_mass in (-800.0, -801.0)


def test_a_large_vocabulary_is_drawn_in_proportion() -> None:
    """The leaders are found without a logarithm for most tokens; the first two of an order have the right law."""
    rng = np.random.default_rng(5)
    logp = rng.normal(size=3000) * 3
    p = np.exp(logp - np.logaddexp.reduce(logp))
    first, second = np.zeros(3000), np.zeros(3000)
    count = runs(20_000)
    for _ in range(count):
        order = Order(logp, rng)
        first[order.draw()] += 1
        second[order.draw()] += 1
    p_second = p * (np.sum(p / (1 - p)) - p / (1 - p))
    for seen, law in ((first, p), (second, p_second)):
        assert chi_square_z(seen, law * count) < 4


def chi_square_z(seen: np.ndarray, expected: np.ndarray) -> float:
    """How far a chi-square statistic is out, as a normal deviate (Wilson and Hilferty). Rare cells are one."""
    large = expected >= 5
    cells = np.append(seen[large], seen[~large].sum()), np.append(expected[large], expected[~large].sum())
    keep = cells[1] > 0
    free = int(keep.sum()) - 1
    statistic = float(((cells[0][keep] - cells[1][keep]) ** 2 / cells[1][keep]).sum())
    assert cells[0][~keep].sum() == 0
    return float(((statistic / free) ** (1 / 3) - 1 + 2 / (9 * free)) / math.sqrt(2 / (9 * free)))


# ---- exactly


class Listed:
    """Stands for a generator: the noise makes the tokens come in a given order."""

    def __init__(self, logp: np.ndarray, places: tuple[int, ...]) -> None:
        running = logp[logp > -np.inf]
        self._noise = np.zeros(len(logp) if 2 * len(running) >= len(logp) else len(running))
        own = logp if 2 * len(running) >= len(logp) else running
        for rank, place in enumerate(places):
            self._noise[place] = -math.expm1(-math.exp(own[place] + rank / 2))

    def random(self, count: int) -> np.ndarray:
        return self._noise


def listed_orders(logp: np.ndarray) -> Iterator[tuple[Listed, float]]:
    """Every order of the tokens that have mass, with its probability."""
    running = np.flatnonzero(logp > -np.inf)
    compact = 2 * len(running) < len(logp)
    q = np.exp(logp[running])
    for order in permutations(range(len(running))):
        probability, left = 1.0, q.sum()
        for rank, place in enumerate(order):
            probability *= q[place] / math.fsum(q[other] for other in order[rank:])
            left -= q[place]
        yield Listed(logp, order if compact else tuple(int(running[place]) for place in order)), probability


class Script:
    """Every way in which coins and counts can fall, each once: replayed choices, then the first of those that are
    new."""

    def __init__(self) -> None:
        self.todo: list[list[int]] = [[]]

    def start(self) -> None:
        self.choices, self.at, self.probability = self.todo.pop(), 0, 1.0

    def choose(self, weights: list[float]) -> int:
        if self.at == len(self.choices):
            possible = [i for i, weight in enumerate(weights) if weight > 0]
            self.todo += [[*self.choices, i] for i in possible[1:]]
            self.choices = [*self.choices, possible[0]]
        chosen = self.choices[self.at]
        self.at += 1
        self.probability *= weights[chosen]
        return chosen


def exact_means(
    sampler: Sampler, logp: np.ndarray, accepted: set[int], monkeypatch: pytest.MonkeyPatch, most: int = 0
) -> tuple[np.ndarray, float]:
    """E[w 1(x = t)] for each token t, and the probability of everything that was summed."""
    means, probability = np.zeros(len(logp)), 0.0
    script = Script()

    def happens(chance: float, rng: Any) -> bool:
        return script.choose([chance, 1 - chance]) == 0

    def repeats(log_success: float, rng: Any) -> float:
        failure = -math.expm1(min(log_success, 0.0))
        tail = [failure**k * (1 - failure) for k in range(most)]
        return script.choose([*tail, failure**most])

    monkeypatch.setattr(module, "_happens", happens)
    monkeypatch.setattr(module, "_repeats", repeats)
    for rng, chance in listed_orders(logp):
        script.todo = [[]]
        while script.todo:
            script.start()
            token, log_weight = sampler(logp, lambda token: token in accepted, rng)
            assert (log_weight > -math.inf) == (token in accepted)
            assert token is None or log_weight <= np.logaddexp.reduce(logp) + 5
            probability += chance * script.probability
            if log_weight > -math.inf:
                means[token] += chance * script.probability * math.exp(log_weight)
    return means, probability


def problems() -> Iterator[tuple[np.ndarray, set[int]]]:
    """Distributions over up to five tokens, some not normalised, some with tokens ruled out, and what is accepted."""
    rng = np.random.default_rng(7)
    for size in range(1, 6):
        for trial in range(2):
            p = rng.dirichlet(np.full(size, 0.4 + trial)).clip(1e-6)
            p *= 0.37 if trial else 1 / p.sum()
            for count in range(size + 1):
                some = list(combinations(range(size), count))
                yield np.log(p), set(some[int(rng.integers(len(some)))])
    with np.errstate(divide="ignore"):
        yield np.log([0.0, 0.2, 0.0, 0.5, 0.1]), {1, 2, 4}
        yield np.log([0.0, 0.0, 0.3, 0.0, 0.1]), {4}
    yield np.log([0.9, 0.05, 0.03, 0.02]), {1, 2, 3}


PROBLEMS = list(problems())


@pytest.mark.parametrize("max_rejects", [None, 1, 2, 3, 5])
@pytest.mark.parametrize("checks", [1, 2, 3])
def test_checks_are_proper(checks: int, max_rejects: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for logp, accepted in PROBLEMS:
        sampler = lambda *a: awrs(*a, checks=checks, max_rejects=max_rejects)  # noqa: E731
        assert_proper(sampler, logp, accepted, monkeypatch)


@pytest.mark.parametrize("max_rejects", [1, 2, 3])
@pytest.mark.parametrize("survival", [0.3, 0.9])
def test_roulette_is_proper(max_rejects: int, survival: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for logp, accepted in PROBLEMS:
        sampler = lambda *a: awrs(*a, max_rejects=max_rejects, survival=survival)  # noqa: E731
        assert_proper(sampler, logp, accepted, monkeypatch)


@pytest.mark.parametrize("accepts", [2, 3])
@pytest.mark.parametrize("max_rejects", [1, 2, 4])
def test_geometric_is_proper(accepts: int, max_rejects: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for logp, accepted in PROBLEMS:
        if len(logp) < 5 or accepts == 2:
            sampler = lambda *a: geometric_awrs(*a, accepts=accepts, max_rejects=max_rejects)  # noqa: E731
            assert_proper(sampler, logp, accepted, monkeypatch, max_rejects)


def assert_proper(
    sampler: Sampler, logp: np.ndarray, accepted: set[int], monkeypatch: pytest.MonkeyPatch, most: int = 0
) -> None:
    means, probability = exact_means(sampler, logp, accepted, monkeypatch, most)
    target = [math.exp(value) if token in accepted else 0.0 for token, value in enumerate(logp)]
    assert abs(probability - 1) < TOLERANCE
    assert np.abs(means - target).max() < TOLERANCE


def test_the_recursive_definition_is_one_check() -> None:
    """E f = p(x) f(x) + (1 - p(x)) E[f | not x], followed literally, has the law that two values of the weight give."""

    def recursive(p: dict[int, float], accepted: set[int], order: tuple[int, ...]) -> float:
        x, rest = order[0], {t: v for t, v in p.items() if t != order[0]}
        q = p[x] / math.fsum(p.values())
        if x in accepted:
            tail = bool(rest) and order[1] in accepted
            return q + (1 - q) * tail
        return (1 - q) * recursive(rest, accepted, order[1:]) if rest else 0.0

    for logp, accepted in PROBLEMS:
        p = {token: math.exp(value) for token, value in enumerate(logp) if value > -math.inf}
        for order in permutations(p):
            rng = Listed(logp, order if 2 * len(p) >= len(logp) else tuple(sorted(p).index(t) for t in order))
            log_weight = awrs(logp, accepted.__contains__, rng).log_weight  # type: ignore[arg-type]
            expected = math.fsum(p.values()) * recursive(p, accepted, order)
            assert math.exp(log_weight) == pytest.approx(expected, rel=1e-12)


def test_more_checks_have_less_variance() -> None:
    """The relative variances of the estimator for one, two and three checks: exact values, by enumeration."""
    cases = {
        ((0.9, 0.05, 0.03, 0.02), (0, 3)): (0.004, 0.001, 0.0),
        ((1 / 6,) * 6, (0, 1, 2)): (0.5, 0.19, 0.10),
        ((1 / 6,) * 6, (0,)): (0.0, 0.0, 0.0),
    }
    for (p, accepted), expected in cases.items():
        logp = np.log(p)
        for checks, variance in enumerate(expected, 1):
            squares = sum(
                chance * math.exp(2 * awrs(logp, lambda t: t in accepted, rng, checks=checks).log_weight)  # noqa: B023
                for rng, chance in listed_orders(logp)
            )
            assert squares / sum(p[t] for t in accepted) ** 2 - 1 == pytest.approx(variance, abs=0.006)


# ---- by sampling


SAMPLERS: dict[str, Sampler] = {
    "awrs": awrs,
    "checks=3": lambda *a: awrs(*a, checks=3),
    "max_rejects=2": lambda *a: awrs(*a, max_rejects=2),
    "survival": lambda *a: awrs(*a, max_rejects=1, survival=0.6),
    "geometric": geometric_awrs,
    "geometric, 5": lambda *a: geometric_awrs(*a, accepts=5),
    "geometric, max_rejects=3": lambda *a: geometric_awrs(*a, max_rejects=3),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("pruned", [False, True])
def test_every_token_has_its_mass_on_average(name: str, pruned: bool) -> None:
    """z-tests of E[w 1(x = t)] for each token; 4.9 standard errors are exceeded in one run of ten thousand."""
    rng = np.random.default_rng(17)
    p = rng.dirichlet(np.full(40, 0.3))
    logp = np.log(p.clip(1e-300))
    if pruned:
        logp[rng.random(40) < 0.6] = -np.inf
    accepted = set(np.flatnonzero(rng.random(40) < 0.5).tolist())
    count = runs(20_000)
    weights, squares, seen = np.zeros(40), np.zeros(40), np.zeros(40)
    for _ in range(count):
        token, log_weight = SAMPLERS[name](logp, accepted.__contains__, rng)
        if log_weight > -math.inf:
            weights[token] += math.exp(log_weight)
            squares[token] += math.exp(2 * log_weight)
            seen[token] += 1
    target = np.array([math.exp(value) if token in accepted else 0.0 for token, value in enumerate(logp)])
    mean = weights / count
    error = np.sqrt((squares / count - mean**2) / count)
    often = seen >= 20
    assert often.sum() >= 3
    assert (np.abs(mean - target)[often] < 4.9 * error[often]).all()
    total = weights.sum() / count, np.sqrt((squares.sum() / count - (weights.sum() / count) ** 2) / count)
    assert abs(total[0] - target.sum()) < 4.9 * total[1] + 1e-12
    if "max_rejects" not in name and "survival" not in name:  # there the chance to be rejected is part of the weight
        assert chi_square_z(seen, target / target.sum() * seen.sum()) < 4


@pytest.mark.parametrize("checks", [1, 3])
def test_evaluations_are_as_many_as_the_closed_form_says(checks: int) -> None:
    """To the first accepted token: 1 + the sum of p(t) / (p(t) + Z) over the rejected; then one for each check."""
    rng = np.random.default_rng(3)
    for concentration in (0.05, 0.5):
        p = rng.dirichlet(np.full(60, concentration)).clip(1e-12)
        accepted = set(np.flatnonzero(rng.random(60) < 0.3).tolist())
        z = sum(p[t] for t in accepted)
        expected = 1 + sum(p[t] / (p[t] + z) for t in range(60) if t not in accepted)
        counts = []
        for _ in range(runs(5000)):
            asked: list[int] = []
            awrs(np.log(p), lambda t: asked.append(t) or t in accepted, rng, checks=checks)  # noqa: B023
            assert len(set(asked)) == len(asked)
            counts.append(len(asked) - checks)
        assert abs(np.mean(counts) - expected) < 4 * np.std(counts) / math.sqrt(len(counts))
        assert expected <= min(1 / z, 61) + 1e-9


def test_masked_is_exact() -> None:
    logp = np.log([0.1, 0.2, 0.3, 0.4])
    allowed = np.array([0, 1, 2])
    rng = np.random.default_rng(1)
    seen = np.zeros(4)
    count = runs(6000)
    for _ in range(count):
        token, log_weight = masked(logp, allowed, rng)
        assert log_weight == pytest.approx(math.log(0.6), rel=1e-14)
        seen[token] += 1
    assert chi_square_z(seen, np.array([1, 2, 3, 0]) * count / 6) < 4


# ---- what is asked for, and what cannot be


@given(
    st.lists(st.floats(-800, 0) | st.sampled_from([-math.inf, -745.2, -1e-16, 0.0]), max_size=40),
    st.sets(st.integers(0, 39)),
    st.integers(0, 2**32),
    st.sampled_from([None, 1, 2, 7]),
    st.sampled_from(["checks", "roulette", "geometric"]),
)
@examples(300)
def test_a_weight_says_whether_the_token_is_accepted(
    logp: list[float], accepted: set[int], seed: int, max_rejects: int | None, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    if kind == "geometric":
        token, log_weight = geometric_awrs(np.array(logp), accepted.__contains__, rng, max_rejects=max_rejects)
    else:
        survival = 0.5 if kind == "roulette" and max_rejects else None
        token, log_weight = awrs(np.array(logp), accepted.__contains__, rng, max_rejects=max_rejects, survival=survival)
    assert not math.isnan(log_weight)
    assert (log_weight > -math.inf) == (token in accepted)
    assert token is None or logp[token] > -math.inf
    assert (token is None) == all(value == -math.inf for value in logp)


def test_all_mass_rejected() -> None:
    """Every token was asked about once; the token that comes back was rejected."""
    asked: list[int] = []
    rng = np.random.default_rng(0)
    token, log_weight = awrs(np.log(np.full(1000, 1e-3)), lambda t: bool(asked.append(t)), rng)
    assert log_weight == -math.inf and sorted(asked) == list(range(1000)) and token == asked[-1]
    assert geometric_awrs(np.log([0.5, 0.5]), lambda t: False, rng).log_weight == -math.inf


def test_nothing_to_draw() -> None:
    for logp in (np.full(3, -np.inf), np.zeros(0)):
        assert awrs(logp, lambda t: True, np.random.default_rng(0)) == (None, -math.inf)
        assert geometric_awrs(logp, lambda t: True, np.random.default_rng(0)) == (None, -math.inf)
        assert masked(logp, np.arange(len(logp)), np.random.default_rng(0)) == (None, -math.inf)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_distribution(bad: float) -> None:
    for rest in ([0.0, -1.0], [-np.inf] * 9):
        logp = np.array([bad, *rest])
        for sampler in (awrs, geometric_awrs, lambda logp, _, rng: masked(logp, np.arange(len(logp)), rng)):
            with pytest.raises(ConstrainError, match=r"for token 0 \(1 such"):
                sampler(logp, lambda t: True, np.random.default_rng(0))


def test_neither_true_nor_false() -> None:
    for answer in (1, None, "yes", 0.5, np.array([True])):
        with pytest.raises(SpecTypeError, match="not True or False"):
            awrs(np.zeros(3), lambda t: answer, np.random.default_rng(0))  # noqa: B023
    assert awrs(np.zeros(3), lambda t: np.True_, np.random.default_rng(0)).log_weight == pytest.approx(math.log(3))


def test_a_predicate_that_raises_is_heard() -> None:
    def accept(token: int) -> bool:
        raise RuntimeError("the database is gone")

    logp = np.log([0.5, 0.5])
    with pytest.raises(RuntimeError, match="database"):
        awrs(logp, accept, np.random.default_rng(0))
    assert np.exp(logp).tolist() == [0.5, 0.5]


def test_arguments() -> None:
    rng = np.random.default_rng(0)
    for arguments in ({"checks": 0}, {"max_rejects": 0}, {"survival": 0.5}, {"max_rejects": 2, "survival": 1.0}):
        with pytest.raises(ConstrainError, match=next(iter(arguments))):
            awrs(np.zeros(2), lambda t: True, rng, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConstrainError, match="accepts=1"):
        geometric_awrs(np.zeros(2), lambda t: True, rng, accepts=1)
    for logp in (np.zeros((2, 2)), np.zeros(2, np.int64), 3.0):
        with pytest.raises(SpecTypeError, match="vector of floats"):
            awrs(logp, lambda t: True, rng)


def test_logits_are_not_written_to() -> None:
    logp = np.log(np.full(100, 0.01))
    logp.flags.writeable = False
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32, np.float16):
        assert awrs(logp.astype(dtype)[::2], lambda t: t == 7, rng).token == 7
    assert awrs(logp, lambda t: t == 7, rng).token == 7
    assert (logp == np.log(0.01)).all()
