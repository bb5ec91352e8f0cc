"""Questions about regular languages that a front end may ask without knowing automata."""

from __future__ import annotations

from typing import Protocol

from constrain.ir.expr import Expr


class Languages(Protocol):
    """Answers exactly, or raises LimitExceeded."""

    def is_empty(self, expr: Expr) -> bool:
        """Whether an expression denotes nothing."""

    def accepts(self, expr: Expr, text: bytes) -> bool:
        """Whether an expression denotes `text`."""

    def listed(self, expr: Expr, most: int) -> tuple[bytes, ...] | None:
        """All strings that an expression denotes, if they are at most `most`."""
