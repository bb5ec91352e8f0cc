"""Sequential Monte Carlo: texts written side by side, weighted by how likely the constraint leaves them, and resampled.

In:  a model that gives log-probabilities of the next token; a checker.
Out: `Posterior`: texts as samples of the model's distribution given the constraint, and the constraint's probability.

The weight of a particle is an unbiased estimate of what the constraint let through along its text. When few particles
carry most of the weight, as told by the effective sample size, they are resampled: each is copied in proportion to its
weight. Particles that have ended, or died, take part. Loula et al., "Syntactic and Semantic Control of Large Language
Models via Sequential Monte Carlo" (ICLR 2025); Lew et al., "Sequential Monte Carlo Steering" (2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from constrain.errors import CheckerError, ConstrainError, SpecTypeError
from constrain.sampling import posterior as values
from constrain.sampling.oracle import Oracle, Position
from constrain.sampling.posterior import Particle, Posterior, normalised
from constrain.sampling.rejection import DEAD, Draw, Step, awrs, log_mean

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Critic = Callable[[str, bool], float]
"""`critic(text, complete)`: the log of a factor. For an unfinished text a guess, which steers resampling and is taken
back in the next step; for a complete one a part of the target."""
Model = Callable[[Sequence[tuple[int, ...]]], Any]
Moves = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """How particles are moved."""

    max_tokens: int
    """Tokens of a text at most, EOS counted."""
    ess: float = 0.5
    """Share of the particles: with a smaller effective size they are resampled. 0 is never, 1 nearly always."""
    critic: Critic | None = None
    step: Step = awrs
    """Draws a token with its log-weight: `awrs`, or it with arguments (`functools.partial`)."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConstrainError(f"max_tokens={self.max_tokens}: a text has room for its end at least")
        if not 0 <= self.ess <= 1:
            raise ConstrainError(f"ess={self.ess}: a share of the particles, 0 to 1")


class Population:
    """Particles that are written side by side. Call `advance` with what the model says until `done`."""

    def __init__(self, oracle: Oracle, count: int, settings: Settings, rng: np.random.Generator) -> None:
        """Raises ConstrainError for fewer than one particle."""
        if count < 1:
            raise ConstrainError(f"particles={count}: at least 1")
        self._oracle, self._settings, self._rng = oracle, settings, rng
        start = oracle.start()
        self._positions: list[Position | None] = [start] * count
        self._log_weights = [DEAD if start is None else 0.0] * count
        self._twists = [0.0] * count
        self._ends = ["dead" if start is None else ""] * count
        """Why each particle goes no further; "" while it does."""
        self._history: list[values.Step] = []

    @property
    def done(self) -> bool:
        """Whether no particle goes further."""
        return all(self._ends)

    @property
    def positions(self) -> list[Position | None]:
        """Where each particle stands."""
        return list(self._positions)

    @property
    def active(self) -> list[bool]:
        """Which particles go further."""
        return [not end for end in self._ends]

    def advance(self, logp: Any) -> tuple[list[int | None], Moves]:
        """Move each particle by one token, and resample if weights are uneven.

        `logp` is float[particles, at least the vocabulary's size]: log-probabilities of the next token of each; rows of
        particles that have ended do not matter. Returns the token that each read (None: it has ended), and from which
        place each particle comes now (int64[particles]; its own if nothing was resampled).
        """
        if len(logp) != len(self._ends):
            raise SpecTypeError(f"advance: {len(logp)} rows of log-probabilities for {len(self._ends)} particles")
        before = [0 if position is None else len(position.data) for position in self._positions]
        drawn = [None if self._ends[i] else self._draw(i, logp[i]) for i in range(len(self._ends))]
        # From here on nothing of the user is called that could raise, but for the critic, which comes first.
        moved = [self._judged(i, draw) for i, draw in enumerate(drawn)]
        for i, move in enumerate(moved):
            if move is not None:
                self._positions[i], self._log_weights[i], self._twists[i], self._ends[i] = move
        pieces = tuple(
            "" if draw is None or position is None else position.data[start:].decode("utf-8", "replace")
            for draw, position, start in zip(drawn, self._positions, before)
        )
        weights, ess = tuple(self._log_weights), effective_size(self._log_weights)
        ancestors = self._resampled() if self._are_uneven(ess) else np.arange(len(weights))
        self._history.append(values.Step(pieces, weights, tuple(ancestors.tolist()), ess))
        return [None if draw is None else draw.token for draw in drawn], ancestors

    def stop(self) -> None:
        """Go no further: what has not ended by now never counts."""
        for i, end in enumerate(self._ends):
            if not end:
                self._log_weights[i], self._ends[i] = DEAD, "length"

    def result(self) -> Posterior:
        """The particles as they are. Those that have not ended count for nothing."""
        particles = [
            Particle(
                text="" if position is None else position.text,
                token_ids=() if position is None else position.tokens,
                log_weight=log_weight if end else DEAD,
                finish_reason=end or "length",
            )
            for position, log_weight, end in zip(self._positions, self._log_weights, self._ends)
        ]
        return Posterior(tuple(particles), self._oracle.evaluations, tuple(self._history))

    def _draw(self, i: int, logp: Any) -> Draw:
        position = self._positions[i]
        assert position is not None
        if len(position.tokens) == self._settings.max_tokens - 1:
            return self._oracle.end(position, logp)
        return self._oracle.draw(position, logp, self._settings.step, self._rng)

    def _judged(self, i: int, draw: Draw | None) -> tuple[Position | None, float, float, str] | None:
        """Where a particle stands after a draw, its log-weight and twist, and why it goes no further."""
        position = self._positions[i]
        if draw is None or position is None:
            return None
        log_weight = self._log_weights[i] - self._twists[i] + draw.log_weight
        forced = len(position.tokens) == self._settings.max_tokens - 1
        after = None if log_weight == DEAD or draw.token is None else self._oracle.follow(position, draw.token)
        if after is None:
            return position, DEAD, 0.0, "length" if forced else "dead"
        if after.ended:
            return after, log_weight + self._criticised(after, True), 0.0, "closed" if forced else "complete"
        twist = self._criticised(after, False) if self._settings.ess > 0 else 0.0  # it would steer nothing
        if twist == DEAD:
            return after, DEAD, 0.0, "dead"
        return after, log_weight + twist, twist, ""

    def _criticised(self, position: Position, complete: bool) -> float:
        critic = self._settings.critic
        if critic is None:
            return 0.0
        try:
            answer = critic(position.text, complete)
            value = float(answer)
        except ConstrainError:
            raise
        except Exception as error:
            raise CheckerError(
                f"the critic raised {type(error).__name__} about {position.text[-40:]!r}: {error}"
            ) from error
        if math.isnan(value) or value == math.inf:
            raise CheckerError(
                f"the critic answered {answer!r:.40} about {position.text[-40:]!r}, not a finite log-factor"
            )
        return value

    def _are_uneven(self, ess: float) -> bool:
        rounding = 1 - 1e-12
        return not self.done and 0 < ess < self._settings.ess * len(self._ends) * rounding

    def _resampled(self) -> Moves:
        """Copy particles in proportion to their weights, which are all the mean from now on: where each comes from."""
        ancestors = systematic(normalised(self._log_weights), self._rng)
        self._positions = [self._positions[i] for i in ancestors]
        self._twists = [self._twists[i] for i in ancestors]
        self._ends = [self._ends[i] for i in ancestors]
        self._log_weights = [log_mean(self._log_weights)] * len(ancestors)
        return ancestors


