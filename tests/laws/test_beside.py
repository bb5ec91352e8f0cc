"""The two kernels that read a lexer and an expression side by side, against one byte after the other."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import LETTERS, examples, expressions, leaves, vocabularies

from constrain import LimitExceeded, Limits, Vocabulary
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.ir import expr as ir

LIMITS = Limits(search=5_000)
filled = expressions(depth=2, looks=False).map(lambda expr: ir.And((expr, ir.Not(ir.EPSILON))))


def lexer_of(store: ExpressionStore, exprs: list[ir.Expr]) -> int:
    """A lexer of what is not empty."""
    nodes = {store.advance(store.build(expr, LIMITS), b"", LIMITS).node for expr in exprs} - {EMPTY}
    assume(nodes)
    return store.lexer(sorted(nodes), LIMITS)


def read(store: ExpressionStore, lexer: int, data: bytes) -> tuple[int, bool]:
    """The lexer after some bytes, 0 if it cannot read them; and whether terminals may end before the last one."""
    ended = False
    for n, b in enumerate(data):
        lexer = store.scan(lexer, EMPTY, bytes([b]), False, LIMITS).node if lexer else EMPTY
        ended = ended or (lexer != EMPTY and n + 1 < len(data) and store.may_end(lexer))
    return lexer, ended


@examples(120)
@given(st.lists(filled, min_size=1, max_size=2), expressions(depth=2), vocabularies())
def test_where_tokens_lead(exprs: list[ir.Expr], beside: ir.Expr, vocabulary: Vocabulary) -> None:
    store = ExpressionStore()
    try:
        lexer = lexer_of(store, exprs)
        node = store.advance(store.build(ir.Closed(beside), LIMITS), b"", LIMITS).node
        assume(node != EMPTY)
        reached = store.reach(lexer, node, vocabulary.trie, vocabulary.size, LIMITS)
        for token in range(vocabulary.size):
            data = vocabulary.token_bytes(token)
            after = store.advance(node, data, LIMITS)
            there, ended = read(store, lexer, data)
            expected = [0, 0, 0]
            if data and after.read == len(data) and (there or ended):
                expected = [there, int(ended), after.node]
            assert reached[:, token].tolist() == expected, data
    except LimitExceeded:
        assume(False)


@examples(100)
@given(st.lists(leaves() | filled, min_size=1, max_size=2), expressions(depth=2, looks=False))
def test_outcomes(exprs: list[ir.Expr], beside: ir.Expr) -> None:
    store = ExpressionStore()
    try:
        lexer = lexer_of(store, [ir.And((expr, ir.Not(ir.EPSILON))) for expr in exprs])
        node = store.advance(store.build(ir.Closed(beside), LIMITS), b"", LIMITS).node
        assume(node != EMPTY)
        expected, seen, todo = set(), {(lexer, node)}, [(lexer, node)]
        while todo:
            here, at = todo.pop()
            for b in range(256):
                to, after = (
                    store.scan(here, EMPTY, bytes([b]), False, LIMITS).node,
                    store.advance(at, bytes([b]), LIMITS),
                )
                if not to or not after.read or (to, after.node) in seen:
                    continue
                seen.add((to, after.node))
                todo.append((to, after.node))
                if store.may_end(to):
                    expected.add((store.ends(store.marks(to, LIMITS), LIMITS), after.node))
            assume(len(seen) < 300)
        assert store.outcomes(lexer, node, LIMITS) == expected
    except LimitExceeded:
        assume(False)


@examples(60)
@given(expressions(depth=2), st.sampled_from(LETTERS))
def test_ways(expr: ir.Expr, letter: bytes) -> None:
    store = ExpressionStore()
    node = store.build(ir.Closed(expr), LIMITS)
    assume(store.advance(node, b"", LIMITS).node != EMPTY)
    ways = store.ways(node, LIMITS)
    assert {after for _, after in ways} == {
        store.advance(node, bytes([b]), LIMITS).node for b in store.viable_bytes(node, LIMITS)
    }
    assert all(store.advance(node, bytes([b]), LIMITS).node == after for b, after in ways)


def way_out(store: ExpressionStore, node: int, shun: int) -> tuple[bool | None, int]:
    """What `escapes` should say, by the definition, and how many pairs there are to look at."""
    todo, seen, ends = [(node, shun)], {(node, shun)}, False
    for here, shunned in todo:
        for b in store.viable_bytes(here, LIMITS):
            after, away = (store.advance(each, bytes([b]), LIMITS) for each in (here, shunned))
            if away.read == 0:
                return True, len(seen)
            if store.may_end(away.node):
                continue
            ends = ends or store.may_end(after.node)
            if (after.node, away.node) not in seen:
                seen.add((after.node, away.node))
                todo.append((after.node, away.node))
    return None if ends else False, len(seen)


@examples(200)
@given(st.lists(filled, min_size=1, max_size=2), st.lists(filled, min_size=1, max_size=2))
def test_ways_out_of_what_is_shunned(exprs: list[ir.Expr], shunned: list[ir.Expr]) -> None:
    store = ExpressionStore()
    try:
        lexer, shun = lexer_of(store, exprs), lexer_of(store, shunned)
        expected, pairs = way_out(store, lexer, shun)
        found = store.escapes(lexer, shun, LIMITS)
    except LimitExceeded:
        assume(False)
    assert found == expected or (found is None and pairs >= 128)
