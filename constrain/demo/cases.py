"""What `constrain demo` shows: prompts that the embedded model continues freely, and under a constraint."""

from __future__ import annotations

from dataclasses import dataclass

from constrain.spec import Spec, grammar_file, regex


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the demonstration."""

    prompt: str
    """What the model continues."""
    pattern: str
    """The regular expression that the continuation has to match as a whole; "" if there is a grammar instead."""
    title: str
    """What is asked for, in two or three words."""
    grammar: str = ""
    """The grammar of the library that the continuation has to follow, if any."""
    start: str = "start"
    """Its rule to begin with."""

    def spec(self) -> Spec:
        """The constraint."""
        return grammar_file(self.grammar, self.start) if self.grammar else regex(self.pattern)


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
)
