"""The tree is the architecture: who may import whom, what is public, and that every kernel has a slow twin."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import constrain

ROOT = Path(constrain.__file__).parent
RANKS = {
    "jit": -1,
    "errors": 0,
    "limits": 0,
    "kernels": 0,
    "ir": 1,
    "vocab": 1,
    "automata": 2,
    "specs": 3,
    "collie": 4,
    "engine": 4,
    "explanation": 5,
    "automaton": 6,
    "compiler": 7,
    "debug": 8,
    "sampling": 8,
    "beam": 8,
    "warmup": 9,
    "hf": 9,
    "cli": 9,
    "demo": 9,
}
OUTERMOST = max(RANKS.values())
HEAVY = {"torch", "transformers", "tokenizers", "tiktoken", "sentencepiece", "safetensors"}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name, without the leading `constrain`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def top_level(path: Path) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported. Bodies of functions and of `if TYPE_CHECKING` do not."""
    stack: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        stack += ast.iter_child_nodes(node)


def imported(path: Path) -> set[str]:
    """Dotted names of modules that importing this one imports, of this package without the leading `constrain`."""
    names = set()
    for node in top_level(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = {
                name for name in whole if name.removeprefix("constrain.") in MODULES and name.startswith("constrain.")
            }
            names |= inside or {node.module}
    return names


def own(path: Path) -> set[str]:
    """The modules of this package among them."""
    return {name.partition(".")[2] for name in imported(path) if name == "constrain" or name.startswith("constrain.")}


def rank(module: str) -> int:
    return RANKS[module.split(".")[0]]


def test_every_module_has_a_rank() -> None:
    assert {name.split(".")[0] for name in MODULES} - {""} == set(RANKS) & {name.split(".")[0] for name in MODULES}
    assert len(MODULES) > 25


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_down(module: str) -> None:
    """Lower ranks, or the same package; the front door is for users."""
    package = module.split(".")[0]
    for other in own(MODULES[module]):
        if not other:
            assert rank(module) == OUTERMOST, "only the outermost layer goes through the front door"
            continue
        assert rank(other) < rank(module) or other.split(".")[0] == package, f"{module} imports {other}"


def test_no_class_name_stands_for_two_things() -> None:
    homes: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


KERNELS = {name: path for name, path in MODULES.items() if name.startswith("kernels.")}
REFERENCE = Path(__file__).parent.parent / "reference"


@pytest.mark.parametrize("module", KERNELS)
def test_kernels_stand_alone(module: str) -> None:
    """With cache=True numba serves old machine code when a helper or a constant in another file has changed."""
    assert own(KERNELS[module]) <= {"jit"}
    for node in ast.walk(ast.parse(KERNELS[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("constrain"):
            assert node.module == "constrain.jit"
            assert {alias.name for alias in node.names} <= {"kernel", "helper"}


@pytest.mark.parametrize("module", KERNELS)
def test_compiled_functions_use_nothing_compiled_elsewhere(module: str) -> None:
    """No name of a kernel file comes from another, even by way of an assignment."""
    from importlib import import_module

    namespace = vars(import_module(f"constrain.{module}"))
    compiled = {name: value for name, value in namespace.items() if hasattr(value, "py_func")}
    assert compiled
    for name, value in compiled.items():
        assert value.py_func.__module__ == f"constrain.{module}", name


@pytest.mark.parametrize("module", KERNELS)
def test_every_kernel_family_has_a_slow_twin(module: str) -> None:
    twin = REFERENCE / f"{module.split('.')[1]}.py"
    assert not {name.split(".")[0] for name in imported(twin)} & {"numba", "numpy", "constrain"}


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.py")), ids=lambda path: path.stem)
def test_what_tests_compare_with_uses_nothing_of_what_is_tested(path: Path) -> None:
    """No more than the meaning of expressions and grammars; the examples in docstrings are right."""
    assert {name for name in own(path) if not name.startswith("ir")} == set()
    done = python("-m", "doctest", str(path))
    assert done.stdout == ""


def test_torch_and_transformers_are_imported_at_the_edge_only() -> None:
    edge = {name for name, path in MODULES.items() if {n.split(".")[0] for n in imported(path)} & HEAVY}
    assert {name.split(".")[0] for name in edge} <= {"hf", "demo", "cli"}


def python(*arguments: str, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT.parent, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def run(code: str) -> str:
    return python("-W", "error", "-c", code).stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, constrain; constrain.Compiler; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    assert not set(run(code).split()) & HEAVY


def test_everything_public_is_listed() -> None:
    """What `__all__` lists is there, and nothing else of this package is."""
    assert constrain.__all__ == sorted(set(constrain.__all__))
    for name in constrain.__all__:
        assert hasattr(constrain, name)  # some names are imported when first asked for
    public = {
        name
        for name in dir(constrain)
        if not name.startswith("_")
        and not isinstance(getattr(constrain, name), ModuleType)
        and getattr(getattr(constrain, name), "__module__", "").startswith("constrain")
    }
    assert public == set(constrain.__all__) - {"__version__"}
    star: dict[str, object] = {}
    exec("from constrain import *", star)
    assert set(star) - {"__builtins__"} == set(constrain.__all__)
    assert all(star[name] is getattr(constrain, name) for name in constrain.__all__)
    with pytest.raises(AttributeError):
        constrain.no_such_name  # noqa: B018


def test_dir_shows_what_is_imported_on_first_use() -> None:
    """For completion in shells and notebooks."""
    assert set(json.loads(run("import constrain, json; print(json.dumps(dir(constrain)))"))) >= set(constrain.__all__)


def test_public_things_are_documented() -> None:
    for name in constrain.__all__:
        value = getattr(constrain, name)
        if name != "__version__":
            assert value.__doc__ and not value.__doc__.startswith(f"{name}("), name
        for attribute, member in vars(value).items() if isinstance(value, type) else ():
            if not attribute.startswith("_") and (callable(member) or isinstance(member, property)):
                assert member.__doc__, f"{name}.{attribute}"


def test_every_module_says_what_it_is_for() -> None:
    for name, path in MODULES.items():
        text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert text or path.stat().st_size == 0, name


DOCTESTS = """
import doctest, importlib, json, sys
modules, blocked = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None
print(json.dumps([doctest.testmod(importlib.import_module(module)) for module in modules]), file=sys.stderr)
"""


def run_examples(names: list[str], blocked: list[str]) -> None:
    done = python("-c", DOCTESTS, json.dumps([names, blocked]), timeout=500)
    results = json.loads(done.stderr.splitlines()[-1])
    assert sum(attempted for _, attempted in results) >= len(names) // 2
    assert not any(failed for failed, _ in results), done.stdout


def names_of(edge: bool) -> list[str]:
    inner = [name for name in MODULES if not name.endswith("__main__")]
    chosen = [name for name in inner if (name != "" and rank(name) == OUTERMOST) == edge]
    return [f"constrain.{name}" if name else "constrain" for name in chosen]


def test_examples_in_docstrings() -> None:
    """Everything but the outermost layer works where neither torch nor transformers is installed."""
    run_examples(names_of(edge=False), ["torch", "transformers"])


def test_examples_in_docstrings_of_the_outermost_layer() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    run_examples(names_of(edge=True), [])


def named(name: str, path: Path) -> set[str]:
    """Modules of the package that one imports, at its top, in functions, or for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "constrain":
            home = (node.module or "").removeprefix("constrain").removeprefix(".")
            for alias in node.names:
                below = f"{home}.{alias.name}" if home else alias.name
                found.add(below if below in MODULES else home)
    return found - {name, ""}


def test_nothing_imports_itself_by_way_of_others() -> None:
    """No circle, those of imports in functions and of imports for types counted."""
    waits = {name: named(name, path) for name, path in MODULES.items() if name}
    done: set[str] = set()
    while ready := {name for name, others in waits.items() if name not in done and others <= done}:
        done |= ready
    assert sorted(set(waits) - done) == []
