"""The official JSON Schema Test Suite: each instance, written down, against the masks of its schema.

A case is right if its text is allowed token by token and may end there exactly when the instance is valid. The
manifest `schema_suite.json` lists every case that is wrong, and why, so that a change in what is supported shows in a
diff. `python -m tests.differential.test_schema_suite` writes it anew: the reasons of cases that are still wrong in the
same way stay, as somebody may have written them by hand; delete a line to have it written again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from amounts import slow
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7, DRAFT202012

import constrain
from constrain import ConstrainError, TokenAutomaton, UnsatisfiableError, Vocabulary

tokenizers = pytest.importorskip("tokenizers")

pytestmark = pytest.mark.data

DRAFTS = {"draft2020-12": DRAFT202012, "draft7": DRAFT7}
PARTS = {"required": 0.98, "optional": 0.90}
"""Which files, and the share of their cases that has to be right."""
ASSERTING = ("optional/format/", "optional/format-assertion.json")
"""Files in which `format` is more than an annotation."""
REMOTES = "http://localhost:1234/"
MANIFEST = Path(__file__).with_name("schema_suite.json")
NEVER = {"required": ("false accept", "crash"), "optional": ("crash",)}
"""Ways to be wrong that the manifest does not excuse. (A few optional files judge what is an annotation by default.)"""


@dataclass(frozen=True)
class Group:
    """A schema of the suite, and its instances."""

    file: str
    content: dict[str, Any]

    @property
    def draft(self) -> str:
        """The folder."""
        return self.file.partition("/")[0]

    def case(self, test: dict[str, Any]) -> str:
        """The name of a case in the manifest."""
        return f"{self.file} / {self.content['description']} / {test['description']}"


@dataclass(frozen=True)
class Suite:
    """Where the suite is, and a vocabulary to read it with."""

    folder: Path
    vocabulary: Vocabulary
    tokenizer: Any
    compiler: constrain.Compiler
    registries: dict[str, Registry[Any]]

    def groups(self, part: str) -> Iterator[Group]:
        """The schemas of the required or of the optional files."""
        for draft in DRAFTS:
            for path in sorted((self.folder / draft).rglob("*.json")):
                file = path.relative_to(self.folder).as_posix()
                if ("/optional/" in file) == (part == "optional"):
                    yield from (Group(file, content) for content in json.loads(path.read_text("utf-8")))


@cache
def load(data: Path) -> Suite:
    """The suite with the tokenizer of Llama 3: tokens that span keys, quotes and punctuation."""
    tokenizer = data / "tokenizers" / "llama3"
    vocabulary = Vocabulary.from_pretrained(tokenizer)
    return Suite(
        folder=data / "json-schema-test-suite",
        vocabulary=vocabulary,
        tokenizer=tokenizers.Tokenizer.from_file(str(tokenizer / "tokenizer.json")),
        compiler=constrain.Compiler(vocabulary),
        registries={draft: remotes(data / "json-schema-test-suite" / "remotes", draft) for draft in DRAFTS},
    )


def remotes(folder: Path, draft: str) -> Registry[Any]:
    """The documents that schemas refer to, at the addresses that the suite gives them."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        resource = Resource.from_contents(content, default_specification=DRAFTS[draft])
        found.append((REMOTES + path.relative_to(folder).as_posix(), resource))
    return Registry().with_resources(found)


@pytest.fixture(scope="module")
def suite(data_dir: Path) -> Suite:
    for needed in ("json-schema-test-suite", "tokenizers/llama3"):
        if not (data_dir / needed).is_dir():
            pytest.skip(f"no {needed} at {data_dir}")
    return load(data_dir)


# Judging


def judge(suite: Suite, group: Group) -> dict[str, str]:
    """Each case of a schema with what is wrong about it; "" if nothing is."""
    tests = group.content["tests"]
    try:
        automaton = compiled(suite, group)
    except UnsatisfiableError:
        return {
            group.case(test): "false reject: no text is said to be valid" if test["valid"] else "" for test in tests
        }
    except ConstrainError as error:
        return dict.fromkeys(map(group.case, tests), f"refused schema: {said(error)}")
    except Exception as error:  # every exception of another kind is a finding about the front end
        return dict.fromkeys(map(group.case, tests), f"crash: {said(error)}")
    return {group.case(test): judge_instance(suite, automaton, test) for test in tests}


def compiled(suite: Suite, group: Group) -> TokenAutomaton:
    """The schema as a user would compile it who wants all of JSON Schema."""
    asserts = group.file.removeprefix(f"{group.draft}/").startswith(ASSERTING)
    spec = constrain.json_schema(
        group.content["schema"],
        registry=suite.registries[group.draft],
        format="assert" if asserts else "annotation",
        property_order="any",
        draft=group.draft.removeprefix("draft"),
    )
    return suite.compiler.compile(spec)


def judge_instance(suite: Suite, automaton: TokenAutomaton, test: dict[str, Any]) -> str:
    """What is wrong about one case."""
    try:
        refused = refusal(suite, automaton, written(test["data"]))
    except ConstrainError as error:
        return f"refused schema: at a mask, {said(error)}"
    except Exception as error:  # see `judge`
        return f"crash: {said(error)}"
    if test["valid"]:
        return f"false reject: {refused}" if refused else ""
    return "" if refused else "false accept"


