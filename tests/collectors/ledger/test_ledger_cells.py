"""One cell: what people write, and what is kept."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ledger.cells import read_cell
from collectors.ledger.forms import FORMS, Column

MATERIALS = {column.name: column for column in FORMS["materials"].columns}
WAYBILLS = {column.name: column for column in FORMS["waybills"].columns}
RATING = next(column for column in FORMS["supplier_footprints"].columns if column.name == "temporal")


@pytest.mark.parametrize(
    ("text", "column", "kept"),
    [
        pytest.param("12.50", MATERIALS["quantity"], "12.50", id="a number stays as it is written"),
        pytest.param("1,250.5", MATERIALS["quantity"], "1250.5", id="thousands are separated by commas"),
        pytest.param("１２．５", MATERIALS["quantity"], "12.5", id="full width digits"),
        pytest.param("2026/3/2", MATERIALS["date"], "2026-03-02", id="slashes"),
        pytest.param("2026年3月2日", MATERIALS["date"], "2026-03-02", id="a Chinese date"),
        pytest.param("20260302", MATERIALS["date"], "2026-03-02", id="eight digits"),
        pytest.param("2026-03-02 00:00:00", MATERIALS["date"], "2026-03-02", id="the date of a workbook"),
        pytest.param("公斤", MATERIALS["unit"], "kg", id="a Chinese unit"),
        pytest.param("套", MATERIALS["unit"], "pcs", id="sets are pieces"),
        pytest.param("进货", WAYBILLS["direction"], "inbound", id="a Chinese choice"),
        pytest.param("Planned", WAYBILLS["distance_kind"], "planned", id="a choice in capitals"),
    ],
)
def test_what_people_write_has_one_spelling(text: str, column: Column, kept: str) -> None:
    """Numbers, dates, units and choices are kept in one form."""
    assert kept == read_cell(text, column)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        pytest.param("12,5", MATERIALS["quantity"], "no plain number", id="a decimal comma could be a thousand"),
        pytest.param("12 kg", MATERIALS["quantity"], "no plain number", id="a unit in the number"),
        pytest.param("nan", MATERIALS["quantity"], "no plain number", id="nan"),
        pytest.param("1e3", MATERIALS["quantity"], "no plain number", id="an exponent"),
        pytest.param("-5", MATERIALS["quantity"], "the least is 0", id="less than nothing"),
        pytest.param("6", RATING, "the most is 5", id="a rating beyond the scale"),
        pytest.param("2026-02-30", MATERIALS["date"], "no date", id="no such day"),
        pytest.param("2026111", MATERIALS["date"], "no date", id="seven digits could be two days"),
        pytest.param("0026-03-02", MATERIALS["date"], "check the year", id="a year long ago"),
        pytest.param("kWx", MATERIALS["unit"], "not known", id="no unit at all"),
        pytest.param("kW", MATERIALS["unit"], "a unit of mass", id="a unit of something else"),
        pytest.param("actual", WAYBILLS["distance_kind"], "planned", id="the odometer is no planned distance"),
        pytest.param("x" * 501, MATERIALS["material"], "at most 500", id="a novel"),
        pytest.param("\ud800", MATERIALS["material"], "no text", id="half a character"),
    ],
)
def test_what_cannot_be_understood_is_refused(text: str, column: Column, said: str) -> None:
    """The reason names the column, what it says and what to do."""
    with pytest.raises(ValueError, match=said):
        read_cell(text, column)


@given(st.decimals(min_value=0, max_value=10**12 - 1, places=9))
def test_every_plain_number_keeps_its_digits(value: object) -> None:
    """A number that is written plainly comes back as it was."""
    text = format(value, "f")

    assert text == read_cell(text, MATERIALS["quantity"])


@given(st.text(max_size=30))
def test_no_text_is_taken_for_something_else(text: str) -> None:
    """Any cell is either kept, then in a spelling that stays as it is, or refused."""
    for column in MATERIALS.values():
        with suppress(ValueError):
            kept = read_cell(text, column)
            assert kept == read_cell(kept, column)
