"""Reads the byte string of every token out of Hugging Face tokenizers.

In: a tokenizer of `transformers` (any backend) or of `tokenizers`. Out: a `TokenizerReading`, for a `Vocabulary`.

How it decides. `decode` is lossy for tokens that hold part of a character, so tokens are mapped by the rule of their
family, and the family is read off the vocabulary itself (all 256 byte characters of GPT-2; all of <0x00>..<0xFF>;
...). The declared decoder is a cross-check only, because rebuilt tokenizers get it wrong; on conflict the vocabulary
wins and a warning is logged. Then sample texts are encoded, and the bytes of their tokens must give the text back.

* Special tokens spell nothing. Other added tokens spell their text literally, unless the model itself has them.
* Whether one leading space is dropped at the start of an output is found by decoding single tokens.
* A text that the tokenizer's normalizer changes (NFC, NFKC, lower case) is not used as a sample: the constraint is
  on the bytes that come out, and what the tokenizer would do to them if they went in does not matter.
* `wordpiece="lossy"` reads BERT-like vocabularies: `##x` spells "x", any other token spells a space and itself, and
  the space at the start of the output is dropped. What is lost: letter case and accents, if the tokenizer removes
  them; white space other than one space between words; and spaces before punctuation, which `decode` removes again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from constrain.errors import SpecTypeError, VocabularyError

_log = logging.getLogger("constrain")

_SPACE = "\u2581"  # stands for a space in SentencePiece vocabularies
_SPACED = ("byte-fallback", "unigram")  # the kinds that have it
_BYTE_PIECES = {f"<0x{b:02X}>": bytes([b]) for b in range(256)}
_CONFIGS = ("generation_config.json", "config.json")  # in order of authority over the ids that end the output
# Characters that hardly any vocabulary holds whole: what encodes them are bytes or the unknown token.
_RARE = ("\U00012000", "\U00010348", "\u2d63", "\U0001f9ff", "\ua66e")


@dataclass(frozen=True)
class TokenizerReading:
    """What a tokenizer says: bytes per id (None: spells nothing), and everything else that a `Vocabulary` holds."""

    tokens: list[bytes | None]
    special_tokens: dict[str, int]
    eos_ids: tuple[int, ...]
    size: int
    strips_leading_space: bool
    kind: str
    name: str


@dataclass(frozen=True)
class TokenizerSettings:
    """What the model's config files say: ids that end the output (None: nothing), width of the logits (0: nothing)."""

    eos_ids: tuple[int, ...] | None = None
    vocab_size: int = 0


@dataclass(frozen=True)
class _Source:
    """One face for all backends. `pieces` is by id; `declared` names the family that the decoder belongs to.

    `shared` are added tokens that the model has as pieces of its own too, and so makes from ordinary text.
    """

    name: str
    pieces: list[str | None]
    added: dict[int, str]
    special: dict[str, int]
    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    normalize: Callable[[str], str] | None = None
    declared: str | None = None
    space: str = _SPACE
    prefix: str = "##"
    eos_ids: tuple[int, ...] = ()
    folder: str = ""
    silent: frozenset[str] = frozenset()
    shared: frozenset[int] = frozenset()


def encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """The tokenizer's own way to cut a text into tokens. Keeps the tokenizer alive only where it must."""
    try:
        reference: Callable[[], Any] = weakref.ref(tokenizer)
    except TypeError:

        def reference() -> Any:
            return tokenizer

    def encode(text: str) -> list[int]:
        alive = reference()
        if alive is None:
            return []
        if callable(alive):
            return list(alive(text, add_special_tokens=False)["input_ids"])
        return list(alive.encode(text, add_special_tokens=False).ids)

    return encode


