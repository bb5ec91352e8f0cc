"""The tracker of phrases against their definition: occurrences found with `re`, ways to share them tried out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amounts import examples
from hypothesis import given
from hypothesis import strategies as st
from reference.phrases import meets_ref

from constrain.beam.tracker import Tracker
from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError, UnsupportedError, VocabularyError
from constrain.kernels.phrases import HEAD, MET, NEED, NEVER, PLACE
from constrain.limits import Limits
from constrain.specs.lexical import Clause, Lexical, Phrase
from constrain.vocab.vocabulary import Vocabulary

ALPHABET = "ab -Bé"
TOKENS = [
    b"a",
    b"b",
    b"B",
    b" ",
    b"-",
    b"\xc3",
    b"\xa9",
    b"ab",
    b"ba",
    b"aba",
    b" a",
    "é".encode(),
    b"a\xc3",
    b"\xff",
    None,
]
VOCABULARY = Vocabulary.from_tokens(TOKENS, eos_ids=[14])

phrases = st.builds(Phrase, st.text(ALPHABET, min_size=1, max_size=4), st.sampled_from([1, 1, 1, 2, 3]))
some = st.lists(phrases, max_size=2).map(tuple)
clauses = st.builds(Clause, some, some).filter(lambda clause: bool(clause.present or clause.absent))
outputs = st.lists(st.integers(0, 13), max_size=10)


@st.composite
def lexicals(draw: st.DrawFn, absent: bool = True) -> Lexical:
    """Constraints of few short phrases over few letters, so that they meet each other in every way."""
    ordered = draw(st.booleans())
    listed = draw(st.lists(clauses, min_size=1, max_size=3))
    if not absent:
        listed = [Clause(one.present) for one in listed if one.present] or [Clause((Phrase("ab"),))]
    elif ordered:
        listed = [Clause(one.present) if one.present else one for one in listed]
    flags = [draw(st.booleans()) for _ in range(3)]
    return Lexical(tuple(listed), ordered, *flags)


def tracker_of(lexical: Lexical) -> Tracker | None:
    try:
        return Tracker(lexical, VOCABULARY)
    except (UnsatisfiableError, UnsupportedError):
        return None


def meets(lexical: Lexical, data: bytes) -> bool:
    listed = [
        ([(one.text, one.count) for one in clause.present], [(one.text, one.count) for one in clause.absent])
        for clause in lexical.clauses
    ]
    modes = {name: getattr(lexical, name) for name in ("ordered", "words", "ignore_case", "overlapping")}
    return meets_ref(data, listed, modes)


def spelled(tokens: list[int]) -> bytes:
    return b"".join(VOCABULARY.token_bytes(token) for token in tokens)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile before hypothesis looks at the clock."""
    tracker = Tracker(Lexical((Clause((Phrase("a"),)),)), VOCABULARY)
    rows = tracker.start(1)
    tracker.outlooks(rows, tracker.judge(rows))
    tracker.meets(b"a")


def along(tracker: Tracker, tokens: list[int]) -> Any:
    rows = tracker.start(1)
    for token in tokens:
        rows = tracker.move(rows, [0], [token])
    return rows


@examples(400)
@given(lexicals(), outputs)
def test_what_is_met_is_what_the_definition_says(lexical: Lexical, tokens: list[int]) -> None:
    tracker = tracker_of(lexical)
    if tracker is None:
        return
    rows = along(tracker, tokens)
    expected = meets(lexical, spelled(tokens))
    assert bool(tracker.is_met(tracker.judge(rows))[0]) == expected
    assert tracker.meets(spelled(tokens)) == expected


@examples(150)
@given(lexicals(), outputs, outputs)
def test_what_is_lost_stays_lost_and_what_is_not_can_be_kept(
    lexical: Lexical, tokens: list[int], more: list[int]
) -> None:
    """A row is dead only if no continuation meets the constraint; fatal tokens are those that make a row dead."""
    tracker = tracker_of(lexical)
    if tracker is None:
        return
    rows = along(tracker, tokens)
    verdict = tracker.judge(rows)[0]
    if verdict[NEED] >= NEVER:
        assert not meets(lexical, spelled(tokens + more))
        return
    after = tracker.move(rows, [0] * 14, range(14))
    fatal = {t for t in range(14) if after[t, 3] == 1}
    assert set(tracker.outlooks(rows, verdict[None])[0].fatal.tolist()) == fatal


@examples(200)
@given(lexicals(absent=False), outputs)
def test_some_token_always_leads_nearer(lexical: Lexical, tokens: list[int]) -> None:
    """What the guarantee rests on: as long as something is missing, a token of the outlook makes it one token less."""
    tracker = tracker_of(lexical)
    if tracker is None:
        return
    rows = along(tracker, tokens)
    need = tracker.judge(rows)[0, NEED]
    for _ in range(int(need)):
        verdict = tracker.judge(rows)[0]
        if verdict[NEED] == 0:
            break
        offered = sorted(set(tracker.outlooks(rows, verdict[None])[0].tokens.tolist()))
        after = tracker.move(rows, [0] * 14, range(14))
        needs = tracker.judge(after)[:, NEED]
        better = [t for t in offered if needs[t] < verdict[NEED]]
        assert better, (lexical, tokens, verdict)
        rows = after[better[0]][None].copy()
    verdict = tracker.judge(rows)
    assert verdict[0, NEED] == 0 and tracker.is_met(verdict)[0]


