"""Where subschemas are, and what references lead to.

Most schemas refer to themselves by JSON Pointers only, which is followed here. Everything else (`$id`, anchors, dynamic
references, other documents) is left to `referencing`. Nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from constrain.errors import SchemaError
from constrain.specs.json_schema.drafts import NEWEST, Draft, draft_of, with_vocabularies
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.syntax import Syntax

if TYPE_CHECKING:
    from referencing import Registry

_NAMING = frozenset(
    ("$ref", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$dynamicRef", "$recursiveRef")
)


class Document:
    """A schema with everything that it refers to."""

    def __init__(self, root: Any, draft: Draft | None, registry: Registry[Any] | None) -> None:
        self._root, self._registry = root, registry
        self._given = draft
        self._metaschemas: dict[str, Draft] = {}
        self.syntax = Syntax()
        naming, repeating = _found_in(root)
        self.has_unique_items = registry is not None or repeating
        """Whether the items of some array may have to differ."""
        self._plain = registry is None and not naming
        own = self._draft(root, draft or NEWEST, "")
        if not self._plain:  # what gives names is read without looking at them
            self.syntax.check(SchemaPlace(root, "", own, None, id(root)))
        resolver = None if self._plain else self._resolver(own)
        self.root = self._at(root, "", own, resolver)

    def child(self, place: SchemaPlace, *path: str | int) -> SchemaPlace:
        """The subschema at a path below another one."""
        schema = place.schema
        for step in path:
            schema = schema[step]
        return self._at(schema, place.pointer + _pointer(path), place.draft, place.resolver)

    def target(self, place: SchemaPlace, keyword: str, reference: Any) -> SchemaPlace:
        """What a reference leads to. Raises SchemaError if it leads nowhere."""
        if not isinstance(reference, str):
            raise SchemaError(f"{keyword} is {reference!r:.60}, not a string", pointer=place.pointer, keyword=keyword)
        if place.resolver is None and (not reference or reference.startswith("#")):
            found = _follow(self._root, unquote(reference[1:]))
            if found is not _NOWHERE:
                return self._at(found, unquote(reference[1:]), place.draft, None)
            raise _unresolved(place.pointer, keyword, reference)
        return self._lookup(place, keyword, reference)

    def check_reference(self, reference: str, pointer: str) -> None:
        """Raise SchemaError if a reference by JSON Pointer leads nowhere."""
        if self._plain and _follow(self._root, unquote(reference[1:])) is _NOWHERE:
            raise _unresolved(pointer, "$ref", reference)

    def _lookup(self, place: SchemaPlace, keyword: str, reference: str) -> SchemaPlace:
        import referencing.exceptions
        import referencing.jsonschema

        resolver = place.resolver or self._resolver(place.draft)
        try:
            if keyword == "$recursiveRef":
                resolved = referencing.jsonschema.lookup_recursive_ref(resolver)
            else:
                resolved = resolver.lookup(reference)
        except (referencing.exceptions.Unresolvable, LookupError, ValueError, TypeError, AttributeError):
            raise _unresolved(place.pointer, keyword, reference) from None
        own = resolved.resolver._base_uri
        fragment = reference.partition("#")[2]
        pointer = unquote(fragment) if fragment.startswith("/") else ""
        draft = place.draft
        if own != resolver._base_uri:
            whole = resolved.resolver.lookup("#").contents
            draft = self._draft(whole, self._given or NEWEST, own)
        return self._at(resolved.contents, f"{own}#{pointer}" if own else pointer, draft, resolved.resolver, True)

    def _at(self, schema: Any, pointer: str, draft: Draft, resolver: Any, is_target: bool = False) -> SchemaPlace:
        key: Hashable = id(schema) if not isinstance(schema, bool) else (schema,)
        if resolver is not None and isinstance(schema, Mapping):
            if draft.id_keyword in schema or "$schema" in schema:
                draft = self._draft(schema, draft, pointer)
            if isinstance(schema.get(draft.id_keyword), str) and not is_target:  # a target's resolver knows its $id
                resolver = resolver.in_subresource(_resource(schema, draft))
            scope = dict.fromkeys(uri for uri, _ in resolver.dynamic_scope())
            key = (id(schema), resolver._base_uri, tuple(scope))
        return SchemaPlace(schema, pointer, draft, resolver, key)

    def _draft(self, schema: Any, default: Draft, pointer: str) -> Draft:
        """The draft of a document."""
        uri = schema.get("$schema") if isinstance(schema, Mapping) else None
        if uri is None:
            return default
        if not isinstance(uri, str):
            raise SchemaError(f"$schema is {uri!r:.60}, not a string", pointer=pointer, keyword="$schema")
        known = draft_of(uri) or self._metaschemas.get(uri)
        if known is None:
            known = self._metaschemas[uri] = self._by_metaschema(uri, default, pointer)
        return known

    def _by_metaschema(self, uri: str, default: Draft, pointer: str) -> Draft:
        """The draft that a metaschema of the registry describes, with its vocabularies."""
        metaschema = None if self._registry is None else self._registry.get(uri.rstrip("#"))
        if metaschema is None:
            if self._given is not None:
                return self._given
            raise SchemaError(
                f"$schema names {uri!r:.80}, which is not a draft of JSON Schema",
                pointer=pointer,
                keyword="$schema",
                hint="drafts 4, 6, 7, 2019-09 and 2020-12 are supported; put your metaschema into the registry, or "
                "pass draft='2020-12'",
            )
        contents = metaschema.contents
        base = draft_of(str(contents.get("$schema", ""))) or default
        if not isinstance(contents.get("$vocabulary"), Mapping):
            return base
        draft, unknown = with_vocabularies(base, contents["$vocabulary"])
        if unknown:
            raise SchemaError(
                f"the vocabulary {unknown[0]!r} of {uri} is required, and unknown", pointer=pointer, keyword="$schema"
            )
        return draft

    def _resolver(self, draft: Draft) -> Any:
        from jsonschema_specifications import REGISTRY

        registry: Registry[Any] = REGISTRY if self._registry is None else REGISTRY.combine(self._registry)
        resource = _resource(self._root, draft)
        own = resource.id() or ""
        return registry.with_resource(own, resource).resolver(own)


def _resource(schema: Any, draft: Draft) -> Any:
    from referencing.jsonschema import specification_with

    return specification_with(draft.uri).create_resource(schema)


def _found_in(schema: Any) -> tuple[bool, bool]:
    """Whether anything in a schema gives a name, or refers to one, other than by a pointer into the schema; whether
    `uniqueItems` is anywhere.

    The name of the whole is of no use to such pointers.
    """
    if isinstance(schema, dict) and all(isinstance(schema.get(name, ""), str) for name in ("$id", "id")):
        schema = {name: part for name, part in schema.items() if name not in ("$id", "id")}
    naming = repeating = False
    todo = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            naming = naming or (not _NAMING.isdisjoint(part) and _has_name(part))
            repeating = repeating or part.get("uniqueItems") is True
            todo += part.values()
        elif isinstance(part, list):
            todo += part
    return naming, repeating


def _has_name(part: dict[str, Any]) -> bool:
    reference = part.get("$ref")
    if isinstance(reference, str) and not (reference.startswith("#/") or reference in ("#", "")):
        return True
    return any(name != "$ref" and isinstance(part.get(name), str | bool) for name in _NAMING)


_NOWHERE = object()


def _follow(schema: Any, pointer: str) -> Any:
    """What a JSON Pointer leads to (RFC 6901)."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and step in schema:
            schema = schema[step]
        elif isinstance(schema, list) and step.isdecimal() and int(step) < len(schema):
            schema = schema[int(step)]
        else:
            return _NOWHERE
    return schema


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join([f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path])


def _unresolved(pointer: str, keyword: str, reference: str) -> SchemaError:
    return SchemaError(
        f"{keyword} {reference!r:.120} leads nowhere",
        pointer=pointer,
        keyword=keyword,
        hint="references into the schema are followed, others only into the registry: "
        "json_schema(schema, registry=referencing.Registry(...)); nothing is fetched",
    )
