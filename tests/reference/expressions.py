"""What `expressions.py` computes, from the definition: slow, plain Python, no shared code.

In:  an expression as a tuple: the name of a node of `constrain.ir.expr`, in lower case, and its fields.
Out: *machines*, which read bytes and say whether the text may end, and whether it can be completed.

Where the kernels rewrite expressions, this file runs an alternating automaton (Chandra, Kozen and Stockmeyer 1981): a
machine is a Boolean formula over *scopes*; a scope, which is what a language of its own can see, is a Boolean formula
over *plans*; a plan is what has to be matched from here to the end of the scope, one item after the other.
Lookahead conjoins a second plan; lookbehind is watched from the start of its scope by a formula of its own.

    plan      tuple of items: the first one reads a byte; without items, the scope has to end here
    scope     (formula, watched), watched = ((body of a lookbehind, formula that may end where it holds), ...)
    formula   set of clauses, one of which has to hold: sets of (plan or scope, sign), all of which have to hold
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

Node = tuple[Any, ...]
Formula = frozenset[frozenset[tuple[Any, bool]]]
Truths = dict[Node, bool]

TRUE: Formula = frozenset({frozenset()})
FALSE: Formula = frozenset()
ANYTHING: Node = ("anything",)
UNMOVED: Node = ("unmoved",)  # passed only after a byte: what precedes it was not the empty string


def start(node: Node) -> Formula:
    """The machine of an expression, before the first byte.

    >>> machine = start(("repeat", ("literal", b"ab"), 1, None))
    >>> [ends(step_all(machine, text)) for text in (b"", b"ab", b"aba", b"abab")]
    [False, True, False, True]
    """
    truths: Truths = {}
    watched = []
    for body in dict.fromkeys(_behinds(node)):  # inner ones first
        formula = _expand((ANYTHING, body), truths)
        truths[body] = _holds(formula, _is_done)
        watched.append((body, formula))
    return _leaf((_expand((node,), truths), tuple(watched)))


def step(machine: Formula, byte: int) -> Formula:
    """The machine after one more byte."""
    return _replace(machine, lambda scope: _step_scope(scope, byte))


def step_all(machine: Formula, data: bytes) -> Formula:
    """The machine after `data`."""
    for byte in data:
        machine = step(machine, byte)
    return machine


def ends(machine: Formula) -> bool:
    """Whether the text may end here."""
    return _holds(machine, lambda scope: _holds(scope[0], _is_done))


def completes(machine: Formula, moves: Sequence[bytes], limit: int = 20_000) -> bool:
    """Whether some sequence of `moves` leads to a machine that may end: a search, breadth first.

    Raises OverflowError when more than `limit` machines are met.
    """
    found, queue = {machine}, [machine]
    for here in queue:
        if ends(here):
            return True
        for to in {step_all(here, move) for move in moves} - found:
            found.add(to)
            queue.append(to)
        if len(queue) > limit:
            raise OverflowError(f"more than {limit} machines")
    return False


def mask_ref(tokens: Sequence[bytes], viable: Callable[[bytes], bool]) -> set[int]:
    """The tokens that may come next, where `viable(data)` says whether the bytes of a token may.

    >>> sorted(mask_ref([b"a", b"b", b"", b"ab"], b"abc".startswith))
    [0, 3]
    """
    return {token for token, data in enumerate(tokens) if data and viable(data)}


# -------------------------------------------------------------------------------------------------- terminals


def lex_ref(
    machines: dict[int, Formula], data: bytes, longest: bool, completes: Callable[[Formula], bool]
) -> tuple[bool, set[tuple[int, frozenset[int]]]]:
    """What bytes do to the machines of some terminals: (stays, crosses).

    stays: whether one goes on or has just ended after all of `data`. crosses: the places before at which terminals have
    ended, with these. By longest match a place counts only if the very next byte does not bring a longer match.

    >>> machines = {1: start(("literal", b"a")), 2: start(("repeat", ("literal", b"a"), 2, None))}
    >>> stays, crosses = lex_ref(machines, b"aa", False, lambda machine: machine != FALSE)
    >>> stays, [(at, sorted(ending)) for at, ending in crosses]
    (True, [(1, [1])])
    >>> lex_ref(machines, b"aa", True, lambda machine: machine != FALSE)
    (True, set())
    """
    ending: list[frozenset[int]] = []
    for byte in data:
        machines = {name: step(machine, byte) for name, machine in machines.items()}
        ending.append(frozenset(name for name, machine in machines.items() if ends(machine)))
    stays = any(completes(machine) for machine in machines.values())
    crosses = {(n + 1, names) for n, names in enumerate(ending[:-1]) if names and not (longest and ending[n + 1])}
    return stays, crosses


# ------------------------------------------------------------------------------------------------- formulas


def _any(parts: Iterable[Formula]) -> Formula:
    """Clauses that a weaker clause makes superfluous are left out: equal machines have to look alike."""
    clauses = frozenset(clause for part in parts for clause in part)
    return frozenset(clause for clause in clauses if not any(other < clause for other in clauses))


def _all(parts: Iterable[Formula]) -> Formula:
    result = TRUE
    for part in parts:
        joined = [clause | other for clause in result for other in part]
        result = _any([frozenset(c for c in joined if not any((leaf, not sign) in c for leaf, sign in c))])
    return result


def _no(formula: Formula) -> Formula:
    return _all(frozenset(frozenset({(leaf, not sign)}) for leaf, sign in clause) for clause in formula)


def _leaf(leaf: Node) -> Formula:
    return frozenset({frozenset({(leaf, True)})})


def _replace(formula: Formula, to: Callable[[Node], Formula]) -> Formula:
    """The formula with `to(leaf)` in the place of each leaf."""
    known = {leaf: to(leaf) for clause in formula for leaf, _ in clause}
    return _any(_all(known[leaf] if sign else _no(known[leaf]) for leaf, sign in clause) for clause in formula)


def _holds(formula: Formula, leaf_holds: Callable[[Node], bool]) -> bool:
    return any(all(leaf_holds(leaf) == sign for leaf, sign in clause) for clause in formula)


# --------------------------------------------------------------------------------------------------- reading


def _step_scope(scope: Node, byte: int) -> Formula:
    truths: Truths = {}
    watched = []
    for body, formula in scope[1]:
        after = _replace(formula, lambda plan: _read(plan, byte, truths))
        truths[body] = _holds(after, _is_done)
        watched.append((body, after))
    after = _replace(scope[0], lambda plan: _read(plan, byte, truths))
    return after if after in (TRUE, FALSE) else _leaf((after, tuple(watched)))


def _is_done(plan: Node) -> bool:
    return plan == ()


def _read(items: tuple[Node, ...], byte: int, truths: Truths) -> Formula:
    """What is left of a plan after a byte."""
    if not items:
        return FALSE
    head, rest = items[0], tuple(item for item in items[1:] if item != UNMOVED)
    if head[0] == "literal":
        return _expand((("literal", head[1][1:]), *rest), truths) if head[1][0] == byte else FALSE
    if head[0] == "chars":
        return _read_char(head[1], (head[2] if len(head) > 2 else b"") + bytes([byte]), rest, truths)
    if head[0] == "divisible":
        return _read_digit(head[1], head[2], byte, rest, truths)
    if head[0] == "run":
        return _expand((("run", step(head[1], byte)), *rest), truths)
    return _expand((head, *rest), truths)  # anything


def _read_char(ranges: Any, spelled: bytes, rest: tuple[Node, ...], truths: Truths) -> Formula:
    try:
        char = codecs.getincrementaldecoder("utf-8")().decode(spelled)  # "" within a character
    except UnicodeDecodeError:
        return FALSE
    if not char:
        return _leaf((("chars", ranges, spelled), *rest))
    return _expand(rest, truths) if any(low <= ord(char) <= high for low, high in ranges) else FALSE


def _read_digit(divisor: int, value: int, byte: int, rest: tuple[Node, ...], truths: Truths) -> Formula:
    """What is left of a plan after a byte of a number that began with `value`, up to a multiple of the divisor."""
    if byte not in b"0123456789.":
        return FALSE
    value = value if byte == ord(".") else (10 * value + int(chr(byte))) % divisor
    return _expand((("divisible", divisor, value), *rest), truths)


# ------------------------------------------------------------------------------------------ what comes first


def _expand(items: tuple[Node, ...], truths: Truths) -> Formula:
    """The formula of plans, each with an item first that reads a byte, that says what `items` say."""
    if not items:
        return _leaf(())
    (kind, *fields), rest = items[0], items[1:]
    match kind, fields:
        case ("unmoved", _):
            return FALSE
        case ("literal", [data]):
            return _leaf(items) if data else _expand(rest, truths)
        case ("chars", _):
            return _leaf(items)
        case ("words", [words]):
            return _any(_expand((("literal", word), *rest), truths) for word in words)
        case ("anything", _):
            return _any([_leaf(items), _expand(rest, truths)])
        case ("divisible", [divisor, *begun]):
            waiting = _leaf((("divisible", divisor, *(begun or [0])), *rest))
            return waiting if any(begun) else _any([waiting, _expand(rest, truths)])
        case ("concat", [parts]):
            return _expand((*parts, *rest), truths)
        case ("alt", [parts]):
            return _any(_expand((part, *rest), truths) for part in parts)
        case ("repeat", [body, low, high]):
            return _expand_repeat(body, low, high, rest, truths)
        case ("look", _):
            return _all([_sees(items[0], truths), _expand(rest, truths)])
        case ("run", [machine]):
            waiting = _leaf(items) if machine else FALSE
            return _any([waiting, _expand(rest, truths)]) if ends(machine) else waiting
    return _expand((("run", _machine(items[0])), *rest), truths)


def _machine(node: Node) -> Formula:
    """The machine of a `closed`, `and`, `towards` or `not`."""
    if node[0] in ("and", "towards"):
        return _all(start(part) for part in (node[1] if node[0] == "and" else node[1:]))
    return _no(start(node[1])) if node[0] == "not" else start(node[1])


def _sees(look: Node, truths: Truths) -> Formula:
    _, body, behind, negated = look
    seen = (TRUE if truths[body] else FALSE) if behind else _expand((body, ANYTHING), truths)
    return _no(seen) if negated else seen


def _expand_repeat(body: Node, low: int, high: int | None, rest: tuple[Node, ...], truths: Truths) -> Formula:
    """Rounds that read something, as many as `high`; where the body matches nothing at all, `low` is met for free."""
    if high == 0:
        return _expand(rest, truths)
    fewer = ("repeat", body, max(low - 1, 0), None if high is None else high - 1)
    round_ = _expand((body, UNMOVED, fewer, *rest), truths)
    if low == 0:
        return _any([round_, _expand(rest, truths)])
    void = _void(body, truths)
    return _any([round_, FALSE if void == FALSE else _all([void, _expand_repeat(body, 0, high, rest, truths)])])


def _void(node: Node, truths: Truths) -> Formula:
    """When `node` matches the empty string here."""
    match node:
        case ("literal", data):
            return FALSE if data else TRUE
        case ("words", words):
            return TRUE if b"" in words else FALSE
        case ("anything",) | ("divisible", _):
            return TRUE
        case ("chars", _):
            return FALSE
        case ("concat", parts):
            return _all(_void(part, truths) for part in parts)
        case ("alt", parts):
            return _any(_void(part, truths) for part in parts)
        case ("repeat", body, low, _):
            return TRUE if low == 0 else _void(body, truths)
        case ("look", *_):
            return _sees(node, truths)
    return TRUE if ends(_machine(node)) else FALSE


def _behinds(node: Node) -> Iterator[Node]:
    """Bodies of the lookbehinds of a scope, inner ones first."""
    if node[0] in ("concat", "alt"):
        for part in node[1]:
            yield from _behinds(part)
    elif node[0] in ("repeat", "look"):
        yield from _behinds(node[1])
        if node[0] == "look" and node[2]:
            yield node[1]
