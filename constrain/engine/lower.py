"""From the rules of a grammar to the flat network that the engine reads.

In:  a `constrain.ir.grammar.Grammar`, whose rules may be made as they are asked for.
Out: rows of NET, ARC, CALL, SPECIAL, LITERAL and LEAF in the tables of a session.

A state of the flat network is (what is left of a rule's body, register, whether ignored text may come first). All
literals of a state stand in one trie; other terminals are DFA states. Ignored text is read behind each terminal.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from constrain.engine import tables as t
from constrain.engine.network import NEVER, Network, run
from constrain.errors import GrammarSyntaxError, LimitExceeded, UnsatisfiableError, VocabularyError
from constrain.ir.expr import Alt, And, Chars, Closed, Concat, Expr, Literal, Repeat, Words
from constrain.ir.fuse import fuse
from constrain.ir.grammar import Call, Grammar, Rule, Seq, Special, Terminal
from constrain.ir.json_text import BODY, CHARACTER

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from constrain.automata.build import Built
    from constrain.automata.dfa import DfaStore
    from constrain.jit import Tables
    from constrain.limits import Limits
    from constrain.vocab.vocabulary import Vocabulary

LISTED = 64
"""Terminals of up to so many strings become literals; words do, however many they are."""
START = "", "start"
"""The rule that calls the first one, so that this, too, is called from somewhere."""
SPACED = "", "space before the text"
_QUOTE = Literal(b'"')
_STRING = Concat((_QUOTE, Closed(BODY), _QUOTE))
_SPACE = Terminal("space", Literal(b" "))


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
        self._vocabulary, self._dfas, self._limits, self._longest = vocabulary, dfas, limits, longest
        self._numbers: dict[int, int] = {}
        self._units = spelled_by(vocabulary)
        self.terminals: list[Terminal | Special] = []
        """By number."""
        self._spelled: dict[int, Spelled] = {}
        self._built: Built = {}
        self._lengths: dict[int, float] = {}
        self.special: list[int] = []
        """The numbers of special tokens: symbol k of the engine is terminal `special[k]`."""
        self.special_ids: list[list[int]] = []
        self.unspellable: list[str] = []
        self.labels: list[int] = [0]
        """Under longest match: priorities by label. Terminals of one language and priority have one label."""
        self._labels: dict[tuple[int, int], int] = {}

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
        return [number for number, spelled in self._spelled.items() if spelled.local & t.TRACKED]

    def starts(self) -> Iterator[tuple[Terminal, Spelled]]:
        """The terminals that have been spelled so far."""
        for number, spelled in self._spelled.items():
            terminal = self.terminals[number]
            assert isinstance(terminal, Terminal)
            yield terminal, spelled

    def _spell(self, number: int, terminal: Terminal) -> Spelled:
        if terminal.once is None and terminal.turn is None and self._units is None and not self._longest:
            words = strings_of(terminal.expr, LISTED)
            if words:
                if b"" in words:
                    raise _nullable(terminal)
                return Spelled(sorted(set(words)))
            counted = _counted_string(terminal.expr)
            if counted is not None:
                return Spelled(None, plain_string(self._dfas)[0], t.COUNTED_STRING | counted)
        start = self._dfas.start(Closed(terminal.expr), self._limits, self._built)
        if start == 0:
            raise GrammarSyntaxError(f"terminal {terminal.name} matches nothing at all")
        if self._dfas.accepts(start):
            raise _nullable(terminal)
        if self._units is not None:
            start = self._dfas.start(And((Closed(terminal.expr), self._units)), self._limits)
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


def _local(terminal: Terminal, number: int) -> int:
    """The local state of a terminal where it begins."""
    if terminal.turn is not None:
        return t.DEPENDENT | number
    return t.TRACKED | number if terminal.once is not None else 0


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


class Lowering:
    """Writes the states of one grammar to the tables of a session, each when it is first asked for."""

    def __init__(
        self, grammar: Grammar, vocabulary: Vocabulary, dfas: DfaStore, session: Tables, limits: Limits
    ) -> None:
        grammar = fuse(grammar)
        self.grammar, self.vocabulary, self.limits = grammar, vocabulary, limits
        self.terminals = Terminals(vocabulary, dfas, limits, grammar.longest)
        self._session = session
        calls = Call(grammar.start, lazy=grammar.is_plain)
        rules: Mapping[Hashable, Rule] = ChainMap(
            {START: Rule(calls), SPACED: Rule(Seq((_SPACE, calls)))},
            cast("MutableMapping[Hashable, Rule]", grammar.rules),
        )
        roots = (START, SPACED) if vocabulary.strips_leading_space else (START,)
        self.network = Network(
            rules, roots, self.terminals.number, self.terminals.length, limits, grammar.cost, grammar.is_plain
        )
        self._ignore = -1 if grammar.ignore is None else self.terminals.number(grammar.ignore)
        self._nullable: set[int] = set()
        self._judged = 0
        """Rules that are known to be in `_nullable` or not."""
        self._states: dict[tuple[int, int, bool], int] = {}
        self._keys: list[tuple[int, int, bool]] = []
        self._tries: dict[tuple[tuple[bytes, tuple[tuple[int, int], ...]], ...], int] = {}
        self._leaves: dict[tuple[tuple[int, int], ...], int] = {}
        self.begun: dict[int, dict[int, int]] = {}
        """The terminals that lead to a state of the network: number, and DFA state where they begin."""
        self.literals: dict[int, tuple[int, ...]] = {}
        """The literal terminals that end at a place in LEAF."""
        self._used = {"literal": 1, "leaf": 1, "arc": 0, "call": 0, "special": 0}
        self._session["net"][:8] = 0
        assert self.state(0, 0, False) == t.END_STATE
        self._session["net"][t.NET_FLAGS] = t.EXPANDED | t.ENDS | t.PURE
        if not grammar.is_plain and self.network.rule_cost(self.network.number(grammar.start)) == NEVER:
            raise self._nothing()

    def _nothing(self) -> UnsatisfiableError | VocabularyError:
        missing = self.terminals.unspellable
        if missing:
            return VocabularyError(
                f"no tokens of {self.vocabulary!r} spell a text of the grammar: {missing[0]} cannot be spelled"
            )
        start = self.grammar.start
        return UnsatisfiableError(f"no text at all can be derived from rule {start!r}: its rules never end")

    @property
    def size(self) -> int:
        """Number of states, those included that are not expanded."""
        return len(self._keys)

    def first(self) -> int:
        """The state of the empty text, before which ignored text may stand."""
        state, register = self.network.start(self.network.number(START))
        first = self.state(state, register, self._ignore >= 0)
        if not self.is_expanded(first):
            self.expand(first)
        return first

    def rules(self) -> list[int]:
        """The numbers of the grammar's rules in the network, as far as they have been read."""
        return [number for number, name in enumerate(self.network.names) if name not in (START, SPACED)]

    def root(self, rule: Hashable) -> int:
        """The first state of a rule."""
        return self.rule(self.network.number(rule))

    def rule(self, number: int) -> int:
        """The first state of a rule, by its number in the network."""
        state, register = self.network.start(number)
        first = self.state(state, register, False)
        if self._is_nullable(number):
            self._session["net"][8 * first + t.NET_FLAGS] |= t.NULLABLE
        return first

    def _is_nullable(self, rule: int) -> bool:
        """Whether a rule denotes the empty text: a least fixed point over those whose least text has no bytes."""
        network = self.network
        if len(network.names) > self._judged:
            first, self._judged = self._judged, len(network.names)
            found = new = [rule for rule in range(first, self._judged) if network.is_nullable(rule)]
            while found:
                found = [rule for rule in new if self._ends_at_once(rule)]
                self._nullable.update(found)
                new = [rule for rule in new if rule not in self._nullable]
        return rule in self._nullable

    def _ends_at_once(self, rule: int) -> bool:
        """Whether a rule can end over rules that are known to denote the empty text."""
        network, todo = self.network, [self.network.start(rule)]
        seen = set(todo)
        while todo:
            state, register = todo.pop()
            if network.may_end(state, register):
                return True
            for edge in network.line(state).calls:
                after = run(edge.actions, register)
                if after is not None and -1 - edge.symbol in self._nullable and (edge.target, after) not in seen:
                    seen.add((edge.target, after))
                    todo.append((edge.target, after))
        return False

    def state(self, state: int, register: int, ignores: bool) -> int:
        """The flat state of what is left of a body."""
        key = (state, register if state else 0, ignores)
        known = self._states.get(key)
        if known is None:
            known = self._states[key] = len(self._keys)
            if known >= self.limits.states:
                raise LimitExceeded("states", known + 1, self.limits.states, "the rules of a grammar")
            self._keys.append(key)
            self._session.grow(t.NET, 8 * len(self._keys))
        return known

    def expand(self, flat: int) -> None:
        """Write what may come first in a state."""
        state, register, ignores = self._keys[flat]
        network, spelled = self.network, self.terminals.spelled
        line = network.line(state)
        ends = any(run(actions, register) is not None for actions in line.ends)
        words: dict[bytes, list[tuple[int, int]]] = {}
        arcs: list[tuple[int, int, int]] = []
        special: list[tuple[int, int]] = []
        edges = [(edge.symbol, run(edge.actions, register), edge.target, True) for edge in line.terminals]
        if ignores:
            edges.append((self._ignore, register, state, False))
        for symbol, after, target, behind in edges:
            if after is None or not network.is_alive(target, after):
                continue
            goal = self.state(target, after, behind and self._ignore >= 0)
            if isinstance(self.terminals.terminals[symbol], Special):
                special.append((self.terminals.special.index(symbol), goal))
                continue
            listed, start, local = spelled(symbol)
            if listed is None:
                if start:
                    arcs.append((start, local, goal))
                    self.begun.setdefault(goal, {})[symbol] = start
                continue
            for word in listed:
                words.setdefault(word, []).append((goal, symbol))
        calls: list[tuple[int, int]] = []
        for edge in line.calls:
            after = run(edge.actions, register)
            if after is not None and network.is_alive(edge.target, after):
                calls.append((self.rule(-1 - edge.symbol), self.state(edge.target, after, False)))
        o = 8 * flat
        columns = [
            self._literals(words) if words else 0,
            *self._append("arc", t.ARC, arcs),
            *self._append("call", t.CALL, calls),
            *self._append("special", t.SPECIAL, special),
        ]
        pure = ends and not (words or arcs or calls or special)
        net = self._session["net"]
        net[o + 1 : o + 8] = columns
        net[o] |= t.EXPANDED | (t.ENDS if ends else 0) | (t.PURE if pure else 0)

    def cost(self, flat: int) -> float:
        """Bytes that are at least left to the end of the rule."""
        return self.network.cost(self._keys[flat][0])

    def is_expanded(self, flat: int) -> bool:
        """Whether the state has been written."""
        return bool(self._session["net"][8 * flat] & t.EXPANDED)

    def _append(self, name: str, table: int, rows: Sequence[tuple[int, ...]]) -> tuple[int, int]:
        """Write rows behind those of a table; the first one's place, and their number."""
        if not rows:
            return 0, 0
        at, width = self._used[name], len(rows[0])
        self._session.grow(table, width * (at + len(rows)))
        self._session[name][width * at : width * (at + len(rows))] = [value for row in rows for value in row]
        self._used[name] = at + len(rows)
        return at, len(rows)

    def _literals(self, words: dict[bytes, list[tuple[int, int]]]) -> int:
        """The root of the trie of some words, each with the states that it leads to and the terminals that it is."""
        key = tuple((word, tuple(sorted(set(words[word])))) for word in sorted(words))
        known = self._tries.get(key)
        if known is None:
            leaves = [self._leaf(ways) for _, ways in key]
            known = self._tries[key] = self._trie([word for word, _ in key], leaves)
        return known

    def without_child(self, root: int, byte: int) -> int:
        """A copy of the root of a trie without its child by a byte; 0 if no other is left."""
        literal = self._session["literal"]
        word = int(literal[root])
        first, children = word >> t.CHILD & t.CHILD_MASK, word >> t.CHILDREN & t.CHILDREN_MASK
        kept = [int(w) for w in literal[first : first + children] if w & 255 != byte]
        if not kept:
            return 0
        base = self._used["literal"]
        self._session.grow(t.LITERAL, base + 1 + len(kept))
        self._session["literal"][base : base + 1 + len(kept)] = [
            (base + 1) << t.CHILD | len(kept) << t.CHILDREN,
            *kept,
        ]
        self._used["literal"] = base + 1 + len(kept)
        return base

    def _leaf(self, ways: tuple[tuple[int, int], ...]) -> int:
        """The place in LEAF of some states, and of the terminals that lead to them."""
        known = self._leaves.get(ways)
        if known is None:
            goals = sorted({goal for goal, _ in ways})
            known = self._leaves[ways] = self._used["leaf"]
            after = self._used["leaf"] = known + 1 + len(goals)
            if after > t.PAYLOAD_MASK:
                raise LimitExceeded("states", after, t.PAYLOAD_MASK, "where the words of a grammar lead")
            self._session.grow(t.LEAF, after)
            self._session["leaf"][known:after] = (len(goals), *goals)
            self.literals[known] = tuple(sorted({symbol for _, symbol in ways}))
        return known

    def _trie(self, words: Sequence[bytes], payloads: Iterable[int]) -> int:
        """Append a trie of sorted words to LITERAL."""
        base = self._used["literal"]
        nodes = trie_words(words, list(payloads), base)
        self._session.grow(t.LITERAL, base + len(nodes))
        self._session["literal"][base : base + len(nodes)] = nodes
        self._used["literal"] = base + len(nodes)
        return base


