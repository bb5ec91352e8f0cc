"""Sampling under constraints that are asked of few tokens.

    from constrain.sampling import awrs

    token, log_weight = awrs(logp, lambda token: checks_out(token), np.random.default_rng(0))
"""
