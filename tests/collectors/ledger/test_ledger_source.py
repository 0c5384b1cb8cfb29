"""The source over a real folder."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collectors.ledger.books import in_force
from collectors.ledger.config import LedgerConfig
from collectors.ledger.entries import from_text
from collectors.ledger.folder import Settled, Shape, tables_in
from collectors.ledger.probe import probe
from collectors.ledger.source import LedgerSource
from collectors.points import Batch, DeadLetter, Delivery, Stream
from collectors.source import SourceLost, SourceStatus

ROWS = "number,date,material,quantity,unit,by\nL-1,2026-03-02,GCr15,1250.5,kg,Li Wei\nL-2,2026-03-02,GCr15,no,kg,\n"


class Kept:
    """What was handed over."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._arrived = asyncio.Event()

    async def deliver(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._arrived.set()

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                self._arrived.clear()
                await self._arrived.wait()

    def texts(self, signal: str) -> list[dict[str, object]]:
        batches = [one for one in self.deliveries if isinstance(one, Batch)]
        assert all(batch.stream is Stream.RECORDS for batch in batches)
        points = [point for batch in batches for point in batch.points()]
        return [json.loads(str(point.value)) for point in points if point.series.signal == signal]

    def letters(self) -> list[DeadLetter]:
        return [one for one in self.deliveries if isinstance(one, DeadLetter)]


def config(folder: Path) -> LedgerConfig:
    given = {"name": "ledger", "folder": str(folder / "drop"), "scan_s": 0.1, "marks": str(folder / "marks")}
    return LedgerConfig.model_validate(given)


@asynccontextmanager
async def running(source: LedgerSource, kept: Kept) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run(kept.deliver))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


async def test_a_file_becomes_entries_with_who_and_where(tmp_path: Path, drop: Path) -> None:
    """Good rows are entries, bad rows dead letters with their line; the file is on record with its hash."""
    (drop / "materials-2026-03.csv").write_text(ROWS, encoding="utf-8")
    kept, source = Kept(), LedgerSource(config(tmp_path), plant="p")
    async with running(source, kept):
        await kept.until(lambda: kept.texts("file"))
    (entry,) = kept.texts("materials")
    (file,) = kept.texts("file")
    (letter,) = kept.letters()

    assert ("L-1", "2026-03-02", "Li Wei", 2) == (entry["number"], entry["date"], entry["by"], entry["line"])
    assert {"material": "GCr15", "quantity": "1250.5", "unit": "kg"} == entry["values"]
    assert entry["sha256"] == file["sha256"]
    assert entry["owner"]
    assert (1, 1) == (file["entries"], file["refused"])
    assert "materials-2026-03.csv line 3" == letter.where
    assert "write digits" in letter.reason
    assert b"L-2,2026-03-02,GCr15,no,kg," == letter.payload
    assert "line 3" in source.status.troubles["materials-2026-03.csv"]


async def test_a_file_is_read_once(tmp_path: Path, drop: Path) -> None:
    """Neither touching it, nor a copy of it, nor a new start brings its rows again; a changed file does."""
    path = drop / "materials.csv"
    path.write_text(ROWS, encoding="utf-8")
    kept = Kept()
    async with running(LedgerSource(config(tmp_path), plant="p"), kept):
        await kept.until(lambda: kept.texts("file"))
        (drop / "gases.csv").write_text("number,date,gas,quantity,unit\nG-1,2026-03-02,methanol,5,kg", encoding="utf-8")
        await kept.until(lambda: kept.texts("gases"))  # so the first file has its mark
    os.utime(path, (1, 1))
    (drop / "materials copy.csv").write_text(ROWS, encoding="utf-8")
    async with running(LedgerSource(config(tmp_path), plant="p"), kept):
        (drop / "waste.csv").write_text("number,date,waste,quantity,unit\nW-1,2026-03-02,sludge,5,kg", encoding="utf-8")
        await kept.until(lambda: kept.texts("waste"))
        path.write_text(ROWS.replace("no,kg", "3,kg"), encoding="utf-8")
        await kept.until(lambda: len(kept.texts("materials")) > 1)

    assert ["L-1", "L-1", "L-2"] == [one["number"] for one in kept.texts("materials")]


