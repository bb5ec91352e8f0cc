"""The engines that read JSON Schemas, each with as much white space as it can take, but for this package."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.peers import (
    Constrain,
    Engine,
    Llguidance,
    Masked,
    OutlinesCore,
    Refused,
    XGrammar,
    pretrained,
    token_bytes,
)


class SchemaEngine(Engine, Protocol):
    """What the benchmark asks of an engine."""

    refusals: tuple[type[Exception], ...]
    """What it raises for a schema that it does not take. Every other exception is a crash."""

    def compile_schema(self, schema: Any) -> Any:
        """A schema to whatever the engine shares between texts."""

    def begin(self, compiled: Any) -> Any:
        """A matcher at the start of a text; the last one of the same schema is not used any more. Not timed."""


class SchemaConstrain(Constrain):
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


class SchemaLlguidance(Llguidance):
    """llguidance, white space as it comes."""

    refusals = (Refused, ValueError)

    def compile_schema(self, schema: Any) -> list[Any]:
        """See `Llguidance.compile_grammar`."""
        grammar = self.matcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": True})
        return [self.checked(grammar), grammar]


class SchemaXGrammar(XGrammar):
    """xgrammar as it is: what it calls strict forbids keys that the schema allows."""

    refusals = (Refused,)
    strict, dynamic = True, False
    cache_bytes = 1 << 30

    def load(self, tokenizer_dir: Path) -> None:
        """With a compiler that keeps what it compiled."""
        import xgrammar

        super().load(tokenizer_dir)
        info = xgrammar.TokenizerInfo.from_huggingface(pretrained(tokenizer_dir))
        threads = os.cpu_count() or 1
        self.compiler = xgrammar.GrammarCompiler(
            info,
            max_threads=threads,
            cache_limit_bytes=self.cache_bytes,
            enable_dynamic_compilation=self.dynamic,
        )

    def compile_schema(self, schema: Any) -> Any:
        """Schema to a compiled grammar."""
        try:
            return self.compiler.compile_json_schema(json.dumps(schema), any_whitespace=True, strict_mode=self.strict)
        except RuntimeError as error:
            raise Refused(str(error)) from error


class SchemaXGrammarAny(SchemaXGrammar):
    """xgrammar, not strict: keys that the schema allows are allowed."""

    name, strict = "xgrammar-any", False


class SchemaXGrammarDynamic(SchemaXGrammarAny):
    """xgrammar, not strict, most of each mask computed when it is asked for."""

    name, dynamic = "xgrammar-dynamic", True


class SchemaOutlinesCore(OutlinesCore):
    """outlines-core: a regular expression made of the schema, an index of all its states before the first mask."""

    refusals = (Refused, ValueError)

    def compile_schema(self, schema: Any) -> Any:
        """Schema to index."""
        from outlines_core.json_schema import build_regex_from_schema

        return self.index(build_regex_from_schema(json.dumps(schema)), self.vocabulary)

    def begin(self, compiled: Any) -> Any:
        """A new guide through the index."""
        return self.guide(compiled)


class SchemaGlrmask(Masked):
    """glrmask: an LR parser whose masks are computed when a grammar is compiled, as far as it chooses to."""

    name = package = "glrmask"
    refusals = (ValueError,)

    def load(self, tokenizer_dir: Path) -> None:
        """Hand over every token that spells bytes; end-of-sequence tokens are not its business."""
        import glrmask

        tokenizer = pretrained(tokenizer_dir)
        self.grammar, self.eos = glrmask.Grammar, tokenizer.eos_token_id
        self.vocabulary = glrmask.Vocab.from_id_to_bytes(token_bytes(tokenizer))
        self.allocate(len(tokenizer))

    def compile_schema(self, schema: Any) -> Any:
        """Schema to constraint."""
        return self.grammar.from_json_schema(schema).compile(self.vocabulary)

    def begin(self, compiled: Any) -> Any:
        """A new state."""
        return compiled.start()

    def fill(self, matcher: Any) -> None:
        """The documented call, and the end-of-sequence token where the text may end."""
        matcher.fill_mask(self.mask[0])
        if matcher.is_accepting():
            self.mask.view(np.uint32)[0, self.eos >> 5] |= np.uint32(1 << (self.eos & 31))

    def commit(self, matcher: Any, token: int) -> bool:
        """The documented call."""
        return bool(matcher.is_accepting() if token == self.eos else matcher.commit_token(token))


class Nothing(Masked):
    """Does nothing: what is measured of it is the benchmark itself."""

    name, package = "nothing", "numpy"
    refusals = ()

    def load(self, tokenizer_dir: Path) -> None:
        """A mask that allows everything."""
        self.allocate(len(pretrained(tokenizer_dir)))
        self.mask.fill(-1)

    def compile_schema(self, schema: Any) -> Any:
        """No work."""
        return schema

    def begin(self, compiled: Any) -> Any:
        """No work."""
        return compiled

    def fill(self, matcher: Any) -> None:
        """No work."""

    def commit(self, matcher: Any, token: int) -> bool:
        """No work."""
        return True


ENGINES: dict[str, type[Any]] = {
    engine.name: engine
    for engine in (
        SchemaConstrain,
        SchemaLlguidance,
        SchemaXGrammar,
        SchemaXGrammarAny,
        SchemaXGrammarDynamic,
        SchemaGlrmask,
        SchemaOutlinesCore,
        Nothing,
    )
}


def made(name: str, options: dict[str, Any]) -> SchemaEngine:
    """An engine; the options are for this package."""
    return SchemaConstrain(**options) if name == SchemaConstrain.name else ENGINES[name]()


def installed(name: str) -> bool:
    """Whether the package behind an engine can be imported."""
    return find_spec(ENGINES[name].package) is not None
