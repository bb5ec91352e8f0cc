"""`And((body, bound), within=True)`: a promise that saves states must not change a mask."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from matchers import mask_of
from strategies import Denoting, examples

from constrain import Compiler, UnsatisfiableError, Vocabulary
from constrain.ir import expr as ir

LETTERS = ir.Chars(((0x61, 0x63),))
UNIT = ir.Alt((LETTERS, ir.Concat((ir.Literal(b"\\"), ir.Chars(((0x61, 0x63), (0x75, 0x75)))))))
"""Characters of one byte or two, as in JSON."""
TOKENS = [b"a", b"b", b"c", b"u", b"\\", b"ab", b"a\\", b"\\u", b"\\ub", b"aaaa", b"abcabc", b"\\u" * 3, b"a" * 9, b'"']


def bodies(depth: int = 3) -> st.SearchStrategy[ir.Expr]:
    """Expressions whose strings are made of units."""
    leaf = st.sampled_from([ir.Literal(b"a"), ir.Literal(b"\\u"), ir.Literal(b"ab"), LETTERS, UNIT, ir.EPSILON])
    if depth == 0:
        return leaf
    inner = bodies(depth - 1)
    parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
    many = st.builds(
        lambda body, low, more: ir.Repeat(body, low, None if more is None else low + more),
        inner,
        st.integers(0, 4),
        st.none() | st.integers(0, 30),
    )
    return st.one_of(leaf, st.builds(ir.Concat, parts), st.builds(ir.Alt, parts), many, many)


@examples(300)
@given(bodies(), st.integers(0, 70), st.booleans(), st.integers(0, 2**32))
def test_a_promise_changes_no_mask(body: ir.Expr, most: int, quoted: bool, seed: int) -> None:
    """Beside the intersection without it, along random texts, to the end."""
    bound = ir.Repeat(UNIT, 0, most)

    def constraint(within: bool) -> ir.Expr:
        both = ir.And((body, bound), within)
        return ir.Concat((both, ir.Literal(b'"'))) if quoted else both

    vocabulary = Vocabulary.from_tokens([*TOKENS, None], eos_ids=[len(TOKENS)])
    try:
        slow = Compiler(vocabulary).compile(Denoting(constraint(within=False))).matcher()
    except UnsatisfiableError:
        slow = None
    if slow is None:
        try:
            Compiler(vocabulary).compile(Denoting(constraint(within=True)))
        except UnsatisfiableError:
            return
        raise AssertionError("a promise makes nothing satisfiable")
    fast = Compiler(vocabulary).compile(Denoting(constraint(within=True))).matcher()
    rng = random.Random(seed)
    for _ in range(60):
        mask = mask_of(slow)
        assert mask_of(fast) == mask
        if not mask - {len(TOKENS)}:
            break
        token = rng.choice(sorted(mask - {len(TOKENS)}))
        assert slow.accept_token(token) and fast.accept_token(token)