@examples(200)
@given(lexicals(), outputs)
def test_nothing_is_needed_exactly_where_all_is_met(lexical: Lexical, tokens: list[int]) -> None:
    """But for what must be absent: the text may have to go on, so that a word becomes another one."""
    tracker = tracker_of(lexical)
    if tracker is None:
        return
    verdict = tracker.judge(along(tracker, tokens))
    met, missing = bool(tracker.is_met(verdict)[0]), verdict[0, NEED] > 0
    assert not (met and missing)
    assert met or missing or (lexical.words and any(clause.absent for clause in lexical.clauses))
    assert verdict[0, MET] <= len(lexical.clauses)


def one(*texts: str, **modes: bool) -> Lexical:
    return Lexical(tuple(Clause((Phrase(text),)) for text in texts), **modes)


def test_abac_in_ababac() -> None:
    """A phrase that breaks off and begins again on the way: trackers without links of failure miss it."""
    tracker = Tracker(one("abac"), Vocabulary.from_tokens([b"a", b"b", b"c"]))
    assert tracker.meets(b"ababac") and tracker.meets(b"aabac") and not tracker.meets(b"abaac")


def test_ordered_does_not_forget() -> None:
    """What is met stays met, whatever comes between."""
    tracker = Tracker(one("ab", "cd", ordered=True), Vocabulary.from_tokens([b"a", b"b", b"c", b"d", b"x"]))
    assert tracker.meets(b"abcxcd") and not tracker.meets(b"cdab") and tracker.meets(b"cdabcd")


def test_banned_phrases_fire_behind_the_beginning_of_another() -> None:
    """Bans `abc` and `bd`: after `ab`, `d` is fatal too."""
    lexical = Lexical((Clause(absent=(Phrase("abc"),)), Clause(absent=(Phrase("bd"),))))
    tracker = Tracker(lexical, Vocabulary.from_tokens([b"a", b"b", b"c", b"d"]))
    rows = tracker.move(tracker.move(tracker.start(1), [0], [0]), [0], [1])
    assert tracker.outlooks(rows, tracker.judge(rows))[0].fatal.tolist() == [2, 3]


def test_sentencepiece_drops_the_first_space() -> None:
    vocabulary = Vocabulary.from_tokens([b" a", b"a", b" "], strips_leading_space=True)
    tracker = Tracker(one(" a"), vocabulary)
    rows = tracker.move(tracker.start(1), [0], [0])
    assert not tracker.is_met(tracker.judge(rows))[0] and rows[0, PLACE] == 1
    assert tracker.is_met(tracker.judge(tracker.move(rows, [0], [0])))[0]


def test_a_phrase_in_the_middle_of_tokens_counts() -> None:
    tracker = Tracker(one("bc"), Vocabulary.from_tokens([b"ab", b"cd"]))
    assert tracker.need == 2  # no token spells it alone
    rows = tracker.move(tracker.move(tracker.start(1), [0], [0]), [0], [1])
    assert tracker.is_met(tracker.judge(rows))[0]


BAD: list[tuple[Lexical, type[Exception], str]] = [
    (one(""), UnsatisfiableError, "empty phrase"),
    (Lexical((Clause(),)), UnsatisfiableError, "without phrases"),
    (Lexical((Clause((Phrase("a", 0),)),)), UnsatisfiableError, "0 times"),
    (Lexical((Clause((Phrase("a b"),)), Clause(absent=(Phrase("b"),)))), UnsatisfiableError, "required and excluded"),
    (one("x"), VocabularyError, "no tokens"),
    (one("a\ud800"), SpecTypeError, "surrogate"),
    (Lexical((Clause((Phrase("a"),), (Phrase("b"),)),), ordered=True), UnsupportedError, "order"),
    (one(*[ALPHABET[i % 3] * (i + 1) for i in range(13)], overlapping=False), UnsupportedError, "8,192 ways"),
]


@pytest.mark.parametrize("lexical, kind, words", BAD)
def test_what_cannot_be_is_refused(lexical: Lexical, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Tracker(lexical, VOCABULARY)


def test_automata_have_a_limit() -> None:
    with pytest.raises(LimitExceeded, match="table_bytes"):
        Tracker(one("ab" * 50), VOCABULARY, Limits(table_bytes=100))


def test_rows_of_a_thousand_exclusions_are_short() -> None:
    words = sorted({f"{a}{b}{c}" for a in "ab" for b in "ab-" for c in "abB "} | {f"a{i}" for i in range(1000)})
    tracker = Tracker(Lexical(tuple(Clause(absent=(Phrase(word),)) for word in words)), VOCABULARY)
    assert tracker.width == HEAD
    assert np.array_equal(tracker.is_met(tracker.judge(tracker.start(2))), [True, True])
