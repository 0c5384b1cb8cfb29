"""`raceway report footprint` over a real log: meters, ledger, document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from agent.carbon.sink import make_sink
from agent.cli import main
from agent.config import load
from agent.store import inspect
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.ledger.folder import read_document, tables_in
from collectors.ledger.source import points_of
from collectors.points import Batch, Stream
from tests.agent.carbon.footprint.cases import SETTINGS
from tests.agent.carbon.plants import FACTORS, batch, meter
from tests.agent.carbon.test_carbon_config import OPCUA
from tests.agent.carbon.test_carbon_sink import counting, ending

FILES = {
    "production.csv": "单号,日期,产品,合格数\nP-1,2026-03-02,A,900\nP-2,2026-03-02,B,100\n",
    "materials.csv": "number,date,material,quantity,unit,product,by\nM-1,2026-03-02,steel,120,kg,A,Li Wei\n",
    "供应商碳足迹.csv": "number,date,material,footprint,unit,document,primary_percent\n"
    "F-1,2026-01-01,steel,2.05,kg,EPD 1,60\n",
    "waybills.csv": "number,date,direction,quantity,unit,distance_km,distance_kind,mode,intensity,document\n"
    "W-1,2026-03-02,inbound,2,t,320,planned,truck,0.1,ISO 14083 report\n",
}
LEFT_OUT = [{"stage": "gases", "reason": "none is used"}, {"stage": "waste", "reason": "below 1 %"}]
SPAN = ("--from", "2026-03-02", "--to", "2026-03-03")


async def write(folder: Path, files: dict[str, str], **given: Any) -> Path:
    """A log with a day of a meter at 12 kW and what people wrote; returns the configuration."""
    drop = folder / "drop"
    drop.mkdir()
    for name, text in files.items():
        (drop / name).write_text(text, encoding="utf-8")
    footprint = {**SETTINGS, "materials": [], "transport": [], "waste": [], "leaves_out": LEFT_OUT,
                 "exempted_percent": "1", **given}  # fmt: skip
    settings = {
        "plant": "p",
        "data_dir": "data",
        "sources": [OPCUA, {"kind": "ledger", "name": "ledger", "folder": "drop"}],
        "carbon": {"meters": [meter("m1")], "factors": FACTORS},
        "footprint": footprint,
    }
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    config = load(path)
    assert config.carbon is not None
    directory = config.data_dir / "log"
    async with Log.open(StoreConfig(linger_s=0), directory=directory, plant="p") as log:
        books = make_sink(
            config.carbon, "p", deliver=log.append, recall=lambda since: inspect.records(directory, since)
        )
        cursor = log.cursor(books.name)
        books.restore(cursor.state)
        found = counting("m1", 25 * 60)
        for one in (batch(found, received_ns=found[-1][1]), ending(found)):
            await log.append(one)
            entries = await cursor.read(max_points=50_000, linger_s=0)
            await cursor.commit(entries[-1].seq, await books.write(entries))
        for number, (file, shape) in enumerate(tables_in(drop), 1):
            document = read_document(file, drop, shape)
            assert document is not None
            points = list(points_of("p", "ledger", document, number * 10**9))
            await log.append(Batch.of("ledger", points, received_ns=number * 10**9, stream=Stream.RECORDS))
    return path


def run(path: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["report", "footprint", str(path), "--product", "A", *SPAN, *map(str, words)])


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    return await write(tmp_path, FILES)


async def test_from_readings_and_rows_to_a_document(path: Path, tmp_path: Path) -> None:
    """288 kWh at 0.5777 and 64 kg of transport, 0.9 of both, 246 kg of steel, by 900 pieces: the document says so."""
    out = tmp_path / "A.json"
    done = run(path, "--format", "pact", "--out", out)
    expected = round((246 + 0.9 * 64 + 0.9 * 288 * 0.5777) / 900, 9)

    assert (0, "") == (done.exit_code, done.stderr)
    assert expected == float(json.loads(out.read_bytes())["pcf"]["pcfExcludingBiogenicUptake"])
    checked = CliRunner().invoke(main, ["report", "check-pact", str(out)])
    assert (0, True) == (checked.exit_code, "keeps the rules" in checked.stdout)


async def test_every_input_leads_to_its_evidence(path: Path) -> None:
    """The report names file, line, author and hash of each row, and the statement of the energy."""
    found = json.loads(run(path).stdout)
    steel = next(one for one in found["inputs"] if one["name"] == "steel")
    row = found["ledger"][steel["evidence"].rpartition("@")[2]]
    energy = next(one for one in found["inputs"] if one["stage"] == "energy")
    explained = CliRunner().invoke(main, ["report", "explain", energy["evidence"], str(path)])

    assert ("materials.csv", 2, "Li Wei", 64) == (row["file"], row["line"], row["by"], len(row["sha256"]))
    assert "log position" in explained.stdout
    assert {"materials", "supplier_footprints", "production", "waybills"} == {
        one["kind"] for one in found["ledger"].values()
    }


@pytest.mark.parametrize(
    ("form", "name", "begins"),
    [
        ("html", "A.html", b"<!doctype html>"),
        ("catena-x", "A.json", b"{"),
        ("aas", "A.json", b"{"),
        ("aas", "A.aasx", b"PK"),
        ("label", "A.svg", b"<svg"),
        ("label", "A.html", b"<!doctype html>"),
    ],
)
async def test_every_format_is_written(path: Path, tmp_path: Path, form: str, name: str, begins: bytes) -> None:
    """The ending of the file chooses package or JSON, label or page."""
    out = tmp_path / name

    assert 0 == run(path, "--format", form, "--out", out).exit_code
    assert out.read_bytes().startswith(begins)


async def test_an_incomplete_footprint_is_a_report_and_no_document(tmp_path: Path) -> None:
    """The report shows what is known and what is lacking; a document is refused."""
    path = await write(tmp_path, {name: text for name, text in FILES.items() if not name.startswith("供")})
    report, document = run(path), run(path, "--format", "pact")

    assert (0, False, "") == (
        report.exit_code, json.loads(report.stdout)["complete"], json.loads(report.stdout)["kgco2e_per_piece"],
    )  # fmt: skip
    assert (1, "") == (document.exit_code, document.stdout)
    assert "incomplete, lacks a footprint of steel on 2026-03-02" in document.stderr


async def test_the_carbon_report_shows_what_is_known_of_scope_3(path: Path) -> None:
    """246 kg of steel and 64 kg of transport stand beside the plant's own, and not in its total."""
    done = CliRunner().invoke(main, ["report", "carbon", str(path), *SPAN, "--format", "json"])
    totals = json.loads(done.stdout)["totals"]

    assert ("246.000000", "64.000000") == (
        totals["scope 3, category 1: purchased materials and gases"]["kgco2"],
        totals["scope 3, category 4: inbound transport"]["kgco2"],
    )
    assert totals["electricity"]["kgco2"] == totals["total"]["kgco2"]
    assert "scope 3, category 5: waste" not in totals


async def test_an_unknown_product_is_named(path: Path) -> None:
    """The products that there are stand beside it."""
    done = CliRunner().invoke(main, ["report", "footprint", str(path), "--product", "Z", *SPAN])

    assert (2, True) == (done.exit_code, "there are A, B" in done.stderr)


def test_a_wrong_document_of_a_supplier_is_refused(tmp_path: Path) -> None:
    """check-pact names each field."""
    path = tmp_path / "theirs.json"
    path.write_text('{"id": 1, "pcf": {"declaredUnitOfMeasurement": "set"}}', encoding="utf-8")
    done = CliRunner().invoke(main, ["report", "check-pact", str(path)])

    assert 1 == done.exit_code
    assert "pcf.declaredUnitOfMeasurement: " in done.stdout