def written(data: Any) -> str:
    """The instance as text. Lone surrogates, which UTF-8 cannot write, are escaped."""
    text = json.dumps(data, ensure_ascii=False)
    return text if not any("\ud800" <= char <= "\udfff" for char in text) else json.dumps(data)


def refusal(suite: Suite, automaton: TokenAutomaton, text: str) -> str:
    """Where the masks refuse a text, or "". What they allow is what is accepted."""
    mask = constrain.allocate_bitmask(1, suite.vocabulary.size)
    matcher = automaton.matcher()
    tokens = suite.tokenizer.encode(text, add_special_tokens=False).ids
    spelled = [suite.vocabulary.token_bytes(token) for token in tokens]
    assert b"".join(spelled) == text.encode()
    for n, token in enumerate(tokens):
        matcher.fill_bitmask(mask)
        allowed = has(mask, token)
        assert matcher.accept_token(token) == allowed, (text, n)
        if not allowed:
            return f"{shown(spelled[n])} after {shown(b''.join(spelled[:n]))}"
    matcher.fill_bitmask(mask)
    ends = {has(mask, token) for token in suite.vocabulary.eos_ids}
    assert ends == {matcher.is_accepting()}, text
    return "" if matcher.is_accepting() else f"the end after {shown(text.encode())}"


def has(mask: Any, token: int) -> bool:
    """Whether a token is in the first row of a mask."""
    return bool(int(mask[0, token >> 5]) >> (token & 31) & 1)


def shown(data: bytes, most: int = 40) -> str:
    """The end of a text."""
    return repr(data[-most:].decode(errors="replace"))


def said(error: Exception) -> str:
    """An error in one short line."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}"


def kind(verdict: str) -> str:
    """The way in which a case is wrong."""
    return verdict.partition(":")[0]


def judge_all(suite: Suite, part: str) -> dict[str, str]:
    """All cases of a part."""
    verdicts: dict[str, str] = {}
    for group in suite.groups(part):
        verdicts |= judge(suite, group)
    return verdicts


# The manifest


def manifest() -> dict[str, dict[str, str]]:
    """The cases that are known to be wrong, by part."""
    content: dict[str, dict[str, str]] = json.loads(MANIFEST.read_text("utf-8")) if MANIFEST.is_file() else {}
    return {part: content.get(part, {}) for part in PARTS}


def changes(part: str, verdicts: dict[str, str], known: dict[str, str]) -> list[str]:
    """Where the manifest and what happens differ, and what it must not list."""
    never, wrong = split(part, verdicts)
    found = [f"never allowed: {case}: {verdict}" for case, verdict in never.items()]
    found += [f"wrong, and not listed: {case}: {wrong[case]}" for case in wrong if case not in known]
    found += [f"right, but listed: {case}" for case in known if case not in wrong]
    found += [
        f"listed as {kind(known[case])}: {case}: {wrong[case]}"
        for case in wrong.keys() & known.keys()
        if kind(wrong[case]) != kind(known[case])
    ]
    return found


def split(part: str, verdicts: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Cases that are wrong in a way that the manifest does not excuse, and those that are wrong otherwise."""
    wrong = {case: verdict for case, verdict in sorted(verdicts.items()) if verdict}
    never = {case: verdict for case, verdict in wrong.items() if kind(verdict) in NEVER[part]}
    return never, {case: verdict for case, verdict in wrong.items() if case not in never}


@pytest.mark.parametrize("part", ["required", *slow("optional")])
def test_suite(suite: Suite, part: str) -> None:
    verdicts = judge_all(suite, part)
    found = changes(part, verdicts, manifest()[part])
    if found:
        pytest.fail("\n".join([f"{len(found)} differences from {MANIFEST.name}", *found[:30]]), pytrace=False)
    assert share(verdicts) >= PARTS[part]


def share(verdicts: dict[str, str]) -> float:
    """The part of the cases that is right."""
    return sum(not verdict for verdict in verdicts.values()) / len(verdicts)


def update(data: Path) -> None:
    """Write the manifest, print the counts."""
    suite, known = load(data), manifest()
    content: dict[str, dict[str, str]] = {}
    for part in PARTS:
        verdicts, kept = judge_all(suite, part), known[part]
        never, wrong = split(part, verdicts)
        content[part] = {
            case: kept[case] if kind(kept.get(case, "")) == kind(verdict) else verdict
            for case, verdict in wrong.items()
        }
        print(f"{part}: {share(verdicts):.2%} of {len(verdicts)} cases right", end="")
        print("".join(f", {count} {way}" for way, count in counts(verdicts.values()).items()))
        print("".join(f"  never allowed: {case}: {verdict}\n" for case, verdict in never.items()), end="")
    MANIFEST.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def counts(verdicts: Iterable[str]) -> Counter[str]:
    """How often cases are wrong in which way."""
    return Counter(kind(verdict) for verdict in verdicts if verdict)


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    update(Path(os.environ.get("CONSTRAIN_DATA", root.parent / "shared")))
