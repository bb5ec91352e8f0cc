"""The grammars smiles, pgn, pddl, logic and brackets, against checkers written by hand, `python-chess` and `nltk`.

The checkers below work by loops, splits and stacks, and know nothing of the grammar files; they are meant to accept the
same texts, exactly. The libraries are more generous: whatever a grammar accepts, they must be able to read.
"""

from __future__ import annotations

import io
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library import accepts, altered, assert_enough_examples, rows, texts
from strategies import examples

DIGITS = "0123456789"


def is_number(text: str, most: int) -> bool:
    """A natural number without leading zeros, of so many digits at most."""
    return 0 < len(text) <= most and all(c in DIGITS for c in text) and (text == "0" or text[0] != "0")


def is_word(text: str, more: str) -> bool:
    """ASCII letters, digits and the characters given; a letter first."""
    return text.isascii() and text[:1].isalpha() and all(c.isalnum() or c in more for c in text)


def has_control(text: str, allowed: str = "") -> bool:
    return any((c < " " or c == "\x7f") and c not in allowed for c in text)


# ---- SMILES

ELEMENTS = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo
    Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl
    Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
""".split()
SYMBOLS = {*ELEMENTS, *"b c n o p s se as *".split()}
CHIRALITIES = {"@", "@@"} | {
    f"@{name}{i}" for name, count in dict(TH=2, AL=2, SP=3, TB=20, OH=30).items() for i in range(1, count + 1)
}


def cut(text: str, prefixes: set[str]) -> tuple[str, str]:
    """The longest of the prefixes that the text begins with, or nothing; and the rest."""
    prefix = max((p for p in prefixes if text.startswith(p)), key=len, default="")
    return prefix, text[len(prefix) :]


def bracket_atom(inside: str) -> bool:
    rest = inside.lstrip(DIGITS)
    isotope = inside[: len(inside) - len(rest)]
    symbol, rest = cut(rest, SYMBOLS)
    if not symbol or (isotope and (isotope[0] == "0" or len(isotope) > 3)):
        return False
    if symbol != "H":
        _, rest = cut(rest, CHIRALITIES)
        _, rest = cut(rest, {"H", *(f"H{digit}" for digit in DIGITS)})
    _, rest = cut(rest, {sign + count for sign in "+-" for count in ["", *map(str, range(1, 16))]})
    return not rest or (rest[0] == ":" and is_number(rest[1:], 5))


def smiles(text: str) -> bool:
    """One loop over the text; `last` says what stood before, `depth` counts the open branches."""
    i = depth = 0
    last = "start"
    while i < len(text):
        char, size = text[i], 1
        if char in "-=#$:/\\." and last in ("atom", "(", ")"):
            last = "bond of an atom" if last == "atom" and char != "." else "bond"
        elif char == "(" and last in ("atom", ")"):
            last, depth = "(", depth + 1
        elif char == ")" and last in ("atom", ")") and depth:
            last, depth = ")", depth - 1
        elif char in "%" + DIGITS and last in ("atom", "bond of an atom"):
            last, size = "atom", 3 if char == "%" else 1
            label = text[i : i + size].lstrip("%")
            if len(label) != max(1, size - 1) or label.strip(DIGITS):
                return False
        elif char == "[":
            inside, closing, _ = text[i + 1 :].partition("]")
            if not closing or not bracket_atom(inside):
                return False
            last, size = "atom", len(inside) + 2
        elif text[i : i + 2] in ("Cl", "Br"):
            last, size = "atom", 2
        elif char in "BCNOPSFIbcnops*":
            last = "atom"
        else:
            return False
        i += size
    return depth == 0 and last in ("atom", ")")


# ---- PGN

ROSTER = ["Event", "Site", "Date", "Round", "White", "Black", "Result"]
TITLES = {"GM", "IM", "FM", "CM", "WGM", "WIM", "WFM", "WCM", "NM", "-"}
RESULTS = {"1-0", "0-1", "1/2-1/2", "*"}


def is_date(value: str) -> bool:
    if [len(part) for part in value.split(".")] != [4, 2, 2]:
        return False
    year, month, day = value.split(".")
    return (
        (year == "????" or not year.strip(DIGITS))
        and (month == "??" or month in {f"{i:02}" for i in range(1, 13)})
        and (day == "??" or day in {f"{i:02}" for i in range(1, 32)})
    )


def is_elo(value: str) -> bool:
    return value in ("?", "-") or (is_number(value, 4) and len(value) >= 3)


def is_string(value: str) -> bool:
    plain = value.replace("\\\\", "").replace('\\"', "")
    return not has_control(value) and '"' not in plain and "\\" not in plain


TAGS = {
    **dict.fromkeys(["Annotator", "Opening", "Termination", "TimeControl", "Variation"], is_string),
    **dict.fromkeys(["BlackElo", "WhiteElo"], is_elo),
    **dict.fromkeys(["BlackTitle", "WhiteTitle"], TITLES.__contains__),
    "ECO": lambda value: len(value) == 3 and value[0] in "ABCDE" and not value[1:].strip(DIGITS),
    "EventDate": is_date,
    "PlyCount": lambda value: is_number(value, 4),
}


def result_of_tags(lines: list[str]) -> str | None:
    """What the tag Result says, if all tags are right."""
    tags = []
    for line in lines:
        name, _, value = line.partition(" ")
        if not (name.startswith("[") and len(value) > 2 and value.startswith('"') and value.endswith('"]')):
            return None
        tags.append((name[1:], value[1:-2]))
    names, more = [name for name, _ in tags[:7]], [name for name, _ in tags[7:]]
    if names != ROSTER or more != sorted(set(more)) or not TAGS.keys() >= set(more):
        return None
    rules = {**dict.fromkeys(ROSTER, is_string), "Date": is_date, "Result": RESULTS.__contains__, **TAGS}
    return tags[6][1] if all(rules[name](value) for name, value in tags) else None


def is_san(text: str, white: bool) -> bool:
    move = text.rstrip("!?")
    if len(text) - len(move) > 2:
        return False
    move = move[:-1] if move.endswith(("+", "#")) else move
    if move in ("O-O", "O-O-O"):
        return True
    chess = pytest.importorskip("chess")
    if not chess.SAN_REGEX.match(move):
        return False
    move, promotes, piece = move.partition("=")
    origin, target = move[:-2], move[-2:]
    if target not in chess.SQUARE_NAMES or not (piece in "QRBN" if promotes else piece == ""):
        return False
    if origin[:1] in "KQRBN" and origin:
        origin = origin[1:].removesuffix("x")
        named = {"", *chess.FILE_NAMES, *chess.RANK_NAMES, *chess.SQUARE_NAMES}
        return not promotes and origin in ({""} if move[0] == "K" else named)
    neighbours = origin == "" or (len(origin) == 2 and origin[1] == "x" and abs(ord(origin[0]) - ord(target[0])) == 1)
    last = "8" if white else "1"
    return neighbours and target[1] in ("34567" if white else "23456") + last and (target[1] == last) == bool(promotes)


PIECES = re.compile(r"(\{[^}]*\}|[1-9][0-9]{0,2}\.(?:\.\.)?|[()]|[^ \n(){}]+)( {1,2}|\n|)")


def pgn(text: str) -> bool:
    """Tags by lines; then tokens, with a stack of the lines of play that are open."""
    declared = None
    if text.startswith("["):
        head, _, text = text.partition("\n\n")
        declared = result_of_tags(head.split("\n"))
        if declared is None:
            return False
    tokens = PIECES.findall(text)
    if "".join(token + gap for token, gap in tokens) != text or not tokens:
        return False
    result, end = tokens.pop()
    if result not in RESULTS or declared not in (None, result) or end not in ("", "\n"):
        return False
    white, last, stack = True, "start", []  # who moves, what stood before, the same for the lines around
    marks = 0
    for i, (token, gap) in enumerate(tokens):
        following = tokens[i + 1][0] if i + 1 < len(tokens) else result
        moved = last in ("move", "mark", "remark")
        if token.startswith("{"):
            if last == "number" or has_control(token, "\n"):
                return False
            last = "start" if last == "start" else "remark"
        elif token == "(":
            if not moved:
                return False
            stack.append(white)
            white, last = not white, "start"
        elif token == ")":
            if not moved or not stack:
                return False
            white, last = stack.pop(), "remark"
        elif token.endswith(".") and token[0] in DIGITS:
            number = token.rstrip(".")
            point = "." if white else "..."
            if last == "number" or token != number + point or not is_number(number, 3) or number == "0":
                return False
            last = "number"
        elif token.startswith("$"):
            marks = marks + 1 if last == "mark" else 1
            if last not in ("move", "mark") or marks > 4 or not is_number(token[1:], 3) or int(token[1:]) > 255:
                return False
            last = "mark"
        else:
            if not (last == "number" or (moved and not white)) or not is_san(token, white):
                return False
            white, last = not white, "move"
        if gap == "" and last != "number" and token != "(" and following != ")":
            return False
    return not stack and last != "number"


# ---- PDDL plans


def is_time(text: str) -> bool:
    whole, point, part = text.partition(".")
    return is_number(whole, 9) and (not point or (0 < len(part) <= 9 and not part.strip(DIGITS)))


def pddl_step(code: str) -> str | None:
    """ "timed", "plain", or None if this is no step."""
    tokens = re.findall(r"[ \t]+|[^ \t()\[\]:]+|[()\[\]:]", code)
    if any(token.strip(" \t") == "" and len(token) > 8 for token in tokens):
        return None
    words = [token for token in tokens if token.strip(" \t")]
    kind = "plain"
    if words[1:2] == [":"]:
        kind = "timed"
        if not is_time(words[0]):
            return None
        words = words[2:]
        if words[-1:] == ["]"]:
            if words[-3:-2] != ["["] or not is_time(words[-2]):
                return None
            words = words[:-3]
    if words[:1] != ["("] or words[-1:] != [")"] or len(words) < 3:
        return None
    return kind if all(is_word(word, "-_") for word in words[1:-1]) else None


def pddl(text: str) -> bool:
    """A loop over the lines."""
    if text.startswith("\n") or "\n\n\n\n" in text or not text:
        return False
    kinds = set()
    for line in filter(None, text.split("\n")):
        code, semicolon, comment = line.partition(";")
        if has_control(comment, "\t"):
            return False
        if code:
            blanks = len(code) - len(code.rstrip(" \t"))
            if blanks > (8 if semicolon else 0) or code[0] in " \t":
                return False
            kinds.add(pddl_step(code))
    return None not in kinds and len(kinds) <= 1


# ---- first-order logic


class Wrong(Exception):
    """The formula breaks off here."""


# For nltk: its signs; words are marked below, because it reserves more of them.
SIGNS = {"∀": "forall", "∃": "exists", "¬": "-", "~": "-", "≠": "!=", "∧": "&", "∨": "|", "→": "->", "↔": "<->"}


class Formula:
    """Recursive descent over one line; precedence does not matter for what is a formula. `read` is for nltk."""

    def __init__(self, line: str) -> None:
        if line != line.strip() or "   " in line:
            raise Wrong
        found = re.findall(r"( *)([A-Za-z0-9_]+|<->|->|!=|.)", line, re.DOTALL)
        self.tokens = [(token, bool(space)) for space, token in found] + [("", False)]
        self.read: list[str] = []
        self.formula()
        if self.tokens[0][0]:
            raise Wrong

    def next(self) -> str:
        return self.tokens[0][0]

    def spaced(self) -> bool:
        return self.tokens[0][1]

    def take(self, *allowed: str) -> str:
        if allowed and self.next() not in allowed:
            raise Wrong
        token = self.tokens.pop(0)[0]
        self.read.append(SIGNS.get(token, token))
        return token

    def formula(self) -> None:
        self.unary()
        while self.next() in ("∧", "&", "∨", "|", "→", "->", "↔", "<->"):
            self.take()
            self.unary()

    def unary(self) -> None:
        token = self.next()
        if token in ("¬", "~"):
            self.take()
            self.unary()
        elif token == "(":
            self.take()
            self.formula()
            self.take(")")
        elif token in ("∀", "∃", "forall", "exists"):
            self.quantified()
        elif token[:1].isupper():
            self.take()
            self.arguments()
        else:
            self.term()
            self.take("=", "≠", "!=")
            self.term()

    def quantified(self) -> None:
        word = self.take().isascii()
        if word and not self.spaced():
            raise Wrong
        self.variable()
        while self.next() == ",":
            self.tokens.pop(0)
            self.variable()
        self.read.append(".")
        if self.next() == ".":
            self.tokens.pop(0)
        elif not self.spaced():  # glued: no term may follow
            token = self.next()
            if not (token in ("(", "¬", "~", "∀", "∃", "forall", "exists") or token[:1].isupper()):
                raise Wrong
        self.unary()

    def variable(self) -> None:
        """One letter, up to three digits; what is left of the word goes back."""
        token = self.take()
        name = re.match("[a-z][0-9]{0,3}", token)
        if name is None:
            raise Wrong
        self.read[-1] = name[0]
        if name.end() < len(token):
            self.tokens.insert(0, (token[name.end() :], False))

    def term(self) -> None:
        token = self.take()
        if token[:1] in DIGITS and token:
            if not is_number(token, 9):
                raise Wrong
            return
        if not (is_word(token, "_") and token[0].islower()) or token in ("forall", "exists"):
            raise Wrong
        if len(token) > 1 or self.next() == "(":
            self.read[-1] = f"word_{token}"  # a letter alone is a variable
        self.arguments()

    def arguments(self) -> None:
        if self.next() == "(" and not self.spaced():
            self.take()
            self.term()
            while self.take(",", ")") == ",":
                self.term()


def logic(text: str) -> bool:
    lines = text.split("\n")
    if lines[0] == "" or "\n\n\n" in text:
        return False
    try:
        return all(Formula(line) for line in lines if line)
    except Wrong:
        return False


# ---- constituency trees

PHRASES = """
    S SBAR SBARQ SINV SQ ADJP ADVP CONJP FRAG INTJ LST NAC NP NX PP PRN PRT QP RRC UCP VP WHADJP WHADVP WHNP WHPP X
