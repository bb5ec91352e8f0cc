"""Look into the engine: why a token is or is not allowed."""
