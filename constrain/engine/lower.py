"""From the rules of a grammar to the flat network that the engine reads.

In:  a `constrain.ir.grammar.Grammar`, whose rules may be made as they are asked for.
Out: rows of NET, ARC, CALL, SPECIAL, LITERAL and LEAF in the tables of a session.

A state of the flat network is (what is left of a rule's body, register, whether ignored text may come first). All
literals of a state stand in one trie; other terminals are DFA states. Ignored text is read behind each terminal.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from constrain.engine import tables as t
from constrain.engine.network import NEVER, Network, run
from constrain.engine.rows import Call as UnitCall
from constrain.engine.rows import RowStates
from constrain.engine.terminals import Terminals
from constrain.errors import LimitExceeded, UnsatisfiableError, VocabularyError
from constrain.ir.expr import Literal
from constrain.ir.fuse import fuse
from constrain.ir.grammar import Call, Grammar, Rule, Seq, Special, Terminal

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from constrain.automata.dfa import DfaStore
    from constrain.jit import Tables
    from constrain.limits import Limits
    from constrain.vocab.vocabulary import Vocabulary

START = "", "start"
"""The rule that calls the first one, so that this, too, is called from somewhere."""
SPACED = "", "space before the text"
_SPACE = Terminal("space", Literal(b" "))


class Lowering:
    """Writes the states of one grammar to the tables of a session, each when it is first asked for."""

    def __init__(
        self, grammar: Grammar, vocabulary: Vocabulary, dfas: DfaStore, session: Tables, limits: Limits, call: UnitCall
    ) -> None:
        """`call` calls a unit until it has what it needs."""
        grammar = fuse(grammar)
        self.grammar, self.vocabulary, self.limits = grammar, vocabulary, limits
        self.terminals = Terminals(vocabulary, dfas, limits, grammar.longest)
        self._session = session
        self._head = session["session"]
        self._ignore = -1 if grammar.ignore is None else self.terminals.number(grammar.ignore)
        self._nullable: set[int] = set()
        self._judged = 0
        """Rules that are known to be in `_nullable` or not."""
        self._states: dict[tuple[int, int, bool], int] = {}
        self._keys: dict[int, tuple[int, int, bool]] = {}
        """What each state is that is written from rules: of the network, its register, whether ignored text comes."""
        self._tries: dict[tuple[tuple[bytes, tuple[tuple[int, int], ...]], ...], int] = {}
        self._leaves: dict[tuple[tuple[int, int], ...], int] = {}
        self._begun: dict[int, dict[int, int]] = {}
        self._literals_at: dict[int, tuple[int, ...]] = {}
        self._head[t.LITERAL_USED], self._head[t.LEAF_USED] = 1, 4
        self._session["net"][:8] = 0
        self._states[0, 0, False] = t.END_STATE
        self._keys[t.END_STATE] = 0, 0, False
        self._head[t.NET_USED] = 1
        self._session["net"][t.NET_FLAGS] = t.EXPANDED | t.ENDS | t.PURE
        self.rows: RowStates | None = None
        if grammar.rows is not None and self.terminals.spells_words:
            self.rows = RowStates(grammar.rows, self.terminals, session, call, dfas)
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
        return int(self._head[t.NET_USED])

    @cached_property
    def network(self) -> Network:
        """The rules, as far as they have been read."""
        grammar, strips = self.grammar, self.vocabulary.strips_leading_space
        calls = Call(grammar.start, lazy=grammar.is_plain)
        rules: Mapping[Hashable, Rule] = ChainMap(
            {START: Rule(calls), SPACED: Rule(Seq((_SPACE, calls)))},
            cast("MutableMapping[Hashable, Rule]", grammar.rules),
        )
        return Network(
            rules,
            (START, SPACED) if strips else (START,),
            self.terminals.number,
            self.terminals.length,
            self.limits,
            grammar.cost,
            grammar.is_plain,
        )

    def first(self) -> int:
        """The state of the empty text, before which ignored text may stand."""
        if self.rows is not None:
            return self.rows.first()
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
        if self.rows is not None:
            known = self.rows.of(self.network.names[number])
            if known:
                return known
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
            known = self._states[key] = int(self._head[t.NET_USED])
            self.check_size()
            self._head[t.NET_USED] = known + 1
            self._keys[known] = key
            self._session.grow(t.NET, 8 * known + 8)
        return known

    def check_size(self) -> None:
        """Raise LimitExceeded if there are more states than `Limits` allow."""
        if self.size >= self.limits.states:
            raise LimitExceeded("states", self.size + 1, self.limits.states, "the rules of a grammar")

    def expand_all(self, first: int, most: int) -> None:
        """Write the states from `first` on, and those that they lead to, up to a number."""
        if self.rows is not None:
            self.rows.write_all(first, most)
            return  # others wait until they are reached
        while first < min(self.size, most):
            if not self.is_expanded(first):
                self.expand(first)
            first += 1

    def expand(self, flat: int) -> None:
        """Write what may come first in a state."""
        if self.rows is not None and flat not in self._keys:
            self.rows.write(flat)
            self.check_size()
            return
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
                    self._begun.setdefault(goal, {})[symbol] = start
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
            *self._append("arc", t.ARC, t.ARC_USED, arcs),
            *self._append("call", t.CALL, t.CALL_USED, calls),
            *self._append("special", t.SPECIAL, t.SPECIAL_USED, special),
        ]
        pure = ends and not (words or arcs or calls or special)
        net = self._session["net"]
        net[o + 1 : o + 8] = columns
        net[o] |= t.EXPANDED | (t.ENDS if ends else 0) | (t.PURE if pure else 0)

    def cost(self, flat: int) -> float:
        """Bytes that are at least left to the end of the rule."""
        if self.rows is not None and flat not in self._keys:
            return self.rows.cost(flat)
        return self.network.cost(self._keys[flat][0])

    def begun(self, goal: int) -> list[tuple[str, int]]:
        """The terminals that lead to a state: name, and DFA state where they begin."""
        terminals = self.terminals.terminals
        found = [(terminals[number].name, start) for number, start in self._begun.get(goal, {}).items()]
        return found if self.rows is None else found + self.rows.begun(goal)

    def numbers_begun(self, goal: int) -> dict[int, int]:
        """The terminals of rules that lead to a state: number, and DFA state where they begin."""
        return self._begun[goal]

    def literals(self, leaf: int) -> list[str]:
        """The names of the literal terminals that end at a place in LEAF."""
        numbers = self._literals_at.get(leaf)
        if numbers is None:
            assert self.rows is not None
            return [self.rows.leaf_name(leaf)]
        return [self.terminals.terminals[number].name for number in numbers]

    def is_expanded(self, flat: int) -> bool:
        """Whether the state has been written."""
        return bool(self._session["net"][8 * flat] & t.EXPANDED)

    def _append(self, name: str, table: int, used: int, rows: Sequence[tuple[int, ...]]) -> tuple[int, int]:
        """Write rows behind those of a table; the first one's place, and their number."""
        if not rows:
            return 0, 0
        at, width = int(self._head[used]), len(rows[0])
        self._session.grow(table, width * (at + len(rows)))
        self._session[name][width * at : width * (at + len(rows))] = [value for row in rows for value in row]
        self._head[used] = at + len(rows)
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
        base = int(self._head[t.LITERAL_USED])
        self._session.grow(t.LITERAL, base + 1 + len(kept))
        self._session["literal"][base : base + 1 + len(kept)] = [
            (base + 1) << t.CHILD | len(kept) << t.CHILDREN,
            *kept,
        ]
        self._head[t.LITERAL_USED] = base + 1 + len(kept)
        return base

    def _leaf(self, ways: tuple[tuple[int, int], ...]) -> int:
        """The place in LEAF of some states, and of the terminals that lead to them."""
        known = self._leaves.get(ways)
        if known is None:
            goals = sorted({goal for goal, _ in ways})
            known = self._leaves[ways] = int(self._head[t.LEAF_USED])
            after = self._head[t.LEAF_USED] = known + 1 + len(goals)
            if after > t.PAYLOAD_MASK:
                raise LimitExceeded("states", after, t.PAYLOAD_MASK, "where the words of a grammar lead")
            self._session.grow(t.LEAF, after)
            self._session["leaf"][known:after] = (len(goals), *goals)
            self._literals_at[known] = tuple(sorted({symbol for _, symbol in ways}))
        return known

    def _trie(self, words: Sequence[bytes], payloads: Iterable[int]) -> int:
        """Append a trie of sorted words to LITERAL."""
        base = int(self._head[t.LITERAL_USED])
        nodes = trie_words(words, list(payloads), base)
        self._session.grow(t.LITERAL, base + len(nodes))
        self._session["literal"][base : base + len(nodes)] = nodes
        self._head[t.LITERAL_USED] = base + len(nodes)
        return base


class RegularLowering:
    """The network of a regular language: one terminal, which may be empty, and the end."""

    def __init__(self, start: int, dfas: DfaStore, session: Tables) -> None:
        self.terminals = _NoTerminals()
        self.size = 2
        session["session"][t.NET_USED] = 2
        net = session["net"]
        net[t.NET_FLAGS] = t.EXPANDED | t.ENDS | t.PURE
        net[8:16] = (t.EXPANDED | (t.ENDS if dfas.accepts(start) else 0), 0, 0, 1, 0, 0, 0, 0)
        session["arc"][:3] = (start, 0, t.END_STATE)

    def begun(self, goal: int) -> list[tuple[str, int]]:
        """The terminals that lead to a state: it has no names for them."""
        return []

    def literals(self, leaf: int) -> list[str]:
        """The names of literal terminals: there are none."""
        return []

    def first(self) -> int:
        """The state of the empty text."""
        return 1

    def cost(self, flat: int) -> float:
        """Bytes that are at least left behind the terminal."""
        return 0.0

    def is_expanded(self, flat: int) -> bool:
        """Whether a state has been written: all are."""
        return True

    def expand_all(self, first: int, most: int) -> None:
        """Write states: all are."""

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
