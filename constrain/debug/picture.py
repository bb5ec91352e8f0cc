"""Grammars drawn as networks, for Graphviz (dot) and Mermaid: a cluster for each rule, an edge for what it reads.

In:  an automaton of a grammar, perhaps the trace of a text.
Out: the text of a picture.

A cluster holds the states of one rule, from an arrow to double rings; dashed edges stand for a rule that is read there.
With a trace, the states that may read something next are filled in, and say what. Tests of registers are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constrain.debug.trace import Trace, rules_of
from constrain.engine.lower import Lowering
from constrain.engine.network import rule_name
from constrain.errors import SpecTypeError, UnsupportedError

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton

FORMATS = ("dot", "mermaid")
MOST = 60
"""States drawn of one rule: a repetition can have any number of them."""


@dataclass(frozen=True, slots=True)
class _Edge:
    source: str
    target: str
    label: str
    is_rule: bool


@dataclass(frozen=True, slots=True)
class _Cluster:
    """A rule: its states by the names of their nodes, and whether it may end there."""

    number: int
    title: str
    states: dict[str, bool]
    edges: tuple[_Edge, ...]
    cut: bool
    """Whether states are missing."""


def picture(automaton: TokenAutomaton, form: str = "dot", trace: Trace | None = None) -> str:
    """The network of a grammar's rules, as text in the language of `form`; with what may come next after a trace.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    >>> automaton = constrain.Compiler(vocab).compile(constrain.grammar('start: "a" start?'))
    >>> print(picture(automaton, "mermaid").splitlines()[0])
    flowchart LR
    """
    if form not in FORMATS:
        raise SpecTypeError(f"a picture is in one of {', '.join(FORMATS)}, not {form!r:.40}")
    lowering = rules_of(automaton)
    if lowering is None:
        raise UnsupportedError("a picture shows the rules of a grammar; this constraint has none")
    clusters = [_cluster(lowering, rule) for rule in lowering.rules()]
    here = _here(trace)
    lines = _dot(clusters, here, trace) if form == "dot" else _mermaid(clusters, here, trace)
    return "\n".join(lines) + "\n"


def _cluster(lowering: Lowering, rule: int) -> _Cluster:
    """A rule's states, breadth first."""
    network, terminals = lowering.network, lowering.terminals.terminals
    first = network.start(rule)[0]
    states, edges, cut = {first: False}, [], False
    todo = deque(states)
    while todo:
        state = todo.popleft()
        line = network.line(state)
        states[state] = bool(line.ends)
        for _, symbol, target in line.terminals + line.calls:
            if target not in states and len(states) >= MOST:
                cut = True
                continue
            if target not in states:
                states[target] = False
                todo.append(target)
            label = terminals[symbol].name if symbol >= 0 else _title(network.names[-1 - symbol])
            edges.append(_Edge(_node(rule, state), _node(rule, target), label, symbol < 0))
    named = {_node(rule, state): ends for state, ends in states.items()}
    return _Cluster(rule, _title(network.names[rule]), named, tuple(dict.fromkeys(edges)), cut)


def _title(name: Hashable) -> str:
    """What to call a rule; of a schema, with the numbers that tell its rules apart."""
    if isinstance(name, tuple) and hasattr(name, "_fields"):
        numbers = [str(part) for part in name if isinstance(part, int) and not isinstance(part, bool)]
        return " ".join([type(name).__name__.strip("_").lower(), *numbers])
    return rule_name(name)


def _node(rule: int, state: int) -> str:
    return f"r{rule}_{state}"


def _here(trace: Trace | None) -> dict[str, list[str]]:
    """What each state may read next, or is reading."""
    found: dict[str, list[str]] = {}
    for place in () if trace is None else trace.places:
        name = f"{place.terminal} …" if place.begun else place.terminal
        names = found.setdefault(_node(place.rule, place.state), [])
        names += [] if name in names else [name]
    return found


def _caption(trace: Trace) -> str:
    read = trace.text[: len(trace.steps)].decode("utf-8", "replace")
    shown = read if len(read) <= 40 else f"…{read[-39:]}"
    end = ", or the end" if trace.may_end else ""
    return f"after {shown!r}: {', '.join(trace.terminals) or 'nothing'}{end}"


# ---- dot


def _dot(clusters: list[_Cluster], here: dict[str, list[str]], trace: Trace | None) -> Iterator[str]:
    yield "digraph grammar {"
    yield '  rankdir=LR; compound=true; fontname="sans-serif";'
    yield '  node [shape=circle, label="", width=0.25, fontname="sans-serif"]; edge [fontname="monospace"];'
    if trace is not None:
        yield f"  label={_quoted(_caption(trace))}; labelloc=t;"
    for cluster in clusters:
        yield f"  subgraph cluster_{cluster.number} {{"
        yield f"    label={_quoted(cluster.title + (' (cut short)' if cluster.cut else ''))};"
        yield f"    begin_{cluster.number} [shape=point, width=0.05];"
        yield f"    begin_{cluster.number} -> {next(iter(cluster.states))};"
        for node, ends in cluster.states.items():
            yield f"    {node}{_dot_style(ends, here.get(node))};"
        for edge in cluster.edges:
            dashed = ", style=dashed" if edge.is_rule else ""
            yield f"    {edge.source} -> {edge.target} [label={_quoted(edge.label)}{dashed}];"
        yield "  }"
    yield "}"


def _dot_style(ends: bool, expected: list[str] | None) -> str:
    ring = ["shape=doublecircle"] if ends else []
    filled = ["style=filled", "fillcolor=gold", f"xlabel={_quoted(', '.join(expected))}"] if expected else []
    return f" [{', '.join(ring + filled)}]" if ring or filled else ""


def _quoted(text: str) -> str:
    r"""A string of dot; control characters as their escapes.

    >>> print(_quoted('"\\n"'))
    "\"\\n\""
    """
    clean = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---- mermaid


def _mermaid(clusters: list[_Cluster], here: dict[str, list[str]], trace: Trace | None) -> Iterator[str]:
    yield "flowchart LR"
    if trace is not None:
        yield f"  caption[{_escaped(_caption(trace))}]"
    for cluster in clusters:
        yield f"  subgraph g{cluster.number} [{_escaped(cluster.title + (' (cut short)' if cluster.cut else ''))}]"
        yield "    direction LR"
        yield f'    b{cluster.number}[" "] --> {next(iter(cluster.states))}'
        for node, ends in cluster.states.items():
            label = _escaped(", ".join(here.get(node, [" "])))
            yield f"    {node}((({label})))" if ends else f"    {node}(({label}))"
        for edge in cluster.edges:
            arrow = "-." if edge.is_rule else "--"
            yield f"    {edge.source} {arrow} {_escaped(edge.label)} {arrow[::-1]}> {edge.target}"
        yield "  end"
    if here:
        yield "  classDef here fill:gold"
        yield f"  class {','.join(here)} here"


def _escaped(text: str) -> str:
    """A quoted text of Mermaid: characters that it could take for its own are given by their numbers.

    >>> print(_escaped('a<"b"'))
    "a#60;#34;b#34;"
    """
    plain = (repr(char)[1:-1] if not char.isprintable() else char for char in text)
    return '"' + "".join(c if c.isalnum() or c in " _,.:'…/()" else f"#{ord(c)};" for c in "".join(plain)) + '"'
