"""What the property tests draw: expressions, patterns, grammars, vocabularies, texts. How many: see `amounts`."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

from amounts import examples as examples
from hypothesis import strategies as st
from reference import expressions as ref

from constrain import Limits, Spec, Vocabulary
from constrain.automata.dfa import DfaStore
from constrain.automata.tables import DEAD
from constrain.ir import expr as ir
from constrain.ir import grammar as cfg
from constrain.ir.languages import Languages
from constrain.specs.regex import parse_regex

# ---- expressions

ALPHABET = "abcé日\n"
_DIGITS = "0123."  # the divisors that are drawn tell apart no more
LETTERS = tuple(bytes([b]) for b in sorted(set(f"abcz é日{_DIGITS}".encode()) | {0x0A, 0x80, 0xFF}))
"""Every byte that `expressions` tell apart, one for all others, what may follow any lead byte (80 for ED and F4), and
one that is never valid: enough to search with."""

_RANGES: list[ir.Ranges] = [
    ((0x61, 0x61),),
    ((0x61, 0x62),),
    ((0x61, 0x63),),
    ((0x61, 0x61), (0xE9, 0xE9)),
    ((0x65E5, 0x65E5),),
    ((0x0, 0x60), (0x64, 0x10FFFF)),
    ((0x80, 0x10FFFF),),
    ((0x0, 0x10FFFF),),
    (),
]
_words = st.text(ALPHABET, max_size=3).map(str.encode)


def leaves() -> st.SearchStrategy[ir.Expr]:
    """Expressions without parts."""
    return st.one_of(
        st.builds(ir.Literal, _words),
        st.builds(ir.Chars, st.sampled_from(_RANGES)),
        st.builds(ir.Words, st.lists(_words, min_size=1, max_size=4, unique=True).map(tuple)),
        st.sampled_from([ir.Anything(), ir.NOTHING, ir.EPSILON, ir.Repeat(ir.Chars(_RANGES[2]), 0, None)]),
        st.builds(ir.Divisible, st.integers(1, 4)),
    )


def repeats(body: st.SearchStrategy[ir.Expr], largest: int = 3) -> st.SearchStrategy[ir.Expr]:
    """Repetitions, bounded or not."""

    def build(inner: ir.Expr, low: int, more: int | None) -> ir.Expr:
        return ir.Repeat(inner, low, None if more is None else low + more)

    return st.builds(build, body, st.integers(0, largest), st.none() | st.integers(0, largest))


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3, looks: bool = True, ahead: bool = True, largest: int = 3) -> ir.Expr:
    """Expressions of every kind. `looks`: with assertions; `ahead`: lookahead too, which a lookbehind cannot hold."""
    if depth == 0:
        return draw(leaves())
    here = expressions(depth - 1, looks, ahead, largest)
    apart = expressions(depth - 1, looks, looks, largest)
    parts, parts_apart = st.lists(here, min_size=1, max_size=3).map(tuple), st.lists(apart, max_size=2).map(tuple)
    kinds = [
        leaves(),
        st.builds(ir.Concat, parts),
        st.builds(ir.Concat, parts),
        st.builds(ir.Alt, parts),
        repeats(here, largest),
        repeats(here, largest),
        st.builds(ir.And, parts_apart),
        st.builds(ir.Not, apart),
        st.builds(ir.Closed, apart),
    ]
    if looks:
        behind = expressions(depth - 1, looks, False, largest)
        kinds.append(st.builds(ir.Look, behind, st.just(True), st.booleans()))
    if looks and ahead:
        kinds.append(st.builds(ir.Look, here, st.just(False), st.booleans()))
    return draw(st.one_of(kinds))


def texts(max_size: int = 5, alphabet: str = ALPHABET + _DIGITS) -> st.SearchStrategy[bytes]:
    """Short texts, some of which end within a character."""
    whole = st.text(alphabet, max_size=max_size).map(str.encode)
    return st.builds(lambda data, cut: data[: len(data) - cut], whole, st.sampled_from([0, 0, 0, 1, 2]))


def plain(expr: ir.Expr) -> ref.Node:
    """An expression as `reference.expressions` takes it: names and fields."""

    def convert(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(convert, value))
        return plain(value) if dataclasses.is_dataclass(value) else value

    return (type(expr).__name__.lower(), *(convert(getattr(expr, f.name)) for f in dataclasses.fields(expr)))


@dataclasses.dataclass(frozen=True)
class Denoting(Spec):
    """The constraint that an expression denotes."""

    expr: ir.Expr

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        return ir.Closed(self.expr)


@dataclasses.dataclass(frozen=True)
class Deriving(Spec):
    """The constraint that a grammar denotes."""

    grammar: cfg.Grammar

    def lower(self, limits: Limits, languages: Languages | None = None) -> cfg.Grammar:
        return self.grammar


# ---- languages, as the engine sees them


class Language:
    """An expression in a store."""

    def __init__(self, expr: ir.Expr, store: DfaStore | None = None, limits: Limits | None = None) -> None:
        self.store = store or DfaStore()
        self.start = self.store.start(expr, limits or Limits())

    def viable(self, data: bytes) -> bool:
        """Whether a text of the language begins with `data`."""
        return self.start != DEAD and self.store.read(self.start, data)[1] == len(data)

    def accepts(self, data: bytes) -> bool:
        """Whether `data` is in the language."""
        q, read = self.store.read(self.start, data)
        return read == len(data) and self.store.accepts(q)

    def sample(self, rng: random.Random, longest: int = 40) -> bytes | None:
        """A text of the language found by a random walk, or None if the walk met no end."""
        q, data = self.start, b""
        while q != DEAD and len(data) < longest:
            following = self.store.viable_bytes(q)
            if self.store.accepts(q) and (not following or rng.random() < 0.3):
                return data
            common = [b for b in following if 0x20 <= b < 0x7F]
            byte = rng.choice(common if common and rng.random() < 0.8 else following)
            q, data = self.store.step(q, byte), data + bytes([byte])
        return data if q != DEAD and self.store.accepts(q) else None


def mutated(rng: random.Random, text: str, alphabet: str) -> str:
    """The text with one character dropped, doubled, replaced, put in, or with two swapped."""
    i = rng.randrange(len(text) + 1)
    char = rng.choice(alphabet)
    return rng.choice(
        [
            text[:i] + text[i + 1 :],
            text[:i] + text[i : i + 1] * 2 + text[i + 1 :],
            text[:i] + char + text[i + 1 :],
            text[:i] + char + text[i:],
            text[:i] + text[i + 1 : i + 2] + text[i : i + 1] + text[i + 2 :],
            text[:i],
            text + char,
        ]
    )


def texts_near(engine: Language, rng: random.Random, alphabet: str, rounds: int = 10, altered: int = 4) -> set[str]:
    """Texts of the language, texts near it, and others."""
    texts = {"", *alphabet}
    for _ in range(rounds):
        texts.add("".join(rng.choices(alphabet, k=rng.randint(1, 6))))
        found = engine.sample(rng, 16)
        if found is not None:
            text = found.decode()
            texts |= {text, *(mutated(rng, text, alphabet) for _ in range(altered))}
    return texts


# ---- patterns in Python's syntax

PATTERN_CHARS = "abBkK1_- \n.éßſK日٣"
_CLASS_ITEMS = ["a", "b", "é", "ß", "k", "1", "_", "-", "a-c", "A-Z", "0-9", "à-ÿ", r"\d", r"\w", r"\s", r"\D", r"\W"]
_CLASS_ITEMS += [r"\S", r"\n", r"\]", r"\\", r"\x41", r"\u00e9", ".", " ", "^", "٠-٩"]
_ATOMS = [
    "a",
    "b",
    "ab",
    "B",
    "K",
    "é",
    "ß",
    "日",
    "1",
    "_",
    "-",
    " ",
    ".",
    ".",
    r"\d",
    r"\w",
    r"\s",
    r"\D",
    r"\W",
    r"\S",
]
_ATOMS += [r"\.", r"\n", r"\x62", r"\u00e9", r"\N{LATIN SMALL LETTER A}", r"\101"]
_QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0}", "{1,}", "{0,2}", "{2,3}", "{,2}", "{1,2}?"]
_ANCHORS = ["^", "$", r"\A", r"\Z", r"\b", r"\B"]
_FIXED = ["a", "b", ".", r"\w", "[ab]", "é", "ab", "^a", r"[^\d]", "1"]


@st.composite
def classes(draw: st.DrawFn) -> str:
    """A character class in brackets."""
    items = draw(st.lists(st.sampled_from(_CLASS_ITEMS), min_size=1, max_size=3))
    if items[0] == "^":
        items[0] = r"\^"
    return "[" + draw(st.sampled_from(["", "", "^"])) + "".join(items) + "]"


@st.composite
def patterns(
    draw: st.DrawFn, depth: int = 3, looks: bool = True, atoms: Sequence[str] = _ATOMS, with_flags: bool = True
) -> str:
    """Patterns that `re` compiles, nearly always. `looks`: with anchors, boundaries and assertions."""
    inner = patterns(depth - 1, looks, atoms, with_flags)
    choices: list[Callable[[], str]] = [
        lambda: draw(st.sampled_from(atoms)),
        lambda: draw(st.sampled_from(atoms)),
        lambda: draw(classes()),
    ]
    if depth > 0:
        choices += [
            lambda: "".join(draw(st.lists(inner, min_size=2, max_size=3))),
            lambda: "".join(draw(st.lists(inner, min_size=2, max_size=3))),
            lambda: f"(?:{draw(inner)}|{draw(inner)})",
            lambda: f"({draw(inner)}|)",
            lambda: f"(?:{draw(inner)}){draw(st.sampled_from(_QUANTIFIERS))}",
            lambda: f"(?:{draw(inner)}){draw(st.sampled_from(_QUANTIFIERS))}",
            lambda: f"({draw(inner)}){draw(st.sampled_from(_QUANTIFIERS))}",
        ]
    if depth > 0 and with_flags:
        choices.append(
            lambda: f"(?{draw(st.sampled_from(['i', 's', 'a', 'i-s', 'm', 'u', '-i', 'is']))}:{draw(inner)})"
        )
    if looks:
        choices += [
            lambda: draw(st.sampled_from(_ANCHORS)),
            lambda: f"(?<{draw(st.sampled_from('=!'))}{draw(st.sampled_from(_FIXED))})",
        ]
    if looks and depth > 0:
        choices.append(lambda: f"(?{draw(st.sampled_from('=!'))}{draw(inner)})")
    return choices[draw(st.integers(0, len(choices) - 1))]()


flag_prefixes = st.sampled_from(["", "", "", "(?i)", "(?s)", "(?m)", "(?a)", "(?is)", "(?ia)", "(?ms)", "(?x)"])


# ---- grammars

GRAMMAR_ALPHABET = "abé "
_TERMINALS = ['"a"', '"b"', '"ab"', '"ba"', '"é"', '"aa"', "/[ab]/", "/a+/", "/[ab]+/", "/ab?/", "/(ab)+/", "/[^a ]/"]
_TERMINALS += ["/b+a/", "/[aé]/", "/(b|é)a*/"]
_IN_GBNF = ["[ab]", '"a"+', "[ab]+", '"a" "b"?', '"ab"+', "[^a ]", '"b"+ "a"', "[aé]", '("b" | "é") "a"*']
"""The regular expressions among them."""


def terminal(index: int, level: int) -> cfg.Terminal:
    """A terminal as the front end makes it of `Tindex_level.level: <a literal>`."""
    written = _TERMINALS[index]
    expr = ir.Literal(written[1:-1].encode()) if written[0] == '"' else parse_regex(written[1:-1])
    if isinstance(expr, ir.Closed) and isinstance(expr.body, ir.Chars):
        expr = expr.body
    return cfg.Terminal(f"T{index}_{level}", expr, 2 * level + (written[0] == '"'))


terminals = st.builds(terminal, st.integers(0, len(_TERMINALS) - 1), st.sampled_from([0, 0, 0, 1]))
_actions = st.one_of(
    st.builds(lambda mask, value, put: cfg.Bits(mask, value & mask, put), *[st.integers(0, 3)] * 3),
    st.builds(cfg.Count, st.integers(0, 1), st.integers(1, 2), st.integers(0, 2), st.none() | st.integers(0, 3)),
    st.builds(cfg.Count, st.just(2), st.just(2), st.just(0), st.just(2), st.integers(0, 2)),
)


def bodies(names: Sequence[str], depth: int = 3, actions: bool = False) -> st.SearchStrategy[cfg.Body]:
    """Bodies of rules that call `names`. `actions`: with tests and updates of the register."""
    calls = st.builds(cfg.Call, st.sampled_from(list(names)))
    leaf = st.one_of(terminals, terminals, calls, *([_actions] if actions else []))
    if depth == 0:
        return leaf
    inner = bodies(names, depth - 1, actions)

    def many(body: cfg.Body, low: int, more: int | None) -> cfg.Body:
        return cfg.Many(body, low, None if more is None else low + more)

    return st.one_of(
        leaf,
        st.builds(cfg.Seq, st.lists(inner, max_size=3).map(tuple)),
        st.builds(cfg.Seq, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(cfg.Either, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(many, inner, st.integers(0, 2), st.none() | st.integers(0, 2)),
    )


_IGNORED = {text: ir.Repeat(ir.Alt((ir.Literal(text.encode()),)), 1, None) for text in (" ", "a")}
_ignores = st.builds(
    lambda text, level: cfg.Terminal("ignore", _IGNORED[text], 2 * level + 1),
    st.sampled_from([" ", " ", "a"]),
    st.just(0),
)


def _ended(parts: tuple[cfg.Terminal, tuple[cfg.Body, ...]]) -> cfg.Body:
    """A row of parts, or just a terminal."""
    return cfg.Either((cfg.Seq(parts[1]), parts[0]))


@st.composite
def grammars(draw: st.DrawFn, longest: bool | None = None, actions: bool = False, ignore: bool | None = None) -> Any:
    """Small grammars of one to four rules. `longest` and `ignore`: with, without, or (None) either."""
    names = ["start", "r1", "r2", "r3"][: draw(st.integers(1, 4))]
    register = st.integers(0, 7) if actions else st.just(0)
    some = bodies(names, 3, actions)
    kinds = [some, st.tuples(some, some, some).map(cfg.Seq)]  # and rules with an end, so that sentences are not rare
    kinds += [st.tuples(terminals, some).map(cfg.Either), st.tuples(terminals, st.tuples(some, some)).map(_ended)]
    rules = {name: cfg.Rule(draw(st.one_of(kinds)), draw(register)) for name in names}
    skipped = draw(_ignores) if (draw(st.booleans()) if ignore is None else ignore) else None
    return cfg.Grammar(rules, "start", skipped, draw(st.booleans()) if longest is None else longest)


def _alike(body: cfg.Body, written: Callable[[cfg.Body], str]) -> str:
    """What Lark and GBNF write in the same way."""
    match body:
        case cfg.Call(rule):
            return str(rule)
        case cfg.Seq(parts):
            return f"({' '.join(map(written, parts))})"
        case cfg.Either(parts):
            return f"({' | '.join(map(written, parts))})"
    raise AssertionError(f"{body} has no form in Lark's syntax or in GBNF")


def as_lark(grammar: cfg.Grammar) -> str:
    """A grammar from `grammars`, without actions, in Lark's syntax."""
    used: dict[str, str] = {}

    def written(body: cfg.Body) -> str:
        match body:
            case cfg.Terminal(name):
                index, level = name[1:].split("_")
                used[name] = f"{name}.{level}: {_TERMINALS[int(index)]}"
                return name
            case cfg.Many(inner, low, None):
                text = written(inner)
                return f"({text}~{low} {text}*)" if low > 1 else f"({text}{'*+'[low]})"
            case cfg.Many(inner, low, high):
                return f"({written(inner)}{'?' if (low, high) == (0, 1) else f'~{low}..{high}'})"
        return _alike(body, written)

    lines = ["// Reading: " + ("longest" if grammar.longest else "scannerless")]
    lines += [f"{name}: {written(rule.body)}" for name, rule in grammar.rules.items()]
    if grammar.ignore is not None:
        lines.append(f'%ignore "{next(text for text, expr in _IGNORED.items() if expr == grammar.ignore.expr)}"')
    return "\n".join([*lines, *used.values(), ""])


