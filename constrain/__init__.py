"""Constrained decoding: make a language model's output obey a constraint, exactly.

    import constrain

    vocab = constrain.Vocabulary.from_transformers(tokenizer)
    automaton = constrain.Compiler(vocab).compile(constrain.regex(r"\\d{4}-\\d{2}-\\d{2}"))
    model.generate(**inputs, logits_processor=[automaton.logits_processor()])

Words that mean one thing everywhere in the package:

    spec           a constraint, as its user writes it: frozen, without tokens (`constrain.specs`)
    byte           UTF-8 text is made of bytes; a *character* is a Unicode code point
    token          an id of the vocabulary, which spells bytes; models emit tokens
    expression     a regular language over bytes (`constrain.ir.expr`); a *DFA state* is what is left of one
    terminal       a regular language that the rules of a grammar are made of (`constrain.ir.grammar`)
    item           a terminal in progress, and what follows it; an *Earley set* is all items at one place of a text
    continuation   the places that a rule returns to when it is complete
    state          what may follow a prefix: an Earley set, with what else a kind of constraint knows
    mask           the set of tokens allowed in a state: one bit a token, 1 = allowed
    automaton      a spec bound to a vocabulary; a *matcher* walks it, one for each sequence
    phrase         text that an output must hold, or must not; a *clause* asks for one of some
    unit           tokens, characters, words, sentences or paragraphs: the length of an output is counted in one
    checker        tells of a text whether it can still be completed, and whether it is complete (`constrain.sampling`)
    particle       one of several texts that are written side by side, with a *weight*

Importing this package imports neither torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from constrain.errors import (
    CheckerError,
    ConflictError,
    ConstrainError,
    GrammarSyntaxError,
    LimitExceeded,
    SchemaError,
    SpecTypeError,
    TerminatedError,
    TokenError,
    UnsatisfiableError,
    UnsupportedError,
    VocabularyError,
)
from constrain.limits import Limits
from constrain.specs.base import Spec, choice, regex
from constrain.specs.grammars import grammar, grammar_file
from constrain.specs.length import length
from constrain.specs.lexical import Clause, Phrase, lexical
from constrain.specs.rei import rei
from constrain.specs.schema import from_response_format, json_schema

if TYPE_CHECKING:
    from constrain.automaton import Matcher, TokenAutomaton, allocate_bitmask, fill_bitmasks
    from constrain.compiler import Compiler, clear_caches
    from constrain.explanation import Explanation
    from constrain.vocab.vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "CheckerError",
    "Clause",
    "Compiler",
    "ConflictError",
    "ConstrainError",
    "Explanation",
    "GrammarSyntaxError",
    "LimitExceeded",
    "Limits",
    "Matcher",
    "Phrase",
    "SchemaError",
    "Spec",
    "SpecTypeError",
    "TerminatedError",
    "TokenAutomaton",
    "TokenError",
    "UnsatisfiableError",
    "UnsupportedError",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "allocate_bitmask",
    "choice",
    "clear_caches",
    "fill_bitmasks",
    "from_response_format",
    "grammar",
    "grammar_file",
    "json_schema",
    "length",
    "lexical",
    "regex",
    "rei",
]

_HOME = {
    "Compiler": "compiler",
    "Explanation": "explanation",
    "Matcher": "automaton",
    "TokenAutomaton": "automaton",
    "Vocabulary": "vocab.vocabulary",
    "allocate_bitmask": "automaton",
    "clear_caches": "compiler",
    "fill_bitmasks": "automaton",
}


def __getattr__(name: str) -> Any:
    """Import what brings numba or numpy when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
