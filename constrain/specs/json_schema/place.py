"""Where a subschema stands."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from constrain.specs.json_schema.drafts import Draft


class SchemaPlace:
    """A subschema: its contents, and what its references are relative to."""

    __slots__ = ("draft", "key", "pointer", "resolver", "schema")

    def __init__(self, schema: Any, pointer: str, draft: Draft, resolver: Any, key: Hashable) -> None:
        self.schema = schema
        self.pointer = pointer
        """A JSON Pointer to it, for messages; with the address of its document, if that is another one."""
        self.draft = draft
        self.resolver = resolver
        """From `referencing`; None where nothing but the document itself can be meant."""
        self.key = key
        """Places with equal keys mean the same."""