def as_gbnf(grammar: cfg.Grammar) -> str:
    """A grammar from `grammars`, without actions and ignored text, in GBNF."""
    quoted = sum(text[0] == '"' for text in _TERMINALS)

    def written(body: cfg.Body) -> str:
        match body:
            case cfg.Terminal(name):
                index = int(name[1:].split("_")[0])
                return f"({_TERMINALS[index] if index < quoted else _IN_GBNF[index - quoted]})"
            case cfg.Many(inner, low, high):
                short = {(0, None): "*", (1, None): "+", (0, 1): "?"}
                return written(inner) + short.get((low, high), f"{{{low},{'' if high is None else high}}}")
        return _alike(body, written)

    return "\n".join(f"{name} ::= {written(rule.body)}" for name, rule in grammar.rules.items())


def sentence(grammar: cfg.Grammar, rng: random.Random, budget: int = 40) -> bytes | None:
    """A text of the grammar, read without longest match; None if the random choices led nowhere."""
    left = budget

    def derive(body: cfg.Body, register: int) -> tuple[bytes, int] | None:
        nonlocal left
        left -= 1
        if left < 0:
            return None
        match body:
            case cfg.Terminal():
                skipped = (
                    b" " if grammar.ignore and grammar.ignore.expr == _IGNORED[" "] and rng.random() < 0.2 else b""
                )
                return skipped + spelled(body.expr, rng), register
            case cfg.Call(rule):
                inner = derive(grammar.rules[rule].body, grammar.rules[rule].register)
                return None if inner is None else (inner[0], register)
            case cfg.Seq(parts):
                return in_a_row(list(parts), register)
            case cfg.Either(parts):
                return derive(rng.choice(parts), register) if parts else None
            case cfg.Many(inner_body, low, high):
                times = rng.randint(low, low + 2 if high is None else min(high, low + 2))
                return in_a_row([inner_body] * times, register)
            case cfg.Bits() | cfg.Count():
                after = body.apply(register)
                return None if after is None else (b"", after)
        return None

    def in_a_row(parts: list[cfg.Body], register: int) -> tuple[bytes, int] | None:
        text = b""
        for part in parts:
            done = derive(part, register)
            if done is None:
                return None
            text, register = text + done[0], done[1]
        return text, register

    found = derive(grammar.rules[grammar.start].body, grammar.rules[grammar.start].register)
    return None if found is None else found[0]


