"""The second process itself: `python -m constrain.jit.second`, begun by `constrain.jit.parallel`.

In: modules and symbols of units, pickled. Out: for each, its key, and its key and machine code, pickled.
"""

from __future__ import annotations

import os
import pickle
import sys
from importlib import import_module

import llvmlite.binding as llvm
import numpy as np

from constrain.jit.units import defined


def main() -> None:
    """Compile what standard input asks for."""
    modules, symbols = pickle.load(sys.stdin.buffer)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else is to be written among them
    for module in modules:
        import_module(module)
    units = defined()
    nowhere = np.zeros(64, np.uint8)
    for symbol in units:  # code is linked when it is made, but not called in this process
        llvm.add_symbol(symbol, nowhere.ctypes.data)
    for symbol in symbols:
        unit = units[symbol]
        pickle.dump((unit.key, None), answers)
        answers.flush()
        pickle.dump((unit.key, tuple(unit.compile())), answers)
        answers.flush()


if __name__ == "__main__":
    main()
