"""What each keyword means: from subschemas to sets of values.

A subschema is read when a formula that holds it is looked at, and no deeper than its own keywords: what it asks of the
items of arrays and the members of objects stays a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal

from constrain.errors import GrammarSyntaxError, SchemaError, UnsupportedError
from constrain.ir.expr import Expr
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.json_schema import numbers, strings, values
from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.drafts import (
    ANNOTATIONS,
    ARRAY_KEYWORDS,
    NUMBER_KEYWORDS,
    OBJECT_KEYWORDS,
    STRING_KEYWORDS,
)
from constrain.specs.json_schema.formats import format_expr
from constrain.specs.json_schema.formulas import FALSE, TRUE, Every, Formulas, Leaf
from constrain.specs.json_schema.numbers import NumberSet
from constrain.specs.json_schema.patterns import pattern
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.values import Algebra, ArraySet, Contains, ObjectSet, Values

Formats = Literal["assert", "annotation"]

_SHORT = 4
"""Keywords of subschemas that are compared by what they say."""
_REFERENCE = ANNOTATIONS - {"$schema", "$vocabulary"} | {"$ref"}


class CircularSchema(SchemaError):
    """A subschema that is needed to read itself."""


class Reader:
    """The subschemas of one document as formulas, and the values of formulas."""

    def __init__(self, document: Document, languages: Languages, formats: Formats, limits: Limits) -> None:
        self.document, self._languages, self._formats, self.limits = document, languages, formats, limits
        self.formulas = Formulas()
        self.algebra = Algebra(self.formulas, languages, limits)
        self._values: dict[int, Values | None] = {TRUE: values.ALL, FALSE: values.NONE}
        self._literals: list[Values] = []
        self.evaluated: Callable[[SchemaPlace], Values] | None = None
        """The values of subschemas with `unevaluated..` keywords, see `unevaluated.Evaluation`."""
        self.root = self.subschema(document.root)

    # --------------------------------------------------------------------------------------------- formulas

    def subschema(self, place: SchemaPlace) -> int:
        """The formula of a subschema. Raises SchemaError if it is malformed anywhere."""
        place = self._referred(place)
        if place.schema is True or place.schema == {}:
            return TRUE
        if place.schema is False:
            return FALSE
        self.document.syntax.check(place)
        return self.formulas.leaf(_content(place) or place.key, place)

    def _referred(self, place: SchemaPlace) -> SchemaPlace:
        """What a subschema that only refers to another one stands for, so that both are one formula."""
        first, seen = place, set[Hashable]()
        while isinstance(place.schema, dict) and _REFERENCE >= place.schema.keys() >= {"$ref"}:
            if place.key in seen:
                return first  # a circle, to be noticed when it is read
            seen.add(place.key)
            place = self.document.target(place, "$ref", place.schema["$ref"])
        return place

    def child(self, place: SchemaPlace, *path: str | int) -> int:
        """The formula of a subschema at a path below another one."""
        return self.subschema(self.document.child(place, *path))

    def literal(self, meant: Values) -> int:
        """The formula of values that are known."""
        self._literals.append(meant)  # so that its identity stays its own
        return self.formulas.leaf(("values", id(meant)), meant)

    def constant(self, value: Any) -> int:
        """The formula of one JSON value."""
        return self.formulas.leaf(("constant", _canonical(value)), ("constant", value))

    def values(self, formula: int) -> Values:
        """The values that a formula stands for. Raises SchemaError if it refers to nothing but itself."""
        known = self._values.get(formula, values.NONE)
        if known is None:
            raise self._circular(formula)
        if formula not in self._values:
            self._values[formula] = None
            try:
                known = self._values[formula] = self._work_out(formula)
            finally:
                if self._values[formula] is None:
                    del self._values[formula]
        return known

    def _work_out(self, formula: int) -> Values:
        node = self.formulas[formula]
        if isinstance(node, Leaf):
            if node.negated:
                return self.algebra.complement(self.values(self.formulas.negate(formula)))
            if isinstance(node.content, Values):
                return node.content
            return self._constant(node.content[1]) if isinstance(node.content, tuple) else self._read(node.content)
        parts = [self.values(part) for part in sorted(node.parts)]
        joined = parts[0]
        for part in parts[1:]:
            joined = (
                self.algebra.intersect(joined, part) if isinstance(node, Every) else self.algebra.unite(joined, part)
            )
        return joined

    def _circular(self, formula: int) -> CircularSchema:
        node = self.formulas[formula]
        place = node.content if isinstance(node, Leaf) and isinstance(node.content, SchemaPlace) else self.document.root
        return CircularSchema(
            "this schema is defined by itself alone: its references lead back to it without going into an item or a "
            "property",
            pointer=place.pointer,
            keyword="$ref",
        )

    def _constant(self, value: Any) -> Values:
        """The one value."""
        if value is None:
            return Values(null=True)
        if isinstance(value, bool):
            return Values(booleans=frozenset((value,)))
        if isinstance(value, str):
            return Values(strings=strings.words([value]))
        if isinstance(value, list):
            n = len(value)
            return Values(arrays=(ArraySet(tuple([self.constant(item) for item in value]), FALSE, n, n),))
        if isinstance(value, dict):
            properties = {name: self.constant(item) for name, item in value.items()}
            others = ((StringSet(but=frozenset(value)), FALSE),)
            return Values(objects=(ObjectSet(properties, tuple(value), others, frozenset(value), low=len(value)),))
        return Values(numbers=numbers.exactly(value))

    # -------------------------------------------------------------------------------------------- subschemas

    def _read(self, place: SchemaPlace) -> Values:
        schema = place.schema
        if "unevaluatedProperties" in schema or "unevaluatedItems" in schema:
            keywords = self.keywords(place)
            if "unevaluatedProperties" in keywords or "unevaluatedItems" in keywords:
                assert self.evaluated is not None
                return self.evaluated(place)
        meant = self.assertions(place)
        for part in self.applied(place):
            meant = self.algebra.intersect(meant, self.values(part))
        return meant

    def keywords(self, place: SchemaPlace) -> Mapping[str, Any]:
        """The keywords that count."""
        schema, known = place.schema, place.draft.keywords
        if place.draft.lone_ref and "$ref" in schema:
            return {"$ref": schema["$ref"]}
        return {name: value for name, value in schema.items() if name in known}

    def assertions(self, place: SchemaPlace) -> Values:
        """What the keywords say that look at a value and its members, `unevaluated..` left out."""
        keywords = self.keywords(place)
        types = keywords.get("type", ())
        types = (types,) if isinstance(types, str) else types
        if not types and not keywords.keys() & _ASSERTIONS:
            return values.ALL
        every = not types
        number = numbers.ALL if every or "number" in types else numbers.INTEGERS if "integer" in types else numbers.NONE
        meant = Values(
            every or "null" in types,
            values.BOTH if every or "boolean" in types else frozenset(),
            self._numbers(number, keywords, place) if number else number,
            self._strings(keywords, place) if every or "string" in types else strings.NONE,
            self._arrays(keywords, place) if every or "array" in types else (),
            self._objects(keywords, place) if every or "object" in types else (),
        )
        if "enum" in keywords:
            meant = self._among(meant, keywords["enum"])
        if "const" in keywords:
            meant = self._among(meant, [keywords["const"]])
        return meant

    def _among(self, meant: Values, constants: list[Any]) -> Values:
        """Those that are among some constants, which are united at once."""
        listed = [self._constant(value) for value in constants if isinstance(value, list | dict)]
        some = [value for value in constants if not isinstance(value, bool | str | list | dict) and value is not None]
        among = Values(
            None in constants,
            frozenset(value for value in constants if isinstance(value, bool)),
            numbers.unite(*map(numbers.exactly, some)),
            strings.words([value for value in constants if isinstance(value, str)]),
        )
        arrays = tuple([array for one in listed for array in one.arrays])
        objects = tuple([each for one in listed for each in one.objects])
        if listed:
            among = self.algebra.unite(among, Values(arrays=arrays, objects=objects))
        return self.algebra.intersect(meant, among)

    def _numbers(self, known: NumberSet, keywords: Mapping[str, Any], place: SchemaPlace) -> NumberSet:
        return number_set(known, keywords, place.draft.boolean_bounds)

    def _strings(self, keywords: Mapping[str, Any], place: SchemaPlace) -> StringSet:
        matching = self._pattern(keywords["pattern"], place, "pattern") if "pattern" in keywords else None
        return string_set(keywords, matching, self._formats)

    def _pattern(self, text: str, place: SchemaPlace, keyword: str) -> Any:
        return _pattern_at(text, place.pointer, keyword)

    def check_all(self) -> None:
        """Raise for patterns and references that are wrong anywhere, whether or not generation gets there."""
        syntax, document = self.document.syntax, self.document
        for text, pointer, keyword in syntax.patterns:
            _pattern_at(text, pointer, keyword)
        for reference, pointer in syntax.references:
            document.check_reference(reference, pointer)

    def _arrays(self, keywords: Mapping[str, Any], place: SchemaPlace) -> tuple[ArraySet, ...]:
        if not keywords.keys() & ARRAY_KEYWORDS:
            return (ArraySet(),)
        first, rest = "prefixItems", "items"
        if place.draft.old_items and isinstance(keywords.get("items"), list):
            first, rest = "items", "additionalItems"
        prefix = tuple([self.child(place, first, i) for i in range(len(keywords.get(first, ())))])
        others = self.child(place, rest) if rest in keywords and not (rest == first) else TRUE
        low, high = int(keywords.get("minItems", 0)), keywords.get("maxItems")
        contains: tuple[Contains, ...] = ()
        if "contains" in keywords:
            fewest, most = int(keywords.get("minContains", 1)), keywords.get("maxContains")
            if fewest or most is not None:
                some = Contains(self.child(place, "contains"), 0, fewest, None if most is None else int(most))
                contains, low = (some,), max(low, fewest)
                if some.high is not None and some.high < fewest:
                    return ()
                if some.formula == FALSE and fewest:
                    return ()
        found = ArraySet(
            prefix, others, low, None if high is None else int(high), contains, keywords.get("uniqueItems") is True
        )
        return self.algebra._arrays((found,), (ArraySet(),))

    def _objects(self, keywords: Mapping[str, Any], place: SchemaPlace) -> tuple[ObjectSet, ...]:
        if not keywords.keys() & OBJECT_KEYWORDS:
            return (ObjectSet(),)
        properties = {name: self.child(place, "properties", name) for name in keywords.get("properties", ())}
        patterns = [
            (
                strings.language(self._pattern(text, place, "patternProperties")),
                self.child(place, "patternProperties", text),
            )
            for text in keywords.get("patternProperties", ())
        ]
        if "additionalProperties" in keywords:
            others = self.child(place, "additionalProperties")
            if others != TRUE:
                patterns.append((self.other_names(properties, [names for names, _ in patterns]), others))
        if "propertyNames" in keywords:
            allowed = self.child(place, "propertyNames")
            if allowed != TRUE:
                patterns.append((StringSet(of=((allowed, True),)), FALSE))
        required = keywords.get("required", ())
        required = frozenset(required) if isinstance(required, list) else frozenset()
        low, high = int(keywords.get("minProperties", 0)), keywords.get("maxProperties")
        found = ObjectSet(
            properties,
            tuple(properties),
            tuple((names, formula) for names, formula in patterns if formula != TRUE),
            required,
            low=max(low, len(required)),
            high=None if high is None else int(high),
        )
        return self.algebra._objects((found,), (ObjectSet(),))

    def other_names(self, names: Mapping[str, int], patterns: list[StringSet]) -> StringSet:
        """The names that are not listed, and in none of the sets."""
        others = StringSet(but=frozenset(names))
        for known in patterns:
            others = strings.intersect(others, strings.complement(known), self._languages)
        return others

    def evaluated_names(self, place: SchemaPlace) -> StringSet:
        """The names of members that a subschema's own keywords evaluate, `unevaluatedProperties` left out."""
        keywords = self.keywords(place)
        if "additionalProperties" in keywords:
            return strings.ALL
        found = strings.words(keywords.get("properties", ()))
        for text in keywords.get("patternProperties", ()):
            found = strings.unite(found, strings.language(self._pattern(text, place, "patternProperties")))
        return found

    # --------------------------------------------------------------------------------- applicators in place

    def applied(self, place: SchemaPlace) -> list[int]:
        """What the keywords say that apply other schemas to the value itself."""
        keywords, found = self.keywords(place), []
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in keywords:
                found.append(self.subschema(self.document.target(place, keyword, keywords[keyword])))
        found += [self.child(place, "allOf", i) for i in range(len(keywords.get("allOf", ())))]
        if "anyOf" in keywords:
            found.append(self.formulas.some(self.children(place, "anyOf")))
        if "oneOf" in keywords:
            parts = self.children(place, "oneOf")
            found.append(self.formulas.some([self.only(parts, i) for i in range(len(parts))]))
        if "not" in keywords:
            found.append(self.formulas.negate(self.child(place, "not")))
        if "if" in keywords and ("then" in keywords or "else" in keywords):
            found.append(self._conditional(place, keywords))
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name in keywords.get(keyword, ()):
                found.append(self._dependent(place, keyword, name))
        return found

    def children(self, place: SchemaPlace, keyword: str) -> list[int]:
        """The formulas of the subschemas of a list."""
        return [self.child(place, keyword, i) for i in range(len(place.schema[keyword]))]

    def only(self, parts: list[int], index: int) -> int:
        """The values in one of some formulas, and in none of the others."""
        chosen = parts[index]
        others = [
            self.formulas.negate(part)
            for i, part in enumerate(parts)
            if i != index and not self._are_disjoint(chosen, part)
        ]
        return self.formulas.every([chosen, *others])

    def _conditional(self, place: SchemaPlace, keywords: Mapping[str, Any]) -> int:
        condition = self.child(place, "if")
        then = self.child(place, "then") if "then" in keywords else TRUE
        other = self.child(place, "else") if "else" in keywords else TRUE
        every, negation = self.formulas.every, self.formulas.negate(condition)
        return self.formulas.some([every([condition, then]), every([negation, other])])

    def _dependent(self, place: SchemaPlace, keyword: str, name: str) -> int:
        wanted = place.schema[keyword][name]
        if isinstance(wanted, list):
            needed = frozenset([name, *wanted])
            has = self.literal(values.with_objects(ObjectSet(required=needed, low=len(needed))))
            return self.formulas.some([self.lacking(name), has])
        return self.formulas.some([self.lacking(name), self.child(place, keyword, name)])

    def lacking(self, name: str) -> int:
        """The values that are no objects with a member of that name."""
        return self.literal(values.with_objects(ObjectSet({name: FALSE})))

    def having(self, name: str) -> int:
        """The objects with a member of that name."""
        return self.literal(Values(objects=(ObjectSet(required=frozenset((name,)), low=1),)))

    # --------------------------------------------------------------------------------------------- disjoint

    def _are_disjoint(self, a: int, b: int) -> bool:
        """Whether it is clear at a glance that no value is in both."""
        return self.algebra.are_disjoint(self.values(a), self.values(b), self.is_clearly_empty)

    def is_clearly_empty(self, formula: int, depth: int = 2) -> bool:
        """Whether it is clear without looking deeper than `depth` levels that there is no value in a formula."""
        if formula in (TRUE, FALSE):
            return formula == FALSE
        node = self.formulas[formula]
        if isinstance(node, Leaf) and not isinstance(node.content, Values):
            return False
        try:
            return depth > 0 and is_void(self.values(formula), self, depth - 1)
        except CircularSchema:  # it holds what is just being read
            return False


