"""The command line: every command, what it prints for people and for machines, and its exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from command_line import needs_embedded_model, run, run_json, unwrapped
from rich.cells import cell_len

import constrain
from constrain import Vocabulary
from constrain.cli import output, sources
from constrain.cli.inspect import fewest_tokens
from constrain.demo import MODEL_PATH
from constrain.warmup import kernels, kernels_are_cached, warm_up

ROOT = Path(constrain.__file__).parents[1]
YEAR_MONTH = "[0-9]{4}-(0[1-9]|1[0-2])"
COMMANDS = {"demo", "generate", "check", "match", "mask", "compile", "grammars", "picture", "warmup", "info"}
MERGES = ["12", "20", "01", "-0", "yes", " yes", "é"]


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer: 0 ends the output, 1 pads, then the bytes, then `MERGES`."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tokenizer")
    _tokenizer().save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    import tokenizers
    import transformers

    vocabulary = {"<end>": 0, "<pad>": 1}
    for character in sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
    merges: list[tuple[str, str]] = []
    for word in MERGES:
        written = tokenizers.pre_tokenizers.ByteLevel(False, use_regex=False).pre_tokenize_str(word)[0][0]
        for end in range(2, len(written) + 1):
            if written[:end] not in vocabulary:
                vocabulary[written[:end]] = len(vocabulary)
                merges.append((written[: end - 1], written[end - 1]))
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(False, use_regex=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<pad>")


@pytest.fixture(scope="module")
def model(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained decoder."""
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=_width(tokenizer), eos_token_id=0, pad_token_id=1, bos_token_id=None, **sizes)
    return _saved(LlamaForCausalLM(config), tmp_path_factory.mktemp("decoder"))


