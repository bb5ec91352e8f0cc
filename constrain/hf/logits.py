"""Constraints inside `model.generate()`: a logits processor and a stopping criterion for any Hugging Face model.

In:  `input_ids` (LongTensor[rows, length], prompt included) and `scores` (FloatTensor[rows, width]).
Out: scores with -inf on every token that the constraint forbids.

The state of a row is a function of the tokens generated in it, never of its row number: beams may be reordered,
drafts taken back, rows finished and padded, and the same processor used again for another call.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers

from constrain.automaton import TokenAutomaton
from constrain.errors import ConflictError, ConstrainError, SpecTypeError, VocabularyError
from constrain.states import State

if TYPE_CHECKING:
    from constrain.matcher import Bitmask

_PREFIXES = 4096
"""Prefixes remembered. A draft that is taken back by more is walked again from the start, which is only slower."""


_CALLS = 4
"""Calls of `generate` that are told apart."""


class _Call:
    """One call of `generate`: its prompts, and the state of every prefix generated from them."""

    def __init__(self, automata: list[TokenAutomaton], prompts: torch.LongTensor) -> None:
        self._automata, self._prompts = automata, prompts
        self._known: OrderedDict[tuple[int, bytes], State | None] = OrderedDict()

    def continues(self, input_ids: torch.LongTensor) -> bool:
        """Whether some row adds at most one token to a prefix seen before, and not all rows have ended."""
        rows, start = self._prompts.shape
        if input_ids.shape[0] != rows or input_ids.shape[1] < start:
            return False
        if not torch.equal(input_ids[:, :start], self._prompts.to(input_ids.device)):
            return False
        keys = self._keys(input_ids)
        if not any(self._is_known(which, part) for which, tokens in keys for part in (tokens, tokens[:-1])):
            return False
        return not all(state is not None and state.terminated for state in self.states(input_ids))

    def states(self, input_ids: torch.LongTensor) -> list[State | None]:
        """The state of each row, None where there is none."""
        return [self._state(which, tokens) for which, tokens in self._keys(input_ids)]

    def _keys(self, input_ids: torch.LongTensor) -> list[tuple[int, np.ndarray]]:
        """For each row, which automaton it obeys, and the tokens generated in it."""
        rows = input_ids.shape[0]
        if rows % len(self._automata):
            raise SpecTypeError(f"{len(self._automata)} automata do not divide the {rows} rows of the batch evenly")
        share = rows // len(self._automata)
        generated = np.ascontiguousarray(input_ids[:, self._prompts.shape[1] :].cpu().numpy())
        return [(row // share, generated[row]) for row in range(rows)]

    def _is_known(self, which: int, tokens: np.ndarray) -> bool:
        return (which, tokens.tobytes()) in self._known

    def _state(self, which: int, tokens: np.ndarray) -> State | None:
        key = (which, tokens.tobytes())
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        if len(tokens) and self._is_known(which, tokens[:-1]):
            state = self._step(which, self._known[which, tokens[:-1].tobytes()], int(tokens[-1]))
        else:
            state = self._automata[which].start
            for token in tokens:
                state = self._step(which, state, int(token))
        self._known[key] = state
        if len(self._known) > _PREFIXES + 8 * len(self._prompts):
            self._known.popitem(last=False)
        return state

    def _step(self, which: int, state: State | None, token: int) -> State | None:
        automaton = self._automata[which]
        if state is None or state.terminated or not 0 <= token < automaton.vocabulary.size:
            return None
        return automaton.space.step(state, token)


class LogitsProcessor(transformers.LogitsProcessor):  # type: ignore[misc]
    """Forbids what an automaton forbids. Pass it as `logits_processor=[processor]`; it can be used again.

    `automata` is one automaton for all rows, or one for each prompt of the batch; with beams or several sequences a
    prompt, the rows of a prompt share its automaton. Rows that have ended, or whose tokens left the language (drafts
    that will be rejected), are returned unchanged, so that no row is ever all -inf.

    Raises ConflictError when other processors forbid everything that the constraint allows, VocabularyError when the
    model's logits are narrower than the vocabulary.

        model.generate(**inputs, logits_processor=[automaton.logits_processor()])
    """

    supports_continuous_batching = False

    def __init__(self, automata: TokenAutomaton | Sequence[TokenAutomaton]) -> None:
        self.automata = _as_automata(automata)
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
        begin = time.perf_counter()
        self._enter(input_ids)
        states = self.states(input_ids)
        mask = np.full((len(states), (width + 31) // 32), -1, np.int32)
        open_rows = [row for row, state in enumerate(states) if state is not None and not state.terminated]
        open_rows = [row for row in open_rows if self._fill(states[row], mask[row])]
        self.mask_seconds.append(time.perf_counter() - begin)
        if not open_rows:
            return scores
        forbidden = _forbidden(mask, width, scores.device)
        result = scores.masked_fill(forbidden, -torch.inf)
        if torch.isneginf(result.amax(-1)).any():
            self._blame(input_ids, scores, result, forbidden, open_rows)
        return result

    def states(self, input_ids: torch.LongTensor) -> list[State | None]:
        """The state of each row; None where its tokens left the language or the output had ended before.

        Any rows of the present call will do: beam search asks about more candidates than it has beams.
        """
        if not self._calls:
            raise ConstrainError("states() of a LogitsProcessor that has not been called yet")
        return self._calls[-1].states(input_ids)

    def reset(self) -> None:
        """Forget earlier calls of `generate`.

        Needed only to constrain, from its start, a text that continues an unfinished output of an earlier call.
        """
        self._calls.clear()

    def _enter(self, input_ids: torch.LongTensor) -> None:
        """Make the call of `generate` that these rows belong to the present one: an earlier one, or a new one.

        Rows that have all ended begin a new call (a conversation goes on), except for a draft that is taken back
        later; then the rows that follow belong to the earlier call again. Hence the short list.
        """
        for call in reversed(self._calls):
            if call.continues(input_ids):
                self._calls.remove(call)
                self._calls.append(call)
                return
        self._calls = [*self._calls[1 - _CALLS :], _Call(self.automata, input_ids.clone())]
        self.mask_seconds.clear()

    def _fill(self, state: State | None, row: Bitmask) -> bool:
        """Write a state's mask into a row that may be wider than the vocabulary; False if it allows nothing."""
        space = self.automata[0].space
        part = row[: space.width]
        assert state is not None
        if len(part) < space.width:  # the logits end before ids that spell nothing
            whole = np.zeros(space.width, np.int32)
            space.fill(state, whole)
            part[:] = whole[: len(part)]
        else:
            space.fill(state, part)
            row[space.width :] = 0
        if part.any():
            return True
        row[:] = -1
        return False

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
        self,
        input_ids: torch.LongTensor,
        scores: torch.FloatTensor,
        result: torch.FloatTensor,
        forbidden: torch.Tensor,
        open_rows: list[int],
    ) -> None:
        """Raise ConflictError if a row that the constraint keeps open has nothing left."""
        wiped = [row for row in open_rows if bool(torch.isneginf(result[row]).all())]
        if not wiped:
            return
        row = wiped[0]
        names = [
            type(other).__name__
            for other in _processors_before(self)
            if _wipes(other, input_ids, scores, forbidden, row)
        ]
        legal = int((~forbidden[row]).sum())
        suspects = ", ".join(names) if names else "the model or a processor that is not in the list"
        raise ConflictError(
            f"row {row}: the constraint allows {legal} tokens after {input_ids.shape[1]} ids, and {suspects} gave all of "
            "them -inf; drop or relax that setting (min_new_tokens, bad_words_ids, no_repeat_ngram_size, suppress_tokens, "
            "forced_bos_token_id, forced_eos_token_id ...)",
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
        done = [state is None or is_complete(self._processor.automata[0], state) for state in states]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)  # type: ignore[return-value]


