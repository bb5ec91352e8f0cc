"""Stamps: hashes of sources, for which machine code is valid."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from constrain.jit.modes import CHECKED

_PACKAGE = Path(__file__).parents[1]
_IMPORT = re.compile(r"^from constrain\.([\w.]+) import", re.MULTILINE)


@cache
def reachable(path: Path) -> frozenset[Path]:
    """List a module and the modules of the package that it imports, directly or not, and that hold kernels."""
    found, todo = {path}, [path]
    while todo:
        for name in _IMPORT.findall(todo.pop().read_text("utf-8")):
            imported = _PACKAGE.joinpath(*name.split(".")).with_suffix(".py")
            if imported not in found and imported.is_file() and "constrain.jit import" in imported.read_text("utf-8"):
                found.add(imported)
                todo.append(imported)
    return frozenset(found)


@cache
def stamp(file: str) -> str:
    """Hash the sources of all kernels that a module can call: machine code is valid for one stamp.

    numba compares the time stamp of one file, and so serves stale code where a helper in another file has changed.
    """
    total = hashlib.sha256(bytes([CHECKED]))
    for path in (*sorted(Path(__file__).parent.glob("*.py")), *sorted(reachable(Path(file)))):
        total.update(path.read_bytes())
    return total.hexdigest()
