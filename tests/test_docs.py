"""The documents say what is true: commands exist, links lead somewhere, both languages tell the same."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from agent.cli import main
from agent.demo.command import command as demo

TOP = Path(__file__).parents[1]
PAGES = [
    path
    for path in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), *(TOP / "deploy").rglob("*.md")]
    if path.name != "LICENSE"
]
READMES = (TOP / "README.md", TOP / "README.zh-CN.md")
ADRS = sorted((TOP / "docs" / "adr").glob("*.md"))
ADR_PARTS = ("Context", "Options", "Decision", "Consequences", "How we would notice")


def commands(page: Path) -> list[str]:
    """Every line of a shell block, and every script that is called inside a sentence."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    inside = re.findall(r"`((?:scripts/|deploy/|\.ci/|raceway )[^`]+)`", text)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in [*lines, *inside] if line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page is a file of the project."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]

    assert [] == [target for target in local if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_commands_exist(page: Path) -> None:
    """Every script that a page names is there, and every raceway command takes the options shown."""
    for line in commands(page):
        words = [word for word in shlex.split(line) if "=" not in word or word.startswith("-")]
        if words[0] == "sudo":
            words = words[1:]
        for word in words:
            if word.startswith(("scripts/", "deploy/", ".ci/", "tests/", "config/")):
                assert (TOP / word).exists(), line
        if words[0] == "scripts/demo":
            words = ["raceway", "demo", *words[1:]]
        if words[0] in ("raceway", ".venv/bin/raceway"):
            assert_raceway_takes(words[1:], line)


def assert_raceway_takes(words: list[str], line: str) -> None:
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no such command: {line}"
        command, words = demo if words[0] == "demo" else command.commands[words[0]], words[1:]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}

    assert [] == [word for word in words if word.startswith("-") and word.split("=")[0] not in known], line


def test_both_readmes_tell_the_same() -> None:
    """The Chinese README has the same commands in the same order, and as many headings."""
    english, chinese = READMES

    assert commands(english) == commands(chinese)
    assert english.read_text(encoding="utf-8").count("\n#") == chinese.read_text(encoding="utf-8").count("\n#")


def test_every_dependency_is_explained() -> None:
    """docs/dependencies.md has a row for each direct dependency, and for nothing else."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for group in project["optional-dependencies"].values() for name in group),
    ]
    names = {re.split(r"[<>=~!\[ ]", requirement, maxsplit=1)[0] for requirement in wanted}
    explained = re.findall(
        r"^\| `([\w.-]+)` \|", (TOP / "docs" / "dependencies.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert sorted(names) == sorted(explained)


@pytest.mark.parametrize("page", ADRS, ids=lambda page: page.name)
def test_decisions_have_one_shape(page: Path) -> None:
    """A decision says its context, the options, what was chosen, what follows, and how we would notice a mistake."""
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert list(ADR_PARTS) == headings


def test_decisions_are_numbered_once() -> None:
    """No two decisions share a number."""
    numbers = [page.name[:4] for page in ADRS]

    assert sorted(set(numbers)) == numbers
