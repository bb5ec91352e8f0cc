"""Stamps: hashes of sources, for which machine code is valid."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from constrain.jit.modes import CHECKED

_PACKAGE = Path(__file__).parents[1]
_IMPORT = re.compile(r"^from constrain\.([\w.]+) import ([\w, ]*)", re.MULTILINE)


class _Module(NamedTuple):
    """A module of the package that holds kernels, or constants for them."""

    digest: bytes
    imports: tuple[Path, ...]
    """The others that it imports from; none if it holds no kernels."""


@cache
def _source(path: Path) -> _Module | None:
    """Read a module; None if there is none."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest = hashlib.sha256(data).digest()
    if b"constrain.jit import" not in data:
        return _Module(digest, ())
    names: list[str] = []
    for module, imported in _IMPORT.findall(data.decode()):
        names.append(module)
        names += [f"{module}.{part.split()[0]}" for part in imported.split(",") if part.split()]
    return _Module(digest, tuple(_PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in names))


@cache
def _own() -> bytes:
    """The digest of this folder."""
    total = hashlib.sha256(bytes([CHECKED]))
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.digest()


@cache
def reachable(path: Path) -> frozenset[Path]:
    """List a module and the modules of the package that it imports, directly or by way of others that hold kernels.

    Those that hold none are there for their constants, which are part of the machine code.
    """
    found, todo = {path}, [path]
    while todo:
        source = _source(todo.pop())
        for imported in source.imports if source is not None else ():
            if imported not in found and _source(imported) is not None:
                found.add(imported)
                todo.append(imported)
    return frozenset(found)


@cache
def stamp(file: str) -> str:
    """Hash the sources of all kernels that a module can call, and their constants: machine code is valid for one stamp.

    numba compares the time stamp of one file, and so serves stale code where a helper in another file has changed.
    """
    total = hashlib.sha256(_own())
    for path in sorted(reachable(Path(file))):
        source = _source(path)
        total.update(source.digest if source is not None else path.read_bytes())
    return total.hexdigest()
