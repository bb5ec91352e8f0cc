"""What a constraint means: expressions over text, before any automaton and any token."""
