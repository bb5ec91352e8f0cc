"""The engines behind one small protocol, each called in the quickest way that its own Python interface offers.

Every adapter takes a pattern as it is written and either compiles it or raises: nothing is translated, so that what an
engine does not support is recorded as a refusal. Grammars are the exception: engines read different syntaxes, so each
says with `source` what it reads of a grammar (`benchmarks.render` writes it).

`fill` writes into an int32 bitmask that the adapter allocates once; its address is taken once as well, because asking
numpy for it costs more than some masks do.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks import render
from constrain.ir.grammar import Grammar


class Refused(Exception):
    """The engine does not take this pattern; the message is its own."""


class Fault(Exception):
    """The engine took the pattern or grammar and then got a text of it wrong."""


class Engine(Protocol):
    """What the benchmark asks of an engine."""

    name: str
    package: str  # what has to be installed
    size: int  # of the vocabulary, known after `load`

    def load(self, tokenizer_dir: Path) -> None:
        """Read the vocabulary; not timed."""

    def compile(self, pattern: str) -> Any:
        """A matcher at the start of the pattern. Raises if the engine does not take it."""

    def fill(self, matcher: Any) -> None:
        """Write the mask of the tokens that may come next into the engine's own bitmask."""

    def commit(self, matcher: Any, token: int) -> bool:
        """Move by one token; False if the engine says that the token may not come here."""

    def permits(self, token: int) -> bool:
        """Whether the last mask has this token; not timed."""

    def allowed(self) -> NDArray[np.bool_]:
        """The last mask as one bool a token; not timed."""

    def trouble(self, matcher: Any) -> str:
        """What the engine says is wrong with a matcher, if it says anything; not timed."""

    def clear(self) -> None:
        """Forget everything learnt from earlier patterns, where the engine remembers anything."""


class GrammarEngine(Engine, Protocol):
    """What the benchmarks of grammars ask of an engine."""

    def source(self, path: Path) -> Any:
        """What `compile_grammar` takes for the grammar in a file; not timed. Raises Unrenderable."""

    def compile_grammar(self, source: Any) -> Any:
        """A grammar to whatever the engine shares between texts. Raises if the engine does not take it."""

    def begin(self, compiled: Any) -> Any:
        """A matcher at the start of a text; the last one of the same grammar is not used any more. Not timed."""

    def rollback(self, matcher: Any, count: int) -> bool:
        """Take back tokens; False if the engine does not."""


