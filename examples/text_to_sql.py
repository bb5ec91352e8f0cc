"""SQL that a database takes: SQLite is asked about the tokens that the model proposes, and of no others."""

from __future__ import annotations

import sqlite3

import torch

from constrain.demo import load_model
from constrain.hf import generate
from constrain.sampling import Sql

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, city TEXT, year INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user INTEGER, total REAL);
"""
ROWS = "INSERT INTO users (name, city, year) VALUES ('Ada', 'Uppsala', 1990), ('Kim', 'Turku', 2001);"
QUESTION = "Question: How many users are there?\nSQL: "


def main() -> None:
    model, tokenizer = load_model()
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA + ROWS)
    checker = Sql(database)  # tables and columns exist, in every text that comes back

    torch.manual_seed(1)
    options = {"sampler": "smc", "particles": 32, "max_new_tokens": 32}
    # A particle gives up after 20 proposals in one place; weights make up for it, so that nothing is biased.
    (result,) = generate(model, tokenizer, QUESTION, checker, max_rejects=20, **options)
    assert result.posterior is not None
    print(f"asked about {result.posterior.evaluations} tokens")
    for answer in result.posterior.answers[:3]:
        rows = database.execute(answer.text).fetchmany(3)
        print(f"{answer.probability:.3f} {answer.text!r} -> {rows}")


if __name__ == "__main__":
    main()
