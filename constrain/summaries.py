"""What a regular constraint may come to while the rules of a grammar are read: summaries.

In:  elements of a grammar's states, a node of the expression store.
Out: whether some text of the grammar, from there on, leads the node to where the text may end.

A rule, read from a node on, ends at one of some nodes; which ones does not depend on what called it. These sets are
worked out together, a least fixed point over (state of a rule, register, node), as Earley's chart is for texts and
Reps, Horwitz and Sagiv (1995) do for programs: it is Bar-Hillel's intersection of a context-free and a regular
language (1961), of which only what can be reached from here is made. So the question is decided, however the rules
recur.

Under longest match, and for terminals that must not match again, more is taken to be possible than is: then a "no"
holds and a "yes" may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constrain.automata.network import Actions, run
from constrain.automata.rows import Continuation, Item
from constrain.automata.rows import Row as GrammarRow
from constrain.errors import LimitExceeded
from constrain.symbols import SPECIAL, plain

if TYPE_CHECKING:
    from constrain.contextfree import Front, GrammarSpace

_Config = tuple[int, int, int]
"""A state of a rule, its register, and the node reached."""
_Waiting = tuple[_Config, int, int]
"""What called a rule: where that was begun, and the state and the register to go on with."""


class Summaries:
    """The summaries of one grammar, made as they are asked for."""

    def __init__(self, grammar: GrammarSpace) -> None:
        self._grammar, self._network, self._store = grammar, grammar.network, grammar.store
        self._limits, self._ignore = grammar.limits, grammar.symbols.ignore
        self.clear()

    def clear(self) -> None:
        """Forget all summaries."""
        self._ends: dict[_Config, set[int]] = {}
        self._met: dict[_Config, set[_Config]] = {}
        self._callers: dict[_Config, set[_Waiting]] = {}
        self._outcomes: dict[tuple[int, int], frozenset[int]] = {}
        self._alive: dict[tuple[Continuation, int], bool] = {}
        self._count = 0

    def is_alive(self, front: Front, node: int) -> bool:
        """Whether a text can be completed from one of some elements. Raises LimitExceeded."""
        try:
            return any(self._element(row, lexer, node) for row, lexer, _, _ in front)
        except LimitExceeded:
            self.clear()
            raise

    def _element(self, row: GrammarRow, lexer: int, node: int) -> bool:
        if not lexer:
            return self._row(row, node)
        found = self._store.outcomes(lexer, node, self._limits)
        return any(self._row(row.after(terminals), after) for terminals, after in found)

    def _row(self, row: GrammarRow, node: int) -> bool:
        here = {node} | (self._over(self._ignore, node) if row.ignores and self._ignore else set())
        if row.accepting and any(self._store.is_nullable(each) for each in here):
            return True
        return any(self._item(item, each) for item in row.items() for each in here)

    def _item(self, item: Item, node: int) -> bool:
        state, register, then = item
        return any(self._follows(then, after) for after in self._summary((state, register, node)))

    def _follows(self, then: Continuation, node: int) -> bool:
        """Whether what follows a rule can be read to the end from a node on. Continuations may refer to themselves."""
        known = self._alive.get((then, node))
        if known is not None:
            return known
        seen, todo, found = {(then, node)}, [(then, node)], False
        while todo and not found:
            here, at = todo.pop()
            found = (here.accepts and self._store.is_nullable(at)) or self._alive.get((here, at), False)
            for state, register, after in here.items if not found else ():
                new = {(after, each) for each in self._summary((state, register, at))} - seen
                seen |= new
                todo += [each for each in new if self._alive.get(each) is not False]
        if found:
            self._alive[then, node] = True
        else:
            self._alive.update(dict.fromkeys(seen, False))
        return found

    # -------------------------------------------------------------------------------------------------- summaries

    def _summary(self, begun: _Config) -> set[int]:
        """The nodes at which a rule may end that is read on from a configuration."""
        if begun not in self._ends:
            self._explore(begun)
        return self._ends[begun]

    def _explore(self, begun: _Config) -> None:
        """Work out a summary, and all that it depends on."""
        todo: list[tuple[_Config, _Config]] = []

        def reach(start: _Config, config: _Config) -> None:
            if config not in self._met[start]:
                self._met[start].add(config)
                self._count += 1
                if self._count > self._limits.search:
                    raise LimitExceeded(
                        "search", self._count, self._limits.search, "a grammar together with a regular constraint"
                    )
                todo.append((start, config))

        def begin(start: _Config) -> None:
            if start not in self._ends:
                self._ends[start], self._met[start], self._callers[start] = set(), set(), set()
                reach(start, start)

        begin(begun)
        while todo:
            start, (state, register, node) = todo.pop()
            line = self._network.line(state)
            if line.ends and self._network.may_end(state, register) and node not in self._ends[start]:
                self._ends[start].add(node)
                for caller, target, after in tuple(self._callers[start]):
                    reach(caller, (target, after, node))
            for actions, symbol, target in line.terminals:
                passed = self._passed(actions, register, target)
                for each in self._over(symbol, node) if passed is not None else ():
                    reach(start, (target, passed or 0, each))
            for actions, symbol, target in line.calls:
                passed = self._passed(actions, register, target)
                if passed is None:
                    continue
                called = (*self._network.start(-1 - symbol), node)
                begin(called)
                self._callers[called].add((start, target, passed))
                for each in tuple(self._ends[called]):
                    reach(start, (target, passed, each))

    def _passed(self, actions: Actions, register: int, target: int) -> int | None:
        """The register after some actions; None if a test fails, or the rule cannot be completed."""
        after = run(actions, register)
        return after if after is not None and self._network.is_alive(target, after) else None

    def _over(self, symbol: int, node: int) -> frozenset[int]:
        """The nodes after a terminal, and after ignored text behind it."""
        if symbol >= SPECIAL:
            return frozenset((node,))
        known = self._outcomes.get((symbol, node))
        if known is None:
            lexer = self._grammar.lexer.start(frozenset((plain(symbol),)))
            known = frozenset(after for _, after in self._store.outcomes(lexer, node, self._limits))
            if self._ignore and symbol != self._ignore:
                known = known.union(*[self._over(self._ignore, after) for after in known])
            self._outcomes[symbol, node] = known
        return known