def smc(
    model: Model,
    checker: Any,
    vocabulary: Vocabulary,
    *,
    particles: int,
    max_tokens: int,
    rng: np.random.Generator,
    ess: float = 0.5,
    critic: Critic | None = None,
    step: Step = awrs,
) -> Posterior:
    """Write texts with a model under a checker, by sequential Monte Carlo.

    `model(prefixes)` gives log-probabilities of the next token after each of some tuples of tokens:
    float[len(prefixes), vocabulary.size]. `checker` is whatever `as_checker` takes. The target is the model's
    distribution over texts of at most `max_tokens` tokens, EOS counted, that the checker accepts, times `critic` of
    the complete text.

    Raises CheckerError if the checker or the critic fails. If no particle is left, the result has no answers and its
    `finish_reason` says why.
    """
    population = Population(Oracle(checker, vocabulary), particles, Settings(max_tokens, ess, critic, step), rng)
    while not population.done:
        going = [i for i, active in enumerate(population.active) if active]
        prefixes = {population.positions[i].tokens: None for i in going}  # type: ignore[union-attr]
        rows = dict(zip(prefixes, model(list(prefixes))))
        population.advance([rows.get(position.tokens) if position else None for position in population.positions])
    return population.result()


def effective_size(log_weights: Sequence[float]) -> float:
    """(sum of w)^2 / sum of w^2: how many particles of equal weight would be as good; 0 if there is no weight.

    >>> effective_size([0.0, 0.0, -math.inf])
    2.0
    """
    weights = normalised(log_weights)
    total = float((weights**2).sum())
    return 1 / total if total else 0.0


def systematic(weights: npt.NDArray[np.float64], rng: np.random.Generator) -> Moves:
    """Systematic resampling: N places, place i on average N weights[i] times (int64[N]), and never where there is no
    weight. What stays does so at its own place, so that little has to be moved.

    >>> systematic(np.array([0.0, 1.0, 0.0]), np.random.default_rng(0)).tolist()
    [1, 1, 1]
    """
    count = len(weights)
    ends = np.cumsum(weights)
    points = (np.arange(count) + rng.random()) / count * ends[-1]
    last = int(np.flatnonzero(weights)[-1])
    chosen = np.minimum(np.searchsorted(ends, points, side="right"), last)
    return _in_place(chosen, count)


def _in_place(chosen: Moves, count: int) -> Moves:
    """The same choices, those of a place at that place where it was chosen at all."""
    copies = np.bincount(chosen, minlength=count)
    moves = np.where(copies > 0, np.arange(count), -1)
    moves[moves < 0] = np.repeat(np.arange(count), np.maximum(copies - 1, 0))
    return moves.astype(np.int64)
