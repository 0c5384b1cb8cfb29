"""Rows into entries, and entries into what counts."""

from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ledger.books import in_force
from collectors.ledger.entries import LedgerEntry, Origin, Reading, from_text, read_rows
from collectors.ledger.forms import FORMS, form_of
from collectors.ledger.templates import FORMATS
from collectors.tables import Unreadable, read_lines

ORIGIN = Origin("materials.csv", "a" * 64, "liwei")
HEADER = "单号,日期,材料名称,数量,单位,供应商,填报人,更正单号"


def reading(*rows: str, kind: str = "materials", header: str = HEADER) -> Reading:
    text = "\n".join([header, *rows])
    return read_rows(read_lines(text.encode(), is_workbook=False), FORMS[kind], ORIGIN)


def entry(
    number: str, quantity: str = "1", *, corrects: str = "", line: int = 2, sha256: str = "a" * 64
) -> LedgerEntry:
    values = {"material": "steel", "quantity": quantity, "unit": "kg"}
    origin = Origin("materials.csv", sha256, "liwei")
    return LedgerEntry("materials", number, date(2026, 3, 2), values, corrects, "Li Wei", origin, line)


def test_a_row_becomes_an_entry() -> None:
    """Who, when, what, and the file and line it stands in."""
    (found,) = reading("L-1,2026-03-02,GCr15,1250.5,kg,某钢厂,李伟,").entries

    assert found == LedgerEntry(
        "materials", "L-1", date(2026, 3, 2), {"material": "GCr15", "quantity": "1250.5", "unit": "kg",
        "supplier": "某钢厂"}, "", "李伟", ORIGIN, 2,
    )  # fmt: skip
    assert "aaaaaaaaaaaaaaaa:2" == found.id


def test_a_wrong_row_keeps_no_other_from_going_in() -> None:
    """Rows are refused one by one, with their line and their cells."""
    found = reading("L-1,2026-03-02,GCr15,1,kg,,,", "L-2,2026-13-02,GCr15,1,kg,,,", "L-3,2026-03-02,GCr15,1,kg,,,")

    assert ["L-1", "L-3"] == [one.number for one in found.entries]
    assert [(3, "L-2,2026-13-02,GCr15,1,kg,,,")] == [(one.line, one.row) for one in found.refused]
    assert "2026-13-02" in found.refused[0].reason


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param(",2026-03-02,GCr15,1,kg,,,", "'number 单号' is empty", id="no number"),
        pytest.param("L-1,2026-03-02,GCr15,,kg,,,", "'quantity 数量' is empty", id="no quantity is never 0"),
        pytest.param("L-1,2026-03-02,GCr15,1,kg,,,L-1", "corrects itself", id="corrects itself"),
    ],
)
def test_a_row_says_what_it_lacks(row: str, said: str) -> None:
    """The reason names the column in both languages."""
    assert said in reading(row).refused[0].reason


def test_a_number_stands_once_in_a_file() -> None:
    """The second row with a number is refused."""
    found = reading("L-1,2026-03-02,GCr15,1,kg,,,", "L-1,2026-03-03,GCr15,2,kg,,,")

    assert 1 == len(found.entries)
    assert "stands in line 2 already" in found.refused[0].reason


def test_headers_may_be_in_both_languages_below_a_title() -> None:
    """A title above, headers like `quantity 数量`, and columns that nobody knows do no harm."""
    lines = "三月来料\nnumber 单号,date/日期,材料名称,数量（kg）,unit,仓位\nL-1,2026-03-02,GCr15,5,kg,A3"
    found = read_rows(read_lines(lines.encode("gb18030"), is_workbook=False), FORMS["materials"], ORIGIN)

    assert {"material": "GCr15", "quantity": "5", "unit": "kg"} == found.entries[0].values
    assert ("仓位",) == found.unused


