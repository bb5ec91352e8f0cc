"""Checkers: whether a text can still be completed, and whether it is complete.

In:  what users have: a constraint or its automaton, a function on text, a validator, several of them.
Out: `Checker` values, which samplers ask about the tokens that they propose.

A checker never changes. What it has to know of one text is a *state*, a value that it makes and that samplers keep: a
state of an automaton, or the text itself. Automata rule out tokens by a mask, before anything is proposed.

The two answers have to go together: a complete text can be completed (by nothing), and so can all of its beginnings.
Where "can be completed" is answered too generously, texts run into dead ends, which cost time and particles; where it
is answered too strictly, texts are lost.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from codecs import getincrementaldecoder
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from constrain.automaton import Bitmask, Matcher, TokenAutomaton
from constrain.compiler import Compiler
from constrain.engine.states import State
from constrain.errors import CheckerError, SpecTypeError, VocabularyError
from constrain.specs.base import Spec

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary


class Checker(ABC):
    """Says of a sequence of tokens whether it can still be completed, and whether it is complete.

    Checkers of text are easier to write as a `TextChecker`, or as a function.
    """

    masks = False
    """Whether `fill` decides everything, so that `read` need not be asked."""
    reads_special = True
    """Whether special tokens, which spell nothing, may be asked about at all."""

    @abstractmethod
    def start(self) -> Any | None:
        """The state of the empty text; None if nothing can be completed at all."""

    @abstractmethod
    def read(self, state: Any, token: int, data: bytes | None) -> Any | None:
        """The state after a token that adds `data` to the text (None: a special token); None if it is rejected."""

    @abstractmethod
    def complete(self, state: Any) -> bool:
        """Whether the output may end here."""

    def fill(self, state: Any, row: Bitmask) -> None:  # noqa: B027, because to rule out nothing is fine
        """Clear the bits of tokens that are ruled out at once, of all EOS ids where the output may not end."""

    def bound(self, vocabulary: Vocabulary) -> Checker:
        """The checker for one vocabulary. Raises VocabularyError if it belongs to another."""
        return self

    def __and__(self, other: Any) -> Checker:
        """Both. What costs less should come first."""
        return Product((self, other))


class TextChecker(Checker):
    """A checker of text. Subclasses define `prefix` and `whole`.

    Of tokens that end inside of a character, the text before that character is asked about, if it is new; and with
    `beyond_ascii` behind it, if there is one.
    """

    reads_special = False
    beyond_ascii = ""
    """A character that stands for all that are not ASCII: where it cannot follow, none of them can. "" if there is
    none; then texts can end inside of a character that nothing completes."""

    @abstractmethod
    def prefix(self, text: str) -> bool:
        """Whether something makes `text` complete: itself, or what could follow."""

    @abstractmethod
    def whole(self, text: str) -> bool:
        """Whether `text` is complete. It is asked of texts that have been called a prefix."""

    def start(self) -> bytes | None:
        """The empty text."""
        if truth(self.prefix(""), self, ""):
            return b""
        if truth(self.whole(""), self, ""):
            raise CheckerError(f"{self!r} contradicts itself: the empty text is complete, but cannot be completed")
        return None

    def read(self, state: bytes, token: int, data: bytes | None) -> bytes | None:
        """The text that was read."""
        if data is None:
            return None
        text, before = decoded(state + data), decoded(state)
        if text is None:
            return None
        if len(text.encode()) < len(state + data):
            text += self.beyond_ascii
        return state + data if text == before or truth(self.prefix(text), self, text) else None

    def complete(self, state: bytes) -> bool:
        """Of text that does not end inside of a character."""
        try:
            text = state.decode()
        except UnicodeDecodeError:
            return False
        return truth(self.whole(text), self, text)


class Function(TextChecker):
    """A function as a checker: `f(text, complete) -> bool`, or `f(text) -> bool` if both questions have one answer.

    It is given str, or bytes if its parameter is annotated so. `complete` says which question is asked.

    >>> even = Function(lambda text, complete: len(text) % 2 == 0 or not complete)
    >>> even.whole("ab"), even.whole("a"), even.prefix("a")
    (True, False, True)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            parameters = list(inspect.signature(function, eval_str=True).parameters.values())
        except (ValueError, NameError, TypeError):  # built in, or annotated with what is not there
            parameters = []
        required = [one for one in parameters if one.default is one.empty and one.kind <= one.POSITIONAL_OR_KEYWORD]
        self._takes_name = any(one.name == "complete" and one.kind > one.POSITIONAL_ONLY for one in parameters)
        self._takes_second = len(required) == 2
        self._takes_bytes = bool(parameters) and parameters[0].annotation is bytes
        if len(required) > 2:
            raise SpecTypeError(f"a checker is called as f(text) or f(text, complete), not as {self!r}")

    def prefix(self, text: str) -> Any:
        """What the function answers with `complete=False`."""
        return self._call(text.encode(), False)

    def whole(self, text: str) -> Any:
        """What the function answers with `complete=True`."""
        return self._call(text.encode(), True)

    def read(self, state: bytes, token: int, data: bytes | None) -> bytes | None:
        """As for text; functions of bytes are asked about all that was read."""
        if data is None or not self._takes_bytes:
            return super().read(state, token, data)
        text = state + data
        return text if truth(self._call(text, False), self, text) else None

    def complete(self, state: bytes) -> bool:
        """As for text; functions of bytes are asked about all that was read."""
        if not self._takes_bytes:
            return super().complete(state)
        return truth(self._call(state, True), self, state)

    def _call(self, data: bytes, complete: bool) -> Any:
        text = data if self._takes_bytes else data.decode()
        if self._takes_name:
            return self.function(text, complete=complete)
        return self.function(text, complete) if self._takes_second else self.function(text)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", None) or repr(self.function)


