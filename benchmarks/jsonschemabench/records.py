"""What is written of every item: one JSON object a line.

A file of results holds *runs* and *records*. A run says under which circumstances the records after it were made; a
file that was resumed has several. A record is one item with one engine in one pass.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

OUTCOMES = ("pass", "crash", "memory", "timeout", "false accept", "false reject", "compile error")
"""What can become of an item; after the first, the worst come first.

* pass: the schema compiled and every instance was judged rightly (masks), or the text is valid (generate).
* crash: an exception that is no refusal, or the process died.
* memory: the memory limit was reached.
* timeout: the time for the item was up; the process was killed.
* false accept: an invalid instance was let through, or an invalid text was generated.
* false reject: a valid instance was refused.
* compile error: the engine refused the schema.
"""


@dataclass
class Run:
    """The circumstances of the records that follow."""

    mode: str
    command: str
    date: str
    machine: str
    versions: dict[str, str]
    tokenizer: str
    """Name of the tokenizer's folder, or of the model's."""
    seed: int
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Text:
    """An instance that was read token by token, in `masks`."""

    valid: bool
    """Whether it is valid, as the data say."""
    accepted: bool
    tokens: int
    steps_ns: list[int] = field(default_factory=list)
    """For every token, mask and commit together, the mask at the end included; as far as it was read."""
    refused: str = ""
    """Where it was refused."""


@dataclass
class Record:
    """One item with one engine in one pass."""

    id: str
    split: str
    engine: str
    run: int = 1
    """The number of the pass."""
    outcome: str = "pass"
    error: str = ""
    """The class of an error."""
    message: str = ""
    schema_bytes: int = 0
    vocabulary: int = 0
    """Tokens."""
    rss_mb: float = 0.0
    """The most memory that the engine's process has held so far."""
    compile_ns: int = 0
    first_ns: int = 0
    """The first mask, in `masks`; 0 if the schema did not compile."""
    texts: list[Text] = field(default_factory=list)
    """In `masks`."""
    generated: dict[str, Any] | None = None
    """In `generate`: `text`, `tokens`, `forced_tokens`, `finish_reason`, `gct_ms` (grammar compilation), `ttft_ms`
    (time to the first token, compilation included), `tpot_ms` (per token after the first), `total_ms`, `declared` (it
    compiled), `empirical` (the text is valid), `plain_total_ms` (without skipping of forced tokens)."""
    task: dict[str, Any] | None = None
    """In `quality`: `name`, `decoding`, `question`, `text`, `answer`, `expected`, `correct`, `tokens`, `seconds`."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What there is one record of."""
        return self.id, self.engine, self.run

    @property
    def ttfm_ns(self) -> int:
        """Time to the first mask: compile and first mask."""
        return self.compile_ns + self.first_ns if self.first_ns else 0

    def fail(self, outcome: str, error: BaseException | str) -> None:
        """Say why an item does not pass. Of several outcomes the worst stays."""
        if self.outcome != "pass" and OUTCOMES.index(self.outcome) <= OUTCOMES.index(outcome):
            return
        self.outcome = outcome
        self.error = "" if isinstance(error, str) else type(error).__name__
        self.message = " ".join(str(error).split())[:300]


T = TypeVar("T", Run, Record)


def to_json(kind: Run | Record) -> dict[str, Any]:
    """What is written on a line.

    >>> from_json(to_json(Record("a", "b", "c"))) == Record("a", "b", "c")
    True
    """
    usual = {one.name: one.default_factory() if callable(one.default_factory) else one.default for one in fields(kind)}
    said = {name: value for name, value in asdict(kind).items() if value != usual[name]}
    return {"kind": type(kind).__name__.lower()} | said


def from_json(line: dict[str, Any]) -> Run | Record:
    """The other way. Unknown fields are left out, so that newer files can be read. Raises KeyError, TypeError."""
    known = dict(line)
    if known.pop("kind") == "run":
        return Run(**_fields(Run, known))
    record = Record(**_fields(Record, known))
    record.texts = [Text(**_fields(Text, text)) for text in known.get("texts", ())]
    return record


def _fields(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
