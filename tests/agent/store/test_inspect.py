"""Looking at a store from outside."""

from __future__ import annotations

import errno

from agent.store import inspect
from agent.store.segment import segment_path
from tests.agent.store.journals import DIRECTORY, batch, confirm, fill, segments, start, values, write
from tests.model.simfs import SimFiles


def test_a_whole_store_has_no_flaw() -> None:
    """Also while the agent runs; points and places are told."""
    files = SimFiles()
    journal = start(files)
    fill(journal)
    confirm(journal, "sink", 9)
    report = inspect.verify(DIRECTORY, files=files)

    assert report.is_well
    assert report.points == 240
    assert report.unfinished_bytes == 0
    assert inspect.cursors(DIRECTORY, files=files) == {"sink": 9}
    assert len(values(list(inspect.entries(DIRECTORY, files=files)))) == 240


def test_every_flipped_bit_of_a_sealed_segment_is_found() -> None:
    """With its segment and a reason."""
    files = SimFiles()
    journal = start(files)
    fill(journal)
    path = segments(files, "telemetry")[0]
    for offset in range(0, len(files.content(path)) - 176, 61):
        before = bytes([files.content(path)[offset]])
        files.overwrite(path, offset, bytes([before[0] ^ 1]))
        report = inspect.verify(DIRECTORY, files=files)
        files.overwrite(path, offset, before)

        assert path.name in report.flaws[0].segment
        assert report.flaws[0].why


def test_a_file_that_a_power_cut_left_empty_is_no_flaw_and_breaks_no_chain() -> None:
    """Neither while it lies there, nor when a later start has removed it and sealed the files around it."""
    files = SimFiles()
    journal = start(files)
    write(journal, batch(1, 1.0))
    journal.close()
    files.open(segment_path(DIRECTORY / "telemetry", 2, 9), create=True)
    assert inspect.verify(DIRECTORY, files=files).is_well

    files.fault = lambda method, path: errno.EIO if method == "unlink" else None
    journal = start(files)
    write(journal, batch(2, 2.0))
    files.fault = lambda method, path: None
    files.kill()
    start(files)

    assert [] == inspect.verify(DIRECTORY, files=files).flaws
    assert 2 == len(segments(files, "telemetry"))
