"""The only package that touches torch, transformers and tokenizers."""
