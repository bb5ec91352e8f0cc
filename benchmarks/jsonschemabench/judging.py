"""Whether a text is JSON and valid under a schema, as validators see it that share no code with any engine."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.jsonschemabench.models import Unavailable

_FENCE = re.compile(r"\s*```(?:json|JSON)?[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


class Unjudged(Exception):
    """No validator can say anything: they do not read the schema, or a number is beyond what they hold."""


def check_validator() -> None:
    """Raises Unavailable if there is no validator."""
    try:
        import jsonschema_rs  # noqa: F401
    except ImportError:
        raise Unavailable("texts are judged by jsonschema-rs: pip install jsonschema-rs") from None


def problem_with(schema: Any, text: str) -> str:
    """Why a text is not a valid instance of a schema, or nothing. Raises Unjudged.

    A code fence around the whole text is forgiven, to every engine. The draft is the one that `$schema` names, 2020-12
    without it, and decides whether formats are asserted; nothing is fetched.

    >>> problem_with({"type": "integer"}, "```json\\n3\\n```"), problem_with({"type": "integer"}, "3.5")
    ('', 'invalid: 3.5 is not of type "integer"')
    """
    fenced = _FENCE.fullmatch(text)
    try:
        value = parsed(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return _judged(schema, value)


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, also for what Python adds to JSON, and Unjudged."""
    return json.loads(text, parse_constant=_no_constant, parse_float=_held)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _held(number: str) -> float:
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise Unjudged(f"{number[:40]} is beyond a float")
    return value


def _judged(schema: Any, value: Any) -> str:
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema, retriever=_not_fetched)
    except ValueError as error:
        return _judged_otherwise(schema, value, str(error).split("\n")[0])
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return f"invalid: {error.message}"
    return ""


def _judged_otherwise(schema: Any, value: Any, reason: str) -> str:
    """By the reference implementation, where jsonschema-rs does not read a schema."""
    try:
        import jsonschema
        from referencing import Registry
    except ImportError:
        raise Unjudged(reason) from None
    try:
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        for error in kind(schema, registry=Registry()).iter_errors(value):
            return f"invalid: {error.message}"
    except Exception as error:  # schemas can be wrong in many ways
        raise Unjudged(
            f"{reason}; {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from None
    return ""


def _not_fetched(address: str) -> Any:
    raise ValueError(f"{address} is not fetched")
