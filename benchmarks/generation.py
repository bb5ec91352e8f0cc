"""Text that masks lead to is valid: `python -m benchmarks.generation --limit 2000 --samples 10`.

For every schema some texts are generated without a model: each token is drawn uniformly from those that the mask
allows. Half of the texts draw from tokens of few bytes only, wherever there are some, so that structure comes before
long strings. A text that is not complete after `--tokens` tokens is closed by `Matcher.completion`. It is *valid* if
jsonschema-rs says so under the schema's own draft, and no object has a key twice. Formats are annotations to it, unless
it is they that decide: a string may be in one branch of `oneOf` because it has not the format of another. A text with
numbers that no float holds is judged by jsonschema, with exact ones.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import readme, running
from benchmarks.jsonschemabench.data import Item, read_items
from benchmarks.jsonschemabench.masks import Late, alarm
from benchmarks.peers import pretrained
from benchmarks.report import environment, publish
from benchmarks.tables import Table, show

PROGRAM = "generation"
SHORT = 3
"""Bytes of a short token."""
MOST_DIGITS = 1000
"""Digits and zeros of a number that is judged."""


@dataclass
class Found:
    """What came of one schema."""

    id: str
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of the texts; or of the schema, where there are none."""
    tokens: int = 0
    example: str = ""
    """A text that is not as it should be, and why."""


class Generator:
    """Draws texts of schemas over one vocabulary."""

    def __init__(self, tokenizer: Path, given: argparse.Namespace) -> None:
        import constrain

        self._given = given
        self._vocabulary = constrain.Vocabulary.from_transformers(pretrained(tokenizer))
        self._compiler = constrain.Compiler(self._vocabulary)
        lengths = [len(self._vocabulary.token_bytes(token) or b"") for token in range(self._vocabulary.size)]
        self._is_short = np.array(lengths) <= SHORT

    def look(self, item: Item) -> Found:
        """Generate texts of a schema, and judge them."""
        import constrain

        found = Found(item.id)
        try:
            with alarm(self._given.seconds):
                automaton = self._compiler.compile(constrain.json_schema(item.schema))
                for sample in range(self._given.samples):
                    self._draw(found, item, automaton, random.Random(f"{self._given.seed} {item.id} {sample}"), sample)
        except constrain.ConstrainError as error:
            found.outcomes["refused" if not found.outcomes else "stopped"] += 1
            found.example = f"{type(error).__name__}: {str(error)[:200]}"
        except Late:
            found.outcomes["late"] += 1
        return found

    def _draw(self, found: Found, item: Item, automaton: Any, rng: random.Random, sample: int) -> None:
        tokens, ends = self._walk(automaton.matcher(), rng, short=sample % 2 == 1)
        data = b"".join(map(self._vocabulary.token_bytes, tokens))
        found.tokens += len(tokens)
        outcome = judged(item.schema, data.decode("utf-8", "replace")) if ends else "does not end"
        found.outcomes[outcome] += 1
        if outcome not in ("valid", "not judged"):
            found.example = f"{outcome}: {data.decode('utf-8', 'replace')[:20_000]}"

    def _walk(self, matcher: Any, rng: random.Random, short: bool) -> tuple[list[int], bool]:
        """Tokens, and whether they end where the text may end."""
        tokens: list[int] = []
        eos = set(self._vocabulary.eos_ids)
        while len(tokens) < self._given.tokens:
            allowed = matcher.allowed_token_ids()
            chosen = allowed[self._is_short[allowed]] if short else allowed
            token = int(rng.choice(chosen if len(chosen) else allowed)) if len(allowed) else None
            if token is None or token in eos:
                return tokens, token is not None
            if not matcher.accept_token(token):
                return tokens, False
            tokens.append(token)
        closing = matcher.completion()
        if closing is None or matcher.accept_tokens(closing) < len(closing):
            return tokens, False
        return [*tokens, *closing], matcher.is_accepting()


class Doubled(Exception):
    """An object has a key twice."""


class Unjudged(Exception):
    """A number is too long to compute with."""


def judged(schema: Any, text: str) -> str:
    """What a validator says of a text. Where none can read the schema or the numbers, nothing is said."""
    numbers: list[str] = []
    try:
        json.loads(text, parse_int=numbers.append, parse_float=numbers.append, object_pairs_hook=_without_doubles)
    except Doubled:
        return "a key twice"
    except ValueError:
        return "no JSON"
    return _judged(schema, json.loads(text)) if all(map(_is_held, numbers)) else _judged_exactly(schema, text)


