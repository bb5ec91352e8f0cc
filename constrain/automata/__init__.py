"""Expressions as automata: the process-wide store of states, and what it takes to grow it safely."""
