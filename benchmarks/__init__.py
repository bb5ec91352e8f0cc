"""Benchmarks: constrain beside other engines, on the same inputs, in the same process."""
