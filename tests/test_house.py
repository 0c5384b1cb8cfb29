"""The rules that no linter knows: docstrings, event names, no import cycle, nothing private in the tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

TOP = Path(__file__).parents[1]
EVENT = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# What must not be in the tree; each is written so that this file does not match itself.
PRIVATE = {
    "a machine's own path": r"(?<![\w.<])/(?:work|root)/[a-z]",
    "a person's folder": r"(?<![\w.])/home/[a-z]+/",
    "a package registry's host": r"\b(?:pypi\.o[r]g|pythonhosted\.o[r]g|registry\.npmjs\.o[r]g|proxy\.golang\.o[r]g)",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE K[E]Y-----",
    "an InfluxDB token": r"(?<![\w-])[\w-]{86}==",
}


@cache
def tracked() -> list[str]:
    """Every file of the project, as git knows it."""
    return subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True).stdout.splitlines()


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """The Python files below these folders, parsed."""
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*.py")):
            yield str(path.relative_to(TOP)), ast.parse(path.read_text(encoding="utf-8"))


def test_every_module_has_a_docstring() -> None:
    """A module says what it is before it does anything."""
    found = modules("agent", "collectors", "tests", "benchmarks", "deploy")

    assert [] == [name for name, tree in found if tree.body and not ast.get_docstring(tree)]


def test_every_test_has_a_docstring() -> None:
    """A test says in a sentence which behaviour it holds."""
    silent = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and Path(name).name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert [] == silent


def test_events_are_nouns_and_participles() -> None:
    """What is logged is an event such as source.lost, never a sentence."""
    sentences = [
        f"{name}:{node.lineno} {node.args[0].value}"
        for name, tree in modules("agent", "collectors")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logger"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and not EVENT.fullmatch(str(node.args[0].value))
    ]

    assert [] == sentences


def test_no_import_cycle() -> None:
    """No module imports itself by a detour, late imports inside functions included."""
    graph = grimp.build_graph("agent", "collectors", exclude_type_checking_imports=True)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}

    try:
        TopologicalSorter(imports).prepare()
    except CycleError as cycle:
        pytest.fail(" -> ".join(cycle.args[1]), pytrace=False)


@pytest.mark.parametrize("what", PRIVATE)
def test_nothing_private_in_the_tree(what: str) -> None:
    """No file of the project holds a secret, a path of somebody's machine, or a registry's address."""
    pattern = re.compile(PRIVATE[what])
    found = []
    for name in tracked():
        try:
            text = (TOP / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # a picture; a file that was just removed
            continue
        found += [f"{name}: {match[0]}" for match in pattern.finditer(text)]

    assert [] == found


@pytest.mark.parametrize(
    ("ci", "code", "words"),
    [
        pytest.param("", pytest.ExitCode.OK, "1 passed, 1 skipped", id="at home it is skipped"),
        pytest.param("true", pytest.ExitCode.TESTS_FAILED, "1 passed, 1 error", id="in CI it is an error"),
    ],
)
def test_a_missing_server_is_never_overlooked(tmp_path: Path, ci: str, code: int, words: str) -> None:
    """A test whose real server is missing is skipped with the reason, and fails where CI=true."""
    (tmp_path / "conftest.py").write_text((TOP / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.real('influxd')\ndef test_real(): pass\ndef test_other(): pass\n", encoding="utf-8"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-rs",
            "-o",
            "markers=real",
            "-c",
            "/dev/null",
            "--rootdir",
            tmp_path,
            tmp_path,
        ],
        env={"PATH": "", "HOME": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert code == done.returncode, done.stdout
    assert words in done.stdout
    assert "influxd is missing" in done.stdout
