"""Tag lists as plants keep them: CSV or XLSX, English or Chinese headers, each cell with its place.

CSV is read as UTF-8 with or without a byte order mark, UTF-16 with one, then GB18030; the separator is `,` `;` or TAB.
A title above the header is skipped, blank cells mean the default, rows that begin with `#` are comments.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.onboarding.problems import ConfigErrors, Place, Problem, Severity
from collectors.tables import TEXTS, WORKBOOKS, Lines, Unreadable, read_lines

MOST_BYTES = 64 * 1024 * 1024
_TITLE_ROWS = 10  # so many rows may stand above the header

_HEADERS = {  # the field, then what plants and other tools call it
    "machine": "设备 机器 机床 设备名称 设备编号 机器名称 表计 仪表 device equipment asset meter",
    "signal": "信号 测点 变量 信号名称 测点名称 变量名 点名 tag tag_name name signal_name field",
    "node": "节点 节点号 节点地址 节点id 地址 nodeid node_id address opc_node item_id",
    "unit": "单位 工程单位 units eng_units eng._units engineering_units eu",
    "kind": "类型 种类 信号类型 数据类别 type signal_type",
    "area": "车间 区域 workshop department",
    "line": "产线 生产线 线体 production_line",
    "topic": "主题 mqtt_topic",
    "path": "路径 字段 json_path",
    "scale": "比例 系数 倍率 factor",
    "offset": "偏移 偏移量",
    "description": "描述 说明 备注 注释 comment remark remarks",
}
_UNUSED = (  # columns of other tools' exports that say nothing to us
    *(
        "description",
        "data_type",
        "数据类型",
        "respect_data_type",
        "client_access",
        "scan_rate",
        "no.",
        "#",
        "序号",
        "编号",
    ),
    *("scaling", "raw_low", "raw_high", "scaled_low", "scaled_high", "scaled_data_type", "clamp_low", "clamp_high"),
    *("negate_value", "browse_path", "range", "historizing"),
)
_KINDS = {  # the kind, then other spellings
    "gauge": "模拟量 测量值 瞬时值 analog analogue level",
    "counter": "计数 计数器 累计 累计值 累积量 total",
    "state": "状态 状态量 开关量 digital discrete",
    "event": "事件 报警",
    "text": "文本 字符串 string",
}
_FIELD = {alias: name for name, aliases in _HEADERS.items() for alias in aliases.split()}
_KIND = {alias: name for name, aliases in _KINDS.items() for alias in aliases.split()}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: the filled cells by field name, and where each stands."""

    place: Place
    values: dict[str, str]
    columns: dict[str, int]  # every field of the table -> its column, counted from 1

    def cell(self, name: str) -> Place:
        """The place of a cell, the row's own where the table has no such column."""
        return self.place._replace(column=self.columns.get(name, 1))


@dataclass(frozen=True, slots=True)
class TagList:
    """A table that could be read, and what is odd about it."""

    rows: tuple[Row, ...]
    warnings: tuple[Problem, ...] = field(default=())


def read_tag_list(path: Path, *, shown: str, fields: Collection[str], required: Collection[str]) -> TagList:
    """The rows of the CSV or XLSX file at `path`, called `shown` in problems.

    fields: the columns that mean something here.  required: those that must be there. Raises ConfigErrors.
    """
    content = _content(path, shown)
    is_workbook = path.suffix.lower() in WORKBOOKS
    try:
        lines = read_lines(content, is_workbook=is_workbook)
    except Unreadable as unreadable:
        raise ConfigErrors([Problem(Place(shown, unreadable.line), unreadable.what, unreadable.todo)]) from None
    header_at = _header_at(lines, fields)
    if header_at is None:
        raise ConfigErrors(
            [Problem(Place(shown), "the tag list is empty", f"begin it with a row of column names: {_names(fields)}")]
        )
    number, header = lines[header_at]
    columns, problems = _columns(header, Place(shown, number, 1), fields)
    for name in sorted(set(required) - set(columns)):
        problems.append(
            Problem(Place(shown, number, 1), f"the column '{name}' is missing", f"the columns are: {_names(fields)}")
        )
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise ConfigErrors(problems)
    filled = [(Place(shown, at, 1), cells) for at, cells in lines[header_at + 1 :] if _is_filled(cells)]
    if not is_workbook and (beyond := list(_beyond(header, filled))):
        raise ConfigErrors([*problems, *beyond])
    rows = tuple(_row(place, cells, columns) for place, cells in filled)
    if not rows:
        raise ConfigErrors([Problem(Place(shown), "the tag list has a header but no rows", "add one row for each tag")])
    return TagList(rows, tuple(problems))


