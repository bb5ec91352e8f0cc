"""Whether a formula has a value at all, so that what has none is left out and no prefix is a dead end.

Most subschemas cannot be empty, and `Plain` sees that without lowering them. What could clash is worked out here, down
to the members that are required.
"""

from __future__ import annotations

from collections.abc import Callable

from constrain.specs.json_schema.arrays import ArrayPlan
from constrain.specs.json_schema.formulas import FALSE, TRUE, Leaf
from constrain.specs.json_schema.objects import ObjectPlan
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.plain import Plain
from constrain.specs.json_schema.reader import Reader
from constrain.specs.json_schema.values import ArraySet, ObjectSet, Values


class Inhabited:
    """Answers for the formulas of one reader. `arrays` and `objects` make the automata of their sets."""

    def __init__(
        self, reader: Reader, arrays: Callable[[ArraySet], ArrayPlan], objects: Callable[[ObjectSet], ObjectPlan]
    ) -> None:
        self._reader, self._arrays, self._objects = reader, arrays, objects
        self._known: dict[int, bool] = {FALSE: True, TRUE: False}
        self._plain = Plain(reader.document)
        self._open: set[int] = set()
        """Formulas that are being looked at, each within the one before it."""
        self._doubtful: set[int] = set()
        """Formulas that are empty if those are that were open when they were looked at."""
        self._circular = False
        """Whether what has just been found out depends on these."""
        self._found = False
        """Whether some formula has turned out to have a value in this round."""

    def is_empty(self, formula: int) -> bool:
        """Whether no value is in a formula."""
        known = self._known.get(formula)
        if known is not None:
            return known
        node = self._reader.formulas[formula]
        if isinstance(node, Leaf) and not node.negated and isinstance(node.content, SchemaPlace):
            if self._plain.has_value(node.content):
                self._known[formula] = False
                return False
        return self._look(formula) if self._open else self._settle(formula)

    def _settle(self, formula: int) -> bool:
        """The least fixed point, by rounds: what was doubtful is empty once a round finds no formula with a value."""
        try:
            while True:
                self._doubtful.clear()
                self._found = False
                empty = self._look(formula)
                if not empty or not self._found:
                    break
            if empty:
                self._known.update(dict.fromkeys(self._doubtful, True))
            return empty
        finally:
            self._doubtful.clear()
            self._open.clear()

    def _look(self, formula: int) -> bool:
        """A formula within itself counts as empty: values are finite, so some value does without it, or none is."""
        if formula in self._open or formula in self._doubtful:
            self._circular = True
            return True
        outer, self._circular = self._circular, False
        self._open.add(formula)
        empty = self._is_void(self._reader.values(formula))
        self._open.discard(formula)
        if not empty:
            self._found = True
        if empty and self._circular:
            self._doubtful.add(formula)
        else:
            self._known[formula] = empty
        self._circular = outer or (empty and self._circular)
        return empty

    def _is_void(self, meant: Values) -> bool:
        if meant.null or meant.booleans or meant.numbers:
            return False
        if not meant.strings.is_empty(self._reader.algebra.languages):
            return False
        for array in meant.arrays:
            arrays = self._arrays(array)
            if arrays.is_alive(arrays.start()):
                return False
        for each in meant.objects:
            if self._objects(each).is_possible:
                return False
        return True
