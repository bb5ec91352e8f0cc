"""One sentence in beam search: hypotheses under phrases and masks, and the best of those that have ended.

In:  for each step the best tokens of each hypothesis, with their log-probabilities.
Out: which hypotheses go on with which tokens; finished outputs, with scores and whether they meet the constraint.

Without constraints this is the beam search of transformers, score for score. With phrases it is dynamic beam allocation
(Post and Vilar 2018): next to the likeliest continuations (set A) it looks at those that bring a phrase nearer (B) and
at the best one of each hypothesis (C), and shares the beam among hypotheses that need the same number of tokens still.
Grid beam search (Hokamp and Liu 2017) gives each of these banks a beam of its own. Hypotheses are arrays; there is no
object for a candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from constrain.beam.pool import Pool
from constrain.errors import SpecTypeError, UnsatisfiableError
from constrain.kernels import beams as kernels
from constrain.kernels.phrases import GROUP, MET, NEED, NEVER

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton
    from constrain.beam.tracker import Rows, Tracker
    from constrain.engine.states import State

Tokens = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

ALLOCATIONS = ("shares", "turns", "sets", "grid")
_AHEAD = 48
"""Tokens left beyond the shortest way to complete a text from which on hypotheses are asked for theirs."""


@dataclass(frozen=True, slots=True)
class BeamSettings:
    """How to search.

    `allocation`: "shares" gives each bank of hypotheses an equal share of the beam (Post and Vilar 2018), "turns" takes
    the best of each bank in turn (Hu et al. 2019), "sets" does so for the sets of clauses that are met (as NeuroLogic
    does, Lu et al. 2021), "grid" gives each bank `num_beams` hypotheses (Hokamp and Liu 2017).
    """

    num_beams: int
    max_new_tokens: int
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    allocation: str = "shares"
    forced: int = 2
    """Tokens that are tried for each phrase and hypothesis, the likeliest of those that bring it nearer."""
    prune: float | None = None
    """Hypotheses are dropped that are this much worse than the best output that meets the constraint."""

    def __post_init__(self) -> None:
        if self.allocation not in ALLOCATIONS:
            raise SpecTypeError(f"allocation is one of {', '.join(ALLOCATIONS)}, not {self.allocation!r}")
        if self.num_beams < 1 or self.max_new_tokens < 1 or self.forced < 1:
            raise SpecTypeError("num_beams, max_new_tokens and forced are 1 or more")


@dataclass(frozen=True, slots=True)
class Advice:
    """What a step has to ask the model for."""

    forbidden: list[Tokens]
    """For each hypothesis, tokens to be given -inf."""
    masks: npt.NDArray[np.int32] | None
    """The masks of the automaton, a row for each hypothesis; None allows everything."""
    places: Tokens
    """Hypotheses and tokens whose log-probabilities are asked for: int64[2, m]."""
    phrases: Tokens
    """The phrase that each of these brings nearer; -1 for those that are tried in any case."""


@dataclass(slots=True)
class _Beam:
    """The hypotheses that go on, best first. There may be fewer than places."""

    scores: Scores
    tokens: Tokens
    """[n, T]"""
    history: npt.NDArray[np.int32]
    """The rows of the model that each came from: [n, T]."""
    rows: Rows | None = None
    """Where each stands with the phrases."""
    verdicts: Tokens | None = None
    states: list[State] = field(default_factory=list)
    """Where each stands in the automaton."""


@dataclass(slots=True)
class _Candidates:
    """Continuations, best first."""

    parents: Tokens
    tokens: Tokens
    scores: Scores
    ends: Flags
    """Whether the output ends with them."""
    rows: Rows | None = None
    verdicts: Tokens | None = None
    states: list[State | None] = field(default_factory=list)

    def kept(self, chosen: npt.NDArray[Any]) -> _Candidates:
        rows = None if self.rows is None else self.rows[chosen]
        verdicts = None if self.verdicts is None else self.verdicts[chosen]
        numbers = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        states = [self.states[i] for i in numbers.tolist()] if self.states else []
        flat = (self.parents[chosen], self.tokens[chosen], self.scores[chosen], self.ends[chosen])
        return _Candidates(*flat, rows, verdicts, states)


class Sentence:
    """Beam search for one sentence, a step at a time: `advise`, ask the model, `step`.

    `tracker` and `automaton` are what it has to meet; either may be None. Raises UnsatisfiableError if the phrases need
    more tokens than there may be.
    """

    def __init__(
        self,
        settings: BeamSettings,
        eos_ids: Sequence[int] = (),
        tracker: Tracker | None = None,
        automaton: TokenAutomaton | None = None,
    ) -> None:
        self.settings, self.tracker, self.automaton = settings, tracker, automaton
        self._eos = np.array(sorted(eos_ids), np.int64)
        self.length = 0
        """Tokens written."""
        self.closed = False
        """Whether nothing that is still written can change the outcome."""
        self._need = 0 if tracker is None else tracker.need
        self._check_room()
        self.width = settings.num_beams * (self._need + 1 if settings.allocation == "grid" else 1)
        """Rows of the model that the sentence takes."""
        self.pool = Pool(settings.num_beams)
        empty = np.zeros((1, settings.max_new_tokens), np.int64)
        self._beam = _Beam(np.zeros(1, np.float32), empty, empty.astype(np.int32) - 1)
        if tracker is not None:
            self._beam.rows = tracker.start(1)
            self._beam.verdicts = tracker.judge(self._beam.rows)
        if automaton is not None:
            self._beam.states = [automaton.start]
        self._steered = np.zeros(1, np.bool_)

    @property
    def live(self) -> int:
        """Hypotheses that go on: the first rows of `width`."""
        return len(self._beam.scores)

    @property
    def keep(self) -> int:
        """How many of the best tokens of each hypothesis a step needs."""
        return max(2, 1 + len(self._eos)) * self.settings.num_beams

    def advise(self) -> Advice:
        """What may not come next, and which log-probabilities are needed whatever they are."""
        forbidden = [np.zeros(0, np.int64)] * self.live
        wanted: list[tuple[int, Tokens, Tokens]] = []
        met = self._may_end()
        if self.tracker is not None:
            assert self._beam.rows is not None and self._beam.verdicts is not None
            for i, outlook in enumerate(self.tracker.outlooks(self._beam.rows, self._beam.verdicts)):
                forbidden[i] = outlook.fatal if met[i] else np.concatenate([outlook.fatal, self._eos])
                if len(outlook.tokens):
                    wanted.append((i, outlook.tokens, outlook.phrases))
                if met[i]:
                    wanted.append((i, self._eos, np.full(len(self._eos), -1)))
        wanted += [(i, tokens, np.full(len(tokens), -1)) for i, tokens in self._closing()]
        wanted.sort(key=lambda one: one[0])
        places = [np.stack([np.full(len(tokens), i), tokens]) for i, tokens, _ in wanted]
        return Advice(
            forbidden,
            self._masks(),
            np.concatenate(places, axis=1) if places else np.zeros((2, 0), np.int64),
            np.concatenate([phrases for *_, phrases in wanted]) if wanted else np.zeros(0, np.int64),
        )

    def step(
        self,
        advice: Advice,
        ids: Tokens,
        logs: Scores,
        more: Scores,
        stops: Callable[[Tokens, Tokens], Flags] | None = None,
    ) -> tuple[Tokens, Tokens]:
        """Read the model's answers; the parents and tokens of the hypotheses that go on: int64[live] each.

        `ids` (int64[live, keep]) and `logs` (float32) are the best tokens of each hypothesis, best first; `more`
        (float32[m]) are the log-probabilities of `advice.places`. `stops` says for parents and tokens which of them
        end the output for another reason than an EOS token.
        """
        may_end = self._may_end()
        found = self._gather(ids, logs, self._likeliest(advice, more))
        self.length += 1
        is_last = self.length == self.settings.max_new_tokens
        found = self._alive(found)
        stopped = found.ends.copy()
        if stops is not None:
            stopped |= stops(found.parents, found.tokens)
        stopped |= is_last
        self._finish(found, stopped, may_end, (ids, logs))
        if len(found.scores) == 0:
            self._give_up(may_end)
        going = found.kept(~stopped)
        chosen = going.kept(self._allocate(going))
        self._follow(chosen)
        self._close(is_last)
        return chosen.parents, chosen.tokens

    # ---- before the model

    def _may_end(self) -> Flags:
        """Which hypotheses meet everything as they are."""
        met = np.ones(self.live, np.bool_)
        if self.tracker is not None and self._beam.verdicts is not None:
            met &= self.tracker.is_met(self._beam.verdicts)
        if self.automaton is not None:
            met &= np.array([state.accepting for state in self._beam.states], np.bool_)
        return met

    def _masks(self) -> npt.NDArray[np.int32] | None:
        if self.automaton is None:
            return None
        space = self.automaton.space
        masks = np.zeros((self.live, space.width), np.int32)
        for state, mask in zip(self._beam.states, masks):
            space.fill(state, mask)
        return masks

    def _closing(self) -> list[tuple[int, Tokens]]:
        """The first token of the shortest way to the end, for hypotheses that have little room for it."""
        found = []
        left = self.settings.max_new_tokens - self.length
        self._steered = np.zeros(self.live, np.bool_)
        for i, state in enumerate(self._beam.states):
            assert self.automaton is not None
            rest = self.automaton.space.completion(state)
            if rest is None or not len(rest) <= left <= len(rest) + _AHEAD:
                continue
            self._steered[i] = True
            found.append((i, np.array(rest[:1], np.int64) if rest else self._eos))
            after = self.automaton.space.step(state, rest[0]) if rest else None
            if after is not None:
                self.automaton.space.note_completion(after, rest[1:])  # else a longer one could be found from there
        return found

    # ---- candidates

    def _likeliest(self, advice: Advice, more: Scores) -> tuple[Tokens, Scores]:
        """Of the tokens that bring a phrase nearer the likeliest few, for each hypothesis and phrase."""
        order = np.lexsort((-more, advice.phrases, advice.places[0]))
        rows, phrases = advice.places[0][order], advice.phrases[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (rows[1:] != rows[:-1]) | (phrases[1:] != phrases[:-1])
        first = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
        near = (np.arange(len(order)) - first < self.settings.forced) | (phrases < 0)
        return np.ascontiguousarray(advice.places[:, order[near]]), more[order[near]]

    def _gather(self, ids: Tokens, logs: Scores, more: tuple[Tokens, Scores]) -> _Candidates:
        room = ids.size + len(more[1])
        pairs, scores = np.empty((2, room), np.int64), np.empty(room, np.float32)
        keep = ids.size if self.settings.allocation == "grid" else self.keep
        count = int(kernels.gather(self._beam.scores, ids, logs, more, keep, (pairs, scores)))
        parents, tokens = pairs[:, :count]
        found = _Candidates(parents, tokens, scores[:count], np.isin(tokens, self._eos))
        if self.tracker is not None and self._beam.rows is not None:
            found.rows = self.tracker.move(self._beam.rows, parents, tokens)
            found.verdicts = self.tracker.judge(found.rows)
        return found

    def _alive(self, found: _Candidates) -> _Candidates:
        """Without those that can meet the phrases no more, or that the automaton does not allow."""
        if found.verdicts is not None:
            found = found.kept((found.verdicts[:, NEED] < NEVER) & ((found.verdicts[:, NEED] == 0) | ~found.ends))
        return self._pruned(self._stepped(found))

    def _is_late(self, found: _Candidates) -> Flags:
        """Which candidates are not known to meet everything in time.

        They take places that are left over only. As long as one of the others has a place, so has one of those that
        follow it: what is needed by it, token after token, is among the candidates.
        """
        late = np.zeros(len(found.scores), np.bool_)
        left = self.settings.max_new_tokens - self.length
        if found.verdicts is not None:
            late |= found.verdicts[:, NEED] > left
        if self.automaton is not None:
            steered = self._steered[found.parents].tolist()
            late |= np.array([s and not self._closes(one, left) for s, one in zip(steered, found.states)], np.bool_)
        return late

    def _stepped(self, found: _Candidates) -> _Candidates:
        """With the states of the automaton; without those that it does not allow."""
        if self.automaton is None:
            return found
        step, states = self.automaton.space.step, self._beam.states
        pairs = zip(found.parents.tolist(), found.tokens.tolist(), found.ends.tolist())
        found.states = [states[b] if ends else step(states[b], token) for b, token, ends in pairs]
        allowed = [state is not None for state in found.states]
        return found if all(allowed) else found.kept(np.array(allowed, np.bool_))

    def _closes(self, state: State | None, left: int) -> bool:
        """Whether a text is known to be completed in time."""
        assert self.automaton is not None and state is not None
        rest = self.automaton.space.completion(state)
        return rest is not None and len(rest) <= left

    def _pruned(self, found: _Candidates) -> _Candidates:
        best = self.pool.best_raw
        if self.settings.prune is None or best is None:
            return found
        return found.kept(found.scores >= best - self.settings.prune)

    # ---- what has ended

    def _finish(self, found: _Candidates, stopped: Flags, may_end: Flags, lists: tuple[Tokens, Scores]) -> None:
        """Put what has ended into the pool: candidates that are among the best of those that meet the constraint."""
        if self.closed or (self.settings.early_stopping is True and self.pool.is_full):
            return
        met = self._met(found)
        norm = self.length**self.settings.length_penalty
        places = self.settings.num_beams
        better = {True: 0, False: 0}
        for i in np.flatnonzero(stopped).tolist():
            better[bool(met[i])] += 1
            if better[bool(met[i])] > places:
                continue
            if self.length < self.settings.max_new_tokens:
                if int(kernels.rank(self._beam.scores, *lists, may_end, found.scores[i])) >= places:
                    continue
            parent = found.parents[i]
            tokens, history = self._beam.tokens[parent].copy(), self._beam.history[parent].copy()
            tokens[self.length - 1], history[self.length - 1] = found.tokens[i], parent
            need = 0 if found.verdicts is None else int(found.verdicts[i, NEED])
            order = (bool(met[i]), -need, float(found.scores[i] / np.float32(norm)))
            self.pool.add(order, float(found.scores[i]), self.length, tokens, history)

    def _give_up(self, may_end: Flags) -> None:
        """Nothing may follow any hypothesis: what there is goes into the pool, for want of something better."""
        length = self.length - 1
        norm = np.float32(max(1, length) ** self.settings.length_penalty)
        for i, score in enumerate(self._beam.scores):
            need = 0 if self._beam.verdicts is None else int(self._beam.verdicts[i, NEED])
            order = (bool(may_end[i]), -need, float(score / norm))
            self.pool.add(order, float(score), length, self._beam.tokens[i], self._beam.history[i])

    def _met(self, found: _Candidates) -> Flags:
        """Whether candidates meet everything, if the output ends with them."""
        met = np.ones(len(found.scores), np.bool_)
        if self.tracker is not None and found.verdicts is not None:
            met &= self.tracker.is_met(found.verdicts)
        if self.automaton is not None:
            met &= np.array([state is not None and state.accepting for state in found.states], np.bool_)
        return met

    def _close(self, is_last: bool) -> None:
        """Note if nothing better can come: no hypothesis, or none that could still reach the worst of a full pool."""
        if is_last or self.live == 0:
            self.closed = True
        elif self.pool.is_full:
            penalty, early = self.settings.length_penalty, self.settings.early_stopping
            length = self.settings.max_new_tokens if early == "never" and penalty > 0.0 else self.length
            best = self._beam.scores.max() / np.float32(length**penalty)
            self.closed = self.closed or early is True or not best > self.pool.worst

    # ---- places in the beam

    def _allocate(self, going: _Candidates) -> Flags:
        """Which candidates go on."""
        late = self._is_late(going)
        chosen = ~late
        chosen[chosen] = self._given_places(going.kept(chosen) if late.any() else going)
        left_over = max(0, self.width - int(chosen.sum()))
        chosen[np.flatnonzero(late)[:left_over]] = True
        return chosen

    def _given_places(self, going: _Candidates) -> Flags:
        """Which candidates go on, of those that are in time."""
        count, places = len(going.scores), self.settings.num_beams
        chosen = np.zeros(count, np.bool_)
        if going.verdicts is None or self._need == 0:
            chosen[:places] = True
            return chosen
        banks = self._banks(going)
        if self.settings.allocation in ("turns", "sets"):
            kernels.take_in_turn(banks, places, chosen)
            return chosen
        counts = np.bincount(banks, minlength=int(banks.max(initial=0)) + 1)
        shares = np.full_like(counts, places) if self.settings.allocation == "grid" else kernels.share(counts, places)
        kernels.take_shares(banks, shares, chosen)
        return chosen

    def _banks(self, going: _Candidates) -> Tokens:
        """The bank of each candidate. Of more banks than places several are taken together, but for the last."""
        assert going.verdicts is not None
        if self.settings.allocation == "sets":
            order = np.lexsort((going.verdicts[:, GROUP], going.verdicts[:, MET]))
            keys = going.verdicts[order][:, [MET, GROUP]]
            new = np.ones(len(keys), np.bool_)
            new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
            banks = np.empty(len(keys), np.int64)
            banks[order] = np.cumsum(new) - 1
            return banks
        most = max(self._need, 1)
        banks = most - np.minimum(going.verdicts[:, NEED], most)
        places = self.settings.num_beams
        if self.settings.allocation == "grid" or most < places:
            return banks
        joined: Tokens = np.where(banks == most, places - 1, banks * (places - 1) // most)
        return joined

    def _follow(self, chosen: _Candidates) -> None:
        """Make the chosen candidates the beam."""
        before, parents = self._beam, chosen.parents
        tokens, history = before.tokens[parents], before.history[parents]
        tokens[:, self.length - 1], history[:, self.length - 1] = chosen.tokens, parents
        states = [state for state in chosen.states if state is not None]
        self._beam = _Beam(chosen.scores, tokens, history, chosen.rows, chosen.verdicts, states)

    def _check_room(self) -> None:
        """Raise if the phrases take more tokens than there may be."""
        most = self.settings.max_new_tokens
        if self.tracker is None or self._need <= most:
            return
        least = self.tracker.least
        if least > most:
            raise UnsatisfiableError(
                f"the phrases take at least {least} tokens, and the output may have {most}: "
                "allow more tokens, or ask for fewer phrases"
            )
