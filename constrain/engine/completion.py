"""The shortest way to end: a text, or special tokens, that complete what has been begun.

In:  a state of a session. Out: pieces, in order: bytes, or the ids of special tokens.

The least costs of rules (Knuth 1977) say how many bytes are at least left behind each terminal. The cheapest terminal
is read to its end, then the next one: step by step, since what may follow can depend on what was read.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from constrain.engine import continuations
from constrain.engine import tables as t
from constrain.engine.excluded import MATCHED, step_excluded
from constrain.engine.network import NEVER
from constrain.engine.segments import Piece, joined
from constrain.engine.terminals import plain_string
from constrain.jit import entry

if TYPE_CHECKING:
    from constrain.engine.session import Session

LONGEST = 20_000
"""Bytes of a text that is looked for."""
SEARCHED = 2_000
"""States looked at for the end of a terminal that must not match some values."""


class Completion:
    """The completions of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._costs: dict[int, float] = {}
        """Bytes that are at least left behind a continuation."""
        self._rests: dict[int, tuple[int, bytes]] = {}

    def forget(self) -> None:
        """Forget what is known of continuations: their numbers mean others after `Session.renew`."""
        self._costs.clear()

    def of(self, state: int) -> tuple[Piece, ...] | None:
        """A short text that completes a state; None if none was found."""
        session, pieces, length = self._session, list[Piece](), 0
        while not session.is_accepting(state):
            items = session.items(state).tolist()
            piece = self._piece(min(items, key=self._cost)) if items else None
            if piece is None:
                return None
            if isinstance(piece, int):
                state = session.commit(state, piece)
                length += 1
            else:
                state, read = session.read(state, piece)
                length += read
                if read < len(piece):
                    return None
            pieces.append(piece)
            if not state or length > LONGEST:
                return None
        return joined(pieces)

    def _cost(self, item: list[int]) -> float:
        """Bytes that are at least left of the text, if an item is read to its end."""
        a, _, goal, _, c = item
        if a < 0:
            return self._nearest_leaf(-a)[0] + self.behind(c)
        own = 1 if a >= t.SPECIAL_ITEM else self._rest(a)[0]
        if item[t.X] & t.COUNTED_STRING:
            own += item[t.X] >> 24 & t.UNBOUNDED
        return own + self._session.lowering.cost(goal) + self.behind(c)

    def _piece(self, item: list[int]) -> Piece | None:
        """The rest of an item, as short as can be."""
        session, (a, x, *_) = self._session, item
        if a < 0:
            return self._nearest_leaf(-a)[1]
        if a >= t.SPECIAL_ITEM:
            return min(session.lowering.terminals.special_ids[a - t.SPECIAL_ITEM])
        if x & t.COUNTED_STRING:
            return self._counted(a, x >> 24 & t.UNBOUNDED)
        excluded = x & t.EXCLUDED_MASK if x & t.TRACKED else 0
        return self._around(a, excluded) if excluded else self._rest(a)[1]

    def _counted(self, q: int, fewest: int) -> bytes:
        """The rest of a JSON string, with at least so many characters that have not ended yet."""
        start, body, _ = plain_string(self._session.dfas)
        begun = self._rest(q)[1][:-1]  # without the closing quote
        if q not in (start, body):  # a character has begun
            fewest -= 1
        return begun + b"a" * max(fewest, 0) + b'"'

    def _rest(self, q: int) -> tuple[int, bytes]:
        """The shortest text from a DFA state, not the empty one: where a terminal has ended, other items go on."""
        known = self._rests.get(q)
        if known is None:
            dfas = self._session.dfas
            text = dfas.shortest_text(q)
            if not text:
                targets, firsts = np.unique(dfas.row(q), return_index=True)
                ways = [
                    (dfas.shortest(after), byte, after)
                    for after, byte in zip(targets.tolist(), firsts.tolist())
                    if after
                ]
                _, byte, after = min(ways)
                text = bytes([byte]) + dfas.shortest_text(after)
            known = self._rests[q] = len(text), text
        return known

    def _nearest_leaf(self, node: int) -> tuple[float, bytes]:
        """The cheapest word below a node of a trie: what it and its rule cost, and its bytes."""
        session = self._session
        literal, leaf, cost = session.tables["literal"], session.tables["leaf"], session.lowering.cost
        best: tuple[float, bytes] = NEVER, b""
        todo = deque([(node, b"")])
        while todo:
            here, text = todo.popleft()
            if len(text) >= best[0]:
                break
            word = int(literal[here])
            first = word >> t.CHILD & t.CHILD_MASK
            for below in range(first, first + (word >> t.CHILDREN & t.CHILDREN_MASK)):
                there = int(literal[below])
                longer = text + bytes([there & 255])
                place = there >> t.PAYLOAD & t.PAYLOAD_MASK
                if place:
                    goals = leaf[place + 1 : place + 1 + leaf[place]].tolist()
                    best = min(best, (len(longer) + min(map(cost, goals)), longer))
                todo.append((below, longer))
        return best

    def _around(self, q: int, excluded: int) -> bytes | None:
        """The shortest text of a terminal that does not begin with one that is excluded."""
        dfas, seen, todo = self._session.dfas, {(q, excluded)}, deque([(q, excluded, b"")])
        step = partial(self._session.call, entry(step_excluded))
        while todo and len(seen) < SEARCHED:
            q, excluded, text = todo.popleft()
            for b in dfas.viable_bytes(q):
                after, away = dfas.step(q, b), step(excluded, b) if excluded else 0
                if away == MATCHED:
                    continue
                if dfas.accepts(after):
                    return text + bytes([b])
                if not away:
                    rest = dfas.shortest_text(after)
                    return None if rest is None else text + bytes([b]) + rest
                if (after, away) not in seen:
                    seen.add((after, away))
                    todo.append((after, away, text + bytes([b])))
        return None

    def behind(self, continuation: int) -> float:
        """Bytes that are at least left behind a continuation: a least fixed point, as left recursion refers back."""
        known = self._costs.get(continuation)
        if known is not None:
            return known
        reached, todo = {continuation: NEVER}, [continuation]
        pairs: dict[int, list[list[int]]] = {}
        while todo:
            here = todo.pop()
            pairs[here] = self._pairs(here)
            for _, _, behind in pairs[here]:
                if behind and behind not in self._costs and behind not in reached:
                    reached[behind] = NEVER
                    todo.append(behind)
        cost, changed = self._session.lowering.cost, True
        while changed:  # backwards, since most refer to those found after them
            changed = False
            for here in reversed(reached):
                least = min(
                    0.0 if back < 0 else cost(back) + self._costs.get(behind, reached.get(behind, NEVER))
                    for back, _, behind in pairs[here]
                )
                if least < reached[here]:
                    reached[here], changed = least, True
        self._costs.update(reached)
        return self._costs[continuation]

    def _pairs(self, continuation: int) -> list[list[int]]:
        """The triples (return state, data, continuation) of a continuation."""
        session = self._session
        record = session.call(entry(continuations.all_pairs_of), continuation)
        heap = session.tables["heap"]
        found: list[list[int]] = heap[record + 1 : record + 1 + (heap[record] >> 8)].reshape(-1, 3).tolist()
        return found
