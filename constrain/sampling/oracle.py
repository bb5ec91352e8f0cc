"""A checker at work: positions in texts, and what was answered about the tokens that could follow them.

In:  a checker and a vocabulary; token ids.
Out: answers, each asked for once; how many were asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from constrain.automaton import Bitmask
from constrain.errors import CheckerError, ConstrainError, VocabularyError
from constrain.sampling.checkers import Checker, as_checker
from constrain.sampling.order import Floats, as_log_masses
from constrain.sampling.rejection import DEAD, Draw, Step, masked

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

T = TypeVar("T")


class Position:
    """A text so far. Never changes, so that copies of a sequence share it, and what was answered about it."""

    __slots__ = ("complete", "data", "ended", "next", "state", "tokens")

    def __init__(self, state: Any, tokens: tuple[int, ...], data: bytes, ended: bool = False) -> None:
        self.state = state
        """What the checker knows of it."""
        self.tokens = tokens
        """Without EOS."""
        self.data = data
        """The bytes of the text, as decoding gives it."""
        self.ended = ended
        """Whether an EOS token was read."""
        self.next: dict[int, Position | None] = {}
        """What follows the tokens asked about; None after those that were rejected."""
        self.complete: bool | None = None
        """Whether the output may end here; None if nobody asked."""

    @property
    def text(self) -> str:
        """The text; bytes that are no characters are replaced."""
        return self.data.decode("utf-8", "replace")


class Oracle:
    """Answers of one checker over one vocabulary."""

    def __init__(self, checker: Any, vocabulary: Vocabulary) -> None:
        """Raises SpecTypeError if `checker` cannot become one, VocabularyError for a vocabulary without EOS ids."""
        if not vocabulary.eos_ids:
            raise VocabularyError(
                "weights need a vocabulary with EOS ids: whether the model ends a text is part of its probability; "
                "pass eos_ids= to Vocabulary.from_..."
            )
        self.vocabulary = vocabulary
        self.checker: Checker = as_checker(checker, vocabulary)
        self.evaluations = 0
        """Tokens that the checker was asked about. (What a mask rules out is not asked about.)"""
        self._eos = frozenset(vocabulary.eos_ids)
        spelled = np.diff(vocabulary.offsets) > 0
        named = [*vocabulary.eos_ids, *(vocabulary.special_tokens.values() if self.checker.reads_special else ())]
        spelled[named] = True
        self._silent = np.flatnonzero(~spelled)

    def start(self) -> Position | None:
        """The empty text; None if the checker says that nothing can be completed."""
        state = self._asked(b"", self.checker.start)
        return None if state is None else Position(state, (), b"")

    def draw(self, position: Position, logp: Any, step: Step, rng: np.random.Generator) -> Draw:
        """A token that may follow, with its log-weight: exact if a mask decides everything, else of `step`.

        `logp` is float[at least the vocabulary's size]: logarithms of the model's probabilities.
        """
        if len(logp) < self.vocabulary.size:
            raise VocabularyError(
                f"the model's logits are {len(logp)} wide, but the vocabulary has {self.vocabulary.size} ids"
            )
        if self.checker.masks:
            return masked(logp, np.flatnonzero(self._unpacked(self._mask(position))), rng)
        return step(
            self._pruned(position, as_log_masses(logp)), lambda token: self.follow(position, token) is not None, rng
        )

    def follow(self, position: Position, token: int) -> Position | None:
        """The position after a token, None if the checker rejects it."""
        if token not in position.next:
            position.next[token] = self._follow(position, token)
        return position.next[token]

    def end(self, position: Position, logp: Any) -> Draw:
        """The end of the output, whatever else could follow: the likeliest EOS id with the weight of all of them."""
        ends = as_log_masses(logp)[list(self.vocabulary.eos_ids)]
        best = self.vocabulary.eos_ids[int(np.argmax(ends))]
        log_weight = float(np.logaddexp.reduce(ends)) if self.is_complete(position) else DEAD
        return Draw(best, log_weight)

    def is_complete(self, position: Position) -> bool:
        """Whether the output may end here."""
        if position.complete is None:
            self.evaluations += not self.checker.masks
            position.complete = self._asked(position.data, lambda: self.checker.complete(position.state))
        return position.complete

    def _follow(self, position: Position, token: int) -> Position | None:
        if token in self._eos:
            ends = self.is_complete(position)
            return Position(position.state, position.tokens, position.data, ended=True) if ends else None
        spelled = self.vocabulary.token_bytes(token)
        self.evaluations += not self.checker.masks
        written = spelled[1:] if self._drops_space(position, spelled) else spelled
        data = position.data + written
        state = self._asked(data, lambda: self.checker.read(position.state, token, written if spelled else None))
        return None if state is None else Position(state, (*position.tokens, token), data)

    def _drops_space(self, position: Position, spelled: bytes) -> bool:
        return self.vocabulary.strips_leading_space and not position.tokens and spelled.startswith(b" ")

    def _pruned(self, position: Position, logp: Floats) -> Floats:
        """Without what needs no question: ids past the vocabulary, tokens without text, what a mask rules out."""
        row = self._mask(position)
        if (row == -1).all():
            pruned = logp[: self.vocabulary.size].copy()
            pruned[self._silent] = -np.inf
            return pruned
        return np.where(self._unpacked(row), logp[: self.vocabulary.size], -np.inf)

    def _mask(self, position: Position) -> Bitmask:
        row = np.full((self.vocabulary.size + 31) // 32, -1, np.int32)
        self._asked(position.data, lambda: self.checker.fill(position.state, row))
        return row

    def _unpacked(self, row: Bitmask) -> npt.NDArray[np.bool_]:
        return np.unpackbits(row.view(np.uint8), count=self.vocabulary.size, bitorder="little").view(np.bool_)

    def _asked(self, data: bytes, question: Callable[[], T]) -> T:
        """What the checker answers; errors of the user's code say which text they are about."""
        try:
            return question()
        except ConstrainError:
            raise
        except Exception as error:
            raise CheckerError(
                f"the checker {self.checker!r} raised {type(error).__name__} about {data[-40:]!r}: {error}"
            ) from error
