"""The grammar of a schema that has been read as rows: rows for the engine, rules of the algebra where rows are HARD."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from constrain.errors import LimitExceeded
from constrain.ir import schema_rows as r
from constrain.ir.grammar import Call, Grammar, Rule, Terminal
from constrain.ir.languages import Languages
from constrain.specs.json_schema import numbers, strings
from constrain.specs.json_schema.drafts import Draft
from constrain.specs.json_schema.formulas import FALSE, TRUE
from constrain.specs.json_schema.keywords import KEYWORDS, MINIMUM
from constrain.specs.json_schema.patterns import pattern
from constrain.specs.json_schema.reader import Formats, number_set, string_set
from constrain.specs.json_schema.rows import SchemaRows
from constrain.specs.json_schema.strings import StringSet

if TYPE_CHECKING:
    from constrain.specs.json_schema.lowering import SchemaLowering
    from constrain.specs.json_schema.texts import Texts


@dataclass(frozen=True, slots=True)
class RowRule:
    """The rule of a row. It equals no rule of the algebra, which named tuples of one number would."""

    row: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the terminals of a schema's rows are made with."""

    draft: Draft
    formats: Formats
    texts: Texts
    languages: Languages


class RowSource(Mapping[Hashable, Rule]):
    """The terminals that rows ask for, and the rules of the algebra, which are made when the first one is asked for."""

    def __init__(
        self,
        rows: SchemaRows,
        texts: Texts,
        formats: Formats,
        languages: Languages,
        lower: Callable[[], SchemaLowering],
    ) -> None:
        self.rows = rows
        self._asked = _Asked(rows.draft, formats, texts, languages)
        self._lower = lower
        self._terminals: dict[int, Terminal] = {}
        self._rows_of: dict[Hashable, int | None] = {}

    def grammar(self) -> Grammar:
        """The grammar of the texts of the schema's values. It has none if the root is empty, see `prune`."""
        unique = self.rows.has_unique_items
        root = RowRule(self.rows.root)
        return Grammar(self, root, cost=self._cost, source=self, remembers=unique, is_plain=True, rows=self)

    def prune(self) -> bool:
        """Find out which rows allow nothing; False if that takes too long."""
        return self.rows.prune(self._is_spec_empty, self._is_row_empty)

    def _is_spec_empty(self, spec: int) -> bool:
        kind = self.rows.spec(spec)[r.SPEC_KIND]
        if kind == r.NUMBER_SPEC and self.rows.spec(spec)[5]:  # some multiples cannot be written, which raises
            return not (self._numbers(self.rows.spec(spec)) and self.terminal(spec))
        if kind in (r.NUMBER_SPEC, r.LISTED_NUMBERS):
            return not self._numbers(self.rows.spec(spec))
        if kind == r.LISTED_STRINGS:
            return not self._strings(self.rows.spec(spec)).only
        return self._asked.languages.is_empty(self.terminal(spec).expr)

    def _is_row_empty(self, row: int) -> bool | None:
        try:
            return self.rules.is_empty(self._formula(row))
        except LimitExceeded:
            return None  # raised where generation gets there

    # ---------------------------------------------------------------------------------------------- terminals

    def terminal(self, spec: int) -> Terminal:
        """The terminal of a SPEC."""
        known = self._terminals.get(spec)
        if known is None:
            known = self._terminals[spec] = self._make(spec)
        return known

    def _make(self, spec: int) -> Terminal:
        texts, asked = self._asked.texts, self.rows.spec(spec)
        if spec < r.FIRST_SPEC:
            return texts.fixed(spec)
        match asked[r.SPEC_KIND]:
            case r.NUMBER_SPEC | r.LISTED_NUMBERS:
                return texts.number(self._numbers(asked))
            case r.STRING_SPEC | r.LISTED_STRINGS:
                return texts.string(self._strings(asked))
        return texts.names(self._names(asked))

    def _numbers(self, asked: list[int]) -> numbers.NumberSet:
        rows = self.rows
        if asked[r.SPEC_KIND] == r.LISTED_NUMBERS:
            listed = rows.value(asked[1])
            listed = listed if isinstance(listed, list) else [listed]
            some = [value for value in listed if not isinstance(value, bool | str) and value is not None]
            known = numbers.unite(*map(numbers.exactly, some))
            return numbers.intersect(known, numbers.INTEGERS) if asked[2] else known
        said = {KEYWORDS[MINIMUM + i]: rows.value(asked[1 + i]) for i in range(5) if asked[1 + i]}
        return number_set(numbers.INTEGERS if asked[6] else numbers.ALL, said, self._asked.draft.boolean_bounds)

    def _strings(self, asked: list[int]) -> StringSet:
        rows = self.rows
        if asked[r.SPEC_KIND] == r.LISTED_STRINGS:
            listed = rows.value(asked[1])
            return strings.words(
                [text for text in (listed if isinstance(listed, list) else [listed]) if isinstance(text, str)]
            )
        _, low, high, matching, form = asked[:5]
        said: dict[str, Any] = {"minLength": low} if low else {}
        said |= {"maxLength": high} if high >= 0 else {}
        said |= {"format": rows.value(form)} if form else {}
        said |= {"pattern": rows.value(matching)} if matching else {}
        return string_set(said, pattern(said["pattern"]) if matching else None, self._asked.formats)

    def _names(self, asked: list[int]) -> StringSet:
        rows, (kind, what, *_) = self.rows, asked
        match kind:
            case r.OTHER_NAMES:
                return StringSet(but=frozenset(rows.names(what)))
            case r.LOOSE_SPEC:
                return strings.words(rows.loose_names(what))
            case r.UNUSUAL_NAME:
                return strings.words([rows.value(what)])
        found = strings.language(pattern(rows.value(what)))
        return found if kind == r.NAMES_LIKE else strings.complement(found)

    # -------------------------------------------------------------------------------------- rules of the algebra

    @cached_property
    def rules(self) -> SchemaLowering:
        """The rules of the algebra of values, for all of the schema."""
        return self._lower()

    def _formula(self, row: int) -> int:
        if row < r.FIRST_ROW:
            return TRUE if row == r.ANYTHING_ROW else FALSE
        reader = self.rules.reader
        place = self.rows.place(row)
        return reader.child(reader.document.root, *place) if place else reader.root

    def rule(self, row: int) -> Hashable:
        """The name of the rule of a row."""
        return self.rules.value(self._formula(row))

    def row_of(self, name: Hashable) -> int | None:
        """The row that a rule stands for, if it is one; rules of the algebra stand for subschemas."""
        if isinstance(name, RowRule):
            return name.row
        if name not in self._rows_of:
            place = self.rules.place_of(name)
            self._rows_of[name] = None if place is None else self.rows.row_at(place)
        return self._rows_of[name]

    def weigh(self, spec_bytes: Callable[[int], float]) -> None:
        """Find out how long the shortest texts are, given those of SPECs."""
        self.rows.weigh(spec_bytes, lambda row: self.rules.cost(self.rule(row)))

    def by_rules(self) -> Grammar:
        """The same texts by the rules of the algebra alone."""
        return replace(self.rules.grammar(), source=None)

    def __getitem__(self, name: Hashable) -> Rule:
        if isinstance(name, RowRule):
            return Rule(Call(self.rules.value(self._formula(name.row)), lazy=True))
        return self.rules[name]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def _cost(self, name: Hashable) -> float:
        if isinstance(name, RowRule):
            return self.rows.size(name.row)
        return self.rules.cost(name)

    @property
    def nbytes(self) -> int:
        """See `Source.nbytes`."""
        made = vars(self).get("rules")
        return self.rows.nbytes + (0 if made is None else made.nbytes)

    def close(self) -> None:
        """See `Source.close`."""
        made = vars(self).get("rules")
        if made is not None:
            made.close()
        vars(self).clear()

    def __repr__(self) -> str:
        return f"<RowSource of {self.rows!r}>"
