"""Which bytes each token id spells: the only view of a tokenizer that the rest of the package has.

In: a list of byte strings, a tiktoken encoding, or a Hugging Face tokenizer (read by `constrain.vocab.tokenizers`).
Out: `Vocabulary`, a frozen value over flat arrays.

An id spells nothing (zero bytes), and is never allowed as text, when it is a special token, ends the output, is a
hole in the range of ids, or lies past the tokenizer (models pad their logits).
"""

from __future__ import annotations

import hashlib
import itertools
import operator
import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from constrain.errors import SpecTypeError, TokenError, VocabularyError
from constrain.vocab import cache

if TYPE_CHECKING:
    from constrain.kernels.trie import TrieTables
    from constrain.vocab.tokenizers import TokenizerReading

FORMAT = 8
"""Counts up whenever the same tokenizer would give another vocabulary, or is stored in another way."""

_TOKENIZER_FILES = {".json", ".txt", ".model", ".tiktoken", ".bpe", ".py"}


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """The tokens of a model as byte strings. Make one with a `from_...` method; equal content compares equal.

    >>> v = Vocabulary.from_tokens([b"a", b"ab", None], eos_ids=[2])
    >>> v, v.token_bytes(1), v.tokens_of(b"a")
    (<Vocabulary tokens: 3 ids, 2 spell bytes, longest 2, eos (2,)>, b'ab', (0,))
    """

    data: npt.NDArray[np.uint8]
    """The bytes of all tokens, one after the other. Never write to it (see `constrain.kernels.trie`)."""

    offsets: npt.NDArray[np.int32]
    """Token i spells `data[offsets[i]:offsets[i + 1]]`."""

    eos_ids: tuple[int, ...] = ()
    """The ids that end the output, ascending. They spell nothing."""

    special_tokens: Mapping[str, int] = field(default_factory=dict)
    """Tokens that are no text and can only be asked for by name or id."""

    strips_leading_space: bool = False
    """Decoding drops one space at the start of the output (SentencePiece: the first word carries a space)."""

    kind: str = "bytes"
    """How tokens were turned into bytes: bytes, tiktoken, byte-level, byte-fallback, unigram or wordpiece."""

    name: str = "tokens"
    """The class of the tokenizer, for messages."""

    encode: Callable[[str], Sequence[int]] | None = None
    """The tokenizer's own way to cut a text into tokens, if it is at hand. No part of the content."""

    def __post_init__(self) -> None:
        _set(self, "data", _flat(self.data, np.uint8, "data"))
        _set(self, "offsets", _flat(self.offsets, np.int32, "offsets"))
        _check_offsets(self.data, self.offsets)
        ends = _as_ids(self.eos_ids, "eos_ids")
        _set(self, "eos_ids", tuple(sorted(set(ends))))
        _set(self, "special_tokens", MappingProxyType(_as_names(self.special_tokens)))
        for token in (*self.eos_ids, *self.special_tokens.values()):
            if not 0 <= token < self.size:
                raise VocabularyError(
                    f"special or eos id {token} is outside the vocabulary of {self.size} ids; "
                    "pass vocab_size= (the width of the model's logits), or other ids"
                )
            if self.offsets[token] != self.offsets[token + 1]:
                raise VocabularyError(f"id {token} is special or ends the output, so it must not spell bytes")

    @property
    def size(self) -> int:
        """Number of ids: the width of the model's logits."""
        return len(self.offsets) - 1

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of everything that masks depend on."""
        rest = (FORMAT, self.size, self.eos_ids, sorted(self.special_tokens.items()), self.strips_leading_space)
        total = hashlib.sha256(repr(rest).encode())
        total.update(self.offsets.tobytes())
        total.update(self.data.tobytes())
        return total.hexdigest()

    @cached_property
    def trie(self) -> TrieTables:
        """The trie of all tokens."""
        from constrain.kernels.trie import build  # here: it brings numba, which the tables do not need

        return build(self.data, self.offsets)

    @cached_property
    def _by_bytes(self) -> tuple[list[bytes], npt.NDArray[np.int32]]:
        """What tokens spell, ascending, and their ids; equals by id."""
        data, ends = self.data.tobytes(), self.offsets.tolist()
        spelled = [(data[a:b], token) for token, (a, b) in enumerate(itertools.pairwise(ends)) if a < b]
        spelled.sort()
        return [each for each, _ in spelled], np.array([token for _, token in spelled], np.int32)

    @cached_property
    def _first_of(self) -> dict[bytes, int]:
        """The lowest id of what tokens spell."""
        spelled, tokens = self._by_bytes
        return dict(zip(reversed(spelled), tokens[::-1].tolist()))

    @cached_property
    def max_token_bytes(self) -> int:
        """Length of the longest token."""
        return int(np.diff(self.offsets).max())

    @cached_property
    def missing_bytes(self) -> frozenset[int]:
        """Bytes that occur in no token: no output can hold them.

        >>> len(Vocabulary.from_tokens([b"a", b"bc"]).missing_bytes)
        253
        """
        return frozenset(np.flatnonzero(np.bincount(self.data, minlength=256) == 0).tolist())

    @cached_property
    def units(self) -> tuple[bytes, ...] | None:
        """None if every single byte is a token, and so every output can be spelled; else what outputs consist of.

        The units are the tokens that are no concatenation of shorter tokens: an output can be spelled exactly if
        it is a concatenation of units. Sorted by length, then bytes.

        >>> Vocabulary.from_tokens([b"a", b"aa", b"bc", b"abc"]).units
        (b'a', b'bc')
        """
        single = self.offsets[:-1][np.diff(self.offsets) == 1]
        if len(np.unique(self.data[single])) == 256:
            return None
        tokens = sorted({self.token_bytes(i) for i in range(self.size)} - {b""}, key=lambda t: (len(t), t))
        return tuple(_irreducible(tokens))

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token spells; b"" for special tokens and ids without a token.

        >>> Vocabulary.from_tokens([b"a", None]).token_bytes(1)
        b''
        """
        try:
            index = operator.index(token)
        except TypeError:
            raise SpecTypeError(f"a token id is an int, not {type(token).__name__}") from None
        if not 0 <= index < self.size:
            raise TokenError(f"token id {index} is outside the vocabulary of {self.size} ids")
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def tokens_of(self, spelled: bytes) -> tuple[int, ...]:
        """All ids that spell exactly these bytes, ascending.

        >>> Vocabulary.from_tokens([b"a", b"b", b"a"]).tokens_of(b"a")
        (0, 2)
        """
        known, tokens = self._by_bytes
        return tuple(tokens[bisect_left(known, spelled) : bisect_right(known, spelled)].tolist()) if spelled else ()

    def longer_tokens(self, prefix: bytes) -> npt.NDArray[np.int32]:
        """The ids of the tokens that begin with `prefix` and go on.

        >>> Vocabulary.from_tokens([b"a", b"ab", b"b"]).longer_tokens(b"a").tolist()
        [1]
        """
        known, tokens = self._by_bytes
        first = bisect_right(known, prefix) if prefix else 0
        last = bisect_left(known, True, key=lambda each: each > prefix and not each.startswith(prefix))
        return tokens[first:last]

    def spell(self, data: bytes) -> list[int] | None:
        """The fewest tokens that spell `data`; None if none do.

        >>> Vocabulary.from_tokens([b"a", b"ab", b"b", b"ba"]).spell(b"aba")
        [0, 3]
        """
        known, longest, n = self._first_of, self.max_token_bytes, len(data)
        fewest, choice = [n + 1] * n + [0], [0] * n
        for at in range(n - 1, -1, -1):
            for end in range(at + 1, min(at + longest, n) + 1):
                if fewest[end] + 1 < fewest[at] and data[at:end] in known:
                    fewest[at], choice[at] = fewest[end] + 1, end
        if fewest[0] > n:
            return None
        tokens, at = [], 0
        while at < n:
            tokens.append(known[data[at : choice[at]]])
            at = choice[at]
        return tokens

    def __len__(self) -> int:
        return self.size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        spelling = int(np.count_nonzero(np.diff(self.offsets)))
        kind = "" if self.kind == "bytes" else f" ({self.kind})"
        return (
            f"<Vocabulary {self.name}{kind}: {self.size} ids, {spelling} spell bytes, "
            f"longest {self.max_token_bytes}, eos {self.eos_ids}>"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the content, without what can be derived from it."""
        content = (self.data, self.offsets, self.eos_ids, dict(self.special_tokens), self.strips_leading_space)
        return (Vocabulary, (*content, self.kind, self.name))

    @classmethod
    def from_tokens(
        cls,
        tokens: Sequence[bytes | None],
        eos_ids: Sequence[int] = (),
        special_tokens: Mapping[str, int] | None = None,
        vocab_size: int | None = None,
        strips_leading_space: bool = False,
    ) -> Vocabulary:
        """From the bytes of each id; None or b"" for ids that spell nothing.

        Ids in `eos_ids` and `special_tokens` spell nothing, whatever `tokens` says about them.

        >>> Vocabulary.from_tokens([b"yes", b"no", b"</s>"], eos_ids=[2]).token_bytes(2)
        b''
        """
        return _assemble(tokens, eos_ids, special_tokens or {}, vocab_size, strips_leading_space, "bytes", "tokens")

    @classmethod
    def from_tiktoken(
        cls, encoding: Any, eos_ids: Sequence[int] | None = None, vocab_size: int | None = None
    ) -> Vocabulary:
        """From a `tiktoken.Encoding`. The output ends at <|endoftext|> unless `eos_ids` says otherwise.

        >>> Vocabulary.from_tiktoken(tiktoken.get_encoding("gpt2"))  # doctest: +SKIP
        <Vocabulary gpt2 (tiktoken): 50257 ids, 50256 spell bytes, longest 128, eos (50256,)>
        """
        if not hasattr(encoding, "decode_single_token_bytes"):
            raise SpecTypeError(f"expected a tiktoken.Encoding, got {type(encoding).__name__}")
        special = {name: encoding.encode_single_token(name) for name in encoding.special_tokens_set}
        if eos_ids is None:
            eos_ids = [special["<|endoftext|>"]] if "<|endoftext|>" in special else []
        tokens = [_tiktoken_bytes(encoding, i) for i in range(encoding.n_vocab)]
        vocabulary = _assemble(tokens, eos_ids, special, vocab_size, False, "tiktoken", str(encoding.name))
        return replace(vocabulary, encode=encoding.encode_ordinary)

    @classmethod
    def from_transformers(
        cls,
        tokenizer: Any,
        vocab_size: int | None = None,
        eos_ids: Sequence[int] | None = None,
        wordpiece: str = "error",
    ) -> Vocabulary:
        """From a tokenizer of `transformers` (or of `tokenizers`). Its encodings of sample texts are checked.

        `vocab_size` is the width of the model's logits. It and `eos_ids` are read from the model's config files
        if the tokenizer was loaded from a folder that has them; else they come from the tokenizer.
        `wordpiece="lossy"` reads BERT-like vocabularies: see `constrain.vocab.tokenizers`.

        >>> Vocabulary.from_transformers(AutoTokenizer.from_pretrained("gpt2"))  # doctest: +SKIP
        <Vocabulary GPT2Tokenizer (byte-level): 50257 ids, 50256 spell bytes, longest 128, eos (50256,)>
        """
        from constrain.vocab import tokenizers

        vocabulary = _from_reading(tokenizers.read(tokenizer, wordpiece), vocab_size, eos_ids)
        return replace(vocabulary, encode=tokenizers.encoder(tokenizer))

    @classmethod
    def from_pretrained(
        cls,
        path_or_id: str | os.PathLike[str],
        vocab_size: int | None = None,
        eos_ids: Sequence[int] | None = None,
        wordpiece: str = "error",
        **loading: Any,
    ) -> Vocabulary:
        """From a folder, a tokenizer.json, or a name on the Hub; `loading` goes to `AutoTokenizer.from_pretrained`.

        What was read from local files is cached on disk under their hash: the next process needs neither
        `transformers` nor `tokenizers`.

        >>> Vocabulary.from_pretrained("path/to/model")  # doctest: +SKIP
        <Vocabulary LlamaTokenizer (byte-fallback): 32000 ids, 31997 spell bytes, longest 48, eos (2,)>
        """
        if not isinstance(path_or_id, str | os.PathLike):
            raise SpecTypeError(f"expected a path or a name on the Hub, not {type(path_or_id).__name__}")
        key = None if loading else _folder_key(Path(path_or_id), (vocab_size, eos_ids, wordpiece))
        known = _load(key) if key else None
        if known is not None:
            return known
        from constrain.vocab import tokenizers

        tokenizer, settings = tokenizers.load(path_or_id, **loading)
        vocabulary = _from_reading(tokenizers.read(tokenizer, wordpiece, settings), vocab_size, eos_ids)
        if key:
            _store(key, vocabulary)
        return vocabulary


def _assemble(
    tokens: Sequence[bytes | None],
    eos_ids: Sequence[int],
    special_tokens: Mapping[str, int],
    vocab_size: int | None,
    strips_leading_space: bool,
    kind: str,
    name: str,
) -> Vocabulary:
    """Silence the ids that are no text, flatten the rest, and pad to `vocab_size`."""
    if not isinstance(tokens, Sequence):
        raise SpecTypeError(f"tokens must be a sequence of bytes or None, one for each id, not {type(tokens).__name__}")
    ends, special = _as_ids(eos_ids, "eos_ids"), _as_names(special_tokens)
    silent = {*ends, *special.values()}
    spelled = [b"" if i in silent else _as_bytes(i, token) for i, token in enumerate(tokens)]
    used = max((i + 1 for i, token in enumerate(spelled) if token), default=0)
    if not used:
        raise VocabularyError(f"{name}: no token spells any bytes")
    size = len(spelled) if vocab_size is None else _as_size(vocab_size)
    if size < used:
        raise VocabularyError(
            f"{name}: vocab_size is {size}, but token {used - 1} spells {spelled[used - 1]!r}; "
            f"vocab_size is the width of the model's logits, at least {used} here"
        )
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(np.fromiter(map(len, spelled[:used]), np.int64, used), out=offsets[1 : used + 1])
    offsets[used + 1 :] = offsets[used]
    data = np.frombuffer(b"".join(spelled), np.uint8)
    return Vocabulary(data, _narrow(offsets), tuple(ends), special, bool(strips_leading_space), kind, name)


def _from_reading(read: TokenizerReading, vocab_size: int | None, eos_ids: Sequence[int] | None) -> Vocabulary:
    """What `constrain.vocab.tokenizers` found, unless the caller knows better."""
    size = read.size if vocab_size is None else _as_size(vocab_size)
    ends = read.eos_ids if eos_ids is None else eos_ids
    special = {name: i for name, i in read.special_tokens.items() if i < size}  # past the logits: cannot be generated
    return _assemble(read.tokens, ends, special, size, read.strips_leading_space, read.kind, read.name)


def _irreducible(tokens: Sequence[bytes]) -> list[bytes]:
    """Those of `tokens` (shorter ones first) that are no concatenation of others.

    >>> _irreducible([b"a", b"aa", b"ba", b"aba"])
    [b'a', b'ba']
    """
    basis: set[bytes] = set()
    found: list[bytes] = []
    for token in tokens:
        if not _splits(token, basis):
            basis.add(token)
            found.append(token)
    return found


def _splits(token: bytes, basis: set[bytes]) -> bool:
    """Whether `token` is a concatenation of elements of `basis`."""
    characters = [c.encode() for c in token.decode("utf-8", "replace")]  # damaged ones are in no basis by themselves
    if basis.issuperset(characters) and b"".join(characters) == token:  # nearly always
        return True
    reachable = [True] + [False] * len(token)
    for end in range(1, len(token) + 1):
        reachable[end] = any(reachable[i] and token[i:end] in basis for i in range(end - 1, -1, -1))
    return reachable[-1]


def _tiktoken_bytes(encoding: Any, token: int) -> bytes | None:
    try:
        spelled: bytes = encoding.decode_single_token_bytes(token)
    except KeyError:  # a hole in the range of ids
        return None
    return spelled


def _folder_key(path: Path, options: tuple[object, ...]) -> str | None:
    """The key of what the tokenizer files at `path` give, or None if there are none to read."""
    from importlib.metadata import PackageNotFoundError, version

    folder = path if path.is_dir() else path.parent
    if not path.exists():
        return None  # a name on the Hub
    readers = []
    for package in ("transformers", "tokenizers"):  # other versions may read the same files differently
        try:
            readers.append(version(package))
        except PackageNotFoundError:
            readers.append("")
    try:
        files = [f for f in folder.iterdir() if f.suffix in _TOKENIZER_FILES and not f.name.endswith(".index.json")]
        return cache.digest((FORMAT, path.is_dir(), readers, options), sorted(files))
    except OSError as error:
        raise VocabularyError(f"cannot read the tokenizer files in {folder}: {error}") from error


def _store(key: str, vocabulary: Vocabulary) -> None:
    names = ("eos_ids", "strips_leading_space", "kind", "name")
    meta = {name: getattr(vocabulary, name) for name in names} | {"special_tokens": dict(vocabulary.special_tokens)}
    cache.store("vocabulary", key, {"data": vocabulary.data, "offsets": vocabulary.offsets}, meta)


def _load(key: str) -> Vocabulary | None:
    entry = cache.load_entry("vocabulary", key)
    if entry is None:
        return None
    arrays, meta = entry
    try:
        content: dict[str, Any] = {**arrays, **meta}
        return Vocabulary(**content)
    except (TypeError, KeyError, VocabularyError):  # written by something else under our name: make it again
        return None


def _set(vocabulary: Vocabulary, name: str, value: object) -> None:
    object.__setattr__(vocabulary, name, value)


def _flat(array: object, dtype: type[np.generic], name: str) -> npt.NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
        raise SpecTypeError(f"{name} must be a flat array of integers; to start from bytes use Vocabulary.from_tokens")
    return np.require(array, dtype, ("C", "A", "W"))


def _narrow(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    if offsets[-1] >= 2**31:
        raise VocabularyError(f"the tokens spell {offsets[-1]:,} bytes; 2 GiB is the most")
    return offsets.astype(np.int32)


def _check_offsets(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int32]) -> None:
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(data) or np.any(offsets[1:] < offsets[:-1]):
        raise VocabularyError("offsets must start at 0, never fall, and end at the length of data")
    if not len(data):
        raise VocabularyError("no token spells any bytes")


def _as_bytes(token: int, spelled: object) -> bytes:
    if spelled is None:
        return b""
    if not isinstance(spelled, bytes):
        raise SpecTypeError(f"token {token} must be bytes or None, not {type(spelled).__name__}: {spelled!r:.60}")
    return spelled


def _as_ids(ids: object, what: str) -> list[int]:
    if isinstance(ids, str | bytes) or not hasattr(ids, "__iter__"):
        raise SpecTypeError(f"{what} must be a sequence of token ids, not {type(ids).__name__}: {ids!r:.60}")
    return [_as_id(i, what) for i in ids]


def _as_names(names: object) -> dict[str, int]:
    if not isinstance(names, Mapping) or not all(isinstance(name, str) for name in names):
        raise SpecTypeError("special_tokens must map names (str) to token ids")
    return {name: _as_id(i, f"special_tokens[{name!r}]") for name, i in names.items()}


def _as_id(value: object, what: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SpecTypeError(f"{what}: a token id is an int, not {type(value).__name__}: {value!r:.60}")
    return operator.index(value)


def _as_size(value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SpecTypeError(f"vocab_size must be an int, not {type(value).__name__}: {value!r:.60}")
    return operator.index(value)
