"""The terminals of a grammar, bound to a vocabulary.

In:  `constrain.ir.grammar.Terminal` and `Special` values.
Out: numbers, by which the recogniser and the lexer know them: nodes of the store for text, from SPECIAL up for special
     tokens.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import TYPE_CHECKING

from constrain.automata.network import NEVER
from constrain.automata.program import Built
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.errors import GrammarSyntaxError, VocabularyError
from constrain.ir.expr import And, Closed, Expr, Repeat, alt
from constrain.ir.expr import Words as Listed
from constrain.ir.grammar import Grammar, Once, Special, Terminal
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

SPECIAL = 1 << 62
"""Numbers of special tokens begin here."""
ONCE = 1 << 40
"""Set in the numbers of terminals that match once."""
_KIND = 1 << 41
"""Those that never match the same values have equal numbers but for multiples of this."""

_TWIN = 1 << 32
"""Terminals of one language that differ in priority: the node of the store, and so much more for each."""


def node_of(number: int) -> int:
    """The node of the store for a terminal."""
    return number % _TWIN


def is_once(number: int) -> bool:
    """Whether a terminal matches once."""
    return number & ONCE != 0 and number < SPECIAL


def plain(number: int) -> int:
    """The number by which the lexer knows a terminal: it does not see what terminals never match."""
    return number % _KIND if number < SPECIAL else number


class TextTerminals:
    """The terminals of one vocabulary under one reading. Grammars that are read in every way share them."""

    def __init__(self, vocabulary: Vocabulary, store: ExpressionStore, longest: bool, limits: Limits) -> None:
        self._store, self._longest, self._limits = store, longest, limits
        self._numbers: dict[int, tuple[int, Terminal]] = {}  # by identity: to hash an expression takes long
        self._built: Built = {}
        self._twins: dict[int, dict[Hashable, int]] = {}
        self._bars: dict[int, tuple[int, Expr]] = {}
        self._units = _characters(vocabulary)
        self.priorities: dict[int, int] = {}
        self.once: dict[int, Terminal] = {}
        """The terminals that match once, or after which it depends on the text what comes next."""
        self.turning: set[int] = set()
        """The plain numbers of those after which it depends on the text what comes next."""
        self.unspellable: set[int] = set()

    def number(self, terminal: Terminal) -> int:
        """The number of a terminal. Raises GrammarSyntaxError if it matches the empty text, or nothing."""
        known = self._numbers.get(id(terminal))
        if known is None:
            number = self._number(terminal)
            known = self._numbers[id(terminal)] = number, terminal
        return known[0]

    def length(self, number: int) -> float:
        """Bytes of the shortest string of a terminal; NEVER if no tokens spell any."""
        node = node_of(number)
        return NEVER if node in self.unspellable else max(1, self._store.shortest(node))

    def bar(self, once: Once, value: Hashable) -> int:
        """What must not be matched where a value is taken: a node of the store."""
        expr = once.spell(value)
        known = self._bars.get(id(expr))
        if known is None:
            known = self._bars[id(expr)] = self._store.build(Closed(expr), self._limits, self._built), expr
        return known[0]

    def bar_all(self, once: Once, values: frozenset[Hashable]) -> int:
        """What must not be matched where some values are taken: a node of the store, 0 if there are none."""
        if not values or once.spell_all is None or len(values) == 1:
            parts = [once.spell(value) for value in values]
            return self._store.build(Closed(alt(parts)), self._limits, self._built) if parts else EMPTY
        expr = once.spell_all(values)
        known = self._bars.get(id(expr))
        if known is None:
            known = self._bars[id(expr)] = self._store.build(Closed(expr), self._limits, self._built), expr
        return known[0]

    def _number(self, terminal: Terminal) -> int:
        node = self._build(terminal.expr)
        if node == EMPTY:
            raise GrammarSyntaxError(f"terminal {terminal.name} matches nothing at all")
        if self._store.is_nullable(node):
            raise GrammarSyntaxError(
                f"terminal {terminal.name} matches the empty text, so that it could be repeated for ever; "
                "let it match one character or more, and make it optional where it is used"
            )
        twins = self._twins.setdefault(node, {})
        if terminal.once is not None or terminal.turn is not None:
            number = twins.setdefault(terminal.turn or terminal.once, node + ONCE + (1 + len(twins)) * _KIND)
            self.once[number] = terminal
            if terminal.turn is not None:
                self.turning.add(plain(number))
            return number
        number = twins.setdefault(terminal.priority if self._longest else 0, node + len(twins) * _TWIN)
        self.priorities[number] = terminal.priority
        return number

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
        return self._store.alive(self._store.build(expr, self._limits, self._built), self._limits)


class Symbols:
    """The numbers of a grammar's terminals: those of text, and SPECIAL + n for special tokens."""

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary, text: TextTerminals) -> None:
        self._vocabulary, self.text = vocabulary, text
        self._numbers: dict[int, tuple[int, Special]] = {}
        self._names: dict[int, str] = {}
        self.special: list[frozenset[int]] = []
        """The token ids of each special token."""
        self.ignore = self.number(grammar.ignore) if grammar.ignore is not None else EMPTY

    def number(self, terminal: Terminal | Special) -> int:
        """The number of a terminal. Raises GrammarSyntaxError, VocabularyError."""
        if isinstance(terminal, Terminal):
            number = self.text.number(terminal)
            self._names.setdefault(number, terminal.name)
            self._names.setdefault(plain(number), terminal.name)
            return number
        known = self._numbers.get(id(terminal))
        if known is None:
            known = self._numbers[id(terminal)] = self._special_token(terminal), terminal
            self._names[known[0]] = terminal.name
        return known[0]

    @property
    def count(self) -> int:
        """How many terminals have been numbered."""
        return len({plain(number) for number in self._names})

    @property
    def unspellable(self) -> list[str]:
        """The names of terminals of which no tokens spell any string."""
        missing = self.text.unspellable
        return [name for number, name in self._names.items() if number < SPECIAL and node_of(number) in missing]

    @property
    def has_once(self) -> bool:
        """Whether some of them match once."""
        return any(map(is_once, self._names))

    def name(self, number: int) -> str:
        """The name of a terminal."""
        return self._names[number]

    def ids(self, number: int) -> frozenset[int]:
        """The token ids of a special token."""
        return self.special[number - SPECIAL]

    def length(self, number: int) -> float:
        """Bytes of the shortest string of a terminal; 1 for a special token; NEVER if no tokens spell any."""
        return 1 if number >= SPECIAL else self.text.length(number)

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
