"""From a constraint and a vocabulary to an automaton: where front ends, automata and vocabularies meet."""

from __future__ import annotations

import copyreg
import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, WeakValueDictionary

from constrain.automata.dfa import DfaStore
from constrain.automata.queries import DfaLanguages
from constrain.automaton import TokenAutomaton
from constrain.engine.common_sets import know
from constrain.engine.count import CountingSpace
from constrain.engine.intersect import IntersectionSpace
from constrain.engine.longest_intersect import LongestIntersectionSpace
from constrain.engine.mask_cache import MaskCache
from constrain.engine.prepare import prepare
from constrain.engine.space import EarleySpace, SpelledSpace
from constrain.engine.states import State, StateSpace
from constrain.engine.terminals import plain_string
from constrain.engine.vocabulary_tables import VocabularyTables
from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError, VocabularyError
from constrain.explanation import show_bytes
from constrain.ir.expr import (
    Alt,
    And,
    Anything,
    Closed,
    Concat,
    Expr,
    Literal,
    Look,
    Not,
    Repeat,
    Towards,
    Words,
    optional,
)
from constrain.ir.grammar import Grammar, Restricted
from constrain.limits import Limits
from constrain.specs import grammars
from constrain.specs.base import Spec
from constrain.specs.length import without_tokens
from constrain.specs.room import check_room

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

_COMPILED = 512
"""Automata that one compiler remembers."""
_WEIGHED = 8
"""Automata, the last ones made, that are weighed whenever half as many more have been added. They are kept."""

_lock = threading.RLock()
_compilers: WeakSet[Compiler] = WeakSet()


