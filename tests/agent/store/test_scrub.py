"""The weekly round through the log: read-only, told as readers' damage is, and a copied card is noticed."""

from __future__ import annotations

from pathlib import Path

from agent.store.config import StoreConfig
from agent.store.host import is_moved
from agent.store.journal import Journal
from agent.store.log import Log
from agent.store.scrub import Scrub
from tests.agent.store.journals import DIRECTORY, confirm, fill, gaps, read, segments, start
from tests.model.simfs import SimFiles


def damaged() -> tuple[SimFiles, Journal]:
    """A log of several segments, with a bit turned over in the payload of the first record of the first one."""
    files = SimFiles()
    journal = start(files)
    fill(journal)
    path = segments(files, "telemetry")[0]
    at = len(files.content(path)) // 2
    files.overwrite(path, at, bytes([files.content(path)[at] ^ 1]))
    return files, journal


def test_damage_is_found_before_anyone_reads_it_and_told_once() -> None:
    """As a gap with its points; nothing else is written."""
    files, journal = damaged()
    scrub = Scrub(journal)
    files.writes.clear()
    scrub.round(lambda _seconds: False)

    assert 1 == scrub.found.damages
    assert scrub.found.segments == len(journal.telemetry.closed)
    assert {"scrub.last.new"} == {path.name for path, _ in files.writes}
    scrub.round(lambda _seconds: False)
    journal.flush()
    assert [("corrupt", 4)] == gaps(read(journal))


def test_damage_to_what_every_reader_has_is_no_loss() -> None:
    """It is counted, and no gap calls delivered points lost."""
    _, journal = damaged()
    confirm(journal, "sink", journal.durable_seq)
    scrub = Scrub(journal)
    scrub.round(lambda _seconds: False)
    journal.flush()

    assert (1, {}) == (scrub.found.damages, journal.losses.lost)


def test_a_round_that_is_stopped_is_not_counted() -> None:
    """It begins anew after the next start."""
    _, journal = damaged()
    scrub = Scrub(journal)
    scrub.round(lambda _seconds: True)

    assert 0 == scrub.last_ns


async def test_the_last_round_is_remembered(tmp_path: Path) -> None:
    """Over a restart, so that a gateway that is switched off every night is read too."""
    async with Log.open(StoreConfig(linger_s=0.0), directory=tmp_path, plant="p") as log:
        log._scrub.round(lambda _seconds: False)
        last_ns = log.status()["scrubbed_ns"]
    async with Log.open(StoreConfig(linger_s=0.0), directory=tmp_path, plant="p") as log:
        assert last_ns == log.status()["scrubbed_ns"] != 0


def test_another_computer_is_noticed_once() -> None:
    """Not the first one, not the same one, and not where no computer can be told from another."""
    files = SimFiles()

    assert [False, False, True, False, False] == [
        is_moved(files, DIRECTORY, host) for host in ("one", "one", "two", "two", "")
    ]
