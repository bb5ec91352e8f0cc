"""The questions of a task: from a file, from the data set hub, or made with a seed.

Files are .jsonl, .jsonl.gz, or .json with a list, or with one under "examples". Their fields:

* gsm8k and last-letter: `question` and `answer`; what counts of the answer stands after `####`, if that occurs.
* shuffled-objects, as in BIG-bench: `input` and `target_scores` (option to 0 or 1); or `inputs` and `targets` (a text,
  or a list of them), with the options in `multiple_choice_targets`, or in the text, a line each, as "(A) ..." or
  "choice: ...". Without options the answer is words.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.jsonschemabench.data import DataError
from benchmarks.jsonschemabench.tasks import Question, lettered, letters_of

MADE = 100
"""Questions that are made if nobody says how many."""
PEOPLE = 3
"""In a made question about shuffled objects."""
SWAPS = (3, 5)
"""Fewest and most."""
WORDS_ASKED = 4
"""In a made question about last letters."""
_LISTED = re.compile(r"^[ \t]*\(([A-Z])\)[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_CHOICE = re.compile(r"^[ \t]*choice:[ \t]*(.+?)[ \t]*$\n?", re.MULTILINE)


def questions(task: str, data: str | None, limit: int | None, seed: int) -> list[Question]:
    """The questions of a task; of more than `limit` some that the seed chooses. Raises DataError.

    Without `data`, gsm8k comes from the hub, and the other two are made.
    """
    if data is None and task in MAKERS:
        return [MAKERS[task](number, random.Random(f"{seed} {task} {number}")) for number in range(limit or MADE)]
    rows = list(_rows(Path(data))) if data is not None else _of_hub()
    kept = (
        range(len(rows))
        if limit is None
        else sorted(random.Random(seed).sample(range(len(rows)), min(limit, len(rows))))
    )
    try:
        found = [READERS[task](f"{task}/{number}", rows[number]) for number in kept]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{data or HUB}: not the fields of {task}: {type(error).__name__}: {error}") from None
    if not found:
        raise DataError(f"{data or HUB} holds no questions")
    return found


# Files and the hub

HUB = "openai/gsm8k"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise DataError(f"no file {path}")
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            if path.suffix == ".json":
                content = json.load(lines)
                yield from content["examples"] if isinstance(content, dict) else content
            else:
                yield from (json.loads(line) for line in lines if line.strip())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {type(error).__name__}: {error}") from None


def _of_hub() -> list[dict[str, Any]]:
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(
            f"{HUB} is read with the package datasets: pip install datasets; or name a file of questions"
        ) from None
    try:
        return [dict(row) for row in load_dataset(HUB, "main", split="test")]
    except Exception as error:  # many kinds, most of them about the network
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{HUB} cannot be read: {type(error).__name__}: {reason}; name a file of questions") from None


def _worded(name: str, row: dict[str, Any]) -> Question:
    """`question` and `answer`."""
    expected = row["answer"].rpartition("####")[2].strip()
    if not expected:
        raise ValueError("an empty answer")
    return Question(name, name.partition("/")[0], row["question"].strip(), expected)


def _counted(name: str, row: dict[str, Any]) -> Question:
    """The same, and the answer is a number."""
    question = _worded(name, row)
    expected = question.expected.replace(",", "")
    float(expected)
    return Question(question.id, question.split, question.text, expected)


def _chosen(name: str, row: dict[str, Any]) -> Question:
    """BIG-bench, in either format."""
    if "target_scores" in row:
        text, scores = row["input"].strip(), row["target_scores"]
        return _optional(name, text, tuple(scores), max(scores, key=lambda option: scores[option]))
    text, target = row["inputs"].strip(), row["targets"]
    target = target if isinstance(target, str) else target[0]
    options = tuple(row.get("multiple_choice_targets") or ())
    listed = _LISTED.findall(text)
    if not options and listed:
        found = tuple(option for _, option in listed)
        return Question(name, name.partition("/")[0], text, _letter(target, found), found)
    if not options:
        options = tuple(_CHOICE.findall(text))
        text = _CHOICE.sub("", text).strip()
    return _optional(name, text, options, target)


def _optional(name: str, text: str, options: tuple[str, ...], target: str) -> Question:
    """A question with its options in lines of their own."""
    listed = [f"({letter}) {option}" for letter, option in zip(letters_of(options), options)]
    expected = _letter(target, options) if options else target.strip()
    return Question(name, name.partition("/")[0], "\n".join([text, *listed]), expected, options)


def _letter(target: str, options: tuple[str, ...]) -> str:
    """The letter of the right option."""
    letter = lettered(target, options)
    if letter is None:
        raise ValueError(f"{target!r} is not one of the options {', '.join(options)}")
    return letter


READERS: dict[str, Callable[[str, dict[str, Any]], Question]] = {
    "gsm8k": _counted,
    "last-letter": _worded,
    "shuffled-objects": _chosen,
}


# Questions that are made

NAMES = "Ada Ben Cleo Dan Elin Finn Greta Hugo Ines Jon Kira Leo Mira Nils Olga Per Rosa Sven Tove Uma".split()
THINGS = "ball bell book bowl comb cup drum fan flute fork hat kite lamp map mug pen ring rope scarf spoon".split()
COLOURS = "black blue brown green orange purple red white yellow".split()
WORDS = """acorn apron arrow attic badge basil beach bench birch blanket bottle branch brick bridge bucket butter cabin
camel canvas carpet castle cedar chalk cherry circle clock closet copper cotton dolphin dragon eagle engine fabric
feather fence flame forest fossil garden ginger glacier globe granite guitar harbor helmet honey island ivory jacket
jungle kernel kettle ladder lantern leaf lemon lizard magnet maple marble meadow melon mirror monkey museum needle
nutmeg ocean olive onion orchid oyster paddle palace parrot pebble pepper pillow planet pocket pumpkin quartz rabbit
ribbon rocket saddle sailor shadow silver sketch spider squash stamp summit sunset temple thread ticket timber tunnel
turnip valley velvet violin walnut whisk willow winter wizard yarn zebra""".split()


def made_letters(number: int, rng: random.Random) -> Question:
    """Some words.

    >>> made_letters(0, random.Random(1)).expected
    'ldwp'
    """
    words = rng.sample(WORDS, WORDS_ASKED)
    return Question(f"last-letter/{number}", "last-letter", ", ".join(words), "".join(word[-1] for word in words))


def made_shuffle(number: int, rng: random.Random) -> Question:
    """Some people, a thing each, and swaps.

    >>> made_shuffle(0, random.Random(1)).expected in "ABC"
    True
    """
    people = rng.sample(NAMES, PEOPLE)
    things = [f"the {rng.choice(COLOURS)} {thing}" for thing in rng.sample(THINGS, PEOPLE)]
    has = dict(zip(people, things))
    told = [" and ".join(_listed(f"{person} has {thing}" for person, thing in has.items())) + "."]
    for place in range(rng.randint(*SWAPS)):
        one, other = rng.sample(people, 2)
        has[one], has[other] = has[other], has[one]
        told.append(f"{'Then' if place else 'First'} {one} and {other} swap their things.")
    asked = rng.choice(people)
    text = f"{' '.join(told)} What does {asked} have in the end?"
    return _optional(f"shuffled-objects/{number}", text, tuple(rng.sample(things, PEOPLE)), has[asked])


def _listed(parts: Iterator[str]) -> list[str]:
    """All but the last, with commas; and the last."""
    *most, last = parts
    return [", ".join(most), last]


MAKERS: dict[str, Callable[[int, random.Random], Question]] = {
    "last-letter": made_letters,
    "shuffled-objects": made_shuffle,
}
