"""What `constrain demo` shows: prompts that the embedded model continues freely, and under a pattern."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the demonstration."""

    prompt: str
    """What the model continues."""
    pattern: str
    """The regular expression that the continuation has to match as a whole."""
    title: str
    """What is asked for, in two or three words."""


CASES = (
    Case("The meeting is on ", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "ISO date"),
    Case(
        "Ada Lindqvist lives in Uppsala, Sweden. Her e-mail address is ",
        r"[a-z]+\.[a-z]+@example\.com",
        "e-mail at one domain",
    ),
    Case("The review says: rude service. Sentiment: ", "positive|negative|neutral", "sentiment"),
)
