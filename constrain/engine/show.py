"""Engine values in the notation of the books: items as dotted rules, continuations as what a rule returns to.

In:  a session and the number of a state. Out: lines of text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from constrain.engine import continuations
from constrain.engine import tables as t
from constrain.engine.lower import Lowering
from constrain.engine.network import _ACTION, _EITHER, _MANY, _SEQ, _SYMBOL, Network, rule_name
from constrain.jit import entry

if TYPE_CHECKING:
    from constrain.engine.session import Session

_DEEP = 6
"""Levels of a rule's body that are written out."""


class Way(NamedTuple):
    """What becomes of a token in one item."""

    item: str
    allowed: bool
    reads: int
    """Bytes of the token that the item, and what follows it, can read."""
    ends: tuple[int, ...]
    """Places in the token where the terminal of the item may end; none: the token stays inside of it."""


def body(network: Network, state: int, name: dict[int, str], deep: int = _DEEP) -> str:
    """What is left of a rule's body.

    >>> body.__name__
    'body'
    """
    kind, *args = network._nodes[state]
    if deep == 0:
        return "…"
    if kind == _SYMBOL:
        symbol = args[0]
        return name.get(symbol, f"terminal {symbol}") if symbol >= 0 else rule_name(network.names[-1 - symbol])
    if kind == _SEQ:
        return " ".join(body(network, part, name, deep - 1) for part in args)
    if kind == _EITHER:
        return "(" + " | ".join(body(network, part, name, deep - 1) for part in args) + ")"
    if kind == _MANY:
        inner, low, high = args
        return f"{body(network, inner, name, deep - 1)}{{{low},{'' if high is None else high}}}"
    return f"[{args[0]}]" if kind == _ACTION else ""


def items(session: Session, state: int) -> list[str]:
    """The items of a state, a line each: the terminal in progress, a dot, and what is left of its rule.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    >>> automaton = constrain.Compiler(vocab).compile(constrain.grammar('start: "[" NAME "]"\\nNAME: /[a-z]+/'))
    >>> session = automaton.space.session
    >>> items(session, session.read(session.start, b"[a")[0])
    ['"]" · end of the rule; returns to the end of the text', 'NAME · "]"; returns to the end of the text']
    """
    return [item(session, row) for row in session.items(state).tolist()]


def item(session: Session, row: list[int]) -> str:
    """One item as a line."""
    a, x, goal, data, continuation = row
    lowering = session.lowering
    names = list(session.terminals_of(a, goal)) or ["the pattern"]
    line = " | ".join(sorted(set(names)))
    if isinstance(lowering, Lowering):
        if a < 0:
            goals = sorted({g for leaf in session.leaves(-a) for g in _goals(session, leaf)})
            rests = list(dict.fromkeys(_rest(lowering, g) for g in goals))
            line += " · " + (rests[0] if len(rests) == 1 else f"one of {len(rests)} rests")
        else:
            line += " · " + _rest(lowering, goal)
    if x & t.COUNTED_STRING and 0 < a:
        most = x & t.UNBOUNDED
        line += f" {{{x >> 24 & t.UNBOUNDED},{'' if most == t.UNBOUNDED else most} characters}}"
    if data:
        line += f", but none of {len(session._numbers_in(data))} values"
    return f"{line}; returns to {_returns(session, continuation)}"


def _goals(session: Session, leaf: int) -> list[int]:
    table = session.tables["leaf"]
    found: list[int] = table[leaf + 1 : leaf + 1 + table[leaf]].tolist()
    return found


def _rest(lowering: Lowering, flat: int) -> str:
    if lowering.rows is not None and flat not in lowering._keys:
        return lowering.rows.rest(flat)
    state, _, _ = lowering._keys[flat]
    names = {number: terminal.name for number, terminal in enumerate(lowering.terminals.terminals)}
    return body(lowering.network, state, names) or "end of the rule"


def _returns(session: Session, continuation: int) -> str:
    """Where a continuation returns to, in short."""
    record = session.call(entry(continuations.all_pairs_of), continuation)
    heap = session.tables["heap"]
    pairs = heap[record + 1 : record + 1 + (heap[record] >> 8)].reshape(-1, 3).tolist()
    places = []
    for back, _, _ in pairs:
        if back < 0:
            places.append("the end of the text")
        elif isinstance(session.lowering, Lowering):
            places.append(f"· {_rest(session.lowering, back)}")
    return " or ".join(sorted(places)) or "nothing"


def ways(session: Session, state: int, data: bytes) -> list[Way]:
    """What becomes of a token, by its bytes, in each item of a state."""
    return [_way(session, row, data) for row in session.items(state).tolist()]


def _way(session: Session, row: list[int], data: bytes) -> Way:
    begun = session._earley([row], 0)
    ends = tuple(n for n in range(1, len(data)) if _may_end(session, begun, data[:n]))
    reached, reads = session.read(begun, data)
    return Way(item(session, row), reads == len(data) and bool(reached), reads, ends)


def _may_end(session: Session, state: int, data: bytes) -> bool:
    """Whether the terminal of a state's one item may end behind some bytes: items begin there that are not its own."""
    if session.read(state, data)[1] < len(data):
        return False
    (a, *_), *_ = session.items(state).tolist()
    if a < 0 or a >= t.SPECIAL_ITEM:
        return False
    q, n = session.dfas.read(a, data)
    return n == len(data) and session.dfas.accepts(q)
