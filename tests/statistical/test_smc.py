"""Particles against the enumeration of all texts: the normaliser, the posterior, resampling, critics, the length
limit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from amounts import runs

import constrain
from constrain.errors import CheckerError, ConstrainError, SpecTypeError, VocabularyError
from constrain.sampling import (
    Oracle,
    Population,
    Posterior,
    awrs,
    effective_size,
    geometric_awrs,
    smc,
    systematic,
)
from constrain.sampling.particles import Settings

TOKENS = [b"a", b"b", b"ab"]
EOS = 3
VOCABULARY = constrain.Vocabulary.from_tokens([*TOKENS, None], eos_ids=[EOS])
MOST = 5
"""Tokens of a text, EOS counted."""


@cache
def row_of(prefix: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng([7, len(prefix), *prefix])
    row = np.log(rng.dirichlet([0.6, 0.6, 0.3, 0.4]).clip(1e-6))
    return row - np.logaddexp.reduce(row)


def model(prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Log-probabilities that depend on the whole prefix."""
    return np.array([row_of(prefix) for prefix in prefixes])


def text_of(tokens: Sequence[int]) -> str:
    return b"".join(TOKENS[token] for token in tokens).decode()


def exact(complete: Callable[[str], bool], critic: Callable[[str], float] = lambda text: 0.0) -> dict[str, float]:
    """The mass of every text with at most MOST tokens that is complete."""
    masses: dict[str, float] = {}
    todo: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    while todo:
        prefix, log_mass = todo.pop()
        row = model([prefix])[0]
        text = text_of(prefix)
        if complete(text):
            masses[text] = masses.get(text, 0.0) + math.exp(log_mass + row[EOS] + critic(text))
        if len(prefix) < MOST - 1:
            todo += [((*prefix, token), log_mass + row[token]) for token in range(len(TOKENS))]
    return masses


def even(text: str, complete: bool) -> bool:
    """As many a's as b's in the end, never three a's in a row."""
    return "aaa" not in text and (not complete or text.count("a") == text.count("b"))


TARGET = exact(lambda text: even(text, True))
Z = sum(TARGET.values())
CHECKERS: dict[str, Any] = {
    "function": even,
    "mask and function": [constrain.regex("(?!.*aaa)[ab]*"), lambda text, complete: even(text, complete)],
    "matcher asked": constrain.sampling.Language(
        constrain.Compiler(VOCABULARY).compile(constrain.regex("(?!.*aaa)[ab]*")), prune=False
    )
    & even,
}


def run(checker: Any, seed: int, particles: int = 6, **settings: Any) -> Posterior:
    return smc(
        model, checker, VOCABULARY, particles=particles, max_tokens=MOST, rng=np.random.default_rng(seed), **settings
    )


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values) / math.sqrt(len(values)))


@pytest.mark.parametrize("name", CHECKERS)
@pytest.mark.parametrize("ess", [0.0, 0.5, 1.0])
def test_the_normaliser_is_unbiased(name: str, ess: float) -> None:
    """And so is the weight of each text: the mean over runs of exp(log_normalizer) times its share."""
    normalisers, shares = [], Counter[str]()
    count = runs(600)
    for seed in range(count):
        result = run(CHECKERS[name], seed, ess=ess)
        normalisers.append(math.exp(result.log_normalizer))
        for answer in result.answers:
            shares[answer.text] += normalisers[-1] * answer.probability / count
    mean, error = mean_and_error(normalisers)
    assert abs(mean - Z) < 4.5 * error
    assert set(shares) <= set(TARGET)
    for text, mass in TARGET.items():
        assert abs(shares[text] - mass) < 5 * math.sqrt(mass * Z / count)  # no more than one particle alone would vary


@pytest.mark.parametrize(
    "step", [partial(awrs, checks=3), partial(awrs, max_rejects=1), geometric_awrs, partial(geometric_awrs, accepts=4)]
)
def test_every_step_that_is_proper_will_do(step: Any) -> None:
    mean, error = mean_and_error([math.exp(run(even, seed, step=step).log_normalizer) for seed in range(runs(600))])
    assert abs(mean - Z) < 4.5 * error


def test_a_mask_gives_the_same_with_exact_weights() -> None:
    spec = constrain.regex("(?!.*aaa)[ab]*") & constrain.regex("(ab|ba)*")
    complete = lambda text: "aaa" not in text and all(text[i : i + 2] in ("ab", "ba") for i in range(0, len(text), 2))  # noqa: E731
    target = sum(exact(complete).values())
    results = [run(spec, seed) for seed in range(runs(400))]
    mean, error = mean_and_error([math.exp(result.log_normalizer) for result in results])
    assert abs(mean - target) < 4.5 * error
    assert all(result.evaluations == 0 for result in results)


def test_the_posterior_comes_closer_with_more_particles() -> None:
    def distance(particles: int) -> float:
        found = []
        for seed in range(20):
            shares = {answer.text: answer.probability for answer in run(even, seed, particles).answers}
            found.append(sum(abs(shares.get(text, 0.0) - mass / Z) for text, mass in TARGET.items()) / 2)
        return float(np.mean(found))

    few, many, most = distance(4), distance(40), distance(1000)
    assert few > many > most and most < 0.03


