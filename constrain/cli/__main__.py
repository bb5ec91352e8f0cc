"""`python -m constrain.cli`, the same as the console script."""

from __future__ import annotations

from constrain.cli import main

main()
