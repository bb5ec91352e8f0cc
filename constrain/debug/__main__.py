"""`python -m constrain.debug why`: how a bit of a mask came about, and whether step and mask agree.

In:  a constraint, a prefix of the output, a token.
Out: the items at the place, what the token does in each of them, the bit of the mask, and what reading the token says,
which is other code.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from constrain.compiler import Compiler
from constrain.engine.show import Way, items, ways
from constrain.engine.space import EarleySpace
from constrain.specs.base import Spec, regex
from constrain.specs.grammars import grammar, grammar_file
from constrain.specs.schema import json_schema
from constrain.vocab.vocabulary import Vocabulary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 if mask and step agree."""
    parser = argparse.ArgumentParser(prog="python -m constrain.debug", description=__doc__)
    commands = parser.add_subparsers(required=True)
    why = commands.add_parser("why", help="why a token is or is not allowed")
    kind = why.add_mutually_exclusive_group(required=True)
    kind.add_argument("--schema", help="a file that holds a JSON Schema")
    kind.add_argument("--regex", help="a pattern")
    kind.add_argument("--grammar", help="a grammar of the library, or a .lark or .gbnf file")
    why.add_argument("--prefix", default="", help="what has been written so far")
    why.add_argument("--token", required=True, help="a token id, or the bytes of a token as text")
    why.add_argument("--tokenizer", help="a folder with a tokenizer; without it, every byte is a token")
    why.set_defaults(run=explain_token)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status


def explain_token(options: argparse.Namespace) -> int:
    """Print why a token is or is not allowed."""
    vocabulary = (
        Vocabulary.from_pretrained(options.tokenizer)
        if options.tokenizer
        else Vocabulary.from_tokens([*[bytes([b]) for b in range(256)], None], eos_ids=[256])
    )
    automaton = Compiler(vocabulary).compile(_spec(options))
    space = automaton.space
    if not isinstance(space, EarleySpace):
        print(
            "`why` shows constraints without `&` beside a grammar and without numbers of tokens; try Matcher.explain",
            file=sys.stderr,
        )
        return 2
    start = space.start()
    assert start is not None
    state, read = space.read(start, options.prefix.encode())
    if read < len(options.prefix.encode()):
        print(f"the prefix is refused at byte {read}", file=sys.stderr)
        return 2
    token = int(options.token) if options.token.isdigit() else _by_bytes(vocabulary, options.token)
    data = vocabulary.token_bytes(token)
    session = space.session
    print(f"token {token} {data!r} after {options.prefix!r}")
    print("\nitems here" + (" (the text may end)" if state.accepting else ""))
    for line in items(session, state.place):
        print(f"  {line}")
    print("\nthe token in each of them")
    for way in ways(session, state.place, data):
        print(f"  {_shown(way, len(data))}")
    row = np.zeros((1, space.width), np.int32)
    space.fill(state, row[0])
    in_mask = bool(row[0, token >> 5] >> (token & 31) & 1)
    can_be_read = space.step(state, token) is not None
    agree = "they agree" if in_mask == can_be_read else "THEY DIFFER: this is a bug"
    print(f"\nbit of the mask: {int(in_mask)}; the token can be read: {can_be_read}; {agree}")
    return int(in_mask != can_be_read)


def _shown(way: Way, size: int) -> str:
    if not way.allowed:
        return f"dies at byte {way.reads}: {way.item}"
    if not way.ends:
        return f"inner token: {way.item}"
    places = ", ".join(map(str, way.ends))
    return f"boundary token, the terminal may end at byte {places} of {size}: {way.item}"


def _by_bytes(vocabulary: Vocabulary, text: str) -> int:
    found = vocabulary.tokens_of(text.encode())
    if not found:
        raise SystemExit(f"no token spells {text!r}")
    return int(found[0])


def _spec(options: argparse.Namespace) -> Spec:
    if options.schema:
        return json_schema(json.loads(Path(options.schema).read_text("utf-8")))
    if options.regex:
        return regex(options.regex)
    if options.grammar.endswith(".gbnf"):
        return grammar(Path(options.grammar).read_text("utf-8"), syntax="gbnf")
    return grammar_file(options.grammar)


if __name__ == "__main__":
    sys.exit(main())
