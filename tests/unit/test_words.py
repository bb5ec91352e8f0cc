"""The kernel of words of bitmasks against its twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference.words import put_ref, take_ref
from strategies import examples

from constrain.kernels.words import put, take

bits = st.sampled_from([0, 0, 0, 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
masks = st.lists(bits, max_size=70)


def taken(words: np.ndarray) -> tuple[list[int], list[int]]:
    """What `take` finds, and whether it leaves zeros and writes nothing else."""
    at, found = np.full(words.size, -1, np.intp), np.full(words.size, 7, np.uint32)
    n = take(words, at, found)
    assert not words.any() and set(at[n:].tolist()) <= {-1} and set(found[n:].tolist()) <= {7}
    return at[:n].tolist(), found[:n].tolist()


@examples(300)
@given(masks)
def test_take_is_what_its_twin_does(mask: list[int]) -> None:
    assert taken(np.array(mask, np.uint32)) == take_ref(mask)


@examples(300)
@given(masks.flatmap(lambda mask: st.tuples(st.just(mask), st.lists(bits, min_size=len(mask), max_size=len(mask)))))
def test_put_is_what_its_twin_does(drawn: tuple[list[int], list[int]]) -> None:
    mask, more = drawn
    at, words = take_ref(more)[0], np.array(mask, np.uint32)
    chosen = [more[i] for i in at]
    put(words, np.array(at, np.intp), np.array(chosen, np.uint32))
    assert words.tolist() == put_ref(mask, at, chosen)


@examples(200)
@given(masks)
def test_what_was_taken_can_be_put_back(mask: list[int]) -> None:
    words = np.array(mask, np.uint32)
    at, found = taken(words)
    put(words, np.array(at, np.intp), np.array(found, np.uint32))
    assert words.tolist() == mask


def test_places_may_come_twice() -> None:
    words = np.zeros(3, np.uint32)
    put(words, np.array([1, 1, 2], np.intp), np.array([1, 6, 2**31], np.uint32))
    assert words.tolist() == put_ref([0, 0, 0], [1, 1, 2], [1, 6, 2**31]) == [0, 7, 2**31]
