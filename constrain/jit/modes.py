"""How compiled functions run in this process, said once at its start by the environment."""

from __future__ import annotations

import logging
import os

_log = logging.getLogger("constrain")
_said = False

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
"""Whether units run as plain Python."""
CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
"""Whether compiled units check their indices."""


def is_kept() -> bool:
    """Whether machine code is kept on disk."""
    return os.environ.get("CONSTRAIN_NO_CACHE") != "1"


def say_once(error: Exception) -> None:
    """Warn that machine code is not kept, unless that has been said."""
    global _said
    if not _said:
        _said = True
        _log.warning("machine code is not cached, so that each process compiles it again: %s", error)
