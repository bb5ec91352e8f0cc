"""Compiled loops over flat arrays; one self-contained file per family, each with a slow `_ref` twin."""
