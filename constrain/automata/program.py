"""Expression values to a flat program for `kernels.expressions.build`: the one packer between the two.

A program is a list of steps (opcode, number of arguments, arguments); arguments of inner steps are step numbers.
A subexpression that is used several times becomes one step.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
from constrain.kernels import expressions as k

Built = dict[int, tuple[int, Expr]]
"""The node of an expression by its identity; the expression is kept so that the identity stays its own."""


class Program:
    """Steps written so far. `add` returns the number of the step that makes an expression.

    `chars` holds the nodes of character classes that are known already: they are large, and the same ones recur.
    `built` holds the nodes of expressions built before, by identity.
    """

    def __init__(self, chars: Mapping[Ranges, int], built: Built | None = None) -> None:
        self._chars, self._built = chars, built or {}
        self._new_chars: dict[Ranges, int] = {}
        self._code: list[int] = []
        self._count = 0
        self._steps: dict[int, tuple[int, Expr]] = {}  # by identity: to hash an expression takes long

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The program and room for the value of each step."""
        return np.array(self._code, np.int64), np.zeros(max(1, self._count), np.int64)

    def nodes(self, values: np.ndarray) -> Built:
        """The nodes of all expressions added, from the values of the steps."""
        return {key: (int(values[step]), expr) for key, (step, expr) in self._steps.items()}

    def characters(self, values: np.ndarray) -> dict[Ranges, int]:
        """The nodes of the character classes that were new, from the values of the steps."""
        return {ranges: int(values[step]) for ranges, step in self._new_chars.items()}

    def intersect(self, a: int, b: int) -> int:
        """Append the intersection of two known nodes."""
        return self._step(k.OP_AND, [self._step(k.OP_NODE, [a]), self._step(k.OP_NODE, [b])])

    def unite(self, a: int, b: int) -> int:
        """Append the union of two known nodes."""
        return self._step(k.OP_ALT, [self._step(k.OP_NODE, [a]), self._step(k.OP_NODE, [b])])

    def lexer(self, terminals: list[int]) -> int:
        """Append the union of known nodes (the low 32 bits of the terminals), each before a mark of its terminal."""
        ended = [(self._step(k.OP_NODE, [n & 0xFFFFFFFF]), self._step(k.OP_MARK, [n])) for n in terminals]
        return self._step(k.OP_ALT, [self._step(k.OP_CONCAT, list(pair)) for pair in ended])

    def add(self, expr: Expr) -> int:
        """Append the steps that make `expr`."""
        known = self._steps.get(id(expr))
        if known is not None:
            return known[0]
        node = self._built.get(id(expr))
        step = self._write(expr) if node is None else self._step(k.OP_NODE, [node[0]])
        self._steps[id(expr)] = step, expr
        return step

    def _write(self, expr: Expr) -> int:
        match expr:
            case Literal(data):
                return self._step(k.OP_LITERAL, list(data))
            case Chars(ranges):
                return self._characters(ranges)
            case Words(words):
                return self._words(words)
            case Anything():
                return self._step(k.OP_NODE, [int(k.ANYTHING)])
            case Divisible(divisor):
                return self._divisible(divisor)
            case Concat(parts):
                return self._step(k.OP_CONCAT, [self.add(part) for part in parts])
            case Alt(parts):
                return self._step(k.OP_ALT, [self.add(part) for part in parts])
            case And(parts, within):
                return self._step(k.OP_WITHIN if within else k.OP_AND, [self._closed(part) for part in parts])
            case Towards(frame, goal):
                return self._step(k.OP_TOWARDS, [self._closed(frame), self._closed(goal)])
            case Not(body):
                return self._step(k.OP_NOT, [self._closed(body)])
            case Repeat(body, low, high):
                return self._step(k.OP_REPEAT, [self.add(body), low, -1 if high is None else high])
            case Closed(body):
                return self._closed(body)
            case Look(body, behind, negated):
                return self._behind(body, negated) if behind else self._ahead(body, negated)

    def _divisible(self, divisor: int) -> int:
        if not 1 <= divisor <= LARGEST_DIVISOR:
            raise UnsupportedError(f"multiples of {divisor}: a divisor lies between 1 and {LARGEST_DIVISOR}")
        return self._step(k.OP_DIVISIBLE, [divisor])

    def _closed(self, body: Expr) -> int:
        return self._step(k.OP_FENCE, [self.add(body)])

    def _ahead(self, body: Expr, negated: bool) -> int:
        return self._step(k.OP_NOT_AHEAD if negated else k.OP_AHEAD, [self.add(body)])

    def _behind(self, body: Expr, negated: bool) -> int:
        """The language of prefixes that end with `body`, or that do not."""
        anything = self.add(Anything())
        prefixes = self._step(k.OP_CONCAT, [anything, self.add(body)])
        if negated:
            prefixes = self._step(k.OP_NOT, [prefixes])
        return self._step(k.OP_BEHIND, [prefixes])

    def _words(self, words: tuple[bytes, ...]) -> int:
        ordered = sorted(set(words))
        ends = np.cumsum([len(word) for word in ordered]).tolist()
        return self._step(k.OP_WORDS, [len(ordered), *ends, *b"".join(ordered)])

    def _characters(self, ranges: Ranges) -> int:
        if ranges[-1:] and ranges[-1][1] < 0x80:
            return self._step(k.OP_BYTES, [bound for pair in ranges for bound in pair])
        if ranges in self._chars:
            return self._step(k.OP_NODE, [self._chars[ranges]])
        if ranges in self._new_chars:
            return self._new_chars[ranges]
        step = self._new_chars[ranges] = self._tree(byte_tree(ranges))
        return step

    def _tree(self, tree: ByteTree) -> int:
        """One alternative for each subtree, after the set of bytes that lead to it."""
        branches = []
        for subtree, pairs in tree:
            lead = self._step(k.OP_BYTES, [bound for pair in pairs for bound in pair])
            branches.append(self._step(k.OP_CONCAT, [lead, self._tree(subtree)]) if subtree else lead)
        return branches[0] if len(branches) == 1 else self._step(k.OP_ALT, branches)

    def _step(self, op: np.int64, args: list[int]) -> int:
        self._code += (int(op), len(args), *args)
        self._count += 1
        return self._count - 1
