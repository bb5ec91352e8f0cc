r"""Regular Expression Instruction: markup for what a text is made of, which language models are shown.

In:  markup as in Zheng et al., "Toward Unified Controllable Text Generation via Regular Expression Instruction" (2023).
Out: an `Instruction`, and back to markup; an expression.

    <expression> <mask_0> lazy dog(0) <mask_1> <length=10> </expression>

    <mask_0>            any text; masks are numbered from 0 in the order in which they stand
    lazy dog(0)         a keyword: this text, no letter, digit or underscore touching it; numbered as masks are
    other text          this text
    <options> <choice_0> a </choice_0> <choice_1> b </choice_1> </options>      one of these
    <length=10>         the whole has 10 words (`constrain.specs.units`); `<length=5..12>`, `<length=5..>`

White space in the markup is that of the text where text, keywords and options meet, whatever there is of it being one
space; beside a mask, and at both ends, it means nothing. A backslash before `<`, `>`, `(`, `)` or a backslash makes it
text. `<expression>` and `</expression>` may be left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from constrain.errors import GrammarSyntaxError, caret
from constrain.ir import expr as ir
from constrain.specs import unicode

_TAG = re.compile(r"<(/?)([a-z]+)(?:_(\d+))?(?:=([^<>]*))?>")
_NUMBER = re.compile(r"\((\d+)\)")
_BOUNDS = re.compile(r"(\d+)(?:(\.\.)(\d*))?$")
TEXT = ir.Repeat(ir.Chars(unicode.complement(())), 0, None)
INSIDE, OUTSIDE = ir.Chars(unicode.word()), ir.Chars(unicode.complement(unicode.word()))
"""Characters of words, and others."""
_NAMES = ("expression", "mask", "options", "choice", "length")


@dataclass(frozen=True, slots=True)
class Mask:
    """Any text."""


@dataclass(frozen=True, slots=True)
class Text:
    """This text; `keyword`: as whole words."""

    text: str
    keyword: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """One of these."""

    choices: tuple[tuple[Item, ...], ...]


Item = Mask | Text | Options


@dataclass(frozen=True, slots=True)
class Space:
    """White space between two pieces of text."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What an instruction says."""

    items: tuple[Item | Space, ...]
    words: tuple[int, int | None] | None = None


def parse_rei(source: str) -> Instruction:
    """Read markup. Raises GrammarSyntaxError with the position.

    >>> parse_rei("<mask_0> dog(0) <length=3>").words
    (3, 3)
    """
    return _ReiParser(source).read()


def render_rei(instruction: Instruction) -> str:
    """The markup of an instruction, in the form that models are shown.

    >>> render_rei(parse_rei("<mask_0>dog(0)<mask_1>"))
    '<expression> <mask_0> dog(0) <mask_1> </expression>'
    """
    counts = {"mask": 0, "keyword": 0}
    body = _written(instruction.items, counts)
    length = [] if instruction.words is None else [f"<length={_bounds(*instruction.words)}>"]
    return " ".join(["<expression>", *body, *length, "</expression>"])


def expression_of(instruction: Instruction) -> ir.Expr:
    """The texts of an instruction, but for their length."""
    return _texts(instruction.items, False, False)


@lru_cache(maxsize=4096)
def _texts(items: tuple[Item | Space, ...], word: bool, bare: bool) -> ir.Expr:
    """What items denote behind a letter, digit or underscore (`word`); `bare`: one must not come next.

    So keywords touch none, without looking around: there are four ways to go on at most, which alternatives share.
    """
    if not items:
        return ir.EPSILON
    item, rest = items[0], items[1:]
    match item:
        case Space():
            return ir.concat([ir.Literal(b" "), _texts(rest, False, False)])
        case Text(text, keyword):
            if (keyword and word) or (bare and _is_word(text[0])):
                return ir.NOTHING
            return ir.concat([ir.Literal(text.encode()), _texts(rest, _is_word(text[-1]), keyword)])
        case Options(choices):
            return ir.alt([_texts(choice + rest, word, bare) for choice in choices])
        case Mask():
            begin = ir.concat([OUTSIDE, TEXT]) if bare else TEXT
            outside = ir.concat([begin, OUTSIDE, _texts(rest, False, False)])
            inside = ir.concat([begin, INSIDE, _texts(rest, True, False)])
            one = [ir.concat([OUTSIDE, _texts(rest, False, False)])] if bare else []
            return ir.alt([_texts(rest, word, bare), outside, inside, *one])


def _is_word(character: str) -> bool:
    return re.match(r"\w", character) is not None


def _written(items: tuple[Item | Space, ...], counts: dict[str, int]) -> list[str]:
    """The words of the markup: pieces between which white space means a space, or nothing beside a mask."""
    words: list[str] = []
    glued = False  # no white space stands between the last piece and the next one
    for item in items:
        if isinstance(item, Space):
            glued = False
            continue
        piece = _piece(item, counts)
        if glued and words and not isinstance(item, Mask):
            words[-1] += piece
        else:
            words.append(piece)
        glued = not isinstance(item, Mask)
    return words


def _piece(item: Item, counts: dict[str, int]) -> str:
    match item:
        case Mask():
            counts["mask"] += 1
            return f"<mask_{counts['mask'] - 1}>"
        case Text(text, keyword):
            written = re.sub(r"[<>()\\]", r"\\\g<0>", text)
            if not keyword:
                return written
            counts["keyword"] += 1
            return f"{written}({counts['keyword'] - 1})"
        case Options(choices):
            inner = [
                f"<choice_{n}> {' '.join(_written(choice, counts))} </choice_{n}>" for n, choice in enumerate(choices)
            ]
            return f"<options> {' '.join(inner)} </options>"