def number_set(known: NumberSet, keywords: Mapping[str, Any], boolean_bounds: bool) -> NumberSet:
    """Those of some numbers that meet the keywords about numbers."""
    if not keywords.keys() & NUMBER_KEYWORDS:
        return known
    low, high = keywords.get("minimum"), keywords.get("maximum")
    above, below = keywords.get("exclusiveMinimum"), keywords.get("exclusiveMaximum")
    if boolean_bounds:
        above, low = (low, None) if above is True else (None, low)
        below, high = (high, None) if below is True else (None, high)
    for bound, is_low, is_open in ((low, 1, 0), (above, 1, 1), (high, 0, 0), (below, 0, 1)):
        if bound is not None:
            known = numbers.intersect(known, numbers.bounded(bound, bool(is_low), bool(is_open)))
    if "multipleOf" in keywords:
        known = numbers.intersect(known, numbers.multiples_of(keywords["multipleOf"]))
    return known


def string_set(keywords: Mapping[str, Any], matching: Expr | None, formats: Formats) -> StringSet:
    """The strings that meet the keywords about strings; those that `pattern` matches are given."""
    if not keywords.keys() & STRING_KEYWORDS:
        return strings.ALL
    parts = [] if matching is None else [matching]
    if "format" in keywords and formats == "assert":
        known = format_expr(keywords["format"])
        parts += [] if known is None else [known]
    low, high = int(keywords.get("minLength", 0)), keywords.get("maxLength")
    if high is not None and high < low:
        return strings.NONE
    for fewest, most in map(strings.span, parts if low or high is not None else ()):
        # a bound that a pattern keeps anyway is a count for nothing
        low = 0 if low <= fewest else low
        high = None if high is None or (most is not None and most <= high) else high
    if low or high is not None:
        parts.append(strings.of_length(low, None if high is None else int(high)))
    return StringSet(parts=tuple(parts))