def spelled(expr: ir.Expr, rng: random.Random) -> bytes:
    """A short string of a terminal: no intersections, complements or assertions in it."""
    match expr:
        case ir.Literal(data):
            return data
        case ir.Words(words):
            return rng.choice(words)
        case ir.Chars(ranges):
            chars = [char for char in GRAMMAR_ALPHABET if any(low <= ord(char) <= high for low, high in ranges)]
            return rng.choice(chars or [chr(ranges[0][0])]).encode()
        case ir.Concat(parts):
            return b"".join(spelled(part, rng) for part in parts)
        case ir.Alt(parts):
            return spelled(rng.choice(parts), rng)
        case ir.Repeat(body, low, high):
            return b"".join(spelled(body, rng) for _ in range(rng.randint(low, low + 2 if high is None else high)))
        case ir.Closed(body):
            return spelled(body, rng)
    raise AssertionError(f"{expr} has no short string")


@st.composite
def texts_for(draw: st.DrawFn, grammar: cfg.Grammar, largest: int = 8) -> list[bytes]:
    """Short texts of a grammar, near it, and others."""
    rng = draw(st.randoms(use_true_random=False))
    found = {b"", *draw(st.lists(st.text(GRAMMAR_ALPHABET, max_size=4).map(str.encode), max_size=3))}
    for _ in range(20):
        text = sentence(grammar, rng)
        if len(found) > 16:
            break
        if text is not None and len(text) <= largest:
            found |= {text, *(mutated(rng, text.decode(), GRAMMAR_ALPHABET).encode() for _ in range(3))}
    return sorted(text for text in found if len(text) <= largest)


