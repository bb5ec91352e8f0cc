"""Sampling from the distribution of all texts that meet a constraint, with the constraint asked of few tokens.

    from constrain.sampling import Python, awrs, smc

    token, log_weight = awrs(logp, lambda token: is_fine(token), np.random.default_rng(0))
    posterior = smc(model, Python(), vocab, particles=16, max_tokens=64, rng=np.random.default_rng(0))

A mask renormalises each step on its own, so that texts come with another probability than the model's own among those
that meet the constraint. Weights tell by how much; particles with weights are samples of the model's distribution,
given the constraint. No model is needed here: `constrain.hf` brings those of Hugging Face.

    awrs         a token and its weight: adaptive weighted rejection sampling; `geometric_awrs` is another estimator
    Checker      what samplers ask: `TextChecker`, `Language` of an automaton, functions, validators, products
    smc          sequential Monte Carlo: particles that are written side by side, weighted, and resampled
    Population   the same, one step at a time, for a loop of one's own
"""

from constrain.sampling.checkers import Checker, Function, Language, Product, TextChecker, as_checker
from constrain.sampling.oracle import Oracle, Position
from constrain.sampling.particles import Population, effective_size, smc, systematic
from constrain.sampling.posterior import Answer, Particle, Posterior
from constrain.sampling.ready import Banned, Json, Pattern, Python, Sql
from constrain.sampling.rejection import Draw, awrs, geometric_awrs

__all__ = [
    "Answer",
    "Banned",
    "Checker",
    "Draw",
    "Function",
    "Json",
    "Language",
    "Oracle",
    "Particle",
    "Pattern",
    "Population",
    "Position",
    "Posterior",
    "Product",
    "Python",
    "Sql",
    "TextChecker",
    "as_checker",
    "awrs",
    "effective_size",
    "geometric_awrs",
    "smc",
    "systematic",
]
