"""InfluxDB line protocol as documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.mqtt.lineprotocol import read_lines


def test_a_line_with_everything() -> None:
    """Escapes in names and texts, all kinds of values, line ends inside a text, comments and empty lines."""
    text = 'm\\ x,host=a\\,b,k\\=1=v temp=21.4,n=3i,u=4u,on=t,off=False,s="a \\" b\nc" 17\n# c\n\nq v=1e-3\r\n'
    assert read_lines(text) == [
        {
            "measurement": "m x",
            "tags": {"host": "a,b", "k=1": "v"},
            "fields": {"temp": 21.4, "n": 3, "u": 4, "on": True, "off": False, "s": 'a " b\nc'},
            "time": 17,
        },
        {"measurement": "q", "tags": {}, "fields": {"v": 0.001}},
    ]


@pytest.mark.parametrize(
    "text", ["x", "x y", "x y=", "x,a y=1", 'm f="open x=1', "m f=1 z", "m f=1x", "m f=1,", "m f=1, g=2", "m f=i", "="]
)
def test_what_is_refused(text: str) -> None:
    """A line that is not whole is refused, never read in part."""
    with pytest.raises(ValueError, match="is not InfluxDB line protocol"):
        read_lines(text)


@given(st.text(alphabet='m,= "\\\n1ft#', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError comes out, whatever comes in."""
    try:
        documents = read_lines(text)
    except ValueError:
        return
    assert all(document["fields"] for document in documents)


def test_many_quotes_cost_no_more_than_their_length() -> None:
    """A megabyte of quotes is refused at once."""
    with pytest.raises(ValueError, match="line protocol"):
        read_lines('m f="' + '\\"' * 500_000 + "x" + '"' * 100_001)
