"""Regular Expression Instructions as constraints: what a model is told in the prompt is also enforced.

>>> rei("<expression> <mask_0> lazy dog(0) <mask_1> <length=10> </expression>").render()
'<expression> <mask_0> lazy dog(0) <mask_1> <length=10> </expression>'
"""

from __future__ import annotations

from dataclasses import dataclass

from constrain.errors import SpecTypeError
from constrain.ir import expr as ir
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.base import Spec
from constrain.specs.length import Length
from constrain.specs.rei_text import Instruction, expression_of, parse_rei, render_rei


@dataclass(frozen=True, slots=True)
class Rei(Spec):
    """Outputs that an instruction describes; see `constrain.specs.rei_text` for the markup."""

    instruction: Instruction

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        """See `Spec.lower`."""
        body = expression_of(self.instruction)
        if self.instruction.words is None:
            return body
        counted = Length(words=self.instruction.words).lower(limits)
        return ir.And((body, counted)) if self.instruction.items else counted

    def render(self) -> str:
        """The instruction as markup, for a prompt."""
        return render_rei(self.instruction)


def rei(markup: str) -> Rei:
    """The output is as a Regular Expression Instruction says (Zheng et al. 2023).

    `<mask_0>` is any text, `lazy dog(0)` a keyword, other text itself, `<options>` holds alternatives in `<choice_0>`
    .. `</choice_0>`, `<length=10>` is the number of words. Raises GrammarSyntaxError with the position.

    >>> rei("<mask_0> dog(0) <mask_1>").render()
    '<expression> <mask_0> dog(0) <mask_1> </expression>'
    """
    if not isinstance(markup, str):
        raise SpecTypeError(f"rei() takes markup, not {type(markup).__name__} {markup!r:.40}")
    if any("\ud800" <= character <= "\udfff" for character in markup):
        raise SpecTypeError("rei(): the markup holds a lone surrogate, which cannot be written in UTF-8")
    return Rei(parse_rei(markup))
