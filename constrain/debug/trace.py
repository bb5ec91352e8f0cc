"""What was open at each byte of a text: terminals being read, terminals that may have ended, the rules around them.

In:  an automaton, a text.
Out: a `Trace`.

For grammars a chart is kept beside the states, which do not know which rules they lie in: that is slower than a matcher
and takes more memory. For regular constraints a trace holds no more than the bytes that may follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from constrain.debug.chart import Chart
from constrain.engine.lower import Lowering
from constrain.engine.session import _lock
from constrain.engine.space import EarleySpace
from constrain.errors import UnsupportedError

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton
    from constrain.engine.states import StateSpace

_by_rules: WeakKeyDictionary[TokenAutomaton, EarleySpace] = WeakKeyDictionary()
"""The states of schemas by their rules."""


@dataclass(frozen=True, slots=True)
class OpenRule:
    """Terminals that a byte belongs to, and the rules that they stand in."""

    rules: tuple[str, ...]
    """The rules that were open, the innermost last."""
    reading: tuple[str, ...]
    """Terminals that go on after the byte."""
    ended: tuple[str, ...]
    """Terminals that may end with it."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """A byte of the text, and what is known after it."""

    byte: int
    open: tuple[OpenRule, ...]
    """One for each way to read it, up to three for one terminal; none for regular constraints."""
    follow: bytes
    """The bytes that may come next."""
    may_end: bool
    """Whether the text may end here."""


@dataclass(frozen=True, slots=True)
class RulePlace:
    """A state of a rule that may read a terminal next, or is reading it."""

    rule: int
    """Its number in the network."""
    state: int
    terminal: str
    begun: bool
    """Whether part of the terminal has been read."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A text, read as far as the constraint allows."""

    text: bytes
    steps: tuple[TraceStep, ...]
    """The bytes that were read: all of the text, unless a byte cannot stand where it does."""
    follow: bytes
    """The bytes that may come next."""
    terminals: tuple[str, ...]
    """The terminals that may come next or go on, by name; none for regular constraints."""
    may_end: bool
    """Whether the text may end after what was read."""
    places: tuple[RulePlace, ...]
    """Where that is in the grammar's rules."""


def trace(automaton: TokenAutomaton, text: bytes) -> Trace:
    """Read `text`, and keep an account of it.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    >>> spec = constrain.grammar('start: "(" item ")"\\nitem: start | NAME\\nNAME: /[a-z]+/')
    >>> trace(constrain.Compiler(vocab).compile(spec), b"(a").steps[-1].open
    (OpenRule(rules=('start', 'item'), reading=('NAME',), ended=('NAME',)),)
    """
    with _lock:  # a chart reads rules that the session may not have read yet
        by_rules = _space_of_rules(automaton)
        space: StateSpace = by_rules or automaton.space
        begun = automaton.start if by_rules is None or by_rules is automaton.space else by_rules.start()
        assert begun is not None
        state = begun
        chart = _chart(space)
        steps: list[TraceStep] = []
        for b in text:
            reached, read = space.read(state, bytes([b]))
            if not read:
                break
            found = () if chart is None else tuple(OpenRule(*ways) for ways in chart.read(b, reached.place))
            steps.append(TraceStep(b, found, space.viable_bytes(reached), reached.accepting))
            state = reached
        follow, names = space.viable_bytes(state), space.expected_names(state)
        places = () if chart is None else tuple(RulePlace(*place) for place in chart.places())
    return Trace(text, tuple(steps), follow, names, state.accepting, places)


def _chart(space: StateSpace) -> Chart | None:
    """The chart of the empty text; None if a constraint has no rules."""
    if not isinstance(space, EarleySpace) or not isinstance(space.session.lowering, Lowering):
        return None
    if space.vocabulary.strips_leading_space:
        raise UnsupportedError("a trace needs a vocabulary that spells texts as they are, such as the 256 bytes")
    return Chart(space.session, space.session.lowering)


def _space_of_rules(automaton: TokenAutomaton) -> EarleySpace | None:
    """The states of a constraint by its rules, which a schema read as rows makes for this; None without rules."""
    space = automaton.space
    if not isinstance(space, EarleySpace) or not isinstance(space.session.lowering, Lowering):
        return None
    rows = space.session.lowering.grammar.rows
    if rows is None:
        return space
    known = _by_rules.get(automaton)
    if known is None:
        known = EarleySpace(rows.by_rules(), space.vocabulary, space.session.dfas, space.limits)
        _by_rules[automaton] = known
    return known


def rules_of(automaton: TokenAutomaton) -> Lowering | None:
    """The rules of a grammar or a schema as the engine reads them; None if a constraint is something else."""
    space = _space_of_rules(automaton)
    lowering = None if space is None else space.session.lowering
    return lowering if isinstance(lowering, Lowering) else None