def test_masks_alone_are_farther_from_the_target() -> None:
    """What weights are for: token by token, the distribution over texts is another one."""
    rng = np.random.default_rng(0)
    counts: Counter[str] = Counter()
    count = runs(4000)
    for _ in range(count):
        oracle = Oracle(even, VOCABULARY)
        position = oracle.start()
        while position is not None and not position.ended:
            row = model([position.tokens])[0]
            if len(position.tokens) == MOST - 1:
                row[:EOS] = -np.inf
            token, log_weight = oracle.draw(position, row, awrs, rng)
            position = None if log_weight == -math.inf else oracle.follow(position, token)  # type: ignore[arg-type]
        if position is not None:
            counts[position.text] += 1
    total = sum(counts.values())
    myopic = sum(abs(counts[text] / total - mass / Z) for text, mass in TARGET.items()) / 2
    shares = {answer.text: answer.probability for answer in run(even, 1, count).answers}
    weighted = sum(abs(shares.get(text, 0.0) - mass / Z) for text, mass in TARGET.items()) / 2
    assert weighted < 0.03 * math.sqrt(4000 / count) < 0.08 < myopic


def test_a_critic_of_complete_texts_is_part_of_the_target() -> None:
    target = exact(lambda text: even(text, True), lambda text: 0.7 * len(text))
    for ess in (0.0, 0.5, 1.0):
        values = [
            math.exp(run(even, s, ess=ess, critic=lambda t, done: 0.7 * len(t)).log_normalizer)
            for s in range(runs(600))
        ]
        mean, error = mean_and_error(values)
        assert abs(mean - sum(target.values())) < 4.5 * error


def test_a_critic_of_unfinished_texts_changes_no_target() -> None:
    critic = lambda text, complete: 0.0 if complete else 1.5 * text.count("b") - text.count("a")  # noqa: E731
    for ess in (0.5, 1.0):
        mean, error = mean_and_error(
            [math.exp(run(even, s, ess=ess, critic=critic).log_normalizer) for s in range(runs(600))]
        )
        assert abs(mean - Z) < 4.5 * error


def test_a_critic_may_forbid() -> None:
    critic = lambda text, complete: -math.inf if "ba" in text else 0.0  # noqa: E731
    target = sum(exact(lambda text: even(text, True) and "ba" not in text).values())
    mean, error = mean_and_error([math.exp(run(even, s, critic=critic).log_normalizer) for s in range(runs(600))])
    assert abs(mean - target) < 4.5 * error


# ---- resampling


@pytest.mark.parametrize("seed", range(5))
def test_resampling_copies_in_proportion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(7, 0.5))
    weights[rng.integers(7)] = 0.0
    weights /= weights.sum()
    count = runs(20_000)
    copies = np.zeros((count, 7))
    for i in range(count):
        moves = systematic(weights, rng)
        copies[i] = np.bincount(moves, minlength=7)
        assert (moves[copies[i] > 0] == np.flatnonzero(copies[i] > 0)).all()  # what stays, stays in its place
    assert (np.abs(copies - 7 * weights) < 1 + 1e-9).all()  # systematic: never off by one or more
    errors = copies.std(0) / math.sqrt(count)
    assert (np.abs(copies.mean(0) - 7 * weights) <= 4.5 * errors + 1e-12).all()
    assert (copies[:, weights == 0] == 0).all()


def test_no_rounding_revives_what_has_no_weight() -> None:
    class Extreme:
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    for value in (0.0, 1 - 2**-53):
        for weights in ([0.1] * 10 + [0.0], [0.0] + [0.1] * 10, [0.0, 1e-300, 1.0, 0.0]):
            moves = systematic(np.array(weights), Extreme(value))  # type: ignore[arg-type]
            assert all(weights[i] > 0 for i in moves)


def test_effective_size() -> None:
    assert effective_size([0.0] * 8) == pytest.approx(8)
    assert effective_size([-1000.0, -1000.0, -math.inf]) == pytest.approx(2)
    assert effective_size([-math.inf] * 3) == 0


# ---- what goes wrong


def assert_dead(result: Posterior, reason: str) -> None:
    assert result.finish_reason == reason
    assert result.answers == () and result.ess == 0 and set(result.weights) == {0.0}
    assert result.log_normalizer == -math.inf
    assert result.draw(np.random.default_rng(0)) is None
    assert all(particle.log_weight == -math.inf for particle in result.particles)


def test_nothing_is_accepted() -> None:
    assert_dead(run(lambda text, complete: False, 0), "dead")
    assert_dead(run(lambda text, complete: text == "" and not complete, 0), "dead")


def test_nothing_is_complete_within_the_budget() -> None:
    assert_dead(run(lambda text, complete: not complete, 0), "length")
    assert_dead(run(constrain.regex("[ab]{9}"), 0), "length")