def read(tokenizer: Any, wordpiece: str = "error", settings: TokenizerSettings | None = None) -> TokenizerReading:
    """Read a tokenizer; `settings` default to the config files of the folder that it was loaded from.

    >>> read(AutoTokenizer.from_pretrained("gpt2")).tokens[:3]  # doctest: +SKIP
    [b'!', b'"', b'#']
    """
    if wordpiece not in ("error", "lossy"):
        raise SpecTypeError(f'wordpiece must be "error" or "lossy", not {wordpiece!r}')
    source = _open(tokenizer)
    kind, conflict = _family(source)
    if kind == "wordpiece" and wordpiece == "error":
        raise VocabularyError(
            f"{source.name} is a WordPiece tokenizer, whose tokens do not determine the text (case, accents and "
            'white space are lost); pass wordpiece="lossy" to constrain the text up to these'
        )
    tokens = _spell(source, kind)
    special = source.special | _unknown(source, tokens)
    for i in special.values():
        tokens[i] = None
    if conflict:
        _log.warning("%s; its encodings were not checked, and it may encode prompts wrongly as well", conflict)
    else:
        _check(source, kind, tokens)
    settings = settings if settings is not None else _folder_settings(source.folder)
    return TokenizerReading(
        tokens=tokens,
        special_tokens=special,
        eos_ids=source.eos_ids if settings.eos_ids is None else settings.eos_ids,
        size=max(len(tokens), settings.vocab_size),
        strips_leading_space=_strips_space(source, tokens),
        kind=kind,
        name=source.name,
    )


def load(path_or_id: str | os.PathLike[str], **loading: Any) -> tuple[Any, TokenizerSettings]:
    """Load a tokenizer and the settings beside it from a folder, a tokenizer.json, or the Hub."""
    path = Path(path_or_id)
    if path.is_file():
        tokenizer = _import("tokenizers").Tokenizer.from_file(str(path))
        return tokenizer, _with_named_eos(_folder_settings(path.parent), path.parent, tokenizer)
    transformers = _import("transformers")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(os.fspath(path_or_id), **loading)
    except (OSError, ValueError) as error:
        raise VocabularyError(f"cannot load a tokenizer from {os.fspath(path_or_id)!r}: {error}") from error
    return tokenizer, _folder_settings(path) if path.is_dir() else _hub_settings(str(path_or_id), loading)


# ---- backends


def _open(tokenizer: Any) -> _Source:
    if not hasattr(tokenizer, "get_vocab") and hasattr(tokenizer, "tokenizer"):
        tokenizer = tokenizer.tokenizer  # a processor of a multimodal model
    if type(tokenizer).__module__.split(".")[0] == "tokenizers":
        return _open_raw(tokenizer)
    if not all(hasattr(tokenizer, name) for name in ("get_vocab", "encode", "added_tokens_decoder")):
        raise SpecTypeError(
            f"expected a tokenizer of transformers or tokenizers, got {type(tokenizer).__name__}; "
            "for other tokenizers pass their tokens as bytes to Vocabulary.from_tokens"
        )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return _open_slow(tokenizer) if backend is None else _open_fast(tokenizer, backend)


def _open_raw(backend: Any) -> _Source:
    if backend.truncation or backend.padding:  # would spoil the samples; the caller's object stays as it is
        backend = type(backend).from_str(backend.to_str())
        backend.no_truncation()
        backend.no_padding()
    added = backend.get_added_tokens_decoder()
    return _Source(
        name=type(backend).__name__,
        pieces=_backend_pieces(backend),
        added={i: token.content for i, token in added.items()},
        special={token.content: i for i, token in added.items() if token.special},
        encode=lambda text: list(backend.encode(text, add_special_tokens=False).ids),
        decode=lambda ids: str(backend.decode(ids, skip_special_tokens=False)),
        **_declarations(backend, added),
    )


def _open_fast(tokenizer: Any, backend: Any) -> _Source:
    declarations = _declarations(backend, tokenizer.added_tokens_decoder)
    return _Source(pieces=_backend_pieces(backend), **declarations, **_common(tokenizer))


def _open_slow(tokenizer: Any) -> _Source:
    pieces = _by_id(tokenizer.get_vocab(), len(tokenizer), tokenizer.convert_ids_to_tokens)
    model = getattr(tokenizer, "sp_model", None)
    control: list[str] = []
    if model is not None:
        ids = range(model.get_piece_size())
        control = [model.id_to_piece(i) for i in ids if model.is_control(i) or model.is_unused(i)]
    normalize = getattr(model, "normalize", None)
    return _Source(pieces=pieces, silent=frozenset(control), normalize=normalize, **_common(tokenizer))


