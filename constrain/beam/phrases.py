"""From phrases to the tables in which they are found.

In:  a `Lexical` constraint, a vocabulary.
Out: `PhraseTables` for the kernels of `constrain.kernels.phrases`.

What cannot be met is found out here: an empty phrase, a phrase that tokens cannot spell, one that is required and
excluded at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError, UnsupportedError, VocabularyError
from constrain.kernels.phrases import NEVER, PhraseTables
from constrain.limits import Limits
from constrain.specs import unicode
from constrain.specs.lexical import Clause, Lexical, Phrase

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Ints = npt.NDArray[np.int32]

CELLS = 4096
"""Ways to share distinct occurrences among phrases that are told apart; twelve phrases once each."""
_SEPARATORS = (" ", "\n", ".", ",", "-", ";", "\t", "/", "(", '"')


def tables_of(lexical: Lexical, vocabulary: Vocabulary, limits: Limits) -> PhraseTables:
    """The tables of a constraint. Raises what is wrong with it."""
    plan = _plan(lexical)
    trie = _Trie(plan.texts, _Characters(lexical), lexical.words, limits)
    sizes = [len(text) for text in plan.texts]
    needs = [_Spelled(text, vocabulary, lexical.words) for text in plan.texts[: plan.present]]
    cells, strides = _cells(lexical, plan)
    longest = max(sizes, default=0)
    links = sum(any(not one.absent for one in clause) for clause in plan.clauses) if lexical.ordered else 0
    mode = (lexical.words, lexical.ordered, not lexical.overlapping, plan.present, plan.counted, links, cells, longest)
    flat = [one for clause in plan.clauses for one in clause]
    width = max((len(text.encode()) for text in plan.texts[: plan.present]), default=0) + 1
    return PhraseTables(
        mode=_ints(mode),
        page=trie.characters.page,
        kind=trie.characters.kind,
        spot=trie.characters.spots[0],
        spots=trie.characters.spots[1],
        letter=trie.characters.letter,
        next=trie.next,
        fail=trie.fail,
        link=trie.link,
        first=_ints(np.cumsum([0, *map(len, trie.ended)])),
        ended=_ints([phrase for ended in trie.ended for phrase in ended]),
        depth=trie.depths(plan.present),
        size=_ints(sizes),
        most=_ints(plan.most),
        offset=_offsets(plan.texts[: plan.present], longest),
        text=_texts(plan.texts[: plan.present], width),
        rest=_padded([need.rest for need in needs], width + 1),
        fresh=_ints([need.fresh for need in needs]),
        clause=_ints(np.cumsum([0, *map(len, plan.clauses)])),
        phrase=_ints([one.phrase for one in flat]),
        times=_ints([one.count for one in flat]),
        absent=_ints([one.absent for one in flat]),
        stride=_ints(strides),
    )


# ---- clauses


@dataclass(frozen=True, slots=True)
class _Literal:
    phrase: int
    count: int
    absent: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """Phrases by number: those to be present, those excluded by count, those excluded altogether."""

    texts: tuple[str, ...]
    present: int
    counted: int
    clauses: tuple[tuple[_Literal, ...], ...]
    most: tuple[int, ...]
    """The counts that matter, of the phrases that are counted."""


def _plan(lexical: Lexical) -> _Plan:
    clauses = [_checked(clause, lexical) for clause in lexical.clauses]
    clauses.sort(key=lambda clause: not clause.present)  # an order is one of clauses with something to be present
    present = _numbered(one.text for clause in clauses for one in clause.present)
    single = [clause.absent[0].text for clause in clauses if _is_fatal(clause)]
    counted = _numbered(one.text for clause in clauses for one in clause.absent if not _is_fatal(clause))
    made: list[tuple[_Literal, ...]] = []
    for clause in clauses:
        literals = [_Literal(present[text], n, False) for text, n in _fewest(clause.present).items()]
        for text, n in _most(clause.absent).items():
            number = -1 if _is_fatal(clause) else len(present) + counted[text]
            literals.append(_Literal(number, n, True))
        made.append(tuple(literals))
    most = [0] * (len(present) + len(counted))
    for one in (one for clause in made for one in clause if one.phrase >= 0):
        most[one.phrase] = max(most[one.phrase], one.count)
    return _Plan((*present, *counted, *_numbered(single)), len(present), len(counted), tuple(made), tuple(most))


def _checked(clause: Clause, lexical: Lexical) -> Clause:
    for one in (*clause.present, *clause.absent):
        if not isinstance(one, Phrase) or not isinstance(one.text, str):
            raise SpecTypeError(f"a clause consists of phrases, not {type(one).__name__} {one!r:.40}")
        if not one.text:
            raise UnsatisfiableError("an empty phrase is in every text and says nothing; leave it out")
        if one.count < 1:
            raise UnsatisfiableError(f"phrase {one.text!r:.60} is to occur {one.count} times; it takes 1 or more")
        if any("\ud800" <= character <= "\udfff" for character in one.text):
            raise SpecTypeError(f"phrase {one.text!r:.60} holds a lone surrogate, which cannot be written in UTF-8")
    if not clause.present and not clause.absent:
        raise UnsatisfiableError("a clause without phrases cannot be met; leave it out")
    if lexical.ordered and clause.present and clause.absent:
        raise UnsupportedError(
            "clauses in order hold phrases to be present; a clause that could be met by the absence of "
            f"{clause.absent[0].text!r:.60} has no place in an order"
        )
    return clause


def _is_fatal(clause: Clause) -> bool:
    """Whether one occurrence of one phrase is the end of it."""
    return not clause.present and len({one.text for one in clause.absent}) == 1 == max(_most(clause.absent).values())


def _numbered(texts: Iterable[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


def _fewest(phrases: Sequence[Phrase]) -> dict[str, int]:
    """Of equal alternatives the one that asks for less."""
    found: dict[str, int] = {}
    for one in phrases:
        found[one.text] = min(one.count, found.get(one.text, one.count))
    return found


def _most(phrases: Sequence[Phrase]) -> dict[str, int]:
    """Of equal alternatives the one that forbids less."""
    found: dict[str, int] = {}
    for one in phrases:
        found[one.text] = max(one.count, found.get(one.text, one.count))
    return found


def _cells(lexical: Lexical, plan: _Plan) -> tuple[int, list[int]]:
    """Where occurrences are distinct: the numbers of occurrences of all literals, counted as one number."""
    strides, cells = [], 1
    for clause in plan.clauses:
        for one in clause:
            strides.append(cells if not one.absent else 0)
            cells *= 1 if one.absent else one.count + 1
    if lexical.overlapping or lexical.ordered:
        return 0, strides
    if cells > CELLS:
        raise UnsupportedError(
            f"phrases whose occurrences must not overlap can be shared out in {cells:,} ways, more than {CELLS:,}; "
            "ask for fewer of them, or let occurrences overlap"
        )
    return cells, strides


# ---- characters


@lru_cache(maxsize=2)
def _pages(words: bool) -> tuple[Ints, Ints]:
    """All characters by kind, as rows of 256: 1 for letters, digits and the underscore where they matter."""
    kinds = np.zeros(0x110000, np.int32)
    for low, high in unicode.word() if words else ():
        kinds[low : high + 1] = 1
    rows, page = np.unique(kinds.reshape(-1, 256), axis=0, return_inverse=True)
    return page.reshape(-1).astype(np.int32), rows.astype(np.int32)


class _Characters:
    """Characters by what they are to the phrases: those that count as the same have one kind."""

    def __init__(self, lexical: Lexical) -> None:
        self._fold = lexical.ignore_case
        page, kind = _pages(lexical.words)
        self.page, self._rows = page.copy(), list(kind)
        self._own: dict[int, int] = {}
        self._letters = [0, 1]
        self._known: dict[str, int] = {}

    @property
    def kind(self) -> Ints:
        return np.ascontiguousarray(self._rows, np.int32)

    @property
    def letter(self) -> Ints:
        return _ints(self._letters)

    @property
    def spots(self) -> tuple[Ints, npt.NDArray[np.int64]]:
        """The characters of the phrases by kind, as bytes."""
        listed: list[list[int]] = [[] for _ in self._letters]
        for character, number in self._known.items():
            listed[number].append(int.from_bytes(character.encode(), "little"))
        return _ints(np.cumsum([0, *map(len, listed)])), np.array([one for part in listed for one in part], np.int64)

    def kind_of(self, character: str) -> int:
        """The kind of a character of a phrase, new if it has to be."""
        known = self._known.get(character)
        if known is not None:
            return known
        point = ord(character)
        ranges = unicode.case_closure(((point, point),)) if self._fold else ((point, point),)
        same = [one for low, high in ranges for one in range(low, high + 1)]
        number = len(self._letters)
        self._letters.append(int(self._rows[self.page[point >> 8]][point & 255] == 1))
        for one in same:  # no surrogates: they have no other case
            self._known[chr(one)] = number
            self._row(one >> 8)[one & 255] = number
        return number

    def _row(self, page: int) -> Ints:
        """A row that belongs to one page alone."""
        if page not in self._own:
            self._own[page] = len(self._rows)
            self._rows.append(self._rows[self.page[page]].copy())
            self.page[page] = self._own[page]
        row: Ints = self._rows[self._own[page]]
        return row


# ---- the automaton


class _Trie:
    """The phrases as a trie over kinds of characters, with links of failure, and all steps worked out.

    Where the neighbours of a phrase matter there are two roots: none of the phrases begins behind a letter.
    """

    def __init__(self, texts: Sequence[str], characters: _Characters, words: bool, limits: Limits) -> None:
        self.characters = characters
        self._paths: list[list[int]] = []
        children: list[dict[int, int]] = [{}, {}] if words else [{}]
        self.ended: list[list[int]] = [[] for _ in children]
        for number, text in enumerate(texts):
            path = [0]
            for character in text:
                kind = characters.kind_of(character)
                if kind not in children[path[-1]]:
                    children[path[-1]][kind] = len(children)
                    children.append({})
                    self.ended.append([])
                path.append(children[path[-1]][kind])
            self.ended[path[-1]].append(number)
            self._paths.append(path)
        letters = characters.letter
        cells = len(children) * len(letters)
        if 4 * cells > limits.table_bytes:
            raise LimitExceeded("table_bytes", 4 * cells, limits.table_bytes, "the automaton of the phrases")
        root = np.array([letters[kind] if words else 0 for kind in range(len(letters))], np.int32)
        self.next = np.tile(root, (len(children), 1))
        self.fail = np.full(len(children), -1, np.int32)
        self.link = np.full(len(children), -1, np.int32)
        self._connect(children, root)

    def _connect(self, children: list[dict[int, int]], root: Ints) -> None:
        """Breadth first: what a suffix does is known when a node needs it."""
        todo = [0]
        for node in todo:
            if node != 0:
                self.next[node] = self.next[self.fail[node]]
                suffix = self.fail[node]
                self.link[node] = suffix if self.ended[suffix] else self.link[suffix]
            for kind, child in children[node].items():
                self.fail[child] = root[kind] if node == 0 else self.next[self.fail[node], kind]
                todo.append(child)
            for kind, child in children[node].items():
                self.next[node, kind] = child

    def depths(self, present: int) -> Ints:
        """How many characters of each of the first phrases a node is."""
        depths = np.full((len(self.next), present), -1, np.int32)
        for number, path in enumerate(self._paths[:present]):
            depths[path, number] = range(len(path))
        return depths


# ---- how many tokens it takes


class _Spelled:
    """How many tokens spell what is left of a phrase: `rest` from each byte, `fresh` wherever the text stands."""

    def __init__(self, text: str, vocabulary: Vocabulary, words: bool) -> None:
        data = text.encode()
        self.rest = [_tokens(data[at:], vocabulary) for at in range(len(data))] + [0]
        self.fresh = self.rest[0]
        if words:
            self.fresh = min(_tokens(mark.encode() + data, vocabulary) for mark in _SEPARATORS)
            self.rest[0] = min(self.rest[0], self.fresh)
        elif self.fresh == NEVER:
            self.rest = _covered(data, vocabulary)
            self.fresh = self.rest[0]
        if vocabulary.strips_leading_space and data[:1] == b" ":  # the first of an output is dropped
            self.fresh, self.rest[0] = self.fresh + 1, self.rest[0] + 1
        if min(self.rest[0], self.fresh) >= NEVER:
            raise VocabularyError(
                f"no tokens of {vocabulary!r} spell the phrase {text!r:.60}"
                + (" with something other than a letter before it" if words else "")
            )


def least_tokens(text: str, vocabulary: Vocabulary) -> int:
    """The fewest tokens that hold a phrase, with anything before and behind it.

    >>> from constrain.vocab.vocabulary import Vocabulary
    >>> least_tokens("bc", Vocabulary.from_tokens([b"a", b"b", b"c", b"ab", b"cd"]))
    2
    """
    return _covered(text.encode(), vocabulary)[0]


def _tokens(data: bytes, vocabulary: Vocabulary) -> int:
    spelled = vocabulary.spell(data)
    return NEVER if spelled is None else len(spelled)


def _covered(data: bytes, vocabulary: Vocabulary) -> list[int]:
    """The fewest tokens that hold `data`, with anything before and behind it, and that go on from each byte of it.

    For vocabularies that are not able to spell it alone.
    """
    tokens = {vocabulary.token_bytes(token) for token in range(vocabulary.size)} - {b""}
    ends = [token for token in tokens if token[:1] in {data[at : at + 1] for at in range(len(data))}]
    rest = [NEVER] * len(data) + [0]
    for at in range(len(data) - 1, -1, -1):
        left = data[at:]
        for token in ends:
            if token.startswith(left):
                rest[at] = 1
            elif left.startswith(token):
                rest[at] = min(rest[at], 1 + rest[at + len(token)])
    if any(data in token for token in tokens):
        rest[0] = 1
    for token in tokens:
        for k in range(1, min(len(token), len(data)) + 1):
            if token.endswith(data[:k]):
                rest[0] = min(rest[0], 1 + rest[k])
    return rest


# ---- arrays


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int32)


def _padded(rows: Sequence[Sequence[int]], width: int) -> Ints:
    found = np.full((len(rows), width), NEVER, np.int32)
    for row, values in zip(found, rows):
        row[: len(values)] = values
    return found


def _offsets(texts: Sequence[str], longest: int) -> Ints:
    """The byte at which each character begins; the end of the text after the last."""
    found = np.zeros((len(texts), longest + 1), np.int32)
    for row, text in zip(found, texts):
        row[1 : len(text) + 1] = np.cumsum([len(character.encode()) for character in text])
    return found


def _texts(texts: Sequence[str], width: int) -> npt.NDArray[np.uint8]:
    found = np.zeros((len(texts), width), np.uint8)
    for row, text in zip(found, texts):
        data = text.encode()
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return found
