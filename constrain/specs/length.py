"""How long an output is, in tokens, characters, words, sentences and paragraphs.

>>> length(words=(5, 12), sentences=1)
Length(tokens=None, chars=None, words=(5, 12), sentences=(1, 1), paragraphs=None)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from constrain.errors import LimitExceeded, SpecTypeError, UnsatisfiableError, UnsupportedError
from constrain.ir import expr as ir
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.base import Conjunction, Spec
from constrain.specs.units import UNITS, counted

Bounds = tuple[int, int | None]
"""The least and the largest number; None is without bound."""


@dataclass(frozen=True, slots=True)
class Length(Spec):
    """Outputs by their length. See `constrain.specs.units` for what words, sentences and paragraphs are.

    `tokens` are those of the output, EOS left out. They are counted for the output as a whole only.
    """

    tokens: Bounds | None = None
    chars: Bounds | None = None
    words: Bounds | None = None
    sentences: Bounds | None = None
    paragraphs: Bounds | None = None

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        """See `Spec.lower`. Raises UnsupportedError for tokens: what they are is up to a vocabulary."""
        if self.tokens is not None:
            raise UnsupportedError(
                "length(tokens=..) counts the tokens of the whole output, so that it goes with '&' only, not inside of "
                "'|' or '+'; chars=, words= and sentences= can be used everywhere"
            )
        given = [(unit, bounds) for unit in UNITS if (bounds := getattr(self, unit)) is not None]
        for unit, (low, high) in given:
            if max(low, high or 0) > limits.repeat:
                raise LimitExceeded("repeat", max(low, high or 0), limits.repeat, f"a length in {unit}")
        parts = [counted(unit, low, high) for unit, (low, high) in given if unit != "chars"]
        low, high = self.chars or (0, None)
        if high is not None or not parts:
            parts.append(counted("chars", 0 if parts else low, high))
        whole = ir.And(tuple(parts)) if len(parts) > 1 else parts[0]
        # White space at the end makes every text longer, and changes nothing of the rest.
        return ir.Towards(whole, counted("chars", low, None)) if low and len(given) > 1 else whole

    @property
    def is_regular(self) -> bool:
        """Whether it counts something else than tokens."""
        return any(getattr(self, unit) is not None for unit in UNITS)


def length(
    *,
    tokens: int | tuple[int | None, int | None] | None = None,
    chars: int | tuple[int | None, int | None] | None = None,
    words: int | tuple[int | None, int | None] | None = None,
    sentences: int | tuple[int | None, int | None] | None = None,
    paragraphs: int | tuple[int | None, int | None] | None = None,
) -> Length:
    """The output is of some length: a number, or a range of them (both ends count, None is without bound).

    tokens: of the output, EOS left out. chars: Unicode code points. words: runs between white space that have a letter
    or a digit. sentences: ending with `.`, `!` or `?` before white space or the end; the text consists of whole ones.
    paragraphs: parted by blank lines. `constrain.specs.units` defines them.

    Raises SpecTypeError if something is no range, UnsatisfiableError if a range is empty.

    >>> length(tokens=(3, 40), chars=(None, 280)).chars
    (0, 280)
    """
    given = {"tokens": tokens, "chars": chars, "words": words, "sentences": sentences, "paragraphs": paragraphs}
    bounds = {unit: _bounds(unit, value) for unit, value in given.items() if value is not None}
    if not bounds:
        raise SpecTypeError("length() of nothing: pass tokens=, chars=, words=, sentences= or paragraphs=")
    spec = Length(**bounds)
    _check_together(spec)
    return spec


def _bounds(unit: str, given: object) -> Bounds:
    pair = (given, given) if isinstance(given, int) else given
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise SpecTypeError(
            f"length({unit}=..) takes a number or a pair of numbers, not {type(given).__name__} {given!r:.40}"
        )
    for bound in pair:
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
            raise SpecTypeError(
                f"length({unit}=..) has the bound {bound!r:.40}; it is an integer, or None for no bound"
            )
    low, high = pair[0] or 0, pair[1]
    if low < 0 or (high is not None and high < 0):
        raise UnsatisfiableError(f"length({unit}={given!r:.40}): no length is less than 0")
    if high is not None and low > high:
        raise UnsatisfiableError(f"length({unit}={given!r:.40}): no number is at least {low} and at most {high}")
    return low, high


_NEEDED = (
    ("words", "chars", 2, 1),
    ("sentences", "chars", 2, 1),
    ("paragraphs", "chars", 3, 2),
)
"""How many of the second n of the first take at least: the third for each but the last, which gives back the fourth."""


def _check_together(spec: Length) -> None:
    """Raise UnsatisfiableError for lengths that no text has all of."""
    for unit, other, each, last in _NEEDED:
        counted_low, bound = getattr(spec, unit), getattr(spec, other)
        if counted_low is None or bound is None or bound[1] is None or not counted_low[0]:
            continue
        needed = each * counted_low[0] - last
        if needed > bound[1]:
            raise UnsatisfiableError(
                f"length: {counted_low[0]} {unit} take {needed} {other} or more, and {bound[1]} are allowed"
            )


def without_tokens(spec: Spec) -> tuple[Bounds | None, Spec]:
    """The number of tokens that a constraint asks for, None if it does not, and what else it does."""
    parts = spec.parts if isinstance(spec, Conjunction) else (spec,)
    counts = [part.tokens for part in parts if isinstance(part, Length) and part.tokens is not None]
    if not counts:
        return None, spec
    low = max(low for low, _ in counts)
    high = min((high for _, high in counts if high is not None), default=None)
    if high is not None and low > high:
        raise UnsatisfiableError(f"no number of tokens is at least {low} and at most {high}")
    left = [replace(part, tokens=None) if isinstance(part, Length) else part for part in parts]
    left = [part for part in left if not isinstance(part, Length) or part.is_regular]
    if not left:
        return (low, high), Length(chars=(0, None))
    return (low, high), left[0] if len(left) == 1 else Conjunction(tuple(left))