# ---- vocabularies


@st.composite
def vocabularies(draw: st.DrawFn, complete: bool | None = None, alphabet: str = ALPHABET) -> Vocabulary:
    """Small vocabularies: shared prefixes, split characters, duplicates, long tokens, special and empty ids.

    `complete`: whether every byte is a token; by default, either.
    """
    if complete is None:
        complete = draw(st.booleans())
    data = alphabet.encode()
    pieces = draw(
        st.lists(
            st.one_of(
                st.text(alphabet, min_size=1, max_size=4).map(str.encode),
                st.lists(st.sampled_from(data), min_size=1, max_size=3).map(bytes),  # across characters
                st.text("ab", min_size=1, max_size=9).map(str.encode),
            ),
            min_size=1,
            max_size=14,
        )
    )
    singles = [bytes([b]) for b in range(256)] if complete else [bytes([b]) for b in data if draw(st.booleans())]
    tokens: list[bytes | None] = [*pieces, *singles, *draw(st.lists(st.sampled_from(pieces), max_size=2))]
    tokens = draw(st.permutations(tokens)) if not complete else tokens
    ends = [len(tokens) + i for i in range(draw(st.integers(0, 2)))]
    tokens += [None] * len(ends)
    special = {"<pad>": len(tokens)} if draw(st.booleans()) else {}
    return Vocabulary.from_tokens(
        tokens, eos_ids=ends, special_tokens=special, vocab_size=len(tokens) + len(special) + draw(st.integers(0, 40))
    )
