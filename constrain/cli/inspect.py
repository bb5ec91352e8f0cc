"""Commands that look at what a constraint allows: match, mask, compile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrain.cli import constraints, options, output, sources, tracing
from constrain.errors import VocabularyError

if TYPE_CHECKING:
    from rich.table import Table

    from constrain.automaton import Matcher
    from constrain.explanation import Explanation
    from constrain.specs.base import Spec
    from constrain.vocab.vocabulary import Vocabulary

_ROWS = 50


# ---- match


@options.asking
def match(
    *,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The text; - is standard input, without the line break at its end.")
    ],
    asked: options.Asked,
    with_trace: Annotated[
        bool, typer.Option("--trace", help="Also say for each byte what may follow, or which rules are open.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Say whether a text meets a constraint, or where it goes wrong.

    constrain match --regex '[0-9]{4}-[0-9]{2}' 2024-1x

    constrain match --grammar json '[1, true' --trace
    """
    from constrain.cli.verdict import byte_automaton, judge

    sources.check_stdin(**{"TEXT": text, "--choices-file": asked.choices_file, "--schema": asked.schema})
    if asked.tokens is not None:
        raise typer.BadParameter(
            "a text alone has no tokens; constrain mask and generate count them", param_hint="--tokens"
        )
    spec = constraints.constraint(asked)
    data = sources.text(text)
    sources.ready_kernels()
    verdict = judge(spec, data)
    trace = tracing.steps(byte_automaton(spec), data) if with_trace else None
    if as_json:
        output.emit(verdict.fields() | ({} if trace is None else {"trace": tracing.fields(trace)}))
    else:
        typer.echo("".join(f"{line}\n" for line in tracing.lines(trace)) if trace else "", nl=False)
        typer.echo(str(verdict))
    if verdict.result != "match":
        raise typer.Exit(output.REJECTED)


# ---- mask


