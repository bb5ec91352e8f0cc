"""The meaning of grammars, executable: slow, obvious, and the oracle for the recogniser.

In:  a `constrain.ir.grammar.Grammar` and a text. Terminals are decided by `constrain.ir.semantics`.
Out: whether the grammar denotes the text; under longest match, also how the text is cut.

A rule is tried at every position where it may begin, and what it derives from there grows until nothing more is found
(a least fixed point, so that left recursion needs no care). Nothing here is shared with the recogniser.

The same derivation serves for texts and for sequences of terminals, under longest match: only what a terminal matches
at a position differs (`Matches`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Set
from functools import cache

from constrain.ir.expr import Closed
from constrain.ir.grammar import Bits, Body, Call, Count, Either, Grammar, Many, Seq, Special, Terminal
from constrain.ir.semantics import ends

Matches = Callable[[Terminal | Special, int], Set[int]]
"""Where matches of a terminal that begin at a position end."""

State = tuple[int, int]
"""Within an activation of a rule: position, register."""

Piece = frozenset[Terminal]
"""What a piece of the text may be, once it is cut."""


def recognises(grammar: Grammar, text: bytes) -> bool:
    """Whether `grammar` denotes `text`, which holds no special tokens.

    >>> from constrain.ir.expr import Literal
    >>> from constrain.ir.grammar import Rule
    >>> pair = Seq((Terminal("(", Literal(b"(")), Many(Call("pair"), 0, 1), Terminal(")", Literal(b")"))))
    >>> [recognises(Grammar({"pair": Rule(pair)}, "pair"), text) for text in (b"(())", b"(()")]
    [True, False]
    """
    if grammar.longest:
        pieces = cut(grammar, text)
        return pieces is not None and len(pieces) in derived(grammar, _in_pieces(pieces, complete=True))

    @cache
    def matches(terminal: Terminal | Special, i: int) -> Set[int]:
        return _ends(terminal, text, i) if isinstance(terminal, Terminal) else frozenset()

    return len(text) in derived(grammar, matches)


def cut(grammar: Grammar, text: bytes) -> list[Piece] | None:
    """The pieces of a text under longest match; None if it cannot be cut."""
    terminals = _terminals(grammar) | ({grammar.ignore} if grammar.ignore else set())
    pieces: list[Piece] = []
    position = 0
    while position < len(text):
        possible = [one for one in terminals if _viable(grammar, [*pieces, frozenset({one})])]
        longest = max((end for one in possible for end in _ends(one, text, position)), default=position)
        if longest == position:
            return None
        matching = [one for one in possible if longest in _ends(one, text, position)]
        highest = max(one.priority for one in matching)
        pieces.append(frozenset(one for one in matching if one.priority == highest))
        position = longest
    return pieces


def derived(grammar: Grammar, matches: Matches) -> Set[int]:
    """Where sentences that begin at 0 end, with what is ignored after them."""
    found: dict[tuple[Hashable, int], frozenset[int]] = {(grammar.start, 0): frozenset()}
    before: dict[tuple[Hashable, int], frozenset[int]] = {}
    while before != found:
        before = dict(found)
        for rule, i in before:
            made = grammar.rules[rule]
            states = _after(grammar, matches, found, made.body, frozenset({(i, made.register)}))
            found[rule, i] = frozenset(end for end, _ in states)
    last = found[grammar.start, 0]
    return last | {end for i in last for end in _ignored(grammar, matches, i)}


def _after(
    grammar: Grammar,
    matches: Matches,
    found: dict[tuple[Hashable, int], frozenset[int]],
    body: Body,
    states: frozenset[State],
) -> frozenset[State]:
    """The states that `states` lead to through `body`, by what is `found` so far; calls that are new are put there."""

    def through(part: Body, here: frozenset[State]) -> frozenset[State]:
        match part:
            case Terminal() | Special():
                return frozenset((end, r) for i, r in here for end in _terminal(grammar, matches, part, i))
            case Call(rule):
                return frozenset((end, r) for i, r in here for end in found.setdefault((rule, i), frozenset()))
            case Seq(parts):
                for one in parts:
                    here = through(one, here)
                return here
            case Either(parts):
                return frozenset().union(*(through(one, here) for one in parts))
            case Many(inner, low, high):
                return repeated(inner, low, high, here)
            case Bits() | Count():
                applied = ((i, part.apply(r)) for i, r in here)
                return frozenset((i, r) for i, r in applied if r is not None)

    def repeated(inner: Body, low: int, high: int | None, here: frozenset[State]) -> frozenset[State]:
        """Round by round. What comes of a round depends on its states alone, so that one seen before adds nothing."""
        result: frozenset[State] = frozenset()
        seen: set[frozenset[State]] = set()
        count = 0
        while here and (high is None or count <= high):
            if count >= low:
                if here in seen:
                    break
                seen.add(here)
                result |= here
            here = through(inner, here)
            count += 1
        return result

    return through(body, states)


def _terminal(grammar: Grammar, matches: Matches, terminal: Terminal | Special, i: int) -> set[int]:
    """Where the terminal ends, after what may be ignored before it."""
    return {end for j in {i} | _ignored(grammar, matches, i) for end in matches(terminal, j)}


def _ignored(grammar: Grammar, matches: Matches, i: int) -> Set[int]:
    return matches(grammar.ignore, i) if grammar.ignore else frozenset()


def _ends(terminal: Terminal, text: bytes, i: int) -> Set[int]:
    return ends(Closed(terminal.expr), text, i)


# ---- sequences of terminals


def _viable(grammar: Grammar, pieces: list[Piece]) -> bool:
    """Whether some sentence begins with these pieces, by the rules alone."""
    return len(pieces) in derived(grammar, _in_pieces(pieces, complete=False))


def _in_pieces(pieces: list[Piece], complete: bool) -> Matches:
    """What matches in a row of pieces; if it is not complete, anything may follow, which takes up no position."""

    def matches(terminal: Terminal | Special, i: int) -> Set[int]:
        if i == len(pieces):
            return frozenset() if complete else frozenset({i})
        return frozenset({i + 1}) if terminal in pieces[i] else frozenset()

    return matches


def _terminals(grammar: Grammar) -> set[Terminal]:
    """All terminals that the rules can come to."""
    found: set[Terminal] = set()
    called: set[Hashable] = {grammar.start}
    waiting: list[Body] = [grammar.rules[grammar.start].body]
    while waiting:
        match waiting.pop():
            case Terminal() as terminal:
                found.add(terminal)
            case Seq(parts) | Either(parts):
                waiting += parts
            case Many(inner, _, _):
                waiting.append(inner)
            case Call(rule) if rule not in called:
                called.add(rule)
                waiting.append(grammar.rules[rule].body)
    return found
