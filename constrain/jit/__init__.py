"""Compiled code: functions that go through LLVM once, the tables they share, and a cache that notices every change.

Three kinds of compiled functions:

* `unit`: takes and returns int64. It is compiled once and called by symbol, from other units and from Python.
* `helper`: inlined into the units that call it, since it has arguments of other types or is too short for a call.
* `kernel`: compiled on its first call, for code outside of the engine that takes numpy arrays.

Units share `Tables`: growable arrays behind one address, the *block*. A unit reads its tables with `i64(block, TABLE)`,
`i32` and `u8`. What these return depends on the mode, the source does not:

* compiled: a bare pointer, without bounds;
* `NUMBA_BOUNDSCHECK=1`: an array with bounds;
* `NUMBA_DISABLE_JIT=1`: a numpy view, and everything runs as plain Python.

A unit returns a status below zero instead of raising; the caller mends what it names and calls again.

The machine code of all units is one file on disk, read at once; that of kernels is in numba's own cache. What is
missing is compiled by two processes (`parallel.py`), one from each end. Environment:
`CONSTRAIN_NO_CACHE=1` keeps machine code off the disk; `NUMBA_CACHE_DIR` says where it goes.
"""

from constrain.jit.kernels import helper as helper
from constrain.jit.kernels import kernel as kernel
from constrain.jit.modes import CHECKED as CHECKED
from constrain.jit.modes import INTERPRETED as INTERPRETED
from constrain.jit.stamps import stamp as stamp
from constrain.jit.tables import Column as Column
from constrain.jit.tables import Tables as Tables
from constrain.jit.units import Entry as Entry
from constrain.jit.units import entry as entry
from constrain.jit.units import is_ready as is_ready
from constrain.jit.units import load as load
from constrain.jit.units import unit as unit
from constrain.jit.views import halves as halves
from constrain.jit.views import i32 as i32
from constrain.jit.views import i64 as i64
from constrain.jit.views import i64_at as i64_at
from constrain.jit.views import mix as mix
from constrain.jit.views import size_of as size_of
from constrain.jit.views import u8 as u8
from constrain.jit.views import u32_row as u32_row