async def test_a_mark_that_was_lost_changes_no_figure(tmp_path: Path, drop: Path) -> None:
    """Killed between the entries and the mark, the file is read again; its entries have the same ids and count once."""
    (drop / "materials.csv").write_text(ROWS, encoding="utf-8")
    kept = Kept()
    for life in (1, 2):
        given = config(tmp_path).model_copy(update={"marks": tmp_path / f"marks of life {life}"})
        async with running(LedgerSource(given, plant="p"), kept):
            await kept.until(lambda life=life: len(kept.texts("file")) == life)
    entries = [from_text(json.dumps(text)) for text in kept.texts("materials")]

    assert 2 == len(entries)
    assert 1 == len({entry.id for entry in entries})
    assert (1, ()) == (len(in_force(entries).entries), in_force(entries).contradictions)


async def test_what_is_no_form_is_a_dead_letter_once(tmp_path: Path, drop: Path) -> None:
    """A file that cannot be understood is kept as a dead letter that says what to do."""
    (drop / "notes.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (drop / "waste.xlsx").write_bytes(b"no workbook")
    kept = Kept()
    async with running(LedgerSource(config(tmp_path), plant="p"), kept):
        await kept.until(lambda: len(kept.texts("file")) == 2)
        (drop / "gases.csv").write_text("number,date,gas,quantity,unit\nG-1,2026-03-02,methanol,5,kg", encoding="utf-8")
        await kept.until(lambda: kept.texts("gases"))

    assert ["notes.csv", "waste.xlsx"] == [letter.where for letter in kept.letters()]
    assert "let it begin with one of materials (材料)" in kept.letters()[0].reason
    assert "save it again" in kept.letters()[1].reason


async def test_a_name_that_is_no_text_can_be_kept(tmp_path: Path, drop: Path) -> None:
    """A file name in another encoding is written out, so that the log can hold it."""
    (drop / os.fsdecode(b"materials \xb2\xc4.csv")).write_text(ROWS, encoding="utf-8")
    kept = Kept()
    async with running(LedgerSource(config(tmp_path), plant="p"), kept):
        await kept.until(lambda: kept.texts("file"))

    assert "materials \\udcb2\\udcc4.csv" == kept.texts("file")[0]["file"]


def test_a_ledger_is_never_silent() -> None:
    """People write when they write; no rhythm is expected of them."""
    status = SourceStatus(kind="ledger", state="connected")

    assert 0 == status.silent_s(status.since_monotonic + 10**7)


async def test_a_folder_that_is_gone_is_a_lost_source(tmp_path: Path) -> None:
    """The reason says what to check."""
    with pytest.raises(SourceLost, match="Is the share mounted"):
        await LedgerSource(config(tmp_path), plant="p").run(Kept().deliver)


def test_a_copy_in_progress_is_not_read() -> None:
    """Only a file that is the same at two looks is whole; once done, it comes again only when it changed."""
    settled, path = Settled(), Path("materials.csv")
    looks = [Shape(1, 0, 1), Shape(1, 10, 2), Shape(1, 20, 3), Shape(1, 20, 3), Shape(1, 20, 3), Shape(2, 20, 3)]
    read = []
    for shape in looks:
        ready = settled.look([(path, shape)])
        read.append(bool(ready))
        for _, whole in ready:
            settled.done(path, whole)

    assert [False, False, False, True, False, False] == read


def test_locks_and_halves_are_no_tables(drop: Path) -> None:
    """Hidden files, lock files of Excel, half downloads and other kinds of files are passed over."""
    for name in ("~$materials.xlsx", ".materials.csv", "materials.csv.part", "materials.pdf", "waste.csv"):
        (drop / name).write_text("x", encoding="utf-8")
    (drop / "三月").mkdir()
    (drop / "三月" / "运单.xlsx").write_text("x", encoding="utf-8")

    assert ["waste.csv", "运单.xlsx"] == sorted(path.name for path, _ in tables_in(drop))


async def test_the_probe_shows_each_file(tmp_path: Path, drop: Path) -> None:
    """`raceway test` says what every file holds and what is wrong with it, and hands nothing over."""
    (drop / "materials.csv").write_text(ROWS, encoding="utf-8")
    found = await probe(config(tmp_path), plant="p", timeout_s=10)

    assert [("materials.csv", "1 rows")] == [(tag.tag, tag.value) for tag in found.tags]
    assert "line 3" in found.tags[0].trouble


async def test_the_probe_says_that_the_folder_is_missing(tmp_path: Path) -> None:
    """A folder that is not there is the probe's own trouble."""
    found = await probe(config(tmp_path), plant="p", timeout_s=10)

    assert "check its name" in found.trouble
