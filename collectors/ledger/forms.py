"""The tables that people fill in: their columns in English and Chinese, and what each cell may hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CellKind = Literal["text", "number", "date", "unit", "choice"]
MASS, AMOUNT = ("mass",), ("mass", "volume", "count", "energy")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a form."""

    name: str
    chinese: str  # the header, then other spellings of it
    kind: CellKind = "text"
    is_required: bool = False
    least: int | None = None  # of numbers
    most: int | None = None
    quantities: tuple[str, ...] = ()  # of units
    choices: Mapping[str, str] | None = None  # the value, and how Chinese forms write it
    example: str = ""

    @property
    def title(self) -> str:
        """The header in both languages."""
        return f"{self.name} {self.chinese.split()[0]}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """Everything that the header may be."""
        return (self.name, *self.chinese.split())


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of table."""

    name: str
    chinese: str  # what files may be called, the first is what templates are
    columns: tuple[Column, ...]

    def column(self, header: str) -> Column | None:
        """The column that a header means: `quantity`, `数量`, `quantity 数量` or `数量（kg）`."""
        words = header.lower().replace("（", " ").replace("(", " ").replace("/", " ").split()
        whole = "_".join(header.lower().split())
        return next(
            (column for column in self.columns if {whole, *words[:2]} & set(column.spellings)),
            None,
        )


def _number(name: str, chinese: str, *, required: bool = False, most: int | None = None, example: str = "") -> Column:
    return Column(name, chinese, "number", required, least=0, most=most, example=example)


_FIRST = (
    Column("number", "单号 编号 单据号 流水号", is_required=True, example="2026-03-0001"),
    Column("date", "日期 时间", "date", is_required=True, example="2026-03-02"),
)
_LAST = (
    Column("by", "填报人 经办人 制单人", example="Li Wei"),
    Column("corrects", "更正单号 更正", example=""),
    Column("note", "备注 说明", example=""),
)
_QUANTITY = _number("quantity", "数量 重量", required=True, example="1250.5")
_PRODUCT = Column("product", "产品 产品型号 用于产品 型号", example="6205-2RS")
_SUPPLIER = Column("supplier", "供应商 供方", example="Example Steel")
_DOCUMENT = Column("document", "依据文件 文件 依据", example="EPD 1234")
_RATING = {"least": 1, "most": 5}


def _unit(*quantities: str, example: str) -> Column:
    return Column("unit", "单位 计量单位", "unit", is_required=True, quantities=quantities, example=example)


def _form(name: str, chinese: str, *columns: Column) -> Form:
    return Form(name, chinese, (*_FIRST, *columns, *_LAST))


FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        _form(
            "materials",
            "材料 来料 原材料 领料",
            Column("material", "材料名称 材料 物料 物料名称", is_required=True, example="bearing steel GCr15"),
            _SUPPLIER,
            _QUANTITY,
            _unit(*AMOUNT, example="kg"),
            _PRODUCT,
        ),
        _form(
            "supplier_footprints",
            "供应商碳足迹",
            Column("material", "材料名称 材料 物料", is_required=True, example="bearing steel GCr15"),
            _SUPPLIER,
            _number("footprint", "碳足迹 碳足迹kgco2e", required=True, example="2.05"),
            Column("unit", "每单位 单位", "unit", is_required=True, quantities=AMOUNT, example="kg"),
            Column("document", "依据文件 文件", is_required=True, example="EPD 1234"),
            Column("valid_to", "有效期至 有效期", "date", example="2027-12-31"),
            _number("primary_percent", "初级数据占比", most=100, example="60"),
            Column("technological", "技术代表性", "number", example="2", **_RATING),  # type: ignore[arg-type]
            Column("geographical", "地域代表性", "number", example="1", **_RATING),  # type: ignore[arg-type]
            Column("temporal", "时间代表性", "number", example="1", **_RATING),  # type: ignore[arg-type]
        ),
        _form(
            "gases",
            "气体 工艺气体",
            Column("gas", "气体名称 气体", is_required=True, example="methanol"),
            _SUPPLIER,
            _QUANTITY,
            _unit("mass", "volume", example="kg"),
            _PRODUCT,
        ),
        _form(
            "waste",
            "废物 固废 危废",
            Column("waste", "废物名称 废物", is_required=True, example="grinding sludge"),
            _QUANTITY,
            _unit(*MASS, example="kg"),
            Column("treatment", "处置方式 处理方式", example="incineration"),
            _PRODUCT,
        ),
        _form(
            "waybills",
            "运单 物流",
            Column(
                "direction",
                "方向 运输方向",
                "choice",
                is_required=True,
                choices={"inbound": "进货 进厂", "outbound": "发货 出厂", "internal": "厂内"},
                example="inbound",
            ),
            _QUANTITY,
            _unit(*MASS, example="t"),
            _number("distance_km", "距离 运距 里程", required=True, example="320"),
            Column(
                "distance_kind",
                "距离类型",
                "choice",
                is_required=True,
                choices={"planned": "规划距离 规划", "great_circle": "直线距离 直线"},
                example="planned",
            ),
            Column("mode", "运输方式 方式", is_required=True, example="truck"),
            Column("carrier", "承运人 承运单位", example="Example Haulage"),
            _number("intensity", "承运强度", example=""),
            _DOCUMENT,
            _PRODUCT,
        ),
        _form(
            "production",
            "产量 生产",
            Column("product", "产品 产品型号 型号", is_required=True, example="6205-2RS"),
            _number("good", "合格数 合格品 良品", required=True, example="10000"),
            _number("scrap", "废品数 废品 不良品", example="35"),
            _number("mass_kg", "总质量 总重", example="1280"),
            Column("line", "产线 生产线", example="line-1"),
            Column("order", "工单号 工单 订单号 订单", example="O-2026-17"),
        ),
        _form(
            "orders",
            "订单",
            Column("product", "产品 产品型号 型号", is_required=True, example="6205-2RS"),
            _number("quantity", "数量", required=True, example="5000"),
            Column("customer", "客户", example="Example Motors"),
            Column("due", "交期 交货日期", "date", example="2026-04-01"),
        ),
    )
}
"""Every kind of table, by its name."""


def form_of(*names: str) -> Form | None:
    """The form that a file or, failing that, its folder is named after: `materials-2026-03.csv`, `材料 3月.xlsx`."""
    for name in names:
        found = [
            (len(word), form)
            for form in FORMS.values()
            for word in (form.name, *form.chinese.split())
            if name.lower().startswith(word)
        ]
        if found:
            return max(found, key=lambda one: one[0])[1]
    return None
