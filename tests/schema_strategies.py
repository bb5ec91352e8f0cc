"""JSON Schemas with all keywords of draft 2020-12 in any combination, instances near them, and texts of instances.

Names, strings and numbers come from small sets, so that what one keyword says about them meets what another says.
Numbers are multiples of a quarter, since validators that work with floats are only then exact about `multipleOf`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

Schema = dict[str, Any] | bool

KEYS = ["a", "b", "c", "ab", "é", ""]
STRINGS = ["", "a", "b", "ab", "ba", "abc", "aab", "é", "日a", "😀", '"', "\\", "\n", "1", "b b"]
NUMBERS: list[int | float] = [0, 1, 2, 3, 4, -1, -3, 10, 12, 100, 0.5, 1.5, -0.5, 2.25, 1.0, 3.0, -0.0]
PATTERNS = ["a", "^a", "b$", "^[ab]*$", "^[^x]{2}$", "[0-9]", "é|b", "^(a|bc)+$", "^(?!a)", "^$", "^[^a]", "a[^a]?b"]
"""Without what validators read differently, such as `.` and `\\s`."""
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
_BIG = 2**53
"""From here on floats skip integers."""

scalars = st.sampled_from([None, True, False, *NUMBERS, *STRINGS])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)


# ---- schemas


@dataclass(frozen=True)
class _Place:
    """Where a subschema stands: how much deeper it may go, and what it may refer to."""

    depth: int
    kind: str | None
    """The type that the value is likely to have. Keywords of several types in one schema seldom meet."""
    same: tuple[str, ...]
    """Definitions that may be used for the same value: only later ones, since a schema that is defined as itself means
    nothing."""
    parts: tuple[str, ...]
    """References that may be used for a part of the value: all of them."""

    def aside(self, kind: str) -> _Place:
        """Of a subschema for the same value."""
        return replace(self, depth=self.depth - 1, kind=kind)

    def inside(self, kind: str | None = None) -> _Place:
        """Of a subschema for a part of the value."""
        return _Place(self.depth - 1, kind, self.parts, self.parts)


def schemas(depth: int = 3) -> st.SearchStrategy[Schema]:
    """Schemas, with definitions that may be recursive."""
    return st.sampled_from([0, 0, 1, 2]).flatmap(partial(_documents, depth))


@st.composite
def _documents(draw: st.DrawFn, depth: int, definitions: int) -> Schema:
    names = tuple(f"#/$defs/d{i}" for i in range(definitions))
    place = _Place(depth, None, names, ("#", *names))
    root = draw(_subschemas(place))
    if isinstance(root, bool) or not definitions:
        return root
    places = [replace(place, depth=depth - 1, same=names[i + 1 :]) for i in range(definitions)]
    return {**root, "$defs": {f"d{i}": draw(_subschemas(at)) for i, at in enumerate(places)}}


@st.composite
def _subschemas(draw: st.DrawFn, place: _Place) -> Schema:
    """A schema at a place; the root is rarely a small one."""
    kind = place.kind if place.kind is not None and draw(st.integers(0, 3)) else draw(_kinds)
    if place.depth > 0 and draw(st.integers(0, 9)) >= 4 - place.depth:
        return draw(_bodies(place, kind))
    what = draw(st.integers(0, 9))
    if what == 0:
        return draw(st.sampled_from([True, False, {}]))
    if what > 6 and place.same:
        return {"$ref": draw(st.sampled_from(place.same))}
    return draw(_leaves(kind))


@st.composite
def _leaves(draw: st.DrawFn, kind: str) -> Schema:
    """Schemas without subschemas."""
    what = draw(st.integers(0, 5))
    if what == 0:
        return {"type": draw(st.sampled_from([kind, draw(_types)]))}
    if what == 1:
        return {"type": draw(st.lists(_types, min_size=2, max_size=3, unique=True))}
    if what == 2:
        return draw(st.one_of(_options, values.map(lambda value: {"const": value})))
    names = draw(st.lists(st.sampled_from(sorted(_PLAIN[kind])), min_size=1, max_size=2, unique=True))
    return (draw(_typed(kind)) if draw(st.booleans()) else {}) | {name: draw(_PLAIN[kind][name]) for name in names}


@st.composite
def _bodies(draw: st.DrawFn, place: _Place, kind: str) -> Schema:
    """Keywords of a type, rarely of two, together with those for all types."""
    schema: dict[str, Any] = draw(_typed(kind)) if draw(st.integers(0, 3)) else {}
    for group in [kind] if draw(st.integers(0, 9)) else [kind, draw(_kinds)]:
        choices = {**_PLAIN[group], **{name: make(place) for name, make in _PARTS.get(group, {}).items()}}
        for name in draw(st.lists(st.sampled_from(sorted(choices)), min_size=1, max_size=3, unique=True)):
            schema[name] = draw(choices[name])
    if {"minContains", "maxContains"} & schema.keys() and "contains" not in schema and draw(st.integers(0, 3)):
        schema["contains"] = draw(_subschemas(place.inside()))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        schema |= draw(_combined(place, kind))
    return schema


@st.composite
def _combined(draw: st.DrawFn, place: _Place, kind: str) -> dict[str, Any]:
    """Keywords that speak about the same value."""
    inner, part = _subschemas(place.aside(kind)), _subschemas(place.inside())
    several = st.lists(inner, min_size=1, max_size=3)
    choices: list[Callable[[], dict[str, Any]]] = [
        lambda: {"allOf": draw(several)},
        lambda: {"anyOf": draw(several)},
        lambda: {"oneOf": draw(several)},
        lambda: {"oneOf": [draw(inner), *draw(_alike(inner))]},
        lambda: {"not": draw(inner)},
        lambda: {"if": draw(inner), "then": draw(inner), "else": draw(inner)},
        lambda: {"if": draw(inner), draw(st.sampled_from(["then", "else"])): draw(inner)},
        lambda: draw(_options),
    ]
    if kind == "object":
        choices.append(lambda: {"unevaluatedProperties": draw(part), "anyOf": draw(several)})
    if kind == "array":
        choices.append(lambda: {"unevaluatedItems": draw(part), "anyOf": draw(several)})
        choices.append(lambda: {"contains": draw(part), "minContains": draw(_least)})
        choices.append(lambda: {"contains": draw(part), "maxContains": draw(_most)})
    if place.same:
        choices += [lambda: {"$ref": draw(st.sampled_from(place.same))}] * 2
    return draw(st.sampled_from(choices))()


@st.composite
def _alike(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> list[Schema]:
    """Two schemas, one of which says less."""
    schema = draw(inner)
    return [schema, without_one(random.Random(draw(st.integers(0, 99))), schema)]


def _typed(kind: str) -> st.SearchStrategy[Schema]:
    """`type`, for numbers sometimes a narrower one."""
    return st.sampled_from([kind, "integer"] if kind == "number" else [kind]).map(lambda name: {"type": name})


_types = st.sampled_from(TYPES)
_kinds = st.sampled_from(["object", "object", "array", "array", "string", "number"])
_keys = st.sampled_from(KEYS)
_patterns = st.sampled_from(PATTERNS)
_low, _high = st.sampled_from([n for n in NUMBERS if n < 3]), st.sampled_from([n for n in NUMBERS if n > 0])
_least, _most = st.integers(0, 2), st.integers(0, 3)
_key_lists = st.lists(_keys, min_size=1, max_size=2, unique=True)
_options = st.lists(values, min_size=1, max_size=4, unique_by=json.dumps).map(lambda options: {"enum": options})
_PLAIN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "object": {
        "required": _key_lists,
        "minProperties": _least,
        "maxProperties": _most,
        "dependentRequired": st.dictionaries(_keys, _key_lists, min_size=1, max_size=2),
    },
    "array": {
        "minItems": _least,
        "maxItems": _most,
        "uniqueItems": st.sampled_from([True, True, True, False]),
        "minContains": _least,
        "maxContains": _most,
    },
    "string": {"minLength": _least, "maxLength": _most, "pattern": _patterns},
    "number": {
        "minimum": _low,
        "maximum": _high,
        "exclusiveMinimum": _low,
        "exclusiveMaximum": _high,
        "multipleOf": st.sampled_from([1, 2, 3, 0.5, 1.5, 2.0]),
    },
}
_PARTS: dict[str, dict[str, Callable[[_Place], st.SearchStrategy[Any]]]] = {
    "object": {
        "properties": lambda at: st.dictionaries(_keys, _subschemas(at.inside()), min_size=1, max_size=3),
        "patternProperties": lambda at: st.dictionaries(_patterns, _subschemas(at.inside()), min_size=1, max_size=2),
        "additionalProperties": lambda at: _subschemas(at.inside()),
        "propertyNames": lambda at: _subschemas(at.inside("string")),
        "unevaluatedProperties": lambda at: _subschemas(at.inside()),
        "dependentSchemas": lambda at: st.dictionaries(_keys, _subschemas(at.aside("object")), min_size=1, max_size=2),
    },
    "array": {
        "prefixItems": lambda at: st.lists(_subschemas(at.inside()), min_size=1, max_size=3),
        "items": lambda at: _subschemas(at.inside()),
        "contains": lambda at: _subschemas(at.inside()),
        "unevaluatedItems": lambda at: _subschemas(at.inside()),
    },
}


# ---- instances


def rust(schema: Schema) -> Any:
    """The validator of jsonschema-rs."""
    return pytest.importorskip("jsonschema_rs").Draft202012Validator(schema)


@st.composite
def instances(draw: st.DrawFn, schema: Schema, count: int = 5) -> list[Any]:
    """Values: some valid ones if there are any; some that are invalid for one reason only; others."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    tried = [Near(schema, rng).value(schema, 4) for _ in range(5 * count)]
    judge = rust(schema)
    valid = [value for value in tried if judge.is_valid(value)][:count]
    wrong = [altered(rng, value) for value in valid or tried[:count]]
    return [*valid, *wrong, *tried[:count], *(just_invalid(rng, schema) for _ in range(count)), any_value(rng)]


