"""The command `check`: whether a constraint is well formed, what becomes of a schema's keywords, what is met."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrain.cli import constraints, options, output, sources, support
from constrain.errors import ConstrainError

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton
    from constrain.specs.base import Spec

_STATES = 20_000
"""States of a schema's rules that are looked at. Those of nearly all schemas in use are fewer; it takes a second."""


@options.asking
def check(
    *,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A schema (.json), or a grammar.", show_default=False)
    ] = None,
    asked: options.Asked,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", "-t", metavar="PATH_OR_ID", help="Also check that its tokens can spell such an output."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every keyword of a schema, not only the counts.")] = False,
    as_json: options.Json = False,
) -> None:
    """Say whether a constraint is well formed, and met by some text.

    Of a schema it also says what becomes of each keyword, of a grammar what is not used.

    The exit status is 1 for a schema or a grammar with a mistake.

    constrain check --regex '[0-9]{4}-[0-9]{2}'

    constrain check schema.json
    """
    given = constraints.given(constraints.with_file(asked, file))
    if every and not isinstance(given, constraints.SchemaFile):
        raise typer.BadParameter("--all is for --schema")
    place = None if tokenizer is None else sources.model_path(tokenizer, "--tokenizer")
    facts, error = _facts(given, place)
    if as_json:
        failed = {} if error is None else {"error": output.error_fields(error)}
        output.emit({"ok": error is None, **facts, **failed})
    else:
        _print(given, facts, error, every)
    if error is not None:
        raise typer.Exit(output.INVALID if isinstance(given, constraints.Inline) else output.REJECTED) from error


def _facts(given: constraints.Given, place: str | None) -> tuple[dict[str, Any], ConstrainError | None]:
    """What is found out about a constraint, up to the first mistake."""
    facts: dict[str, Any] = {}
    try:
        spec = given.spec()
        facts |= support.fields(spec)
        facts |= _compiled(spec, place)
        if isinstance(given, constraints.GrammarFile):
            facts["notes"] = [asdict(note) for note in given.notes()]
    except ConstrainError as error:
        return facts, error
    return facts, None


def _compiled(spec: Spec, place: str | None) -> dict[str, Any]:
    """Compile `spec` for bytes, and for a tokenizer if there is one; raises what is wrong with it."""
    from constrain.cli.verdict import byte_automaton, expected_characters
    from constrain.compiler import Compiler

    sources.ready_kernels()
    automaton = byte_automaton(spec)
    matcher = automaton.matcher()
    facts: dict[str, Any] = {
        "constraint": output.constraint(spec),
        "may_be_empty": matcher.is_accepting(),
        "starts_with": expected_characters(matcher) or "a special token",
    }
    facts |= _counted(automaton)
    if place is not None:
        vocabulary = sources.vocabulary(place)
        Compiler(vocabulary).compile(spec)
        facts["vocabulary"] = output.vocabulary(vocabulary)
    return facts


def _counted(automaton: TokenAutomaton) -> dict[str, Any]:
    """The size of a grammar, and how it is read; of a schema, after reading all of its rules."""
    from constrain.debug.trace import rules_of
    from constrain.specs.schema import JsonSchema

    lowering = rules_of(automaton)
    if lowering is None:
        return {}
    is_schema = isinstance(automaton.spec, JsonSchema)
    reading = "longest" if lowering.grammar.longest else "scannerless"
    known = {"all_rules_read": read_rules(automaton, _STATES)} if is_schema else {"reading": reading}
    return {"rules": len(lowering.rules()), "terminals": len(lowering.terminals.terminals), **known}


def read_rules(automaton: TokenAutomaton, most: int) -> bool:
    """Make the rules of a schema that generation could reach, up to so many states; whether these were all.

    They are made as they are reached: what cannot be enforced deep in a schema is not noticed before.
    """
    from constrain.debug.trace import rules_of
    from constrain.ir.grammar import Terminal

    lowering = rules_of(automaton)
    if lowering is None:
        return True
    network, rule, states = lowering.network, 0, 0
    while rule < len(network.names) and states < most:
        first = network.start(rule)[0]
        seen, todo = {first}, deque([first])
        while todo and states + len(seen) < most:
            line = network.line(todo.popleft())
            new = {edge.target for edge in line.terminals + line.calls} - seen
            seen |= new
            todo += new
        states += len(seen)
        rule += 1
    terminals = [one for one in lowering.terminals.terminals if isinstance(one, Terminal)]
    depends_on_text = any(one.turn for one in terminals)  # what may follow these is known once the text is
    return states < most and not depends_on_text


# ---- for people


def _print(given: constraints.Given, facts: dict[str, Any], error: ConstrainError | None, every: bool) -> None:
    if facts.get("keywords"):
        support.show(facts["keywords"], every)
    if error is not None:
        output.fail(str(error))
        return
    typer.echo(f"ok: {'; '.join(_described(facts))}")
    for note in facts.get("notes", ()):
        name = given.path.name if isinstance(given, constraints.GrammarFile) else ""
        typer.echo(f"{name}:{note['line']}:{note['column']}: {note['message']}")


def _described(facts: dict[str, Any]) -> Iterator[str]:
    yield facts["constraint"]
    if "rules" in facts:
        rules = _counts(facts["rules"], "rule") + ("" if facts.get("all_rules_read", True) else " and more")
        yield ", ".join([rules, _counts(facts["terminals"], "terminal"), *filter(None, [facts.get("reading")])])
    yield f"starts with {facts['starts_with']}"
    if "vocabulary" in facts:
        yield f"can be spelled by {facts['vocabulary']}"


def _counts(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
