"""Tag lists from Excel and from other tools, as they come."""

from pathlib import Path

import pytest
from openpyxl import Workbook

from agent.onboarding.problems import ConfigErrors, Place
from agent.onboarding.taglists import TagList, read_tag_list

FIELDS = ("machine", "signal", "node", "unit", "kind")
ROW = {"machine": "cnc-1", "signal": "speed", "node": "ns=2;s=A", "unit": "rpm"}


def read(path: Path, content: bytes | None = None) -> TagList:
    """The list at `path`, written there first."""
    if content is not None:
        path.write_bytes(content)
    return read_tag_list(path, shown=path.name, fields=FIELDS, required=("machine", "signal", "node"))


@pytest.mark.parametrize(
    "text",
    [
        "machine,signal,node,unit\ncnc-1,speed,ns=2;s=A,rpm\n",
        "machine;signal;node;unit\r\ncnc-1;speed;'ns=2;s=A';rpm\r\n".replace("'", '"'),
        "machine\tsignal\tnode\tunit\ncnc-1\tspeed\tns=2;s=A\trpm\n",
        'sep=;\nmachine;signal;node;unit\ncnc-1;speed;"ns=2;s=A";rpm\n',
        "Machine, Tag Name ,ADDRESS,Eng Units\n cnc-1 , speed ,ns=2;s=A, rpm\n",
        "设备,测点,节点,单位\ncnc-1,speed,ns=2;s=A,rpm\n",
        "Turning shop,,,\n,,,\nmachine,signal,node,unit\n\n# spare,x,y,\ncnc-1,speed,ns=2;s=A,rpm\n,,,\n",
    ],
    ids=["comma", "semicolon", "tab", "sep line", "Kepware headers", "Chinese headers", "title, blanks, comment"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_is_read_as_it_comes(text: str, encoding: str, tmp_path: Path) -> None:
    """Separators, encodings, titles, blanks and comments of real files give the same row."""
    listed = read(tmp_path / "tags.csv", text.encode(encoding))

    assert [ROW] == [row.values for row in listed.rows]
    assert () == listed.warnings


def test_a_row_knows_its_cells(tmp_path: Path) -> None:
    """A line break inside quotes does not shift the lines below; a missing cell points at its column."""
    listed = read(tmp_path / "tags.csv", b'machine,signal,node\na,"b\nc",i=1\nd,e,i=2\n')

    assert [2, 4] == [row.place.line for row in listed.rows]
    assert Place("tags.csv", 4, 3) == listed.rows[1].cell("node")


def test_kinds_have_chinese_names(tmp_path: Path) -> None:
    """The words that plants use for kinds of signals are understood."""
    text = "设备,信号,节点,类型\na,b,i=1,累计\na,c,i=2,状态\na,d,i=3,Counter\na,e,i=4,\n"

    kinds = [row.values.get("kind") for row in read(tmp_path / "tags.csv", text.encode("gbk")).rows]

    assert ["counter", "state", "counter", None] == kinds


def test_a_workbook_is_read(tmp_path: Path) -> None:
    """Numbers in cells become text as a person reads them; formulas count with their last value."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["磨削车间"], ["设备", "信号", "节点", "单位"], [7, True, "ns=2;s=A", None], [1.5, "x", "i=1", "rpm"]):
        sheet.append(row)
    book.save(tmp_path / "tags.xlsx")

    rows = read(tmp_path / "tags.xlsx").rows

    assert {"machine": "7", "signal": "true", "node": "ns=2;s=A"} == rows[0].values
    assert ("1.5", Place("tags.xlsx", 4, 4)) == (rows[1].values["machine"], rows[1].cell("unit"))


def test_an_unknown_column_is_warned_of_once(tmp_path: Path) -> None:
    """A misspelt header is named with the nearest right one; columns of other tools are let be."""
    listed = read(tmp_path / "tags.csv", b"machine,signal,node,unti,Data Type,Scan Rate\na,b,i=1,rpm,Float,100\n")

    assert [("unit", 4)] == [(one.todo.split("'")[1], one.place.column) for one in listed.warnings]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"machine,signal\na,b\n", "'node' is missing"),
        (b"machine,signal,node,machine\na,b,i=1,c\n", "stands here twice"),
        (b"machine,signal,node\n", "no rows"),
        (b"machine,signal,node\n\xff\xff\xff,a,b\n", "neither UTF-8 nor GB18030"),
        (b'machine,signal,node\na,"b,i=1\n', "not CSV"),
    ],
    ids=["empty", "column missing", "column twice", "no rows", "encoding", "quotes"],
)
def test_a_list_that_cannot_be_read_is_refused(content: bytes, what: str, tmp_path: Path) -> None:
    """Each fault of a whole file is said once, in words."""
    with pytest.raises(ConfigErrors, match=what):
        read(tmp_path / "tags.csv", content)


def test_an_unquoted_decimal_comma_is_an_error(tmp_path: Path) -> None:
    """A comma too many shifts cells without a word, so each cell beyond the header is named with row and column."""
    text = "machine,signal,node,unit,,\na,b,i=1,kW,,\na,c,i=2,kW,5\nd,e,i=3,0,5,kW\n"

    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "tags.csv", text.encode())

    assert [Place("tags.csv", 3, 5), Place("tags.csv", 4, 5)] == [problem.place for problem in caught.value.problems]
    assert "'5' stands beyond the last column" in caught.value.problems[0].what


def test_notes_beside_a_table_in_a_workbook_are_fine(tmp_path: Path) -> None:
    """In a workbook nothing can shift."""
    book = Workbook()
    for row in (("machine", "signal", "node"), ("a", "b", "i=1", None, "ask Li Wei")):
        book.worksheets[0].append(row)
    book.save(tmp_path / "tags.xlsx")

    assert ["a"] == [row.values["machine"] for row in read(tmp_path / "tags.xlsx").rows]