def is_complete(automaton: TokenAutomaton, state: State) -> bool:
    """Whether the output has ended, or may end and cannot go on."""
    if state.terminated or not state.accepting:
        return state.terminated
    row = np.zeros(automaton.space.width, np.int32)
    automaton.space.fill(state, row)
    for token in automaton.vocabulary.eos_ids:
        row.view(np.uint32)[token >> 5] &= np.uint32(0xFFFFFFFF ^ (1 << (token & 31)))
    return not row.any()


def _as_automata(automata: object) -> list[TokenAutomaton]:
    listed = [automata] if isinstance(automata, TokenAutomaton) else list(automata)  # type: ignore[call-overload]
    if not listed or not all(isinstance(automaton, TokenAutomaton) for automaton in listed):
        raise SpecTypeError(
            "LogitsProcessor takes a TokenAutomaton (Compiler.compile makes one), or one for each prompt"
        )
    return listed


def _forbidden(mask: Bitmask, width: int, device: torch.device) -> torch.Tensor:
    """The packed mask, inverted and unpacked on `device`: BoolTensor[rows, width]."""
    if device.type == "cpu":
        bits = np.unpackbits(~mask.view(np.uint8), axis=-1, bitorder="little")[:, :width]
        return torch.from_numpy(bits.view(np.bool_))
    packed = torch.from_numpy(mask).to(device, non_blocking=True)
    shifts = torch.arange(32, dtype=torch.int32, device=device)
    bits = (packed.unsqueeze(-1) >> shifts) & 1
    return bits.flatten(1)[:, :width] == 0


def _processors_before(processor: LogitsProcessor) -> list[Any]:
    """The processors that ran before this one, read off the list that is calling it."""
    frame = sys._getframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, transformers.LogitsProcessorList) and processor in caller:
            return list(caller)[: list(caller).index(processor)]
        frame = frame.f_back  # type: ignore[assignment]
    return []


def _wipes(other: Any, input_ids: Any, scores: Any, forbidden: torch.Tensor, row: int) -> bool:
    """Whether a processor alone forbids some of what the constraint allows. (Asked only on the way to an error.)"""
    try:
        alone = other(input_ids, torch.zeros_like(scores))
    except Exception:  # whatever it needs is not there any more; it cannot be told
        return False
    return bool(torch.isneginf(alone[row][~forbidden[row]]).any())
