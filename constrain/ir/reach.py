"""Whether some state can be completed: one search, for whatever has states, ways on, and ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

S = TypeVar("S", bound=Hashable)


def reaches_end(
    start: S, ways: Callable[[S], Iterable[S]], is_end: Callable[[S], bool], known: dict[S, bool], most: int
) -> bool | None:
    """Whether an end can be reached from `start`; None if more than `most` states had to be looked at.

    Depth first, in the order of `ways`. What is found out is added to `known`. That a state came to nothing is known
    only if the whole search does: it may have come in a circle to a state that goes on in another way.

    >>> reaches_end(1, lambda n: [2 * n, 3 * n] if n < 100 else [], lambda n: n == 54, {}, 1000)
    True
    """
    if start in known:
        return known[start]
    path, todo, seen = [start], [iter(ways(start))], {start}
    while path:
        if is_end(path[-1]) or known.get(path[-1], False):
            known.update(dict.fromkeys(path, True))
            return True
        way = next((way for way in todo[-1] if way not in seen and known.get(way, True)), None)
        if way is None:
            path.pop()
            todo.pop()
            continue
        if len(seen) >= most:
            return None
        seen.add(way)
        path.append(way)
        todo.append(iter(ways(way)))
    known.update(dict.fromkeys(seen, False))
    return False
