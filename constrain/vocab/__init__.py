"""Vocabularies: which bytes each token of a tokenizer spells."""