@options.asking
def mask(
    *,
    asked: options.Asked,
    prefix: Annotated[str, typer.Option("--prefix", "-p", metavar="TEXT", help="What was generated; - is stdin.")] = "",
    tokenizer: options.Tokenizer = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-l", min=0, metavar="N", help="Rows to list; 0 for all.", show_default="50"),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            "-e",
            metavar="ID_OR_TEXT",
            help='Say why a token is allowed or not: an id, a text, or "a text" in quotes, with escapes.',
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the tokens that may follow a prefix.

    It does not matter how the prefix is cut into tokens: only its characters decide what may follow.

    constrain mask --regex '[0-9]{4}-[0-9]{2}' --prefix 2024
    """
    sources.check_stdin(**{"--prefix": prefix, "--choices-file": asked.choices_file, "--schema": asked.schema})
    spec = constraints.constraint(asked)
    place = sources.model_path(tokenizer, "--tokenizer")
    data = sources.text(prefix)
    sources.ready_kernels()
    _check_prefix(spec, data, as_json)
    vocabulary = sources.vocabulary(place)
    matcher = _after(spec, vocabulary, data)
    if explain is not None:
        _explain(matcher, tokens_named(vocabulary, explain), as_json)
    elif as_json:
        output.emit(_mask_fields(matcher, limit or vocabulary.size))
    else:
        _print_mask(matcher, _ROWS if limit is None else limit or vocabulary.size)


def _check_prefix(spec: Spec, data: bytes, as_json: bool) -> None:
    """Stop, with the place, if no output begins with the prefix."""
    from constrain.cli.verdict import judge

    verdict = judge(spec, data)
    if verdict.result == "rejected":
        if as_json:
            output.emit(verdict.fields())
        else:
            typer.echo(f"prefix {verdict}")
        raise typer.Exit(output.REJECTED)


def _after(spec: Spec, vocabulary: Vocabulary, data: bytes) -> Matcher:
    """A matcher that has read the prefix, by way of some tokens that spell it."""
    from constrain.compiler import Compiler

    matcher = Compiler(vocabulary).compile(spec).matcher()
    if vocabulary.strips_leading_space and data.startswith(b" "):
        data = b" " + data  # decoding drops one
    tokens = fewest_tokens(vocabulary, data)
    if tokens is None or matcher.accept_tokens(tokens) < len(tokens):
        raise VocabularyError(f"no tokens of {vocabulary!r} spell the prefix and an output that begins with it")
    return matcher


def fewest_tokens(vocabulary: Vocabulary, data: bytes) -> list[int] | None:
    """The shortest list of tokens that spells `data`; None if there is none.

    >>> from constrain.vocab.vocabulary import Vocabulary
    >>> fewest_tokens(Vocabulary.from_tokens([b"a", b"ab", b"bcd", b"c", b"d"]), b"abcd")
    [0, 2]
    """
    ids = _spellings(vocabulary, data)
    best: list[list[int] | None] = [[]]  # of the last 0, 1, 2 ... bytes
    for start in range(len(data) - 1, -1, -1):
        found = None
        for length in range(1, min(vocabulary.max_token_bytes, len(data) - start) + 1):
            rest = best[len(data) - start - length]
            token = ids.get(data[start : start + length])
            if token is not None and rest is not None and (found is None or len(rest) + 1 < len(found)):
                found = [token, *rest]
        best.append(found)
    return best[-1]


def _spellings(vocabulary: Vocabulary, data: bytes) -> dict[bytes, int]:
    """Bytes to token, of the tokens that occur in `data`."""
    spelled = ((vocabulary.token_bytes(token), token) for token in range(vocabulary.size))
    return {one: token for one, token in spelled if one and one in data}


def _mask_fields(matcher: Matcher, limit: int) -> dict[str, Any]:
    vocabulary = matcher.automaton.vocabulary
    allowed = matcher.allowed_token_ids().tolist()
    return {
        "allowed": len(allowed),
        "vocabulary_size": vocabulary.size,
        "may_end": matcher.is_accepting(),
        "forced": matcher.forced_bytes().decode("utf-8", "replace"),
        "tokens": [_token_fields(vocabulary, token) for token in allowed[:limit]],
    }


def _token_fields(vocabulary: Vocabulary, token: int) -> dict[str, Any]:
    """An id and its bytes; `text` is null for tokens that are no text by themselves."""
    data = vocabulary.token_bytes(token)
    try:
        text = data.decode() if data else None
    except UnicodeDecodeError:
        text = None
    return {"id": token, "text": text, "hex": data.hex(), "ends": token in vocabulary.eos_ids}


def _print_mask(matcher: Matcher, limit: int) -> None:
    vocabulary = matcher.automaton.vocabulary
    allowed = matcher.allowed_token_ids().tolist()
    end = "may end here" if matcher.is_accepting() else "may not end here"
    verb = "is" if len(allowed) == 1 else "are"
    typer.echo(f"{len(allowed):,} of {vocabulary.size:,} tokens {verb} allowed; the output {end}")
    if forced := matcher.forced_bytes():
        typer.echo(f"what follows begins with {output.shown(forced)}")
    if allowed[:limit]:
        output.stdout().print(_token_table(vocabulary, allowed[:limit]))
    if len(allowed) > limit:
        output.notice(f"{len(allowed) - limit:,} more; --limit 0 lists all")


def _token_table(vocabulary: Vocabulary, tokens: list[int]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("id", justify="right")
    table.add_column("text", overflow="fold")
    names = {token: name for name, token in vocabulary.special_tokens.items()}
    for token in tokens:
        data = vocabulary.token_bytes(token)
        table.add_row(str(token), output.shown(data) if data else f"{names.get(token, '')} ends the output".lstrip())
    return table


# ---- mask --explain


def tokens_named(vocabulary: Vocabulary, name: str) -> tuple[int, ...]:
    """The tokens that an id or a text stands for."""
    if name.isascii() and name.isdigit():
        return (int(name),)
    if name in vocabulary.special_tokens:
        return (vocabulary.special_tokens[name],)
    data = _unquoted(name).encode("utf-8", "surrogateescape")
    tokens = vocabulary.tokens_of(data) if data else ()
    if not tokens:
        parts = fewest_tokens(vocabulary, data) or []
        several = ", ".join(f"{token} {output.shown(vocabulary.token_bytes(token))}" for token in parts)
        hint = f"; several do: {several}" if several else ""
        raise typer.BadParameter(f"no single token spells {output.shown(data)}{hint}", param_hint="--explain")
    return tokens


def _unquoted(name: str) -> str:
    if len(name) < 2 or not name.startswith('"') or not name.endswith('"'):
        return name
    try:
        return str(json.loads(name))
    except ValueError as error:
        raise typer.BadParameter(f"{name} is not a string in JSON: {error}", param_hint="--explain") from error


def _explain(matcher: Matcher, tokens: tuple[int, ...], as_json: bool) -> None:
    """Print why tokens are allowed or not; one that is not decides the exit status."""
    explanations = [matcher.explain(token) for token in tokens]
    if as_json:
        output.emit({"tokens": [_explanation_fields(explanation) for explanation in explanations]})
    else:
        typer.echo("\n".join(explanation.reason for explanation in explanations))
    if not all(explanation.allowed for explanation in explanations):
        raise typer.Exit(output.REJECTED)


def _explanation_fields(explanation: Explanation) -> dict[str, Any]:
    return {
        "id": explanation.token,
        "hex": explanation.data.hex(),
        "allowed": explanation.allowed,
        "dies_at": explanation.dies_at,
        "expected_hex": explanation.expected.hex(),
        "reason": explanation.reason,
        **({"terminals": list(explanation.terminals)} if explanation.terminals else {}),
    }


# ---- compile


@options.asking
def compile_constraint(
    *,
    asked: options.Asked,
    tokenizer: options.Tokenizer = None,
    as_json: options.Json = False,
) -> None:
    """Compile a constraint, and time that and the first mask.

    constrain compile --regex '[0-9]{4}-[0-9]{2}'
    """
    begin = time.perf_counter()
    spec = constraints.constraint(asked)
    read_seconds = time.perf_counter() - begin
    place = sources.model_path(tokenizer, "--tokenizer")
    sources.ready_kernels()
    fields = _measured(spec, sources.vocabulary(place)) | {"read_seconds": read_seconds}
    if as_json:
        output.emit(fields)
    else:
        output.facts(_compile_rows(fields))


def _measured(spec: Spec, vocabulary: Vocabulary) -> dict[str, Any]:
    """Compile from empty caches, with a vocabulary that is ready for use."""
    from constrain.automaton import allocate_bitmask
    from constrain.compiler import Compiler, clear_caches

    trie, _ = vocabulary.trie, vocabulary.units
    mask = allocate_bitmask(1, vocabulary.size)
    clear_caches()
    start = time.perf_counter()
    automaton = Compiler(vocabulary).compile(spec)
    compiled = time.perf_counter()
    automaton.matcher().fill_bitmask(mask)
    filled = time.perf_counter()
    automaton.matcher().fill_bitmask(mask)
    again = time.perf_counter()
    return {
        "constraint": output.constraint(spec),
        "vocabulary": output.vocabulary(vocabulary),
        "vocabulary_size": vocabulary.size,
        "compile_seconds": compiled - start,
        "first_mask_seconds": filled - compiled,
        "known_mask_seconds": again - filled,
        "first_tokens": len(automaton.matcher().allowed_token_ids()),
        "may_be_empty": automaton.matcher().is_accepting(),
        "automaton_bytes": automaton.space.nbytes,
        "trie_nodes": trie.size,
        "trie_bytes": sum(table.nbytes for table in trie),
    }


def _compile_rows(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "constraint", fields["constraint"]
    yield "vocabulary", fields["vocabulary"]
    yield "read", output.duration(fields["read_seconds"])
    yield "compile", output.duration(fields["compile_seconds"])
    known = output.duration(fields["known_mask_seconds"])
    yield "first mask", f"{output.duration(fields['first_mask_seconds'])}; {known} when asked again"
    empty = "; the output may be empty" if fields["may_be_empty"] else ""
    yield "first tokens", f"{fields['first_tokens']:,} of {fields['vocabulary_size']:,} allowed{empty}"
    yield "automaton", output.size(fields["automaton_bytes"])
    yield "tries", f"{fields['trie_nodes']:,} nodes, {output.size(fields['trie_bytes'])}"