def _bounds(low: int, high: int | None) -> str:
    return f"{low}" if low == high else f"{low}..{'' if high is None else high}"


class _ReiParser:
    def __init__(self, source: str) -> None:
        self._source, self._at = source, 0
        self._words: tuple[int, int | None] | None = None
        self._counts = {"mask": 0, "keyword": 0}

    def read(self) -> Instruction:
        self._space()
        whole = self._tag("expression")
        items = self._items(())
        if whole:
            self._close("expression")
            self._space()
        if self._at < len(self._source):
            raise self._error(
                "this has no place after the end" if whole else "nothing has been opened that this closes"
            )
        if not items and self._words is None:
            raise self._error("an instruction without content")
        return Instruction(items, self._words)

    def _items(self, within: tuple[str, ...]) -> tuple[Item | Space, ...]:
        """Items up to the next closing tag, or the end."""
        items: list[Item | Space] = []
        while True:
            if self._space():
                items.append(Space())
            tag = _TAG.match(self._source, self._at)
            if self._at >= len(self._source) or (tag and tag[1]):
                return _tidied(items)
            if tag is None:
                items += self._text()
            elif tag[2] == "length" and not within:
                self._length(tag)
            elif tag[2] in ("mask", "options"):
                items.append(self._mask(tag) if tag[2] == "mask" else self._options())
            else:
                raise self._error(
                    f"<{tag[2]}> cannot stand here" if tag[2] in _NAMES else f"there is no tag <{tag[2]}>"
                )

    def _text(self) -> list[Item | Space]:
        """Text up to the next tag; a number in brackets makes what is before it a keyword."""
        characters: list[str] = []
        while self._at < len(self._source):
            here = self._source[self._at]
            number = _NUMBER.match(self._source, self._at)
            if here == "\\":
                if self._source[self._at + 1 : self._at + 2] not in tuple("<>()\\"):
                    raise self._error(r"a backslash stands before <, >, (, ) or a backslash")
                characters.append(self._source[self._at + 1])
                self._at += 2
            elif number and "".join(characters).strip():
                self._numbered("keyword", int(number[1]))
                self._at = number.end()
                return [Text(_collapsed("".join(characters)), keyword=True)]
            elif here in "<>":
                if here == "<" and _TAG.match(self._source, self._at):
                    break
                raise self._error(f"{here!r} begins no tag; as text it is written \\{here}")
            else:
                characters.append(here)
                self._at += 1
        whole = "".join(characters)
        text: list[Item | Space] = [Text(_collapsed(whole))]
        return [*text, Space()] if whole[-1:].isspace() else text

    def _mask(self, tag: re.Match[str]) -> Mask:
        self._numbered("mask", None if tag[3] is None else int(tag[3]))
        self._at = tag.end()
        return Mask()

    def _options(self) -> Options:
        self._tag("options")
        choices: list[tuple[Item, ...]] = []
        self._space()
        while (tag := _TAG.match(self._source, self._at)) and tag[2] == "choice" and not tag[1]:
            if tag[3] is None or int(tag[3]) != len(choices):
                raise self._error(f"<choice_{len(choices)}> comes next")
            self._at = tag.end()
            choices.append(self._items(("choice",)))  # type: ignore[arg-type]
            self._close("choice", len(choices) - 1)
            self._space()
        if not choices:
            raise self._error("<options> holds <choice_0> .. </choice_0>, and perhaps others")
        self._close("options")
        return Options(tuple(choices))

    def _length(self, tag: re.Match[str]) -> None:
        found = _BOUNDS.match(tag[4] or "")
        if self._words is not None or found is None:
            what = "a second <length=..>" if found else "a length is a number or a range such as 5..12"
            raise self._error(what)
        low = int(found[1])
        high = low if found[2] is None else int(found[3]) if found[3] else None
        if high is not None and low > high:
            raise self._error(f"no number is at least {low} and at most {high}")
        self._words = low, high
        self._at = tag.end()

    def _numbered(self, kind: str, number: int | None) -> None:
        if number != self._counts[kind]:
            shown = f"<mask_{self._counts[kind]}>" if kind == "mask" else f"keyword number {self._counts[kind]}"
            raise self._error(f"{shown} comes next: they are numbered from 0 in the order in which they stand")
        self._counts[kind] += 1

    def _tag(self, name: str) -> bool:
        """Read an opening tag, if it stands here."""
        tag = _TAG.match(self._source, self._at)
        if tag is None or tag[1] or tag[2] != name:
            return False
        self._at = tag.end()
        return True

    def _close(self, name: str, number: int | None = None) -> None:
        shown = f"</{name}>" if number is None else f"</{name}_{number}>"
        if not self._source.startswith(shown, self._at):
            raise self._error(f"{shown} is missing")
        self._at += len(shown)

    def _space(self) -> bool:
        start = self._at
        while self._at < len(self._source) and self._source[self._at].isspace():
            self._at += 1
        return self._at > start

    def _error(self, what: str) -> GrammarSyntaxError:
        line = self._source.count("\n", 0, self._at) + 1
        column = self._at - (self._source.rfind("\n", 0, self._at) + 1) + 1
        return GrammarSyntaxError(
            f"instruction: {what} at line {line}, column {column}",
            line=line,
            column=column,
            excerpt=caret(self._source, self._at),
        )


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _tidied(items: list[Item | Space]) -> tuple[Item | Space, ...]:
    """White space only where it is one of text; masks that stand together as they are."""
    kept: list[Item | Space] = []
    for n, item in enumerate(items):
        if isinstance(item, Space):
            after = items[n + 1] if n + 1 < len(items) else Mask()
            if not kept or isinstance(kept[-1], Mask | Space) or isinstance(after, Mask | Space):
                continue
        kept.append(item)
    return tuple(kept)
