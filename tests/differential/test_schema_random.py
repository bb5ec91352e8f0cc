"""Random schemas: what the masks allow is what two validators call valid.

Schemas, instances and texts come from `schema_strategies`; the judges are jsonschema and jsonschema-rs. Where they
disagree nothing is asked. A schema may be refused, but rarely, and only with an error that says so.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st
from schema_strategies import Doubled, Judge, Schema, faithful, instances, parsed, schemas, spelled
from strategies import examples

import constrain
from constrain import LimitExceeded, Matcher, TokenAutomaton, UnsatisfiableError, UnsupportedError

PIECES = ['","', '": ', '":', '{"a"', '{"', '"}', '"a', '"b":', "[]", "{}", "],", "[[", "true", "null", "false"]
PIECES += ["ab", "é", "日", "\\u00", "\\n", "1.", "00", "e+", "-1", ", ", " ", "\n  ", '""', "]}", "}}"]
EOS = 256 + len(PIECES)
VOCABULARY = constrain.Vocabulary.from_tokens(
    [*(bytes([byte]) for byte in range(256)), *(piece.encode() for piece in PIECES), None], eos_ids=[EOS]
)
REFUSED = 0.02
"""Of all schemas, at most so many may be refused, and of all values so many may be such that the judges disagree."""
STEPS = 60
"""Tokens of a walk before it is closed."""

orders = st.sampled_from(["any", "schema"])
spaces = st.sampled_from(["compact", "bounded", "flexible"])


def compiled(schema: Schema, order: str, space: str) -> TokenAutomaton:
    """The automaton of a schema."""
    note(f"schema: {json.dumps(schema, ensure_ascii=False)}")
    spec = constrain.json_schema(schema, format="annotation", property_order=order, whitespace=space)
    return constrain.Compiler(VOCABULARY).compile(spec)


def accepts(rng: random.Random, automaton: TokenAutomaton, text: str) -> bool:
    """Whether a text, cut into tokens at random, is allowed by the masks, to its end."""
    matcher, data = automaton.matcher(), text.encode()
    while data:
        token = rng.choice([token for token in tokens_of(data) if token >= 256 or rng.random() < 0.5] or [data[0]])
        allowed = token in matcher.allowed_token_ids()
        assert matcher.accept_token(token) == allowed, (text, token)
        if not allowed:
            return False
        data = data[len(VOCABULARY.token_bytes(token)) :]
    assert (EOS in matcher.allowed_token_ids()) == matcher.is_accepting()
    return matcher.is_accepting()


def tokens_of(data: bytes) -> list[int]:
    """The tokens that a text can begin with."""
    return [data[0], *(256 + i for i, piece in enumerate(PIECES) if data.startswith(piece.encode()))]


def check_law(law: Callable[..., None], *strategies: Any, count: int) -> None:
    """Run a law on examples; its first argument counts what it saw. Schemas are refused when compiled or later."""
    seen: Counter[str] = Counter()

    @examples(count)
    @given(st.tuples(*strategies))
    def run(drawn: tuple[Any, ...]) -> None:
        seen["schemas"] += 1
        try:
            law(seen, *drawn)
        except (UnsupportedError, LimitExceeded) as error:
            seen["refused"] += 1
            seen[f"{type(error).__name__}: {str(error)[:60]}"] += 1

    run()
    assert seen["refused"] <= max(1, REFUSED * seen["schemas"]), seen.most_common(12)
    assert seen["disagreed"] <= REFUSED * seen["asked"], seen.most_common(12)


# Values to texts


@st.composite
def schemas_with_instances(draw: st.DrawFn) -> tuple[Schema, list[Any]]:
    """A schema and values near it."""
    schema = draw(schemas())
    return schema, draw(instances(schema))


def test_accepts_exactly_what_is_valid() -> None:
    rngs = st.randoms(use_true_random=False)
    check_law(accepts_exactly_what_is_valid, schemas_with_instances(), spaces, rngs, count=400)


def accepts_exactly_what_is_valid(
    seen: Counter[str], drawn: tuple[Schema, list[Any]], space: str, rng: random.Random
) -> None:
    """The text of a value is accepted if and only if the value is valid; other texts of it, only if."""
    schema, some = drawn
    judge = Judge(schema)
    try:
        automaton = compiled(schema, "any", space)
    except UnsatisfiableError:
        assert not any(judge(value) for value in some)
        return
    for value in some:
        verdict = judged(seen, judge, value)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if verdict is not None:
            assert accepts(rng, automaton, text) == verdict, f"{text} is {'valid' if verdict else 'invalid'}"
        says_something_valid(rng, automaton, spelled(rng, value, double=0.1), verdict)


def says_something_valid(rng: random.Random, automaton: TokenAutomaton, text: str, verdict: bool | None) -> None:
    """A text, in whatever form, is accepted only if its value is valid and no key comes twice."""
    if accepts(rng, automaton, text):
        assert verdict is not False, f"{text} is invalid"
        parsed(text)  # raises Doubled


def judged(seen: Counter[str], judge: Judge, value: Any) -> bool | None:
    """The verdict on a value, counted."""
    verdict = judge(value)
    seen["asked"] += 1
    seen["disagreed"] += verdict is None
    seen["valid"] += verdict is True
    return verdict


def test_order_of_keys_only_takes_texts_away() -> None:
    rngs = st.randoms(use_true_random=False)
    check_law(order_takes_texts_away, schemas_with_instances(), rngs, count=60)


def order_takes_texts_away(seen: Counter[str], drawn: tuple[Schema, list[Any]], rng: random.Random) -> None:
    """What is accepted in the order of the schema is valid, and a schema of which a value is valid can be met in it."""
    schema, some = drawn
    judge = Judge(schema)
    try:
        automaton = compiled(schema, "schema", "compact")
    except UnsatisfiableError:
        assert not any(judge(value) for value in some)
        return
    for value in some:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        says_something_valid(rng, automaton, text, judged(seen, judge, value))


# Masks to values


def test_what_masks_lead_to_is_valid() -> None:
    rngs = st.randoms(use_true_random=False)
    check_law(masks_lead_to_valid_values, schemas(), orders, spaces, rngs, count=150)


def masks_lead_to_valid_values(seen: Counter[str], schema: Schema, order: str, space: str, rng: random.Random) -> None:
    """Wherever the masks lead, the text can be closed, and what it says is valid."""
    try:
        automaton = compiled(schema, order, space)
    except UnsatisfiableError:
        return
    judge = Judge(schema)
    for eager in (False, True):
        text = walk(rng, automaton.matcher(), eager).decode()
        note(f"text: {text}")
        value = parsed(text)
        if faithful(text):
            assert judged(seen, judge, value) is not False, f"{text} is invalid"


def walk(rng: random.Random, matcher: Matcher, eager: bool) -> bytes:
    """A text made of allowed tokens, closed after some of them. `eager`: punctuation rather than what strings hold."""
    data = b""
    for _ in range(STEPS):
        allowed = matcher.allowed_token_ids().tolist()
        assert allowed, data
        assert (EOS in allowed) == matcher.is_accepting(), data
        if allowed == [EOS] or (EOS in allowed and rng.random() < 0.1):
            return data
        choices = [token for token in allowed if token != EOS]
        preferred = [token for token in choices if token >= 256 or chr(token) in '"{}[],:0123456789'] if eager else []
        token = rng.choice(preferred or choices)
        assert matcher.accept_token(token), (data, token)
        data += VOCABULARY.token_bytes(token)
    closing = matcher.completion()
    assert closing is not None, data
    assert matcher.accept_tokens(closing) == len(closing), data
    assert matcher.is_accepting(), data
    return data + b"".join(map(VOCABULARY.token_bytes, closing))


# The judges themselves


def test_doubled_keys_are_noticed() -> None:
    rng = random.Random(1)
    texts = [spelled(rng, {"a": [1, {"é": "b"}]}, double=0.5) for _ in range(50)]
    doubled = 0
    for text in texts:
        try:
            assert parsed(text) == {"a": [1, {"é": "b"}]}
        except Doubled:
            doubled += 1
    assert 10 < doubled < 50


def test_numbers_beyond_floats_are_not_judged() -> None:
    assert faithful('{"a": [1, 0.1, -2.5e1, 1.0]}')
    for text in ("9007199254740993", "1e400", "1e-9999999999999999999", "0.30000000000000000001", '"\\ud800"', "1e23"):
        assert not faithful(text), text


def test_judges_agree_on_the_end_of_a_string() -> None:
    judge = Judge({"pattern": "^$", "patternProperties": {"b$": False}})
    assert judge("\n") is False and judge("") is True
    assert judge({"b": 1}) is False and judge({"b\n": 1}) is True