def _pattern_at(text: str, pointer: str, keyword: str) -> Expr:
    try:
        return pattern(text)
    except UnsupportedError as error:
        raise UnsupportedError(f"{pointer or '#'}: {error}") from None
    except GrammarSyntaxError as error:
        raise SchemaError(str(error), pointer=pointer, keyword=keyword) from None


def is_void(meant: Values, reader: Reader, depth: int = 1) -> bool:
    """Whether it is clear without looking deep that there are no such values."""
    languages = reader.algebra.languages
    if meant.null or meant.booleans or meant.numbers or not meant.strings.is_empty(languages):
        return False
    if any(not any(reader.is_clearly_empty(a.at(i), depth) for i in range(min(a.low, 8))) for a in meant.arrays):
        return False
    return all(
        any(reader.is_clearly_empty(each.properties.get(name, TRUE), depth) for name in each.required)
        for each in meant.objects
    )


_ASSERTIONS = OBJECT_KEYWORDS | ARRAY_KEYWORDS | STRING_KEYWORDS | NUMBER_KEYWORDS | {"enum", "const"}


def _content(place: SchemaPlace) -> Hashable:
    """A key that short subschemas share which say the same, so that they are one formula; None for others."""
    schema = place.schema
    if (
        place.resolver is not None
        or len(schema) > _SHORT
        or not all(type(said) in (str, int) for said in schema.values())
    ):
        return None
    return None if "$ref" in schema else ("says", place.draft.name, tuple(sorted(schema.items())))


def _canonical(value: Any) -> Any:
    """A key that equal JSON values share, and no others."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value), value
    if isinstance(value, list):
        return list, tuple([_canonical(item) for item in value])
    if isinstance(value, dict):
        return dict, frozenset((name, _canonical(item)) for name, item in value.items())
    return float, numbers.exact(value)
