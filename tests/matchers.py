"""What a matcher allows: by its mask, by trying every token, and what walks along allowed tokens come to."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

import constrain
from constrain import Matcher


def mask_of(matcher: Matcher) -> set[int]:
    """The set bits of the bitmask, those past the vocabulary too."""
    mask = constrain.allocate_bitmask(3, matcher.automaton.vocabulary.size)
    mask[:] = 0x5A5A5A5A
    matcher.fill_bitmask(mask, 1)
    assert (mask[[0, 2]] == 0x5A5A5A5A).all(), "other rows are not touched"
    return set(np.flatnonzero(np.unpackbits(mask[1].view(np.uint8), bitorder="little")).tolist())


def accepted(matcher: Matcher) -> set[int]:
    """{t : accepts(t)}, one token at a time."""
    found = set()
    for token in range(matcher.automaton.vocabulary.size):
        if not matcher.is_terminated() and matcher.accept_token(token):
            found.add(token)
            matcher.rollback(1)
    return found


def walk(matcher: Matcher, rng: random.Random, steps: int) -> Iterator[list[int]]:
    """Accept allowed tokens that spell text at random, yielding the tokens so far."""
    path: list[int] = []
    yield path
    ends = set(matcher.automaton.vocabulary.eos_ids)
    for _ in range(steps):
        allowed = sorted(mask_of(matcher) - ends)
        if not allowed:
            return
        path.append(rng.choice(allowed))
        assert matcher.accept_token(path[-1])
        yield path


def reachable(matcher: Matcher, most: int) -> tuple[list[Matcher], list[set[int]], bool]:
    """Places that tokens lead to, up to `most`, no two at one state; where each leads; and whether that is all."""
    ends = set(matcher.automaton.vocabulary.eos_ids)
    places, number, edges = [matcher], {id(matcher._state): 0}, []
    for here in places:
        leads = set()
        for token in sorted(mask_of(here) - ends):
            there = here.copy()
            assert there.accept_token(token)
            if id(there._state) not in number:
                number[id(there._state)] = len(places)
                places.append(there)
            leads.add(number[id(there._state)])
        edges.append(leads)
        if len(places) > most:
            return places, edges, False
    return places, edges, True
