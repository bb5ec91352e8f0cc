"""Terminals as the engine reads them: literals, or DFA states with local states.

Terminals of few strings, and words however many, are literals; a JSON string of bounded length is the plain one with
counts in its local state; all others are DFA states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from constrain.engine import tables as t
from constrain.engine.network import NEVER
from constrain.errors import GrammarSyntaxError, VocabularyError
from constrain.ir.expr import Alt, And, Chars, Closed, Concat, Expr, Literal, Repeat, Words
from constrain.ir.grammar import Special, Terminal
from constrain.ir.json_text import BODY, CHARACTER

if TYPE_CHECKING:
    from constrain.automata.dfa import DfaStore
    from constrain.limits import Limits
    from constrain.vocab.vocabulary import Vocabulary

LISTED = 64
"""Terminals of up to so many strings become literals; words do, however many they are."""
_QUOTE = Literal(b'"')
_STRING = Concat((_QUOTE, Closed(BODY), _QUOTE))


class Spelled(NamedTuple):
    """A terminal as the engine reads it: literals, or a DFA state with its local state (see `tables.X`)."""

    words: Sequence[bytes] | None
    start: int = 0
    local: int = 0


def strings_of(expr: Expr, most: int) -> list[bytes] | None:
    """List the strings of an expression, if they are few; words and literals may be many.

    >>> strings_of(Concat((Literal(b"a"), Words((b"b", b"c")))), 4)
    [b'ab', b'ac']
    """
    match expr:
        case Literal(data):
            return [data]
        case Words(words):
            return list(words)
        case Closed(body):
            return strings_of(body, most)
        case Concat(parts):
            found = [b""]
            for part in parts:
                one = strings_of(part, most)
                if one is None or len(one) * len(found) > max(most, 2 * len(found), 2 * len(one)):
                    return None
                found = [a + b for a in found for b in one]
            return found
        case Alt(parts):
            found = []
            for part in parts:
                one = strings_of(part, most)
                if one is None or (len(found) + len(one) > most and not isinstance(part, Words | Literal)):
                    return None
                found += one
            return found
        case Repeat(body, low, high) if high is not None and high <= 2:
            one = strings_of(body, most)
            if one is None or len(one) > most:
                return None
            found, now = [], [b""]
            for n in range(high + 1):
                if n >= low:
                    found += now
                now = [a + b for a in now for b in one]
                if len(found) + len(now) > 4 * most:
                    return None
            return found
        case Chars(ranges) if sum(high - low + 1 for low, high in ranges) <= most:
            return [chr(c).encode() for low, high in ranges for c in range(low, high + 1)]
    return None


class Terminals:
    """The terminals of one grammar over one vocabulary: their numbers, and how the engine reads them."""

    def __init__(self, vocabulary: Vocabulary, dfas: DfaStore, limits: Limits, longest: bool = False) -> None:
        """Under `longest` match they are all automata, and their labels are their local states."""
        self._vocabulary, self._dfas, self.limits, self._longest = vocabulary, dfas, limits, longest
        self._numbers: dict[int, int] = {}
        self._units = spelled_by(vocabulary)
        self.terminals: list[Terminal | Special] = []
        """By number."""
        self._spelled: dict[int, Spelled] = {}
        self._lengths: dict[int, float] = {}
        self.special: list[int] = []
        """The numbers of special tokens: symbol k of the engine is terminal `special[k]`."""
        self.special_ids: list[list[int]] = []
        self.unspellable: list[str] = []
        self.labels: list[int] = [0]
        """Under longest match: priorities by label. Terminals of one language and priority have one label."""
        self._labels: dict[tuple[int, int], int] = {}

    @property
    def spells_words(self) -> bool:
        """Whether terminals of few strings become literals."""
        return self._units is None and not self._longest

    def number(self, terminal: Terminal | Special) -> int:
        """The number of a terminal."""
        known = self._numbers.get(id(terminal))
        if known is None:
            known = self._numbers[id(terminal)] = len(self.terminals)
            self.terminals.append(terminal)
            if isinstance(terminal, Special):
                self.special_ids.append(self._ids(terminal))
                self.special.append(known)
        return known

    def length(self, number: int) -> float:
        """Bytes of the shortest string of a terminal; NEVER if no tokens spell any."""
        known = self._lengths.get(number)
        if known is None:
            terminal = self.terminals[number]
            if isinstance(terminal, Special):
                known = 1.0
            else:
                words, start, local = self.spelled(number)
                known = min(map(len, words), default=NEVER) if words is not None else self._shortest(start)
                if local & t.COUNTED_STRING:
                    known += local >> 24 & t.UNBOUNDED
            self._lengths[number] = known
        return known

    def _shortest(self, start: int) -> float:
        found = self._dfas.shortest(start) if start else None
        return NEVER if found is None else found

    def spelled(self, number: int) -> Spelled:
        """How the engine reads a terminal. Raises GrammarSyntaxError if it matches the empty text, or nothing."""
        known = self._spelled.get(number)
        if known is None:
            terminal = self.terminals[number]
            assert isinstance(terminal, Terminal)
            known = self._spelled[number] = self._spell(number, terminal)
        return known

    def tracked(self) -> list[int]:
        """The numbers of terminals that must not match some values, of those that have been spelled so far."""
        return [spelled.local & 0xFFFFFFFF for spelled in self._spelled.values() if spelled.local & t.TRACKED]

    def starts(self) -> Iterator[tuple[Terminal, Spelled]]:
        """The terminals that have been spelled so far."""
        for number, spelled in self._spelled.items():
            terminal = self.terminals[number]
            assert isinstance(terminal, Terminal)
            yield terminal, spelled

    def _spell(self, number: int, terminal: Terminal) -> Spelled:
        if terminal.once is None and terminal.turn is None and self.spells_words:
            return spelled_alone(terminal, self._dfas, self.limits)
        start = self._dfas.start(terminal.expr, self.limits)
        _check(terminal, start, self._dfas)
        if self._units is not None:
            start = self._dfas.start(And((Closed(terminal.expr), self._units)), self.limits)
            if start == 0:
                self.unspellable.append(terminal.name)
        if self._longest:
            label = self._labels.setdefault((terminal.priority, start), len(self.labels))
            if label == len(self.labels):
                self.labels.append(terminal.priority)
            return Spelled(None, start, label)
        return Spelled(None, start, _local(terminal, number))

    def _ids(self, special: Special) -> list[int]:
        """The token ids of a special token. Raises GrammarSyntaxError, VocabularyError."""
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
        return sorted(ids - ending)


_known: WeakKeyDictionary[DfaStore, dict[int, tuple[Expr, Spelled]]] = WeakKeyDictionary()
"""How terminals are read that have no `once` and no `turn`, by the identity of their expressions."""
_REMEMBERED = 10_000


def spelled_alone(terminal: Terminal, dfas: DfaStore, limits: Limits) -> Spelled:
    """How the engine reads a terminal whose matches may be any. Raises GrammarSyntaxError as `spelled` does."""
    known = _known.setdefault(dfas, {})
    found = known.get(id(terminal.expr))
    if found is None:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = known[id(terminal.expr)] = terminal.expr, _spelled_alone(terminal, dfas, limits)
    return found[1]


def _spelled_alone(terminal: Terminal, dfas: DfaStore, limits: Limits) -> Spelled:
    words = strings_of(terminal.expr, LISTED)
    if words:
        if b"" in words:
            raise _nullable(terminal)
        return Spelled(sorted(set(words)))
    counted = _counted_string(terminal.expr)
    if counted is not None:
        return Spelled(None, plain_string(dfas)[0], t.COUNTED_STRING | counted)
    start = dfas.start(terminal.expr, limits)
    _check(terminal, start, dfas)
    return Spelled(None, start)


def _check(terminal: Terminal, start: int, dfas: DfaStore) -> None:
    if start == 0:
        raise GrammarSyntaxError(f"terminal {terminal.name} matches nothing at all")
    if dfas.accepts(start):
        raise _nullable(terminal)


def _local(terminal: Terminal, number: int) -> int:
    """The local state of a terminal where it begins."""
    if terminal.turn is not None:
        return t.DEPENDENT | number
    if terminal.once is None:
        return 0
    return t.TRACKED | number | (0 if terminal.once.meaning is None else t.NAME_TERMINAL)


def plain_string(dfas: DfaStore) -> tuple[int, int, int]:
    """The states of the plain JSON string: before the opening quote, between characters, behind the closing quote."""
    start = dfas.start(_STRING)
    body = dfas.step(start, ord('"'))
    return start, body, dfas.step(body, ord('"'))


def _counted_string(expr: Expr) -> int | None:
    """The bounds of a JSON string of so many characters, as a local state; None if it is something else."""
    match expr:
        case Concat((Literal(b'"'), Closed(Repeat(body, low, high)), Literal(b'"'))) if body is CHARACTER:
            bounded = (low, high) != (0, None) and max(low, high or 0) < t.UNBOUNDED
            return (low << 24 | (t.UNBOUNDED if high is None else high)) if bounded else None
    return None


def _nullable(terminal: Terminal) -> GrammarSyntaxError:
    return GrammarSyntaxError(
        f"terminal {terminal.name} matches the empty text, so that it could be repeated for ever; "
        "let it match one character or more, and make it optional where it is used"
    )


def spelled_by(vocabulary: Vocabulary) -> Expr | None:
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
    return Repeat(Words(units), 0, None)
