"""What callers may ask of a beam search, in the words of earlier versions of transformers and in ours.

In:  `force_words_ids`, `constraints` (objects with `token_ids`, strings, specs, automata), a vocabulary or none.
Out: a `Tracker` and a `TokenAutomaton`, or None, for each sentence.

Where there is no vocabulary, token ids are all that phrases can consist of. They are looked for as ids then: each is
taken for a character of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from constrain.automaton import TokenAutomaton
from constrain.beam.tracker import Tracker
from constrain.compiler import Compiler
from constrain.errors import ConstrainError, SpecTypeError, VocabularyError
from constrain.specs.base import Conjunction, Spec
from constrain.specs.lexical import Clause, Lexical, Phrase
from constrain.vocab.vocabulary import Vocabulary

_FIRST = 0x10000
"""The character that stands for the id 0."""


class Request(NamedTuple):
    """What one sentence has to meet."""

    tracker: Tracker | None = None
    automaton: TokenAutomaton | None = None


def read(
    force_words_ids: Any, constraints: Any, count: int, vocabulary: Vocabulary | None, ids: tuple[int, tuple[int, ...]]
) -> list[Request]:
    """What each of `count` sentences has to meet; `ids` are the width of the logits and the EOS ids.

    Raises what is wrong with it, with the number of the sentence if each has its own.
    """
    each = _each(constraints, count)
    vocabulary = vocabulary or _vocabulary_in(each)
    reader = _LegacyReader(vocabulary, ids)
    forced = [reader.clause(one, "force_words_ids") for one in _listed(force_words_ids, "force_words_ids")]
    known: dict[Any, Request] = {}
    found = []
    for number, one in enumerate(each):
        try:
            key = reader.lexical(one, forced)
            if key not in known:
                known[key] = reader.bound(*key)
            found.append(known[key])
        except ConstrainError as error:
            if len(each) > 1 and isinstance(constraints, list | tuple):
                error.args = (f"sentence {number}: {error}", *error.args[1:])
            raise
    return found


def split(spec: Spec | None) -> tuple[Lexical | None, Spec | None]:
    """The phrases of a constraint, and the rest of it.

    >>> from constrain.specs.base import regex
    >>> split(regex("a") & Lexical((Clause((Phrase("b"),)),)))[1]
    Regex(pattern='a', flags=0)
    """
    parts = spec.parts if isinstance(spec, Conjunction) else () if spec is None else (spec,)
    lexical: Lexical | None = None
    rest: list[Spec] = []
    for part in parts:
        joined = _joined(lexical, part) if isinstance(part, Lexical) else None
        if joined is None:
            rest.append(part)
        else:
            lexical = joined
    return lexical, None if not rest else rest[0] if len(rest) == 1 else Conjunction(tuple(rest))


def _joined(one: Lexical | None, other: Lexical) -> Lexical | None:
    """Two constraints as one, if they look for phrases in the same way, and it does not matter which is met first."""
    if one is None:
        return other
    same = replace(one, clauses=()) == replace(other, clauses=())
    apart = one.ordered or not one.overlapping
    return replace(one, clauses=one.clauses + other.clauses) if same and not apart else None


def _each(constraints: Any, count: int) -> list[Any]:
    """The constraint of each sentence. A list whose items are constraints of their own has one for each sentence."""
    if constraints is None or isinstance(constraints, str | Spec | TokenAutomaton):
        return [constraints] * count
    if not isinstance(constraints, list | tuple):
        raise SpecTypeError(f"constraints is a constraint or a list, not {type(constraints).__name__}")
    if any(isinstance(one, str) or hasattr(one, "token_ids") for one in constraints):
        return [list(constraints)] * count
    if len(constraints) != count:
        raise SpecTypeError(
            f"{len(constraints)} constraints for {count} sentences; pass one for each (None where there is none), or "
            "one for all"
        )
    return list(constraints)


def _vocabulary_in(each: Sequence[Any]) -> Vocabulary | None:
    return next((one.vocabulary for one in each if isinstance(one, TokenAutomaton)), None)


def _listed(given: Any, name: str) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, list | tuple):
        raise SpecTypeError(f"{name} is a list, not {type(given).__name__}")
    return list(given)


class _LegacyReader:
    """Turns ids, strings and objects into clauses over one vocabulary."""

    def __init__(self, vocabulary: Vocabulary | None, ids: tuple[int, tuple[int, ...]]) -> None:
        self._known, self._ids = vocabulary, ids

    def clause(self, given: Any, where: str) -> Clause:
        """One phrase or a list of alternatives, as ids, text, or an object with `token_ids`."""
        given = getattr(given, "token_ids", given)
        if isinstance(given, Clause):
            return given
        if isinstance(given, str):
            return Clause((Phrase(self._text(given, where)),))
        if not isinstance(given, list | tuple) or not given:
            raise SpecTypeError(f"{where}: a phrase is text or a list of token ids, not {given!r:.60}")
        if all(isinstance(one, list | tuple | str) for one in given):
            return Clause(tuple(phrase for one in given for phrase in self.clause(one, where).present))
        return Clause((Phrase(self._spelled(given, where)),))

    def lexical(self, given: Any, forced: Sequence[Clause]) -> tuple[Lexical | None, Spec | TokenAutomaton | None]:
        """The phrases of one sentence, and what else it has to meet."""
        clauses = list(forced)
        lexical: Lexical | None = None
        rest: Spec | TokenAutomaton | None = None
        if isinstance(given, TokenAutomaton):
            lexical, rest = split(given.spec)[0], given
        elif isinstance(given, Spec):
            lexical, rest = split(given)
        elif given is not None:
            items = [given] if isinstance(given, str) else _listed(given, "constraints")
            clauses += [self.clause(one, "constraints") for one in items]
        if lexical is not None and clauses:
            joined = _joined(lexical, replace(lexical, clauses=tuple(clauses)))
            if joined is None:
                raise SpecTypeError("phrases in order, or apart, do not go with others; write them as one constraint")
            return joined, rest
        return lexical or (Lexical(tuple(clauses)) if clauses else None), rest

    def bound(self, lexical: Lexical | None, rest: Spec | TokenAutomaton | None) -> Request:
        """The same for the vocabulary."""
        if isinstance(rest, Spec):
            rest = Compiler(self._of_text("a constraint")).compile(rest)
        return Request(None if lexical is None else self._tracker(lexical), rest)

    def _tracker(self, lexical: Lexical) -> Tracker:
        if self._known is not None:
            return Tracker(lexical, self._known)
        texts = [one.text for clause in lexical.clauses for one in (*clause.present, *clause.absent)]
        if any(ord(character) < _FIRST for text in texts for character in text):
            self._of_text("a phrase of text")
        return Tracker(lexical, _ids_as_characters(*self._ids))

    def _of_text(self, what: str) -> Vocabulary:
        if self._known is None:
            raise VocabularyError(
                f"{what} is about text, and beam search inside of generate() knows token ids only: pass "
                "vocabulary=tokenizer (or a constrain.Vocabulary)"
            )
        return self._known

    def _text(self, text: str, where: str) -> str:
        self._of_text(f"{where}: {text!r:.40}")
        return text

    def _spelled(self, ids: Sequence[Any], where: str) -> str:
        """The text of token ids; without a vocabulary a character for each."""
        width, ends = self._ids
        for token in ids:
            if not isinstance(token, int) or not 0 <= token < width or token in ends:
                raise SpecTypeError(f"{where}: {token!r:.40} is not the id of a token that can be forced ({width} ids)")
        if self._known is None:
            return "".join(chr(_FIRST + token) for token in ids)
        data = b"".join(map(self._known.token_bytes, ids))
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise VocabularyError(f"{where}: the tokens {list(ids)} spell {data!r:.60}, which is no text") from None


@lru_cache(maxsize=4)
def _ids_as_characters(width: int, ends: tuple[int, ...]) -> Vocabulary:
    """A vocabulary in which each id spells one character of its own."""
    return Vocabulary.from_tokens([chr(_FIRST + token).encode() for token in range(width)], eos_ids=ends)
