"""Constraints inside `model.generate()`: a logits processor and a stopping criterion for any Hugging Face model.

In:  `input_ids` (LongTensor[rows, length], prompt included) and `scores` (FloatTensor[rows, width]).
Out: scores with -inf on every token that the constraint forbids.

The state of a row is a function of the tokens generated in it, never of its row number: beams may be reordered,
drafts taken back, rows finished and padded, and the same processor used again for another call.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import transformers

from constrain.automaton import TokenAutomaton
from constrain.engine.states import State, StateSpace
from constrain.errors import ConflictError, ConstrainError, SpecTypeError, VocabularyError

if TYPE_CHECKING:
    from constrain.automaton import Bitmask

_Ids = npt.NDArray[np.int64]
_Row = tuple[int, bytes]
"""Which automaton a row obeys, and the tokens generated in it (int64)."""
_Path = list[State | None]
"""The states along a row, from the start on: one more than its tokens."""

_CALLS = 4
"""Calls of `generate` that are told apart."""


class _Call:
    """One call of `generate`: its prompts, and the rows of its latest step with the states along them.

    The next rows begin like some of these, wherever those stood: they grew by a token, or a draft was taken back.
    """

    def __init__(self, automata: list[TokenAutomaton], prompts: _Ids) -> None:
        self._automata, self._prompts = automata, prompts.tobytes()
        self._count, self.start = prompts.shape
        self.length = 0
        """Tokens generated up to the latest step."""
        self._paths: dict[_Row, _Path] = {(which, b""): [one.start] for which, one in enumerate(automata)}

    def enter(self, ids: _Ids) -> list[State | None] | None:
        """Make these rows the latest, and give their states; None if they do not belong to this call.

        They do if one of them adds at most one token to a row seen before, and not all of them have ended. A token
        that is not allowed can be a draft that follows what was seen last; after a step back it is another prompt.
        """
        length = ids.shape[1] - self.start
        if len(ids) != self._count or not 0 <= length <= self.length + 1:
            return None
        if ids[:, : self.start].tobytes() != self._prompts:
            return None
        rows = self._rows(ids)
        paths, strangers = self._read(rows)
        states = [path[-1] for path in paths]
        ended = all(state is not None and state.terminated for state in states)
        astray = length <= self.length and all(state is None for state in states)
        if strangers == len(rows) or ended or astray:
            return None
        self.length, self._paths = length, dict(zip(rows, paths))
        return states

    def states(self, ids: _Ids) -> list[State | None]:
        """The states of any rows of this call."""
        return [path[-1] for path in self._read(self._rows(ids))[0]]

    def _rows(self, ids: _Ids) -> list[_Row]:
        count = len(ids)
        if count % len(self._automata):
            raise SpecTypeError(f"{len(self._automata)} automata do not divide the {count} rows of the batch evenly")
        share = count // len(self._automata)
        return [(row // share, tokens.tobytes()) for row, tokens in enumerate(ids[:, self.start :])]

    def _read(self, rows: list[_Row]) -> tuple[list[_Path], int]:
        """The states along each row, and the number of rows that do not begin like one of the latest."""
        length = max(0, min(self.length, len(rows[0][1]) // 8 - 1))
        latest = {_cut(row, length): path for row, path in self._paths.items()}
        begun = [latest.get(_cut(row, length)) for row in rows]
        paths = [self._walk(row, path[: length + 1] if path else []) for row, path in zip(rows, begun)]
        return paths, begun.count(None)

    def _walk(self, row: _Row, path: _Path) -> _Path:
        """Continue a path to the end of its row."""
        space = self._automata[row[0]].space
        path = path or [self._automata[row[0]].start]
        for token in np.frombuffer(row[1], np.int64, offset=8 * (len(path) - 1)).tolist():
            path.append(_step(space, path[-1], token))
        return path


def _cut(row: _Row, length: int) -> _Row:
    return row[0], row[1][: 8 * length]


def _step(space: StateSpace, state: State | None, token: int) -> State | None:
    """As `StateSpace.step`, but what has left the language stays outside, and what has ended stays ended."""
    if state is None or state.terminated:
        return state
    return space.step(state, token) if 0 <= token < space.vocabulary.size else None


_AHEAD = 48
"""Tokens left beyond the shortest completion from which on an output is steered. A token that makes more than that
necessary at once can still leave it incomplete."""
_LIKELY = 32
"""Tokens that are considered then."""


class LogitsProcessor(transformers.LogitsProcessor):  # type: ignore[misc]
    """Forbids what an automaton forbids. Pass it as `logits_processor=[processor]`; it can be used again, see `reset`.

    `automata` is one automaton for all rows, or one for each prompt of the batch; with beams or several sequences a
    prompt, the rows of a prompt share its automaton. Rows that have ended, or whose tokens left the language (drafts
    that will be rejected), are returned unchanged, so that no row is ever all -inf.

    Raises ConflictError when other processors forbid everything that the constraint allows, VocabularyError when the
    model's logits are narrower than the vocabulary.

        model.generate(**inputs, logits_processor=[automaton.logits_processor()])
    """

    supports_continuous_batching = False

    def __init__(self, automata: TokenAutomaton | Sequence[TokenAutomaton], max_new_tokens: int | None = None) -> None:
        """With `max_new_tokens`, outputs are steered so that they are complete when that many tokens are written."""
        self.automata = _as_automata(automata)
        self._budget = max_new_tokens
        self._steered: set[_Row] = set()  # in the latest call of `generate`
        vocabularies = {automaton.vocabulary for automaton in self.automata}
        if len(vocabularies) > 1:
            raise VocabularyError("the automata of one batch are bound to different vocabularies; compile them for one")
        self._vocabulary = vocabularies.pop()
        self._calls: list[_Call] = []
        self.mask_seconds: list[float] = []
        """Time spent on finding states and filling masks, for each step of the latest call of `generate`."""

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """The scores, with -inf where the constraint forbids a token."""
        width = scores.shape[-1]
        self._check_width(width)
        ids = _array(input_ids)
        begin = time.perf_counter()
        states = self._enter(ids)
        mask = self._masks(states, width)
        if self._budget is not None:
            self._steer(states, ids, scores, mask)
        self.mask_seconds.append(time.perf_counter() - begin)
        forbid = _forbid_in_memory if scores.device.type == "cpu" else _forbid_on_device
        result, wiped = forbid(scores, mask)
        if wiped:
            self._blame(input_ids, scores, result, mask)
        return result

    def states(self, input_ids: torch.LongTensor) -> list[State | None]:
        """The state of each row; None where its tokens left the language.

        Any rows of the present call will do: beam search asks about more candidates than it has beams.
        """
        if not self._calls:
            raise ConstrainError("states() of a LogitsProcessor that has not been called yet")
        ids = _array(input_ids)
        calls = [call for call in self._calls if call.start < ids.shape[1]]
        return (calls or self._calls)[-1].states(ids)

    def follow(self, input_ids: torch.LongTensor) -> None:
        """Take note of tokens that were appended to the rows of the present call without a step of their own."""
        ids, call = _array(input_ids), self._calls[-1]
        for length in range(call.start + call.length + 1, ids.shape[1] + 1):
            call.enter(ids[:, :length])

    def automata_of(self, count: int) -> list[TokenAutomaton]:
        """The automaton of each of `count` rows: those of one prompt stand together."""
        share = count // len(self.automata)
        return [automaton for automaton in self.automata for _ in range(share)]

    def has_steered(self, which: int, tokens: Sequence[int]) -> bool:
        """Whether some output for the automaton `which` was steered on the way, in the latest call of `generate`."""
        written = np.asarray(tokens, np.int64).tobytes()
        return any((which, written[:end]) in self._steered for end in range(0, len(written) + 1, 8))

    def reset(self) -> None:
        """Forget earlier calls of `generate`.

        Needed only where a prompt could be a step of an earlier call, which it would continue: the earlier prompt with
        some of its unfinished output, or with one token that may come next.
        """
        self._calls.clear()

    def _enter(self, ids: _Ids) -> list[State | None]:
        """The states of the rows, in the call of `generate` that they belong to: an earlier one, or a new one.

        Rows that have all ended begin a new call (a conversation goes on), except for a draft that is taken back
        later; then the rows that follow belong to the earlier call again. Hence the short list.
        """
        for call in reversed(self._calls):
            states = call.enter(ids)
            if states is not None:
                self._calls.remove(call)
                break
        else:
            call = _Call(self.automata, ids)
            states = call.states(ids)
        if ids.shape[1] == call.start:
            self.mask_seconds.clear()
            self._steered.clear()
        self._calls = [*self._calls[1 - _CALLS :], call]
        return states

    def _masks(self, states: list[State | None], width: int) -> Bitmask:
        """A row for each state; all ones where nothing is to be forbidden, or everything would be.

        The logits may be wider than the vocabulary, or end before ids that spell nothing.
        """
        words = (self._vocabulary.size + 31) // 32
        mask = np.zeros((len(states), max(words, (width + 31) // 32)), np.int32)
        for row, automaton, state in zip(mask, self.automata_of(len(states)), states):
            if state is not None and not state.terminated:
                automaton.space.fill(state, row[:words])
        mask = mask[:, : (width + 31) // 32]
        mask[~mask.any(1)] = -1
        return mask

    def _steer(self, states: list[State | None], ids: _Ids, scores: torch.FloatTensor, mask: Bitmask) -> None:
        """Where few tokens are left, keep those of the likeliest after which the output can still be completed."""
        assert self._budget is not None
        start, share = self._calls[-1].start, len(states) // len(self.automata)
        left = self._budget - (ids.shape[1] - start)
        for row, automaton, state in zip(range(len(mask)), self.automata_of(len(states)), states):
            if state is None or state.terminated:
                continue
            shortest = automaton.space.completion(state)
            if shortest is None or len(shortest) > left or len(shortest) + _AHEAD < left:
                continue
            if shortest and (after := automaton.space.step(state, shortest[0])) is not None:
                automaton.space.note_completion(after, shortest[1:])  # else a longer one could be found from there
            width = scores.shape[-1]
            allowed = torch.from_numpy(_unpack(mask[row : row + 1], width)[0]).to(scores.device)
            likely = scores[row].masked_fill(~allowed, -torch.inf).topk(min(_LIKELY, width)).indices.tolist()
            likely = [token for token in likely if mask[row, token >> 5] >> (token & 31) & 1]
            tried = dict.fromkeys([*likely, *shortest[:1], *(automaton.vocabulary.eos_ids if state.accepting else ())])
            kept = [token for token in tried if _ends_in(automaton, state, token, left - 1)]
            if bool(torch.isneginf(scores[row, kept]).all()):
                continue  # no way to the end, or other processors close it
            if not set(kept).issuperset(likely):
                self._steered.add((row // share, ids[row, start:].tobytes()))
            mask[row] = 0
            for token in kept:
                mask.view(np.uint32)[row, token >> 5] |= np.uint32(1 << (token & 31))

    def _check_width(self, width: int) -> None:
        vocabulary = self._vocabulary
        if width >= vocabulary.size:
            return
        spells = int(vocabulary.offsets[-1]) != int(vocabulary.offsets[width])
        if spells or any(token >= width for token in vocabulary.eos_ids):
            raise VocabularyError(
                f"the model's logits are {width} wide, but the vocabulary has {vocabulary.size} ids; build it for this "
                f"model: Vocabulary.from_transformers(tokenizer, vocab_size={width})"
            )

    def _blame(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, result: torch.FloatTensor, mask: Bitmask
    ) -> None:
        """Raise ConflictError if a row that the constraint keeps open has nothing left."""
        allowed = torch.from_numpy(_unpack(mask, scores.shape[-1])).to(scores.device)
        wiped = torch.isneginf(result).all(-1) & ~allowed.all(-1)
        if not wiped.any():
            return
        row = int(wiped.nonzero()[0])
        names = [
            type(other).__name__
            for other in _processors_before(self)
            if _wipes(other, input_ids, scores, allowed[row], row)
        ]
        suspects = ", ".join(names) if names else "the model or a processor that is not in the list"
        raise ConflictError(
            f"row {row}: the constraint allows {int(allowed[row].sum())} tokens after {input_ids.shape[1]} ids, and "
            f"{suspects} gave all of them -inf; drop or relax that setting (min_new_tokens, bad_words_ids, "
            "no_repeat_ngram_size, suppress_tokens, forced_bos_token_id, forced_eos_token_id ...)",
            processors=names,
        )


class StoppingCriteria(transformers.StoppingCriteria):  # type: ignore[misc]
    """Stops a row when its output is complete and nothing may follow, which saves the step for the EOS token.

    model.generate(**inputs, logits_processor=[p], stopping_criteria=[StoppingCriteria(p)])
    """

    def __init__(self, processor: LogitsProcessor) -> None:
        self._processor = processor

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        """Which rows are complete: BoolTensor[rows]."""
        states = self._processor.states(input_ids)
        rows = zip(self._processor.automata_of(len(states)), states)
        done = [state is None or is_complete(automaton, state) for automaton, state in rows]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)  # type: ignore[return-value]


def _ends_in(automaton: TokenAutomaton, state: State, token: int, left: int) -> bool:
    """Whether the output can be completed within `left` tokens after `token`."""
    after = automaton.space.step(state, token)
    if after is None:
        return False
    rest = () if after.terminated else automaton.space.completion(after)
    return rest is not None and len(rest) <= left


def is_complete(automaton: TokenAutomaton, state: State) -> bool:
    """Whether the output has ended, or may end and cannot go on."""
    if state.terminated or not state.accepting:
        return state.terminated
    row = np.zeros(automaton.space.width, np.int32)
    automaton.space.fill(state, row)
    for token in automaton.vocabulary.eos_ids:
        row.view(np.uint32)[token >> 5] &= np.uint32(0xFFFFFFFF ^ (1 << (token & 31)))
    return not row.any()


def _as_automata(automata: Any) -> list[TokenAutomaton]:
    listed = list(automata) if isinstance(automata, list | tuple) else [automata]
    if not listed or not all(isinstance(automaton, TokenAutomaton) for automaton in listed):
        raise SpecTypeError(
            "LogitsProcessor takes a TokenAutomaton (Compiler.compile makes one), or one for each prompt"
        )
    return listed


def _array(input_ids: torch.LongTensor) -> _Ids:
    """The ids in memory. (Waits for the device, which a decoding loop does once a step.)"""
    ids: _Ids = input_ids.cpu().numpy().astype(np.int64, copy=False)
    return ids


def _unpack(mask: Bitmask, width: int) -> npt.NDArray[np.bool_]:
    """One value for each bit: bool[rows, width]."""
    bits = np.unpackbits(mask.view(np.uint8), axis=-1, count=width, bitorder="little")
    return bits.view(np.bool_)


def _forbid_on_device(scores: torch.FloatTensor, mask: Bitmask) -> tuple[torch.FloatTensor, bool]:
    """The scores, with -inf where the mask is 0, and whether a row has nothing else. The mask travels packed."""
    packed = torch.from_numpy(np.ascontiguousarray(mask)).to(scores.device)
    shifts = torch.arange(32, dtype=torch.int32, device=scores.device)
    bits = ((packed.unsqueeze(-1) >> shifts) & 1).flatten(1)[:, : scores.shape[-1]]
    result = scores.masked_fill(bits == 0, -torch.inf)
    return result, bool(torch.isneginf(result.amax(-1)).any())  # type: ignore[return-value]


def _forbid_in_memory(scores: torch.FloatTensor, mask: Bitmask) -> tuple[torch.FloatTensor, bool]:
    """The same, without a branch for each score: of 128k tokens `masked_fill` takes 460 us, and this 60.

    Read as integers, with the bits of -inf flipped before and after, a score is kept by `& -1` and becomes -inf by
    `& 0`: every score, NaN too.
    """
    keep_octet, minus_inf = _as_integers(scores.dtype)
    keep = keep_octet.take(mask.view(np.uint8), axis=0).reshape(len(mask), -1)[:, : scores.shape[-1]]
    bits = scores.detach().view(getattr(torch, keep.dtype.name)).numpy() ^ minus_inf
    bits &= keep
    wiped = not bits.any(1).all()
    bits ^= minus_inf
    return torch.from_numpy(bits).view(scores.dtype), wiped  # type: ignore[return-value]


@cache
def _as_integers(dtype: torch.dtype) -> tuple[npt.NDArray[Any], Any]:
    """As integers of the size of `dtype`: what to keep of eight scores for each byte of a mask; -inf."""
    minus_inf = torch.tensor([-torch.inf], dtype=dtype)
    integers = f"int{8 * minus_inf.element_size()}"
    octets = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return -octets.astype(integers), minus_inf.view(getattr(torch, integers)).numpy()[0]


def _processors_before(processor: LogitsProcessor) -> list[Any]:
    """The processors that ran before this one, read off the list that is calling it."""
    frame = sys._getframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, transformers.LogitsProcessorList) and processor in caller:
            return list(caller)[: list(caller).index(processor)]
        frame = frame.f_back  # type: ignore[assignment]
    return []


def _wipes(other: Any, input_ids: Any, scores: Any, allowed: torch.Tensor, row: int) -> bool:
    """Whether a processor alone forbids some of what the constraint allows. (Asked only on the way to an error.)"""
    try:
        alone = other(input_ids, torch.zeros_like(scores))
    except Exception:  # whatever it needs is not there any more; it cannot be told
        return False
    return bool(torch.isneginf(alone[row][allowed]).any())