def _common(tokenizer: Any) -> dict[str, Any]:
    """The fields that all tokenizers of transformers have in common.

    Every token named in `all_special_ids` is special, added as such or not: `decode` leaves it out of the text.
    """
    added = tokenizer.added_tokens_decoder
    special = {token.content: i for i, token in added.items() if token.special}
    special |= dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids))
    return {
        "name": type(tokenizer).__name__,
        "added": {i: token.content for i, token in added.items()},
        "special": {name: i for name, i in special.items() if i is not None},
        "encode": lambda text: list(tokenizer.encode(text, add_special_tokens=False)),
        "decode": lambda ids: str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)),
        "eos_ids": () if tokenizer.eos_token_id is None else (int(tokenizer.eos_token_id),),
        "folder": str(getattr(tokenizer, "name_or_path", "")),
    }


def _backend_pieces(backend: Any) -> list[str | None]:
    return _by_id(backend.get_vocab(with_added_tokens=True), 0, backend.id_to_token)


def _by_id(vocab: Mapping[str, int], size: int, piece_of: Callable[[int], str | None]) -> list[str | None]:
    """Pieces by id. Where several ids share a piece, `vocab` knows only one of them: ask for the others."""
    pieces: list[str | None] = [None] * max(size, 1 + max(vocab.values(), default=-1))
    for piece, i in vocab.items():
        pieces[i] = piece
    return [piece_of(i) if piece is None else piece for i, piece in enumerate(pieces)]


def _declarations(backend: Any, added: Mapping[int, Any]) -> dict[str, Any]:
    """What the backend says about itself. Its parts give their JSON; `to_str` would write out the vocabulary too."""
    decoder = _parts(backend.decoder, "decoders")
    model = backend.model
    unknown = getattr(model, "unk_token", None)
    prefix = getattr(model, "continuing_subword_prefix", None)
    normalizer = backend.normalizer
    replacements = [part["replacement"] for part in decoder if part["type"] == "Metaspace"]
    return {
        "declared": _declared(decoder),
        "normalize": None if normalizer is None else normalizer.normalize_str,
        "silent": frozenset([unknown] if unknown else []),
        "shared": frozenset(i for i, token in added.items() if model.token_to_id(token.content) == i),
        "space": replacements[0] if replacements else _SPACE,
        "prefix": prefix or "##",
    }


def _parts(component: Any, children: str) -> list[dict[str, Any]]:
    if component is None:
        return []
    part = json.loads(component.__getstate__())
    return list(part[children]) if part["type"] == "Sequence" else [part]


def _declared(decoder: Iterable[dict[str, Any]]) -> str | None:
    names = {"ByteLevel": "byte-level", "Metaspace": "metaspace", "ByteFallback": "metaspace", "WordPiece": "wordpiece"}
    found = [names[part["type"]] for part in decoder if part["type"] in names]
    return found[0] if found else None


# ---- families


def _family(source: _Source) -> tuple[str, str | None]:
    """The kind of the vocabulary, and how its declared decoder contradicts that (None: it does not)."""
    kind = _kind(source)
    fits = {"byte-level": "byte-level", "byte-fallback": "metaspace", "unigram": "metaspace", "wordpiece": "wordpiece"}
    if source.declared in (None, fits.get(kind, source.declared)):
        return kind, None
    return kind, f"{source.name} holds a {kind} vocabulary but declares a {source.declared} decoder"


def _kind(source: _Source) -> str:
    pieces = {piece for i, piece in enumerate(source.pieces) if piece is not None and i not in source.added}
    spaced, marked = (sum(piece.startswith(c) for piece in pieces) for c in (source.space, "\u0120"))
    if pieces.issuperset(_BYTE_PIECES) and spaced >= marked:
        return "byte-fallback" if _falls_back(source) else "unigram"
    if pieces.issuperset(_BYTE_OF) and marked >= spaced:  # large multilingual vocabularies may hold these by chance
        return "byte-level"
    if source.declared == "byte-level" and _BYTE_OF.keys() >= set().union(*pieces):
        return "byte-level"  # trained on little text, without all 256 bytes
    if source.declared == "wordpiece":
        return "wordpiece"
    if spaced or source.declared == "metaspace":
        return "byte-fallback" if pieces & _BYTE_PIECES.keys() and _falls_back(source) else "unigram"
    if source.declared is None and sum(piece.startswith(source.prefix) for piece in pieces) * 20 > len(pieces):
        return "wordpiece"
    return "bytes"


