"""`raceway ledger`: forms, and what counts of a real log."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from agent.cli import main
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.ledger.config import LedgerConfig
from collectors.ledger.folder import read_document, shape_of
from collectors.ledger.source import points_of
from collectors.points import Batch, Stream

HEADER = "number,date,material,quantity,unit,corrects\n"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["ledger", *map(str, words)])


async def written(folder: Path, **files: str) -> Path:
    """A log into which these files were taken."""
    data = folder / "data"
    async with Log.open(StoreConfig(linger_s=0), directory=data / "log", plant="p") as log:
        for number, (name, text) in enumerate(files.items(), 1):
            path = folder / f"{name}.csv"
            path.write_text(text, encoding="utf-8")
            shape = shape_of(path)
            assert shape is not None
            document = read_document(path, folder, shape)
            assert document is not None
            points = list(points_of("p", "ledger", document, number * 10**9))
            await log.append(Batch.of("ledger", points, received_ns=number * 10**9, stream=Stream.RECORDS))
    return data


def test_a_template_has_both_languages() -> None:
    """The form goes to standard output, with a mark that tells Excel its encoding."""
    found = run("template", "materials")

    assert 0 == found.exit_code
    assert found.stdout_bytes.decode("utf-8-sig").startswith("number 单号,date 日期,material 材料名称,")


def test_a_template_can_be_a_workbook(tmp_path: Path) -> None:
    """--format xlsx writes one into --out."""
    out = tmp_path / "运单.xlsx"

    assert 0 == run("template", "waybills", "--format", "xlsx", "--out", out).exit_code
    assert out.read_bytes().startswith(b"PK")


async def test_the_list_shows_what_counts(tmp_path: Path) -> None:
    """A corrected row is left out, its correction is there, with who and where."""
    data = await written(
        tmp_path,
        materials=HEADER + "L-1,2026-03-02,GCr15,5,kg,\n",
        materials_2=HEADER + "L-2,2026-03-02,GCr15,6,kg,L-1\nL-1,2026-03-02,GCr15,5,kg,\n",
    )
    found = run("list", data, "--json")
    shown = json.loads(found.stdout)

    assert (0, ["L-2"], []) == (
        found.exit_code, [one["number"] for one in shown["entries"]], shown["contradictions"],
    )  # fmt: skip
    assert "materials_2.csv" in run("list", data).stdout


async def test_the_list_says_what_contradicts_itself(tmp_path: Path) -> None:
    """Two rows with one number are not counted, and the command fails."""
    data = await written(
        tmp_path, materials=HEADER + "L-1,2026-03-02,GCr15,5,kg,\n", materials_2=HEADER + "L-1,2026-03-02,GCr15,6,kg,\n"
    )
    found = run("list", data)

    assert 1 == found.exit_code
    assert "not counted: materials L-1 says different things in materials" in found.stdout


def test_the_marks_lie_in_the_data_folder(tmp_path: Path) -> None:
    """Where nothing is said, it is noted in data_dir which files were read."""
    given = LedgerConfig.model_validate({"name": "l", "folder": str(tmp_path)})

    assert tmp_path / "data" / "ledger" == given.with_marks_in(tmp_path / "data" / "ledger").marks