class RegularLowering:
    """The network of a regular language: one terminal, which may be empty, and the end."""

    def __init__(self, start: int, dfas: DfaStore, session: Tables) -> None:
        self.terminals = _NoTerminals()
        self.size = 2
        net = session["net"]
        net[t.NET_FLAGS] = t.EXPANDED | t.ENDS | t.PURE
        net[8:16] = (t.EXPANDED | (t.ENDS if dfas.accepts(start) else 0), 0, 0, 1, 0, 0, 0, 0)
        session["arc"][:3] = (start, 0, t.END_STATE)
        self.begun: dict[int, dict[int, int]] = {t.END_STATE: {}}
        self.literals: dict[int, tuple[int, ...]] = {}

    def first(self) -> int:
        """The state of the empty text."""
        return 1

    def cost(self, flat: int) -> float:
        """Bytes that are at least left behind the terminal."""
        return 0.0

    def is_expanded(self, flat: int) -> bool:
        """Whether a state has been written: all are."""
        return True

    def expand(self, flat: int) -> None:
        """Write a state."""
        raise AssertionError(f"state {flat} is written")


class _NoTerminals:
    """The terminals of a regular language: it has no names for them."""

    def __init__(self) -> None:
        self.terminals: list[Terminal | Special] = []
        self.special: list[int] = []
        self.special_ids: list[list[int]] = []


def trie_words(words: Sequence[bytes], payloads: Sequence[int], base: int) -> np.ndarray:
    """Make the node words of a trie, level by level; sorted words, none of them twice. Place 0 is the root.

    >>> len(trie_words([b"ab", b"ac"], [1, 2], 1))
    4
    """
    # a node is a run of words with a common prefix: [first, last)
    level = [(0, len(words))]
    out: list[int] = []
    labels = [0]
    depth, placed = 0, 1
    while level:
        following: list[tuple[int, int]] = []
        next_labels: list[int] = []
        for (first, last), label in zip(level, labels):
            payload = 0
            if first < last and len(words[first]) == depth:
                payload = payloads[first]
                first += 1
            begin = placed + len(following)
            at = first
            while at < last:
                byte = words[at][depth]
                end = at + 1
                while end < last and words[end][depth] == byte:
                    end += 1
                following.append((at, end))
                next_labels.append(byte)
                at = end
            children = placed + len(following) - begin
            out.append(label | (base + begin) << t.CHILD | children << t.CHILDREN | payload << t.PAYLOAD)
        placed += len(following)
        level, labels = following, next_labels
        depth += 1
    return np.array(out, np.int64)
