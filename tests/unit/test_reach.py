"""Whether an end can be reached: the search against the set of all that is reachable."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from constrain.ir.reach import reaches_end

Graph = dict[int, list[int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, set[int]]:
    """Up to twelve states with their ways, and some ends. Few ends, so that many states come to nothing."""
    size = draw(st.integers(1, 12))
    state = st.integers(0, size - 1)
    ways = {n: draw(st.lists(state, max_size=3)) for n in range(size)}
    return ways, draw(st.sets(state, max_size=2))


def reached(graph: Graph, start: int) -> set[int]:
    """All states that ways lead to, the start included."""
    found = {start}
    while more := {way for state in found for way in graph[state]} - found:
        found |= more
    return found


@examples(400)
@given(graphs(), st.lists(st.integers(0, 11), min_size=1, max_size=6))
def test_finds_an_end_exactly_if_there_is_one(drawn: tuple[Graph, set[int]], starts: list[int]) -> None:
    """What one search has found out serves the next ones, and is right."""
    graph, ends = drawn
    known: dict[int, bool] = {}
    for start in [start % len(graph) for start in starts]:
        found = reaches_end(start, graph.__getitem__, ends.__contains__, known, 1000)
        assert found == bool(reached(graph, start) & ends)
        assert known[start] == found
        assert all(known[state] == bool(reached(graph, state) & ends) for state in known)


@examples(200)
@given(graphs(), st.integers(1, 12), st.integers(1, 12))
def test_gives_up_rather_than_guess(drawn: tuple[Graph, set[int]], first: int, second: int) -> None:
    """With few states allowed the answer is right, or there is none; and what is known then is right."""
    graph, ends = drawn
    known: dict[int, bool] = {}
    for most in (first, second, 1000):
        found = reaches_end(0, graph.__getitem__, ends.__contains__, known, most)
        assert found in (None, bool(reached(graph, 0) & ends))
        assert found is not None or len(reached(graph, 0)) > most
        assert all(known[state] == bool(reached(graph, state) & ends) for state in known)
    assert found is not None


def test_looks_at_no_more_than_it_needs() -> None:
    """Depth first, in the order of the ways: a way to the end is followed, however many there are besides."""
    looked: list[int] = []

    def ways(state: int) -> Iterator[int]:
        looked.append(state)
        return iter([state + 1, -state])

    assert reaches_end(1, ways, lambda state: state == 50, {}, 51) is True
    assert looked == list(range(1, 51)) or looked == list(range(1, 50))
    assert reaches_end(1, ways, lambda state: False, {}, 30) is None


def test_long_paths_take_no_recursion() -> None:
    assert reaches_end(0, lambda n: [n + 1], lambda n: n == 100_000, {}, 200_000) is True
    assert reaches_end(0, lambda n: [n + 1] if n < 100_000 else [], lambda n: False, {}, 200_000) is False


def test_what_is_known_is_not_asked_again() -> None:
    def refuse(state: int) -> Iterator[int]:
        raise AssertionError(state)

    assert reaches_end(1, refuse, lambda state: False, {1: True}, 1) is True
    assert reaches_end(1, refuse, lambda state: False, {1: False}, 1) is False
    assert reaches_end(1, lambda state: [2, 3], lambda state: False, {2: False, 3: True}, 9) is True
