# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""States of `Divisible`: the divisor, and the remainder of the digits read so far."""

from __future__ import annotations

from constrain.automata.edges import row_of_targets
from constrain.automata.interning import intern_state
from constrain.automata.tables import (
    ACCEPTS,
    COUNT,
    CUTS,
    DEAD,
    EXACT,
    FIRST,
    GOES_ON,
    LISTED,
    MEMBER,
    MEMBERS,
    REST,
    SETTLED,
    STATE,
    WORK,
    full,
)
from constrain.jit import i32, i64, size_of, unit

_LOW = (1 << 30) - 1
MOST_DIGITS = 18
"""So many digits make any remainder 0."""


@unit
def divisor_of(automata, q):
    """The divisor of a state."""
    member, first = i32(automata, MEMBER), int(i32(automata, STATE)[8 * q + FIRST])
    return int(member[first]) | int(member[first + 1]) << 30


@unit
def lack_of(automata, q):
    """What the digits read so far lack to a multiple: the divisor less the remainder, or 0."""
    member, first = i32(automata, MEMBER), int(i32(automata, STATE)[8 * q + FIRST])
    rest = int(member[first + 2]) | int(member[first + 3]) << 30
    return divisor_of(automata, q) - rest if rest else 0


@unit
def make_rest(automata, divisor, rest):
    """The state of a divisor and a remainder."""
    member, t = i32(automata, MEMBER), int(i64(automata, COUNT)[MEMBERS])
    if t + 4 > size_of(automata, MEMBER):
        return full(MEMBER)
    member[t], member[t + 1], member[t + 2], member[t + 3] = divisor & _LOW, divisor >> 30, rest & _LOW, rest >> 30
    missing, lack, power = 0, divisor - rest if rest else 0, 1  # n more digits make any number below 10**n
    while lack >= power:
        missing, lack, power = missing + 1, lack * 10 % divisor, power * 10
    flags = EXACT | SETTLED | GOES_ON | (0 if rest else ACCEPTS)
    return intern_state(automata, REST, t, 4, flags, 1, missing)


@unit
def row_of_rest(automata, q):
    """Make the row of a remainder: a point leaves it as it is, a digit comes behind it."""
    work, divisor = i64(automata, WORK), divisor_of(automata, q)
    rest = (divisor - lack_of(automata, q)) % divisor
    work[CUTS], work[CUTS + 1], work[CUTS + 2] = 0, 46, 47
    work[LISTED], work[LISTED + 1], work[LISTED + 2] = DEAD, q, DEAD
    for digit in range(10):
        y = make_rest(automata, divisor, (10 * rest + digit) % divisor)
        if y < 0:
            return y
        work[CUTS + 3 + digit], work[LISTED + 3 + digit] = 48 + digit, y
    work[CUTS + 13], work[LISTED + 13] = 58, DEAD
    return row_of_targets(automata, q, 14)