class Language(Checker):
    """The constraint of an automaton, from its start or from where a matcher stands.

    With `prune` (as usual) tokens are ruled out by a mask, and the weights are exact. Without, the automaton is asked
    about the proposed tokens only, as any other checker is.
    """

    def __init__(self, automaton: TokenAutomaton | Matcher, *, prune: bool = True) -> None:
        self.automaton = automaton.automaton if isinstance(automaton, Matcher) else automaton
        self._start = automaton.state if isinstance(automaton, Matcher) else automaton.start
        self.masks = prune

    def start(self) -> State | None:
        """The state from which the text goes on."""
        return None if self._start.terminated else self._start

    def read(self, state: State, token: int, data: bytes | None) -> State | None:
        """The state after the token."""
        return self.automaton.space.step(state, token)

    def complete(self, state: State) -> bool:
        """Whether the state accepts."""
        return state.accepting

    def fill(self, state: State, row: Bitmask) -> None:
        """The mask of the state."""
        if self.masks:
            mask = np.empty_like(row)
            self.automaton.space.fill(state, mask)
            row &= mask

    def bound(self, vocabulary: Vocabulary) -> Checker:
        """Itself, if its automaton is over this vocabulary."""
        if self.automaton.vocabulary != vocabulary:
            raise VocabularyError("the automaton of a checker is bound to another vocabulary; compile it for this one")
        return self

    def __repr__(self) -> str:
        return self.automaton.describe()


class Product(Checker):
    """Several checkers, all of which have to agree; asked in order, up to the first that does not.

    Those that are not checkers yet become some when the product is `bound`.
    """

    def __init__(self, checkers: Sequence[Any]) -> None:
        self.checkers: list[Any] = []
        for one in checkers:
            self.checkers += one.checkers if isinstance(one, Product) else [one]
        if not self.checkers:
            raise SpecTypeError("a product of no checkers")

    def bound(self, vocabulary: Vocabulary) -> Checker:
        """The product of the checkers for a vocabulary; those that rule out by mask come first."""
        bound = [as_checker(one, vocabulary) for one in self.checkers]
        product = Product(sorted(bound, key=lambda one: not one.masks))
        product.masks = all(one.masks for one in bound)
        product.reads_special = all(one.reads_special for one in bound)
        return product

    def start(self) -> tuple[Any, ...] | None:
        """The states of all."""
        return _all(one.start() for one in self.checkers)

    def read(self, state: tuple[Any, ...], token: int, data: bytes | None) -> tuple[Any, ...] | None:
        """The states of all after the token."""
        return _all(one.read(each, token, data) for one, each in zip(self.checkers, state))

    def complete(self, state: tuple[Any, ...]) -> bool:
        """Whether it is complete to all."""
        return all(one.complete(each) for one, each in zip(self.checkers, state))

    def fill(self, state: tuple[Any, ...], row: Bitmask) -> None:
        """The masks of all that have some."""
        for one, each in zip(self.checkers, state):
            one.fill(each, row)

    def __repr__(self) -> str:
        return " & ".join(map(repr, self.checkers))


READERS: list[Callable[[Any], Checker | None]] = []
"""What makes checkers of values of other kinds, None if it does not know one: `ready.json`, of validators."""


def as_checker(value: Any, vocabulary: Vocabulary) -> Checker:
    """Make a checker of a constraint, an automaton, a matcher, a function, a jsonschema validator, or a list of these.

    Raises SpecTypeError for anything else, VocabularyError for automata over another vocabulary.
    """
    match value:
        case Checker():
            return value.bound(vocabulary)
        case Spec():
            return Language(Compiler(vocabulary).compile(value))
        case TokenAutomaton() | Matcher():
            return Language(value).bound(vocabulary)
        case list() | tuple():
            return Product(value).bound(vocabulary)
    for read in READERS:
        if (found := read(value)) is not None:
            return found
    if callable(value) and not isinstance(value, type):
        return Function(value)
    raise SpecTypeError(
        f"{type(value).__name__} {value!r:.60} is no checker; pass a constraint, an automaton or a matcher, a function "
        "f(text) or f(text, complete), a jsonschema validator, a constrain.sampling.Checker, or a list of these"
    )


def truth(answer: Any, checker: Checker, text: str | bytes) -> bool:
    """An answer that is True or False. Raises CheckerError for any other."""
    if isinstance(answer, bool | np.bool_):
        return bool(answer)
    raise CheckerError(
        f"the checker {checker!r} answered {answer!r:.40} ({type(answer).__name__}) about {text[-40:]!r}, "
        "not True or False"
    )


def decoded(data: bytes) -> str | None:
    """The text of bytes, up to a character that is not there as a whole; None if they are not UTF-8.

    >>> decoded("aé".encode()[:-1]), decoded(b"\\xff")
    ('a', None)
    """
    try:
        return getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return None


def _all(states: Any) -> tuple[Any, ...] | None:
    found = []
    for state in states:
        if state is None:
            return None
        found.append(state)
    return tuple(found)
