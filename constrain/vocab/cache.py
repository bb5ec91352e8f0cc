"""A disk cache of named arrays: derived data that is slow to make and safe to lose.

In: a kind ("vocabulary"), a key (a hash of everything the data depends on), arrays. Out: the same arrays, or None.
One entry is one uncompressed .npz file, whose checksums detect damage. It is written beside its place and then
renamed, so that readers and other processes never see half a file. Nothing here raises because of the disk: an
unwritable folder stores nothing, and a damaged entry is deleted and made again.

CONSTRAIN_CACHE_DIR says where it lives (default: the user's cache folder); CONSTRAIN_NO_CACHE=1 turns it off.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_log = logging.getLogger("constrain")
_LAYOUT = "v1"  # of the files; what is inside an entry is versioned by its key
_META = "__meta__"
_STALE_SECONDS = 3600  # a temporary file this old was left by a process that died

Arrays = dict[str, npt.NDArray[Any]]


def directory() -> Path | None:
    """The folder of the cache, or None where caching is off. It need not exist.

    >>> directory()  # doctest: +SKIP
    PosixPath('~/.cache/constrain/v1')
    """
    if os.environ.get("CONSTRAIN_NO_CACHE") == "1":
        return None
    chosen = os.environ.get("CONSTRAIN_CACHE_DIR")
    if not chosen:
        from platformdirs import user_cache_dir  # here, because importing constrain should stay cheap

        chosen = user_cache_dir("constrain", appauthor=False)
    return Path(chosen) / _LAYOUT


def load(kind: str, key: str) -> Arrays | None:
    """The arrays of an entry, writeable and private to the caller, or None.

    >>> load("example", "no-such-key") is None
    True
    """
    entry = load_entry(kind, key)
    return None if entry is None else entry[0]


def load_entry(kind: str, key: str) -> tuple[Arrays, dict[str, Any]] | None:
    """Like `load`, with the `meta` that was stored beside the arrays."""
    path = _path(kind, key)
    if path is None:
        return None
    try:
        entry = _read(path)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        _log.warning("cannot read the cache entry %s: %s", path, error)
        return None
    except Exception as error:  # damage shows as almost anything: zip, struct, Value, Key, Memory, ... errors
        _log.warning("the cache entry %s is damaged and will be made again: %s", path, error)
        _remove(path)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for `_drop_oldest`
    return entry


def store(
    kind: str,
    key: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    meta: Mapping[str, Any] | None = None,
    keep: int = 32,
) -> bool:
    """Write an entry and drop the least recently used of its kind beyond `keep`; False where nothing was written.

    >>> store("example", "some-key", {"a": np.arange(3)})  # doctest: +SKIP
    True
    """
    path = _path(kind, key)
    if path is None:
        return False
    for name, array in arrays.items():
        if array.dtype.hasobject or name == _META:
            raise ValueError(f"cannot cache the array {name!r} of dtype {array.dtype}")
    packed = {**arrays, _META: np.frombuffer(json.dumps(dict(meta or {})).encode(), np.uint8)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, packed)
    except OSError as error:
        _log.warning("cannot write to the cache folder %s: %s", path.parent, error)
        return False
    _drop_oldest(path.parent, keep)
    return True


def digest(parts: Iterable[object], files: Iterable[Path] = ()) -> str:
    """A key: sha256 of the text of `parts`, and of the names and contents of `files`. Raises OSError.

    >>> digest(["a", 1]) == digest(["a", 1]) != digest(["a1"])
    True
    """
    total = hashlib.sha256()
    for part in parts:
        total.update(repr(part).encode() + b"\0")
    for path in files:
        with path.open("rb") as file:
            total.update(repr(path.name).encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _path(kind: str, key: str) -> Path | None:
    for word in (kind, key):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", word):
            raise ValueError(f"not a name for a cache entry: {word!r}")
    folder = directory()
    return None if folder is None else folder / kind / f"{key}.npz"


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    arrays: Arrays = {}
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():  # `read` verifies the checksum, which np.load does only if it reads to the end
            content = io.BytesIO(packed.read(name))
            arrays[name.removesuffix(".npy")] = np.lib.format.read_array(content, allow_pickle=False)
    meta: dict[str, Any] = json.loads(arrays.pop(_META).tobytes())
    return arrays, meta


def _write(path: Path, packed: Mapping[str, npt.NDArray[Any]]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **packed)  # type: ignore[arg-type]  # one stub knows a keyword of another type
        os.replace(temporary, path)
    except BaseException:
        _remove(Path(temporary))
        raise


def _drop_oldest(folder: Path, keep: int) -> None:
    for _, path in sorted(_ages(folder, ".npz"))[keep:]:
        _remove(path)
    for age, path in _ages(folder, ".tmp"):
        if age > _STALE_SECONDS:
            _remove(path)


def _ages(folder: Path, suffix: str) -> Iterator[tuple[float, Path]]:
    """(seconds since last use, path) of the files in `folder`; another process may delete them meanwhile."""
    now = time.time()
    with contextlib.suppress(OSError):
        for path in folder.glob(f"*{suffix}"):
            with contextlib.suppress(OSError):
                yield now - path.stat().st_mtime, path


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
