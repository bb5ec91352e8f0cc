"""Beam search against exhaustive search: with room for all paths it must find the best output, whatever is asked."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from amounts import examples
from hypothesis import given
from hypothesis import strategies as st
from reference.beams import gather_ref, rank_ref, share_ref, take_in_turn_ref, take_shares_ref

import constrain
from constrain.beam.search import BeamSettings, Sentence
from constrain.beam.tracker import Tracker
from constrain.errors import SpecTypeError, UnsatisfiableError, UnsupportedError, VocabularyError
from constrain.kernels import beams as kernels
from constrain.specs.lexical import Clause, Lexical, Phrase
from constrain.vocab.vocabulary import Vocabulary
from tests.laws.test_phrases import meets, one
from tests.toy_models import ToyModel, all_outputs, best_output, run, tokens_of

VOCABULARY = Vocabulary.from_tokens([b"a", b"b", b" ", b"ab", None], eos_ids=[4])
EOS = 4
SMALL = Vocabulary.from_tokens([b"a", b"b", None], eos_ids=[2])

phrases = st.builds(Phrase, st.text("ab ", min_size=1, max_size=3), st.sampled_from([1, 1, 1, 2]))
some = st.lists(phrases, max_size=2).map(tuple)
clauses = st.builds(Clause, some, some).filter(lambda clause: bool(clause.present or clause.absent))


@st.composite
def lexicals(draw: st.DrawFn) -> Lexical:
    ordered = draw(st.booleans())
    listed = draw(st.lists(clauses, min_size=1, max_size=3))
    if ordered:
        listed = [Clause(one.present) if one.present else one for one in listed]
    return Lexical(tuple(listed), ordered, *(draw(st.booleans()) for _ in range(3)))


def spelled(tokens: tuple[int, ...], vocabulary: Vocabulary = VOCABULARY) -> bytes:
    return b"".join(map(vocabulary.token_bytes, tokens))


def tracker_of(lexical: Lexical, vocabulary: Vocabulary = VOCABULARY) -> Tracker | None:
    try:
        return Tracker(lexical, vocabulary)
    except (UnsatisfiableError, UnsupportedError):
        return None


@examples(100)
@given(
    lexicals(),
    st.integers(0, 99),
    st.sampled_from([(VOCABULARY, 1), (VOCABULARY, 3), (VOCABULARY, 4), (SMALL, 5), (SMALL, 6)]),
    st.sampled_from(["shares", "turns", "sets", "grid"]),
    st.sampled_from([0.0, 1.0, -0.5]),
)
def test_with_room_for_all_the_best_is_found(
    lexical: Lexical, seed: int, size: tuple[Vocabulary, int], allocation: str, penalty: float
) -> None:
    vocabulary, length = size
    try:
        tracker = Tracker(lexical, vocabulary)
    except (UnsatisfiableError, UnsupportedError, VocabularyError):
        return
    eos = vocabulary.size - 1
    model = ToyModel(vocabulary.size, seed)
    expected = best_output(model, eos, length, penalty, lambda tokens: meets(lexical, spelled(tokens, vocabulary)))
    try:
        search = BeamSettings(vocabulary.size**length, length, penalty, "never", allocation, forced=5)
        (found, *_) = run(Sentence(search, [eos], tracker), model)
    except UnsatisfiableError:
        assert expected is None
        return
    assert found.satisfied == (expected is not None)
    assert found.satisfied == meets(lexical, spelled(tokens_of(found, eos), vocabulary))
    if expected is not None:
        assert found.score == pytest.approx(expected[0], abs=1e-4)


PATTERNS = ["(ab)*", "a(a|b)* b?", "(a| ){2,3}b?", "b*a{2}"]


@examples(40)
@given(lexicals(), st.sampled_from(PATTERNS), st.integers(0, 99), st.booleans())
def test_with_room_for_all_the_best_is_found_under_a_mask_too(
    lexical: Lexical, pattern: str, seed: int, plain: bool
) -> None:
    """Phrases and a pattern together; and the pattern alone, which is plain beam search under a mask."""
    tracker = None if plain else tracker_of(lexical)
    if tracker is None and not plain:
        return
    model, length = ToyModel(5, seed), 4
    automaton = constrain.Compiler(VOCABULARY).compile(constrain.regex(pattern))

    def both(tokens: tuple[int, ...]) -> bool:
        return automaton.accepts(tokens) and (plain or meets(lexical, spelled(tokens)))

    expected = best_output(model, EOS, length, 0.0, both)
    try:
        search = BeamSettings(5**length, length, 0.0, "never", forced=5)
        outputs = run(Sentence(search, [EOS], tracker, automaton), model)
    except UnsatisfiableError:
        assert expected is None
        return
    assert bool(outputs and outputs[0].satisfied) == (expected is not None)
    if expected is not None:
        assert outputs[0].score == pytest.approx(expected[0], abs=1e-4)


@examples(150)
@given(
    st.lists(st.text("ab ", min_size=1, max_size=4), min_size=1, max_size=3),
    st.integers(0, 999),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from(["shares", "turns", "sets", "grid"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_what_can_be_met_in_time_is_met(
    texts: list[str], seed: int, beams: int, slack: int, allocation: str, ordered: bool, words: bool, overlapping: bool
) -> None:
    """The guarantee: if the phrases, one after the other, fit into the output, they are in it."""
    lexical = one(*texts, ordered=ordered, words=words, overlapping=overlapping)
    tracker = Tracker(lexical, VOCABULARY)
    search = BeamSettings(beams, tracker.need + slack, allocation=allocation)
    outputs = run(Sentence(search, [EOS], tracker), ToyModel(5, seed))
    assert outputs[0].satisfied and meets(lexical, spelled(tokens_of(outputs[0], EOS)))
    assert len({tuple(output.tokens.tolist()) for output in outputs}) == len(outputs)


def test_a_wider_beam_is_not_worse_on_average() -> None:
    tracker = Tracker(one("ab", "ba"), VOCABULARY)
    means = [
        np.mean([run(Sentence(BeamSettings(k, 8), [EOS], tracker), ToyModel(5, s))[0].score for s in range(30)])
        for k in (1, 4, 16)
    ]
    assert means == sorted(means)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UnsatisfiableError, match="at least 5 tokens, and the output may have 3"):
        Sentence(BeamSettings(2, 3), [EOS], Tracker(one("a a b"), VOCABULARY))
    with pytest.raises(UnsatisfiableError, match="at least 3 tokens"):
        Sentence(BeamSettings(2, 2), [EOS], Tracker(one("a ", " b", ordered=True), VOCABULARY))


def test_what_may_not_fit_is_tried() -> None:
    """`ab` and `ba` take four tokens one after the other, and fit into three letters."""
    letters = Vocabulary.from_tokens([b"a", b"b", None], eos_ids=[2])
    sentence = Sentence(BeamSettings(4, 3), [2], Tracker(one("ab", "ba"), letters))
    (best, *_) = run(sentence, ToyModel(3, 1))
    assert best.satisfied and tokens_of(best, 2) in ((0, 1, 0), (1, 0, 1))


def test_pruning_compares_with_what_is_satisfied_only() -> None:
    """With the narrowest threshold something satisfied is still found: nothing is dropped before there is one."""
    tracker = Tracker(one("ab", "b a"), VOCABULARY)
    for seed in range(20):
        assert run(Sentence(BeamSettings(4, 9, prune=0.0), [EOS], tracker), ToyModel(5, seed))[0].satisfied


@pytest.mark.parametrize("wrong", [{"allocation": "even"}, {"num_beams": 0}, {"max_new_tokens": 0}, {"forced": 0}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(SpecTypeError):
        BeamSettings(**({"num_beams": 1, "max_new_tokens": 1} | wrong))  # type: ignore[arg-type]


def test_the_twin_knows_all_outputs() -> None:
    found = set(all_outputs(3, 2, 2))
    assert found == {(2,), (0, 2), (1, 2), *product((0, 1), repeat=2)}


# ---- kernels

logs = st.sampled_from([-0.5, -1.0, -2.5, -3.0, -np.inf])


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, -1.25, -np.inf]), st.lists(logs, min_size=3, max_size=3)),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), logs), max_size=8),
    st.integers(1, 6),
)
def test_candidates_are_the_three_sets(
    rows: list[tuple[float, list[float]]], forced: list[tuple[int, int, float]], keep: int
) -> None:
    """No candidate of -inf, none twice, best first. (Scores are told apart by a little for each token.)"""
    values = [{t: log - 0.01 * t - 0.1 * b for t, log in enumerate(row)} for b, (_, row) in enumerate(rows)]
    extra = {(b, t): values[b].get(t, log - 0.01 * t - 0.1 * b) for b, t, log in forced if b < len(rows)}
    live = np.array([score for score, _ in rows], np.float32)
    order = [sorted(row, key=lambda t: -row[t]) for row in values]
    ids = np.array(order, np.int64)
    ranked = np.array([[row[t] for t in best] for row, best in zip(values, order)], np.float32)
    places = np.array(sorted(extra), np.int64).reshape(-1, 2).T.copy()
    more = np.array([extra[one] for one in sorted(extra)], np.float32)
    out = np.empty((2, ids.size + len(more)), np.int64), np.empty(ids.size + len(more), np.float32)
    count = kernels.gather(live, ids, ranked, (places, more), keep, out)
    pairs = list(map(tuple, out[0][:, :count].T.tolist()))
    assert len(set(pairs)) == count and np.all(np.diff(out[1][:count]) <= 0) and np.isfinite(out[1][:count]).all()
    assert set(pairs) == gather_ref(live.tolist(), values, extra, keep)


def test_candidates_of_minus_infinity_are_never_taken() -> None:
    """Fewer finite candidates than places: the rest of the beam stays empty."""
    ids, ranked = np.array([[0, 1, 2]]), np.array([[-1.0, -np.inf, -np.inf]], np.float32)
    more = np.array([[0, 0], [1, 2]]), np.array([-np.inf, -np.inf], np.float32)
    out = np.empty((2, 5), np.int64), np.empty(5, np.float32)
    assert kernels.gather(np.zeros(1, np.float32), ids, ranked, more, 3, out) == 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(0, 20))
def test_shares_fill_the_beam(counts: list[int], places: int) -> None:
    found = kernels.share(np.array(counts), places).tolist()
    assert found == share_ref(counts, places)
    assert sum(found) == min(places, sum(counts)) and all(map(int.__le__, found, counts))


def test_underfilled_banks_give_to_all_others() -> None:
    """Pushing what is left in one direction only would use four of six places here."""
    assert kernels.share(np.array([0, 10, 0]), 6).tolist() == [0, 6, 0]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 12))
def test_places_are_given_to_the_best_of_each_bank(banks: list[int], places: int) -> None:
    chosen = np.zeros(len(banks), np.bool_)
    kernels.take_in_turn(np.array(banks), places, chosen)
    assert chosen.tolist() == take_in_turn_ref(banks, places)
    shares = kernels.share(np.bincount(banks), places)
    kernels.take_shares(np.array(banks), shares, chosen)
    assert chosen.tolist() == take_shares_ref(banks, shares.tolist())


@given(st.lists(st.lists(logs, min_size=2, max_size=2), min_size=1, max_size=4), logs)
def test_rank_counts_what_is_better(rows: list[list[float]], score: float) -> None:
    ranked = np.sort(np.array(rows, np.float32))[:, ::-1].copy()
    live, may_end = np.zeros(len(rows), np.float32), np.arange(len(rows)) % 2 == 0
    ids = np.zeros(ranked.shape, np.int64)
    expected = rank_ref(ranked[may_end].ravel().tolist(), score)
    assert kernels.rank(live, ids, ranked, may_end, np.float32(score)) == expected
