"""Answers to questions about regular languages, from automata."""

from __future__ import annotations

from constrain.automata.dfa import DfaStore
from constrain.ir.expr import Expr
from constrain.limits import Limits


class DfaLanguages:
    """`constrain.ir.languages.Languages`, answered by a store.

    >>> from constrain.ir.expr import Literal, Not, Words
    >>> languages = DfaLanguages(DfaStore(), Limits())
    >>> languages.accepts(Not(Literal(b"a")), b"b"), languages.listed(Words((b"b", b"a")), 9)
    (True, (b'a', b'b'))
    """

    def __init__(self, store: DfaStore, limits: Limits) -> None:
        self._store, self._limits = store, limits

    def is_empty(self, expr: Expr) -> bool:
        """Whether an expression denotes nothing."""
        return not self._start(expr)

    def accepts(self, expr: Expr, text: bytes) -> bool:
        """Whether an expression denotes `text`."""
        q, read = self._store.read(self._start(expr), text)
        return read == len(text) and self._store.accepts(q)

    def listed(self, expr: Expr, most: int) -> tuple[bytes, ...] | None:
        """All strings that an expression denotes, if they are at most `most`, and none is very long."""
        return self._store.listed(self._start(expr), most)

    def _start(self, expr: Expr) -> int:
        return self._store.start(expr, self._limits)
