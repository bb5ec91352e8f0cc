"""The terminals of a grammar, bound to a vocabulary.

In:  `constrain.ir.grammar.Terminal` and `Special` values.
Out: numbers, by which the recogniser and the lexer know them: nodes of the store for text, from SPECIAL up for special
     tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import TYPE_CHECKING

from constrain.automata.network import NEVER
from constrain.automata.program import Built
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.errors import GrammarSyntaxError, VocabularyError
from constrain.ir.expr import And, Closed, Expr, Repeat
from constrain.ir.expr import Words as Listed
from constrain.ir.grammar import Grammar, Special, Terminal
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

SPECIAL = 1 << 48
"""Numbers of special tokens begin here."""


_TWIN = 1 << 32
"""Terminals of one language that differ in priority: the node of the store, and so much more for each."""


def node_of(number: int) -> int:
    """The node of the store for a terminal."""
    return number % _TWIN


class Symbols:
    """The numbers of a grammar's terminals: nodes of the store for text, SPECIAL + n for special tokens."""

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary, store: ExpressionStore, limits: Limits) -> None:
        self._vocabulary, self._store, self._limits = vocabulary, store, limits
        self._numbers: dict[int, tuple[int, Terminal | Special]] = {}  # by identity: to hash an expression takes long
        self._built: Built = {}
        self.names: dict[int, str] = {}
        self.priorities: dict[int, int] = {}
        self._longest = grammar.longest
        self._twins: dict[int, dict[Hashable, int]] = {}
        self.once: dict[int, Callable[[bytes], Expr]] = {}
        """For terminals that match once, from a match to what no later one may begin with."""
        self._bars: dict[int, tuple[int, Expr]] = {}
        self.special: list[frozenset[int]] = []
        """The token ids of each special token."""
        self._units = _characters(vocabulary)
        self.unspellable: set[int] = set()
        self.ignore = self.number(grammar.ignore) if grammar.ignore is not None else EMPTY

    def number(self, terminal: Terminal | Special) -> int:
        """The number of a terminal. Raises GrammarSyntaxError if it matches the empty text, or nothing."""
        known = self._numbers.get(id(terminal))
        if known is not None:
            return known[0]
        number = self._text(terminal) if isinstance(terminal, Terminal) else self._special_token(terminal)
        self._numbers[id(terminal)] = number, terminal
        self.names.setdefault(number, terminal.name)
        return number

    def length(self, number: int) -> float:
        """Bytes of the shortest string of a terminal; 1 for a special token; NEVER if no tokens spell any."""
        if number >= SPECIAL:
            return 1
        node = node_of(number)
        return NEVER if node in self.unspellable else max(1, self._store.shortest(node))

    def _text(self, terminal: Terminal) -> int:
        node = self._build(terminal.expr)
        if node == EMPTY:
            raise GrammarSyntaxError(f"terminal {terminal.name} matches nothing at all")
        if self._store.is_nullable(node):
            raise GrammarSyntaxError(
                f"terminal {terminal.name} matches the empty text, so that it could be repeated for ever; "
                "let it match one character or more, and make it optional where it is used"
            )
        twins = self._twins.setdefault(node, {})
        kind = (terminal.priority if self._longest else 0, terminal.once)
        number = twins.setdefault(kind, node + len(twins) * _TWIN)
        self.priorities[number] = terminal.priority
        if terminal.once is not None:
            self.once[number] = terminal.once
        return number

    def bar(self, number: int, text: bytes) -> int:
        """What must not be matched after a terminal that matches once has matched `text`: a node of the store."""
        expr = self.once[number](text)
        known = self._bars.get(id(expr))
        if known is None:
            known = self._bars[id(expr)] = self._store.build(Closed(expr), self._limits), expr
        return known[0]

    def _build(self, expr: Expr) -> int:
        """The node of what tokens can spell of an expression."""
        node = self._alive(Closed(expr))
        if self._units is None or node == EMPTY:
            return node
        spelled = self._alive(And((Closed(expr), self._units)))
        if spelled == EMPTY:
            self.unspellable.add(node)
        return spelled or node

    def _alive(self, expr: Expr) -> int:
        return self._store.advance(self._store.build(expr, self._limits, self._built), b"", self._limits).node

    def _special_token(self, special: Special) -> int:
        vocabulary = self._vocabulary
        if special.ids:
            ids = {i for low, high in special.ids for i in range(low, min(high, vocabulary.size - 1) + 1)}
        else:
            ids = {vocabulary.special_tokens[special.name]} if special.name in vocabulary.special_tokens else set()
        if not ids:
            known = ", ".join(sorted(vocabulary.special_tokens)[:10])
            raise VocabularyError(f"{vocabulary!r} has no special token {special.name}; it has {known or 'none'}")
        ending = ids & set(vocabulary.eos_ids)
        if ending and not special.ids:
            raise GrammarSyntaxError(
                f"special token {special.name} ends the output (EOS); the end is implied, leave the token out"
            )
        self.special.append(frozenset(ids - ending))
        return SPECIAL + len(self.special) - 1


def _characters(vocabulary: Vocabulary) -> Expr | None:
    """What tokens can spell, if not everything. Raises VocabularyError unless each character can be spelled alone."""
    units = vocabulary.units
    if units is None:
        return None
    joined = [unit for unit in units if len(unit) > 1 and len(unit.decode(errors="replace")) > 1]
    if joined:
        raise VocabularyError(
            f"{vocabulary!r} spells {joined[0]!r} only as a whole: a grammar needs a vocabulary in which every "
            "character that it can spell is a token, or a sequence of byte tokens"
        )
    ordered = sorted(units)
    for part, whole in pairwise(ordered):  # what begins with a unit stands right after it
        if whole.startswith(part):
            raise VocabularyError(
                f"{vocabulary!r} spells {whole!r} as a whole, and has a token for its beginning {part!r} without "
                "tokens for the rest: a grammar needs a vocabulary in which every character begun can be ended"
            )
    return Repeat(Listed(units), 0, None)