class Masked:
    """The bitmask of an engine: bit i of word i // 32, least significant first."""

    def allocate(self, size: int) -> None:
        """Room for `size` tokens."""
        self.size = size
        self.mask = np.zeros((1, (size + 31) // 32), np.int32)
        self.address, self.nbytes = self.mask.ctypes.data, self.mask.nbytes

    def permits(self, token: int) -> bool:
        """Whether the last mask has this token."""
        return token < self.size and bool(int(self.mask[0, token >> 5]) >> (token & 31) & 1)

    def allowed(self) -> NDArray[np.bool_]:
        """The last mask as one bool a token."""
        bits = np.unpackbits(self.mask[0].view(np.uint8), bitorder="little")
        return bits[: self.size].astype(np.bool_)

    def trouble(self, matcher: Any) -> str:
        """Nothing is ever said."""
        return ""

    def clear(self) -> None:
        """Nothing is remembered between patterns."""


class Constrain(Masked):
    """This package."""

    name = package = "constrain"

    def load(self, tokenizer_dir: Path) -> None:
        """Read the vocabulary and make a compiler for it."""
        import constrain

        vocabulary = constrain.Vocabulary.from_pretrained(tokenizer_dir)
        self.regex, self.grammar_file = constrain.regex, constrain.grammar_file
        self.clear_caches = constrain.clear_caches
        self.compiler = constrain.Compiler(vocabulary)
        self.allocate(vocabulary.size)
        self.mask = constrain.allocate_bitmask(1, vocabulary.size)

    def compile(self, pattern: str) -> Any:
        """Pattern to matcher, errors of the package passed on."""
        return self.compiler.compile(self.regex(pattern)).matcher()

    def fill(self, matcher: Any) -> None:
        """The documented call, row 0."""
        matcher.fill_bitmask(self.mask, 0)

    def commit(self, matcher: Any, token: int) -> bool:
        """The documented call."""
        return bool(matcher.accept_token(token))

    def source(self, path: Path) -> Path:
        """The file itself."""
        return path

    def compile_grammar(self, source: Path) -> Any:
        """File to automaton, read anew."""
        return self.compiler.compile(self.grammar_file(source))

    def begin(self, compiled: Any) -> Any:
        """A new matcher of the automaton."""
        return compiled.matcher()

    def rollback(self, matcher: Any, count: int) -> bool:
        """The documented call."""
        matcher.rollback(count)
        return bool(matcher.num_accepted == 0)

    def clear(self) -> None:
        """Empty the stores that all patterns of the process share, and read the tries of the vocabulary again."""
        from constrain import regex

        self.clear_caches()
        self.compiler.compile(regex("a")).matcher().allowed_token_ids()


class Llguidance(Masked):
    """llguidance: a Rust lexer by derivatives, a mask computed at every token."""

    name = package = "llguidance"

    def load(self, tokenizer_dir: Path) -> None:
        """Wrap the Hugging Face tokenizer, with the default slices."""
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self.matcher = LLMatcher
        self.tokenizer = from_tokenizer(pretrained(tokenizer_dir))
        self.allocate(self.tokenizer.vocab_size)

    def compile(self, pattern: str) -> Any:
        """A new matcher; llguidance reports a bad pattern as a matcher in an error state."""
        return self.checked(self.matcher.grammar_from_regex(pattern))

    def checked(self, grammar: str) -> Any:
        """A matcher that is not in an error state."""
        matcher = self.matcher(self.tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise Refused(matcher.get_error())
        return matcher

    def source(self, path: Path) -> str:
        """Its own dialect of Lark; without the option, ignored text may not come first."""
        return '%llguidance {"allow_initial_skip": true}\n' + render.lark(parsed(path))

    def compile_grammar(self, source: str) -> list[Any]:
        """A matcher, in a cell in which `begin` can put another, and what it was made from."""
        grammar = self.matcher.grammar_from_lark(source)
        return [self.checked(grammar), grammar]

    def begin(self, compiled: list[Any]) -> Any:
        """The same matcher, taken back: it keeps the states of its lexer. After an error a new one is needed."""
        if compiled[0].is_error() or not compiled[0].reset():
            compiled[0] = self.checked(compiled[1])
        return compiled[0]

    def rollback(self, matcher: Any, count: int) -> bool:
        """The documented call."""
        return bool(matcher.rollback(count))

    def fill(self, matcher: Any) -> None:
        """What `llguidance.numpy.fill_next_token_bitmask` does once it has the address: about 1 us less."""
        matcher.unsafe_compute_mask_ptr(self.address, self.nbytes)

    def commit(self, matcher: Any, token: int) -> bool:
        """False also stands for an engine that has given up."""
        return bool(matcher.consume_token(token))

    def trouble(self, matcher: Any) -> str:
        """The error of a matcher that has given up, and why it thinks that it is done."""
        return f"({matcher.stop_reason()}) {matcher.get_error()}"


class XGrammar(Masked):
    """xgrammar: a pushdown automaton over bytes; most of each mask is computed when a grammar is compiled."""

    name = package = "xgrammar"

    def load(self, tokenizer_dir: Path) -> None:
        """Wrap the Hugging Face tokenizer; a compiler that keeps nothing between grammars."""
        import xgrammar

        info = xgrammar.TokenizerInfo.from_huggingface(pretrained(tokenizer_dir))
        self.matcher = xgrammar.GrammarMatcher
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=os.cpu_count() or 1, cache_enabled=False)
        self.allocate(info.vocab_size)

    def compile(self, pattern: str) -> Any:
        """A new matcher. What is wrong with a pattern comes as a RuntimeError."""
        try:
            return self.matcher(self.compiler.compile_regex(pattern))
        except RuntimeError as error:
            raise Refused(str(error)) from error

    def source(self, path: Path) -> str:
        """GBNF."""
        return render.ebnf(parsed(path))

    def compile_grammar(self, source: str) -> Any:
        """GBNF to a compiled grammar."""
        try:
            return self.compiler.compile_grammar(source)
        except RuntimeError as error:
            raise Refused(str(error)) from error

    def begin(self, compiled: Any) -> Any:
        """A new matcher of the compiled grammar."""
        return self.matcher(compiled)

    def fill(self, matcher: Any) -> None:
        """The documented call. It takes a numpy array as quickly as a tensor."""
        matcher.fill_next_token_bitmask(self.mask)

    def commit(self, matcher: Any, token: int) -> bool:
        """The documented call."""
        return bool(matcher.accept_token(token))

    def rollback(self, matcher: Any, count: int) -> bool:
        """The documented call, which answers nothing."""
        matcher.rollback(count)
        return True


class OutlinesCore(Masked):
    """outlines-core: the whole index of states and tokens is built before the first mask; minutes for some patterns."""

    name, package = "outlines-core", "outlines_core"

    def load(self, tokenizer_dir: Path) -> None:
        """Hand over every token that spells bytes."""
        from outlines_core import Guide, Index, Vocabulary

        tokenizer = pretrained(tokenizer_dir)
        self.guide, self.index = Guide, Index
        self.vocabulary = Vocabulary(tokenizer.eos_token_id, {})
        for token, spelled in token_bytes(tokenizer).items():
            self.vocabulary.insert(spelled, token)
        self.allocate(len(tokenizer))

    def compile(self, pattern: str) -> Any:
        """Build the index. The caller guards time and memory: there is no way to stop it from inside."""
        try:
            return self.guide(self.index(pattern, self.vocabulary))
        except ValueError as error:
            raise Refused(str(error)) from error

    def fill(self, matcher: Any) -> None:
        """What `outlines_core.kernels.numpy.fill_next_token_bitmask` does after its checks."""
        matcher.write_mask_into(self.address, self.mask.size, 4)

    def commit(self, matcher: Any, token: int) -> bool:
        """A token that may not come raises."""
        try:
            matcher.advance(token, return_tokens=False)
        except ValueError:
            return False
        return True


ENGINES: dict[str, type[Constrain] | type[Llguidance] | type[XGrammar] | type[OutlinesCore]] = {
    engine.name: engine for engine in (Constrain, Llguidance, XGrammar, OutlinesCore)
}
GRAMMAR_ENGINES: dict[str, type[Constrain] | type[Llguidance] | type[XGrammar]] = {
    engine.name: engine for engine in (Constrain, Llguidance, XGrammar)
}


def parsed(path: Path) -> Grammar:
    """The grammar in a file, as a value."""
    from constrain import Limits, grammar_file

    return grammar_file(path).lower(Limits())


def installed(name: str) -> bool:
    """Whether the package behind an engine can be imported."""
    return find_spec(ENGINES[name].package) is not None


def pretrained(tokenizer_dir: Path) -> Any:
    """The Hugging Face tokenizer in a folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(tokenizer_dir))


def encode(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text as a model would go on with it, without special tokens.

    SentencePiece tokenizers put a space before the first word of a text, which is not in the text: those are asked for
    the text after a line break instead, and the tokens of the line break are cut off.
    """
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    if not ids or not tokenizer.convert_ids_to_tokens(ids[0]).startswith("▁"):
        return ids
    before = tokenizer.encode("\n", add_special_tokens=False)
    return list(tokenizer.encode("\n" + text, add_special_tokens=False)[len(before) :])


def token_bytes(tokenizer: Any) -> dict[int, bytes]:
    """What each token spells, special tokens left out; byte-level BPE and SentencePiece with byte fallback."""
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    spell = (
        spell_byte_level
        if "ByteLevel" in json.loads(tokenizer.backend_tokenizer.to_str())["decoder"].values()
        else spell_fallback
    )
    return {token: spell(piece) for piece, token in tokenizer.get_vocab().items() if token not in special}


def spell_fallback(piece: str) -> bytes:
    """SentencePiece: `<0x41>` is a byte, `▁` a space."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").encode()


def spell_byte_level(piece: str) -> bytes:
    """Byte-level BPE: each character stands for one byte; added tokens with other characters spell themselves."""
    if all(character in BYTE_OF for character in piece):
        return bytes(BYTE_OF[character] for character in piece)
    return piece.encode()


def byte_level_alphabet() -> dict[str, int]:
    """GPT-2's alphabet: printable Latin-1 stands for itself, the 68 other bytes for the characters from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


BYTE_OF = byte_level_alphabet()
