"""Answers to questions about regular languages, from the expression store."""

from __future__ import annotations

from constrain.automata.program import Built
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.ir.expr import Closed, Expr
from constrain.limits import Limits

_LENGTH = 4096


class StoreLanguages:
    """`constrain.ir.languages.Languages`, answered by a store."""

    def __init__(self, store: ExpressionStore, limits: Limits) -> None:
        self._store, self._limits = store, limits
        self._built: Built = {}
        self._nodes: dict[int, tuple[int, Expr]] = {}

    def is_empty(self, expr: Expr) -> bool:
        """Whether an expression denotes nothing."""
        return self._store.advance(self._node(expr), b"", self._limits).node == EMPTY

    def accepts(self, expr: Expr, text: bytes) -> bool:
        """Whether an expression denotes `text`."""
        reached = self._store.advance(self._node(expr), text, self._limits)
        return reached.read == len(text) and self._store.is_nullable(reached.node)

    def listed(self, expr: Expr, most: int) -> tuple[bytes, ...] | None:
        """All strings that an expression denotes, if they are at most `most`, and none is very long."""
        found: list[bytes] = []
        start = self._store.advance(self._node(expr), b"", self._limits).node
        todo = [(start, b"")] if start != EMPTY else []
        while todo:  # nodes, and texts whose last byte is still to be read
            before, text = todo.pop()
            node = self._store.advance(before, text[-1:], self._limits).node
            if self._store.is_nullable(node):
                found.append(text)
            viable = self._store.viable_bytes(node, self._limits)
            if len(found) + len(todo) + len(viable) > most or len(text) > _LENGTH:
                return None  # what is left of the expression always has a string, so every way counts for one at least
            todo += [(node, text + bytes([b])) for b in viable]
        return tuple(sorted(found))

    def _node(self, expr: Expr) -> int:
        known = self._nodes.get(id(expr))
        if known is None:
            known = self._nodes[id(expr)] = self._store.build(Closed(expr), self._limits, self._built), expr
        return known[0]