def test_dead_particles_never_come_back() -> None:
    """A checker that promises too much: most particles die on the way, and no answer is theirs."""
    trap = lambda text, complete: text in ("ab", "a", "") if complete else text in ("", "a", "ab", "b", "ba")  # noqa: E731
    for seed in range(50):
        result = run(trap, seed, ess=1.0)
        assert {answer.text for answer in result.answers} <= {"ab", "a", ""}
        assert all(
            particle.log_weight == -math.inf for particle in result.particles if particle.text not in ("ab", "a", "")
        )


def test_a_checker_that_raises() -> None:
    def broken(text: str, complete: bool) -> bool:
        if len(text) > 1:
            raise OSError("no such table")
        return True

    population = Population(Oracle(broken, VOCABULARY), 4, Settings(MOST), np.random.default_rng(1))
    for _ in range(MOST):
        before = population.result()
        try:
            population.advance(model([p.tokens for p in population.positions]))  # type: ignore[union-attr]
        except CheckerError as error:
            assert "raised OSError about" in str(error) and isinstance(error.__cause__, OSError)
            assert population.result().particles == before.particles  # as it was
            return
    pytest.fail("it should have raised")


def test_a_checker_that_is_not_boolean() -> None:
    with pytest.raises(CheckerError, match=r"answered 1 \(int\) about '', not True or False"):
        run(lambda text, complete: 1, 0)


def test_a_checker_that_contradicts_itself() -> None:
    with pytest.raises(CheckerError, match="contradicts itself: the empty text is complete, but cannot be completed"):
        run(lambda text, complete: complete, 0)


def test_a_checker_that_changes_its_mind() -> None:
    """Each question is asked once for all particles that share a text, and its answer holds."""
    rng = np.random.default_rng(3)
    said: dict[tuple[str, bool], list[bool]] = {}

    def fickle(text: str, complete: bool) -> bool:
        answer = bool(rng.random() < 0.6) or text == ""
        said.setdefault((text, complete), []).append(answer)
        return answer

    for seed in range(20):
        said.clear()
        for answer in run(fickle, seed, 8).answers:
            assert any(said[answer.text, True])


def test_a_critic_that_fails() -> None:
    for answer in (math.nan, math.inf, "high", None):
        with pytest.raises(CheckerError, match="critic"):
            run(even, 0, critic=lambda text, complete: answer)  # noqa: B023


def test_a_model_that_is_broken() -> None:
    nan = lambda prefixes: np.full((len(prefixes), 4), np.nan)  # noqa: E731
    with pytest.raises(ConstrainError, match="logp is nan for token 0"):
        smc(nan, even, VOCABULARY, particles=2, max_tokens=4, rng=np.random.default_rng(0))
    none = lambda prefixes: np.full((len(prefixes), 4), -np.inf)  # noqa: E731
    assert_dead(smc(none, even, VOCABULARY, particles=2, max_tokens=4, rng=np.random.default_rng(0)), "dead")
    narrow = lambda prefixes: np.zeros((len(prefixes), 3))  # noqa: E731
    with pytest.raises(VocabularyError, match="3 wide"):
        smc(narrow, even, VOCABULARY, particles=2, max_tokens=4, rng=np.random.default_rng(0))


def test_arguments() -> None:
    for arguments in ({"ess": 1.5}, {"ess": -0.1}):
        with pytest.raises(ConstrainError, match="a share"):
            run(even, 0, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConstrainError, match="particles=0"):
        run(even, 0, particles=0)
    with pytest.raises(ConstrainError, match="max_tokens=0"):
        smc(model, even, VOCABULARY, particles=1, max_tokens=0, rng=np.random.default_rng(0))
    with pytest.raises(VocabularyError, match="EOS"):
        Oracle(even, constrain.Vocabulary.from_tokens(TOKENS))
    population = Population(Oracle(even, VOCABULARY), 2, Settings(3), np.random.default_rng(0))
    with pytest.raises(SpecTypeError, match="3 rows"):
        population.advance(np.zeros((3, 4)))


def test_room_for_the_end_only() -> None:
    """With one token there is the empty text, if it is complete."""
    result = smc(model, even, VOCABULARY, particles=3, max_tokens=1, rng=np.random.default_rng(0))
    assert [answer.text for answer in result.answers] == [""]
    assert math.exp(result.log_normalizer) == pytest.approx(math.exp(model([()])[0][EOS]))
    assert {particle.finish_reason for particle in result.particles} == {"closed"}


def test_equal_seeds_draw_equal_particles() -> None:
    assert run(even, 5).particles == run(even, 5).particles
    assert run(even, 5).particles != run(even, 6).particles


def test_equal_texts_are_one_answer_whatever_their_tokens() -> None:
    result = run(constrain.choice(["ab"]), 3, 200)
    assert len({particle.token_ids for particle in result.particles}) == 2
    assert [(answer.text, answer.particles) for answer in result.answers] == [("ab", 200)]


def test_history_leads_from_the_start_to_each_text() -> None:
    result = run(even, 11, 8, ess=1.0)
    for place, particle in enumerate(result.particles):
        at, pieces = place, []
        for step in reversed(result.history):
            at = step.ancestors[at]
            pieces.append(step.pieces[at])
        assert "".join(reversed(pieces)) == particle.text