def _falls_back(source: _Source) -> bool:
    """Whether <0x41> is a byte: some tokenizers (mT5) do not use these tokens, or decode them to their names."""
    if source.declared not in (None, "metaspace"):
        return True  # contradicted anyway: the vocabulary wins
    example = source.pieces.index("<0x41>") if "<0x41>" in source.pieces else None
    if example is not None and source.decode([example]) != "A":
        return False
    return any(source.pieces[i] in _BYTE_PIECES for text in _RARE for i in _try_encode(source, text) or ())


def _spell(source: _Source, kind: str) -> list[bytes | None]:
    """The bytes of each id by the rule of its family, before special tokens are silenced."""
    rule = _rule(source, kind)
    tokens = [None if piece is None or piece in source.silent else rule(piece) for piece in source.pieces]
    for i, text in source.added.items():
        if i in source.shared:
            continue
        if kind in _SPACED:  # decoders of this family turn the mark into a space everywhere
            text = text.replace(source.space, " ")
        tokens[i] = text.encode()
    return tokens


def _rule(source: _Source, kind: str) -> Callable[[str], bytes | None]:
    if kind == "byte-level":
        return _byte_level
    if kind == "byte-fallback":
        return lambda piece: _BYTE_PIECES.get(piece) or _utf8(piece.replace(source.space, " "))
    if kind == "unigram":
        return lambda piece: None if piece in _BYTE_PIECES else _utf8(piece.replace(source.space, " "))
    if kind == "wordpiece":
        return lambda piece: piece[len(p) :].encode() if piece.startswith(p := source.prefix) else f" {piece}".encode()
    single = {p for i, p in enumerate(source.pieces) if p is not None and len(p) == 1 and i not in source.added}
    if single == set(map(chr, range(256))):  # ByT5: one piece for each byte
        return lambda piece: piece.encode("latin-1") if piece in single else piece.encode()
    return _utf8


def _utf8(piece: str) -> bytes | None:
    try:
        return piece.encode()
    except UnicodeEncodeError:  # half a surrogate pair, as in CANINE: no text holds it
        return None


class _ByteOf(dict[int, str]):
    """For `str.translate`: characters outside the alphabet become one that latin-1 cannot encode."""

    def __missing__(self, character: int) -> str:
        return _SPACE


