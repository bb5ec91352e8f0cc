"""Constrained decoding: make a language model's output obey a constraint, exactly.

    import constrain

    vocab = constrain.Vocabulary.from_transformers(tokenizer)
    automaton = constrain.Compiler(vocab).compile(constrain.regex(r"\\d{4}-\\d{2}-\\d{2}"))
    model.generate(**inputs, logits_processor=[automaton.logits_processor()])

Words that mean one thing everywhere in the package:

    spec         a constraint, as its user writes it: frozen, without tokens (`constrain.spec`)
    expression   a regular language over bytes (`constrain.ir.expr`); interned in the store, it has an id, its *node*
    byte         what text is made of, UTF-8; a *character* is a Unicode code point
    token        what a model emits: an id of the vocabulary, which spells bytes
    state        what may follow a prefix, seen by one vocabulary (`constrain.states`): an expression for a regular
                 constraint, rows of the recogniser for a grammar
    phrase       text that an output must hold, or must not; a *clause* asks for one of some (`constrain.lexical`)
    unit         what the length of an output is counted in: tokens, or characters, words, sentences, paragraphs, which
                 `constrain.frontends.units` defines
    terminal     a regular language, the unit that the rules of a grammar are made of (`constrain.ir.grammar`)
    lexer        reads all terminals that may come next; its state is a node, too (`constrain.automata.lexer`)
    row          a place in a text as far as its grammar cares (`constrain.automata.rows`)
    mask         the set of tokens allowed in a state: one bit a token, 1 = allowed
    automaton    a spec bound to a vocabulary; a *matcher* walks it, one for each sequence
    checker      says of a text whether it can still be completed, and whether it is complete (`constrain.sampling`)
    particle     one of several texts that are written side by side, with a *weight*: what it counts for

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
from constrain.length import length
from constrain.lexical import Clause, Phrase, lexical
from constrain.limits import Limits
from constrain.rei import rei
from constrain.schema import from_response_format, json_schema
from constrain.spec import Spec, choice, grammar, grammar_file, regex

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton, allocate_bitmask, fill_bitmasks
    from constrain.compiler import Compiler, clear_caches
    from constrain.matcher import Explanation, Matcher
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
    "Explanation": "matcher",
    "Matcher": "matcher",
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