def just_invalid(rng: random.Random, schema: Schema) -> Any:
    """A value that is valid once a keyword is left out, if one is found."""
    weaker = without_one(rng, schema)
    judge, strict = rust(weaker), rust(schema)
    tried = [Near(weaker, rng).value(weaker, 4) for _ in range(6)]
    found = [value for value in tried if judge.is_valid(value)] or tried
    return next((value for value in found if not strict.is_valid(value)), found[0])


def without_one(rng: random.Random, schema: Schema) -> Schema:
    """A schema without one of its keywords, wherever it stands."""
    weaker: Schema = json.loads(json.dumps(schema))
    keywords = [(parent, name) for parent in _parents(weaker) for name in parent if name != "$defs"]
    if keywords:
        parent, name = rng.choice(keywords)
        del parent[name]
    return weaker


def _parents(schema: Schema) -> Iterator[dict[str, Any]]:
    """A schema and its subschemas, the boolean ones left out."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name, value in schema.items():
        if name in _OF_NAMES:
            inner = list(value.values())
        else:
            inner = value if name in _OF_LISTS else [value] if name in _OF_ONE else []
        for part in inner:
            yield from _parents(part)


_OF_NAMES = {"properties", "patternProperties", "dependentSchemas", "$defs"}
_OF_LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
_OF_ONE = {"not", "if", "then", "else", "items", "contains", "unevaluatedItems", "additionalProperties"}
_OF_ONE |= {"propertyNames", "unevaluatedProperties"}
"""Where subschemas stand."""


def any_value(rng: random.Random, depth: int = 2) -> Any:
    """A value of any kind."""
    kind = rng.choice(TYPES if depth > 0 else TYPES[:5])
    return Near(True, rng).of_type(kind, {}, depth)


def altered(rng: random.Random, value: Any) -> Any:
    """A value with one of its parts replaced, dropped, doubled or moved."""
    if isinstance(value, list) and value and rng.random() < 0.8:
        items, i = list(value), rng.randrange(len(value))
        change = rng.randrange(4)
        if change == 0:
            items[i] = altered(rng, items[i])
        elif change == 1:
            items.insert(rng.randrange(len(items) + 1), items[i])
        elif change == 2:
            items.append(any_value(rng, 1))
        else:
            del items[i]
        return items
    if isinstance(value, dict) and value and rng.random() < 0.8:
        pairs, key = dict(value), rng.choice(list(value))
        change = rng.randrange(4)
        if change == 0:
            pairs[key] = altered(rng, pairs[key])
        elif change == 1:
            del pairs[key]
        elif change == 2:
            pairs[rng.choice(KEYS)] = any_value(rng, 1)
        else:
            pairs = {key: pairs.pop(key), **pairs}
        return pairs
    if type(value) in (int, float) and rng.random() < 0.7:
        return rng.choice([value + 1, value - 0.25, -value, value * 2, float(value)])
    if isinstance(value, str) and rng.random() < 0.7:
        return rng.choice([value + "a", value[1:], value * 2, "b" + value])
    return any_value(rng, 1)


class Near:
    """Values that tend to be valid: one branch of each choice is taken, and what its keywords say is followed."""

    def __init__(self, root: Schema, rng: random.Random) -> None:
        self.root, self.rng = root, rng

    def value(self, schema: Schema, depth: int) -> Any:
        """A value for a schema."""
        rng = self.rng
        if depth <= 0 or isinstance(schema, bool):
            return any_value(rng, min(depth, 1))
        joined = self.joined(schema, 6)
        if "const" in joined and rng.random() < 0.9:
            return joined["const"]
        if "enum" in joined and rng.random() < 0.9:
            return rng.choice(joined["enum"])
        types = joined.get("type", self.suggested(joined))
        return self.of_type(rng.choice([types] if isinstance(types, str) else types), joined, depth)

    def suggested(self, schema: dict[str, Any]) -> list[str]:
        """The types that the keywords of a schema without `type` are about."""
        found = [kind for kind in _PLAIN if any(name in schema for name in {**_PLAIN[kind], **_PARTS.get(kind, {})})]
        return found or TYPES

    def joined(self, schema: Schema, fuel: int) -> dict[str, Any]:
        """The keywords of a schema and of those that it combines, one branch of each choice taken."""
        if isinstance(schema, bool) or fuel <= 0:
            return {}
        rng = self.rng
        parts = list(schema.get("allOf", []))
        parts += [rng.choice(schema[name]) for name in ("anyOf", "oneOf") if name in schema]
        if "$ref" in schema:
            parts.append(self.resolved(schema["$ref"]))
        if "if" in schema:
            parts += [schema["if"], schema.get("then", True)] if rng.random() < 0.5 else [schema.get("else", True)]
        parts += [part for part in schema.get("dependentSchemas", {}).values() if rng.random() < 0.5]
        result = dict(schema)
        for part in parts:
            result = join(result, self.joined(part, fuel - 1))
        return result

    def resolved(self, reference: str) -> Schema:
        """What a reference of these strategies stands for."""
        assert isinstance(self.root, dict)
        found: Schema = self.root if reference == "#" else self.root["$defs"][reference.rpartition("/")[2]]
        return found

    def of_type(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        """A value of a type."""
        rng = self.rng
        if kind == "null":
            return None
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "string":
            return self.string(schema)
        if kind == "array":
            return self.array(schema, depth)
        if kind == "object":
            return self.object(schema, depth)
        return self.number(schema, kind == "integer")

    def string(self, schema: dict[str, Any]) -> str:
        """A string of the right length, or one that the pattern matches, or both."""
        low, high = schema.get("minLength", 0), schema.get("maxLength", 9)
        pattern = re.compile(schema.get("pattern", ""))
        found = [text for text in STRINGS + KEYS if low <= len(text) <= high]
        return self.rng.choice([text for text in found if pattern.search(text)] or found or STRINGS)

    def number(self, schema: dict[str, Any], whole: bool) -> int | float:
        """A number at a bound, or beside it, or a multiple."""
        rng = self.rng
        bounds = [schema[name] for name in _PLAIN["number"] if name in schema and name != "multipleOf"]
        number = rng.choice(bounds) + rng.choice([0, 0, 1, -1, 0.5, 2]) if bounds else rng.choice(NUMBERS)
        step = schema.get("multipleOf")
        if step is not None and rng.random() < 0.8:
            number = step * rng.choice([round(number / step), round(number / step) + 1])
        return int(number) if whole and rng.random() < 0.8 else number

    def array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        """An array of the right length."""
        rng, low = self.rng, max(schema.get("minItems", 0), schema.get("minContains", 0))
        length = rng.choice([low, max(low, min(low + rng.randint(0, 3), schema.get("maxItems", 9)))])
        first = schema.get("prefixItems", [])
        others = [schema[name] for name in ("items", "contains", "unevaluatedItems") if name in schema] or [True]
        kinds = [first[i] if i < len(first) else rng.choice(others) for i in range(length)]
        items = [self.value(kind, depth - 1) for kind in kinds]
        if length > 1 and rng.random() < 0.3:
            items[-1] = altered(rng, items[0]) if rng.random() < 0.3 else items[0]
        if schema.get("uniqueItems") and rng.random() < 0.8:
            items = list({json.dumps(item, sort_keys=True): item for item in items}.values())
        return items

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """An object with the keys that it must have, and some that it may have, in any order."""
        rng = self.rng
        keys = [key for key in schema.get("required", []) if rng.random() < 0.95]
        keys += [key for key in schema.get("properties", {}) if rng.random() < 0.5]
        while len(set(keys)) < schema.get("minProperties", 0) and rng.random() < 0.9:
            keys.append(rng.choice(KEYS))
        keys += [rng.choice(KEYS) for _ in range(3) if rng.random() < 0.3]
        keys += [other for key in keys for other in schema.get("dependentRequired", {}).get(key, [])]
        keys = list(dict.fromkeys(keys))[: schema.get("maxProperties", 9)]
        rng.shuffle(keys)
        return {key: self.value(self.of_key(schema, key), depth - 1) for key in keys}

    def of_key(self, schema: dict[str, Any], key: str) -> Schema:
        """A schema for the value of a key."""
        found = [schema["properties"][key]] if key in schema.get("properties", {}) else []
        found += [kind for pattern, kind in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        if not found:
            found = [schema.get("additionalProperties", schema.get("unevaluatedProperties", True))]
        return found[0] if len(found) == 1 else {"allOf": found}


def join(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Keywords of two schemas at once, as far as is easy."""
    result = {**left, **right}
    for name in ("properties", "patternProperties"):
        if name in left and name in right:
            both = {key: {"allOf": [left[name][key], right[name][key]]} for key in left[name] if key in right[name]}
            result[name] = {**left[name], **right[name], **both}
    if "required" in left and "required" in right:
        result["required"] = left["required"] + right["required"]
    for name in left.keys() & right.keys():
        if name.startswith("min"):
            result[name] = max(left[name], right[name])
        elif name.startswith("max"):
            result[name] = min(left[name], right[name])
    return result