@pytest.fixture(scope="module")
def encoder_decoder(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained encoder and decoder."""
    torch = pytest.importorskip("torch")
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    config = T5Config(vocab_size=_width(tokenizer), eos_token_id=0, pad_token_id=1, decoder_start_token_id=1, **sizes)
    return _saved(T5ForConditionalGeneration(config), tmp_path_factory.mktemp("encoder-decoder"))


def _width(tokenizer: Path) -> int:
    return Vocabulary.from_pretrained(tokenizer).size


def _saved(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


# ---- the program


def test_help_lists_every_command() -> None:
    listed = set(re.findall(r"^│ (\w+) ", run("--help").stdout, re.MULTILINE))
    assert listed == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_a_command_shows_its_example_whole(command: str) -> None:
    text = run(command, "-h").stdout
    assert f"Usage: constrain {command}" in text.replace("root", "constrain")
    assert "--json" in text
    example = re.search(rf"^ constrain {command} .*", text, re.MULTILINE)
    if command in {"check", "match", "mask", "compile"}:
        assert example and "'[0-9]{4}-[0-9]{2}'" in example[0]  # brackets could be taken for markup


def test_version() -> None:
    assert run("--version").stdout.strip() == constrain.__version__


def test_help_in_a_process_of_its_own_loads_no_framework() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['constrain', '--help']\n"
        "try: runpy.run_module('constrain.cli', run_name='__main__')\n"
        "except SystemExit as error: code = error.code\n"
        "print(code, *{'torch', 'transformers'} & set(sys.modules), file=sys.stderr)\n"
    )
    answer = python("-c", code)
    assert answer.stderr.split() == ["0"]
    assert "Usage: constrain" in answer.stdout


def test_the_commands_alone_load_no_numba() -> None:
    """The package around them is left out, so that this says what the command line itself imports."""
    code = (
        "import sys, types\n"
        "package = sys.modules['constrain'] = types.ModuleType('constrain')\n"
        "package.__path__ = ['constrain']\n"
        "import constrain.cli.app\n"
        "print(*{'numba', 'numpy', 'torch', 'transformers'} & set(sys.modules))\n"
    )
    answer = python("-c", code)
    assert (answer.stdout.strip(), answer.stderr) == ("", "")


def test_module_runs_like_the_script() -> None:
    answer = python("-m", "constrain.cli", "match", "--choice", "a", "b")
    assert (answer.returncode, answer.stdout.splitlines()[0]) == (1, "rejected at column 1: 'b'")


def test_closed_pipe_ends_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "constrain.cli", "info"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), complaint) == (141, b"")


def test_interrupt_is_not_taken_for_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "text", interrupted)
    assert run("match", "-c", "a", "a").exit_code == 130


# ---- constraints from the command line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no constraint; give --regex PATTERN, --choice TEXT (repeated), --choices-file FILE, --grammar"),
        (["-r", "a", "-c", "b"], "give one constraint, not --regex and --choice"),
        (["-c", "b", "--choices-file", "x"], "give one constraint, not --choice and --choices-file"),
        (["--choices-file", "no-such-file"], "cannot read no-such-file: No such file or directory"),
        (["-r", "\udcff"], r"a constraint must be UTF-8, not b'\xff'"),
    ],
)
def test_bad_constraints(arguments: list[str], message: str) -> None:
    result = run("check", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in unwrapped(result.stderr)


def test_empty_pattern_is_a_constraint() -> None:
    assert run("match", "--regex", "", "").exit_code == 0
    assert run("match", "--regex", "", "a").exit_code == 1


def test_choices_file(tmp_path: Path) -> None:
    file = tmp_path / "choices"
    file.write_bytes("schön\r\nyes, really\n".encode())
    assert run("match", "--choices-file", file, "schön").exit_code == 0
    assert run("match", "--choices-file", file, "yes, really").exit_code == 0
    assert run("match", "--choices-file", file, "yes").exit_code == 1


def test_choices_from_standard_input() -> None:
    assert run("match", "--choices-file", "-", "b", stdin="a\nb").exit_code == 0
    assert run("match", "--choices-file", "-", "c", stdin="a\nb").exit_code == 1


@pytest.mark.parametrize(
    ("content", "message"), [(b"a\n\nb\n", "line 2 of standard input is empty"), (b"a\xff", "not UTF-8 at byte 1")]
)
def test_bad_choices(content: bytes, message: str) -> None:
    result = run("check", "--choices-file", "-", stdin=content)
    assert result.exit_code == 2
    assert message in unwrapped(result.stderr)


def test_standard_input_is_read_once() -> None:
    result = run("match", "--choices-file", "-", "-", stdin="a")
    assert result.exit_code == 2
    assert "TEXT and --choices-file cannot both be -" in unwrapped(result.stderr)


# ---- check


def test_check_describes() -> None:
    assert run("check", "-r", "a+b|é").stdout == "ok: regex a+b|é; starts with 'a', 'é'\n"
    assert run("check", "-c", "no", "-c", "yes").stdout == "ok: choice of 2: 'no', 'yes'; starts with 'n', 'y'\n"


def test_check_json() -> None:
    found = run_json("check", "-r", "a*")
    assert found == {
        "ok": True,
        "constraint": "regex a*",
        "may_be_empty": True,
        "starts_with": "'a' or the end of the text",
    }


def test_check_points_at_a_syntax_error() -> None:
    result = run("check", "-r", "é(a")
    assert (result.exit_code, result.stdout) == (2, "")
    message, source, mark = result.stderr.splitlines()
    assert message.startswith("error: regex: missing )")
    assert source[mark.index("^")] == "("


def test_check_errors_for_machines() -> None:
    found = run_json("check", "-r", "é(a", code=2)
    assert (found["ok"], found["error"]["type"], found["error"]["column"]) == (False, "GrammarSyntaxError", 2)
    assert run_json("check", "-r", "(?=b)a", code=2)["error"]["type"] == "UnsatisfiableError"
    limit = run_json("check", "-r", "a{1000000}", code=2)["error"]
    assert (limit["type"], limit["limit"], limit["given"]) == ("LimitExceeded", "repeat", 1_000_000)


def test_check_with_a_tokenizer(tokenizer: Path) -> None:
    result = run("check", "-r", "a", "-t", tokenizer)
    assert result.exit_code == 0
    assert "can be spelled by" in result.stdout and f"{_width(tokenizer)} ids" in result.stdout


def test_check_with_a_tokenizer_that_lacks_a_byte(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    backend = tokenizers.Tokenizer(tokenizers.models.BPE({"<0x00>": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")]))
    backend.save(str(tmp_path / "tokenizer.json"))
    result = run("check", "-r", "abc", "-t", tmp_path / "tokenizer.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


# ---- match


@pytest.mark.parametrize(
    ("pattern", "text", "lines"),
    [
        ("a+", "aa", ["match"]),
        ("né+", "nèe", ["rejected at column 2: 'è'", "    nèe", "     ^", "expected 'é'"]),
        ("日本[a-z]", "日本9", ["rejected at column 3: '9'", "    日本9", "        ^", "expected 'a'-'z'"]),
        ("a\n日b", "a\n日c", ["rejected at line 2, column 2: 'c'", "    日c", "      ^", "expected 'b'"]),
        ("ab\n", "a\n", ["rejected at line 1, column 2: the line break", "    a", "     ^", "expected 'b'"]),
        ("a\tb", "a\tc", ["rejected at column 3: 'c'", "    a␉c", "      ^", "expected 'b'"]),
        ("a", "ab", ["rejected at column 2: 'b'", "    ab", "     ^", "expected the end of the text"]),
        ("(yes|no)!", "yes", ["incomplete: the text must go on", "    yes", "       ^", "expected '!'"]),
        ("ab?c", "a", ["incomplete: the text must go on", "    a", "     ^", "expected 'b'-'c'"]),
        ("a\n", "a", ["incomplete: the text must go on", "    a", "     ^", r"expected '\n'"]),
        ("x", "\x1b[2J", [r"rejected at column 1: '\x1b'", "    ␛[2J", "    ^", "expected 'x'"]),
        ("[à-ü]", "a", ["rejected at column 1: 'a'", "    a", "    ^", "expected 'à'-'ü'"]),
        (
            r"\d",
            "a",
            ["rejected at column 1: 'a'", "    a", "    ^", "expected '0'-'9' or other characters beyond ASCII"],
        ),
    ],
)
def test_match(pattern: str, text: str, lines: list[str]) -> None:
    result = run("match", "--regex", pattern, text)
    assert result.stdout.splitlines() == lines
    assert result.exit_code == (0 if lines == ["match"] else 1)
    assert result.stderr == ""


@pytest.mark.parametrize("text", ["é" * 200 + "x" + "é" * 200, "日" * 200 + "x", "x"])
def test_caret_stands_under_the_character_of_a_long_line(text: str) -> None:
    _, line, mark, _ = run("match", "--regex", "[é日]+", text).stdout.splitlines()
    assert cell_len(line.split("x")[0]) == mark.index("^")


def test_match_json() -> None:
    found = run_json("match", "-r", "né\n日a", "né\n日b", code=1)
    place = {"byte": 7, "character": 4, "line": 2, "column": 2}
    assert found == {"result": "rejected", **place, "expected_hex": "61", "expected": "'a'"}
    assert run_json("match", "-r", "a", "a") == {"result": "match"}
    assert run_json("match", "-r", "é", "", code=1)["expected_hex"] == "c3"


def test_match_reads_standard_input_without_its_last_line_break() -> None:
    assert run("match", "-r", "a\nb", "-", stdin="a\nb\n").exit_code == 0
    assert run("match", "-r", "a\nb", "-", stdin="a\nb\r\n").exit_code == 0
    assert run("match", "-r", "a\nb", "-", stdin="a\nb\n\n").exit_code == 1
    assert run("match", "-r", "a\nb\n", "-", stdin="a\nb\n\n").exit_code == 0


@pytest.mark.parametrize(
    ("data", "result", "byte", "character"),
    [
        (b"n\xc3", "incomplete", 2, 1),  # a character cut short
        (b"n\xc3a", "rejected", 2, 1),
        (b"n\xff", "rejected", 1, 1),
        ("né".encode() + b"\xa9", "rejected", 3, 2),
    ],
)
def test_match_of_what_is_not_utf8(data: bytes, result: str, byte: int, character: int) -> None:
    found = run_json("match", "-r", "né+", "-", code=1, stdin=data)
    assert (found["result"], found["byte"], found["character"]) == (result, byte, character)
    assert "'é'" in found["expected"]


def test_match_names_bytes_that_are_not_utf8() -> None:
    text = run("match", "-r", "né+", "-", stdin=b"n\xffx").stdout
    assert "byte 0xFF, which is not UTF-8" in text
    assert "    n\ufffdx\n" in text


# ---- mask


def spelled(folder: Path, found: dict[str, Any]) -> set[bytes]:
    """What the tokens of an answer spell; checks them against the vocabulary."""
    vocabulary = Vocabulary.from_pretrained(folder)
    for token in found["tokens"]:
        assert bytes.fromhex(token["hex"]) == vocabulary.token_bytes(token["id"])
        assert token["text"] is None or token["text"].encode().hex() == token["hex"]
    return {bytes.fromhex(token["hex"]) for token in found["tokens"]}


@pytest.mark.parametrize(
    ("prefix", "allowed", "may_end"),
    [
        ("", {*(b"%d" % d for d in range(10)), b"12", b"20", b"01"}, False),
        ("2024", {b"-", b"-0"}, False),
        ("202", {b"%d" % d for d in range(10)}, False),
        ("2024-1", {b"0", b"1", b"2"}, False),
        ("2024-12", {b""}, True),
    ],
)
def test_mask(tokenizer: Path, prefix: str, allowed: set[bytes], may_end: bool) -> None:
    found = run_json("mask", "-r", YEAR_MONTH, "-p", prefix, "-t", tokenizer)
    assert spelled(tokenizer, found) == allowed
    assert (found["allowed"], found["may_end"]) == (len(allowed), may_end)
    assert [token["ends"] for token in found["tokens"]] == [may_end] * len(allowed)


def test_mask_of_tokens_that_are_no_text(tokenizer: Path) -> None:
    found = run_json("mask", "-r", "é", "-t", tokenizer)
    assert [token["text"] for token in found["tokens"]] == [None, "é"]
    assert found["forced"] == "é"


def test_mask_table(tokenizer: Path) -> None:
    result = run("mask", "-r", YEAR_MONTH, "-t", tokenizer, "--limit", "3")
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0][:5] == ["13", "of", f"{_width(tokenizer)}", "tokens", "are"]
    assert [line[1] for line in lines[-3:]] == ["'0'", "'1'", "'2'"]
    assert "10 more" in result.stderr


def test_mask_lists_all_or_fifty(tokenizer: Path) -> None:
    pattern = "[0-9]|[a-z]|[A-Z]"
    assert "12 more" in run("mask", "-r", pattern, "-t", tokenizer).stderr
    assert run("mask", "-r", pattern, "-t", tokenizer, "-l", "0").stderr == ""
    assert len(run_json("mask", "-r", pattern, "-t", tokenizer)["tokens"]) == 62
    assert len(run_json("mask", "-r", pattern, "-t", tokenizer, "-l", "5")["tokens"]) == 5


def test_mask_says_what_is_forced_and_that_the_output_may_end(tokenizer: Path) -> None:
    forced = run("mask", "-r", YEAR_MONTH, "-p", "2024", "-t", tokenizer).stdout
    assert "what follows begins with '-'" in forced and "may not end here" in forced
    ended = run("mask", "-r", YEAR_MONTH, "-p", "2024-10", "-t", tokenizer).stdout
    assert ended.startswith(f"1 of {_width(tokenizer)} tokens is allowed; the output may end here")
    assert "<end> ends the output" in ended


def test_mask_reads_the_prefix_from_standard_input(tokenizer: Path) -> None:
    assert run_json("mask", "-r", YEAR_MONTH, "-p", "-", "-t", tokenizer, stdin="2024\n")["allowed"] == 2


def test_mask_of_a_prefix_that_cannot_be(tokenizer: Path) -> None:
    result = run("mask", "-r", YEAR_MONTH, "-p", "20x", "-t", tokenizer)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:3] == ["prefix rejected at column 3: 'x'", "    20x", "      ^"]
    assert run_json("mask", "-r", YEAR_MONTH, "-p", "20x", "-t", tokenizer, code=1)["byte"] == 2


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("-0", 0, "is allowed"),
        ("-", 0, "is allowed"),
        ("yes", 1, r"byte 0 \('y'\) cannot stand there; it could be '-'"),
        ("<end>", 1, "must not end here"),
        ("0", 1, "token 0 ends the output"),
        ('"0"', 1, r"byte 0 \('0'\) cannot stand there"),
        (r'"\u00e9"', 1, "byte 0 "),
    ],
)
def test_mask_explains(tokenizer: Path, name: str, code: int, reason: str) -> None:
    result = run("mask", "-r", YEAR_MONTH, "-p", "2024", "-t", tokenizer, f"--explain={name}")
    assert result.exit_code == code
    assert re.search(reason, result.stdout)


def test_mask_explains_to_machines(tokenizer: Path) -> None:
    found = run_json("mask", "-r", YEAR_MONTH, "-p", "20", "-t", tokenizer, "--explain", "yes", code=1)
    assert found["tokens"][0]["allowed"] is False
    assert (found["tokens"][0]["dies_at"], found["tokens"][0]["expected_hex"]) == (0, b"0123456789".hex())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no", "no single token spells 'no'; several do"),
        ('"a', "no single token spells '\"a'"),
        (r'"\q"', "is not a string in JSON"),
        ("99999", "token 99999 is outside the vocabulary"),
    ],
)
def test_mask_explains_only_tokens(tokenizer: Path, name: str, message: str) -> None:
    result = run("mask", "-r", YEAR_MONTH, "-t", tokenizer, "--explain", name)
    assert result.exit_code == 2
    assert message in unwrapped(result.stderr)


def test_fewest_tokens_go_back_where_the_longest_lead_nowhere() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", b"ab", b"abc", b"bcd", b"cd"])
    assert fewest_tokens(vocabulary, b"abcd") in ([0, 3], [1, 4])
    assert fewest_tokens(vocabulary, b"abca") == [2, 0]
    assert fewest_tokens(vocabulary, b"") == []
    assert fewest_tokens(vocabulary, b"d") is None


def test_mask_knows_that_decoding_drops_a_space(monkeypatch: pytest.MonkeyPatch, tokenizer: Path) -> None:
    vocabulary = Vocabulary.from_tokens([b" ", b"a", b"b", None], eos_ids=[3], strips_leading_space=True)
    monkeypatch.setattr(sources, "vocabulary", lambda place: vocabulary)
    for prefix, allowed in ((" ", [1]), ("a", [2]), (" a", [2])):
        pattern = " ab" if prefix.startswith(" ") else "ab"
        found = run_json("mask", "-r", pattern, "-p", prefix, "-t", tokenizer)
        assert [token["id"] for token in found["tokens"]] == allowed


# ---- compile


def test_compile_agrees_with_mask(tokenizer: Path) -> None:
    found = run_json("compile", "-r", YEAR_MONTH, "-t", tokenizer)
    assert found["first_tokens"] == run_json("mask", "-r", YEAR_MONTH, "-t", tokenizer)["allowed"] == 13
    assert (found["vocabulary_size"], found["may_be_empty"]) == (_width(tokenizer), False)
    assert min(found[f"{what}_seconds"] for what in ("read", "compile", "first_mask", "known_mask")) > 0
    assert found["automaton_bytes"] > 1000 and found["trie_nodes"] > 256


def test_compile_table(tokenizer: Path) -> None:
    lines = run("compile", "-r", "a*", "-t", tokenizer).stdout.splitlines()
    rows = {line[:12].strip(): line[14:] for line in lines}
    assert rows["constraint"] == "regex a*"
    assert rows["first tokens"] == f"2 of {_width(tokenizer)} allowed; the output may be empty"
    assert re.fullmatch(r"[\d.]+ [µm]s; [\d.]+ [µm]s when asked again", rows["first mask"])
    assert not any(line.endswith(" ") for line in lines)


# ---- tokenizers and models that are not there


def test_missing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    result = run("mask", "-r", "a", "-t", tmp_path / "nowhere")
    assert result.exit_code == 2
    message = unwrapped(result.stderr)
    assert "--tokenizer" in message and "there is no folder" in message
    assert "hf download NAME --local-dir DIR" in message


def test_unknown_name_without_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sources, "_hub_answers", lambda: False)

    def offline(*_: Any, **__: Any) -> None:
        raise constrain.VocabularyError("cannot load a tokenizer")

    monkeypatch.setattr(Vocabulary, "from_pretrained", offline)
    result = run("mask", "-r", "a", "-t", "no-such-organisation/no-such-model")
    assert result.exit_code == 2
    assert "the Hugging Face Hub did not give a model of that name" in unwrapped(result.stderr)


def test_folder_without_a_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    result = run("mask", "-r", "a", "-t", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: cannot load a tokenizer from '{tmp_path}'")


def test_folder_without_a_model(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    result = run("generate", "-m", tmp_path, "-r", "a")
    assert result.exit_code == 2
    assert "Invalid value for --model: cannot load" in unwrapped(result.stderr)


@pytest.mark.parametrize("arguments", [["generate", "-r", "a"], ["mask", "-r", "a"]])
def test_missing_extra_is_named(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option = "--model" if arguments[0] == "generate" else "--tokenizer"
    monkeypatch.setitem(sys.modules, "transformers", None)
    result = run(*arguments, option, tmp_path)
    assert result.exit_code == 2
    assert re.search(r"""^error: .*pip install ["']constrain\[hf\]["']""", result.stderr)


def test_other_missing_modules_are_bugs() -> None:
    assert output.missing_package(ImportError("no", name="numpy")) is None
    assert output.missing_package(ImportError("no", name="torch.nn")) == f"torch is not installed: {output.HF_EXTRA}"


# ---- warmup, info


def test_warm_up_leaves_nothing_to_compile() -> None:
    warm_up()
    assert {kernel.__name__ for kernel in kernels()} >= {"fill_trie", "look"}
    compiled = {kernel.__name__: list(kernel.signatures) for kernel in kernels()}
    assert all(compiled.values()), compiled
    assert kernels_are_cached()
    automaton = constrain.Compiler(Vocabulary.from_tokens([b"a", b"bc", None], eos_ids=[2])).compile(
        constrain.regex(r"(?<!x)\b(a|bc){1,3}$") & constrain.choice(["abc", "bca"])
    )
    assert automaton.accepts([0, 1])
    automaton.matcher().explain(1)
    assert {kernel.__name__: list(kernel.signatures) for kernel in kernels()} == compiled


def test_warmup_reads_tokenizers_into_the_cache(tokenizer: Path, cache_dir: Path) -> None:
    found = run_json("warmup", "-t", tokenizer)
    assert found["kernels_cached"] is True and found["kernel_seconds"] > 0
    assert found["tokenizers"][0]["path_or_id"] == str(tokenizer)
    assert list(cache_dir.glob("**/*.npz"))


def test_warmup_prints_seconds() -> None:
    assert re.fullmatch(r"kernels  loaded from the cache in [\d.]+ m?µ?s\n", run("warmup").stdout)


def test_first_compilation_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("constrain.warmup.kernels_are_cached", lambda: False)
    result = run("warmup")
    assert result.stderr == "compiling the engine, once per machine, about a minute\n"
    assert result.stdout.startswith("kernels  compiled in ")


def test_info(cache_dir: Path) -> None:
    found = run_json("info")
    assert found["versions"]["constrain"] == constrain.__version__
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["threads"]["usable_cpus"] >= 1
    assert found["caches"]["vocabularies"]["path"].startswith(str(cache_dir))
    assert found["caches"]["machine_code"]["files"] > 0


def test_info_without_packages_and_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("constrain.cli.system.version", version)
    monkeypatch.setenv("CONSTRAIN_NO_CACHE", "1")
    rows = dict(line.split("  ", 1) for line in run("info").stdout.splitlines())
    assert rows["torch"].strip() == "not installed"
    assert rows["vocabularies"].strip() == "no cache"


# ---- generate


def test_generate(model: Path) -> None:
    result = run("generate", "-m", model, "-p", "on ", "-r", YEAR_MONTH)
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(YEAR_MONTH, result.stdout.removesuffix("\n"))


def test_generate_json(model: Path) -> None:
    found = run_json("generate", "-m", model, "-p", "-", "-r", YEAR_MONTH, stdin="on\n")
    assert found["prompt"] == "on"
    (one,) = found["outputs"]
    vocabulary = Vocabulary.from_pretrained(model)
    assert b"".join(map(vocabulary.token_bytes, one["tokens"])).decode() == one["text"]
    assert one["finish_reason"] == "complete" and re.fullmatch(YEAR_MONTH, one["text"])
    assert one["stats"]["steps"] >= len(one["tokens"]) > 0
    assert 0 < one["stats"]["mask_seconds_max"] <= one["stats"]["mask_seconds"] < one["stats"]["seconds"]


def test_generate_cut_short(model: Path) -> None:
    result = run("generate", "-m", model, "-p", "on ", "-r", "a{40}", "-n", "3")
    assert (result.exit_code, result.stdout) == (1, "aaa\n")
    assert "cut short after 3 tokens" in result.stderr
    found = run_json("generate", "-m", model, "-p", "on ", "-r", "a{40}", "-n", "3", code=1)
    assert found["outputs"][0]["finish_reason"] == "length"


def test_generate_several(model: Path) -> None:
    arguments = ["generate", "-m", model, "-p", "x", "-r", "[a-z]{8}", "--num", "3", "--seed"]
    first = [one["text"] for one in run_json(*arguments, "1")["outputs"]]
    assert len(set(first)) == 3 and all(re.fullmatch("[a-z]{8}", text) for text in first)
    assert [one["text"] for one in run_json(*arguments, "1")["outputs"]] == first
    assert [one["text"] for one in run_json(*arguments, "2")["outputs"]] != first


def test_generate_without_a_constraint_or_a_prompt(model: Path) -> None:
    found = run_json("generate", "-m", model, "-n", "4", code=1)
    (one,) = found["outputs"]
    assert (one["finish_reason"], len(one["tokens"])) == ("length", 4)


def test_generate_with_an_encoder_and_decoder(encoder_decoder: Path) -> None:
    result = run("generate", "-m", encoder_decoder, "-p", "on", "-r", YEAR_MONTH)
    assert result.exit_code == 0
    assert re.fullmatch(YEAR_MONTH, result.stdout.removesuffix("\n"))
    free = run_json("generate", "-m", encoder_decoder, "-p", "on", "-n", "4", code=1)
    assert len(free["outputs"][0]["tokens"]) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--greedy", "--num", "2"], "--greedy knows one output; --num is for --sample"),
        (["--greedy", "--num", "2", "--temperature", "1"], "--num and --temperature is for --sample"),
        (["--temperature", "0"], "a temperature of 0 is --greedy"),
        (["--max-new-tokens", "0"], "--max-new-tokens"),
    ],
)
def test_generate_settings_that_contradict(arguments: list[str], message: str) -> None:
    result = run("generate", "-r", "a", *arguments)
    assert result.exit_code == 2
    assert message in unwrapped(result.stderr)


