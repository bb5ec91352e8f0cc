"""Boolean combinations of subschemas, interned: the names of everything that is still to be lowered.

A formula stands for a set of JSON values. Combining formulas looks at nothing of what they stand for, which is why
recursive schemas can be combined at all: there are finitely many subschemas, so there are finitely many formulas.
Negation is pushed down to the leaves.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

FALSE, TRUE = 0, 1


class Leaf(NamedTuple):
    """One subschema, or what it does not allow."""

    content: Any
    negated: bool


class Every(NamedTuple):
    """All of some formulas."""

    parts: frozenset[int]


class Some(NamedTuple):
    """At least one of some formulas."""

    parts: frozenset[int]


class Formulas:
    """The formulas of one schema; a formula is a number.

    >>> formulas = Formulas()
    >>> a = formulas.leaf("a", "a")
    >>> formulas.every([a, formulas.negate(a)]) == FALSE, formulas.every([a, TRUE]) == a
    (True, True)
    """

    def __init__(self) -> None:
        self._nodes: list[Leaf | Every | Some] = [Some(frozenset()), Every(frozenset())]
        self._ids: dict[Hashable, int] = {(Some, frozenset()): FALSE, (Every, frozenset()): TRUE}
        self._negations: dict[int, int] = {FALSE: TRUE, TRUE: FALSE}

    def __getitem__(self, formula: int) -> Leaf | Every | Some:
        return self._nodes[formula]

    def leaf(self, key: Hashable, content: Any) -> int:
        """The formula of what `content` stands for; leaves with equal keys are equal."""
        known = self._ids.get(("leaf", key))
        if known is None:
            known = self._ids["leaf", key] = self._add(Leaf(content, negated=False))
            negation = self._add(Leaf(content, negated=True))
            self._negations[known], self._negations[negation] = negation, known
        return known

    def every(self, parts: Iterable[int]) -> int:
        """The values in all of them."""
        flat: set[int] = set()
        for part in parts:
            node = self._nodes[part]
            flat |= node.parts if isinstance(node, Every) else {part}
        if FALSE in flat or any(self._negations.get(part) in flat for part in flat):
            return FALSE
        return flat.pop() if len(flat) == 1 else self._intern(Every(frozenset(flat)))

    def some(self, parts: Iterable[int]) -> int:
        """The values in at least one of them."""
        flat: set[int] = set()
        for part in parts:
            node = self._nodes[part]
            flat |= node.parts if isinstance(node, Some) else {part}
        if TRUE in flat or any(self._negations.get(part) in flat for part in flat):
            return TRUE
        return flat.pop() if len(flat) == 1 else self._intern(Some(frozenset(flat)))

    def negate(self, formula: int) -> int:
        """The values that are not in it."""
        known = self._negations.get(formula)
        if known is None:
            node = self._nodes[formula]
            assert not isinstance(node, Leaf), "both of a leaf are made together"
            inner = [self.negate(part) for part in node.parts]
            known = self.some(inner) if isinstance(node, Every) else self.every(inner)
            self._negations[formula] = known
            self._negations.setdefault(known, formula)
        return known

    def _intern(self, node: Every | Some) -> int:
        key = (type(node), node.parts)  # tuples of different types can be equal
        known = self._ids.get(key)
        if known is None:
            known = self._ids[key] = self._add(node)
        return known

    def _add(self, node: Leaf | Every | Some) -> int:
        self._nodes.append(node)
        return len(self._nodes) - 1
