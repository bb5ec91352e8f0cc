"""Adaptive weighted rejection sampling inside `model.generate()`: a logits processor that draws the token itself.

In:  `input_ids` (LongTensor[rows, length], prompt included) and `scores` (FloatTensor[rows, width]).
Out: scores with the drawn token as the only finite one of each row. Log-weights are kept for each row.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers

from constrain.errors import SpecTypeError, UnsupportedError
from constrain.sampling.oracle import Oracle, Position
from constrain.sampling.rejection import DEAD, Draw, Step, awrs

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the batch: where its text stands."""

    position: Position | None
    log_weight: float
    finish_reason: str = ""
    """Why it goes no further: "complete", "closed", "length" or "dead", as of a `constrain.sampling.Particle`."""
    evaluations: int = 0
    """Tokens about which the checker was asked."""


class AWRSLogitsProcessor(transformers.LogitsProcessor):  # type: ignore[misc]
    """Draws a token that the checker accepts, for each row, and leaves it as the only finite score.

    Pass it as `logits_processor=[processor]`, with greedy decoding or sampling, batches and `num_return_sequences`. It
    draws from what the model's scores are after all other processors: those before it in the list, and those behind
    it, such as temperature and top-p. A row of which nothing is accepted is ended with an EOS token, and its
    log-weight is -inf.

    `log_weights` and `rows` tell of the latest call of `generate`. With `max_new_tokens`, the last token is the end of
    the output, where that is allowed, and the weight makes up for it; else outputs can be cut short.

    Raises UnsupportedError where others choose the tokens: beams, assisted decoding.

        processor = AWRSLogitsProcessor(checker, vocabulary)
        model.generate(**inputs, logits_processor=[processor], do_sample=True)
        processor.log_weights
    """

    supports_continuous_batching = False

    def __init__(
        self,
        checker: Any,
        vocabulary: Vocabulary,
        *,
        per_prompt: bool = False,
        max_new_tokens: int | None = None,
        step: Step = awrs,
        rng: np.random.Generator | None = None,
    ) -> None:
        """`checker` is what `constrain.sampling.as_checker` takes; with `per_prompt` a list, one for each prompt of the
        batch. Without `rng`, random numbers follow `torch.manual_seed`."""
        checkers = list(checker) if per_prompt else [checker]
        self._oracles = [Oracle(one, vocabulary) for one in checkers]
        self._budget, self._step, self._rng = max_new_tokens, step, rng
        self.rows: list[Row] = []
        """The rows of the latest call of `generate`."""
        self._expected: np.ndarray | None = None  # the next ids, if the call goes on

    @property
    def log_weights(self) -> np.ndarray:
        """The log-weight of each row of the latest call of `generate`: float64[rows]."""
        return np.array([row.log_weight for row in self.rows])

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """The scores, with -inf for all tokens but the drawn one. Rows that have ended are unchanged."""
        ids = input_ids.cpu().numpy()
        rows = self.rows if self._goes_on(ids, scores.device.type) else self._begin(len(ids))
        logp = _log_probabilities(self, input_ids, scores)
        rng = self._rng or generator()
        moved = [row if row.finish_reason else None for row in rows]
        drawn = np.full(len(rows), -1)
        for i, row in enumerate(rows):
            if moved[i] is None:
                drawn[i], moved[i] = self._move(self._oracle(i, len(rows)), row, logp[i], rng)
        self.rows = moved  # type: ignore[assignment]
        self._expected = np.column_stack([ids, drawn])
        return _only(scores, drawn)

    def _begin(self, count: int) -> list[Row]:
        if count % len(self._oracles):
            raise SpecTypeError(f"{len(self._oracles)} checkers do not divide the {count} rows of the batch evenly")
        starts = [self._oracle(i, count).start() for i in range(count)]
        return [Row(start, 0.0) for start in starts]

    def _oracle(self, row: int, count: int) -> Oracle:
        return self._oracles[row * len(self._oracles) // count]

    def _move(self, oracle: Oracle, row: Row, logp: Any, rng: np.random.Generator) -> tuple[int, Row]:
        """The token of a row, and the row after it."""
        before = oracle.evaluations
        position, forced = row.position, False
        draw = Draw(None, DEAD)
        if position is not None:
            forced = self._budget is not None and len(position.tokens) == self._budget - 1
            draw = oracle.end(position, logp) if forced else oracle.draw(position, logp, self._step, rng)
        found = draw.token is not None and draw.log_weight > DEAD and position is not None
        after = oracle.follow(position, draw.token) if found else None  # type: ignore[arg-type]
        asked = row.evaluations + oracle.evaluations - before
        if after is None or draw.token is None:
            return oracle.vocabulary.eos_ids[0], Row(position, DEAD, "length" if forced else "dead", asked)
        reason = ("closed" if forced else "complete") if after.ended else ""
        return draw.token, Row(after, row.log_weight + draw.log_weight, reason, asked)

    def _goes_on(self, ids: np.ndarray, device: str) -> bool:
        """Whether these are the rows of the latest step with the tokens that were drawn, and not another call's.

        Rows that have all ended begin a new call. (On MPS, `generate` notices that they ended a step late.)
        """
        expected = self._expected
        if expected is None or ids.shape != expected.shape:
            return False
        if all(row.finish_reason for row in self.rows) and device != "mps":
            return False
        known = np.where(expected == -1, ids, expected)  # rows that ended are padded with anything
        if (known == ids).all():
            return True
        if {row.tobytes() for row in ids[:, :-1]} <= {row.tobytes() for row in expected[:, :-1]}:
            raise UnsupportedError(
                "AWRSLogitsProcessor draws the tokens, but others were chosen, or rows were reordered: it works with "
                "sampling and greedy decoding (num_beams=1, no assistant). For beams take constrain.hf.LogitsProcessor"
            )
        return False


def generator() -> np.random.Generator:
    """Random numbers that follow `torch.manual_seed`."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def log_softmax(scores: torch.Tensor) -> np.ndarray:
    """Log-probabilities (float32[rows, width]) in memory; NaN where scores are."""
    logp: np.ndarray = torch.log_softmax(scores.detach().to(torch.float32), dim=-1).cpu().numpy()
    logp[np.isnan(logp).all(1) & _is_empty(scores)] = -np.inf  # nothing has mass: no 0 / 0
    return logp


def _is_empty(scores: torch.Tensor) -> np.ndarray:
    empty: np.ndarray = torch.isneginf(scores.amax(-1)).cpu().numpy()
    return empty


def _log_probabilities(processor: Any, input_ids: torch.Tensor, scores: torch.Tensor) -> np.ndarray:
    """What is drawn from: the scores after the processors that come behind this one, too."""
    for other in _processors_behind(processor):
        scores = other(input_ids, scores.clone())
    return log_softmax(scores)


def _processors_behind(processor: Any) -> Sequence[Any]:
    """Those that the list which is calling would apply next, and will apply to the drawn tokens, which they leave."""
    frame = sys._getframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, transformers.LogitsProcessorList) and processor in caller:
            behind = list(caller)[list(caller).index(processor) + 1 :]
            return [other for other in behind if len(inspect.signature(other.__call__).parameters) == 2]
        frame = frame.f_back  # type: ignore[assignment]
    return []


def _only(scores: torch.FloatTensor, drawn: np.ndarray) -> torch.FloatTensor:
    """Scores of 0 for the drawn tokens and -inf for all others; -1 leaves a row as it is."""
    rows = np.flatnonzero(drawn >= 0)
    result = scores.clone()
    result[rows] = -torch.inf
    result[rows, drawn[rows]] = 0.0
    return result  # type: ignore[return-value]
