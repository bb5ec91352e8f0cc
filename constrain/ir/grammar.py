"""Context-free grammars as values: what front ends write and what the recogniser is built from.

A grammar is a set of rules over terminals. A terminal is a regular language over bytes, so that rules never look
inside of one. The body of a rule says with `Many` what repeats: a loop is a loop and never recursion.

An activation of a rule owns a register, an integer of any size, that its body can test and change on the way: "each key
at most once, in any order, all required ones, at least n" takes one bit a key and a counter instead of a rule for every
order. `tests/reference/recogniser.py` is the executable definition of every node.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from constrain.ir.expr import Expr

if TYPE_CHECKING:
    from constrain.jit import Tables


@dataclass(frozen=True, slots=True)
class Once:
    """What makes the matches of a terminal differ from each other, within one activation of a rule.

    However many matches there were, others must be left to end with: nobody counts them.
    """

    value: Callable[[bytes], Hashable]
    """What a match stands for, by any text that ends with it; no two matches stand for the same."""
    spell: Callable[[Hashable], Expr]
    """The texts that only matches of a value begin with. They end within the match."""
    never: frozenset[Hashable] = frozenset()
    """What no match may stand for."""
    meaning: Callable[[Hashable], bytes] | None = None
    """If matches begin with a JSON string, and differ if and only if these do: what the string of a value means, in
    UTF-8."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A regular language, the unit that rules are made of. It denotes at least one string and not the empty one."""

    name: str
    expr: Expr
    priority: int = 0
    """Among equally long matches the higher one wins, under longest match only."""
    once: Once | None = None
    """If given, no match may stand for the same as an earlier one. Not under longest match."""
    turn: Callable[[bytes], Hashable] | None = None
    """If given, what comes next depends on all of the text up to the match, and perhaps into it: the name of the rule
    to go on with (it is called lazily), or None if nothing may follow. The terminal stands at the end of a rule, in a
    grammar that `remembers`."""


@dataclass(frozen=True, slots=True)
class Special:
    """One token of the vocabulary that spells no text, such as `<|eot_id|>`; any one with an id in `ids` if given."""

    name: str
    ids: tuple[tuple[int, int], ...] = ()
    """Inclusive ranges of token ids; without any, the token is looked up by name."""


@dataclass(frozen=True, slots=True)
class Call:
    """Whatever the rule of that name denotes."""

    rule: Hashable
    lazy: bool = False
    """The rule is not read before it is reached; it is known to denote some text, and not the empty one."""


@dataclass(frozen=True, slots=True)
class Seq:
    """One part after the other; `Seq(())` is the empty text."""

    parts: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts."""

    parts: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Many:
    """`low` to `high` times the body; `high=None` is without bound."""

    body: Body
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Bits:
    """Passes if the register has exactly the bits `value` of those in `mask`; then sets the bits `put`.

    >>> Bits(mask=0b11, value=0b01, put=0b10).apply(0b01), Bits(mask=0b11, value=0b01).apply(0b11)
    (3, None)
    """

    mask: int = 0
    value: int = 0
    put: int = 0

    def apply(self, register: int) -> int | None:
        """The register afterwards; None if the test fails."""
        return register | self.put if register & self.mask == self.value else None


@dataclass(frozen=True, slots=True)
class Count:
    """Passes if the counter in bits [shift, shift + width) of the register is in low .. high; then adds `add` to it.

    A counter stays at its largest value, 2**width - 1, once it is there.

    >>> Count(shift=4, width=2, low=0, high=2, add=1).apply(0b10_0001) == 0b11_0001
    True
    """

    shift: int
    width: int
    low: int = 0
    high: int | None = None
    add: int = 0

    def apply(self, register: int) -> int | None:
        """The register afterwards; None if the test fails."""
        most = (1 << self.width) - 1
        count = register >> self.shift & most
        if count < self.low or (self.high is not None and count > self.high):
            return None
        return register + (min(count + self.add, most) - count << self.shift)


Action = Bits | Count
Body = Terminal | Special | Call | Seq | Either | Many | Bits | Count


@dataclass(frozen=True, slots=True)
class Rule:
    """What a name denotes: its body, begun with `register`."""

    body: Body
    register: int = 0


class Source(Protocol):
    """What the rules of a grammar are made from, as they are asked for."""

    @property
    def nbytes(self) -> int:
        """Memory that it holds, about."""

    def close(self) -> None:
        """Let go of it; no rule is asked for any more."""


class Rows(Protocol):
    """A JSON Schema that the engine writes states from, see `constrain.ir.schema_rows`."""

    @property
    def rows(self) -> SchemaTables:
        """The rows."""

    def terminal(self, spec: int) -> Terminal:
        """The terminal of a SPEC."""

    def rule(self, row: int) -> Hashable:
        """The name of the rule of a row, which is HARD."""

    def row_of(self, name: Hashable) -> int | None:
        """The row that a rule stands for, if it is one."""

    def weigh(self, spec_bytes: Callable[[int], float]) -> None:
        """Find out how long the shortest texts of rows are, given those of SPECs."""

    def by_rules(self) -> Grammar:
        """The same texts by rules alone."""


class SchemaTables(Protocol):
    """The rows of a schema."""

    @property
    def tables(self) -> Tables:
        """Block R."""

    @property
    def root(self) -> int:
        """The row of the whole schema."""

    def value(self, value: int) -> Any:
        """A value of the schema, or a name."""

    def is_hard(self, row: int) -> bool:
        """Whether a row is left to rules."""

    def size(self, row: int) -> float:
        """Bytes of the shortest text of a row, or less."""


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """Rules over terminals. `rules` may be made as they are asked for, where calls are lazy."""

    rules: Mapping[Hashable, Rule]
    start: Hashable
    ignore: Terminal | None = None
    """May stand before, between and after any two terminals, once."""
    longest: bool = False
    """How text is cut into terminals. False: every way to cut it counts (scannerless). True: a terminal is the longest
    match of all those that may come next, the one of highest priority among these (all of them if equal)."""
    cost: Callable[[Hashable], float] | None = None
    """Bytes of the shortest text of a rule that is called lazily."""
    source: Source | None = None
    """If it is of this grammar alone."""
    remembers: bool = False
    """Whether terminals may have a `turn`."""
    is_plain: bool = False
    """Whether no rule has a loop over short terminals, and all are called lazily, the first one included."""
    rows: Rows | None = None
    """What to write states from instead of rules, wherever these are not HARD."""


@dataclass(frozen=True, slots=True, eq=False)
class Restricted:
    """The texts of a grammar that an expression denotes, too."""

    grammar: Grammar
    expr: Expr
