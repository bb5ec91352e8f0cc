"""The limits within which compiling and matching work; beyond them they raise `LimitExceeded`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a constraint may cost. Every field is checked before memory or time is spent.

    >>> Limits(pattern_chars=100).pattern_chars
    100
    """

    pattern_chars: int = 1_000_000
    """Characters of one pattern. Above this a list of words belongs into `choice`."""

    repeat: int = 100_000
    """Largest bound in `x{m,n}`. A count costs a state when generation reaches it, not before."""

    choices: int = 1_000_000
    """Words in one `choice`."""

    rules: int = 100_000
    """Rules of one grammar; every use of a template with other arguments is one. Sets of arrays and of objects that a
    schema falls into, on all levels together."""

    alternatives: int = 4096
    """Alternatives into which the arrays or objects of one subschema fall (`anyOf`, `oneOf` and `not` together), and
    ways in which one item or member meets what has to be somewhere (`contains` and the like)."""

    expressions: int = 4_000_000
    """Size of the automata of one process, in units of about 150 bytes: a subexpression takes one or more."""

    table_bytes: int = 96 << 20
    """Bytes of the automaton of the phrases of one beam search."""

    states: int = 100_000
    """States of the rules of one grammar, about 1 kB each. Those of a repetition are made when they are reached."""

    rows: int = 300_000
    """Recogniser rows of one grammar held at a time; `benchmarks.grammars` tells what nested text takes of memory. Rows
    that no matcher needs go first."""

    search: int = 50_000
    """States explored to decide one question of emptiness (only intersections, complements and lookarounds ask it)."""

    mask_cache_bytes: int = 128 << 20
    """Memory for the finished masks of one vocabulary; the least recently used go first."""

    automata_bytes: int = 128 << 20
    """Memory for the automata that a compiler remembers, as far as it can be told from what they hold; the least
    recently made go first."""

    transition_cache: int = 500_000
    """Remembered (state, token) steps of one automaton; about 100 bytes each."""