# ---- texts


class Doubled(Exception):
    """A text in which an object has a key twice."""


def spelled(rng: random.Random, value: Any, double: float = 0.0) -> str:
    """A text of a value: white space, escapes and forms of numbers at random. `double`: how often a key comes twice."""
    again = partial(spelled, rng, double=double)
    match value:
        case dict():
            pairs = list(value.items())
            pairs += [(key, rng.choice([item, None])) for key, item in value.items() if rng.random() < double]
            parts = [f"{again(key)}{_space(rng)}:{_space(rng)}{again(item)}" for key, item in pairs]
            return "{" + _joined(rng, parts) + "}"
        case list():
            return "[" + _joined(rng, [again(item) for item in value]) + "]"
        case str():
            return '"' + "".join(_character(rng, char) for char in value) + '"'
        case bool() | None:
            return json.dumps(value)
    return _number(rng, value)


def _space(rng: random.Random) -> str:
    return rng.choice(["", "", "", "", " ", "\n  "])


def _joined(rng: random.Random, parts: Sequence[str]) -> str:
    inside = f"{_space(rng)},{_space(rng)}".join(parts)
    return f"{_space(rng)}{inside}{_space(rng)}"


def _character(rng: random.Random, char: str) -> str:
    plain = json.dumps(char, ensure_ascii=False)[1:-1]
    return plain if rng.random() < 0.8 else json.dumps(char)[1:-1] if ord(char) > 126 else f"\\u{ord(char):04X}"


