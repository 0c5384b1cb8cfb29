"""Columns to bytes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.store.codec import Columns, Part, Undecodable, decode_columns, decode_series, encode_columns, encode_series
from collectors.points import Kind, Series

I64 = st.integers(-(2**62), 2**62)
ROW = st.tuples(st.integers(0, 2**32 - 1), I64, st.floats(), st.integers(0, 2**32 - 1), st.integers(0, 2))


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=50), texts=st.lists(st.text(max_size=5), max_size=4), source=st.text())
def test_columns_come_back_bit_by_bit(rows: list[tuple[int, ...]], texts: list[str], source: str) -> None:
    """Any ids, times, doubles (NaN payloads too), qualities, clocks, texts."""
    ids, t_ns, value, quality, clock = (
        np.array(column, dtype)
        for column, dtype in zip(zip(*rows, strict=True), ["I", "q", "d", "I", "B"], strict=True)
    )
    parts = [Part(source, 1, len(rows))]
    found = decode_columns(encode_columns(Columns(ids, t_ns, value, quality, clock, texts, parts)))

    assert found.ids.tolist() == ids.tolist()
    assert found.t_ns.tolist() == t_ns.tolist()
    assert found.value.tobytes() == value.tobytes()
    assert found.quality.tolist() == quality.tolist()
    assert found.clock.tolist() == clock.tolist()
    assert list(found.texts) == texts
    assert found.parts == parts


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=80))
def test_nonsense_is_undecodable_and_nothing_worse(raw: bytes) -> None:
    """Bytes that passed a CRC by chance raise one kind of error."""
    try:
        decode_columns(raw)
    except Undecodable:
        return


def test_series_keep_every_field() -> None:
    """Chinese names, units and kinds."""
    declared = [
        (7, Series("轴承厂", "", "磨削", "磨床-1", "程序", "°C", Kind.TEXT)),
        (9, Series("p", "a", "l", "m", "s")),
    ]

    assert decode_series(encode_series(declared)) == declared


def test_a_broken_series_record_is_undecodable() -> None:
    """It raises what its readers expect."""
    with pytest.raises(Undecodable):
        decode_series(b'[[1, "p"]]')