@pytest.mark.parametrize(
    ("header", "said"),
    [
        pytest.param("单号,日期,材料名称,数量", "unit 单位", id="a column is missing"),
        pytest.param("单号,编号,日期,材料,数量,单位", "'number' stands here twice", id="a column is there twice"),
        pytest.param("a,b,c", "no line names the columns", id="no header"),
    ],
)
def test_a_table_without_its_columns_is_refused(header: str, said: str) -> None:
    """What is missing is named, and where to get a form."""
    with pytest.raises(Unreadable, match=said):
        reading("1,2,3,4", header=header)


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_template_is_a_form_that_can_be_read(kind: str, form: str) -> None:
    """Every column is known, and the examples are rows once their mark is taken away."""
    content = FORMATS[form](FORMS[kind])
    lines = read_lines(content, is_workbook=form == "xlsx")
    empty = read_rows(lines, FORMS[kind], ORIGIN)
    example = [(line, [cells[0].removeprefix("# "), *cells[1:]]) for line, cells in lines]
    filled = read_rows([example[0], example[2]], FORMS[kind], ORIGIN)

    assert Reading((), (), ()) == empty
    assert ((), 1) == (filled.refused, len(filled.entries))


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("materials-2026-03.csv", "x"), "materials"),
        (("运单 3月.xlsx", "x"), "waybills"),
        (("供应商碳足迹.csv", "x"), "supplier_footprints"),
        (("2026-03.csv", "产量"), "production"),
        (("notes.csv", "x"), None),
    ],
    ids=str,
)
def test_the_name_says_which_form_it_is(names: tuple[str, ...], kind: str | None) -> None:
    """The file's own name first, then its folder's."""
    form = form_of(*names)

    assert kind == (form.name if form else None)


@given(
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    st.decimals(0, 10**9, places=3),
)
def test_an_entry_survives_the_log(number: str, quantity: object) -> None:
    """What was written as text is the same entry when it is read."""
    one = entry(number, str(quantity))

    assert one == from_text(one.to_text())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "rumours"}', "1"])
def test_other_texts_are_no_entries(text: str) -> None:
    """An event of another source is not taken for an entry."""
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is one
        from_text(text)


def test_the_same_row_twice_counts_once() -> None:
    """A file that is dropped again under another hash adds nothing."""
    books = in_force([entry("L-1"), entry("L-1", sha256="b" * 64, line=9)])

    assert ["L-1"] == [one.number for one in books.entries]
    assert () == books.contradictions


def test_a_correction_replaces_in_whatever_order() -> None:
    """Of a chain of corrections the last one counts, whichever came first."""
    chain = [entry("L-1"), entry("L-2", "2", corrects="L-1"), entry("L-3", "3", corrects="L-2")]

    for order in permutations(chain):
        books = in_force(order)
        assert (["L-3"], ()) == ([one.number for one in books.entries], books.contradictions)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        pytest.param([entry("L-1"), entry("L-1", "2", line=3)], "says different things", id="one number, two rows"),
        pytest.param([entry("L-2", corrects="L-1")], "which is not there", id="corrects what is not there"),
        pytest.param(
            [entry("L-1"), entry("L-2", corrects="L-1"), entry("L-3", "2", corrects="L-1")],
            "both correct L-1",
            id="two corrections of one",
        ),
        pytest.param(
            [entry("L-1", corrects="L-2"), entry("L-2", "2", corrects="L-1")], "by way of others", id="a circle"
        ),
    ],
)
def test_contradictions_are_said_and_not_counted(entries: list[LedgerEntry], said: str) -> None:
    """Where it cannot be told which entry is right, none counts."""
    books = in_force([*entries, entry("other", "7")])

    assert ["other"] == [one.number for one in books.entries]
    assert any(said in one.why for one in books.contradictions)


@given(st.data())
def test_what_counts_does_not_depend_on_the_order(data: st.DataObject) -> None:
    """Any set of entries, shuffled and repeated, gives the same books."""
    numbers = st.sampled_from(["1", "2", "3", "4"])
    found = data.draw(
        st.lists(st.builds(lambda n, q, c: entry(n, q, corrects=c if c != n else ""), numbers,
                           st.sampled_from(["1", "2"]), st.sampled_from(["", "1", "2", "3"])), max_size=6)
    )  # fmt: skip
    again = data.draw(st.permutations([*found, *found[:2]]))

    assert in_force(found).entries == in_force(again).entries
