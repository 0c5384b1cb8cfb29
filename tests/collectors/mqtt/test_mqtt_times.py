"""Timestamps of devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.mqtt.times import time_reader

SHANGHAI = 8 * 3600 * 10**9
MOMENT = 1_637_720_280 * 10**9  # 2021-11-24T02:18:00Z, 10:18 in Shanghai


@pytest.mark.parametrize(
    ("format", "raw", "expected"),
    [
        ("epoch_s", 1_637_720_280, MOMENT),
        ("epoch_s", "1637720280", MOMENT),
        ("epoch_s", 1_637_720_280.25, MOMENT + 250_000_000),
        ("epoch_s", "1637720280.25", MOMENT + 250_000_000),
        ("epoch_ms", 1_637_720_280_000, MOMENT),
        ("epoch_ms", 1_637_720_280_000.5, MOMENT + 500_000),
        ("epoch_us", 1_637_720_280_000_001, MOMENT + 1000),
        ("epoch_ns", 1_637_720_280_000_000_001, MOMENT + 1),
        ("epoch_ns", "1637720280000000001", MOMENT + 1),
        ("iso", "2021-11-24T10:18:00+08:00", MOMENT),
        ("iso", "2021-11-24T02:18:00Z", MOMENT),
        ("iso", "2021-11-24T10:18:00", MOMENT),
        ("iso", "2021-11-24 10:18:00.5", MOMENT + 500_000_000),
        ("iso", "2021-11-24T02:18:00.123456789Z", MOMENT + 123_456_789),
        ("iso", "2021-11-24T02:18:00,5Z", MOMENT + 500_000_000),
        ("%Y%m%d%H%M%S", "20211124101800", MOMENT),
        ("%Y%m%d%H%M%S", 20211124101800, MOMENT),
        ("%Y-%m-%d %H:%M:%S", " 2021-11-24 10:18:00 ", MOMENT),
        ("%Y-%m-%d %H:%M:%S%z", "2021-11-24 02:18:00+0000", MOMENT),
    ],
)
def test_read(format: str, raw: object, expected: int) -> None:  # noqa: A002
    """A timestamp in ns; naive ones are the plant's local time."""
    assert time_reader(format, "Asia/Shanghai")(raw) == expected


@pytest.mark.parametrize("format", ["epoch_s", "epoch_ms", "epoch_ns", "iso", "%Y%m%d%H%M%S"])
@pytest.mark.parametrize(
    "raw", [None, True, [], {}, "", "yesterday", "1_000", float("nan"), float("inf"), "nan", 1e300]
)
def test_what_is_no_timestamp(format: str, raw: object) -> None:  # noqa: A002
    """Anything else is refused with a ValueError, and with what was there."""
    if raw == 1e300 and format.startswith("epoch"):
        assert time_reader(format, "UTC")(raw) > 2**63  # for the decoder to find absurd
        return
    with pytest.raises(ValueError, match="not a"):
        time_reader(format, "Asia/Shanghai")(raw)


@given(st.integers(0, 4_102_444_800_000))
def test_epoch_is_exact(milliseconds: int) -> None:
    """No millisecond is lost to floating point."""
    assert time_reader("epoch_ms", "UTC")(milliseconds) == milliseconds * 1_000_000
