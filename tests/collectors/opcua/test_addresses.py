"""Which of several addresses is used: by what can be reached, and by what the servers say of themselves."""

from __future__ import annotations

import pytest

from collectors.opcua.addresses import AWAY, Addresses
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.servers.opcua import asyncua_server


def used(levels: dict[str, int], *, rounds: int = 1) -> str:
    """The address that is kept, where each server says this level, or is away."""
    addresses = Addresses(tuple(levels))
    for _ in range(rounds * 2 * len(levels)):
        level = levels[addresses.url]
        if level == AWAY:
            addresses.leave()
        elif addresses.stays(level):
            return addresses.url
    return ""


@pytest.mark.parametrize(
    ("levels", "kept"),
    [
        pytest.param({"a": 255, "b": 255}, "a", id="the first one"),
        pytest.param({"a": AWAY, "b": 255}, "b", id="the one that answers"),
        pytest.param({"a": 100, "b": 200}, "b", id="the healthy one"),
        pytest.param({"a": 50, "b": 100, "c": 70}, "b", id="the best of all"),
        pytest.param({"a": 100, "b": AWAY}, "a", id="a poor one before none"),
        pytest.param({"a": 100, "b": 100}, "a", id="the first of equals"),
        pytest.param({"a": 0}, "a", id="there is no other"),
        pytest.param({"a": AWAY, "b": AWAY}, "", id="none"),
    ],
)
def test_the_best_address_is_kept(levels: dict[str, int], kept: str) -> None:
    """A healthy one at once; else all are asked, and the best one is kept."""
    assert used(levels) == kept


def test_all_are_tried_again_and_again() -> None:
    """Where nobody answers, the addresses take turns."""
    addresses = Addresses(("a", "b"))
    tried = []
    for _ in range(4):
        tried.append(addresses.url)
        addresses.leave()

    assert tried == ["a", "b", "a", "b"]


async def test_a_server_that_is_no_longer_whole_is_left() -> None:
    """Its ServiceLevel falls, the twin's values come; the hole is said."""
    recorder = Recorder()
    with asyncua_server() as first, asyncua_server() as twin:
        config = configured(first.url, [tag("C0")], failover=[twin.url])
        async with supervised(config, recorder) as source:
            await recorder.until(lambda: len(recorder.values("C0")) >= 5)
            assert source.status.address == first.url
            first.do("service_level", level=100)
            await recorder.until(lambda: source.status.address == twin.url, within_s=20)
            seen = len(recorder.values("C0"))
            await recorder.until(lambda: len(recorder.values("C0")) >= seen + 5)
            twin.do("service_level", level=50)
            await recorder.until(lambda: source.status.address == first.url, within_s=20)
            assert twin.do("sessions") == 0

    assert {gap.reason for gap in recorder.gaps} == {"link_lost"}
