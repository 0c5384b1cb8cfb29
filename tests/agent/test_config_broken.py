"""Broken configurations, as people write them: each is refused with its place and what to do, never with a traceback.

`tests/broken_configs/NAME.yaml` is what was written, `NAME.expected` what `raceway check` must say: each problem in
full, and how the hints below them begin (the rest of a hint is the description of a setting).
"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.cli import main
from agent.config import load
from agent.onboarding.problems import ConfigErrors

CASES = Path(__file__).parents[1] / "broken_configs"
HINT = "    → "


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the cases to work in, its secret not open to everyone."""
    shutil.copytree(CASES, tmp_path, dirs_exist_ok=True)
    tmp_path.joinpath("good.token").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_a_broken_configuration_is_explained(name: str, folder: Path) -> None:
    """Every problem is named with file, line and column, says what to do, and the command ends with 2."""
    expected = (CASES / f"{name}.expected").read_text(encoding="utf-8").splitlines()

    result = CliRunner().invoke(main, ["check", f"{name}.yaml"])

    *said, summary = result.output.replace(f"{folder}/", "").splitlines()
    assert 2 == result.exit_code
    assert summary.startswith(f"{name}.yaml: ")
    assert [line for line in expected if not line.startswith(HINT)] == [one for one in said if not one.startswith(HINT)]
    assert [] == [line for line in expected if not any(one.startswith(line) for one in said)]


def test_problems_are_there_for_scripts_too(folder: Path) -> None:
    """`--json` gives every problem with file, line, column, severity, what and todo."""
    result = CliRunner().invoke(main, ["check", "--json", "missing_column.yaml"])

    found = json.loads(result.stdout)
    assert (2, False) == (result.exit_code, found["ok"])
    assert [("error", 1), ("warning", 3)] == [(problem["severity"], problem["column"]) for problem in found["problems"]]
    assert {"file", "line", "column", "severity", "what", "todo"} == set(found["problems"][0])


def test_the_other_commands_refuse_it_alike(folder: Path) -> None:
    """`run`, `test` and `status` say the same on standard error and end with 2."""
    for command in ("run", "test", "status"):
        result = CliRunner().invoke(main, [command, "typo_in_a_key.yaml"])

        assert (2, "") == (result.exit_code, result.stdout), command
        assert "did you mean 'store'?" in result.stderr


@pytest.mark.parametrize("path", ["no-such.yaml", ".", "no/such/folder/plant.yaml", "/dev/zero"])
def test_a_file_that_cannot_be_read_is_explained(path: str, folder: Path) -> None:
    """A missing file, or a folder, is a wrong configuration, not a traceback."""
    result = CliRunner().invoke(main, ["check", path])

    assert 2 == result.exit_code
    assert "the configuration" in result.stdout


WORDS = (
    *(
        "plant",
        "sources",
        "tags",
        "kind",
        "opcua",
        "mqtt",
        "sinks",
        "机器",
        "[",
        "]",
        "{",
        "}",
        "&a",
        "*a",
        "?",
        "~",
        "#",
    ),
    *("-", "|", "%", "0123", "1e999", "0x", "!x", "!!str", '"', "'", "\x85", "..."),
)
pieces = st.sampled_from([*WORDS, " ", ": ", ":\n  ", "- ", "\n", "  ", ", ", "\t", "---\n", "|\n "])


def outcome(path: Path) -> str:
    """What loading comes to: "loaded", or the problems as people read them."""
    try:
        load(path)
    except ConfigErrors as errors:
        return str(errors)
    return "loaded"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.lists(pieces, max_size=30).map("".join)))
@example(text="&a [*a]")
@example(text="plant: p\nsources: [{kind: [opcua]}]")
@example(text="plant: p\nsources: [{tags_from: 3, tags: {}}]")
@example(text="plant: p\nsources: [{kind: opcua, tags_from: ['\\0', '']}]")
@example(
    text='plant: p\ndata_dir: "\\0"\nsources: [{kind: opcua, name: m, url: "opc.tcp://h", tags_from: ["\\0.csv", ""]}]'
)
@example(text="plant: {}\nstore: {quota_mb: 99999999999999999999999999999999}")
@example(text="plant: p\nsinks: [{kind: influxdb, token_file: ~}, 3, ~]")
def test_no_text_gives_a_traceback(text: str, tmp_path: Path) -> None:
    """Whatever bytes are called plant.yaml, they load or are refused with places."""
    path = tmp_path / "plant.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    assert outcome(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), kind=st.sampled_from(["csv", "xlsx"]))
@example(content=b"machine,signal,node\n\x00,a,i=1\n", kind="csv")
@example(content=b"\xff\xfe", kind="csv")
def test_no_tag_list_gives_a_traceback(content: bytes, kind: str, tmp_path: Path) -> None:
    """Whatever bytes are called a tag list, they load or are refused with places."""
    tmp_path.joinpath(f"tags.{kind}").write_bytes(content)
    path = tmp_path / "plant.yaml"
    path.write_text(f"plant: p\nsources: [{{kind: opcua, name: m, url: 'opc.tcp://h', tags_from: [tags.{kind}]}}]")

    assert outcome(path)
