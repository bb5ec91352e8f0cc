"""Expressions to programs for `assemble`: one pass over an expression, in postfix order, one word after the other.

A part that occurs several times is written once, and known by its identity from then on: expressions are graphs, and
as trees some are a million times as large.
"""

from __future__ import annotations

from typing import Any

from constrain.automata.assemble import (
    KEEP,
    OP_AHEAD,
    OP_ALT,
    OP_AND,
    OP_ANY,
    OP_BEHIND,
    OP_CLOSED,
    OP_CONCAT,
    OP_DIVISIBLE,
    OP_LITERAL,
    OP_MARK,
    OP_NODE,
    OP_NOT,
    OP_RANGES,
    OP_REPEAT,
    OP_TOWARDS,
    OP_WITHIN,
    OP_WORDS,
)
from constrain.errors import UnsupportedError
from constrain.ir.expr import (
    LARGEST_DIVISOR,
    Alt,
    And,
    Anything,
    Chars,
    Closed,
    Concat,
    Divisible,
    Expr,
    Literal,
    Look,
    Not,
    Ranges,
    Repeat,
    Towards,
    Words,
)
from constrain.ir.utf8 import ByteTree, byte_tree

Built = dict[int, tuple[int, Expr]]
"""The node of an expression by its identity; the expression is kept so that the identity stays its own."""
_LARGEST_COUNT = 1 << 30


class Program:
    """A program that makes an expression. `code` are its words, `text` the bytes of its literals.

    `chars` holds the nodes of character classes that are known already: they are large, and the same ones recur.
    `built` holds the nodes of expressions built before, by identity; it is added to.
    """

    def __init__(self, expr: Expr, chars: dict[Ranges, int], built: Built) -> None:
        self.code: list[int] = []
        self.text = bytearray()
        self._chars, self._built = chars, built
        self._marks: dict[int, int] = {}
        self._kept: list[Expr] = []
        self._write(expr)

    def remember(self, nodes: list[int]) -> None:
        """Note the nodes of what was kept, in order."""
        for expr, node in zip(self._kept, nodes):
            if type(expr) is Chars:
                self._chars[expr.ranges] = node
        self._built.update(zip(self._marks, zip(nodes, self._kept)))

    @property
    def kept(self) -> int:
        """How many nodes are kept."""
        return len(self._kept)

    def _write(self, expr: Expr) -> None:
        """Write an expression and its parts, those of a part before it."""
        code, marks, built, kept = self.code, self._marks, self._built, self._kept
        todo: list[Any] = [expr]  # expressions, and (expression, its words) once the parts are written
        while todo:
            e = todo.pop()
            kind = type(e)
            if kind is tuple:
                e, words = e
                code += words
                marks[id(e)] = len(kept)
                kept.append(e)
                continue
            key = id(e)
            if key in built:
                code += (OP_NODE, built[key][0])
            elif key in marks:
                code += (OP_MARK, marks[key])
            elif kind is Concat or kind is Alt:
                todo.append((e, ((OP_CONCAT if kind is Concat else OP_ALT) | KEEP, len(e.parts))))
                todo += e.parts[::-1]
            elif kind is Literal:
                code += (OP_LITERAL, len(e.data))
                self.text += e.data
            elif kind is Chars:
                self._characters(e)
            elif kind is Repeat:
                todo += ((e, (OP_REPEAT | KEEP, *_counts(e))), e.body)
            else:
                self._others(e, todo)

    def _others(self, e: Expr, todo: list[Any]) -> None:
        """The same for kinds of expressions that are not so common."""
        match e:
            case And(parts, within):
                todo.append((e, ((OP_WITHIN if within else OP_AND) | KEEP, len(parts))))
                todo += parts[::-1]
            case Towards(frame, goal):
                todo += ((e, (OP_TOWARDS | KEEP, 2)), goal, frame)
            case Not(body):
                todo += ((e, (OP_NOT | KEEP, 1)), body)
            case Closed(body):
                todo += ((e, (OP_CLOSED | KEEP, 1)), body)
            case Look(body, behind, negated):
                todo += ((e, ((OP_BEHIND if behind else OP_AHEAD) | KEEP, int(negated))), body)
            case Anything():
                self.code += (OP_ANY, 0)
            case Divisible(divisor):
                if not 1 <= divisor <= LARGEST_DIVISOR:
                    raise UnsupportedError(f"multiples of {divisor}: a divisor lies between 1 and {LARGEST_DIVISOR}")
                self.code += (OP_DIVISIBLE, divisor & 0x3FFFFFFF, divisor >> 30)
            case Words(words):
                self._words(e, words)
            case _:
                raise TypeError(f"not an expression: {e!r}")

    def _words(self, e: Expr, words: tuple[bytes, ...]) -> None:
        ordered = sorted(set(words))
        self.code += (OP_WORDS | KEEP, len(ordered), *map(len, ordered))
        self.text += b"".join(ordered)
        self._keep(e)

    def _keep(self, e: Expr) -> None:
        self._marks[id(e)] = len(self._kept)
        self._kept.append(e)

    def _characters(self, e: Chars) -> None:
        ranges, code = e.ranges, self.code
        if not ranges or ranges[-1][1] < 0x80:
            code += (OP_RANGES, len(ranges))
            for pair in ranges:
                code += pair
            return
        node = self._chars.get(ranges)
        if node is not None:
            code += (OP_NODE, node)
            return
        self._tree(byte_tree(ranges), KEEP)
        self._keep(e)

    def _tree(self, tree: ByteTree, keep: int) -> None:
        """Write one alternative for each subtree, after the bytes that lead to it."""
        for subtree, pairs in tree:
            self.code += (OP_RANGES, len(pairs))
            for pair in pairs:
                self.code += pair
            if subtree:
                self._tree(subtree, 0)
                self.code += (OP_CONCAT, 2)
        self.code += (OP_ALT | keep, len(tree))


def _counts(e: Repeat) -> tuple[int, int]:
    high = -1 if e.high is None else e.high
    if max(e.low, high) >= _LARGEST_COUNT or (e.high is not None and e.high < e.low):
        raise UnsupportedError(f"from {e.low} to {e.high} times: counts ascend, and are less than {_LARGEST_COUNT}")
    return e.low, high
