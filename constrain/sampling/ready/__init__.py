"""Checkers that are ready to use: JSON, Python, SQL against a database, regular expressions, banned words."""

from constrain.sampling.ready.json import Json
from constrain.sampling.ready.python import Python
from constrain.sampling.ready.sql import Sql
from constrain.sampling.ready.words import Banned, Pattern

__all__ = ["Banned", "Json", "Pattern", "Python", "Sql"]
