"""Which dead letters are settled: remembered durably, and never of a letter that is another one."""

from __future__ import annotations

import random

import pytest

from agent.store import Locked
from agent.store.dead_letters import HANDLED, settle, unhandled
from collectors.points import DeadLetter
from tests.agent.store.journals import DIRECTORY, start
from tests.model.simfs import SimFiles


def with_letters(*payloads: bytes) -> SimFiles:
    """A store that holds them."""
    files = SimFiles()
    journal = start(files)
    journal.stage([DeadLetter("mqtt", number, "topic", "bad", payload) for number, payload in enumerate(payloads)])
    journal.flush()
    return files


def left(files: SimFiles) -> list[bytes]:
    """The payloads that nobody has settled."""
    return [each.letter.payload for each in unhandled(DIRECTORY, files=files)]


def test_what_is_settled_stays_settled_over_a_power_cut() -> None:
    """And one settled later adds to it."""
    files = with_letters(b"a", b"b", b"c")
    first, second, _ = unhandled(DIRECTORY, files=files)
    settle(DIRECTORY, [first], files=files)
    settle(DIRECTORY, [second], files=files)
    files.crash(random.Random(1))

    assert [b"c"] == left(files)


def test_another_letter_with_the_same_number_is_not_settled() -> None:
    """A number whose letter a power cut took is given again."""
    old, new = with_letters(b"a"), with_letters(b"other")
    settle(DIRECTORY, unhandled(DIRECTORY, files=old), files=old)
    handle = new.open(DIRECTORY / HANDLED, create=True)
    new.write(handle, [old.content(DIRECTORY / HANDLED)], 0)

    assert [] == left(old)
    assert [b"other"] == left(new)


@pytest.mark.parametrize("garbage", [b"", b"\0" * 50, b"00000000\n[[1,", b"x" * 3000], ids=repr)
def test_a_harmed_file_shows_letters_once_more(garbage: bytes) -> None:
    """Rather too often than never again."""
    files = with_letters(b"a")
    handle = files.open(DIRECTORY / HANDLED, create=True)
    files.write(handle, [garbage], 0)

    assert [b"a"] == left(files)


def test_what_the_log_no_longer_holds_is_forgotten() -> None:
    """The file does not grow for ever."""
    files = with_letters(b"a", b"b")
    settle(DIRECTORY, unhandled(DIRECTORY, files=files), files=files)
    full = len(files.content(DIRECTORY / HANDLED))
    for name in files.list(DIRECTORY / "dlq"):
        files.unlink(DIRECTORY / "dlq" / name)
    settle(DIRECTORY, [], files=files)

    assert b"[]" == files.content(DIRECTORY / HANDLED).partition(b"\n")[2]
    assert full > len(files.content(DIRECTORY / HANDLED))


def test_two_at_once_wait_for_each_other() -> None:
    """Neither forgets what the other settles."""
    files = with_letters(b"a")
    files.lock(DIRECTORY / "dlq.lock")

    with pytest.raises(Locked):
        settle(DIRECTORY, unhandled(DIRECTORY, files=files), files=files)