def _byte_characters() -> dict[str, int]:
    """The alphabet of GPT-2: a printable character for each byte; those without one of their own go from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + n): b for n, b in enumerate(others)}


_BYTE_OF = _byte_characters()
_TO_LATIN_1 = _ByteOf({ord(c): chr(b) for c, b in _BYTE_OF.items()})


def _byte_level(piece: str) -> bytes | None:
    """A piece in the alphabet of GPT-2.

    >>> _byte_level("\u0120caf\u00c3\u00a9").decode()
    ' café'
    """
    try:
        return piece.translate(_TO_LATIN_1).encode("latin-1")
    except UnicodeEncodeError:
        return _utf8(piece)  # not written in the alphabet: decoders leave such tokens as they are


# ---- probes


def _try_encode(source: _Source, text: str) -> list[int] | None:
    try:
        return source.encode(text)
    except Exception:  # a Unigram model without an unknown token raises (a bare Exception) on what it cannot spell
        return None


def _unknown(source: _Source, tokens: Sequence[bytes | None]) -> dict[str, int]:
    """The unknown token, if it is not known as special already: what every rare character encodes to."""
    suspects: set[int] | None = None
    for text in _RARE:
        within = f" {text}".encode()
        found = {i for i in _try_encode(source, text) or () if (tokens[i] or b"") not in within}
        suspects = found if suspects is None else suspects & found
    return {str(source.pieces[i]): i for i in suspects or ()}


def _strips_space(source: _Source, tokens: Sequence[bytes | None]) -> bool:
    """Whether decoding drops the space of a token at the start, by the majority of a few tokens like b" the"."""
    words = (i for i, token in enumerate(tokens) if token and re.fullmatch(rb" [A-Za-z0-9]+", token))
    probes = list(islice(words, 16))
    stripped = [source.decode([i]) == (tokens[i] or b"").decode()[1:] for i in probes]
    if any(stripped) and not all(stripped):
        _log.warning("%s drops the leading space of some tokens at the start of an output only", source.name)
    return 2 * sum(stripped) > len(stripped)


def _check(source: _Source, kind: str, tokens: Sequence[bytes | None]) -> None:
    """Encode sample texts; the bytes of their tokens must give them back. Raises VocabularyError."""
    if kind != "wordpiece":
        _check_joins(source, tokens)
    spelled = {token for token in tokens if token}
    checked = 0
    for text in _samples():
        if not (_unsplit(source, text) and _spellable(source, text, spelled, kind) and _unchanged(source, text, kind)):
            continue
        ids = _try_encode(source, text)
        if not ids or any(tokens[i] is None for i in ids):  # holds the unknown token: the vocabulary has a hole here
            continue
        checked += 1
        if kind == "wordpiece":
            _compare_words(source, tokens, ids, text)
        else:
            _compare(source, tokens, ids, text.encode())
    if not checked:
        raise VocabularyError(
            f"{source.name}: none of the sample texts can be encoded without unknown tokens, so its bytes "
            "cannot be checked; pass the tokens as bytes to Vocabulary.from_tokens"
        )


def _check_joins(source: _Source, tokens: Sequence[bytes | None]) -> None:
    """Decoding must put nothing between tokens (models of whole words put spaces)."""
    plain = (i for i, token in enumerate(tokens) if token and re.fullmatch(rb"[A-Za-z0-9]+", token))
    ids = list(islice((i for i in plain if i not in source.added), 8))
    joined = b"".join(tokens[i] or b"" for i in ids).decode()
    if source.decode(ids) != joined:
        raise VocabularyError(
            f"{source.name}: tokens that spell {joined!r} decode to {source.decode(ids)!r}; texts are not the "
            "concatenation of their tokens, so they cannot be constrained exactly"
        )


def _unsplit(source: _Source, text: str) -> bool:
    """Whether no added token is in `text`: encoders split there, and some put a space before what follows."""
    return not any(content in text for content in source.added.values())


def _spellable(source: _Source, text: str, spelled: set[bytes], kind: str) -> bool:
    """Whether each character is a token, or each of its bytes: models drop what they cannot spell in silence."""
    if kind == "wordpiece":
        return True  # unknown words give the unknown token
    if kind in _SPACED and source.space in text:
        return False  # encoders of this family take it for a space
    characters = [c.encode() for c in text]
    return all(c in spelled or all(c[i : i + 1] in spelled for i in range(len(c))) for c in characters)


def _unchanged(source: _Source, text: str, kind: str) -> bool:
    """Whether normalization keeps `text` (up to the mark for spaces, and a space put before it)."""
    if kind == "wordpiece":
        return True  # compared after normalization
    if source.normalize is not None and source.normalize(text).replace(source.space, " ") not in (text, " " + text):
        return False
    if source.declared is None:  # a backend in Python may change more: what comes back shows what it changed
        ids = _try_encode(source, text)
        return ids is not None and source.decode(ids) in (text, " " + text, text.removeprefix(" "))
    return True


def _compare(source: _Source, tokens: Sequence[bytes | None], ids: Sequence[int], expected: bytes) -> None:
    """The tokens must spell `expected`, or a space and `expected` (a prefix that the encoder puts before it)."""
    joined = b"".join(tokens[i] or b"" for i in ids)
    if joined in (expected, b" " + expected):
        return
    if joined.startswith(b" ") and not expected.startswith(b" "):
        expected = b" " + expected
    at = 0
    for i in ids:
        token = tokens[i] or b""
        if expected[at : at + len(token)] != token:
            break
        at += len(token)
    raise VocabularyError(
        f"{source.name}: token {i} ({source.pieces[i]!r}) was read as {tokens[i]!r}, but in the encoding of "
        f"{expected.decode()!r} it stands where {expected[at : at + max(len(token), 8)]!r} is expected; the tokenizer "
        "cannot be read exactly: pass the tokens as bytes to Vocabulary.from_tokens"
    )


def _compare_words(source: _Source, tokens: Sequence[bytes | None], ids: Sequence[int], text: str) -> None:
    """WordPiece: compare what normalization leaves, without white space."""
    normal = source.normalize(text) if source.normalize is not None else text
    squeezed = "".join(normal.split())
    joined = b"".join(tokens[i] or b"" for i in ids).decode("utf-8", "replace")
    if "".join(joined.split()) != squeezed:
        raise VocabularyError(f"{source.name}: the tokens of {text!r} spell {joined!r}, even without white space")


def _samples() -> list[str]:
    """About 200 texts: each printable ASCII character, code, JSON, scripts, emoji, control characters, white space."""
    ascii_characters = [chr(c) for c in range(0x20, 0x7F)]
    words = ["foo", " foo", "  foo", "foo ", "foo bar", " a b  c   d", "The quick brown fox.", "don't", "I'm", "e.g."]
    numbers = ["0", "12", "123", "1234567890", "-1.5e+10", "3.14", "2026-11-21T08:43:00Z", "1,000,000"]
    data = [
        '{"a": 1}',
        '{"k":[true,false,null,"x\\n"]}',
        "[[1, 2], {}]",
        '"',
        '""',
        '":"',
        '"},{"',
        "\\u00e9",
        "<a b='c'/>",
    ]
    code = [
        "def f(x):\n    return x ** 2\n",
        "for (i=0;i<10;++i) { a[i] += 1; }",
        "#!/bin/sh\n\techo $HOME",
        "SELECT *;",
    ]
    white = ["\n", "\n\n", "\t", "\t\t", "\r\n", "a\nb", "a\n\n\nb", " \n ", "\n  x", "x \n", "a\tb", "    ", "  \t "]
    scripts = [
        "café",
        "naïve",
        "Ünïcödé",
        "Привет, мир",
        "Ελληνικά",
        "中文字符",
        "日本語テキスト",
        "한국어",
        "हिन्दी",
        "ไทย",
    ]
    more = ["العربية", "עברית", "Tiếng Việt", "ქართული", "𝔘𝔫𝔦", "𐍈", "½", "ﬁ", "№", "…", "—", "“quoted”", "€100", "°C"]
    emoji = ["😀", "👩‍👩‍👧", "🇩🇪", "❤️", "a😀b", "👍🏽", " 🎉 "]
    control = [
        "\x00",
        "\x01\x02",
        "\x7f",
        "\x1b[0m",
        "a\x00b",
        "\u200b",
        "\ufeff",
        "\u00a0",
        "\u2028",
        "\x85",
        "\ufffd",
    ]
    joins = [
        "</s",
        "<|",
        "##x",
        "_",
        "__init__",
        "\u2581",
        "a\u2581b",
        "\u0120",
        "<0x41>",
        "http://x.y/z?q=1&r=2#s",
        "a@b.c",
    ]
    return [*ascii_characters, *words, *numbers, *data, *code, *white, *scripts, *more, *emoji, *control, *joins]


# ---- config files


def _folder_settings(folder: str | Path) -> TokenizerSettings:
    if folder == "" or not os.path.isdir(folder):  # tokenizers made in memory have an empty name
        return TokenizerSettings()
    return _settings([_json(Path(folder) / name) for name in _CONFIGS])


def _hub_settings(name: str, loading: Mapping[str, Any]) -> TokenizerSettings:
    from transformers.utils import cached_file

    kept = {key: loading[key] for key in ("revision", "cache_dir", "token", "local_files_only") if key in loading}
    paths = [cached_file(name, config, _raise_exceptions_for_missing_entries=False, **kept) for config in _CONFIGS]
    return _settings([_json(Path(path)) if path else {} for path in paths])


def _settings(configs: Sequence[Mapping[str, Any]]) -> TokenizerSettings:
    """The first config that names ids which end the output is right; the logits are as wide as any of them says."""
    nested = [c for config in configs for c in (config, config.get("text_config")) if isinstance(c, Mapping)]
    ends = [c["eos_token_id"] for c in nested if c.get("eos_token_id") is not None]
    sizes = [c["vocab_size"] for c in nested if isinstance(c.get("vocab_size"), int)]
    first = ends[0] if ends else None
    return TokenizerSettings(
        eos_ids=None if first is None else tuple(first) if isinstance(first, list) else (first,),
        vocab_size=max(sizes, default=0),
    )


def _with_named_eos(settings: TokenizerSettings, folder: Path, tokenizer: Any) -> TokenizerSettings:
    """A bare tokenizer.json does not say which token ends the output; the file beside it does, by name."""
    named = _json(folder / "tokenizer_config.json").get("eos_token")
    name = named.get("content") if isinstance(named, Mapping) else named
    end = tokenizer.token_to_id(name) if isinstance(name, str) else None
    return settings if settings.eos_ids is not None or end is None else TokenizerSettings((end,), settings.vocab_size)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise VocabularyError(f"cannot read {path}: {error}") from error
    return content if isinstance(content, dict) else {}


def _import(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{error}; reading this tokenizer needs: pip install 'constrain[hf]'") from error
