"""What `constrain demo` shows: prompts that the embedded model continues freely, and under a constraint."""

from __future__ import annotations

from dataclasses import dataclass

from constrain.specs.base import Spec, regex
from constrain.specs.grammars import grammar_file
from constrain.specs.length import length
from constrain.specs.lexical import lexical
from constrain.specs.schema import json_schema


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the demonstration."""

    prompt: str
    """What the model continues."""
    pattern: str
    """The regular expression that the continuation has to match as a whole, unless there is something else."""
    title: str
    """What is asked for, in two or three words."""
    grammar: str = ""
    """The grammar of the library that the continuation has to follow, if any."""
    start: str = "start"
    """Its rule to begin with."""
    schema: str = ""
    """The JSON Schema, as a text, under which the continuation has to be valid, if any."""
    words: tuple[str, ...] = ()
    """Words that the continuation has to hold, one or two whole sentences."""
    beams: int = 0
    """Hypotheses of a beam search; 0 takes the likeliest token at each step."""

    def spec(self) -> Spec:
        """The constraint."""
        if self.schema:
            return json_schema(self.schema)
        if self.words:
            return lexical(self.words, words=True) & length(sentences=(1, 2))
        return grammar_file(self.grammar, self.start) if self.grammar else regex(self.pattern)


_PERSON = """{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 18},
"country": {"enum": ["Denmark", "Norway", "Sweden"]}}, "required": ["name", "age", "country"],
"additionalProperties": false}"""

CASES = (
    Case("The meeting is on ", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "ISO date"),
    Case(
        "Ada Lindqvist lives in Uppsala, Sweden. Her e-mail address is ",
        r"[a-z]+\.[a-z]+@example\.com",
        "e-mail at one domain",
    ),
    Case("The review says: rude service. Sentiment: ", "positive|negative|neutral", "sentiment"),
    Case(
        "Ada Lindqvist is 41 years old and lives in Uppsala. As JSON: ",
        "",
        "JSON object",
        grammar="json",
        start="object",
    ),
    Case(
        "Text: Ada Lindqvist is 41 years old and lives in Uppsala.\nJSON: ", "", "JSON under a schema", schema=_PERSON
    ),
    Case("The book is called The Empty Mountain. ", "", "words in sentences", words=("red", "bicycle"), beams=8),
)
