"""How the embedded demo model is made: its corpus, and its training."""
