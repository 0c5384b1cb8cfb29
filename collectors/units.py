"""The units that plants measure in, as Raceway writes them and as people write them.

`Unit` is a pydantic field type: it takes `kwh`, `KWH`, `千瓦时` and gives `kWh`; an unknown unit is refused with the
nearest known one. A unit that is nobody's but the plant's own goes in braces, as in UCUM: `{pallet}`.
Sources: UCUM, IEC 80000, GB 3100-1993; the coal equivalent of GB/T 2589-2020.
"""

from __future__ import annotations

import difflib
import unicodedata
from typing import Annotated

from pydantic import BeforeValidator

# quantity -> units, each with other spellings. The first word is the one that Raceway writes.
_TABLE: dict[str, tuple[str, ...]] = {
    "energy": (
        "kWh kilowatthour 千瓦时 千瓦小时 度",
        "Wh 瓦时",
        "MWh 兆瓦时",
        "GWh 吉瓦时",
        "J 焦 焦耳",
        "kJ 千焦",
        "MJ 兆焦",
        "GJ 吉焦 百万千焦",
        "kcal 千卡 大卡",
    ),
    "reactive energy": ("kvarh 千乏时", "varh 乏时", "kVAh 千伏安时", "VAh"),
    "coal equivalent": ("kgce 千克标准煤", "tce 吨标准煤 吨标煤"),
    "volume": (
        "m³ m3 m^3 cbm 立方米 立方 方",
        "Nm³ Nm3 Nm^3 标准立方米 标立方 标方",
        "L l liter litre 升",
        "mL ml 毫升",
    ),
    "mass": ("kg 千克 公斤", "g 克", "mg 毫克", "t ton tonne 吨"),
    "count": ("pcs pc pce piece pieces 件 个 只 套 pieces", "rev 转数", "cycles 次 次数"),
    "time": ("s sec second 秒", "ms 毫秒", "µs μs us 微秒", "min minute 分钟 分", "h hr hour 小时 时", "d day 天"),
    "charge": ("Ah 安时",),
    "length": ("mm 毫米", "µm μm um micron 微米", "nm 纳米", "cm 厘米", "m meter metre 米", "km 千米 公里"),
    "power": ("kW 千瓦", "W 瓦 瓦特", "MW 兆瓦", "mW 毫瓦"),
    "reactive power": ("kvar 千乏", "var 乏"),
    "apparent power": ("kVA 千伏安", "VA 伏安", "MVA 兆伏安"),
    "voltage": ("V volt 伏 伏特", "mV 毫伏", "kV 千伏"),
    "current": ("A amp ampere 安 安培", "mA 毫安", "kA 千安"),
    "resistance": ("Ω ohm 欧 欧姆", "kΩ kohm 千欧", "MΩ Mohm 兆欧"),
    "frequency": ("Hz 赫 赫兹", "kHz 千赫"),
    "speed of rotation": ("rpm r/min rev/min 1/min 转/分 转每分 转/分钟", "rps r/s 转/秒"),
    "temperature": ("°C ℃ degC 摄氏度 度C", "K kelvin 开尔文", "°F ℉ degF"),
    "pressure": ("Pa 帕", "kPa 千帕", "MPa 兆帕", "bar 巴", "mbar hPa 毫巴 百帕"),
    "flow": (
        "m³/h m3/h m^3/h 立方米/小时 方/时",
        "m³/s m3/s m^3/s 立方米/秒",
        "Nm³/h Nm3/h 标方/时 标立方米/小时",
        "L/min l/min lpm 升/分",
        "L/h l/h 升/时",
        "kg/h 千克/时",
        "kg/s 千克/秒",
        "t/h 吨/时 吨/小时",
    ),
    "speed": ("mm/s 毫米/秒", "mm/min 毫米/分", "m/s 米/秒", "m/min 米/分"),
    "feed": ("mm/rev mm/r 毫米/转",),
    "acceleration": ("m/s² m/s2 m/s^2 米/秒²", "gn g0 重力加速度"),
    "force": ("N 牛 牛顿", "kN 千牛"),
    "torque": ("N·m Nm N.m N*m N-m 牛米 牛·米",),
    "sound": ("dB", "dB(A) dBA 分贝"),
    "hardness": ("HRC", "HB HBW", "HV"),
    "rate": ("pcs/h 件/时 件/小时", "pcs/min 件/分"),
    "concentration": ("ppm", "ppb", "mg/m³ mg/m3", "µg/m³ μg/m³ ug/m3", "g/L", "mg/L"),
    "carbon": ("kgCO₂e kgCO2e kgCO2 千克二氧化碳", "tCO₂e tCO2e tCO2 吨二氧化碳"),
    "electricity quality": ("%THD",),
    "ratio": ("% percent 百分比 ％", "‰ permille", "pH"),
    "number": ("1",),
    "angle": ("° deg 度角", "rad 弧度"),
    "money": ("CNY RMB 元 人民币",),
}

COUNTABLE = frozenset(
    (
        *("energy", "reactive energy", "coal equivalent", "volume", "mass", "count"),
        *("time", "charge", "length", "carbon", "number", "money"),
    )
)
"""Quantities whose running total makes sense: what a counter may count."""

_LEVEL_TO_TOTAL = {"power": "kWh", "flow": "m³", "reactive power": "kvarh", "rate": "pcs", "current": "Ah"}


def _fold(text: str) -> str:
    """Without spaces, width and case; µ and μ alike."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


_QUANTITY: dict[str, str] = {}
_BY_SPELLING: dict[str, str] = {}
_FOLDED: dict[str, set[str]] = {}
for _quantity, _units in _TABLE.items():
    for _spellings in _units:
        _unit, *_others = _spellings.split()
        _QUANTITY[_unit] = _quantity
        for _spelling in (_unit, *_others):
            _BY_SPELLING[_spelling] = _unit
            _FOLDED.setdefault(_fold(_spelling), set()).add(_unit)


def canonical(text: str) -> str:
    """The unit as Raceway writes it; raises ValueError for people where it is unknown or ambiguous."""
    text = text.strip()
    if not text or text in _QUANTITY or (text.startswith("{") and text.endswith("}") and len(text) > 2):
        return text
    if text in _BY_SPELLING:
        return _BY_SPELLING[text]
    matches = sorted(_FOLDED.get(_fold(text), ()))
    if len(matches) == 1:
        return matches[0]
    if not matches:
        near = difflib.get_close_matches(_fold(text), _FOLDED, n=2, cutoff=0.6)
        matches = sorted({unit for spelling in near for unit in _FOLDED[spelling]})
    close = " or ".join(f"'{match}'" for match in matches)
    hint = f"did you mean {close}?" if close else "write a unit of your own in braces: {pallet}"
    raise ValueError(f"the unit '{text}' is not known; {hint}")


def quantity(unit: str) -> str | None:
    """What a canonical unit measures; None for no unit and for a unit in braces."""
    return _QUANTITY.get(unit)


def cannot_count(unit: str) -> str:
    """Why a counter cannot have this canonical unit, with the remedy, for people; empty where it can."""
    measures = quantity(unit)
    if measures is None or measures in COUNTABLE:
        return ""
    total = _LEVEL_TO_TOTAL.get(measures)
    remedy = f"write 'kind: gauge', or the unit of its total ({total})" if total else "write 'kind: gauge'"
    return f"a counter only rises, but {unit} measures {measures}, which is a level; {remedy}"


def _validated(value: object) -> object:
    return canonical(value) if isinstance(value, str) else value


Unit = Annotated[str, BeforeValidator(_validated)]
"""A unit as a pydantic field: known spellings become Raceway's own, unknown ones are refused."""
