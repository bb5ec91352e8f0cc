"""How much each test does: how many examples a property draws, and how often a statistical test runs.

A share of it by default, all of it under CONSTRAIN_FULL=1, which `conftest` sets where slow tests are selected.
CONSTRAIN_TESTS=thorough draws twenty times as many as all, at random; without it every run draws the same examples.
CONSTRAIN_TESTS=few draws three, for modes in which the engine is slow.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

FEW = os.environ.get("CONSTRAIN_TESTS") == "few"
THOROUGH = os.environ.get("CONSTRAIN_TESTS") == "thorough"
FULL = THOROUGH or os.environ.get("CONSTRAIN_FULL") == "1"

_PHASES = (Phase.explicit, Phase.generate, Phase.shrink)  # not Phase.explain: it runs a failing test very often
_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
_REPEATABLE: dict[str, Any] = {"derandomize": True, "database": None, "phases": _PHASES, **_COMMON}
settings.register_profile("few", max_examples=3, **_REPEATABLE)
settings.register_profile("some", max_examples=25, **_REPEATABLE)
settings.register_profile("full", max_examples=100, **_REPEATABLE)
settings.register_profile("thorough", max_examples=2000, print_blob=True, **_COMMON)
PROFILE = "few" if FEW else "thorough" if THOROUGH else "full" if FULL else "some"


def examples(count: int) -> settings:
    """For `@examples(100)` above `@given`: so many examples in a full run, by default 10 to 25.

    A property without it draws as many as with 100.
    """
    number = 3 if FEW else count * 20 if THOROUGH else count if FULL else min(count, max(10, min(count // 4, 25)))
    return settings(settings.get_profile(PROFILE), max_examples=number)


def runs(count: int) -> int:
    """How often a test does what it repeats, if that is `count` times in a full run."""
    return count if FULL else count // 4


def slow(*values: Any) -> list[Any]:
    """For `parametrize("name", ["a", *slow("b", "c")])`: the values of slow tests."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