# ---- the embedded model


@needs_embedded_model
def test_embedded_model_is_the_default() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    result = run("generate", "-p", "The meeting is on ", "-r", YEAR_MONTH)
    assert result.exit_code == 0
    assert re.fullmatch(YEAR_MONTH, result.stdout.removesuffix("\n"))
    vocabulary = Vocabulary.from_pretrained(MODEL_PATH)
    assert run_json("compile", "-r", YEAR_MONTH)["vocabulary_size"] == vocabulary.size


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) and text.startswith("{")
    except ValueError:
        return False


def is_valid(schema: dict[str, Any], text: str) -> bool:
    jsonschema = pytest.importorskip("jsonschema")
    return is_object(text) and bool(jsonschema.Draft202012Validator(schema).is_valid(json.loads(text)))


@needs_embedded_model
def test_demo_json() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from constrain.demo.cases import CASES

    cases = run_json("demo")["cases"]
    assert [(one["prompt"], one["pattern"], one["title"]) for one in cases] == [
        (case.prompt, case.pattern, case.title) for case in CASES
    ]
    assert [bool(one["grammar"]) for one in cases] == [False, False, False, True, False, False]
    assert [bool(one["schema"]) for one in cases] == [False, False, False, False, True, False]
    *cases, searched = cases
    assert searched["constrained_matches"] and not searched["free_matches"] and searched["mask_us_mean"] is None
    assert all(re.search(rf"\b{word}\b", searched["constrained"]) for word in searched["words"])
    for one in cases:
        is_met = is_object if one["grammar"] else re.compile(one["pattern"]).fullmatch
        if one["schema"]:
            is_met = partial(is_valid, one["schema"])
        assert one["constrained_matches"] and is_met(one["constrained"])
        assert one["free_matches"] == bool(is_met(one["free"]))
        assert 0 < one["mask_us_mean"] <= one["mask_us_max"] and one["mask_us_first"] <= one["mask_us_max"]
        assert one["tokens"] > 0


@needs_embedded_model
def test_demo_table() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    result = run("demo")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("✓ match,") == 6
    assert re.search(r"^matches: \d of 6 free, 6 of 6 constrained$", result.stdout, re.MULTILINE)
    assert re.search(r'  \{ .*\n.*  "name": "', result.stdout)  # values are indented, a member on a line
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_no_embedded_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("constrain.demo.MODEL_PATH", tmp_path / "none")
    result = run("mask", "-r", "a")
    assert result.exit_code == 2
    assert "this installation has no embedded model; give --tokenizer PATH_OR_ID" in unwrapped(result.stderr)