def _judged(schema: Any, value: Any) -> str:
    import jsonschema_rs

    try:
        judges = (jsonschema_rs.validator_for(schema, validate_formats=formats) for formats in (False, True))
        return "valid" if any(judge.is_valid(value) for judge in judges) else "invalid"
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, OverflowError):
        return "not judged"


def _judged_exactly(schema: Any, text: str) -> str:
    import jsonschema

    def number(digits: str) -> Decimal | int:
        value = Decimal(digits)
        if abs(value.adjusted()) > MOST_DIGITS:
            raise Unjudged
        return int(value) if value == value.to_integral_value() and not old else value

    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    old = kind is jsonschema.Draft4Validator
    with localcontext(Context(prec=5 * MOST_DIGITS)):
        try:
            value = json.loads(text, parse_int=lambda digits: int(number(digits)), parse_float=number)
            exact = json.loads(json.dumps(schema), parse_float=Decimal)
            return "valid" if kind(exact).is_valid(value) else "invalid"
        except Exception:  # a schema that it does not read; a pattern that is none of Python's
            return "not judged"


def _is_held(number: str) -> bool:
    """Whether a float is exactly what the text of a number says, as far as it matters to a validator."""
    try:
        return abs(float(number)) < 2**53 and Decimal(repr(float(number))) == Decimal(number)
    except ArithmeticError:  # an exponent that even Decimal does not hold
        return False


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Doubled
    return found


# ---- all schemas

_generator: Generator
"""Of a worker."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, show tables, write what was asked for."""
    parser = argument_parser()
    given = running.checked(parser, problem_with, arguments)
    items = running.spread(read_items(str(given.file)), given.limit)
    found = everything(items, given)
    options = ("limit", "samples", "tokens", "seconds", "seed", "workers")
    summary = environment(running.command(parser, given, ("file", "tokenizer"), options), ("jsonschema_rs",))
    summary |= {"schemas": len(items), **summarise(found)}
    tables = [table_of(summary)]
    publish(summary, tables, given, PROGRAM, indent=1)
    show(tables)
    return 0 if not summary["wrong"] else 1


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.generation", description="Text that masks lead to.")
    parser.add_argument(
        "--file", type=Path, default=running.data() / "jsonschemabench" / "dev.jsonl.gz", help="the schemas"
    )
    running.add_tokenizer(parser)
    parser.add_argument("--limit", type=int, help="how many schemas, spread over the list")
    parser.add_argument("--samples", type=int, default=10, help="texts of each schema")
    parser.add_argument("--tokens", type=int, default=60, help="tokens after which a text is closed")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for one schema")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--json", type=Path, help="file for all figures and every schema")
    readme.add_option(parser, PROGRAM)
    return parser


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing."""
    return (
        running.problem_with_tokenizer(given.tokenizer)
        or ("" if given.file.is_file() else f"no file {given.file}; name one with --file, or set CONSTRAIN_DATA")
        or readme.problem_with(given.readme, PROGRAM)
    )


def everything(items: list[Item], given: argparse.Namespace) -> list[Found]:
    """What came of every schema, in order."""
    from constrain.warmup import warm_up

    warm_up()  # once, not in every process
    with get_context("spawn").Pool(given.workers, start_worker, (given,)) as pool:
        found = pool.imap(look, items)
        return [next(found) for _ in running.progress(items, "schemas")]


def start_worker(given: argparse.Namespace) -> None:
    """Load the vocabulary in a process of its own."""
    global _generator
    _generator = Generator(given.tokenizer, given)


def look(item: Item) -> Found:
    """What comes of one schema."""
    return _generator.look(item)


def summarise(found: list[Found]) -> dict[str, Any]:
    """Texts by outcome, and what went wrong."""
    outcomes = sum((each.outcomes for each in found), Counter[str]())
    stopped = {"refused", "stopped", "late"}
    wrong = [as_dict(each) for each in found if each.outcomes.keys() - stopped - {"valid", "not judged"}]
    without = [as_dict(each) for each in found if each.outcomes.keys() & stopped]
    tokens = sum(each.tokens for each in found)
    return {"outcomes": dict(outcomes.most_common()), "tokens": tokens, "wrong": wrong, "without": without}


def as_dict(found: Found) -> dict[str, Any]:
    """For JSON."""
    return vars(found) | {"outcomes": dict(found.outcomes)}


def table_of(summary: dict[str, Any]) -> Table:
    """How many texts came to what."""
    rows = [(what, f"{count:,}") for what, count in summary["outcomes"].items()]
    notes = [f"{one['id']}: {one['example']}" for one in summary["wrong"][:20]]
    title = f"{summary['schemas']:,} schemas, {summary['tokens']:,} tokens"
    return Table(title, ("outcome", "texts"), rows, notes)


if __name__ == "__main__":
    sys.exit(main())
