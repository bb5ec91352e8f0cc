"""The engines that read JSON Schemas, with the same settings where they have the same choice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

from benchmarks.peers import Constrain, Engine, Llguidance, Refused, XGrammar, pretrained


class SchemaEngine(Engine, Protocol):
    """What this benchmark asks of an engine."""

    refusals: tuple[type[Exception], ...]
    """What it raises for a schema that it does not take. Every other exception is a crash."""

    def compile_schema(self, schema: Any) -> Any:
        """A schema to whatever the engine shares between texts."""

    def begin(self, compiled: Any) -> Any:
        """A matcher at the start of a text; the last one of the same schema is not used any more. Not timed."""

    def next_batch(self) -> None:
        """Forget compiled schemas, if the engine would keep all of them; not timed."""


class Plain:
    """What most engines do not do."""

    def next_batch(self) -> None:
        """What is remembered has a limit."""


class SchemaConstrain(Plain, Constrain):
    """This package; one compiler for all schemas."""

    def __init__(self, property_order: str = "schema", whitespace: str = "bounded") -> None:
        self.options: dict[str, Any] = {"property_order": property_order, "whitespace": whitespace}

    def load(self, tokenizer_dir: Path) -> None:
        """As for patterns."""
        import constrain

        super().load(tokenizer_dir)
        self.json_schema, self.refusals = constrain.json_schema, (constrain.ConstrainError,)

    def compile_schema(self, schema: Any) -> Any:
        """Schema to automaton, read anew."""
        return self.compiler.compile(self.json_schema(schema, **self.options))


class SchemaLlguidance(Plain, Llguidance):
    """llguidance, white space as it comes."""

    refusals = (Refused, ValueError)

    def compile_schema(self, schema: Any) -> list[Any]:
        """See `Llguidance.compile_grammar`."""
        grammar = self.matcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": True})
        return [self.checked(grammar), grammar]


class SchemaXGrammar(Plain, XGrammar):
    """xgrammar: any white space, and not what it calls strict, which forbids keys that the schema allows."""

    refusals = (Refused,)

    def load(self, tokenizer_dir: Path) -> None:
        """With a compiler that keeps what it compiled."""
        import xgrammar

        super().load(tokenizer_dir)
        info = xgrammar.TokenizerInfo.from_huggingface(pretrained(tokenizer_dir))
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=os.cpu_count() or 1, cache_enabled=True)

    def compile_schema(self, schema: Any) -> Any:
        """Schema to a compiled grammar."""
        try:
            return self.compiler.compile_json_schema(json.dumps(schema), any_whitespace=True, strict_mode=False)
        except RuntimeError as error:
            raise Refused(str(error)) from error

    def next_batch(self) -> None:
        """Its cache has no limit."""
        self.compiler.clear_cache()


ENGINES: dict[str, type[SchemaConstrain] | type[SchemaLlguidance] | type[SchemaXGrammar]] = {
    engine.name: engine for engine in (SchemaConstrain, SchemaLlguidance, SchemaXGrammar)
}