def _content(path: Path, shown: str) -> bytes:
    def refuse(what: str, todo: str) -> ConfigErrors:
        return ConfigErrors([Problem(Place(shown), what, todo)])

    if "\0" in str(path):
        raise refuse("the name of the tag list contains a zero byte", "write the name of the file")
    if path.suffix.lower() not in (*TEXTS, *WORKBOOKS):
        raise refuse("a tag list is a .csv or .xlsx file", "in Excel: 'Save as', type 'Excel Workbook (.xlsx)'")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise refuse(
            "the tag list does not exist", "check the name; it is relative to the configuration file"
        ) from None
    except OSError as error:
        raise refuse(f"the tag list cannot be read ({error.strerror})", "check the file and its permissions") from None
    if len(content) > MOST_BYTES:
        raise refuse("the tag list is larger than 64 MiB", "split it into several files")
    return content


def _header_at(lines: Lines, fields: Collection[str]) -> int | None:
    """The first row that names at least two fields; without one, the first that holds anything."""
    filled = [at for at, (_, cells) in enumerate(lines) if _is_filled(cells)]
    for at in filled[:_TITLE_ROWS]:
        if sum(_field(cell, fields) in fields for cell in lines[at][1]) >= 2:
            return at
    return filled[0] if filled else None


def _columns(header: Sequence[str], place: Place, fields: Collection[str]) -> tuple[dict[str, int], list[Problem]]:
    columns: dict[str, int] = {}
    problems: list[Problem] = []
    for number, cell in enumerate(header, 1):
        name, here = _field(cell, fields), place._replace(column=number)
        if name in columns:
            problems.append(Problem(here, f"the column '{name}' stands here twice ('{cell}')", "keep one of the two"))
        elif name in fields:
            columns[name] = number
        elif name and name not in _UNUSED:
            close = difflib.get_close_matches(name, [*fields, *_aliases(fields)], n=1)
            todo = f"did you mean '{close[0]}'?" if close else f"the columns are: {_names(fields)}"
            problems.append(Problem(here, f"the column '{cell}' is not used", todo, Severity.WARNING))
    return columns, problems


def _beyond(header: Sequence[str], rows: Iterable[tuple[Place, Sequence[str]]]) -> Iterator[Problem]:
    """The first filled cell of each row that has more cells than the header: what stands before it may be shifted."""
    width = max(number for number, cell in enumerate(header, 1) if cell)
    for place, cells in rows:
        number = next((number for number, cell in enumerate(cells[width:], width + 1) if cell), None)
        if number is not None:
            yield Problem(
                place._replace(column=number),
                f"'{cells[number - 1][:40]}' stands beyond the last column of the header",
                'put a value that contains the separator into quotes, like "0,5", or write a decimal point',
            )


def _aliases(fields: Collection[str]) -> list[str]:
    return [alias for alias, name in _FIELD.items() if name in fields]


def _field(header: str, fields: Collection[str]) -> str:
    """The field that a header means."""
    name = "_".join(header.strip().lower().split())
    return name if name in fields else _FIELD.get(name, name)


def _row(place: Place, cells: Sequence[str], columns: dict[str, int]) -> Row:
    values = {name: cells[number - 1] for name, number in columns.items() if number <= len(cells) and cells[number - 1]}
    if "kind" in values:
        values["kind"] = _KIND.get(values["kind"].lower(), values["kind"].lower())
    return Row(place, values, columns)


def _is_filled(cells: Iterable[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and not filled[0].startswith("#")


def _names(fields: Collection[str]) -> str:
    return ", ".join(fields)
