"""Beam search under constraints: phrases that must and must not occur, together with any automaton's masks. No torch.

In:  log-probabilities of a model, step by step.
Out: hypotheses, with their scores and whether they meet what was asked.
"""
