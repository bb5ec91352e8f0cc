"""What particles say in the end: texts with probabilities, and how likely the constraint is to the model.

In:  the particles of a population and their log-weights.
Out: `Posterior`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from constrain.sampling.rejection import log_mean


@dataclass(frozen=True, slots=True)
class Particle:
    """One text with its weight."""

    text: str
    token_ids: tuple[int, ...]
    """Its tokens, without EOS."""
    log_weight: float
    """What it counts for, as a logarithm; -inf if it does not meet the constraint: such a text is no answer."""
    finish_reason: str
    """"complete": the model ended it; "closed": it had to end because of the budget; "length": the budget cut it short;
    "dead": nothing that could follow was accepted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A text that meets the constraint, with its share of the weights."""

    text: str
    probability: float
    particles: int
    """How many particles have it; their tokens may differ."""


@dataclass(frozen=True)
class Step:
    """One step of all particles, for pictures of them: what happened to each, by its place."""

    pieces: tuple[str, ...]
    """The text that each added."""
    log_weights: tuple[float, ...]
    """After the step, before particles were resampled."""
    ancestors: tuple[int, ...]
    """From which place each particle comes that goes into the next step."""
    ess: float
    """Effective number of particles; 0 if all are dead."""


@dataclass(frozen=True)
class Posterior:
    """Weighted samples of the model's distribution given the constraint."""

    particles: tuple[Particle, ...]
    evaluations: int
    """Tokens about which the checker was asked."""
    history: tuple[Step, ...] = ()

    @cached_property
    def log_normalizer(self) -> float:
        """Log of the estimate of the probability that the model gives to all texts that meet the constraint (within the
        budget). The estimate, not its logarithm, is unbiased."""
        return log_mean([particle.log_weight for particle in self.particles])

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """The share of each particle; they sum to 1, or are all 0 if no particle is left."""
        return tuple(normalised([particle.log_weight for particle in self.particles]).tolist())

    @cached_property
    def ess(self) -> float:
        """Effective number of particles: 1 / sum of squared weights; 0 if none is left."""
        total = sum(weight**2 for weight in self.weights)
        return 1 / total if total else 0.0

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The texts of all particles that count, the likeliest first. Equal texts are one, whatever their tokens."""
        shares: dict[str, list[float]] = defaultdict(list)
        for particle, weight in zip(self.particles, self.weights):
            if weight > 0:
                shares[particle.text].append(weight)
        found = [Answer(text, math.fsum(weights), len(weights)) for text, weights in shares.items()]
        return tuple(sorted(found, key=lambda answer: (-answer.probability, answer.text)))

    @property
    def finish_reason(self) -> str:
        """ "complete" if there are answers, else why there are none: "length" if the budget cut some particle short,
        "dead" if nothing more was accepted of any."""
        if self.answers:
            return "complete"
        return "length" if any(particle.finish_reason == "length" for particle in self.particles) else "dead"

    def draw(self, rng: np.random.Generator) -> Particle | None:
        """A particle, by weight; None if none is left."""
        if not self.answers:
            return None
        return self.particles[int(rng.choice(len(self.particles), p=np.array(self.weights) / math.fsum(self.weights)))]


def normalised(log_weights: Sequence[float]) -> np.ndarray:
    """Weights that sum to 1 (float64[N]); all 0 if there is no weight.

    >>> normalised([0.0, -np.inf]).tolist(), normalised([-np.inf]).tolist()
    ([1.0, 0.0], [0.0])
    """
    array = np.asarray(log_weights, np.float64)
    top = array.max(initial=-np.inf)
    if top == -np.inf:
        return np.zeros_like(array)
    weights = np.exp(array - top)
    shares: np.ndarray = weights / weights.sum()
    return shares
