"""The three tasks of the paper on JSONSchemaBench: GSM8K, last letters, shuffled objects.

Its repository has no code for them. They are written anew here, with prompts and examples of our own, so numbers are
comparable between the engines of one run, not with the paper's.

An answer is read off a text exactly: the member "answer" of a JSON object; or, from free text, what stands after the
last "Answer:", and without that the last number, word or option.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

MARKER = "Answer:"
_NUMBER = re.compile(r"(?:(?<![\w.])-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+")
_OPTION = re.compile(r"\(([A-Z])\)")


@dataclass(frozen=True)
class Question:
    """An item of a task."""

    id: str
    split: str
    """The task."""
    text: str
    expected: str
    options: tuple[str, ...] = ()
    """What there is to choose from; the answer is a letter then."""


@dataclass(frozen=True)
class Example:
    """A question with an answer and the way to it."""

    question: str
    reasoning: str
    answer: Any


@dataclass(frozen=True)
class Task:
    """What is asked, what an answer looks like, and which answers are the same."""

    name: str
    direction: str
    schema: Callable[[Question], dict[str, Any]]
    """Of the answer alone."""
    read: Callable[[str], str | None]
    """The answer in free text."""
    same: Callable[[str, str], bool]
    """Whether an answer is the expected one."""
    examples: tuple[Example, ...]

    def is_correct(self, answer: str | None, question: Question) -> bool:
        """Whether an answer that was read is right. An option may be named by its letter or by its words."""
        if answer is None:
            return False
        if question.options:
            return lettered(answer, question.options) == lettered(question.expected, question.options)
        return self.same(answer, question.expected)


def answer_schema(task: Task, question: Question) -> dict[str, Any]:
    """An object with the answer alone."""
    return _object({"answer": task.schema(question)})


def reasoning_schema(task: Task, question: Question) -> dict[str, Any]:
    """An object with the reasoning, and the answer after it."""
    return _object({"reasoning": {"type": "string"}, "answer": task.schema(question)})


def _object(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


# Reading answers


def read_json(text: str) -> str | None:
    """The answer in a JSON object, numbers as they are written; None if it has none.

    >>> read_json('{"reasoning": "...", "answer": 12.50}'), read_json('{"answer": "ab'), read_json("[1]")
    ('12.50', None, None)
    """
    try:
        value = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    answer = value.get("answer") if isinstance(value, dict) else None
    return answer if isinstance(answer, str) else None


def after_marker(text: str) -> str | None:
    """The rest of the line after the last marker, None if there is no marker.

    >>> after_marker("Answer: 3, no.\\nAnswer: 4\\n\\nQ"), after_marker("Four.")
    ('4', None)
    """
    _, marker, rest = text.rpartition(MARKER)
    return rest.strip().partition("\n")[0].strip() if marker else None


def read_number(text: str) -> str | None:
    """The first number after the marker, or else the last one of the text, without separators of thousands.

    >>> read_number("5 and 6. Answer: 1,200 apples (of 1500)"), read_number("-1, 10,200"), read_number("none")
    ('1200', '10200', None)
    """
    rest = after_marker(text)
    found = _NUMBER.findall(text if rest is None else rest)
    return str(found[-1 if rest is None else 0]).replace(",", "") if found else None


def read_word(text: str) -> str | None:
    """The word after the marker, or else the last one of the text; letters that stand alone are put together.

    >>> read_word("Answer: n-a-e"), read_word('Answer: it is "nae".'), read_word("So we get nae")
    ('nae', 'nae', 'nae')
    """
    rest = after_marker(text)
    words: list[str] = _WORD.findall(text if rest is None else rest)
    if rest is not None and words and all(len(word) == 1 for word in words):
        return "".join(words).lower()
    return words[-1].lower() if words else None


def read_option(text: str) -> str | None:
    """The option after the marker, in whichever way it is named, or else the last letter in parentheses.

    >>> read_option("Answer: (B)"), read_option("Answer: the red hat."), read_option("(A) or (C)?"), read_option("A")
    ('B', 'the red hat.', 'C', None)
    """
    rest = after_marker(text)
    letters = _OPTION.findall(text if rest is None else rest)
    return letters[-1 if rest is None else 0] if letters else rest or None


# Comparing answers


def same_number(answer: str, expected: str) -> bool:
    """By value.

    >>> same_number("12.0", "12"), same_number("1.2e1", "12"), same_number("x", "12")
    (True, True, False)
    """
    try:
        return Decimal(answer) == Decimal(expected)
    except InvalidOperation:
        return False


def same_words(answer: str, expected: str) -> bool:
    """Without regard to case, punctuation, and an article at the beginning.

    >>> same_words("The red hat.", "red hat"), same_words("red", "red hat")
    (True, False)
    """
    return plain(answer) == plain(expected)


def plain(text: str) -> str:
    """Words only.

    >>> plain(' the "Red" hat. ')
    'red hat'
    """
    words = re.findall(r"\w+", text.lower())
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("a", "an", "the") else words)


def lettered(answer: str, options: tuple[str, ...]) -> str | None:
    """The letter of an option that is named by letter or by words; None if it is none, or more than one.

    >>> lettered("(b)", ("x", "y")), lettered("The Y.", ("x", "y")), lettered("z", ("x", "y"))
    ('B', 'B', None)
    """
    letters = letters_of(options)
    named = answer.strip().strip("().:*").upper()
    if named in letters:
        return named
    found = [letter for letter, option in zip(letters, options) if same_words(answer, option)]
    return found[0] if len(found) == 1 else None


def letters_of(options: tuple[str, ...]) -> list[str]:
    """Of up to 26 options.

    >>> letters_of(("x", "y"))
    ['A', 'B']
    """
    return [chr(ord("A") + number) for number in range(len(options))]


# The tasks


def _option_schema(question: Question) -> dict[str, Any]:
    return {"enum": letters_of(question.options)} if question.options else {"type": "string"}


GSM8K = Task(
    "gsm8k",
    "Solve each word problem. The answer is a number, without a unit.",
    lambda question: {"type": "number"},
    read_number,
    same_number,
    (
        Example(
            "A baker fills 6 trays with 8 rolls each and sells 29 of the rolls. How many rolls are left?",
            "6 trays with 8 rolls each are 6 * 8 = 48 rolls. After 29 are sold, 48 - 29 = 19 are left.",
            19,
        ),
        Example(
            "Nora earns 14 euros an hour. She works 5 hours on Friday, and twice as long on Saturday. How much?",
            "On Saturday she works 2 * 5 = 10 hours, together 5 + 10 = 15 hours. She earns 15 * 14 = 210 euros.",
            210,
        ),
        Example(
            "A rope of 90 metres is cut into 4 pieces of 15 metres and some of 10 metres. How many of 10 metres?",
            "The 4 long pieces take 4 * 15 = 60 metres, so 90 - 60 = 30 metres are left: 30 / 10 = 3 pieces.",
            3,
        ),
    ),
)
LAST_LETTER = Task(
    "last-letter",
    "Take the last letter of each word, in their order, and put the letters together. Write them in lower case.",
    lambda question: {"type": "string", "pattern": "^[a-z]+$"},
    read_word,
    same_words,
    (
        Example("river, candle, north", 'river ends in "r", candle in "e", north in "h". Together: "reh".', "reh"),
        Example(
            "salt, window, hammer, bread",
            'salt ends in "t", window in "w", hammer in "r", bread in "d". Together: "twrd".',
            "twrd",
        ),
        Example("cloud, piano", 'cloud ends in "d", piano in "o". Together: "do".', "do"),
    ),
)
SHUFFLED_OBJECTS = Task(
    "shuffled-objects",
    "Follow who has what while things change hands, and choose the right option. The answer is its letter.",
    _option_schema,
    read_option,
    same_words,
    (
        Example(
            "Ida has a lamp, Tom has a drum and Eva has a kite. Ida and Eva swap their things. Then Tom and Ida do. "
            "What does Tom have in the end?\n(A) the lamp\n(B) the drum\n(C) the kite",
            "First Ida gets the kite and Eva the lamp. Then Tom gets the kite and Ida the drum.",
            "C",
        ),
        Example(
            "Lin has a map, Max has a bell and Kai has a coin. Max and Kai swap their things. Then Lin and Max do. "
            "What does Kai have in the end?\n(A) the map\n(B) the bell\n(C) the coin",
            "First Max gets the coin and Kai the bell. Then Lin gets the coin and Max the map.",
            "B",
        ),
    ),
)
TASKS: dict[str, Task] = {task.name: task for task in (GSM8K, LAST_LETTER, SHUFFLED_OBJECTS)}