class _Shared:
    """What all compilers of the process share."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.dfas: DfaStore | None = None
        self.spaces: WeakValueDictionary[tuple[Vocabulary, Limits, int], EarleySpace] = WeakValueDictionary()
        """The states of regular constraints, by vocabulary, limits and DFA state."""
        self.masks: dict[tuple[Vocabulary, Limits], MaskCache] = {}


_shared = _Shared()


@dataclass(eq=False, slots=True)
class _Kept:
    """An automaton that a compiler remembers."""

    automaton: TokenAutomaton
    weight: int = 0
    """Memory that it held when it was last looked at."""


class Compiler:
    """Binds constraints to a vocabulary. Compilers of equal vocabularies share everything that they work out.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([b"yes", b"no", None], eos_ids=[2])
    >>> constrain.Compiler(vocab).compile(constrain.choice(["yes", "no"])).accepts([0])
    True
    """

    def __init__(self, vocabulary: Vocabulary, *, limits: Limits | None = None) -> None:
        from constrain.vocab.vocabulary import Vocabulary

        if not isinstance(vocabulary, Vocabulary):
            raise SpecTypeError(
                f"Compiler() takes a constrain.Vocabulary, not {type(vocabulary).__name__}; "
                "make one with Vocabulary.from_transformers(tokenizer)"
            )
        prepare()
        self.vocabulary = vocabulary
        self.limits = limits or Limits()
        self._compiled: OrderedDict[Spec, _Kept] = OrderedDict()
        self._held = 0
        """Weight of all of these."""
        self._added = 0
        _compilers.add(self)

    def compile(self, spec: Spec) -> TokenAutomaton:
        """The automaton of a constraint.

        Raises UnsatisfiableError if nothing meets it, VocabularyError if no tokens spell what does, LimitExceeded.
        """
        known = self._compiled.get(spec) if isinstance(spec, Spec) else None
        if known is not None:
            return known.automaton
        if not isinstance(spec, Spec):
            raise SpecTypeError(f"compile() takes a constraint such as constrain.regex(..), not {type(spec).__name__}")
        automaton = self._compile(spec)
        with _lock:
            twin = self._compiled.pop(spec, None)  # another thread was faster
            self._held -= twin.weight if twin else 0
            self._compiled[spec] = _Kept(automaton)
            self._added += 1
            if self._added % (_WEIGHED // 2) == 0:
                self._make_room()
        return automaton

    def _make_room(self) -> None:
        """Forget old automata, those first that many others could have the place of.

        What they hold grows while they are used, mostly soon after they are made: the last ones are weighed again.
        """
        for kept in islice(reversed(self._compiled.values()), _WEIGHED):
            weight = kept.automaton.space.nbytes
            self._held += weight - kept.weight
            kept.weight = weight
        while len(self._compiled) > _COMPILED:
            self._held -= self._compiled.popitem(last=False)[1].weight
        most = self.limits.automata_bytes
        while self._held > most and len(self._compiled) > _WEIGHED:
            old = list(islice(self._compiled.items(), len(self._compiled) - _WEIGHED))
            spec, kept = next((item for item in old if item[1].weight > most // 8), old[0])
            self._held -= kept.weight
            del self._compiled[spec]

    def _compile(self, spec: Spec) -> TokenAutomaton:
        check_room(spec)
        counted, rest = without_tokens(spec)
        space, start = self._begin(rest, counted is not None)
        if counted is None:
            return TokenAutomaton(spec, space, start, self.vocabulary)
        low, high = counted
        assert isinstance(space, IntersectionSpace | LongestIntersectionSpace)
        counting = CountingSpace(space, start, low, high, space.is_regular)
        begun = counting.start()
        if begun is None:
            raise UnsatisfiableError(
                f"no text with {low} to {'any number of' if high is None else high} tokens meets {spec!r:.200}"
            )
        return TokenAutomaton(spec, counting, begun, self.vocabulary)

    def _begin(self, spec: Spec, counted: bool) -> tuple[StateSpace, State]:
        """The states of a constraint that no number of tokens is part of, and the first one.

        Those of a `counted` constraint say where each token leads.
        """
        lowered = spec.lower(self.limits, DfaLanguages(_dfas(self.limits), self.limits))
        expr: Expr = Anything()
        space: EarleySpace
        if isinstance(lowered, Restricted):
            expr = self._spelled(spec, lowered.expr)[0]
            grammar: Grammar | None = lowered.grammar
        else:
            grammar = lowered if isinstance(lowered, Grammar) else None
        if grammar is not None:
            space = self._grammar_space(grammar)
        else:
            assert not isinstance(lowered, Grammar | Restricted)
            space = self._regular_space(self._spelled(spec, lowered)[1])
        begun = space.start()
        if begun is None:
            raise _unspellable(spec, self.vocabulary)
        if not counted and not isinstance(lowered, Restricted):
            return space, begun
        both: StateSpace
        if grammar is not None and grammar.longest:
            both = LongestIntersectionSpace(grammar, expr, space)
        else:
            both = IntersectionSpace(space, expr)
        begun = both.start()
        if begun is None:
            raise UnsatisfiableError(f"no text of the grammar meets all of {spec!r:.200}")
        return both, begun

    def _grammar_space(self, grammar: Grammar) -> EarleySpace:
        if grammar.is_plain:  # of a schema
            _know_common(self.vocabulary)
        return EarleySpace(grammar, self.vocabulary, _dfas(), self.limits, _masks(self.vocabulary, self.limits))

    def _spelled(self, spec: Spec, expr: Expr) -> tuple[Expr, int]:
        """A regular constraint as the tokens of the vocabulary spell it, and its DFA state."""
        _check_repeats(expr, self.limits)
        dfas = _dfas()
        start = dfas.start(expr, self.limits)
        if start == 0:
            raise UnsatisfiableError(f"no text at all meets {spec!r:.200}")
        if self.vocabulary.strips_leading_space:
            expr = _with_leading_space(expr, dfas.step(start, ord(" ")) != 0)
            start = dfas.start(expr, self.limits)
        return expr, start

    def _regular_space(self, start: int) -> EarleySpace:
        """The states of the language of a DFA state: one space for all compilers, as long as it is used."""
        vocabulary, limits, dfas = self.vocabulary, self.limits, _dfas()
        with _lock:
            space = _shared.spaces.get((vocabulary, limits, start))
            if space is None:
                shared = vocabulary, dfas, limits, _masks(vocabulary, limits)
                if vocabulary.units is None:
                    space = EarleySpace(start, *shared)
                else:
                    space = SpelledSpace(start, dfas.start(Repeat(Words(vocabulary.units), 0, None), limits), *shared)
                _shared.spaces[vocabulary, limits, start] = space
        return space


def _reduced(automaton: TokenAutomaton) -> tuple[Any, ...]:
    """Pickle: tables belong to a process, so that the constraint is compiled again in another."""
    return _again, (automaton.vocabulary, automaton.space.limits, automaton.spec)


def _again(vocabulary: Vocabulary, limits: Limits, spec: Spec) -> TokenAutomaton:
    return Compiler(vocabulary, limits=limits).compile(spec)


copyreg.pickle(TokenAutomaton, _reduced)


def clear_caches() -> None:
    """Forget every automaton, state and mask of the process. Automata in use keep working."""
    with _lock:
        grammars.forget()
        _forget()


def _forget() -> None:
    """Forget what is worked out, and the automata that would keep it."""
    _shared.clear()
    for compiler in _compilers:
        compiler._compiled.clear()
        compiler._held = 0


def _dfas(limits: Limits | None = None) -> DfaStore:
    """The automata of the process.

    Once they are a quarter of what `limits` let one constraint have they are left to those in use, and new ones begun.
    """
    with _lock:
        if _shared.dfas is not None and limits is not None and 4 * _shared.dfas.size > limits.expressions:
            _forget()
        if _shared.dfas is None:
            _shared.dfas = DfaStore()
        return _shared.dfas


def _know_common(vocabulary: Vocabulary) -> None:
    """Have the token sets of what most schemas hold, from the disk cache if they are there."""
    tables = VocabularyTables.of(vocabulary, _dfas())
    if tables.key is not None and not tables.knows_common:
        from constrain.specs.json_schema.texts import common_terminals

        tables.name_string(*plain_string(_dfas()))
        know(tables, _dfas(), common_terminals())
        tables.knows_common = True


def _masks(vocabulary: Vocabulary, limits: Limits) -> MaskCache:
    """The finished masks of all automata over a vocabulary."""
    with _lock:
        return _shared.masks.setdefault((vocabulary, limits), MaskCache(limits.mask_cache_bytes))


def _with_leading_space(expr: Expr, starts_with_space: bool) -> Expr:
    """Outputs that are in `expr` once decoding has dropped one space at their start."""
    space = Literal(b" ")
    if not starts_with_space:
        return Concat((optional(space), Closed(expr)))
    unspaced = And((expr, Not(Concat((space, Anything())))))
    return Alt((Concat((space, Closed(expr))), unspaced))


def _unspellable(spec: Spec, vocabulary: Vocabulary) -> VocabularyError:
    missing = bytes(sorted(vocabulary.missing_bytes))
    what = f"; bytes in no token: {show_bytes(missing)}" if missing else ""
    return VocabularyError(
        f"no sequence of tokens of {vocabulary!r} spells an output that meets {spec!r:.200}{what}. "
        "Use a tokenizer with byte fallback, or a constraint within its alphabet"
    )


def _check_repeats(expr: Expr, limits: Limits) -> None:
    """Refuse counts beyond the limit, wherever they stand."""
    stack, seen = [expr], set[int]()
    while stack:
        node = stack.pop()
        if id(node) in seen:  # parts may be shared many times over
            continue
        seen.add(id(node))
        match node:
            case Repeat(body, low, high):
                bound = max(low, high or 0)
                if bound > limits.repeat:
                    raise LimitExceeded("repeat", bound, limits.repeat, "a bound of a repetition")
                stack.append(body)
            case Concat(parts) | Alt(parts) | And(parts):
                stack.extend(parts)
            case Towards(frame, goal):
                stack += (frame, goal)
            case Not(body) | Look(body) | Closed(body):
                stack.append(body)
            case _:
                pass
