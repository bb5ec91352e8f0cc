"""SQL as a checker: what SQLite says of a statement on the tables and columns that there are.

SQLite prepares the statement, as `EXPLAIN`, and never runs it. Of a text that may go on it says "incomplete input",
unless a token cannot stand where it is; the last token may become another, so what it could become is tried in its
place. SQLite looks up names when a statement is complete. Here they have to be known when they are written: names of
the schema, functions, and names that were introduced before.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from constrain.errors import ConstrainError
from constrain.sampling.checkers import TextChecker

_KEYWORDS = frozenset(
    """abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade
    case cast check collate column commit conflict constraint create cross current current_date current_time
    current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape
    except exclude exclusive exists explain fail false filter first following for foreign from full generated glob group
    groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key
    last left like limit match materialized natural no not nothing notnull null nulls of offset on or order others outer
    over partition plan pragma preceding primary query raise range recursive references regexp reindex release rename
    replace restrict returning right rollback row rows savepoint select set table temp temporary then ties to
    transaction trigger true unbounded union unique update using vacuum values view virtual when where window with
    without""".split()
)
_OPERATORS = ("||", "->>", "->", "<<", ">>", "<=", "<>", ">=", "==", "!=", *"-+*/%&|~<>=(),.;?")
_TOKEN = re.compile(
    rf"""(?P<blank>\s+)
    |(?P<comment>--[^\n]*(?P<line_end>\n)?|/\*(?:(?!\*/).)*(?P<comment_end>\*/)?)
    |(?P<string>[xX]?'(?:[^']|'')*(?P<string_end>')?)
    |(?P<quoted>(?P<quote>["`])(?:(?!(?P=quote)).|(?P=quote)(?P=quote))*(?P<quoted_end>(?P=quote))?
               |\[[^\]]*(?P<bracket>\])?)
    |(?P<number>0[xX][0-9a-fA-F]*|(?:[0-9]+\.?|\.[0-9])[0-9]*(?:[eE][+-]?[0-9]*)?)
    |(?P<name>[^\W\d][\w$]*)
    |(?P<operator>!(?!=)|{"|".join(map(re.escape, _OPERATORS))})
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_TABLE_FOLLOWS = {"from", "join", "into", "update"}
_COMPOUND = {"union", "intersect", "except", "with"}
_CLAUSES = {"where", "group", "having", "order", "limit"}
_FINAL = ("unrecognized token", "more than one statement", "a parameter")
"""Begin of what is wrong whatever follows."""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    ended: bool
    """Whether nothing can be added to it: brackets, quotes and comments that are closed."""

    @property
    def word(self) -> str:
        """Of names, as they are looked up."""
        return self.text.strip('"`[]').lower()

    @property
    def is_name(self) -> bool:
        return self.kind == "quoted" or (self.kind == "name" and self.word not in _KEYWORDS)


class Sql(TextChecker):
    """One statement that SQLite takes, on a database with a given schema.

    Names have to be known when they are written. Without `aliases`, that holds for `x` in `x.column`, too: it is a
    table, or was introduced before; with it, `x` may be any name, as in `SELECT u.name FROM users AS u`.

    >>> checker = Sql("CREATE TABLE users (id INTEGER, name TEXT)")
    >>> [checker.prefix(text) for text in ("SELECT na", "SELECT age", "SELECT name FROM us", "SELECT id FROM orders ")]
    [True, False, True, False]
    >>> checker.whole("SELECT name FROM users WHERE id = 1"), checker.whole("SELECT name FROM users WHERE")
    (True, False)
    """

    beyond_ascii = "é"

    def __init__(
        self,
        schema: str | sqlite3.Connection,
        *,
        statements: Collection[str] = ("select", "with"),
        aliases: bool = False,
    ) -> None:
        """`schema` is a script of CREATE statements, or a connection whose schema is copied."""
        self._statements = {statement.lower() for statement in statements}
        self._aliases = aliases
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._database.executescript(schema if isinstance(schema, str) else _script(schema))
        except sqlite3.Error as error:
            raise ConstrainError(f"Sql: SQLite does not take the schema: {error}") from error
        self._tables = _names(self._database, "SELECT name FROM pragma_table_list")
        self._columns = _names(
            self._database, "SELECT c.name FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c"
        ) | {"rowid", "oid", "_rowid_"}
        self._functions = _names(self._database, "SELECT name FROM pragma_function_list")
        self._database.set_authorizer(_may)

    def prefix(self, text: str) -> bool:
        """Whether a statement may begin like this, with names that are known."""
        tokens = list(_tokens(text))
        if not tokens:
            return True
        is_open = _is_open(tokens[-1], text)
        written = [token for token in tokens if token.kind not in ("blank", "comment")]
        if any(token.text == ";" for token in written[:-1]):
            return False
        known, named = self._knows(written, is_open)
        if not known or not self._may_begin(written, is_open):
            return False
        return any(map(self._goes_on, _continued(text, tokens[-1], named))) and self._resolves(text, written, is_open)

    def whole(self, text: str) -> bool:
        """Whether it is a statement that can be prepared, with names that are known."""
        written = [token for token in _tokens(text) if token.kind not in ("blank", "comment")]
        if not written or not self._may_begin(written, False) or not self._knows(written, False)[0]:
            return False
        return self._problem(text) == ""

    def __repr__(self) -> str:
        return f"Sql({len(self._tables)} tables)"

    def _may_begin(self, written: list[_Token], is_open: bool) -> bool:
        if not written:
            return True
        first = written[0].word
        partly = is_open and len(written) == 1
        return any(word.startswith(first) if partly else word == first for word in self._statements)

    def _goes_on(self, text: str) -> bool:
        problem = self._problem(text)
        return not problem.endswith(": syntax error") and not problem.startswith(_FINAL)

    def _problem(self, text: str) -> str:
        """What SQLite says against preparing a statement, or nothing."""
        try:
            self._database.execute(f"EXPLAIN {text}").close()
        except sqlite3.Warning:  # of older versions of Python: several statements
            return "more than one statement"
        except sqlite3.ProgrammingError as error:
            return "more than one statement" if "one statement" in str(error) else f"a parameter: {error}"
        except ValueError:  # NUL, half of a surrogate pair
            return "unrecognized token"
        except sqlite3.Error as error:
            return str(error) or "an error"
        return ""

    def _resolves(self, text: str, written: list[_Token], is_open: bool) -> bool:
        """Whether SQLite finds the names where no table can be added any more: before the outer WHERE, GROUP BY .., and
        behind it, if what is written there needs nothing but an operand and closing brackets."""
        depth, cut = 0, None
        closed = written[:-1] if is_open else written
        for token in closed:
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and token.kind == "name" and token.word in _CLAUSES and cut is None:
                cut = token.start
        words = [token.word for token in closed if token.kind == "name"]
        if cut is None or words[0] != "select" or _COMPOUND.intersection(words):
            return True
        tried = [text[:cut]]
        if words.count("select") == 1 and written[-1].text != ".":
            rest = text[: written[-1].start] if is_open else text
            tried += [f"{rest}{operand}{')' * depth}" for operand in ("\n", "\n1")]
        return not any(self._problem(one).startswith(("no such", "ambiguous")) for one in tried)

    def _knows(self, written: list[_Token], is_open: bool) -> tuple[bool, bool]:
        """Whether names are known; and of a last one that may go on, whether a known one begins like it."""
        if written and written[0].word == "with":
            return True, True  # SQLite looks at them in the end
        introduced: set[str] = set()
        for i, token in enumerate(written):
            is_last = is_open and i == len(written) - 1
            is_table = _is_table(written, i)
            if not token.is_name and not (token.kind == "name" and (is_last or is_table)):
                continue
            before = written[i - 1] if i else None
            known = self._tables if is_table else self._known(before, introduced)
            if before is not None and _introduces(before):
                introduced.add(token.word)
            elif is_last:
                begins = token.text.strip('"`[').lower()
                named = self._aliases or any(word.startswith(begins) for word in known - _KEYWORDS)
                return named or (token.kind == "name" and not is_table), named
            elif token.word not in known and not (self._aliases and _is_qualifier(written, i)):
                return False, False
        return True, True

    def _known(self, before: _Token | None, introduced: set[str]) -> set[str]:
        if before is not None and before.text == ".":
            return self._columns | introduced
        return self._tables | self._columns | self._functions | introduced


def _introduces(before: _Token) -> bool:
    """Whether a name behind this token is a new one: behind AS, or behind an expression or a table."""
    if before.word == "as" and before.kind == "name":
        return True
    ends_operand = before.is_name or before.kind in ("string", "number") or before.text == ")"
    return ends_operand or (before.kind == "name" and before.word in ("end", "null", "true", "false"))


def _is_table(written: list[_Token], i: int) -> bool:
    """Whether a name at this place is that of a table: some keywords can be, too. (Not in `a IS DISTINCT FROM b`.)"""
    if i == 0 or written[i - 1].kind != "name" or written[i - 1].word not in _TABLE_FOLLOWS:
        return False
    distinct = i > 1 and written[i - 2].word == "distinct"
    return not distinct and (written[i - 1].word, written[i].word) != ("update", "or")


def _is_qualifier(written: list[_Token], i: int) -> bool:
    return i + 1 < len(written) and written[i + 1].text == "."


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        for group in ("comment", "string", "quoted", "operator", "number", "name", "blank"):
            if match[group] is not None:
                kind = group
        closed = any(match[end] for end in ("line_end", "comment_end", "string_end", "quoted_end", "bracket"))
        yield _Token(kind, match[0], match.start(), closed)


def _is_open(token: _Token, text: str) -> bool:
    """Whether the last token could go on."""
    return token.kind != "blank" and not (token.kind == "quoted" and token.ended)


def _continued(text: str, last: _Token, named: bool) -> Iterator[str]:
    """The text with what its last token could be, or become: if `named`, a name that is no keyword, too."""
    before = text[: last.start]
    if last.kind == "blank":
        yield text
    elif last.kind == "comment":
        yield text if last.ended else before
    elif last.kind == "string":
        yield f"{before}''"
    elif last.kind == "quoted":
        yield text if last.ended else f'{before}"x"'
    elif last.kind == "operator":
        yield text
        yield from (before + longer for longer in _OPERATORS if longer.startswith(last.text) and longer != last.text)
        if last.text in "-/":
            yield before  # a comment
        if last.text == ".":
            yield f"{before}.0"
    elif last.kind == "number":
        yield text
        yield f"{text}0"
        yield f"{text}.0"
    elif last.kind == "name":
        if named:
            yield f"{text}_"
        yield from (before + word for word in sorted(_KEYWORDS) if word.startswith(last.word))
        if last.word == "x":
            yield f"{before}x''"
    else:
        yield text


def _may(action: int, *arguments: str | None) -> int:
    """Nothing that acts while a statement is prepared."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_ATTACH) else sqlite3.SQLITE_OK


def _script(database: sqlite3.Connection) -> str:
    statements: Iterable[tuple[str]] = database.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid"
    )
    return ";\n".join(statement for (statement,) in statements) + ";"


def _names(database: sqlite3.Connection, query: str) -> set[str]:
    return {name.lower() for (name,) in database.execute(query)}