def _number(rng: random.Random, number: int | float) -> str:
    exact = Decimal(number)
    forms = [json.dumps(number), f"{exact:f}", f"{exact:e}", f"{exact:.2E}"]
    forms += [f"{exact:.1f}"] if exact == exact.to_integral_value() else [f"{exact:f}0"]
    return rng.choice([form for form in forms if Decimal(form) == exact])


def parsed(text: str) -> Any:
    """What a text says. Raises Doubled, or ValueError if it is not JSON."""
    return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Doubled(str([key for key, _ in pairs]))
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def faithful(text: str) -> bool:
    """Whether its numbers and strings come through Python's types, so that validators judge what stands there."""
    numbers: list[str] = []
    try:
        json.loads(text, parse_int=numbers.append, parse_float=numbers.append)
        json.dumps(json.loads(text), ensure_ascii=False).encode()  # lone surrogates
    except (UnicodeEncodeError, RecursionError):
        return False
    return all(map(_as_float, numbers))


def _as_float(number: str) -> bool:
    """Whether a number is what a float of it says."""
    read = float(number)
    try:
        return abs(read) < _BIG and Decimal(repr(read)) == Decimal(number)
    except ArithmeticError:  # an exponent that even Decimal does not hold
        return False


# ---- judges


class Judge:
    """Two validators."""

    def __init__(self, schema: Schema) -> None:
        self.python = pytest.importorskip("jsonschema").Draft202012Validator(for_python(schema))
        self.rust = rust(schema)

    def __call__(self, value: Any) -> bool | None:
        """Whether a value is valid; None if they disagree, which is a bug of one of them."""
        one, other = bool(self.python.is_valid(value)), bool(self.rust.is_valid(value))
        return one if one == other else None


def for_python(schema: Any) -> Any:
    """A schema with its patterns as Python reads them: there, `$` also stands before a line break at the end."""
    match schema:
        case str() if schema in PATTERNS:
            return schema.replace("$", r"\Z")
        case list():
            return [for_python(item) for item in schema]
        case dict():
            return {for_python(key): for_python(item) for key, item in schema.items()}
    return schema