""".split()
FUNCTIONS = "ADV BNF CLF CLR DIR DTV EXT HLN LGS LOC MNR NOM PRD PRP PUT SBJ TMP TPC TTL VOC".split()
WORD_TAGS = """
    CC CD DT EX FW IN JJ JJR JJS LS MD NN NNS NNP NNPS PDT POS PRP PRP$ RB RBR RBS RP SYM TO UH VB VBD VBG VBN VBP VBZ
    WDT WP WP$ WRB
""".split()
OTHER_TAGS = {
    ",": [","],
    ".": [".", "?", "!"],
    ":": [":", ";", "-", "--", "..."],
    "``": ["`", "``", '"', "“", "‘"],
    "''": ["'", "''", '"', "”", "’"],
    "-LRB-": ["-LRB-", "-LCB-", "-LSB-"],
    "-RRB-": ["-RRB-", "-RCB-", "-RSB-"],
    "$": ["$", "€", "£", "¥", "US$", "C$", "A$", "HK$"],
    "#": ["#"],
}
INDICES = list(map(str, range(1, 100)))


def is_label(label: str) -> bool:
    label, gapped, gap = label.partition("=")
    phrase, *parts = label.split("-")
    if parts and parts[-1] in INDICES:
        parts.pop()
    return phrase in PHRASES and len(parts) <= 4 and set(parts) <= set(FUNCTIONS) and (not gapped or gap in INDICES)


def is_leaf(tag: str, word: str) -> bool:
    if tag == "-NONE-":
        name, _, index = word.partition("*-")
        bare = name.removeprefix("*") if index else word.strip("*")
        if index:
            return index in INDICES and name in ("", "*T", "*EXP", "*ICH", "*RNR", "*PPA")
        return word in ("0", "*") or (word == f"*{bare}*" and bare in "T U EXP ICH RNR PPA NOT PRO ?".split())
    if tag in WORD_TAGS:
        return word != "" and not any(c.isspace() or has_control(c) or "\x80" <= c <= "\x9f" for c in word)
    return word in OTHER_TAGS.get(tag, [])


def gap_at(text: str, i: int) -> int:
    """Where the white space that begins here ends: a space, or a line end and up to 120 spaces."""
    if text[i : i + 1] == "\n":
        i += 1
        for _ in range(120):
            i += text[i : i + 1] == " "
        return i
    return i + (text[i : i + 1] == " ")


def tree_at(text: str, i: int, root: bool = False) -> int:
    """Where the tree that begins here ends; ValueError if there is none."""
    start, closing = i + 1, re.compile("[()]").search(text, i + 1)
    if text[i : i + 1] != "(" or closing is None:
        raise ValueError
    if text[closing.start()] == ")":
        tag, _, word = text[start : closing.start()].partition(" ")
        if root or not is_leaf(tag, word):
            raise ValueError
        return closing.end()
    label = text[start : closing.start()].rstrip(" \n")
    wrapper = root and label in ("", "ROOT", "TOP")
    if not (wrapper or is_label(label)):
        raise ValueError
    i, children = gap_at(text, start + len(label)), 0
    while text[i : i + 1] != ")":
        i = gap_at(text, tree_at(text, i, wrapper and label_of(text, i) not in ("", "ROOT", "TOP")))
        children += 1
    if children == 0 or (wrapper and children > 1):
        raise ValueError
    return i + 1


def label_of(text: str, i: int) -> str:
    return re.split(r"[ \n()]", text[i + 1 :], maxsplit=1)[0]


def brackets(text: str) -> bool:
    """Tree after tree, one or two line ends between them."""
    i = 0
    try:
        while i < len(text):
            i = tree_at(text, i, root=True)
            after = len(text[i:]) - len(text[i:].lstrip("\n"))
            if after > 2 or (after == 0 and i < len(text)):
                return False
            i += after
    except ValueError:
        return False
    return text != ""


# ---- the tests

CHECKERS = {"smiles": smiles, "pgn": pgn, "pddl": pddl, "logic": logic, "brackets": brackets}
ALPHABETS = {
    "smiles": "CNOcno123%()[]=#.@H+-:Clr*/",
    "pgn": 'abch1345678NKQRBO-x+#=!?$.(){} \n*0[]"\\',
    "pddl": "ab-_ 019.:;()[]\n\t",
    "logic": "xyP1f(),. ∀∃¬~∧&→->=\n≠",
    "brackets": "SNPVBDT-=1() .,$*`'\nx",
}


def read_by_library(name: str, text: str) -> None:
    """Let nltk read what a grammar accepts; it raises an error if it cannot."""
    if name == "logic":
        parser = pytest.importorskip("nltk.sem.logic").LogicParser
        for line in filter(None, text.split("\n")):
            parser().parse(" ".join(Formula(line).read))
    if name == "brackets":
        assert len(pytest.importorskip("nltk.tree").Tree.fromstring(f"(FILE {text})")) >= 1


@pytest.mark.parametrize("name", CHECKERS)
def test_examples(name: str) -> None:
    """Grammar and checker accept the accepted examples and reject the others."""
    for row in rows(name):
        text = str(row["text"])
        assert CHECKERS[name](text) is row["accepted"], row
        assert accepts(name, text) is row["accepted"], row
        if row["accepted"]:
            read_by_library(name, text)


@pytest.mark.parametrize("name", CHECKERS)
def test_there_are_enough_examples(name: str) -> None:
    """There are texts of each kind."""
    assert_enough_examples(name)


@pytest.mark.parametrize("name", CHECKERS)
@examples(400)
@given(seed=st.integers(0, 2**32))
def test_mutations(name: str, seed: int) -> None:
    """Examples with a few characters changed, and pieces of two of them joined: grammar and checker agree."""
    text = altered(random.Random(seed), name, 400, ALPHABETS[name])
    accepted = accepts(name, text)
    assert accepted == CHECKERS[name](text), text
    if accepted:
        read_by_library(name, text)


def test_games_are_legal() -> None:
    """The accepted games are games: python-chess replays them, variations too, and finds the same result."""
    pgn = pytest.importorskip("chess.pgn")
    for text in texts("pgn", True):
        game = pgn.read_game(io.StringIO(text))
        assert game is not None and game.errors == [], text
        assert text.removesuffix("\n").endswith(game.headers["Result"])
        written = re.sub(r"\{[^}]*\}", "", text.rpartition("]\n\n")[2])
        assert len(re.findall(r"[KQRBNOa-h][-a-hxO1-8]+", written)) == moves_in(game)


def moves_in(node: Any) -> int:
    """The moves after a node of a game, variations too."""
    return sum(1 + moves_in(child) for child in node.variations)
